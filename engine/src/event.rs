//! What the engine tells its embedder.

use kaname_core::Event;
use kaname_core::command::LegId;
use kaname_srtp::Profile;

use crate::audio::AudioEvent;

/// A shard by number, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ShardId(pub usize);

/// News of one shard. The closure that receives it runs on the engine's threads: it must hand it on and return.
#[derive(Debug)]
pub enum EngineEvent {
    /// From the core. Never [`Event::Datagram`] nor [`Event::PathValidated`]: those are the handshake's.
    Core(Event),
    /// The handshake is done, the fingerprint is the signalled one and the keys are with the shard.
    Secured {
        /// The leg.
        leg: LegId,
        /// What both sides protect with.
        profile: Profile,
        /// "DTLS 1.2" or "DTLS 1.3".
        dtls: &'static str,
    },
    /// The handshake failed; the leg never gets keys. Ends with [`crate::Engine::secure`] anew or with the leg.
    SecureFailed {
        /// The leg.
        leg: LegId,
        /// Why.
        reason: SecureError,
    },
    /// The handshake on RTCP's own port failed: reports are neither read nor sent. Media has keys of its own.
    RtcpSecureFailed {
        /// The leg.
        leg: LegId,
        /// Why.
        reason: SecureError,
    },
    /// The peer closed the DTLS association (close_notify): it left.
    LegClosed {
        /// The leg.
        leg: LegId,
    },
    /// The peer opened a data channel (RFC 8832); it was acknowledged.
    ChannelOpened {
        /// The leg.
        leg: LegId,
        /// The SCTP stream.
        channel: u16,
        /// Its name.
        label: String,
        /// Its subprotocol, mostly empty.
        protocol: String,
    },
    /// A message on an open channel.
    ChannelMessage {
        /// The leg.
        leg: LegId,
        /// The SCTP stream.
        channel: u16,
        /// Text or binary.
        kind: DataKind,
        /// The message; text is UTF-8.
        data: Vec<u8>,
    },
    /// The channel is closed: by the peer, or because it took too long to read what was sent.
    ChannelClosed {
        /// The leg.
        leg: LegId,
        /// The SCTP stream.
        channel: u16,
    },
    /// News of an audio worker; the shard that comes with it is [`crate::Engine::audio_index`].
    Audio(AudioEvent),
    /// The shard's packet io lost a way of sending or receiving (its AF_XDP interface) and goes on without.
    IoChanged {
        /// What happened, and what to do.
        message: String,
    },
    /// The shard's thread could not be pinned to a processor; it runs unpinned.
    PinFailed {
        /// What the system said.
        error: String,
    },
    /// The shard's thread died of a fault of ours. Its legs are gone, the ports of single legs stay open; the other
    /// shards go on.
    ShardFailed {
        /// The panic's message.
        message: String,
    },
}

/// What a data channel message is (RFC 8831 section 8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DataKind {
    /// UTF-8.
    Text,
    /// Bytes.
    Binary,
}

/// Why a leg has no keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum SecureError {
    /// The peer's certificate is not the signalled one.
    #[error("the peer's certificate has another fingerprint than its session description")]
    Fingerprint,
    /// The peer's certificate is the signalled one, and its key is too weak or of an unknown kind.
    #[error(
        "the key of the peer's certificate is not accepted: RSA needs 2048 bits or more, elliptic curves P-256 or P-384"
    )]
    WeakCertificate,
    /// The peer offered no SRTP profile that we have (RFC 5764).
    #[error("no common SRTP protection profile")]
    NoProfile,
    /// The peer broke the protocol, or sent an alert.
    #[error("the DTLS handshake failed")]
    Handshake,
    /// The handshake did not end in time.
    #[error("the DTLS handshake did not end in time")]
    Timeout,
    /// Too many handshakes at once.
    #[error("too many handshakes at once")]
    Busy,
    /// Our fault; only this leg is affected.
    #[error("an internal fault")]
    Internal,
}
