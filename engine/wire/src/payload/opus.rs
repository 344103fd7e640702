//! Opus (RFC 6716 section 3.1): how long a packet lasts, from its first bytes.

use super::PayloadError;

/// Opus timestamps count at 48 kHz, whatever the signal (RFC 7587 section 4.1).
pub const CLOCK_HZ: u32 = 48_000;
/// RFC 6716 section 3.2.5: "the audio duration contained within a packet MUST NOT exceed 120 ms".
const MAX_SAMPLES: u32 = 5_760;

/// What the table-of-contents byte says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Toc {
    /// Mode, bandwidth and frame size, 0 to 31.
    pub config: u8,
    /// Two channels were encoded.
    pub stereo: bool,
    /// Frames in the packet, 1 to 48.
    pub frames: u8,
}

impl Toc {
    /// Reads the byte, and the frame count behind it in packets that have one.
    ///
    /// # Errors
    /// [`PayloadError::Truncated`], or [`PayloadError::Length`] for no frames or more than 120 ms.
    #[inline]
    pub fn parse(payload: &[u8]) -> Result<Self, PayloadError> {
        let first = *payload.first().ok_or(PayloadError::Truncated)?;
        let frames = match first & 3 {
            0 => 1,
            1 | 2 => 2,
            _ => payload.get(1).ok_or(PayloadError::Truncated)? & 0x3f,
        };
        let toc = Toc { config: first >> 3, stereo: first & 4 != 0, frames };
        // Section 3.2.5: a code 3 packet "MUST NOT" have a count of zero.
        if frames == 0 || toc.samples() > MAX_SAMPLES { Err(PayloadError::Length) } else { Ok(toc) }
    }

    /// Samples of one frame at 48 kHz, from table 2.
    #[inline]
    pub fn frame_samples(&self) -> u32 {
        match (self.config, self.config & 3) {
            // SILK and hybrid: 10, 20, 40, 60 ms; hybrid has the first two.
            (0..=11, 3) => 2_880,
            (0..=11, size) => 480 << size,
            (12..=15, size) => 480 << (size & 1),
            // CELT: 2.5, 5, 10, 20 ms.
            (_, size) => 120 << size,
        }
    }

    /// Samples of the packet at 48 kHz: what the timestamp advances by.
    #[inline]
    pub fn samples(&self) -> u32 {
        self.frame_samples() * u32::from(self.frames)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frame_sizes_of_table_2() {
        let sizes = [480, 960, 1920, 2880].repeat(3);
        let sizes = [sizes, [480, 960].repeat(2), [120, 240, 480, 960].repeat(4)].concat();
        for (config, samples) in sizes.into_iter().enumerate() {
            let toc = Toc::parse(&[(config as u8) << 3]).unwrap();
            assert_eq!(toc.samples(), samples, "config {config}");
        }
    }

    #[test]
    fn frame_counts() {
        // 20 ms of CELT fullband stereo, as WebRTC sends it.
        assert_eq!(Toc::parse(&[0xfc]), Ok(Toc { config: 31, stereo: true, frames: 1 }));
        assert_eq!(Toc::parse(&[0xf9]).map(|toc| toc.samples()), Ok(1920));
        assert_eq!(Toc::parse(&[0xfb, 6]).map(|toc| toc.samples()), Ok(5760));
        assert_eq!(Toc::parse(&[0xfb, 7]), Err(PayloadError::Length));
        assert_eq!(Toc::parse(&[0xfb, 0xc0]), Err(PayloadError::Length));
        assert_eq!(Toc::parse(&[0xfb]), Err(PayloadError::Truncated));
        assert_eq!(Toc::parse(&[]), Err(PayloadError::Truncated));
    }
}
