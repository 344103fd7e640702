//! Every capacity of packet io, with its reason.

use std::time::Duration;

/// Datagrams a receive batch: what the core takes at once.
pub const RX_BATCH: usize = 256;

/// Longest datagram that is received, in bytes. Media and handshakes stay below 1500; this leaves room for
/// tunnels. Longer ones are dropped and counted.
pub const MAX_RECEIVED: usize = 2048;

/// Packets a transmit batch. A batch's bytes (about 300 KB of video) still fit the second-level cache together
/// with the keys that encrypt them.
pub const TX_BATCH: usize = 256;

/// Longest packet that can be sent, in bytes: the most that UDP over IPv4 carries.
pub const MAX_SLOT: usize = 65_507;

/// Bytes of transmit slots: a full batch of full-sized packets; at least one of [`MAX_SLOT`].
pub(crate) const TX_BYTES: usize = TX_BATCH * 1536;

/// Datagrams that one socket may fill of a batch in one turn, so that one flooded socket leaves room for others.
pub(crate) const RX_TURN: usize = 64;

/// Local addresses a shard. A host has a few; a wildcard on a container host may stand for dozens.
pub const MAX_LOCALS: usize = 32;

/// Errors of one socket in a row before its turn ends: each consumes one pending error of the kernel.
pub(crate) const MAX_SOCKET_ERRORS: usize = 64;

/// How often a flush waits for a full send buffer, each time for at most [`SEND_WAIT_MS`]. Then packets are
/// dropped: later media is worth more than a shard that stands still.
pub(crate) const SEND_WAITS: usize = 2;
/// See [`SEND_WAITS`]; poll(2) knows nothing finer.
pub(crate) const SEND_WAIT_MS: i32 = 1;

/// Send buffer a socket, in bytes: a key frame of 30 packets to 300 subscribers.
pub(crate) const SEND_BUFFER: usize = 16 * 1024 * 1024;

/// TCP connections a shard. ICE-TCP is the way out for the few whose UDP is blocked; each costs a descriptor
/// and 6 KiB, more when it reads slowly.
pub(crate) const MAX_CONNECTIONS: usize = 512;

/// TCP connections a source (an IPv4 address, an IPv6 /64): an office behind one address, but not the whole
/// table for one stranger.
pub(crate) const MAX_CONNECTIONS_PER_SOURCE: usize = 64;

/// Connections accepted in one turn of a listener.
pub(crate) const ACCEPT_TURN: usize = 32;

/// Frames that one connection may deliver in one turn.
pub(crate) const TCP_TURN: usize = 16;

/// What is read from a connection at once: a few frames.
pub(crate) const TCP_READ_BUFFER: usize = 4 * 1024;

/// Unsent bytes a connection: about a second of video at 2 Mbit/s. A client that is further behind is dropped.
pub(crate) const MAX_WRITE_BUFFER: usize = 256 * 1024;

/// A connection must have been answered within this time: the core answers nothing that is not authenticated,
/// so strangers hold no connection for longer.
pub(crate) const TCP_ANSWER_TIME: Duration = Duration::from_secs(10);

/// A connection on which nothing arrives for this time is closed. Consent checks (RFC 7675) come every 5 s.
pub(crate) const TCP_IDLE_TIME: Duration = Duration::from_secs(30);

/// How often connections are looked through for the two times above.
pub(crate) const TCP_SWEEP: Duration = Duration::from_secs(1);

/// Addresses that the kernel's steering remembers, of the whole node: 6 MiB of the kernel's memory. Beyond, those not
/// heard from for longest are steered by hash and handed over.
#[cfg(target_os = "linux")]
pub(crate) const STEERED_ADDRESSES: usize = 65_536;
