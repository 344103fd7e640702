//! How a leg's media is protected, each direction by itself.

use kaname_srtp::{Inbound, Outbound};

use super::Print;

/// What the peer sends.
#[allow(clippy::large_enum_variant, reason = "nearly all are sessions, which every packet reads in place")]
pub(crate) enum Receiving {
    /// Nothing is taken ahead of keys, or of the word that there are none.
    Closed,
    /// In the clear (RTP/AVP).
    Plain,
    /// SRTP.
    Secure(Inbound),
}

impl Receiving {
    pub(crate) fn is_closed(&self) -> bool {
        matches!(self, Receiving::Closed)
    }

    pub(crate) fn is_plain(&self) -> bool {
        matches!(self, Receiving::Plain)
    }

    pub(crate) fn session(&self) -> Option<&Inbound> {
        match self {
            Receiving::Secure(inbound) => Some(inbound),
            _ => None,
        }
    }
}

/// What we send.
#[allow(clippy::large_enum_variant, reason = "nearly all are sessions, which every packet reads in place")]
pub(crate) enum Sending {
    /// Nothing yet.
    Closed,
    /// In the clear (RTP/AVP).
    Plain,
    /// SRTP.
    Secure(Outbound),
}

impl Sending {
    pub(crate) fn is_closed(&self) -> bool {
        matches!(self, Sending::Closed)
    }

    pub(crate) fn session(&self) -> Option<&Outbound> {
        match self {
            Sending::Secure(outbound) => Some(outbound),
            _ => None,
        }
    }

    pub(crate) fn session_mut(&mut self) -> Option<&mut Outbound> {
        match self {
            Sending::Secure(outbound) => Some(outbound),
            _ => None,
        }
    }
}

/// Keys of RTCP on a port of its own, after a handshake of its own (RFC 5764 section 4.1).
pub(crate) struct RtcpKeys {
    pub(crate) inbound: Receiving,
    pub(crate) outbound: Sending,
    /// Of the keyings in use, and of every outbound one there was.
    pub(crate) inbound_print: Option<Print>,
    pub(crate) outbound_print: Option<Print>,
    pub(crate) outbound_prints: Vec<u64>,
}

impl Default for RtcpKeys {
    /// Nothing is read or sent ahead of them.
    fn default() -> RtcpKeys {
        RtcpKeys {
            inbound: Receiving::Closed,
            outbound: Sending::Closed,
            inbound_print: None,
            outbound_print: None,
            outbound_prints: Vec::new(),
        }
    }
}
