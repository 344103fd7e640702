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
