//! Connections that change shards: the kernel cannot know at their beginning whose they are, their first frame says.

use std::net::SocketAddr;

use kaname_wire::path::Carrier;
use mio::{Interest, Registry, Token};

use super::{Connection, Tcp, source};
use crate::counters::Counters;
use crate::limits::MAX_CONNECTIONS;

/// A connection between two shards, with the frame that told whose it is.
pub struct Handed {
    connection: Connection,
}

impl Handed {
    /// The peer.
    pub fn remote(&self) -> SocketAddr {
        self.connection.path().remote
    }
}

impl std::fmt::Debug for Handed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handed").field("remote", &self.remote()).finish_non_exhaustive()
    }
}

impl Tcp {
    /// Gives a connection away, and with it the frame that was just delivered. One that has been answered stays.
    pub(crate) fn hand_over(
        &mut self,
        number: u32,
        frame: &[u8],
        registry: &Registry,
        counters: &mut Counters,
    ) -> Option<Handed> {
        if self.connections.get(&number)?.answered() {
            return None;
        }
        let mut connection = self.connections.remove(&number)?;
        // The other shard registers it anew; an error here means that it is registered nowhere.
        let _ = registry.deregister(connection.stream_mut());
        self.forget_source(connection.path().remote.ip());
        connection.put_back(frame);
        counters.tcp_handed_over += 1;
        Some(Handed { connection })
    }

    /// Takes a connection of another shard; it counts towards its source here from now on. The shard that accepted it
    /// has checked the source's share.
    pub(crate) fn adopt(&mut self, handed: Handed, registry: &Registry, counters: &mut Counters) {
        let Handed { mut connection } = handed;
        let (Some(number), true) = (self.next_number, self.connections.len() < MAX_CONNECTIONS) else {
            counters.tcp_refused_full += 1;
            return;
        };
        let token = Token(self.first_token + number as usize);
        let interest = Interest::READABLE | Interest::WRITABLE;
        if registry.register(connection.stream_mut(), token, interest).is_err() {
            counters.tcp_errors += 1;
            return;
        }
        self.next_number = number.checked_add(1);
        connection.rename(Carrier::Tcp(number));
        *self.sources.entry(source(connection.path().remote.ip())).or_default() += 1;
        connection.queued = true;
        self.connections.insert(number, connection);
        self.readable.push_back(number);
        counters.tcp_adopted += 1;
    }
}
