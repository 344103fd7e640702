//! VP8 (RFC 7741): the payload descriptor and the first byte of the payload header.

use super::{ByteAt, PayloadError, PictureId, Starts};

/// The temporal layer of a frame (present with the T bit).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TemporalLayer {
    /// 0 to 3
    pub id: u8,
    /// The frame depends only on layer 0: one can switch up to this layer here.
    pub sync: bool,
}

/// A parsed payload descriptor (RFC 7741 section 4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// Bytes of the descriptor; the VP8 payload begins there. At most 6.
    pub len: u8,
    /// N: no other frame refers to this one.
    pub non_reference: bool,
    /// S: the packet begins a partition.
    pub start_of_partition: bool,
    /// PID: which partition, 0 to 7.
    pub partition: u8,
    /// I
    pub picture_id: Option<PictureId>,
    /// L: TL0PICIDX, which counts the frames of the base layer.
    pub tl0_picture_index: Option<ByteAt>,
    /// T
    pub temporal_layer: Option<TemporalLayer>,
    /// K: which key frame the frame builds on, 0 to 31.
    pub key_index: Option<u8>,
    /// The byte of TID, Y and KEYIDX, when there is one.
    pub layer_offset: Option<u8>,
}

impl Descriptor {
    /// Reads the descriptor at the front of a payload.
    ///
    /// # Errors
    /// [`PayloadError::Truncated`].
    #[inline]
    pub fn parse(payload: &[u8]) -> Result<Self, PayloadError> {
        let first = *payload.first().ok_or(PayloadError::Truncated)?;
        let mut descriptor = Descriptor {
            len: 1,
            non_reference: first & 0x20 != 0,
            start_of_partition: first & 0x10 != 0,
            partition: first & 0x07,
            picture_id: None,
            tl0_picture_index: None,
            temporal_layer: None,
            key_index: None,
            layer_offset: None,
        };
        if first & 0x80 != 0 {
            descriptor.extend(payload).ok_or(PayloadError::Truncated)?;
        }
        Ok(descriptor)
    }

    /// The fields of the extension byte (X bit), one after the other.
    fn extend(&mut self, payload: &[u8]) -> Option<()> {
        let flags = *payload.get(1)?;
        let mut at = 2;
        if flags & 0x80 != 0 {
            let picture_id = PictureId::read(payload, at)?;
            at += picture_id.encoded_len();
            self.picture_id = Some(picture_id);
        }
        if flags & 0x40 != 0 {
            self.tl0_picture_index = Some(ByteAt { value: *payload.get(at)?, offset: at as u8 });
            at += 1;
        }
        if flags & 0x30 != 0 {
            let layer = *payload.get(at)?;
            self.layer_offset = Some(at as u8);
            self.temporal_layer =
                (flags & 0x20 != 0).then_some(TemporalLayer { id: layer >> 6, sync: layer & 0x20 != 0 });
            self.key_index = (flags & 0x10 != 0).then_some(layer & 0x1f);
            at += 1;
        }
        self.len = at as u8;
        Some(())
    }
}

/// What begins in a packet with this payload.
///
/// # Errors
/// [`PayloadError::Truncated`] when it ends before its first byte of VP8.
#[inline]
pub fn starts(payload: &[u8]) -> Result<Starts, PayloadError> {
    let descriptor = Descriptor::parse(payload)?;
    let header = *payload.get(usize::from(descriptor.len)).ok_or(PayloadError::Truncated)?;
    // Section 4.3: the payload header is "present only in packets that have the S bit equal to one and the
    // PID equal to zero"; P, its lowest bit, is 0 in key frames.
    let frame = descriptor.start_of_partition && descriptor.partition == 0;
    Ok(Starts { frame, key_frame: frame && header & 1 == 0 })
}

/// Width and height in pixels from the first packet of a key frame (RFC 6386 section 9.1); `None` from
/// others.
pub fn key_frame_size(payload: &[u8]) -> Option<(u16, u16)> {
    if !starts(payload).ok()?.key_frame {
        return None;
    }
    let frame = payload.get(usize::from(Descriptor::parse(payload).ok()?.len)..)?;
    let [_, _, _, 0x9d, 0x01, 0x2a, width_low, width_high, height_low, height_high, ..] = *frame else {
        return None;
    };
    // The two bits above the 14 of each are scaling hints.
    let width = u16::from_le_bytes([width_low, width_high]) & 0x3fff;
    let height = u16::from_le_bytes([height_low, height_high]) & 0x3fff;
    Some((width, height))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_fields() {
        // X S, I L T K, a 15-bit picture identifier, TL0PICIDX, TID 2 with Y and KEYIDX 5, a key frame.
        let payload = [0x90, 0xf0, 0x92, 0x34, 0x77, 0xa5, 0x00];
        let descriptor = Descriptor::parse(&payload).unwrap();
        assert_eq!(descriptor.len, 6);
        assert_eq!(descriptor.picture_id, Some(PictureId { value: 0x1234, wide: true, offset: 2 }));
        assert_eq!(descriptor.tl0_picture_index, Some(ByteAt { value: 0x77, offset: 4 }));
        assert_eq!(descriptor.temporal_layer, Some(TemporalLayer { id: 2, sync: true }));
        assert_eq!(descriptor.key_index, Some(5));
        assert_eq!(descriptor.layer_offset, Some(5));
        assert_eq!(starts(&payload), Ok(Starts { frame: true, key_frame: true }));
        for end in 0..payload.len() {
            assert_eq!(starts(&payload[..end]), Err(PayloadError::Truncated), "{end}");
        }
    }

    #[test]
    fn the_examples_of_rfc_7741() {
        // Section 4.6.1: a key frame in a single packet, with a 7-bit picture identifier of 17.
        let key = [0x90, 0x80, 0x11, 0x00];
        assert_eq!(starts(&key), Ok(Starts { frame: true, key_frame: true }));
        let id = Descriptor::parse(&key).unwrap().picture_id;
        assert_eq!(id, Some(PictureId { value: 17, wide: false, offset: 2 }));
        // Section 4.6.2: a discardable inter frame.
        let inter = [0xb0, 0x80, 0x11, 0x01];
        assert_eq!(starts(&inter), Ok(Starts { frame: true, key_frame: false }));
        assert!(Descriptor::parse(&inter).unwrap().non_reference);
    }

    #[test]
    fn only_the_first_partition_begins_a_frame() {
        assert_eq!(starts(&[0x00, 0x00]), Ok(Starts::default()));
        assert_eq!(starts(&[0x11, 0x00]), Ok(Starts::default()));
        assert_eq!(starts(&[0x10, 0x01]), Ok(Starts { frame: true, key_frame: false }));
    }

    #[test]
    fn picture_identifiers_are_rewritten_in_their_width() {
        let mut wide = [0x90, 0x80, 0x92, 0x34, 0x00];
        Descriptor::parse(&wide).unwrap().picture_id.unwrap().rewrite(&mut wide, 0xffff);
        assert_eq!(Descriptor::parse(&wide).unwrap().picture_id.unwrap().value, 0x7fff);
        let mut narrow = [0x90, 0x80, 0x11, 0x00];
        let id = Descriptor::parse(&narrow).unwrap().picture_id.unwrap();
        id.rewrite(&mut narrow, 0x1ff);
        assert_eq!(narrow, [0x90, 0x80, 0x7f, 0x00]);
        id.rewrite(&mut narrow[..2], 1);
    }

    #[test]
    fn size_of_a_key_frame() {
        let key = [0x10, 0x50, 0x01, 0x00, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0xe0, 0x01];
        assert_eq!(key_frame_size(&key), Some((640, 480)));
        assert_eq!(key_frame_size(&key[..10]), None);
        assert_eq!(key_frame_size(&[0x10, 0x51, 0x01, 0x00, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0xe0, 0x01]), None);
    }
}
