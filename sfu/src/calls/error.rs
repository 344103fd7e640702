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
    #[error("the telephone is not in its room yet; ask again when the list of telephones says `in_room`")]
    NotInRoom,
    #[error("{command} is not done by this node; {instead}")]
    NotDone { command: &'static str, instead: &'static str },
    #[error(
        "nobody is named whom sound could go to; set calls.forward_to to tcp://host:port or tls://host:port"
    )]
    NoReceiver,
    #[error("the answer leaves out codecs that were offered; say allow-transcoding if that is meant")]
    NotAllTaken,
    #[error("{0}")]
    Play(String),
}

/// A request of the API about calls that changed nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallRefusal {
    /// The HTTP status that says the same (RFC 9110 section 15).
    pub status: u16,
    /// A stable word for programs.
    pub code: &'static str,
    /// What is wrong and what to do, for people.
    pub message: String,
}

impl CallRefusal {
    pub(super) fn of(error: &CallError) -> CallRefusal {
        CallRefusal { status: error.status(), code: error.code(), message: error.to_string() }
    }

    /// Nobody does requests any more.
    pub(super) fn stopped() -> CallRefusal {
        let message = "the node is shutting down; call another one or try again later".to_owned();
        CallRefusal { status: 503, code: "shutting_down", message }
    }
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
            CallError::NotInRoom => "not_in_room",
            CallError::NotDone { .. } => "not_done",
            CallError::NoReceiver => "no_receiver",
            CallError::Play(_) => "cannot_play",
        }
    }

    /// The HTTP status that says the same.
    fn status(&self) -> u16 {
        match self {
            CallError::UnknownCall | CallError::UnknownTag => 404,
            CallError::NoOffer | CallError::TooManyParties | CallError::NotInRoom => 409,
            CallError::Security(..)
            | CallError::NoKeys(_)
            | CallError::NoRole(_)
            | CallError::NoFamily(_)
            | CallError::NoSound
            | CallError::Lines { .. }
            | CallError::NotAllTaken => 422,
            CallError::NoPorts(_)
            | CallError::Port(_)
            | CallError::LoadLimit(_)
            | CallError::NoRooms
            | CallError::NoReceiver => 503,
            CallError::Flags(_)
            | CallError::Sdp(_)
            | CallError::TooLong { .. }
            | CallError::UnknownInterface(_)
            | CallError::NotDone { .. }
            | CallError::Play(_) => 400,
        }
    }
}
