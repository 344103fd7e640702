//! How much the `ng` door takes in, each with its reason.

use std::time::Duration;

/// Bytes of a message: what a UDP datagram holds. An SDP with every codec and candidate has about 8 KiB.
pub const MESSAGE_BYTES: usize = 65_535;

/// Bytes of a cookie: Kamailio's have about 20.
pub const COOKIE_BYTES: usize = 128;

/// Dictionaries and lists within each other: the deepest documented message has three.
pub const DEPTH: usize = 8;

/// Values in one message, all levels together: the documented options number about 200.
pub const VALUES: usize = 4_096;

/// How long a reply is kept for a repeated request: Kamailio gives up after `rtpengine_tout_ms` times
/// `rtpengine_retr`, by default 1 s times 5.
pub const REPLY_TIME: Duration = Duration::from_secs(10);

/// Bytes of replies that are kept: ten seconds of a thousand calls a second, at 3 KiB an SDP.
pub const REPLY_BYTES: usize = 32 << 20;

/// Requests that wait to be done: a second of the load that a node is meant for.
pub const REQUESTS: usize = 4_096;

/// Connections of all doors over TCP: a few for each worker of each proxy.
pub const CONNECTIONS: usize = 512;

/// Replies that wait for a connection whose other end does not read; more are lost.
pub const UNSENT_REPLIES: usize = 256;

/// Connections that wait to be accepted.
pub const BACKLOG: i32 = 256;

/// Receive buffer of a UDP door: a second of 1,000 offers and answers of 2 KiB, as the kernel counts them.
pub const RECEIVE_BUFFER: usize = 8 << 20;
