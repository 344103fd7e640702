//! How a leg's media is protected, each direction by itself.

use kaname_srtp::{Inbound, Outbound};

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
