//! The dependency descriptor (AV1 RTP payload specification, appendix A): which frame a packet belongs to and
//! what that frame needs, readable without the payload.

use crate::bytes::{be16, three};

/// The mandatory fields, and the flags that follow them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Descriptor<'a> {
    /// First packet of its frame.
    pub start_of_frame: bool,
    /// Last packet of its frame.
    pub end_of_frame: bool,
    /// Which template of the structure describes the frame, 0 to 63.
    pub template_id: u8,
    /// The frame's number; wraps.
    pub frame_number: u16,
    /// The extended fields, when the descriptor is longer than its mandatory three bytes.
    pub extended: Option<Extended<'a>>,
}

/// Flags of a descriptor longer than three bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extended<'a> {
    /// A template dependency structure follows: the frame begins a new coded video sequence, so it is a key
    /// frame.
    pub structure_present: bool,
    /// A bit mask of the decode targets in use follows.
    pub active_decode_targets_present: bool,
    /// Decode target indications of the frame replace the template's.
    pub custom_dtis: bool,
    /// Frame differences replace the template's.
    pub custom_fdiffs: bool,
    /// Chain information replaces the template's.
    pub custom_chains: bool,
    /// The whole element, for what is read bit by bit.
    data: &'a [u8],
}

/// start, end, template, frame number
const MANDATORY_LEN: usize = 3;

impl<'a> Descriptor<'a> {
    /// `None` when the element is shorter than its mandatory fields.
    #[inline]
    pub fn read(data: &'a [u8]) -> Option<Self> {
        let first = *data.first()?;
        let frame_number = be16(data, 1)?;
        Some(Descriptor {
            start_of_frame: first & 0x80 != 0,
            end_of_frame: first & 0x40 != 0,
            template_id: first & 0x3f,
            frame_number,
            extended: data.get(MANDATORY_LEN).map(|flags| Extended {
                structure_present: flags & 0x80 != 0,
                active_decode_targets_present: flags & 0x40 != 0,
                custom_dtis: flags & 0x20 != 0,
                custom_fdiffs: flags & 0x10 != 0,
                custom_chains: flags & 0x08 != 0,
                data,
            }),
        })
    }

    /// The packet begins a coded video sequence: decoding can start here.
    #[inline]
    pub fn key_frame_start(&self) -> bool {
        self.start_of_frame && self.extended.is_some_and(|extended| extended.structure_present)
    }

    /// A descriptor of mandatory fields alone, from these; `extended` is not written.
    #[inline]
    pub fn write_mandatory(&self) -> [u8; MANDATORY_LEN] {
        let first = u32::from(self.start_of_frame) << 7
            | u32::from(self.end_of_frame) << 6
            | u32::from(self.template_id & 0x3f);
        three(first << 16 | u32::from(self.frame_number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mandatory_fields() {
        let descriptor = Descriptor::read(&[0xc5, 0x12, 0x34]).unwrap();
        assert!(descriptor.start_of_frame && descriptor.end_of_frame);
        assert_eq!((descriptor.template_id, descriptor.frame_number), (5, 0x1234));
        assert_eq!(descriptor.extended, None);
        assert!(!descriptor.key_frame_start());
        assert_eq!(descriptor.write_mandatory(), [0xc5, 0x12, 0x34]);
        assert_eq!(Descriptor::read(&[0xc5, 0x12]), None);
        assert_eq!(Descriptor::read(&[]), None);
    }

    #[test]
    fn a_structure_means_a_key_frame() {
        assert!(Descriptor::read(&[0x80, 0, 1, 0x80]).unwrap().key_frame_start());
        assert!(!Descriptor::read(&[0x00, 0, 1, 0x80]).unwrap().key_frame_start());
        assert!(!Descriptor::read(&[0x80, 0, 1, 0x78]).unwrap().key_frame_start());
    }
}
