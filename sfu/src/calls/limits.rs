//! How much one call, and all of them, may take, each with its reason.

use std::time::Duration;

/// The pulse of the calls: time-outs need no finer one.
pub const TICK: Duration = Duration::from_millis(100);

/// How soon commands that a full queue refused are tried again: a shard empties its queue every batch.
pub const RETRY: Duration = Duration::from_millis(2);

/// Commands that wait for a shard; beyond, new calls are refused. A call makes about a dozen.
pub const BACKLOG: usize = 16_384;

/// Bytes of a call-id, tag, branch or label: SIP stacks write up to about 100.
pub const NAME_BYTES: usize = 512;

/// Sides of one call: an offerer, and the branches that it was forked to, and subscribers.
pub const PARTIES: usize = 64;

/// How long a shard may take to tell a leg's figures: it answers within a batch; one that has not by then is stuck.
pub const STATS_PATIENCE: Duration = Duration::from_millis(500);

/// How often a caller is asked for a room's PIN. Whoever mistypes once does so again; more is guessing.
pub const PIN_TRIES: u32 = 3;

/// How long a caller at a room's door may take to begin typing, once it was asked: to find the paper with the PIN.
pub const PIN_PATIENCE: Duration = Duration::from_secs(15);

/// How long it may take from key to key; a longer pause ends the PIN.
pub const PIN_KEY: Duration = Duration::from_secs(5);

/// How often each leg is asked for its figures, so that silence is noticed: ten thousand calls are 4,000 questions a
/// second, a thousandth of what shards do.
pub const LOOK_INTERVAL: Duration = Duration::from_secs(5);

/// Stretches of forwarded sound (20 ms) that wait for one connection: five seconds, as long as making one may take.
/// Lossy: a receiver that is further behind would hear yesterday's news.
pub const FORWARD_PIECES: usize = 250;

/// How long a receiver of forwarded sound may take to accept a connection, with its handshake, or to take what waits.
pub const FORWARD_PATIENCE: Duration = Duration::from_secs(5);

/// How long a stream waits before it tries a receiver again, at first and at most: twice as long from time to time.
pub const FORWARD_RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
