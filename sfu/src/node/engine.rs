//! What the node needs of a packet engine. A trait, so that the node's tests run against a fake one, without
//! sockets and without a clock.

use std::net::SocketAddr;

use kaname_engine::audio::AudioCommand;
use kaname_engine::core::Command;
use kaname_engine::core::command::LegId;
use kaname_engine::{CountersSnapshot, DataKind, DtlsParams, Engine, EngineBusy, ShardId};

/// A packet engine. All methods return at once.
pub trait MediaEngine: Send + Sync + 'static {
    /// How many shards there are.
    fn shards(&self) -> usize;
    /// Where a shard listens.
    fn addresses(&self, shard: ShardId) -> Vec<SocketAddr>;
    /// `sha-256 AB:CD:…` of the certificate.
    fn fingerprint(&self) -> String;
    /// Hands a shard a command; when its queue is full, the command comes back.
    fn command(&self, shard: ShardId, command: Command) -> Result<(), Refused>;
    /// The leg's handshake is answered from now on.
    fn secure(&self, shard: ShardId, leg: LegId, dtls: DtlsParams) -> Result<(), EngineBusy>;
    /// Says goodbye to the peer and removes the leg.
    fn close(&self, shard: ShardId, leg: LegId) -> Result<(), EngineBusy>;
    /// Sends on an open data channel.
    fn send_data(
        &self,
        shard: ShardId,
        leg: LegId,
        channel: u16,
        kind: DataKind,
        data: Vec<u8>,
    ) -> Result<(), EngineBusy>;
    /// How many audio workers there are.
    fn audio_workers(&self) -> usize;
    /// What a worker is called where streams cross.
    fn audio_index(&self, worker: usize) -> usize;
    /// The audio worker's figures.
    fn audio_counters(&self, worker: usize) -> CountersSnapshot;
    /// Hands an audio worker a command; when its queue is full, the command comes back.
    fn audio(&self, worker: usize, command: AudioCommand) -> Result<(), AudioCommand>;
    /// How busy the shard was in the latest second, in thousandths.
    fn busy_permille(&self, shard: ShardId) -> u32;
    /// The shard's figures.
    fn counters(&self, shard: ShardId) -> CountersSnapshot;
}

/// A shard did not take a command.
#[derive(Debug)]
pub enum Refused {
    /// Its queue is full: here is the command back.
    Full(Command),
    /// The shard is gone, and with it what the command was about.
    Gone,
}

impl MediaEngine for Engine {
    fn shards(&self) -> usize {
        Engine::shards(self)
    }

    fn addresses(&self, shard: ShardId) -> Vec<SocketAddr> {
        Engine::addresses(self, shard).to_vec()
    }

    fn fingerprint(&self) -> String {
        Engine::fingerprint(self).to_owned()
    }

    fn command(&self, shard: ShardId, command: Command) -> Result<(), Refused> {
        Engine::command(self, shard, command).map_err(|refused| match refused.why {
            EngineBusy::Full => Refused::Full(refused.command),
            _ => Refused::Gone,
        })
    }

    fn secure(&self, shard: ShardId, leg: LegId, dtls: DtlsParams) -> Result<(), EngineBusy> {
        Engine::secure(self, shard, leg, dtls)
    }

    fn close(&self, shard: ShardId, leg: LegId) -> Result<(), EngineBusy> {
        Engine::close(self, shard, leg)
    }

    fn send_data(
        &self,
        shard: ShardId,
        leg: LegId,
        channel: u16,
        kind: DataKind,
        data: Vec<u8>,
    ) -> Result<(), EngineBusy> {
        Engine::send_data(self, shard, leg, channel, kind, data)
    }

    fn audio_workers(&self) -> usize {
        Engine::audio_workers(self)
    }

    fn audio_index(&self, worker: usize) -> usize {
        Engine::audio_index(self, worker)
    }

    fn audio_counters(&self, worker: usize) -> CountersSnapshot {
        Engine::audio_counters(self, worker)
    }

    fn audio(&self, worker: usize, command: AudioCommand) -> Result<(), AudioCommand> {
        Engine::audio(self, worker, command).map_err(|refused| refused.command)
    }

    fn busy_permille(&self, shard: ShardId) -> u32 {
        Engine::busy_permille(self, shard)
    }

    fn counters(&self, shard: ShardId) -> CountersSnapshot {
        Engine::counters(self, shard)
    }
}
