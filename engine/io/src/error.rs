//! Why sockets could not be made, in words for whoever started the node.

use std::io;
use std::net::{IpAddr, SocketAddr};

/// A socket could not be made. The text names the address and what to do.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another process has the port.
    #[error("{address} ({transport}) is in use by another process; stop it, or choose another port")]
    InUse {
        /// What was asked for.
        address: SocketAddr,
        /// "UDP" or "TCP".
        transport: &'static str,
    },
    /// No interface has the address.
    #[error("no interface of this machine has the address {0}; `ip address` lists those it has")]
    NoSuchAddress(IpAddr),
    /// The port needs a privilege.
    #[error("{address} ({transport}) needs a privilege; choose a port of 1024 or above")]
    Forbidden {
        /// What was asked for.
        address: SocketAddr,
        /// "UDP" or "TCP".
        transport: &'static str,
    },
    /// This process, or the machine, has as many descriptors as it may.
    #[error(
        "cannot open {address} ({transport}): too many open files; raise the limit (ulimit -n, LimitNOFILE=)"
    )]
    TooManyFiles {
        /// What was asked for.
        address: SocketAddr,
        /// "UDP" or "TCP".
        transport: &'static str,
    },
    /// Nothing to bind to.
    #[error("no address to listen on; name at least one")]
    NoAddress,
    /// A wildcard stood for more addresses than a shard takes.
    #[error("{found} addresses to listen on, at most {limit} are taken; name those to use")]
    TooMany {
        /// How many.
        found: usize,
        /// At most.
        limit: usize,
    },
    /// Anything else.
    #[error("cannot listen on {address} ({transport}): {source}")]
    Other {
        /// What was asked for.
        address: SocketAddr,
        /// "UDP" or "TCP".
        transport: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The poller could not be made.
    #[error("cannot make the poller: {0}; raise the limit of open files (ulimit -n)")]
    Poll(io::Error),
    /// The machine's addresses could not be listed.
    #[error("cannot list the addresses of this machine: {0}; name those to use instead of a wildcard")]
    Interfaces(io::Error),
}
