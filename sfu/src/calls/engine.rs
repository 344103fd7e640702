//! What calls need of a packet engine. A trait, so that their tests run against a fake one, without sockets and
//! without a clock.

use std::net::SocketAddr;

use kaname_engine::audio::{AudioBusy, AudioCommand, Codecs};
use kaname_engine::core::Command;
use kaname_engine::core::command::LegId;
use kaname_engine::{DtlsParams, Engine, EngineBusy, PortError, ShardId};

/// A packet engine. All methods return at once.
pub trait CallEngine: Send + Sync + 'static {
    /// How many shards there are.
    fn shards(&self) -> usize;
    /// How busy the shard was in the latest second, in thousandths.
    fn busy_permille(&self, shard: ShardId) -> u32;
    /// `sha-256 AB:CD:…` of the certificate.
    fn fingerprint(&self) -> String;
    /// Opens a port, and gives the number that stands for it.
    fn open_port(&self, shard: ShardId, address: SocketAddr) -> Result<u32, PortError>;
    /// Closes a port, behind the commands given so far.
    fn close_port(&self, shard: ShardId, local: u32) -> Result<(), EngineBusy>;
    /// The type of service of what leaves through a port.
    fn set_port_tos(&self, shard: ShardId, local: u32, tos: u8);
    /// Hands a shard a command; when its queue is full, the command comes back.
    fn command(&self, shard: ShardId, command: Command) -> Result<(), Refused<Command>>;
    /// The leg's handshake goes on from now.
    fn secure(&self, shard: ShardId, leg: LegId, dtls: DtlsParams) -> Result<(), EngineBusy>;
    /// How many audio workers there are.
    fn audio_workers(&self) -> usize;
    /// The place of an audio worker among those that streams go to.
    fn audio_index(&self, worker: usize) -> usize;
    /// The codecs that audio workers have.
    fn codecs(&self) -> &Codecs;
    /// Hands an audio worker a command; when its queue is full, the command comes back.
    fn audio(&self, worker: usize, command: AudioCommand) -> Result<(), Refused<AudioCommand>>;
}

/// A thread of the engine did not take a command.
#[derive(Debug)]
pub enum Refused<T> {
    /// Its queue is full: here is the command back.
    Full(Box<T>),
    /// The thread is gone, and with it what the command was about.
    Gone,
}

impl CallEngine for Engine {
    fn shards(&self) -> usize {
        Engine::shards(self)
    }

    fn busy_permille(&self, shard: ShardId) -> u32 {
        Engine::busy_permille(self, shard)
    }

    fn fingerprint(&self) -> String {
        Engine::fingerprint(self).to_owned()
    }

    fn open_port(&self, shard: ShardId, address: SocketAddr) -> Result<u32, PortError> {
        Engine::open_port(self, shard, address)
    }

    fn close_port(&self, shard: ShardId, local: u32) -> Result<(), EngineBusy> {
        Engine::close_port(self, shard, local)
    }

    fn set_port_tos(&self, shard: ShardId, local: u32, tos: u8) {
        // A mark on packets that routers may heed: media flows without it.
        let _unmarked = Engine::set_port_tos(self, shard, local, tos);
    }

    fn command(&self, shard: ShardId, command: Command) -> Result<(), Refused<Command>> {
        Engine::command(self, shard, command).map_err(|refused| match refused.why {
            EngineBusy::Full => Refused::Full(Box::new(refused.command)),
            _ => Refused::Gone,
        })
    }

    fn secure(&self, shard: ShardId, leg: LegId, dtls: DtlsParams) -> Result<(), EngineBusy> {
        Engine::secure(self, shard, leg, dtls)
    }

    fn audio_workers(&self) -> usize {
        Engine::audio_workers(self)
    }

    fn audio_index(&self, worker: usize) -> usize {
        Engine::audio_index(self, worker)
    }

    fn codecs(&self) -> &Codecs {
        Engine::codecs(self)
    }

    fn audio(&self, worker: usize, command: AudioCommand) -> Result<(), Refused<AudioCommand>> {
        Engine::audio(self, worker, command).map_err(|refused| match refused.why {
            AudioBusy::Full => Refused::Full(Box::new(refused.command)),
            _ => Refused::Gone,
        })
    }
}
