//! Ports of single legs, beside the one that all share: opened on the caller's thread, carried to the shard in the order
//! of the commands.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use kaname_io::{BindError, Door, FIRST_PORT, MAX_PORTS, PortSocket};

use crate::EngineBusy;

/// A port could not be opened. The text names the address and what to change.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    /// The shard takes no orders now.
    #[error("cannot open {address}: {why}")]
    Busy {
        /// What was asked for.
        address: SocketAddr,
        /// Why.
        why: EngineBusy,
    },
    /// The shard has as many as it takes.
    #[error("cannot open {address}: the shard has {MAX_PORTS} ports open; close some, or use another shard")]
    TooMany {
        /// What was asked for.
        address: SocketAddr,
    },
    /// Neither "any address" nor "any port" can stand in a session description.
    #[error("cannot open {0}: name one address of this machine and one port")]
    NotConcrete(SocketAddr),
    /// The system refused.
    #[error(transparent)]
    Bind(#[from] BindError),
}

/// What a shard is told about ports.
#[derive(Debug)]
pub(crate) enum PortOrder {
    Open { local: u32, socket: PortSocket },
    Close(u32),
    SetTos { local: u32, tos: u8 },
}

/// One shard's numbers, on the side of those who ask for ports.
#[derive(Debug)]
pub(crate) struct Opener {
    door: Door,
    /// How many were given out.
    given: AtomicU32,
    /// Open now, or on their way. Shared with the shard, which closes them.
    open: Arc<AtomicUsize>,
}

impl Opener {
    pub(crate) fn new(door: Door, open: Arc<AtomicUsize>) -> Opener {
        Opener { door, given: AtomicU32::new(0), open }
    }

    /// Binds the port and gives it a number that none has had, until all have been given once.
    pub(crate) fn open(&self, address: SocketAddr) -> Result<(u32, PortSocket), PortError> {
        if address.ip().is_unspecified() || address.port() == 0 {
            return Err(PortError::NotConcrete(address));
        }
        if self.open.fetch_add(1, Ordering::AcqRel) >= MAX_PORTS {
            self.give_up();
            return Err(PortError::TooMany { address });
        }
        let local = number(self.given.fetch_add(1, Ordering::Relaxed));
        match self.door.open(local, address) {
            Ok(socket) => Ok((local, socket)),
            Err(error) => {
                self.give_up();
                Err(error.into())
            }
        }
    }

    /// An opened port does not reach its shard.
    pub(crate) fn give_up(&self) {
        self.open.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The `given`-th number: none of the shared sockets'.
fn number(given: u32) -> u32 {
    FIRST_PORT + given % (u32::MAX - FIRST_PORT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_begin_behind_the_shared_sockets_and_wrap_there() {
        assert_eq!(number(0), FIRST_PORT);
        assert_eq!(number(u32::MAX - FIRST_PORT - 1), u32::MAX - 1);
        assert_eq!(number(u32::MAX - FIRST_PORT), FIRST_PORT);
    }
}
