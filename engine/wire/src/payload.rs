//! What payloads tell a forwarder: where frames and key frames begin, which layer a packet belongs to, how
//! long an audio frame lasts. Media is never decoded.

pub mod av1;
pub mod h264;
pub mod h265;
pub mod opus;
pub mod red;
pub mod rtx;
pub mod telephone_event;
pub mod vp8;
pub mod vp9;

mod picture;

pub use picture::{ByteAt, PictureId};

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

impl Starts {
    /// What begins in either of two parts of a packet.
    fn or(self, other: Starts) -> Starts {
        Starts { frame: self.frame | other.frame, key_frame: self.key_frame | other.key_frame }
    }
}

/// The NAL units of an H.264 or H.265 aggregate, each behind its 16-bit size, and what begins in them
/// together.
fn aggregate_starts(mut rest: &[u8], unit_starts: fn(&[u8]) -> Starts) -> Result<Starts, PayloadError> {
    let mut all = Starts::default();
    if rest.is_empty() {
        return Err(PayloadError::Truncated);
    }
    while !rest.is_empty() {
        let (size, behind) = rest.split_first_chunk::<2>().ok_or(PayloadError::Truncated)?;
        let size = usize::from(u16::from_be_bytes(*size));
        if size == 0 {
            return Err(PayloadError::Length);
        }
        let (unit, behind) = behind.split_at_checked(size).ok_or(PayloadError::Length)?;
        all = all.or(unit_starts(unit));
        rest = behind;
    }
    Ok(all)
}
