//! RTCP (RFC 3550 section 6, RFC 4585): compound packets taken apart with every length checked, and put
//! together into a `&mut [u8]`.
//!
//! A [`Compound`] is validated as a whole; each [`Packet`] in it can then be read as a typed [`Message`]. A
//! packet that breaks the rules of its own type spoils only itself.

mod compound;
mod feedback;
mod report;
mod sdes;
mod transport;

pub mod write;

pub use compound::{Compound, Packet, Packets};
pub use feedback::{Fir, FirEntry, Nack, Pli, Remb};
pub use report::{ReceiverReport, ReportBlock, SenderInfo, SenderReport};
pub use sdes::{Bye, Chunk, Sdes, SdesItem};
pub use transport::{Arrival, Arrivals, TICK_NANOS, TransportFeedback};

use thiserror::Error;

/// The header that every RTCP packet begins with.
pub const HEADER_LEN: usize = 4;
/// Blocks, chunks or sources that one packet can count: five bits.
pub const MAX_COUNT: usize = 31;

/// Packet types (RFC 3550 section 12.1, RFC 4585 section 6.1, RFC 3611).
pub mod packet_type {
    /// Sender report
    pub const SENDER_REPORT: u8 = 200;
    /// Receiver report
    pub const RECEIVER_REPORT: u8 = 201;
    /// Source description
    pub const SDES: u8 = 202;
    /// Goodbye
    pub const BYE: u8 = 203;
    /// Application-defined
    pub const APP: u8 = 204;
    /// Transport layer feedback
    pub const TRANSPORT_FEEDBACK: u8 = 205;
    /// Payload-specific feedback
    pub const PAYLOAD_FEEDBACK: u8 = 206;
    /// Extended report
    pub const EXTENDED_REPORT: u8 = 207;
}

/// Message types of feedback packets, in the place of a count.
pub mod feedback_format {
    /// Generic NACK (RFC 4585 section 6.2.1), transport layer
    pub const NACK: u8 = 1;
    /// Transport-wide congestion control, transport layer
    pub const TRANSPORT_WIDE: u8 = 15;
    /// Picture loss indication (RFC 4585 section 6.3.1), payload-specific
    pub const PLI: u8 = 1;
    /// Full intra request (RFC 5104 section 4.3.1), payload-specific
    pub const FIR: u8 = 4;
    /// Application layer feedback (RFC 4585 section 6.4), payload-specific: REMB is one
    pub const APPLICATION: u8 = 15;
}

/// Why a compound packet, or one packet in it, is refused. The peer is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum RtcpError {
    /// Nothing at all.
    #[error("empty")]
    Empty,
    /// The version of a packet is not 2.
    #[error("version is not 2")]
    Version,
    /// A packet is longer than what is left of the datagram, or the datagram ends within a header.
    #[error("packet runs past the end")]
    Length,
    /// Padding in a packet that is not the last, or a count that is zero or larger than the packet.
    #[error("bad padding")]
    Padding,
    /// The packet is shorter than its fixed fields, or than what it counts.
    #[error("packet shorter than its contents")]
    Truncated,
    /// Text, an item or a list that does not fit where it stands.
    #[error("malformed contents")]
    Malformed,
}

/// A packet of a compound, read by its type.
#[derive(Clone, Copy, Debug)]
pub enum Message<'a> {
    /// RFC 3550 section 6.4.1
    SenderReport(SenderReport<'a>),
    /// RFC 3550 section 6.4.2
    ReceiverReport(ReceiverReport<'a>),
    /// RFC 3550 section 6.5
    Sdes(Sdes<'a>),
    /// RFC 3550 section 6.6
    Bye(Bye<'a>),
    /// RFC 4585 section 6.2.1
    Nack(Nack<'a>),
    /// RFC 4585 section 6.3.1
    Pli(Pli),
    /// RFC 5104 section 4.3.1
    Fir(Fir<'a>),
    /// Receiver estimated maximum bit rate
    Remb(Remb<'a>),
    /// Transport-wide congestion control
    TransportFeedback(TransportFeedback<'a>),
    /// A type that we do not read. RFC 3550 section 6.1: unknown packets are ignored, not refused.
    Other,
}

impl<'a> Packet<'a> {
    /// Reads the packet by its type.
    ///
    /// # Errors
    /// [`RtcpError::Truncated`] or [`RtcpError::Malformed`].
    #[inline]
    pub fn message(&self) -> Result<Message<'a>, RtcpError> {
        use feedback_format as fmt;
        use packet_type as pt;
        Ok(match (self.packet_type(), self.count()) {
            (pt::SENDER_REPORT, _) => Message::SenderReport(SenderReport::parse(self)?),
            (pt::RECEIVER_REPORT, _) => Message::ReceiverReport(ReceiverReport::parse(self)?),
            (pt::SDES, _) => Message::Sdes(Sdes::parse(self)?),
            (pt::BYE, _) => Message::Bye(Bye::parse(self)?),
            (pt::TRANSPORT_FEEDBACK, fmt::NACK) => Message::Nack(Nack::parse(self)?),
            (pt::TRANSPORT_FEEDBACK, fmt::TRANSPORT_WIDE) => {
                Message::TransportFeedback(TransportFeedback::parse(self)?)
            }
            (pt::PAYLOAD_FEEDBACK, fmt::PLI) => Message::Pli(Pli::parse(self)?),
            (pt::PAYLOAD_FEEDBACK, fmt::FIR) => Message::Fir(Fir::parse(self)?),
            (pt::PAYLOAD_FEEDBACK, fmt::APPLICATION) if Remb::is_remb(self) => {
                Message::Remb(Remb::parse(self)?)
            }
            _ => Message::Other,
        })
    }
}
