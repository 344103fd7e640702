//! Why the node refused, in words for the one who asked.

use super::api::TrackId;
use crate::sdp::{Quoted, SdpError};

/// Whose fault a refusal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The caller must ask differently.
    Caller,
    /// The node cannot now; the same request may succeed later, or at another node.
    Node,
}

/// Why a request changed nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NodeError {
    /// The offer cannot be answered.
    #[error("{0}")]
    Sdp(#[from] SdpError),
    /// The token does not allow it.
    #[error("the token does not allow to {action}; ask for one that does")]
    Forbidden {
        /// What was tried, such as `publish`.
        action: &'static str,
    },
    /// A name of a room or a peer is out of its bounds.
    #[error("{what}; {hint}")]
    BadName {
        /// What is wrong.
        what: &'static str,
        /// What to do.
        hint: &'static str,
    },
    /// The wish does not fit the offer.
    #[error("mid {mid}: {what}")]
    BadWish {
        /// The m-line, shortened and escaped.
        mid: Quoted,
        /// What is wrong and what to do.
        what: String,
    },
    /// No such room.
    #[error("there is no such room; look at the list of rooms, or join it to create it")]
    NoSuchRoom,
    /// The room exists already.
    #[error("the room exists already; join it, or delete it first")]
    RoomExists,
    /// No such peer, or it has left.
    #[error("there is no such peer in the room, or it has left; look at the room's peers, or join again")]
    NoSuchPeer,
    /// No such track, or it is gone.
    #[error("there is no such track in the room, or it has ended; look at the tracks of the room's peers")]
    NoSuchTrack,
    /// Nothing is published that the offer could receive, by anyone or by the chosen peer.
    #[error("nothing is published yet that could be watched; try again when there is")]
    NothingPublished,
    /// The subscriber's offer lacks the codec of the track.
    #[error(
        "the track {track} is {codec}, which the offer cannot receive; offer {codec}, or do not subscribe to it"
    )]
    CodecUnsupported {
        /// Which track.
        track: TrackId,
        /// Its codec, with what distinguishes it (`H264 packetization-mode=1 profile 42e0`).
        codec: String,
    },
    /// A telephone has to type the room's PIN first.
    #[error("the room has a PIN; ask the caller for it")]
    PinNeeded,
    /// It typed another one.
    #[error("that is not the room's PIN; ask the caller again")]
    WrongPin,
    /// Of this caller, or for this room, there were too many wrong ones.
    #[error("too many wrong PINs of late; the caller may try again in an hour")]
    PinBlocked,
    /// Only rooms that have a PIN are open to this telephone.
    #[error("the room has no PIN, and this caller may enter with one only; create the room with a PIN")]
    NoPin,
    /// Nobody is in the room who could hear what is to be played.
    #[error("nobody is in the room who could hear it; play it when somebody is")]
    NoListeners,
    /// The track is what is played to the room.
    #[error(
        "what is played to a room cannot be muted, since its telephones would still hear it; stop it instead"
    )]
    Announcement,
    /// Nothing is being recorded, or something is already.
    #[error("the room is {}being recorded", if *.already { "already " } else { "not " })]
    Recording {
        /// It is already.
        already: bool,
    },
    /// The engine runs without audio workers.
    #[error("this node mixes no audio; set calls.audio_workers to 1 or more, or use another node")]
    NoAudio,
    /// The peer has no connection that could be changed.
    #[error("the peer has not negotiated yet; send an offer first")]
    NotNegotiated,
    /// A limit is reached.
    #[error("the {what} is full ({limit} {unit}); {hint}")]
    AtCapacity {
        /// What is full: `node`, `room`, `peer`.
        what: &'static str,
        /// How many fit.
        limit: usize,
        /// Of what.
        unit: &'static str,
        /// What to do.
        hint: &'static str,
    },
    /// The shard does not take commands fast enough, or did not answer in time.
    #[error("the node is busy; try again in a second")]
    Busy,
    /// The node is stopping or has stopped.
    #[error("the node is shutting down; connect to another one or try again later")]
    ShuttingDown,
}

impl NodeError {
    /// A stable word for programs.
    pub fn code(&self) -> &'static str {
        match self {
            NodeError::Sdp(error) => error.code(),
            NodeError::Forbidden { .. } => "forbidden",
            NodeError::BadName { .. } => "bad_name",
            NodeError::BadWish { .. } => "bad_request",
            NodeError::NoSuchRoom => "no_such_room",
            NodeError::RoomExists => "room_exists",
            NodeError::NoSuchPeer => "no_such_peer",
            NodeError::NoSuchTrack => "no_such_track",
            NodeError::NothingPublished => "nothing_published",
            NodeError::CodecUnsupported { .. } => "codec_unsupported",
            NodeError::PinNeeded => "pin_needed",
            NodeError::WrongPin => "wrong_pin",
            NodeError::PinBlocked => "pin_blocked",
            NodeError::NoPin => "no_pin",
            NodeError::NoListeners => "no_listeners",
            NodeError::Announcement => "announcement",
            NodeError::Recording { already: true } => "already_recording",
            NodeError::Recording { already: false } => "not_recording",
            NodeError::NoAudio => "no_audio",
            NodeError::NotNegotiated => "not_negotiated",
            NodeError::AtCapacity { .. } => "at_capacity",
            NodeError::Busy => "busy",
            NodeError::ShuttingDown => "shutting_down",
        }
    }

    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            NodeError::AtCapacity { .. } | NodeError::NoAudio | NodeError::Busy | NodeError::ShuttingDown => {
                Fault::Node
            }
            _ => Fault::Caller,
        }
    }

    /// The HTTP status that says the same (RFC 9110 section 15, RFC 9725 section 4.2).
    pub fn status(&self) -> u16 {
        match self {
            NodeError::Sdp(error) => error.status(),
            NodeError::BadName { .. } | NodeError::BadWish { .. } => 400,
            NodeError::Forbidden { .. }
            | NodeError::PinNeeded
            | NodeError::WrongPin
            | NodeError::PinBlocked
            | NodeError::NoPin => 403,
            NodeError::NoSuchRoom | NodeError::NoSuchPeer | NodeError::NoSuchTrack => 404,
            NodeError::RoomExists
            | NodeError::NotNegotiated
            | NodeError::NothingPublished
            | NodeError::NoListeners
            | NodeError::Announcement
            | NodeError::Recording { .. } => 409,
            NodeError::CodecUnsupported { .. } => 422,
            NodeError::AtCapacity { .. } | NodeError::NoAudio | NodeError::Busy | NodeError::ShuttingDown => {
                503
            }
        }
    }
}
