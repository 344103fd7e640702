//! What waits to be drained besides media: STUN answers, DTLS records and RTCP.

use std::collections::VecDeque;

use kaname_wire::path::Path;

use crate::limits;

/// How a message leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// As it is, on this path.
    Plain(Path),
    /// As the leg's RTCP is protected, where the leg sends to at that time.
    Rtcp,
}

/// One message; its bytes lie in the outbox.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message {
    /// Index of the leg.
    pub(crate) leg: u32,
    pub(crate) way: Way,
    start: usize,
    len: usize,
}

/// Messages in order. Their bytes share one buffer, which is used again once all have left.
#[derive(Default)]
pub(crate) struct Outbox {
    messages: VecDeque<Message>,
    bytes: Vec<u8>,
}

impl Outbox {
    /// False: full.
    pub(crate) fn push(&mut self, leg: u32, way: Way, bytes: &[u8]) -> bool {
        if self.bytes.len() + bytes.len() > limits::OUTBOX_BYTES {
            return false;
        }
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        self.messages.push_back(Message { leg, way, start, len: bytes.len() });
        true
    }

    pub(crate) fn front(&self) -> Option<(Message, &[u8])> {
        let message = *self.messages.front()?;
        Some((message, &self.bytes[message.start..message.start + message.len]))
    }

    pub(crate) fn pop(&mut self) {
        self.messages.pop_front();
        if self.messages.is_empty() {
            self.bytes.clear();
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// The leg is gone, and with it the keys for what waited for it. What is ready as it is leaves all the same.
    pub(crate) fn forget(&mut self, leg: u32) {
        self.messages.retain(|message| message.leg != leg || message.way != Way::Rtcp);
        if self.messages.is_empty() {
            self.bytes.clear();
        }
    }
}
