//! Datagrams over a byte stream (RFC 4571): each behind its 16-bit length, as ICE-TCP carries them (RFC
//! 6544).

use thiserror::Error;

/// The length in front of each frame.
pub const LENGTH_LEN: usize = 2;

/// Why the stream cannot be read any further: the connection must be closed. The peer is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum FramingError {
    /// A frame is longer than the buffer that was set aside for it.
    #[error("frame of {0} bytes is longer than accepted")]
    TooLong(u16),
}

/// What one step of a [`Decoder`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step<'a> {
    /// Bytes of the input that are done with; the next step begins behind them.
    pub consumed: usize,
    /// A complete frame. `None`: all input is consumed, and more is needed.
    pub frame: Option<&'a [u8]>,
}

/// Cuts a byte stream into frames. A frame that lies whole in the input is handed out of it; one that arrives
/// in pieces is put together in the buffer, whose size is the longest frame that is accepted.
#[derive(Debug)]
pub struct Decoder<B> {
    buffer: B,
    length: [u8; LENGTH_LEN],
    /// Bytes of `length` that have arrived.
    length_have: usize,
    /// Bytes of the frame that have arrived in `buffer`.
    have: usize,
}

impl<B: AsRef<[u8]> + AsMut<[u8]>> Decoder<B> {
    /// At the beginning of a stream.
    pub fn new(buffer: B) -> Self {
        Decoder { buffer, length: [0; LENGTH_LEN], length_have: 0, have: 0 }
    }

    /// Reads until a frame is complete or the input is used up. Call it again with what follows `consumed`
    /// until it has no frame. Frames of length 0, which RFC 4571 section 2 allows and which say nothing, are
    /// skipped.
    ///
    /// # Errors
    /// [`FramingError::TooLong`], then and in every later step.
    pub fn step<'a>(&'a mut self, input: &'a [u8]) -> Result<Step<'a>, FramingError> {
        let mut rest = input;
        let len = loop {
            let Some(len) = self.read_length(&mut rest) else {
                return Ok(Step { consumed: input.len(), frame: None });
            };
            if usize::from(len) > self.buffer.as_ref().len() {
                return Err(FramingError::TooLong(len));
            }
            if len > 0 {
                break usize::from(len);
            }
            self.length_have = 0;
        };
        if self.have == 0
            && let Some((frame, rest)) = rest.split_at_checked(len)
        {
            self.length_have = 0;
            return Ok(Step { consumed: input.len() - rest.len(), frame: Some(frame) });
        }
        let piece = rest.len().min(len - self.have);
        self.buffer.as_mut()[self.have..self.have + piece].copy_from_slice(&rest[..piece]);
        self.have += piece;
        let consumed = input.len() - rest.len() + piece;
        if self.have < len {
            return Ok(Step { consumed, frame: None });
        }
        (self.length_have, self.have) = (0, 0);
        Ok(Step { consumed, frame: Some(&self.buffer.as_ref()[..len]) })
    }

    /// The length of the frame at hand, once both of its bytes have arrived.
    fn read_length(&mut self, rest: &mut &[u8]) -> Option<u16> {
        while self.length_have < LENGTH_LEN {
            let (&byte, behind) = rest.split_first()?;
            self.length[self.length_have] = byte;
            self.length_have += 1;
            *rest = behind;
        }
        Some(u16::from_be_bytes(self.length))
    }
}

/// What is sent in front of a datagram of `len` bytes; `None` above 65535.
pub fn frame_length(len: usize) -> Option<[u8; LENGTH_LEN]> {
    u16::try_from(len).ok().map(u16::to_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_whole_frames_and_empty_ones() {
        let mut decoder = Decoder::new([0u8; 4]);
        let input = [0, 3, 1, 2, 3, 0, 0, 0, 1, 9, 0];
        assert_eq!(decoder.step(&input), Ok(Step { consumed: 5, frame: Some(&[1, 2, 3]) }));
        assert_eq!(decoder.step(&input[5..]), Ok(Step { consumed: 5, frame: Some(&[9]) }));
        assert_eq!(decoder.step(&input[10..]), Ok(Step { consumed: 1, frame: None }));
        assert_eq!(decoder.step(&[4, 5, 6]), Ok(Step { consumed: 3, frame: None }));
        assert_eq!(decoder.step(&[]), Ok(Step { consumed: 0, frame: None }));
        assert_eq!(decoder.step(&[7, 8, 0]), Ok(Step { consumed: 2, frame: Some(&[5, 6, 7, 8]) }));
        assert_eq!(decoder.step(&[0, 0]), Ok(Step { consumed: 2, frame: None }));
    }

    #[test]
    fn a_frame_that_is_too_long_ends_the_stream() {
        let mut decoder = Decoder::new([0u8; 4]);
        assert_eq!(decoder.step(&[0, 5, 1]), Err(FramingError::TooLong(5)));
        assert_eq!(decoder.step(&[0, 1, 1]), Err(FramingError::TooLong(5)));
    }

    #[test]
    fn lengths() {
        assert_eq!(frame_length(0x1234), Some([0x12, 0x34]));
        assert_eq!(frame_length(65536), None);
    }
}
