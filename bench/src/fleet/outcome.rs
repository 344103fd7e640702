//! What came of a scenario.

use serde::{Deserialize, Serialize};

/// Counts of RTP packets, over all receivers. Each packet counts once for each receiver it is due at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Packets {
    /// Packets that the sources sent.
    pub sent: u64,
    /// Packets due: sent, times the receivers that were subscribed when they were.
    pub due: u64,
    /// Packets that came, each counted once.
    pub received: u64,
    /// Packets due that never came, repairs included.
    pub lost: u64,
    /// Packets that came again.
    pub duplicates: u64,
    /// Packets that came after a later one of the same stream, repairs not counted.
    pub reordered: u64,
    /// Packets that came only as a repair (RTX).
    pub repaired: u64,
    /// Packets whose RTP sequence number does not go with their place in the stream: the node broke the order of
    /// indices (RFC 3550 section 5.1 wants one step a packet).
    pub misnumbered: u64,
    /// Packets that failed authentication, or carried no stamp of this run.
    pub foreign: u64,
}

/// Forwarding delay in microseconds: from the publisher's `send` to the receiving kernel's time of arrival, same clock.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Delay {
    /// Median.
    pub p50: u64,
    /// 99th percentile.
    pub p99: u64,
    /// 99.9th percentile.
    pub p999: u64,
    /// The longest.
    pub max: u64,
    /// Interarrival jitter (RFC 3550 section 6.4.1), mean over the streams received.
    pub jitter: u64,
    /// The counts behind it: upper bound of a bucket in microseconds, packets in it. For plots.
    pub histogram: Vec<(u64, u64)>,
}

/// How clients came in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Joins {
    /// Clients that were to join.
    pub asked: u32,
    /// Clients that connected.
    pub connected: u32,
    /// Clients that the node refused, or that never connected.
    pub failed: u32,
    /// Clients that left again.
    pub left: u32,
    /// Connected clients a second, over the time from the first call to the last connection.
    pub per_second: f64,
    /// From the API call to the end of the handshake, in microseconds: median and 99th percentile.
    pub connected_us: (u64, u64),
    /// From the API call to the first packet of media, in microseconds: median and 99th percentile.
    pub first_media_us: (u64, u64),
}

/// The node, as seen from outside of it. `None` where the process is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct NodeFigures {
    /// CPU time of all threads a packet received, while media ran.
    pub cpu_us_per_packet: Option<f64>,
    /// CPU time of all threads a second of wall clock: 1.0 is one core.
    pub cpu_cores: Option<f64>,
    /// The busiest thread: 1.0 is a saturated one.
    pub busiest_thread: Option<f64>,
    /// CPU time of all threads a client, while clients joined.
    pub cpu_us_per_join: Option<f64>,
    /// Growth of the resident set a connected client, in bytes.
    pub rss_per_client: Option<u64>,
    /// Growth of the proportional set a connected client, in bytes.
    pub pss_per_client: Option<u64>,
    /// Context switches a second while media ran: voluntary, involuntary.
    pub context_switches: Option<(u64, u64)>,
    /// Datagrams the kernel dropped at the node's sockets.
    pub socket_drops: Option<u64>,
}

/// How the harness itself fared. A run in which it was short of anything says nothing about the node.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Harness {
    /// CPU time of the busiest thread a second: 1.0 is a saturated one.
    pub busiest_thread: f64,
    /// CPU time of the whole process a second.
    pub cpu_cores: f64,
    /// Datagrams the kernel dropped at the harness's own sockets.
    pub socket_drops: u64,
    /// How late sources were: 99th percentile and the longest, in microseconds.
    pub late_us: (u64, u64),
    /// Packets that its kernel refused to send.
    pub unsent: u64,
    /// What the harness was short of; empty is healthy.
    pub short_of: Vec<String>,
}

/// What limited a run, or the capacity that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bottleneck {
    /// The node's threads were saturated.
    NodeCpu,
    /// The node's sockets overflowed.
    NodeSocket,
    /// The harness was saturated: the node may well carry more.
    HarnessCpu,
    /// The harness's sockets overflowed: the node may well carry more.
    HarnessSocket,
    /// Packets came, but late.
    Delay,
    /// Packets were lost, and none of the above explains it.
    Loss,
    /// Clients could not join.
    Joins,
}

/// One second of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Seconds since the start.
    pub at: f64,
    /// Clients connected now.
    pub connected: u32,
    /// Packets that sources sent in this second.
    pub sent: u64,
    /// Packets that receivers got in this second, and their bytes with RTP headers.
    pub received: u64,
    /// See `received`.
    pub bytes: u64,
    /// Packets due so far that have not come (some are on their way).
    pub missing: u64,
    /// Delay in this second, in microseconds: median, 99th percentile, longest.
    pub delay_us: (u64, u64, u64),
    /// CPU of the node: cores' worth.
    pub node_cpu: Option<f64>,
    /// Resident set of the node in bytes.
    pub node_rss: Option<u64>,
    /// CPU of the harness: cores' worth.
    pub harness_cpu: f64,
}

/// The result of a scenario.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The scenario's name.
    pub scenario: String,
    /// What was forwarded by whom: the target's own words.
    pub system: String,
    /// Profile negotiated, such as `AEAD_AES_128_GCM`.
    pub suite: String,
    /// Seconds that media was counted.
    pub seconds: f64,
    /// Clients that published and clients that received, at most at once.
    pub publishers: u32,
    /// See `publishers`.
    pub subscribers: u32,
    /// Mean RTP payload in bytes.
    pub payload: u32,
    /// Packets a second that came, mean.
    pub packets_per_second: f64,
    /// Light clients.
    pub packets: Packets,
    /// The sampled clients on a foreign stack: how many, and what they saw by themselves.
    pub foreign_clients: u32,
    /// See `foreign_clients`.
    pub foreign: Packets,
    /// Of light clients.
    pub delay_us: Delay,
    /// Joining.
    pub joins: Joins,
    /// The node.
    pub node: NodeFigures,
    /// The harness.
    pub harness: Harness,
    /// One a second.
    pub samples: Vec<Sample>,
    /// Why clients failed, in the node's words: the first few.
    pub failures: Vec<String>,
}
