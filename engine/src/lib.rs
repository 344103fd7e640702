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
mod secure;
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
pub use secure::{Certificates, DtlsParams, DtlsPeer, DtlsRole};
pub use steering::{SteeringChoice, SteeringMode};

pub use kaname_core as core;
pub use kaname_io as io;
pub use kaname_media as media;
pub use kaname_srtp as srtp;
pub use kaname_wire as wire;
