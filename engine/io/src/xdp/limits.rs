//! Every capacity of the AF_XDP backend, with its reason.

use std::time::Duration;

use crate::limits::TX_BATCH;

/// Frames for sending: eight batches may be under way in the device at once.
pub(super) const TX_FRAMES: u32 = 8 * TX_BATCH as u32;

/// Frames for receiving, a queue: 30 publishers' key frames of 100 packets at once, and as much again before the
/// shard comes round.
pub(super) const RX_FRAMES: u32 = 4096;

/// Received packets wait here; as many as there are frames, so that the ring is never what is full.
pub(super) const RX_RING: u32 = RX_FRAMES;
/// Frames that the kernel may receive into.
pub(super) const FILL_RING: u32 = RX_FRAMES;
/// Frames to send.
pub(super) const TX_RING: u32 = TX_FRAMES;
/// Frames that were sent; all of them fit, so that the kernel never waits for us.
pub(super) const COMPLETION_RING: u32 = TX_FRAMES;

/// Packets a call to the kernel. A call costs about as much as copying one packet: a few dozen share it.
pub(super) const KICK: u32 = 64;

/// Frame size for an ordinary MTU, in bytes, and for a longer one.
pub(super) const FRAME: usize = 2048;
/// See [`FRAME`]; the kernel takes no larger ones than a page.
pub(super) const LONG_FRAME: usize = 4096;

/// What drivers keep free ahead of a received frame (Linux: `XDP_PACKET_HEADROOM`).
pub(super) const RX_HEAD_ROOM: usize = 256;

/// Destinations a shard whose route is known; beyond, the kernel's socket sends.
pub(super) const MAX_ROUTES: usize = 16_384;

/// Neighbours on the link whose address is known. Linux itself keeps 1024 by default.
pub(super) const MAX_NEIGHBOURS: usize = 4096;

/// Questions to the kernel a flush, each a few microseconds: a join storm must not stop the packets of others.
pub(super) const LOOKUPS_A_TURN: usize = 16;

/// How long a route is believed. Changes are told at once; this is for what is not told, such as a path MTU.
pub(super) const ROUTE_LIFE: Duration = Duration::from_secs(30);

/// How often the kernel's figures are read and routes aged.
pub(super) const SWEEP: Duration = Duration::from_secs(1);

/// Queues a shard serves at most: a receive batch is shared among them.
pub(super) const MAX_QUEUES: usize = 16;

/// How often what is not there yet is tried, for a second in all: the kernel clears up after an earlier process in the
/// background, and may take so long to notice the link of a new interface.
pub(super) const OPEN_TRIES: u32 = 50;
/// Between two tries.
pub(super) const OPEN_PAUSE: Duration = Duration::from_millis(20);
