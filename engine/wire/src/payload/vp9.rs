//! VP9 (RFC 9628 section 4.2): the payload descriptor, scalability structure included.

use super::{ByteAt, PayloadError, PictureId, Starts};

/// RFC 9628 section 4.2: a picture in flexible mode names "up to 3" references.
const MAX_REFERENCES: usize = 3;

/// The layer of a frame (present with the L bit).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layer {
    /// TID, 0 to 7
    pub temporal: u8,
    /// U: one can switch up to this temporal layer here.
    pub switching_up: bool,
    /// SID, 0 to 7
    pub spatial: u8,
    /// D: the frame depends on the spatial layer below it in the same picture.
    pub inter_layer: bool,
}

/// A parsed payload descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// Bytes of the descriptor; the VP9 frame's bytes begin there.
    pub len: u16,
    /// I
    pub picture_id: Option<PictureId>,
    /// P: the frame needs earlier pictures.
    pub inter_picture: bool,
    /// L
    pub layer: Option<Layer>,
    /// F: flexible mode.
    pub flexible: bool,
    /// B: the packet begins a layer's frame.
    pub start_of_frame: bool,
    /// E: the packet ends a layer's frame.
    pub end_of_frame: bool,
    /// Z: no higher spatial layer uses this frame.
    pub not_referenced_above: bool,
    /// TL0PICIDX, in non-flexible mode with layers.
    pub tl0_picture_index: Option<ByteAt>,
    /// V: spatial layers that the structure announces, 1 to 8.
    pub structure_spatial_layers: Option<u8>,
}

impl Descriptor {
    /// Reads the descriptor at the front of a payload.
    ///
    /// # Errors
    /// [`PayloadError::Truncated`], or [`PayloadError::Unsupported`] beyond three references.
    #[inline]
    pub fn parse(payload: &[u8]) -> Result<Self, PayloadError> {
        let first = *payload.first().ok_or(PayloadError::Truncated)?;
        let has = |bit: u8| first & bit != 0;
        let mut at = 1;
        let mut descriptor = Descriptor {
            len: 0,
            picture_id: None,
            inter_picture: has(0x40),
            layer: None,
            flexible: has(0x10),
            start_of_frame: has(0x08),
            end_of_frame: has(0x04),
            not_referenced_above: has(0x01),
            tl0_picture_index: None,
            structure_spatial_layers: None,
        };
        if has(0x80) {
            let picture_id = PictureId::read(payload, at).ok_or(PayloadError::Truncated)?;
            at += picture_id.encoded_len();
            descriptor.picture_id = Some(picture_id);
        }
        if has(0x20) {
            at = descriptor.read_layer(payload, at).ok_or(PayloadError::Truncated)?;
        }
        if descriptor.flexible && descriptor.inter_picture {
            at = behind_references(payload, at)?;
        }
        if has(0x02) {
            at = descriptor.read_structure(payload, at).ok_or(PayloadError::Truncated)?;
        }
        // At most 4 + 3 bytes and a structure of 1 + 32 + 1 + 255 * 4.
        descriptor.len = at as u16;
        Ok(descriptor)
    }

    fn read_layer(&mut self, payload: &[u8], at: usize) -> Option<usize> {
        let byte = *payload.get(at)?;
        self.layer = Some(Layer {
            temporal: byte >> 5,
            switching_up: byte & 0x10 != 0,
            spatial: byte >> 1 & 7,
            inter_layer: byte & 1 != 0,
        });
        if self.flexible {
            return Some(at + 1);
        }
        self.tl0_picture_index = Some(ByteAt { value: *payload.get(at + 1)?, offset: (at + 1) as u8 });
        Some(at + 2)
    }

    /// The scalability structure: sizes of spatial layers (Y) and a group of pictures (G).
    fn read_structure(&mut self, payload: &[u8], mut at: usize) -> Option<usize> {
        let header = *payload.get(at)?;
        let spatial_layers = (header >> 5) + 1;
        self.structure_spatial_layers = Some(spatial_layers);
        at += 1;
        if header & 0x10 != 0 {
            at += usize::from(spatial_layers) * 4;
        }
        if header & 0x08 != 0 {
            let pictures = *payload.get(at)?;
            at += 1;
            for _ in 0..pictures {
                let references = *payload.get(at)? >> 2 & 3;
                at += 1 + usize::from(references);
            }
        }
        (at <= payload.len()).then_some(at)
    }
}

/// P_DIFF bytes, whose lowest bit says that another follows.
fn behind_references(payload: &[u8], at: usize) -> Result<usize, PayloadError> {
    for reference in 0..MAX_REFERENCES {
        let byte = *payload.get(at + reference).ok_or(PayloadError::Truncated)?;
        if byte & 1 == 0 {
            return Ok(at + reference + 1);
        }
    }
    Err(PayloadError::Unsupported)
}

/// What begins in a packet with this payload. A key frame begins at the lowest spatial layer; a frame is that
/// of any layer.
///
/// # Errors
/// Those of [`Descriptor::parse`], and [`PayloadError::Truncated`] when nothing follows the descriptor.
#[inline]
pub fn starts(payload: &[u8]) -> Result<Starts, PayloadError> {
    let descriptor = Descriptor::parse(payload)?;
    if usize::from(descriptor.len) >= payload.len() {
        return Err(PayloadError::Truncated);
    }
    let lowest = descriptor.layer.is_none_or(|layer| layer.spatial == 0 && !layer.inter_layer);
    let frame = descriptor.start_of_frame;
    Ok(Starts { frame, key_frame: frame && !descriptor.inter_picture && lowest })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn non_flexible_with_layers_and_structure() {
        // I L B V; 15-bit picture identifier; TID 1, U, SID 0; TL0PICIDX; two layers with sizes and a group
        // of two.
        let payload = [
            0xaa, 0x81, 0x02, 0x30, 0x09, // descriptor
            0x38, 1, 0x40, 0, 0xf0, 2, 0x80, 1, 0xe0, // Y: 320x240, 640x480
            2, 0x04, 1, 0x08, 1, 2, // G: one picture with one reference, one with two
            0x82,
        ];
        let descriptor = Descriptor::parse(&payload).unwrap();
        assert_eq!(usize::from(descriptor.len), payload.len() - 1);
        assert_eq!(descriptor.picture_id, Some(PictureId { value: 0x102, wide: true, offset: 1 }));
        let layer = Layer { temporal: 1, switching_up: true, spatial: 0, inter_layer: false };
        assert_eq!(descriptor.layer, Some(layer));
        assert_eq!(descriptor.tl0_picture_index, Some(ByteAt { value: 9, offset: 4 }));
        assert_eq!(descriptor.structure_spatial_layers, Some(2));
        assert_eq!(starts(&payload), Ok(Starts { frame: true, key_frame: true }));
        for end in 0..payload.len() {
            assert_eq!(starts(&payload[..end]), Err(PayloadError::Truncated), "{end}");
        }
    }

    #[test]
    fn flexible_with_references() {
        // I P L F B; 7-bit picture identifier; SID 1; two references.
        let payload = [0xf8, 0x11, 0x02, 0x03, 0x04, 0x00];
        let descriptor = Descriptor::parse(&payload).unwrap();
        assert_eq!(descriptor.len, 5);
        assert_eq!(descriptor.tl0_picture_index, None);
        assert_eq!(starts(&payload), Ok(Starts { frame: true, key_frame: false }));
        let endless = [0xf8, 0x11, 0x02, 0x03, 0x03, 0x03, 0x03, 0x00];
        assert_eq!(starts(&endless), Err(PayloadError::Unsupported));
    }

    #[test]
    fn a_higher_layer_of_a_key_picture_is_not_where_decoding_starts() {
        assert_eq!(starts(&[0x28, 0x03, 0x00, 0x00]), Ok(Starts { frame: true, key_frame: false }));
        assert_eq!(starts(&[0x08, 0x00]), Ok(Starts { frame: true, key_frame: true }));
        assert_eq!(starts(&[0x00, 0x00]), Ok(Starts::default()));
    }
}
