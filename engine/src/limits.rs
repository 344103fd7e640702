//! Every capacity of the runtime, with its reason.

use std::time::Duration;

/// Threads that forward packets. More than the sockets of one machine can feed.
pub const MAX_SHARDS: usize = 64;

/// Threads for handshakes.
pub const MAX_WORKERS: usize = 64;

/// Commands waiting for a shard. A join is about ten commands; a shard takes [`COMMAND_TURN`] between two batches
/// of packets, so this is a storm of 400 joins at once.
pub const COMMAND_QUEUE: usize = 4096;

/// Commands that a shard carries out between two batches of packets: some 100 us.
pub const COMMAND_TURN: usize = 64;

/// Records and keys from the workers waiting for a shard: 500 handshakes with a flight of four datagrams.
pub const LANE_QUEUE: usize = 2048;

/// DTLS datagrams waiting for a worker: what 500 browsers send at once. The core
/// bounds what one leg sends. Lossy: DTLS and SCTP send again.
pub const DATAGRAM_QUEUE: usize = 2048;

/// Orders (secure, forget, close) waiting for a worker. Lossless: refused or kept when full.
pub const ORDER_QUEUE: usize = 4096;

/// Messages waiting for a worker, and their bytes: a chat line to 1000 peers, or a few large files in flight.
pub const MESSAGE_QUEUE: usize = 4096;
/// See [`MESSAGE_QUEUE`].
pub const MESSAGE_QUEUE_BYTES: usize = 16 * 1024 * 1024;

/// Legs a worker keeps. One idle leg is some 100 bytes, one with data channels some 30 KiB.
pub const MAX_LEGS: usize = 65_536;

/// Unfinished handshakes a worker. At 0.2 ms each a worker ends thousands a second, so honest peers never fill it;
/// what it bounds is memory: this times [`HANDSHAKE_BYTES`].
pub const MAX_HALF_OPEN: usize = 1024;

/// Bytes that an unfinished handshake may receive. A handshake takes about 3 KiB in; with every flight repeated
/// some times it stays below, and what is kept of it is never more than what came (64 KiB with our own state).
pub const HANDSHAKE_BYTES: usize = 32 * 1024;

/// Fragments of handshake messages that an association may receive: ten messages, a long chain of certificates in pieces of 200
/// bytes, all of it repeated a few times. Each is compared with those that are kept.
pub const HANDSHAKE_FRAGMENTS: usize = 128;

/// The shortest RSA key of a certificate (RFC 9325 section 4.5).
pub const RSA_BITS: usize = 2048;

/// Handshakes that one leg may begin: a forged ClientHello restarts an unfinished one, and must not burn a worker.
pub const MAX_ATTEMPTS: u32 = 16;

/// Handshakes of a leg on ports of its own that have not yet shown that their sender is where it says: from the
/// signalled address, and from all others together. The oldest goes first, so this over the rate that the core lets
/// through (2000 and 50 a second) is the longest round trip that is served during a flood.
pub const MAX_UNPROVEN_KNOWN: usize = 8;
/// See [`MAX_UNPROVEN_KNOWN`].
pub const MAX_UNPROVEN_STRANGERS: usize = 128;

/// The same of all legs of a worker, some 5 KiB each; strangers may fill half of it.
pub const MAX_UNPROVEN: usize = 4096;

/// Handshakes of a leg on ports of its own that go on at once, from the signalled address and from all others: one is the
/// peer's, one what a retry left behind.
pub const MAX_PROVEN: usize = 4;

/// How long a sender has to show that it is where it says. It repeats the proof, not its first ClientHello: what is forgotten
/// meanwhile cannot go on.
pub const PROOF_TIME: Duration = Duration::from_secs(30);

/// Second ClientHellos that a leg on ports of its own takes at once and a second, from the signalled address and from all
/// others: each costs 0.2 ms.
pub const PROOFS: u32 = 10;

/// How long a leg on ports of its own, or one where we begin, goes on trying after its peer's address showed another
/// certificate than the signalled one: what it showed may be forged.
pub const REFUSED_TIME: Duration = Duration::from_secs(5);

/// Ahead of our first ClientHello: the commands that make its leg reach the shard by another way, and a shard that is busy
/// with calls rests for up to [`COALESCE_MAX`] before it looks.
pub const ACTIVE_DELAY: Duration = Duration::from_millis(3);

/// How long we send ClientHellos where we begin: from the answer to a peer that listens only once its user has answered.
pub const ACTIVE_TIME: Duration = Duration::from_secs(60);

/// How long the state of a handshake is kept behind its end on legs with ports of their own and without data channels: the
/// peer repeats its last flight until it has heard ours. Such legs end by signalling, so no goodbye is kept ready;
/// the state is some 12 KiB.
pub const LINGER_TIME: Duration = Duration::from_secs(60);

/// From the first ClientHello to the keys. Browsers give up after some 30 s.
pub const HANDSHAKE_TIME: Duration = Duration::from_secs(20);

/// First retransmission of a flight; the default of 1 s is felt in every lossy join, and ICE has shown the round
/// trip to be shorter (RFC 8842 asks for no more than that the timer adapts).
pub const FLIGHT_TIME: Duration = Duration::from_millis(250);

/// The longest pause between repetitions of a flight where certificates of RSA are taken: whoever begins to listen late, because
/// its user has only just answered, waits so long at most.
pub const FLIGHT_PAUSE_MAX: Duration = Duration::from_secs(2);

/// How long we wait, where we begin, for the rest of what the other side has begun to say: some of its repetitions. Then we
/// begin anew.
pub const STALL_TIME: Duration = Duration::from_secs(5);

/// Retransmissions of a flight: 250 ms doubled 6 times is [`HANDSHAKE_TIME`].
pub const FLIGHT_RETRIES: usize = 6;

/// Largest DTLS datagram that we send in a handshake: fits IPv6's least path with a tunnel in it.
pub const DTLS_MTU: usize = 1150;

/// Largest message of a data channel, either way; what our descriptions should say in `a=max-message-size`.
pub const MAX_MESSAGE: usize = 256 * 1024;

/// Bytes of received data that an association may hold, all channels together.
pub const SCTP_RECEIVE_BUFFER: u32 = 1024 * 1024;

/// Unsent bytes a leg. A peer that is further behind loses the channel that it does not read.
pub const SCTP_SEND_BUFFER: usize = 1024 * 1024;

/// Open channels a leg.
pub const MAX_CHANNELS: usize = 64;

/// SCTP streams a peer may use: browsers number channels up to 1023.
pub const MAX_STREAMS: u16 = 1024;

/// Longest label and protocol of a channel, in bytes. RFC 8832 allows 65,535; ours name things.
pub const MAX_LABEL: usize = 256;

/// Faults of a shard that it is started anew after; then it stays down. A fault that comes with every packet must
/// not become a busy loop of restarts.
pub const MAX_SHARD_FAULTS: u32 = 16;

/// How often a shard's figures are published.
pub const PUBLISH_TIME: Duration = Duration::from_secs(1);

/// Packets on their way to one shard from all others: sixteen of its batches, 50 ms of a shard that is full with
/// incoming media, 6.5 MiB. Made when a room first spans to the shard. Lossy: who is further behind than that would
/// forward what nobody wants any more.
pub const PARCELS: usize = 4096;

/// Notes on their way to one shard (key frames wanted, packets to be sent again, publishers' clocks): one for each of
/// the streams of a few full rooms. Lossless: they wait at their origin.
pub const NOTES: usize = 4096;

/// Datagrams on their way to the shard whose leg they are for: four batches, 2 MiB. Where the kernel does not steer,
/// half of what two shards receive goes this way, and it is taken once a round. Lossy.
pub const STRAYS: usize = 1024;

/// Addresses that others validated and that a shard has not yet taken note of. Lossy: the next check tells again.
pub const LEARNED: usize = 1024;

/// TCP connections on their way to their shard: as many as it could accept at once. Beyond, they are closed and try
/// again.
pub const CONNECTIONS: usize = 64;

/// Addresses of other shards' legs that a shard remembers: the legs of four full shards. Beyond, the oldest goes, and
/// is learned again from its next check.
pub const KNOWN_ADDRESSES: usize = 65_536;

/// The longest rest of a shard that is busy with calls, at most: a packet of speech comes each 20 ms, and what
/// is a tenth of that no jitter buffer notices.
pub const COALESCE_MAX: Duration = Duration::from_millis(2);

/// Packets that must come in that time on average for it to be worth a rest: with one there would be as many looks as
/// packets, only later.
pub const MODERATION_LEAST: u32 = 2;

/// Packets for which such a shard rests; it then looks, however long it might have rested. With so many
/// what a wake-up costs is shared out well, and more would only wait.
pub const MODERATION_ENOUGH: u32 = 8;

/// How long a packet on the shared port keeps a shard from resting. A room's packets come 20 ms apart at most while somebody
/// speaks, so only the first after a pause can fall into a rest.
pub const MODERATION_PAUSE: Duration = Duration::from_millis(25);

/// How far ahead of an audio worker's turn a shard takes in what is for it: the worst of its own lateness, and the time that
/// it takes for a packet of each of a hundred ports.
pub const PATIENCE_LEAD: Duration = Duration::from_millis(1);

/// A look that is so near is done at once by a shard that is awake for another reason.
pub const PATIENCE_NEAR: Duration = Duration::from_micros(500);

/// An audio worker that begins to run so late was stopped, and as a rule the whole machine with it: what came meanwhile has yet to
/// reach the sockets, and senders on the same machine have yet to catch up.
pub const STOPPED: Duration = Duration::from_millis(5);

/// So long turns wait behind a stop: more delay for those that are late anyhow, and none without its packet.
pub const RESUME: Duration = Duration::from_millis(5);

/// How often an audio worker asks, with a turn that is due, whether a shard that is behind with its looks has looked: five
/// milliseconds, and [`PATIENCE_MAX`] at most where each takes longer. A turn that is late by this is heard by nobody, and one
/// without its packet is. Counted, since what keeps a shard from looking is a machine that stands still, and time goes by in that.
pub const LOOK_ASKS: u32 = 25;

/// Between two of those.
pub const LOOK_EACH: Duration = Duration::from_micros(200);

/// Between two looks at most: a packet of speech.
pub const PATIENCE_MAX: Duration = Duration::from_millis(20);

/// A wait that was over so soon was no sleep: something was there already. Going to sleep and waking takes longer.
pub const NO_SLEEP: Duration = Duration::from_micros(2);

/// How long a shard looks for more before it sleeps, at first and at most. A sleep and the wake-up from it cost some 5 us
/// of processor and, in a virtual machine, up to 50 us of delay.
pub const SPIN_START: Duration = Duration::from_micros(20);
/// See [`SPIN_START`].
pub const SPIN_MAX: Duration = Duration::from_micros(50);

/// A sleep that was over so soon might have been a spin: as long as one, and the wake-up's own delay.
pub const SPIN_NEAR: Duration = Duration::from_micros(100);

/// Spins in vain in a row before they are given up: one of each length, and one for chance.
pub const SPIN_TRIES: u32 = 4;

/// Waits that are slept through after that, at first and at most; each failure doubles them. At the most, spinning in
/// vain costs a fraction of a per cent.
pub const SPIN_REST_MIN: u32 = 16;
/// See [`SPIN_REST_MIN`].
pub const SPIN_REST_MAX: u32 = 1024;

/// Threads for audio. More than the shards of one machine can feed.
pub const MAX_AUDIO_WORKERS: usize = 64;

/// Commands waiting for an audio worker: a call is four, so this is a storm of 1000 calls at once. Lossless: refused
/// when full.
pub const AUDIO_COMMANDS: usize = 4096;

/// Transcoders, players, taps and rooms of a worker: far more than one core carries of the cheapest.
pub const AUDIO_ITEMS: usize = 16_384;

/// How far behind an audio worker may be and still catch up, in milliseconds: two of the longest packets. What is older
/// would only be late sound.
pub const AUDIO_CATCH_UP_MS: u64 = 120;

/// How often the clocks of what a worker makes are told, for sender reports: they do not drift, so once would do were
/// it not for shards that start anew.
pub const AUDIO_REPORT_TIME: Duration = Duration::from_secs(5);

/// Recorders of an audio worker, listeners among them: what one disk and one thread write with time to spare.
pub const RECORDERS: usize = 256;

/// Stretches of sound (20 ms) that each recorder adds to those on their way to the disk: 1.3 s of a stalled disk.
/// Lossy: a longer stall leaves silence in the file, and is left out for who listens.
pub const RECORD_SOUNDS: usize = 64;

/// Recorders whose sounds find room at once, of all workers; those beyond share it.
pub const RECORD_ROOM: usize = 64 * RECORD_SOUNDS;

/// Beginnings and ends of recordings on their way to the disk. Lossless: they wait at their origin.
pub const RECORD_ORDERS: usize = 1024;
