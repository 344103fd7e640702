//! Why a request about calls is refused.

use std::net::IpAddr;

use crate::ng::flags::FlagError;
use crate::ng::sdp::SdpError;
use crate::ng::sdp::security::SecurityRefused;

/// What is wrong, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum CallError {
    #[error(transparent)]
    Flags(#[from] FlagError),
    #[error(transparent)]
    Sdp(#[from] SdpError),
    #[error("m-line {0}: {1}")]
    Security(usize, SecurityRefused),
    #[error(
        "m-line {0}: the answer takes none of the keys that were offered; offer other suites with SDES flags, or none with RTP/AVP"
    )]
    NoKeys(usize),
    #[error("m-line {0}: offer and answer leave no side to begin the DTLS handshake (a=setup)")]
    NoRole(usize),
    #[error("unknown call-id; an offer begins a call")]
    UnknownCall,
    #[error("the call has no such tag; name one of its from-tag and to-tag")]
    UnknownTag,
    #[error("nobody offered anything to this to-tag; send the offer before its answer")]
    NoOffer,
    #[error("the answer has {answered} m-lines and the offer has {offered}; RFC 3264 wants as many")]
    Lines { answered: usize, offered: usize },
    #[error("{what} has more than {limit} bytes")]
    TooLong { what: &'static str, limit: usize },
    #[error("the call has as many sides as it may have; delete branches that failed")]
    TooManyParties,
    #[error("no interface is called {0}; calls.interfaces names them")]
    UnknownInterface(String),
    #[error("the interface {0} has no address of that family; add one to calls.interfaces")]
    NoFamily(String),
    #[error("no media port is free on {0}; widen calls.port_min and calls.port_max")]
    NoPorts(IpAddr),
    #[error("a media port could not be opened: {0}")]
    Port(String),
    #[error("{0}")]
    LoadLimit(&'static str),
    #[error("rooms are not to be had through this door; offer without the key `room`")]
    NoRooms,
    #[error("the room can join no m-line: offer audio as opus, G722, PCMA or PCMU over RTP")]
    NoSound,
    #[error("{command} is not done by this node; {instead}")]
    NotDone { command: &'static str, instead: &'static str },
    #[error("the answer leaves out codecs that were offered; say allow-transcoding if that is meant")]
    NotAllTaken,
    #[error("{0}")]
    Play(String),
}

impl CallError {
    /// A word for the metrics.
    pub(super) fn code(&self) -> &'static str {
        match self {
            CallError::Flags(_) => "bad_request",
            CallError::Sdp(_) => "bad_sdp",
            CallError::Security(..) | CallError::NoKeys(_) | CallError::NoRole(_) => "no_common_keys",
            CallError::UnknownCall => "unknown_call",
            CallError::UnknownTag => "unknown_tag",
            CallError::NoOffer => "no_offer",
            CallError::Lines { .. } | CallError::NotAllTaken => "bad_answer",
            CallError::TooLong { .. } | CallError::TooManyParties => "too_much",
            CallError::UnknownInterface(_) | CallError::NoFamily(_) => "no_interface",
            CallError::NoPorts(_) | CallError::Port(_) => "no_ports",
            CallError::LoadLimit(_) => "load_limit",
            CallError::NoRooms => "no_rooms",
            CallError::NoSound => "no_sound",
            CallError::NotDone { .. } => "not_done",
            CallError::Play(_) => "cannot_play",
        }
    }
}
