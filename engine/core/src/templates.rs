//! Headers that copies of one packet share: all but the numbers.

use kaname_wire::extension::Text;

use crate::counters::DropReason;
use crate::extensions::Shape;
use crate::limits::{HEADER_LEN, TEMPLATES};
use crate::stage::rewrite::Numbers;

/// What is copied at once: a fixed header and what browsers' extensions need. A constant length needs no loop.
const USUAL: usize = 64;

const _: () = assert!(USUAL <= HEADER_LEN && TEMPLATES.is_power_of_two());

/// The header of one packet for legs with the same extension identifiers and senders with the same mid.
pub(crate) struct Template {
    slot: Option<u32>,
    shape: Shape,
    mid: Option<Text>,
    len: usize,
    bytes: [u8; HEADER_LEN],
}

/// Those of the run that is fanned out.
pub(crate) struct Templates(Vec<Template>);

impl Templates {
    pub(crate) fn new() -> Templates {
        let empty = || Template { slot: None, shape: 0, mid: None, len: 0, bytes: [0; HEADER_LEN] };
        Templates(std::iter::repeat_with(empty).take(TEMPLATES).collect())
    }

    /// Another run begins, perhaps in the same slots.
    pub(crate) fn forget(&mut self) {
        self.0.iter_mut().for_each(|template| template.slot = None);
    }

    /// The template for the packet in this slot; not filled if it was another's.
    pub(crate) fn of(&mut self, slot: u32, shape: Shape, mid: &Option<Text>) -> &mut Template {
        let template = &mut self.0[slot as usize % TEMPLATES];
        if template.slot != Some(slot) || template.shape != shape || template.mid != *mid {
            (template.slot, template.shape, template.mid) = (Some(slot), shape, *mid);
            template.len = 0;
        }
        template
    }
}

impl Template {
    /// The header's length in bytes, if there is one.
    pub(crate) fn filled(&self) -> Option<usize> {
        (self.len > 0).then_some(self.len)
    }

    /// Takes the header that `write` writes.
    pub(crate) fn fill(
        &mut self,
        write: impl FnOnce(&mut [u8]) -> Result<usize, DropReason>,
    ) -> Result<usize, DropReason> {
        self.len = write(&mut self.bytes)?;
        Ok(self.len)
    }

    /// Writes the header with these numbers (RFC 3550 section 5.1).
    pub(crate) fn write(&self, numbers: Numbers, out: &mut [u8; HEADER_LEN]) {
        out[..USUAL].copy_from_slice(&self.bytes[..USUAL]);
        if self.len > USUAL {
            out[USUAL..self.len].copy_from_slice(&self.bytes[USUAL..self.len]);
        }
        out[1] = out[1] & 0x80 | numbers.payload_type;
        out[2..4].copy_from_slice(&numbers.sequence.to_be_bytes());
        out[4..8].copy_from_slice(&numbers.timestamp.to_be_bytes());
        out[8..12].copy_from_slice(&numbers.ssrc.to_be_bytes());
    }
}
