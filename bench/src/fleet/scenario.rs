//! What a fleet does.

use serde::{Deserialize, Serialize};

use super::FleetError;
use super::limits::{
    MAX_CLIENTS, MAX_DUE_PER_SECOND, MAX_LINES, MAX_NAMES, MAX_PAYLOAD, MAX_SECONDS, MAX_SENT_PER_SECOND,
    MIN_PAYLOAD,
};

/// A scenario: who joins, when, and what is sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Scenario {
    /// For reports.
    pub name: String,
    /// Rooms, all alike.
    pub rooms: u32,
    /// Who is in a room.
    pub shape: Shape,
    /// What each publisher sends.
    pub sources: Vec<Source>,
    /// How clients come and go.
    pub arrival: Arrival,
    /// Seconds that media is counted.
    pub seconds: u32,
    /// SRTP protection that must come out of the handshake; `None`: any. Legs without a handshake have keys of their own.
    pub suite: Option<Suite>,
    /// Of a thousand packets of media that come to a light receiver, how many its network loses.
    pub loss_per_mille: u32,
    /// Of a thousand receivers, how many are foreign clients; at least one in all unless 0.
    pub foreign_per_mille: u32,
}

/// Who is in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// Some send, others receive all of them.
    OneToMany {
        /// That send.
        publishers: u32,
        /// That receive.
        subscribers: u32,
    },
    /// Everyone sends and receives everyone, themselves included: a peer is a WHIP and a WHEP session.
    Meeting {
        /// In the room.
        peers: u32,
    },
}

/// One stream of a publisher.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Opus: packets of one size at one pace.
    Voice {
        /// RTP payload in bytes.
        payload: u16,
        /// Packets a second.
        rate: u32,
    },
    /// VP8: frames.
    Video {
        /// Bits a second of RTP payload.
        bits_per_second: u32,
        /// Frames a second.
        frames: u32,
        /// Packets of a key frame; 0 makes key frames like the others.
        key_frame_packets: u16,
        /// Seconds from key frame to key frame, besides those that are asked for; 0 is never.
        key_frame_seconds: u32,
        /// How a frame falls into packets.
        pattern: Pattern,
    },
}

/// How a frame falls into packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pattern {
    /// As libwebrtc does: as few packets as hold the frame, k of s bytes and then m of s+1.
    Libwebrtc,
    /// Full packets of this many payload bytes and one crumb.
    Full(u16),
    /// A frame is this many packets of this many payload bytes each, whatever the bit rate.
    Fixed {
        /// Packets a frame.
        packets: u16,
        /// Payload bytes a packet.
        payload: u16,
    },
}

/// How clients come and go.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arrival {
    /// All join before media is counted, at this many a second.
    Steady {
        /// Clients a second.
        joins_per_second: u32,
    },
    /// All at once, as fast as the node takes them; joining is what is measured.
    Storm {
        /// Joins under way at once.
        at_once: u32,
    },
    /// All join as in `Steady`; then, while media is counted, this many receivers a second leave and others come.
    Churn {
        /// Clients a second, at the start.
        joins_per_second: u32,
        /// Receivers a second that leave, and that come for them.
        changes_per_second: u32,
    },
    /// As a file says: see the manual's page on load testing.
    Trace {
        /// CSV or JSON lines.
        path: String,
        /// How many times faster than the clock of the file.
        speed: u32,
    },
}

/// SRTP protection profiles (RFC 5764, RFC 7714).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Suite {
    /// AEAD_AES_128_GCM.
    Gcm128,
    /// AEAD_AES_256_GCM.
    Gcm256,
    /// AES_CM_128_HMAC_SHA1_80.
    Cm,
}

impl Default for Scenario {
    fn default() -> Scenario {
        Scenario {
            name: "voice".into(),
            rooms: 1,
            shape: Shape::OneToMany { publishers: 1, subscribers: 100 },
            sources: vec![Source::VOICE],
            arrival: Arrival::Steady { joins_per_second: 200 },
            seconds: 10,
            suite: None,
            loss_per_mille: 0,
            foreign_per_mille: 20,
        }
    }
}

impl Shape {
    /// Subscribers a room; of a meeting, peers.
    pub fn size(self) -> u32 {
        match self {
            Shape::OneToMany { subscribers, .. } => subscribers,
            Shape::Meeting { peers } => peers,
        }
    }

    /// Senders and receivers a room, and how many senders each receiver receives.
    pub fn counts(self) -> (u32, u32, u32) {
        match self {
            Shape::OneToMany { publishers, subscribers } => (publishers, subscribers, publishers),
            Shape::Meeting { peers } => (peers, peers, peers),
        }
    }
}

impl Source {
    /// Opus at 20 ms, about 64 kbit/s: the 160 bytes that a telephone call has.
    pub const VOICE: Source = Source::Voice { payload: 160, rate: 50 };

    /// Packets a second, mean.
    pub fn packets_per_second(&self) -> u64 {
        match *self {
            Source::Voice { rate, .. } => rate.into(),
            Source::Video { frames, pattern: Pattern::Fixed { packets, .. }, .. } => {
                u64::from(frames) * u64::from(packets)
            }
            Source::Video { bits_per_second, frames, .. } => {
                u64::from(bits_per_second / 8 / u32::from(MAX_PAYLOAD)) + u64::from(frames)
            }
        }
    }
}

impl Scenario {
    /// Senders, receivers, and packets a second that are due at all receivers together.
    pub fn load(&self) -> (u64, u64, u64) {
        let (senders, receivers, heard) = self.shape.counts();
        let rooms = u64::from(self.rooms);
        let a_sender: u64 = self.sources.iter().map(Source::packets_per_second).sum();
        let (senders, receivers) = (rooms * u64::from(senders), rooms * u64::from(receivers));
        (senders, receivers, receivers.saturating_mul(u64::from(heard)).saturating_mul(a_sender))
    }

    /// Whether it can be run at all.
    ///
    /// # Errors
    /// [`FleetError::Scenario`] with what to change.
    pub fn check(&self) -> Result<(), FleetError> {
        let bad = |why: String| Err(FleetError::Scenario(why));
        let (senders, receivers, due) = self.load();
        if self.rooms == 0 || senders == 0 || receivers == 0 || self.sources.is_empty() {
            return bad("it needs at least one room, one publisher, one subscriber and one source".into());
        }
        if senders + receivers > MAX_CLIENTS.into() {
            return bad(format!("{} clients are more than the {MAX_CLIENTS} allowed", senders + receivers));
        }
        if self.seconds == 0 || self.seconds > MAX_SECONDS {
            return bad(format!("seconds must be 1 to {MAX_SECONDS}"));
        }
        let a_sender: u64 = self.sources.iter().map(Source::packets_per_second).sum();
        if senders * a_sender > MAX_SENT_PER_SECOND || due > MAX_DUE_PER_SECOND {
            return bad(format!(
                "{} packets a second sent and {due} due are more than the {MAX_SENT_PER_SECOND} and \
                 {MAX_DUE_PER_SECOND} allowed",
                senders * a_sender
            ));
        }
        if self.shape.counts().2 as usize * self.sources.len() > MAX_LINES {
            return bad(format!("a subscriber of more than {MAX_LINES} streams has too long an offer"));
        }
        if self.foreign_per_mille > 1000 || self.loss_per_mille > 1000 {
            return bad("foreign clients and losses are at most 1000 of a thousand".into());
        }
        self.check_arrival(senders + receivers)?;
        for source in &self.sources {
            let payload = match *source {
                Source::Voice { payload, rate } if (1..=1000).contains(&rate) => payload,
                Source::Voice { .. } => return bad("voice needs a rate of 1 to 1000 packets a second".into()),
                Source::Video { frames: 0 | 241.., .. } => {
                    return bad("video needs 1 to 240 frames a second".into());
                }
                Source::Video { pattern: Pattern::Full(payload), .. } => payload,
                Source::Video { pattern: Pattern::Fixed { payload, packets: 1..=1000 }, .. } => payload,
                Source::Video { pattern: Pattern::Fixed { .. }, .. } => {
                    return bad("a frame needs 1 to 1000 packets".into());
                }
                Source::Video { pattern: Pattern::Libwebrtc, .. } => MAX_PAYLOAD,
            };
            if !(MIN_PAYLOAD..=MAX_PAYLOAD).contains(&payload) {
                return bad(format!("a payload must have {MIN_PAYLOAD} to {MAX_PAYLOAD} bytes"));
            }
        }
        Ok(())
    }

    fn check_arrival(&self, clients: u64) -> Result<(), FleetError> {
        let bad = |why: &str| Err(FleetError::Scenario(why.into()));
        match &self.arrival {
            Arrival::Steady { joins_per_second: 0 } | Arrival::Churn { joins_per_second: 0, .. } => {
                bad("at least one client a second must join")
            }
            Arrival::Storm { at_once: 0 | 1025.. } => bad("1 to 1024 joins may be under way at once"),
            Arrival::Churn { changes_per_second, .. }
                if clients + u64::from(*changes_per_second) * u64::from(self.seconds) > MAX_NAMES =>
            {
                bad("so many clients would come and go that addresses run out; make it shorter or calmer")
            }
            Arrival::Trace { path, .. } => super::trace::check(path),
            _ => Ok(()),
        }
    }
}
