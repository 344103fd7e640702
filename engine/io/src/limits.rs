//! Every capacity of packet io, with its reason.

use std::time::Duration;

/// Datagrams a receive batch: what the core takes at once.
pub const RX_BATCH: usize = 256;

/// Longest datagram that is received, in bytes. Media and handshakes stay below 1500; this leaves room for
/// tunnels. Longer ones are dropped and counted.
pub const MAX_RECEIVED: usize = 2048;

/// Packets a transmit batch: of voice, where a system call is shared by all of them. Video is bounded by bytes first.
pub const TX_BATCH: usize = 256;

/// Bytes of a transmit batch from which on it takes no more destinations, only the rest of the last one's run: what has
/// been encrypted is then still close when the kernel copies it, and no run is cut in two.
pub(crate) const TX_FULL: usize = 96 * 1024;

/// Longest packet that can be sent, in bytes: the most that UDP over IPv4 carries.
pub const MAX_SLOT: usize = 65_507;

/// Bytes of transmit slots: a full batch of full-sized packets; at least one of [`MAX_SLOT`].
pub(crate) const TX_BYTES: usize = TX_BATCH * 1536;

/// Packets a run: what every kernel since 4.18 cuts (UDP_MAX_SEGMENTS; 128 since 6.9).
pub(crate) const RUN_PACKETS: usize = 64;

/// Bytes a run. The kernel's own limit is 64 KiB; a run leaves in one burst, and is lost as a whole where a queue is
/// full. At 27 packets of 1200 bytes what a message costs is shared out already.
pub(crate) const RUN_BYTES: usize = 32 * 1024;

/// Longest message that the kernel hands over when it joins datagrams (UDP_GRO), in bytes.
pub(crate) const MAX_MESSAGE: usize = 65_535;

/// Slots for such messages: 4 MiB of addresses, of which only what is used becomes memory. One system call for 64
/// voice packets costs a fiftieth of handling them.
pub(crate) const GRO_SLOTS: usize = 64;

/// Frames that all TCP connections together may fill of a batch: a flood over TCP leaves room for UDP.
pub(crate) const TCP_SHARE: usize = RX_BATCH / 4;

/// Packets received and not yet handed out, at most: all slots full of the most that the kernel joins
/// (UDP_GRO_CNT_MAX).
pub(crate) const RX_PENDING: usize = TCP_SHARE + GRO_SLOTS * 64;

/// How long a destination that refused a run gets its packets one by one: routes and devices change.
pub(crate) const REFUSAL_TIME: Duration = Duration::from_secs(60);

/// Destinations remembered for that time, a power of two: four times the voice subscribers of a core. Two that meet in
/// a place forget each other, which costs a refused call each time.
pub(crate) const REFUSALS: usize = 4096;

/// Refusals through one socket within that time after which all its destinations count as refusing: it is the device.
pub(crate) const DEVICE_REFUSALS: usize = 64;

/// Local addresses a shard. A host has a few; a wildcard on a container host may stand for dozens.
pub const MAX_LOCALS: usize = 32;

/// Number of the first port of a single leg; those below are the shared sockets'.
pub const FIRST_PORT: u32 = 256;

/// Ports of single legs, a shard. Two are a leg's at most (RTP and RTCP), so this is some 4000 calls of two sides with
/// one m-line, many times what a core forwards. Each is a file descriptor and 2 KiB of the kernel's memory.
pub const MAX_PORTS: usize = 16_384;

/// Receive and send buffer of such a port, in bytes: a key frame of 40 packets, or three seconds of voice. The kernel may
/// use twice as much for its own bookkeeping; all ports of a shard together are bounded by `net.ipv4.udp_mem`.
pub(crate) const PORT_BUFFER: usize = 64 * 1024;

/// Datagrams that one port may deliver before the next ready one has its turn.
pub(crate) const PORT_TURN: usize = 8;

/// Events taken at once of patient ports: a look brings a packet of each of many.
pub(crate) const PATIENT_EVENTS: usize = 256;

/// How long a packet may have waited in a patient port, by the kernel's stamp: what is longer is a step of the calendar's
/// clock. Ten packets of speech.
pub(crate) const MAX_WAITED: Duration = Duration::from_millis(200);

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
