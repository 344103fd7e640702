//! Peers on ports of their own: phones, gateways and other ends of telephone calls.

use std::net::SocketAddr;

use super::*;

pub(crate) const PCMA: u8 = 8;
pub(crate) const EVENT: u8 = 101;

/// A phone: where it is, and under which keys it speaks, if under any.
pub(crate) struct Phone {
    pub(crate) leg: LegId,
    pub(crate) at: SocketAddr,
    pub(crate) rtcp_at: SocketAddr,
    pub(crate) ports: (u32, Option<u32>),
    pub(crate) keys: Option<(Inbound, Outbound)>,
    pub(crate) ssrc: u32,
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
}

pub(crate) fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

pub(crate) fn signalled(rtp: SocketAddr, learn: Learn) -> Remote {
    Remote { rtp: Some(rtp), rtcp: None, learn }
}

/// A leg whose media flows in the clear: port `100 + number`, and one for RTCP where `rtcp`.
pub(crate) fn plain_leg(world: &mut World, number: u32, remote: Remote, rtcp: bool) -> Phone {
    let phone = Phone::add(world, number, remote, rtcp);
    world.must(Command::SetPlain { leg: phone.leg });
    phone
}

/// The same under SRTP, keys as SDES would give them.
pub(crate) fn secure_leg(world: &mut World, number: u32, remote: Remote, rtcp: bool) -> Phone {
    let mut phone = Phone::add(world, number, remote, rtcp);
    phone.rekey(world, (2 * number, 2 * number + 1));
    phone.keys = Some(sessions((2 * number, 2 * number + 1)));
    phone
}

/// The phone's ends of these keys: ours to it, its to us.
pub(crate) fn sessions((ours, theirs): (u32, u32)) -> (Inbound, Outbound) {
    let backend = Backend::best();
    (Inbound::new(backend, &keying(ours)), Outbound::new(backend, &keying(theirs)))
}

impl Phone {
    pub(crate) fn add(world: &mut World, number: u32, remote: Remote, rtcp: bool) -> Phone {
        let leg = LegId(1 << 31 | number);
        let ports = (100 + 2 * number, rtcp.then_some(101 + 2 * number));
        let transport = Transport::Ports(Ports { rtp: ports.0, rtcp: ports.1, ice: None, remote });
        let config = LegConfig { leg, transport, extensions: ExtensionIds::default() };
        world.must(Command::AddLeg(Box::new(config)));
        let at = remote.rtp.unwrap_or(address("192.0.2.1:4000"));
        let rtcp_at = SocketAddr::new(at.ip(), at.port() + u16::from(rtcp));
        Phone { leg, at, rtcp_at, ports, keys: None, ssrc: 7000 + number, sequence: 100, timestamp: 8000 }
    }

    pub(crate) fn rekey(&mut self, world: &mut World, (ours, theirs): (u32, u32)) {
        let (inbound, outbound) = (Box::new(keying(theirs)), Box::new(keying(ours)));
        world.must(Command::SetKeys { leg: self.leg, inbound, outbound });
    }

    pub(crate) fn path(&self) -> Path {
        Path::udp(self.ports.0, self.at)
    }

    pub(crate) fn rtcp_path(&self) -> Path {
        Path::udp(self.ports.1.unwrap_or(self.ports.0), self.rtcp_at)
    }

    /// The next 20 ms of speech.
    pub(crate) fn speech(&mut self) -> Vec<u8> {
        self.packet(PCMA, false, &[0x55; 160])
    }

    pub(crate) fn packet(&mut self, payload_type: u8, marker: bool, payload: &[u8]) -> Vec<u8> {
        (self.sequence, self.timestamp) = (self.sequence.wrapping_add(1), self.timestamp.wrapping_add(160));
        let (sequence, timestamp, ssrc) = (self.sequence, self.timestamp, self.ssrc);
        let mut header = [0; 12];
        let fields = HeaderBuilder { marker, payload_type, sequence, timestamp, ssrc, ..Default::default() };
        let len = fields.write(&mut header).unwrap();
        match &mut self.keys {
            None => [&header[..len], payload].concat(),
            Some((_, outbound)) => {
                let mut out = vec![0; len + payload.len() + outbound.rtp_overhead()];
                outbound.protect_rtp(&header[..len], payload, &mut out).unwrap();
                out
            }
        }
    }

    pub(crate) fn speak(&mut self, world: &mut World) {
        let packet = self.speech();
        world.receive(self.path(), &packet);
    }

    /// Speaks for so many packets, 20 ms apart.
    pub(crate) fn talk(&mut self, world: &mut World, packets: usize) {
        for _ in 0..packets {
            self.speak(world);
            world.pass(20 * MS);
        }
    }

    pub(crate) fn send_rtcp(&mut self, world: &mut World, write: impl FnOnce(&mut [u8]) -> usize) {
        let mut plain = [0; 500];
        let len = write(&mut plain);
        let mut sealed = [0; 600];
        let bytes = match &mut self.keys {
            None => &plain[..len],
            Some((_, outbound)) => {
                let len = outbound.protect_rtcp(&plain[..len], &mut sealed).unwrap();
                &sealed[..len]
            }
        };
        world.receive(self.rtcp_path(), bytes);
    }

    /// The RTP that left for where it is, in the clear.
    pub(crate) fn media(&mut self, world: &mut World) -> Vec<Vec<u8>> {
        let is_rtp = |bytes: &[u8]| matches!(bytes, [128..=191, second, ..] if !(192..=223).contains(second));
        let ours = take(world, self.path(), is_rtp);
        let keys = &mut self.keys;
        let open = |packet: Vec<u8>| match keys {
            None => packet,
            Some((inbound, _)) => {
                let mut out = vec![0; packet.len()];
                let len = inbound.unprotect_rtp(&packet, &mut out).expect("a good tag");
                out.truncate(len);
                out
            }
        };
        ours.into_iter().map(open).collect()
    }

    /// The RTCP that left for where it is, in the clear.
    pub(crate) fn reports(&mut self, world: &mut World) -> Vec<Vec<u8>> {
        let ours = take(world, self.rtcp_path(), |bytes| matches!(bytes, [128..=191, 192..=223, ..]));
        let keys = &mut self.keys;
        let open = |packet: Vec<u8>| match keys {
            None => packet,
            Some((inbound, _)) => {
                let mut out = vec![0; packet.len()];
                let len = inbound.unprotect_rtcp(&packet, &mut out).expect("a good tag");
                out.truncate(len);
                out
            }
        };
        ours.into_iter().map(open).collect()
    }
}

pub(crate) fn speech_stream() -> StreamConfig {
    let kind = |number, codec| PayloadType { number, rtx: None, codec, clock_rate: 8000 };
    StreamConfig {
        kind: MediaKind::Audio,
        mid: None,
        rid: None,
        ssrc: None,
        rtx_ssrc: None,
        payload_types: vec![kind(PCMA, Codec::Other), kind(EVENT, Codec::TelephoneEvent)],
        nack: false,
        pli: false,
        fir: false,
        transport_cc: false,
    }
}

pub(crate) const SPEECH_MAP: [PayloadMap; 2] =
    [PayloadMap { from: PCMA, to: PCMA, rtx: None }, PayloadMap { from: EVENT, to: 96, rtx: None }];

/// Joins two phones: what each says is sent to the other, as sender (and stream) of its number.
pub(crate) fn connect(world: &mut World, phones: [&Phone; 2]) {
    for (number, phone) in (1..).zip(phones) {
        let (leg, stream) = (phone.leg, StreamId(number));
        world.must(Command::AddStream { leg, stream, config: Box::new(speech_stream()) });
        let sender = SenderId(number);
        let config = SenderConfig { mid: None, ..audio_sender(10 + number) };
        world.must(Command::AddSender { leg, sender, config: Box::new(config) });
    }
    for (sender, stream) in [(1, 2), (2, 1)] {
        let (sender, stream) = (SenderId(sender), StreamId(stream));
        world.must(Command::Route { sender, stream, payload_types: SPEECH_MAP.to_vec() });
    }
}

impl World {
    pub(crate) fn learned(&self) -> Vec<Path> {
        let paths = self.events.iter().filter_map(|event| match event {
            Event::RemoteLearned { path, .. } => Some(*path),
            _ => None,
        });
        paths.collect()
    }

    pub(crate) fn stats(&mut self, leg: LegId) -> kaname_core::event::LegStats {
        self.command(Command::QueryStats { leg, token: 99 });
        match self.events.pop() {
            Some(Event::Stats { token: 99, stats }) => *stats,
            other => panic!("{other:?}"),
        }
    }
}
