//! What can go wrong, and whose fault it is.

/// Who has to change something so that the error does not come again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// Whoever sent the packet: damaged, hostile, or not meant for this session.
    Peer,
    /// The code that called us.
    Caller,
    /// Nobody: the key has done its work and must be replaced.
    Key,
}

/// Why a packet was refused. Nothing was written and nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SrtpError {
    /// Shorter than its header and tag, or longer than [`crate::limits::MAX_PACKET`].
    Length,
    /// Not version 2, or the header's own lengths run past the packet.
    Header,
    /// The authentication tag is wrong: what RFC 3711 section 4.2 calls an authentication failure, which MUST be returned.
    Tag,
    /// What the session was asked to be is impossible or forbidden.
    Policy,
    /// The index was received before.
    Replayed,
    /// The index lies behind the replay window.
    TooOld,
    /// SRTCP with E=0 in a session that encrypts (RFC 3711 section 3.4).
    Unencrypted,
    /// SRTCP with E=1 in a session that does not encrypt.
    Encrypted,
    /// The MKI names no master key of the session.
    Mki,
    /// The session has no keys for this SSRC.
    NoStream,
    /// The header extension cannot be encrypted or decrypted as the session is to (RFC 6904, RFC 9335).
    Extension,
    /// The session already follows as many SSRCs as its limit allows.
    TooManyStreams,
    /// `out` is not large enough (unprotect) or not of the exact length (protect).
    Output,
    /// This index was taken before, or lies behind the window of taken indices.
    IndexTaken,
    /// The SSRC was retired, and its indices may never be used again under this key.
    Retired,
    /// The header does not belong to the index: other SSRC, other sequence number, or malformed.
    HeaderMismatch,
    /// Keys, ticket or index come from different sessions, or the packet is not the ticket's.
    WrongSession,
    /// The key reached its usage limit (RFC 3711 section 9.2): 2^48 SRTP or 2^31 SRTCP packets.
    KeyExhausted,
}

impl SrtpError {
    /// Whose fault it is.
    pub const fn fault(self) -> Fault {
        match self {
            SrtpError::Length
            | SrtpError::Header
            | SrtpError::Tag
            | SrtpError::Replayed
            | SrtpError::TooOld
            | SrtpError::Unencrypted
            | SrtpError::Encrypted
            | SrtpError::Mki
            | SrtpError::NoStream
            | SrtpError::Extension
            | SrtpError::TooManyStreams => Fault::Peer,
            SrtpError::Policy
            | SrtpError::Output
            | SrtpError::IndexTaken
            | SrtpError::Retired
            | SrtpError::HeaderMismatch
            | SrtpError::WrongSession => Fault::Caller,
            SrtpError::KeyExhausted => Fault::Key,
        }
    }
}

impl std::fmt::Display for SrtpError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            SrtpError::Length => "the packet is too short or too long",
            SrtpError::Header => "the packet's header is malformed",
            SrtpError::Tag => "the authentication tag is wrong",
            SrtpError::Replayed => "the packet was received before",
            SrtpError::TooOld => "the packet is older than the replay window",
            SrtpError::Unencrypted => "SRTCP without encryption in a session that encrypts",
            SrtpError::Encrypted => "SRTCP with encryption in a session that does not encrypt",
            SrtpError::Mki => "the MKI names no master key of the session",
            SrtpError::NoStream => "the session has no keys for the SSRC",
            SrtpError::Extension => "the header extension is not one that can be encrypted",
            SrtpError::TooManyStreams => "the session follows too many SSRCs",
            SrtpError::Policy => "the policy is impossible or forbidden",
            SrtpError::Output => "the output buffer has the wrong length",
            SrtpError::IndexTaken => "the packet index was used before",
            SrtpError::Retired => "the SSRC was retired under this key",
            SrtpError::HeaderMismatch => "the header does not belong to the packet index",
            SrtpError::WrongSession => "keys, packet and index belong to different sessions",
            SrtpError::KeyExhausted => "the key reached its usage limit",
        })
    }
}

impl std::error::Error for SrtpError {}
