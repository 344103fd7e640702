//! One foreign WebRTC client: str0m for ICE, DTLS, SRTP and SCTP, and the node's own WebSocket, WHIP or WHEP for
//! signalling. It shares no code with the node.

pub mod incoming;
pub mod media;
pub mod outgoing;
pub mod peer;
pub mod session;
pub mod signal;
pub mod state;
pub mod transport;
pub mod web;
pub mod whip;

pub use peer::{Peer, PeerOptions};
pub use session::{Impair, SessionOptions, Way};
pub use state::{Heard, Kind, PeerState};
pub use web::Trust;

/// What went wrong with a client. All of it is told to the user of the harness; nothing is retried in silence.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// A socket failed.
    #[error("network: {0}")]
    Io(#[from] std::io::Error),
    /// HTTP or WebSocket failed below the level of the node's own messages.
    #[error("web: {0}")]
    Web(String),
    /// The node refused something, in its own words.
    #[error("the node refused: {code}: {message}")]
    Refused {
        /// The node's code.
        code: String,
        /// The node's explanation.
        message: String,
    },
    /// The node closed the session.
    #[error("the node closed the session: {0}")]
    Closed(String),
    /// The WebRTC stack gave up.
    #[error("WebRTC: {0}")]
    Rtc(String),
    /// What the node said makes no sense.
    #[error("the node broke the protocol: {0}")]
    Protocol(String),
    /// What was waited for did not come; what came instead.
    #[error("in vain: {0:?}")]
    Hung(Box<PeerState>),
    /// An encoder or decoder could not be made.
    #[error("codec: {0}")]
    Codec(String),
}

impl From<hyper::Error> for ClientError {
    fn from(error: hyper::Error) -> Self {
        ClientError::Web(error.to_string())
    }
}

impl From<hyper::http::uri::InvalidUri> for ClientError {
    fn from(error: hyper::http::uri::InvalidUri) -> Self {
        ClientError::Web(error.to_string())
    }
}

impl From<tokio_tungstenite::tungstenite::Error> for ClientError {
    fn from(error: tokio_tungstenite::tungstenite::Error) -> Self {
        ClientError::Web(error.to_string())
    }
}

impl From<str0m::RtcError> for ClientError {
    fn from(error: str0m::RtcError) -> Self {
        ClientError::Rtc(error.to_string())
    }
}

impl From<opus::Error> for ClientError {
    fn from(error: opus::Error) -> Self {
        ClientError::Codec(error.to_string())
    }
}

impl From<openh264::Error> for ClientError {
    fn from(error: openh264::Error) -> Self {
        ClientError::Codec(error.to_string())
    }
}
