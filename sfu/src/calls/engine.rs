//! What calls need of a packet engine. A trait, so that their tests run against a fake one, without sockets and
//! without a clock.

use kaname_engine::core::Command;
use kaname_engine::{Engine, EngineBusy, ShardId};

/// A packet engine. All methods return at once.
pub trait CallEngine: Send + Sync + 'static {
    /// How many shards there are.
    fn shards(&self) -> usize;
    /// How busy the shard was in the latest second, in thousandths.
    fn busy_permille(&self, shard: ShardId) -> u32;
    /// `sha-256 AB:CD:…` of the certificate.
    fn fingerprint(&self) -> String;
    /// Hands a shard a command; when its queue is full, the command comes back.
    fn command(&self, shard: ShardId, command: Command) -> Result<(), Refused>;
}

/// A shard did not take a command.
#[derive(Debug)]
pub enum Refused {
    /// Its queue is full: here is the command back.
    Full(Box<Command>),
    /// The shard is gone, and with it what the command was about.
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

    fn command(&self, shard: ShardId, command: Command) -> Result<(), Refused> {
        Engine::command(self, shard, command).map_err(|refused| match refused.why {
            EngineBusy::Full => Refused::Full(Box::new(refused.command)),
            _ => Refused::Gone,
        })
    }
}
