//! The runtime: one pinned thread a shard joins packet io and core; DTLS and SCTP run on handshake workers beside
//! them. This crate is the public face for embedders.
//!
//! Commands go down through a bounded queue a shard ([`Engine::command`]), events come up through the closure
//! given to [`Engine::start`]. Nothing else crosses.
#![forbid(unsafe_code)]

pub mod audio;
mod backend;
mod config;
mod counters;
mod engine;
mod event;
mod fingerprint;
pub mod limits;
pub mod mesh;
mod port;
mod ports;
mod shard;
mod spin;
mod steering;
mod worker;

pub use backend::IoChoice;
pub use config::{EngineConfig, ExtraCodecs, StartError};
pub use counters::CountersSnapshot;
pub use engine::{Engine, EngineBusy, Refused};
pub use event::{DataKind, EngineEvent, SecureError, ShardId};
pub use fingerprint::{Fingerprint, FingerprintParseError, HashAlgorithm};
pub use ports::PortError;
pub use steering::{SteeringChoice, SteeringMode};

pub use kaname_core as core;
pub use kaname_io as io;
pub use kaname_media as media;
pub use kaname_srtp as srtp;
pub use kaname_wire as wire;

/// What [`Engine::secure`] needs to know of the peer. We are always passive (`a=setup:passive`): the peer sends
/// the ClientHello.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DtlsParams {
    /// The hash of the peer's certificate from its session description (`a=fingerprint`, RFC 8122). No keys
    /// are handed out for a certificate with another.
    pub remote_fingerprint: Fingerprint,
    /// The session description has an `m=application` section: SCTP is answered.
    pub data_channels: bool,
    /// The peer's `a=sctp-port`, also ours (RFC 8841). 5000 by custom.
    pub sctp_port: u16,
    /// The peer's `a=max-message-size` in bytes, 0 for no limit (RFC 8841 section 6); larger messages are refused.
    pub max_message_size: u32,
}

impl DtlsParams {
    /// With data channels on the customary port and message size.
    pub fn new(remote_fingerprint: Fingerprint) -> DtlsParams {
        DtlsParams { remote_fingerprint, data_channels: true, sctp_port: 5000, max_message_size: 65_536 }
    }
}
