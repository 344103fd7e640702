//! Every capacity of the call generators, with its reason.

use std::time::Duration;

/// Calls at once: each takes four ports and four sockets of this process, and both ends' ports stem from one range.
pub(super) const MAX_CALLS: u32 = 4_000;

/// Minutes of a long run: a day.
pub(super) const MAX_MINUTES: u32 = 1_440;

/// Ports of the generator's ends, below those that systems hand out by themselves and those that nodes are given here.
pub(super) const PORTS: std::ops::Range<u16> = 10_000..29_000;

/// One packet of sound.
pub(super) const PACKET: Duration = Duration::from_millis(20);
/// Packets of one stream in a second.
pub(super) const PACKETS_PER_SECOND: u32 = 50;

/// Test sound before it repeats, in packets: longer than any window that is judged at once.
pub(super) const LOOP_PACKETS: usize = 400;

/// Media ahead of what counts: addresses learned, coders and jitter buffers settled.
pub(super) const WARM_UP: Duration = Duration::from_millis(1_500);

/// After what counts each stream presses a key; so long until that is over.
pub(super) const KEYS: Duration = Duration::from_millis(700);

/// How long the last packets may take.
pub(super) const DRAIN: Duration = Duration::from_millis(500);

/// Streams of which one window of sound is kept and judged: what one core decodes and compares in a second or two.
pub(super) const JUDGED: usize = 24;

/// Of a judged stream at most this much sound: memory, and the work of comparing.
pub(super) const JUDGED_WINDOW: Duration = Duration::from_secs(5);

/// Streams of a turn that a foreign decoder judges as well: one of each direction, since it is a process each time.
pub(super) const FOREIGN: usize = 2;

/// How far sound is looked for behind its sender: more than any jitter buffer keeps.
pub(super) const DELAY_MAX: Duration = Duration::from_millis(800);

/// A source later than this at its 99th percentile offered another load than it said. A quarter of a packet's time.
pub(super) const LATE_US: u64 = 5_000;

/// Bytes of a datagram that is taken in: Ethernet's payload and some.
pub(super) const DATAGRAM: usize = 2_048;

/// Packets sent at one go before sockets are looked at again.
pub(super) const BURST: usize = 32;

/// Sent packets whose time and number are remembered, a power of two: five seconds of a stream.
pub(super) const SENT_KEPT: usize = 256;

/// How far behind the newest a packet is known as a copy, a multiple of 64: twenty seconds.
pub(super) const WINDOW: usize = 1_024;

/// How long an answer to an `ng` request may take; then it is repeated under the same cookie.
pub(super) const ANSWER_WITHIN: Duration = Duration::from_millis(500);

/// Times that a request is made before the node counts as gone. Kamailio's default.
pub(super) const TRIES: u32 = 5;

/// Bytes of the largest answer: what a datagram holds.
pub(super) const ANSWER: usize = 65_535;

/// Requests under way at once in a run of set-ups; with more, the node has long been behind.
pub(super) const IN_FLIGHT: usize = 8_192;
