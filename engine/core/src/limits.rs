//! Every capacity of the shard, with its reason.

use std::time::Duration;

/// Datagrams a call to ingest: one receive call's worth; structures of the batch stay within L2.
pub const BATCH: usize = 256;

/// Bytes of an arena slot, and so of the longest media packet: an Ethernet frame's payload and the roundness of
/// cache lines. Browsers keep RTP below 1200 bytes.
pub const SLOT_LEN: usize = 1536;

/// Arena slots from the start: six full batches in flight, 2.3 MiB.
pub const ARENA_SLOTS_MIN: usize = 6 * BATCH;

/// Arena slots at most: 96 MiB, the repair caches of about 150 busy video streams; beyond, caches shrink.
pub const ARENA_SLOTS_MAX: usize = 65_536;

/// Slots by which a tick grows the arena when fewer than this many are free: two batches.
pub const ARENA_STEP: usize = 2 * BATCH;

/// Legs a shard: four times the subscribers that one core serves with voice.
pub const LEGS: usize = 16_384;

/// Streams that all legs of a shard receive.
pub const STREAMS: usize = 65_536;

/// Senders of all legs of a shard: a room of 250 in which everyone hears and sees everyone.
pub const SENDERS: usize = 131_072;

/// Streams a leg: a camera and a screen in three layers each, a microphone, and room for gateways.
pub const STREAMS_PER_LEG: usize = 64;

/// Senders a leg: a wall of 500 tiles with sound.
pub const SENDERS_PER_LEG: usize = 1024;

/// Payload types a stream or a route: one more than browsers offer for video.
pub const PAYLOAD_TYPES: usize = 64;

/// Bytes of a mid, a rid or a repaired rid: what a one-byte header extension element holds (RFC 8285).
pub const NAME_LEN: usize = 16;

/// Bytes of a CNAME: RFC 7022 names have 16 to 24; an SDES item could hold 255.
pub const CNAME_LEN: usize = 64;

/// Validated paths a leg: a browser on two networks with IPv4, IPv6, UDP and TCP. The least recently checked
/// goes first, never the selected one.
pub const PATHS_PER_LEG: usize = 8;

/// RFC 7675 section 5.1: consent expires 30 seconds after the last good check.
pub const CONSENT_TIME: Duration = Duration::from_secs(30);

/// Attributes of a connectivity check that are looked at: browsers send nine.
pub const STUN_ATTRIBUTES: usize = 24;

/// Bytes of a connectivity check: an Ethernet frame's payload, since browsers try out DTLS inside of checks.
pub const STUN_LEN: usize = 1500;

/// Checks a second from one source: browsers send 20 to 50 while connecting, then one each 2.5 s.
pub const CHECKS_PER_SECOND: u32 = 100;

/// Buckets of the check limit, by hash of the source: 64 KiB. Sources that share a bucket share its rate.
pub const CHECK_BUCKETS: usize = 4096;

/// Checks a second with a known user name from addresses that are not yet validated, all sources together:
/// about 2 % of a core for their HMACs.
pub const STRANGER_CHECKS_PER_SECOND: u32 = 20_000;

/// DTLS records a second and leg, to bound what a flood costs the handshake workers; data channels at 10 Mb/s
/// stay below.
pub const DATAGRAMS_PER_SECOND: u32 = 2_000;

/// Bytes of a DTLS datagram: RFC 9147 records over Ethernet, and what TCP framing may bring.
pub const DATAGRAM_LEN: usize = 2_048;

/// Authenticated media packets a second and leg: 120 Mb/s of 1200-byte packets. Only packets whose tag was good
/// are charged, so a forger cannot use up an honest leg's share.
pub const MEDIA_PER_SECOND: u32 = 12_500;

/// Packets of media at once: three key frames of 4 Mb.
pub const MEDIA_BURST: u32 = 2_500;

/// RTCP packets a second and leg: feedback at 50 ms from each of ten streams, twice over.
pub const RTCP_PER_SECOND: u32 = 500;

/// Bytes of an RTCP datagram.
pub const RTCP_LEN: usize = SLOT_LEN;

/// Bytes of our own RTCP datagrams: safe over any IPv6 path (1280) after SRTCP, UDP and IP.
pub const RTCP_OUT_LEN: usize = 1_150;

/// Bytes that wait to be drained besides media (STUN, DTLS, RTCP): a report of every leg at once.
pub const OUTBOX_BYTES: usize = 4 << 20;

/// Repairs that wait to be drained: a lost burst of a hundred packets at forty subscribers.
pub const REPAIRS: usize = 4_096;

/// Packets that a drain turns into one call to the SRTP kernels: enough lanes for any kernel, scratch within L1.
pub const PROTECT_BATCH: usize = 64;

/// Descriptors of one fan-out step: one call to the SRTP kernels. They and their headers stay within L1.
pub const FAN_OUT: usize = PROTECT_BATCH;

/// Headers kept for the other copies of the same packets, a power of two: the packets of a large frame.
pub const TEMPLATES: usize = 16;

/// Bytes of a rewritten RTP header: fixed part, 15 CSRCs, and all extensions that we pass on at their longest.
pub const HEADER_LEN: usize = 448;

/// Packets that a video stream's repair cache holds, a power of two: 1.2 s at 4 Mb/s.
pub const CACHE_PACKETS: usize = 512;

/// Age of a packet in a repair cache: more is no use to a conversation.
pub const CACHE_AGE: Duration = Duration::from_millis(1_500);

/// Past routes a sender remembers, to repair packets from before a switch.
pub const SEGMENTS: usize = 4;

/// A larger gap in a stream is closed at the sender, so that receivers' roll-over estimates (RFC 3711 section
/// 3.3.1) never see half the circle.
pub const GAP_MAX: u64 = 3_000;

/// Packets that a stream looks back over for duplicates, a power of two.
pub const SEEN_WINDOW: usize = 2_048;

/// Missing packets of a stream that are asked for at once: a lost burst; more calls for a key frame.
pub const MISSING: usize = 128;

/// How long a gap may be reordering before it is asked for.
pub const NACK_FIRST: Duration = Duration::from_millis(5);

/// Between requests for the same packet, unless the round trip is known to be longer.
pub const NACK_REPEAT: Duration = Duration::from_millis(60);

/// Requests for one packet; then it is given up.
pub const NACK_TRIES: u8 = 10;

/// Share of a sender's rate that repairs may use: one in five.
pub const REPAIR_SHARE: u32 = 5;

/// Repair bytes that an idle sender saves up: a burst of 40 packets.
pub const REPAIR_SAVINGS: u32 = 48_000;

/// Repairs remembered a sender, so that one packet is repaired at most once a round trip.
pub const RECENT_REPAIRS: usize = 64;

/// Round trip where none is measured.
pub const ROUND_TRIP_DEFAULT: Duration = Duration::from_millis(80);

/// Packets that one NACK may ask for: a burst; more is a lie or calls for a key frame.
pub const NACK_PER_PACKET: usize = 256;

/// Between key frame requests to one stream.
pub const KEY_FRAME_INTERVAL: Duration = Duration::from_secs(1);

/// The same for requests because a route is new: a storm of joins makes four a second.
pub const KEY_FRAME_ROUTE_INTERVAL: Duration = Duration::from_millis(250);

/// Between transport-wide feedback packets: what browsers' estimators expect (50 to 250 ms).
pub const TRANSPORT_CC_INTERVAL: Duration = Duration::from_millis(50);

/// Arrivals kept for one transport-wide feedback: 120 Mb/s at the interval.
pub const TRANSPORT_CC_LOG: usize = 1_024;

/// Sequence numbers that one transport-wide feedback spans; a sender that jumps further starts anew.
pub const TRANSPORT_CC_SPAN: u64 = 2_048;

/// Between reports of a leg (RFC 3550 section 6.2, with the 360/bandwidth rule of RFC 4585 rounded to what
/// browsers do), before jitter by a factor of 0.5 to 1.5.
pub const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// Between level events of a stream.
pub const LEVEL_INTERVAL: Duration = Duration::from_millis(100);

/// Grain of the timers: ticks closer together are one.
pub const TICK: Duration = Duration::from_millis(5);

/// Sender reports remembered a sender for round trips.
pub const REPORTS_REMEMBERED: usize = 4;

/// SSRCs that a leg sent with and that are never used again under its keys: what its SRTP session remembers at
/// most. Beyond, the leg takes no more senders until it is re-keyed.
pub const RETIRED_SSRCS: usize = kaname_srtp::limits::MAX_RETIRED;

/// Packets that wait for their fan-out: sixteen batches, should the transmit slots be full for a while.
pub const FORWARDS: usize = 16 * BATCH;

/// Packets that wait to cross to other shards: as many as may wait for their fan-out here.
pub const CROSSING_PACKETS: usize = FORWARDS;

/// Packets of an imported stream that are remembered as asked for again: a lost burst, so that forty subscribers who
/// miss it ask the other shard once.
pub const CROSSING_AGAIN: usize = 128;

/// Shards that a stream goes to: all but its own, of the most that an engine has.
pub const EXPORTS_PER_STREAM: usize = 63;

/// Repairs in one call to the SRTP kernels: each needs scratch for its payload, as the original's number goes in
/// front of it.
pub const REPAIR_BATCH: usize = 16;

/// Bytes of a payload that an audio worker makes: a slot, less what a header and a tag add when it leaves.
pub const PARCEL_PAYLOAD: usize = SLOT_LEN - 128;

/// How long a leg's peer in the clear may be learned after its address was set: a callee answers and sends within it,
/// a stranger has no more time than it.
pub const LEARN_WINDOW: Duration = Duration::from_secs(10);

/// Packets in a row with one SSRC from one source, before a peer in the clear is believed to be there: 60 ms of voice.
pub const LEARN_PACKETS: u8 = 4;

/// Sources in the clear that are followed at once while a peer is learned: it, its other network, and strangers. The one
/// not heard for longest makes room.
pub const LEARN_SOURCES: usize = 4;

/// DTLS records a second that a leg on ports of its own takes from all who are not where its peer was said to be: a
/// handshake of large certificates with its repeats from behind a NAT.
pub const STRANGER_DATAGRAMS_PER_SECOND: u32 = 100;

/// Packets in a row of a new SSRC before it takes over the stream of a leg on ports of its own (RFC 3550 appendix A.1
/// wants two): a transfer, a music server.
pub const SSRC_PACKETS: u8 = 3;

/// Between two changes of a stream's SSRC: who changes more often is no phone, and each change is told.
pub const SSRC_INTERVAL: Duration = Duration::from_millis(200);

/// Between two moves that are learned of a peer under SRTP: each is told.
pub const MOVE_INTERVAL: Duration = Duration::from_millis(100);

/// How long authentic packets from where a peer was before a new offer do not bring it back: what was on its way. It may be
/// there still, behind a NAT, and is learned again then.
pub const STRAGGLERS: Duration = Duration::from_millis(200);

/// Inbound sessions put aside a leg: a call that goes to music on hold, to a colleague, and back.
pub const PUT_ASIDE: usize = 2;

/// How long an imported stream may be without its publisher's clocks before our own are told instead: two of its report
/// intervals (RFC 3550 section 6.2).
pub const REPORT_PATIENCE: Duration = Duration::from_secs(10);

/// How long a peer in the clear was silent before it may have moved: longer than a pause between talk spurts' packets
/// in transit, shorter than a caller waits.
pub const HANDOVER_SILENCE: Duration = Duration::from_secs(2);
