//! The five-tuple as a value: where a datagram came from, and where one goes to.

use std::net::SocketAddr;

/// What carries the datagrams of a [`Path`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Carrier {
    /// A UDP socket of the shard.
    Udp,
    /// A TCP connection with RFC 4571 framing (ICE-TCP, RFC 6544). The number is never reused while the
    /// node runs, so a path of a closed connection cannot reach a stranger's.
    Tcp(u32),
}

/// One way between the node and a peer: carrier, local socket, remote address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Path {
    /// UDP or one TCP connection.
    pub carrier: Carrier,
    /// The shard's local socket: the shared ones by index (one for each bound address), those of single legs by the
    /// number they were given when they were opened.
    pub local: u32,
    /// The peer's transport address. An IPv4 peer is always a V4 address, never mapped into V6.
    pub remote: SocketAddr,
}

impl Path {
    /// A UDP path through local socket `local`.
    pub fn udp(local: u32, remote: SocketAddr) -> Self {
        Path { carrier: Carrier::Udp, local, remote }
    }
}
