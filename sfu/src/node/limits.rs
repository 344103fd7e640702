//! How much one node takes on, each with its reason.

use std::time::Duration;

/// Limits of a node. All can be configured; the defaults suit one machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeLimits {
    /// Rooms at once. A room costs little, but joins create rooms: without a bound, tokens for `*` fill memory.
    pub rooms: usize,
    /// Peers at once in all rooms. Each costs a handshake (about 170 us) and some 10 KiB of DTLS and SCTP state.
    pub peers: usize,
    /// Peers in one room. News goes to all of them, so a join costs as many notices as there are peers.
    pub peers_per_room: usize,
    /// Peers of one room on one shard; with more, the room spans to another. Packets cross once a shard however many
    /// are there, so a room should span late: at 500 a speaker's voice and picture (150 packets a second) are 75,000
    /// packets a second to encrypt and send, a tenth of what a core does.
    pub room_peers_per_shard: usize,
    /// How busy a shard may be, in thousandths of its time, before a room that lives there grows on another instead.
    /// Above, queues begin to show in the delay.
    pub spill_permille: u32,
    /// Tracks that one peer publishes: microphone, camera, screen with sound, and as many spare ones.
    pub tracks_per_peer: usize,
    /// Tracks that one peer subscribes to. With the published ones and data they must fit the m-lines of an offer.
    pub subscriptions_per_peer: usize,
    /// Simulcast layers of one track; browsers send at most three.
    pub layers_per_track: usize,
    /// Data channels of one peer that are relayed; others are ignored.
    pub channels_per_peer: usize,
    /// Notices waiting for one reader. A full room's worth of joins at once must fit; beyond, the reader is cut off.
    pub notices: usize,
    /// A peer that has not finished its handshake this long after its first answer leaves. RFC 8445's checks give
    /// up earlier; people on bad networks need some of it.
    pub handshake: Duration,
    /// Wrong PINs of one caller in an hour, in any room; after that none is taken. Two calls' worth of mistakes.
    pub pin_wrong_per_caller: u32,
    /// Wrong PINs for one room in an hour, by whomever; after that none is taken. At 20 a PIN of six digits holds for some
    /// three years on average, one of four for ten days.
    pub pin_wrong_per_room: u32,
    /// Bytes of one data message, which every receiver's channel must hold.
    pub message_bytes: usize,
    /// Data messages a second from one peer; two seconds' worth may come at once.
    pub messages_per_second: u32,
    /// Bytes of data messages a second from one peer.
    pub message_bytes_per_second: u32,
}

impl Default for NodeLimits {
    fn default() -> NodeLimits {
        NodeLimits {
            rooms: 4_096,
            peers: 10_000,
            peers_per_room: 1_000,
            room_peers_per_shard: 500,
            spill_permille: 700,
            tracks_per_peer: 8,
            subscriptions_per_peer: 55,
            layers_per_track: 4,
            channels_per_peer: 16,
            notices: 1_024,
            handshake: Duration::from_secs(30),
            pin_wrong_per_caller: 6,
            pin_wrong_per_room: 20,
            message_bytes: 64 * 1024,
            messages_per_second: 20,
            message_bytes_per_second: 256 * 1024,
        }
    }
}
