//! The handle that embedders hold.

use std::net::SocketAddr;

use kaname_core::Command;
use kaname_core::command::LegId;

use crate::{DataKind, DtlsParams, EngineConfig, EngineEvent, ShardId, StartError};

/// A command or message was refused; it changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EngineBusy {
    /// The queue is full: try again shortly, or shed load.
    #[error("the queue of the shard is full")]
    Full,
    /// The shard's thread has ended.
    #[error("the shard is down")]
    Down,
    /// There is no such shard.
    #[error("there is no such shard")]
    UnknownShard,
}

/// Figures of one shard, at most a second old.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CountersSnapshot {
    /// Name and value; names are stable, in the metrics' style (`io_packets_received`).
    pub values: Vec<(&'static str, u64)>,
}

impl CountersSnapshot {
    /// The figure of that name, 0 if there is none.
    pub fn get(&self, name: &str) -> u64 {
        self.values.iter().find(|(n, _)| *n == name).map_or(0, |(_, v)| *v)
    }
}

/// A running packet engine. Dropping it stops it.
#[derive(Debug)]
pub struct Engine {
    fingerprint: String,
}

impl Engine {
    /// Makes the sockets and the threads. The sink is called on the engine's threads with all news; it must not
    /// block.
    pub fn start(
        config: EngineConfig,
        sink: impl Fn(ShardId, EngineEvent) + Send + Sync + 'static,
    ) -> Result<Engine, StartError> {
        let _ = (config, sink);
        Err(StartError::Certificate("not built yet".into()))
    }

    /// Number of shards.
    pub fn shards(&self) -> usize {
        0
    }

    /// Where the shard listens: UDP, and TCP on the same if asked for. Empty if there is no such shard.
    pub fn addresses(&self, shard: ShardId) -> &[SocketAddr] {
        let _ = shard;
        &[]
    }

    /// `sha-256 AB:CD:..` of this run's certificate, for `a=fingerprint`.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Hands the shard a command, in order. Never waits; refuses when the queue is full.
    pub fn command(&self, shard: ShardId, command: Command) -> Result<(), EngineBusy> {
        let _ = (shard, command);
        Err(EngineBusy::UnknownShard)
    }

    /// The leg's handshake is answered from now on: call it before the session description goes out. Again: anew.
    pub fn secure(&self, shard: ShardId, leg: LegId, dtls: DtlsParams) -> Result<(), EngineBusy> {
        let _ = (shard, leg, dtls);
        Err(EngineBusy::UnknownShard)
    }

    /// Sends a message on an open data channel.
    pub fn send_data(
        &self,
        shard: ShardId,
        leg: LegId,
        channel: u16,
        kind: DataKind,
        data: Vec<u8>,
    ) -> Result<(), EngineBusy> {
        let _ = (shard, leg, channel, kind, data);
        Err(EngineBusy::UnknownShard)
    }

    /// Tells the peer goodbye (DTLS close_notify) and removes the leg. [`Command::RemoveLeg`] removes it silently.
    pub fn close(&self, shard: ShardId, leg: LegId) -> Result<(), EngineBusy> {
        let _ = (shard, leg);
        Err(EngineBusy::UnknownShard)
    }

    /// The SRTP kernels in use, such as `vaes512`.
    pub fn srtp_backend(&self) -> &'static str {
        "portable"
    }

    /// The packet io in use, such as `sendmmsg`.
    pub fn io_backend(&self) -> &'static str {
        "sendmmsg"
    }

    /// The shard's figures. Empty if there is no such shard.
    pub fn counters(&self, shard: ShardId) -> CountersSnapshot {
        let _ = shard;
        CountersSnapshot::default()
    }

    /// Stops all threads and closes all sockets; returns when they are gone.
    pub fn shutdown(self) {}
}
