//! The stages of the core one by one, through its public interface: packets that are meant to go just so far, and slots
//! that are not there.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use kaname_core::command::{Command, StreamId};
use kaname_core::limits::{BATCH, FAN_OUT};
use kaname_core::{Datagram, Drained};
use kaname_srtp::{Backend, Profile};
use kaname_wire::path::Path;

use crate::room::{Memory, Plan, Room, Shape};

/// How far packets go. Each stage of arrival includes those above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// In: neither RTP nor anything else.
    Classify,
    /// In: RTP from an address that is no leg's.
    Lookup,
    /// In: a packet that was there before.
    Admit,
    /// In: the tag is wrong.
    Unprotect,
    /// In: all that is told by a packet, of a stream that is muted.
    Inspect,
    /// In: the whole arrival.
    Route,
    /// Out: a copy's numbers and header; no slot is free for it.
    Rewrite,
    /// Out: slot, index and encryption of copies that are rewritten already.
    Protect,
}

impl Stage {
    /// In the order of the way.
    pub const ALL: [Stage; 8] = [
        Stage::Classify,
        Stage::Lookup,
        Stage::Admit,
        Stage::Unprotect,
        Stage::Inspect,
        Stage::Route,
        Stage::Rewrite,
        Stage::Protect,
    ];

    /// The name of its file.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Classify => "classify",
            Stage::Lookup => "lookup",
            Stage::Admit => "admit",
            Stage::Unprotect => "unprotect",
            Stage::Inspect => "inspect",
            Stage::Route => "route",
            Stage::Rewrite => "rewrite",
            Stage::Protect => "protect",
        }
    }
}

/// Frames that arrive together where only arrival is looked at.
const TOGETHER: usize = 32;

/// A room of which one stage is timed.
pub struct Bench {
    room: Room,
    stage: Stage,
    shape: Shape,
    memory: Memory,
    full: Memory,
}

impl Bench {
    /// A room in which every frame is one fan-out step.
    ///
    /// # Panics
    /// If the shard refuses something.
    pub fn new(stage: Stage, profile: Profile, payload: usize) -> Bench {
        let outgoing = matches!(stage, Stage::Rewrite | Stage::Protect);
        let shape = Shape::even(payload, 1, if outgoing { FAN_OUT } else { 1 });
        let subscribers: Vec<SocketAddr> =
            (0..shape.destinations as u16).map(|n| SocketAddr::from(([10, 1, 0, 2], 1000 + n))).collect();
        let mut room = Room::new(&Plan {
            profile,
            shape,
            publishers: &[Path::udp(0, SocketAddr::from(([10, 1, 0, 1], 1000)))],
            subscribers: &subscribers,
            backend: Backend::best(),
        });
        // The key frame, after which every subscriber has switched.
        let mut memory = Memory::new();
        room.next_frame();
        let packets: Vec<Vec<u8>> = room.publishers[0].packets().map(<[u8]>::to_vec).collect();
        let path = room.publishers[0].path;
        room.ingest(packets.iter().map(|packet| (path, packet.as_slice())));
        while room.drain(&mut memory.slots()) == Drained::Full {}
        if stage == Stage::Inspect {
            room.must(Command::MuteStream { stream: StreamId(1), muted: true });
        }
        Bench { room, stage, shape, memory, full: Memory::full() }
    }

    /// Packets that one run counts for: those in, or the copies out.
    pub fn packets(&self) -> usize {
        match self.stage {
            Stage::Rewrite | Stage::Protect => self.shape.copies(),
            _ => TOGETHER,
        }
    }

    /// The stage once, over [`Bench::packets`] packets.
    pub fn run(&mut self) -> Duration {
        let incoming = self.packets_in();
        let path = match self.stage {
            Stage::Lookup => Path::udp(0, SocketAddr::from(([10, 1, 0, 9], 1))),
            _ => self.room.publishers[0].path,
        };
        let batch: Vec<Datagram<'_>> = incoming.iter().map(|bytes| Datagram::new(path, bytes)).collect();
        assert!(batch.len() <= BATCH);
        let now = self.room.now;
        let start = Instant::now();
        self.room.shard.ingest(now, &batch);
        let arrival = start.elapsed();
        let start = Instant::now();
        let blocked = self.room.drain(&mut self.full.slots());
        let rewrite = start.elapsed();
        let start = Instant::now();
        let sent = self.room.drain(&mut self.memory.slots());
        let protect = start.elapsed();
        while self.room.drain(&mut self.memory.slots()) == Drained::Full {}
        self.room.tick();
        while self.room.drain(&mut self.memory.slots()) == Drained::Full {}
        match self.stage {
            Stage::Rewrite => {
                assert_eq!(blocked, Drained::Full, "the copies wait");
                rewrite
            }
            Stage::Protect => {
                assert!(matches!(sent, Drained::Done(_)), "all copies fit");
                protect
            }
            _ => arrival,
        }
    }

    fn packets_in(&mut self) -> Vec<Vec<u8>> {
        let frames = if matches!(self.stage, Stage::Rewrite | Stage::Protect) { 1 } else { TOGETHER };
        let mut packets = Vec::with_capacity(frames);
        for _ in 0..frames {
            // A packet that was there before needs no new one.
            if self.stage != Stage::Admit {
                self.room.next_frame();
            }
            packets.extend(self.room.publishers[0].packets().map(<[u8]>::to_vec));
        }
        for packet in &mut packets {
            match self.stage {
                Stage::Classify => packet[0] = 0xff,
                Stage::Unprotect => *packet.last_mut().expect("not empty") ^= 1,
                _ => {}
            }
        }
        packets
    }
}
