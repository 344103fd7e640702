//! The packets of one call, as a structure of arrays: stages pass lists of indices, not packets.

use arrayvec::ArrayVec;
use kaname_srtp::{Authentic, RtpTicket};

use crate::arena::{Buffer, buffer};
use crate::leg::Owner;
use crate::limits::{BATCH, FAN_OUT, HEADER_LEN, REPAIR_BATCH, SLOT_LEN};
use crate::templates::Templates;

/// Indices of packets that are still on their way, in order of arrival.
pub(crate) type List = ArrayVec<u16, BATCH>;

/// What the stages know of the packets that came in.
pub(crate) struct Incoming {
    pub(crate) media: List,
    pub(crate) rtcp: List,
    pub(crate) stun: List,
    pub(crate) dtls: List,
    /// For legs that carry no RTP.
    pub(crate) bridged: List,
    /// From lookup on: the leg it came from, and whose SSRC it claims.
    pub(crate) leg: [u32; BATCH],
    pub(crate) owner: [Owner; BATCH],
    /// From admit to unprotect.
    pub(crate) ticket: [Option<RtpTicket>; BATCH],
    /// Within unprotect; then the plaintext is in `staging`, until inspect.
    pub(crate) authentic: [Option<Authentic>; BATCH],
    pub(crate) staging: Vec<Buffer>,
    pub(crate) plain_len: [u16; BATCH],
    /// From inspect to route: the slot that holds the packet.
    pub(crate) slot: [u32; BATCH],
}

impl Incoming {
    pub(crate) fn new() -> Box<Incoming> {
        Box::new(Incoming {
            media: List::new(),
            rtcp: List::new(),
            stun: List::new(),
            dtls: List::new(),
            bridged: List::new(),
            leg: [0; BATCH],
            owner: [Owner { index: 0, repair: false }; BATCH],
            ticket: [const { None }; BATCH],
            authentic: [const { None }; BATCH],
            staging: std::iter::repeat_with(buffer).take(BATCH).collect(),
            plain_len: [0; BATCH],
            slot: [0; BATCH],
        })
    }
}

/// Where the payload of an outgoing packet lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Payload {
    /// In the arena: shared plaintext.
    Shared,
    /// In a scratch buffer, with this length: a repair.
    Scratch { at: u16, len: u16 },
}

/// One copy of a packet for one destination; holds its slot.
#[derive(Debug)]
pub(crate) struct Outgoing {
    /// Index of the sender, and of its leg.
    pub(crate) sender: u32,
    pub(crate) leg: u32,
    pub(crate) slot: u32,
    pub(crate) ssrc: u32,
    pub(crate) sequence: u16,
    pub(crate) header_len: u16,
    pub(crate) payload: Payload,
    /// Taken, and waiting for a transmit slot.
    pub(crate) index: Option<kaname_srtp::SendIndex>,
}

/// A header that was written for a copy.
pub(crate) type Header = [u8; HEADER_LEN];
/// The payload of a repair.
pub(crate) type Scratch = [u8; SLOT_LEN + 2];

/// Copies that were rewritten and are to be protected, with their headers.
pub(crate) struct Departing {
    pub(crate) packets: ArrayVec<Outgoing, FAN_OUT>,
    pub(crate) headers: Vec<Header>,
    pub(crate) templates: Templates,
    pub(crate) scratch: Vec<Scratch>,
    pub(crate) scratch_used: usize,
    /// Those ahead of it have left.
    pub(crate) done: usize,
}

impl Departing {
    pub(crate) fn new() -> Departing {
        Departing {
            packets: ArrayVec::new(),
            headers: vec![[0; HEADER_LEN]; FAN_OUT],
            templates: Templates::new(),
            scratch: vec![[0; SLOT_LEN + 2]; REPAIR_BATCH],
            scratch_used: 0,
            done: 0,
        }
    }

    /// Ready for the next copies.
    pub(crate) fn clear(&mut self) {
        self.packets.clear();
        self.scratch_used = 0;
        self.done = 0;
    }

    /// Nothing more goes to a sender that is gone.
    pub(crate) fn sender_left(&mut self, sender: u32) {
        for packet in &mut self.packets[self.done..] {
            if packet.sender == sender {
                packet.sender = GONE;
            }
        }
    }

    /// Indices that were taken under the old keys are void.
    pub(crate) fn rekeyed(&mut self, leg: u32) {
        for packet in &mut self.packets[self.done..] {
            if packet.leg == leg {
                packet.index = None;
            }
        }
    }
}

/// No sender has this index.
const GONE: u32 = u32::MAX;
