//! What payloads tell a forwarder: where frames and key frames begin, which layer a packet belongs to, how long an
//! audio frame lasts. Media is never decoded.

pub mod h264;
pub mod rtx;
pub mod vp8;

use thiserror::Error;

/// Why a payload does not follow its format. The peer is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum PayloadError {
    /// The payload ends within its descriptor or header.
    #[error("payload ends within its header")]
    Truncated,
    /// A length inside the payload points past its end, or is zero where it must not be.
    #[error("a length inside the payload does not fit")]
    Length,
    /// A form of packet that the format reserves, or that nobody negotiated.
    #[error("reserved or unsupported form of packet")]
    Unsupported,
}

/// What begins in a packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Starts {
    /// The packet holds the first bytes of a frame (of a layer's frame, where the codec has layers).
    pub frame: bool,
    /// That frame is a key frame: a receiver that has nothing can begin to decode here.
    pub key_frame: bool,
}
