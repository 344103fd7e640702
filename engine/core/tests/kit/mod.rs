//! Plays the io backend, the control plane and the peers of a shard. Time is a number that tests move.
#![allow(dead_code, reason = "each test binary uses its own part of the kit")]

pub(crate) mod pair;
pub(crate) mod phone;

use std::time::Duration;

use kaname_core::command::*;
use kaname_core::*;
use kaname_srtp::{Backend, Inbound, Keying, Outbound, Profile};
use kaname_wire::extension::Element;
use kaname_wire::path::Path;
use kaname_wire::rtcp::{Compound, Message, Packet};
use kaname_wire::rtp::{HeaderBuilder, RtpView};
use stun_types::attribute::{AttributeType, RawAttribute, Username};
use stun_types::message::{
    BINDING, IntegrityAlgorithm, Message as Stun, MessageIntegrityCredentials, MessageWrite, MessageWriteExt,
    MessageWriteVec, ShortTermCredentials,
};

pub(crate) const MS: Duration = Duration::from_millis(1);
pub(crate) const OPUS: u8 = 111;
pub(crate) const VP8: u8 = 96;
pub(crate) const VP8_RTX: u8 = 97;

/// A shard with its surroundings.
pub(crate) struct World {
    pub(crate) shard: Shard,
    pub(crate) now: Time,
    /// What left since it was last looked at.
    pub(crate) out: Vec<(Path, Vec<u8>)>,
    pub(crate) events: Vec<Event>,
}

/// Slots in one piece of memory; only so many packets fit at once.
pub(crate) struct Slots<'a> {
    rest: &'a mut [u8],
    pub(crate) taken: Vec<(Path, usize)>,
    left: usize,
}

impl<'a> Slots<'a> {
    pub(crate) fn new(memory: &'a mut [u8], packets: usize) -> Self {
        Slots::with_list(memory, packets, Vec::new())
    }

    /// With a list that is already there.
    pub(crate) fn with_list(memory: &'a mut [u8], packets: usize, taken: Vec<(Path, usize)>) -> Self {
        Slots { rest: memory, taken, left: packets }
    }
}

impl<'a> TxSlots<'a> for Slots<'a> {
    fn take(&mut self, to: &Path, len: usize) -> Option<&'a mut [u8]> {
        self.left = self.left.checked_sub(1)?;
        let (slot, rest) = std::mem::take(&mut self.rest).split_at_mut(len);
        self.rest = rest;
        self.taken.push((*to, len));
        Some(slot)
    }
}

impl World {
    pub(crate) fn new() -> World {
        let config = ShardConfig { backend: Backend::best(), seed: [7; 32] };
        let now = Time::from_nanos(1_000_000_000_000);
        World { shard: Shard::new(config), now, out: Vec::new(), events: Vec::new() }
    }

    /// Drains with so few slots that the shard must often wait for more.
    pub(crate) fn drain(&mut self) -> Option<Time> {
        loop {
            let mut memory = vec![0; 5 * 2048];
            let mut slots = Slots::new(&mut memory, 5);
            let events = &mut self.events;
            let drained = self.shard.drain(self.now, &mut slots, &mut |event| events.push(event));
            let taken = std::mem::take(&mut slots.taken);
            let mut at = 0;
            for (path, len) in taken {
                self.out.push((path, memory[at..at + len].to_vec()));
                at += len;
            }
            if let Drained::Done(next) = drained {
                return next;
            }
        }
    }

    pub(crate) fn command(&mut self, command: Command) {
        self.shard.command(self.now, command);
        self.drain();
    }

    /// A command that must not fail.
    pub(crate) fn must(&mut self, command: Command) {
        self.command(command);
        let failed = self.events.iter().find(|event| matches!(event, Event::CommandFailed { .. }));
        assert!(failed.is_none(), "{failed:?}");
    }

    pub(crate) fn receive(&mut self, path: Path, bytes: &[u8]) {
        self.receive_all(&[(path, bytes.to_vec())]);
    }

    pub(crate) fn receive_all(&mut self, packets: &[(Path, Vec<u8>)]) {
        let batch: Vec<_> = packets.iter().map(|(path, bytes)| Datagram::new(*path, bytes)).collect();
        self.shard.ingest(self.now, &batch);
        self.drain();
    }

    /// Lets time pass, with all ticks that are due on the way.
    pub(crate) fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some(next) = self.drain().filter(|next| *next <= end) {
            self.now = self.now.max(next);
            self.shard.tick(self.now);
        }
        self.now = end;
        self.shard.tick(self.now);
        self.drain();
    }

    pub(crate) fn dropped(&self, reason: DropReason) -> u64 {
        self.shard.counters().dropped(reason)
    }

    pub(crate) fn all_drops(&self) -> Vec<(&'static str, u64)> {
        let drops = self.shard.counters().drops().filter(|(_, count)| *count > 0);
        drops.map(|(reason, count)| (reason.name(), count)).collect()
    }
}

/// A peer: its path, its keys, and what it makes of what it gets.
pub(crate) struct Peer {
    pub(crate) leg: LegId,
    pub(crate) path: Path,
    pub(crate) number: u32,
    pub(crate) inbound: Inbound,
    pub(crate) outbound: Outbound,
}

pub(crate) fn ids() -> ExtensionIds {
    ExtensionIds {
        mid: Some(4),
        rid: Some(10),
        repaired_rid: Some(11),
        audio_level: Some(1),
        abs_send_time: Some(2),
        transport_cc: Some(3),
        video_orientation: Some(5),
        playout_delay: Some(6),
        dependency_descriptor: Some(7),
    }
}

pub(crate) fn ice(number: u32) -> IceCredentials {
    IceCredentials {
        local_ufrag: format!("node{number}"),
        local_pwd: format!("password-of-22-chars{number:06}").replace('-', "+"),
        remote_ufrag: format!("peer{number}"),
    }
}

pub(crate) fn keying(seed: u32) -> Keying {
    let mut key = [0; 16];
    key[..4].copy_from_slice(&seed.to_be_bytes());
    Keying::new(Profile::AeadAes128Gcm, &key, &[9; 12]).unwrap()
}

pub(crate) fn path(number: u32) -> Path {
    let [_, a, b, c] = number.to_be_bytes();
    Path::udp(0, format!("10.{a}.{b}.{c}:5000").parse().unwrap())
}

/// A connectivity check as a browser makes it.
pub(crate) fn check(ice: &IceCredentials, nominates: bool) -> Vec<u8> {
    check_with(ice, if nominates { &[(0x0025, &[])] } else { &[] })
}

pub(crate) fn check_with(ice: &IceCredentials, more: &[(u16, &[u8])]) -> Vec<u8> {
    let mut message = Stun::builder_request(BINDING, MessageWriteVec::new());
    let user = format!("{}:{}", ice.local_ufrag, ice.remote_ufrag);
    message.add_attribute(&Username::new(&user).unwrap()).unwrap();
    let common: [(u16, &[u8]); 2] = [(0x0024, &[110, 0, 1, 255]), (0x802a, &[1; 8])];
    for (kind, value) in common.iter().chain(more) {
        message.add_attribute(&RawAttribute::new(AttributeType::new(*kind), value)).unwrap();
    }
    let password = ShortTermCredentials::new(ice.local_pwd.clone());
    let credentials = MessageIntegrityCredentials::from(password);
    message.add_message_integrity(&credentials, IntegrityAlgorithm::Sha1).unwrap();
    message.add_fingerprint().unwrap();
    message.finish()
}

impl Peer {
    /// A leg with a nominated path and keys.
    pub(crate) fn join(world: &mut World, number: u32) -> Peer {
        Peer::join_with(world, number, ids())
    }

    pub(crate) fn join_with(world: &mut World, number: u32, extensions: ExtensionIds) -> Peer {
        let (leg, path) = (LegId(number), path(number));
        world.must(Command::AddLeg(Box::new(LegConfig {
            leg,
            transport: Transport::Ice(ice(number)),
            extensions,
        })));
        world.receive(path, &check(&ice(number), true));
        let (ours, theirs) = (keying(2 * number), keying(2 * number + 1));
        let (inbound, outbound) = (Box::new(theirs.clone()), Box::new(ours.clone()));
        world.must(Command::SetKeys { leg, inbound, outbound });
        world.out.clear();
        world.events.clear();
        Peer {
            leg,
            path,
            number,
            inbound: Inbound::new(Backend::best(), &ours),
            outbound: Outbound::new(Backend::best(), &theirs),
        }
    }

    /// One that shares a single keying with the shard in both directions.
    pub(crate) fn outside(number: u32, keying: &Keying) -> Peer {
        Peer {
            leg: LegId(number),
            path: path(number),
            number,
            inbound: Inbound::new(Backend::best(), keying),
            outbound: Outbound::new(Backend::best(), keying),
        }
    }

    pub(crate) fn rtp(&mut self, rtp: &Rtp<'_>) -> Vec<u8> {
        let mut header = [0; 400];
        let len = HeaderBuilder {
            marker: rtp.marker,
            payload_type: rtp.payload_type,
            sequence: rtp.sequence,
            timestamp: rtp.timestamp,
            ssrc: rtp.ssrc,
            extensions: &rtp.extensions,
            ..HeaderBuilder::default()
        }
        .write(&mut header)
        .unwrap();
        let mut out = vec![0; len + rtp.payload.len() + self.outbound.rtp_overhead()];
        self.outbound.protect_rtp(&header[..len], &rtp.payload, &mut out).unwrap();
        out
    }

    pub(crate) fn send(&mut self, world: &mut World, rtp: &Rtp<'_>) {
        let packet = self.rtp(rtp);
        world.receive(self.path, &packet);
    }

    pub(crate) fn send_rtcp(&mut self, world: &mut World, plain: &[u8]) {
        let mut out = vec![0; plain.len() + self.outbound.rtcp_overhead()];
        let len = self.outbound.protect_rtcp(plain, &mut out).unwrap();
        world.receive(self.path, &out[..len]);
    }

    /// Sends one RTCP packet that `write` writes.
    pub(crate) fn rtcp(
        &mut self,
        world: &mut World,
        write: impl FnOnce(&mut [u8]) -> Result<usize, kaname_wire::rtcp::write::WriteError>,
    ) {
        let mut plain = [0; 1200];
        let len = write(&mut plain).unwrap();
        self.send_rtcp(world, &plain[..len]);
    }

    /// The RTP packets for this peer that left, decrypted.
    pub(crate) fn media(&mut self, world: &mut World) -> Vec<Vec<u8>> {
        let ours = take(
            world,
            self.path,
            |bytes| matches!(bytes, [128..=191, second, ..] if !(192..=223).contains(second)),
        );
        let mut open = |packet: Vec<u8>| {
            let mut out = vec![0; packet.len()];
            let len = self.inbound.unprotect_rtp(&packet, &mut out).expect("a good tag");
            out.truncate(len);
            out
        };
        ours.into_iter().map(&mut open).collect()
    }

    /// The RTCP packets for this peer that left, decrypted.
    pub(crate) fn reports(&mut self, world: &mut World) -> Vec<Vec<u8>> {
        let ours = take(world, self.path, |bytes| matches!(bytes, [128..=191, 192..=223, ..]));
        let mut open = |packet: Vec<u8>| {
            let mut out = vec![0; packet.len()];
            let len = self.inbound.unprotect_rtcp(&packet, &mut out).expect("a good tag");
            out.truncate(len);
            Compound::parse(&out).expect("well-formed RTCP");
            out
        };
        ours.into_iter().map(&mut open).collect()
    }

    /// How many messages of a kind are among the RTCP packets that left for this peer.
    pub(crate) fn count_reports(&mut self, world: &mut World, is: impl Fn(&Message<'_>) -> bool) -> usize {
        let reports = self.reports(world);
        reports.iter().flat_map(|it| messages(it)).filter(|message| is(message)).count()
    }
}

pub(crate) fn messages(compound: &[u8]) -> Vec<Message<'_>> {
    let packets = Compound::parse(compound).unwrap().packets();
    packets.map(|packet: Packet<'_>| packet.message().unwrap()).collect()
}

fn take(world: &mut World, path: Path, is: impl Fn(&[u8]) -> bool) -> Vec<Vec<u8>> {
    let all = std::mem::take(&mut world.out);
    let (ours, others) = all.into_iter().partition(|(to, bytes)| *to == path && is(bytes));
    world.out = others;
    let ours: Vec<(Path, Vec<u8>)> = ours;
    ours.into_iter().map(|(_, bytes)| bytes).collect()
}

/// A packet to be sent.
#[derive(Clone, Default)]
pub(crate) struct Rtp<'a> {
    pub(crate) marker: bool,
    pub(crate) payload_type: u8,
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
    pub(crate) ssrc: u32,
    pub(crate) extensions: Vec<Element<'a>>,
    pub(crate) payload: Vec<u8>,
}

/// The payload of a VP8 packet that begins a frame.
pub(crate) fn vp8(key_frame: bool, rest: &[u8]) -> Vec<u8> {
    // Descriptor: start of partition 0. Frame tag: bit 0 is zero in key frames, which go on with a start code.
    let tag = if key_frame {
        [0x10, 0, 0, 0x9d, 0x01, 0x2a, 64, 0, 64, 0]
    } else {
        [0x11, 0, 0, 1, 2, 3, 4, 5, 6, 7]
    };
    [&[0x10][..], &tag, rest].concat()
}

pub(crate) fn audio_stream(ssrc: Option<u32>) -> StreamConfig {
    StreamConfig {
        kind: MediaKind::Audio,
        mid: Some("0".into()),
        rid: None,
        ssrc,
        rtx_ssrc: None,
        payload_types: vec![PayloadType { number: OPUS, rtx: None, codec: Codec::Opus, clock_rate: 48_000 }],
        nack: false,
        pli: false,
        fir: false,
        transport_cc: true,
    }
}

pub(crate) fn video_stream(ssrc: Option<u32>, rtx_ssrc: Option<u32>) -> StreamConfig {
    StreamConfig {
        kind: MediaKind::Video,
        mid: Some("1".into()),
        rid: None,
        ssrc,
        rtx_ssrc,
        payload_types: vec![PayloadType {
            number: VP8,
            rtx: Some(VP8_RTX),
            codec: Codec::Vp8,
            clock_rate: 90_000,
        }],
        nack: true,
        pli: true,
        fir: false,
        transport_cc: true,
    }
}

pub(crate) fn audio_sender(ssrc: u32) -> SenderConfig {
    SenderConfig { kind: MediaKind::Audio, ssrc, rtx_ssrc: None, cname: "them".into(), mid: Some("7".into()) }
}

pub(crate) fn video_sender(ssrc: u32, rtx_ssrc: Option<u32>) -> SenderConfig {
    SenderConfig { kind: MediaKind::Video, ssrc, rtx_ssrc, cname: "them".into(), mid: Some("8".into()) }
}

pub(crate) const AUDIO_MAP: PayloadMap = PayloadMap { from: OPUS, to: 109, rtx: None };
pub(crate) const VIDEO_MAP: PayloadMap = PayloadMap { from: VP8, to: 120, rtx: Some(121) };

impl World {
    pub(crate) fn add_stream(&mut self, peer: &Peer, stream: u32, config: StreamConfig) {
        let (leg, stream) = (peer.leg, StreamId(stream));
        self.must(Command::AddStream { leg, stream, config: Box::new(config) });
    }

    pub(crate) fn add_sender(&mut self, peer: &Peer, sender: u32, config: SenderConfig) {
        let (leg, sender) = (peer.leg, SenderId(sender));
        self.must(Command::AddSender { leg, sender, config: Box::new(config) });
    }

    pub(crate) fn route(&mut self, sender: u32, stream: u32, map: PayloadMap) {
        let (sender, stream) = (SenderId(sender), StreamId(stream));
        self.must(Command::Route { sender, stream, payload_types: vec![map] });
    }
}

pub(crate) fn view(packet: &[u8]) -> RtpView<'_> {
    RtpView::parse(packet).expect("well-formed RTP")
}

/// Sequence numbers of packets.
pub(crate) fn sequences(packets: &[Vec<u8>]) -> Vec<u16> {
    packets.iter().map(|packet| view(packet).sequence()).collect()
}
