//! Random packets through Kaname and libsrtp2 side by side, every suite on every backend, both directions: the same bytes
//! and the same verdicts. `KANAME_FULL=1` runs ten times as many.

mod ffi;
mod policies;

use ffi::{Direction, Session};
use kaname_srtp::{
    Backend, Inbound, Keying, Outbound, Profile, ProtectJob, SrtpError, UnprotectJob, protect_batch,
    unprotect_batch,
};

/// Those of libsrtp2 that are what the RFCs say: see `policies` for its AES-192.
const PROFILES: [Profile; 8] = [
    Profile::Aes128CmSha1_80,
    Profile::Aes128CmSha1_32,
    Profile::AeadAes128Gcm,
    Profile::AeadAes256Gcm,
    Profile::Aes256CmSha1_80,
    Profile::Aes256CmSha1_32,
    Profile::NullSha1_80,
    Profile::NullSha1_32,
];

/// SSRCs of each session.
const STREAMS: usize = 8;

/// Replay window on both sides.
const WINDOW: usize = 1024;

/// SplitMix64: small, seeded, good enough to spread test cases.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(len + 8);
        while bytes.len() < len {
            bytes.extend(self.next().to_le_bytes());
        }
        bytes.truncate(len);
        bytes
    }
}

/// One session in four forms that must agree.
struct Pair {
    outbound: Outbound,
    inbound: Inbound,
    their_outbound: Session,
    their_inbound: Session,
    /// SSRC and last sequence number of each stream.
    streams: Vec<(u32, u16)>,
}

impl Pair {
    fn new(backend: Backend, profile: Profile, random: &mut Random) -> Pair {
        let (key, salt) = (random.bytes(profile.key_len()), random.bytes(profile.salt_len()));
        let keying = Keying::new(profile, &key, &salt).unwrap();
        let mut outbound = Outbound::new(backend, &keying);
        let streams: Vec<_> = (0..STREAMS).map(|_| (random.next() as u32, random.next() as u16)).collect();
        for (ssrc, _) in &streams {
            // libsrtp2 counts before it sends, so that its first SRTCP index is 1; the RFC begins with 0.
            outbound.set_rtcp_index(*ssrc, 1).unwrap();
        }
        Pair {
            outbound,
            inbound: Inbound::new(backend, &keying),
            their_outbound: Session::new(profile, &key, &salt, Direction::Outbound, WINDOW),
            their_inbound: Session::new(profile, &key, &salt, Direction::Inbound, WINDOW),
            streams,
        }
    }

    /// A header for the stream's next packet: mostly the next sequence number, sometimes a gap, a step back to a number
    /// perhaps used before, or a leap towards the roll-over.
    fn header(&mut self, stream: usize, random: &mut Random) -> Vec<u8> {
        let (ssrc, seq) = &mut self.streams[stream];
        let step = match random.below(100) {
            0 => random.below(30_000) as u16,
            1..4 => 0u16.wrapping_sub(random.below(1100) as u16),
            4..10 => random.below(200) as u16,
            _ => 1,
        };
        *seq = seq.wrapping_add(step);
        let csrcs = if random.one_in(4) { random.below(16) } else { 0 };
        let extension =
            random.one_in(2).then(|| if random.one_in(20) { random.below(60) } else { random.below(6) });
        let mut header = vec![
            0x80 | (random.below(2) << 5) as u8 | (u8::from(extension.is_some()) << 4) | csrcs as u8,
            random.next() as u8,
        ];
        header.extend(seq.to_be_bytes());
        header.extend(random.bytes(4));
        header.extend(ssrc.to_be_bytes());
        header.extend(random.bytes(4 * csrcs));
        if let Some(words) = extension {
            header.extend([0xbe, 0xde]);
            header.extend((words as u16).to_be_bytes());
            header.extend(random.bytes(4 * words));
        }
        header
    }
}

fn payload_len(random: &mut Random) -> usize {
    match random.below(10) {
        0..5 => random.below(200),
        5..9 => random.below(1300),
        _ => 16 * random.below(80),
    }
}

/// One packet of a batch.
struct Sent {
    pair: usize,
    header: Vec<u8>,
    payload: Vec<u8>,
    wire: Vec<u8>,
}

/// A batch of packets, at most one of each stream, protected by both.
fn send(pairs: &mut [Pair], random: &mut Random) -> Vec<Sent> {
    let mut indices = Vec::new();
    let mut sent = Vec::new();
    for (at, pair) in pairs.iter_mut().enumerate() {
        for stream in 0..STREAMS {
            if random.one_in(4) {
                continue;
            }
            let header = pair.header(stream, random);
            let len = payload_len(random);
            let payload = random.bytes(len);
            let seq = u16::from_be_bytes([header[2], header[3]]);
            let index = pair.outbound.take_rtp(pair.streams[stream].0, seq);
            let mut theirs = [&header[..], &payload].concat();
            let verdict = pair.their_outbound.protect(&mut theirs);
            assert_eq!(index.is_ok(), verdict.is_ok(), "{index:?} {verdict:?}");
            if let Ok(index) = index {
                indices.push(index);
                sent.push(Sent { pair: at, header, payload, wire: theirs });
            }
        }
    }
    let mut outs: Vec<_> = sent.iter().map(|packet| vec![0; packet.wire.len()]).collect();
    let mut jobs: Vec<_> = sent
        .iter()
        .zip(indices)
        .zip(&mut outs)
        .map(|((packet, index), out)| {
            let keys = pairs[packet.pair].outbound.keys();
            ProtectJob::new(keys, index, &packet.header, &packet.payload, out).unwrap()
        })
        .collect();
    protect_batch(&mut jobs);
    drop(jobs);
    for (packet, out) in sent.iter().zip(&outs) {
        assert!(packet.wire == *out, "protect differs: {:?}", pairs[packet.pair].outbound.keys());
    }
    sent
}

/// Hands a batch to both receivers, with some packets damaged and some twice.
fn receive(pairs: &mut [Pair], sent: &[Sent], random: &mut Random) {
    let mut wires: Vec<(usize, Vec<u8>, bool)> = Vec::new();
    for (i, packet) in sent.iter().enumerate() {
        if random.one_in(50) {
            let mut damaged = packet.wire.clone();
            let at = 12 + random.below(damaged.len() - 12);
            damaged[at] ^= 1 << random.below(8);
            wires.push((i, damaged, false));
        }
        wires.push((i, packet.wire.clone(), true));
        if random.one_in(50) {
            wires.push((i, packet.wire.clone(), false));
        }
    }
    let mut outs: Vec<_> = wires.iter().map(|(_, wire, _)| vec![0xee; wire.len()]).collect();
    let tickets: Vec<_> =
        wires.iter().map(|(i, wire, _)| pairs[sent[*i].pair].inbound.prepare_rtp(wire)).collect();
    let mut prepared = Vec::new();
    let mut jobs = Vec::new();
    for (k, ((ticket, (i, wire, _)), out)) in tickets.into_iter().zip(&wires).zip(&mut outs).enumerate() {
        if let Ok(ticket) = ticket {
            prepared.push(k);
            let keys = pairs[sent[*i].pair].inbound.keys();
            jobs.push(UnprotectJob::new(keys, ticket, wire, out).unwrap());
        }
    }
    unprotect_batch(&mut jobs);
    let done: Vec<_> = jobs.into_iter().map(UnprotectJob::finish).collect();
    let mut verdicts: Vec<Result<(), SrtpError>> = vec![Err(SrtpError::Header); wires.len()];
    for (k, done) in prepared.into_iter().zip(done) {
        let pair = &mut pairs[sent[wires[k].0].pair];
        verdicts[k] = done.and_then(|authentic| pair.inbound.commit_rtp(authentic));
    }
    for (((i, wire, good), out), verdict) in wires.into_iter().zip(outs).zip(verdicts) {
        let packet = &sent[i];
        let pair = &mut pairs[packet.pair];
        let mut theirs = wire;
        let their_verdict = pair.their_inbound.unprotect(&mut theirs);
        assert_eq!(verdict.is_ok(), their_verdict.is_ok(), "{verdict:?} {their_verdict:?}");
        assert_eq!(verdict.is_ok(), good, "{verdict:?}");
        if good {
            assert_eq!(out[..theirs.len()], theirs);
            assert_eq!(theirs, [&packet.header[..], &packet.payload].concat());
        }
    }
}

/// One RTCP packet of each session, both ways, once more as a replay and once damaged.
fn rtcp(pairs: &mut [Pair], random: &mut Random) -> usize {
    for pair in pairs.iter_mut() {
        let len = 8 + 4 * random.below(60);
        let mut packet = random.bytes(len);
        packet[0] = 0x80 | (packet[0] & 0x1f);
        let ssrc = pair.streams[random.below(STREAMS)].0;
        packet[4..8].copy_from_slice(&ssrc.to_be_bytes());
        let mut ours = vec![0; packet.len() + pair.outbound.rtcp_overhead()];
        pair.outbound.protect_rtcp(&packet, &mut ours).unwrap();
        let mut theirs = packet.clone();
        pair.their_outbound.protect_rtcp(&mut theirs).unwrap();
        assert_eq!(ours, theirs);
        let mut damaged = ours.clone();
        let at = 8 + random.below(damaged.len() - 8);
        damaged[at] ^= 1 << random.below(8);
        let mut plain = vec![0; ours.len()];
        pair.inbound.unprotect_rtcp(&damaged, &mut plain).unwrap_err();
        assert_eq!(pair.inbound.unprotect_rtcp(&ours, &mut plain), Ok(packet.len()));
        assert_eq!(plain[..packet.len()], packet);
        pair.inbound.unprotect_rtcp(&ours, &mut plain).unwrap_err();
        pair.their_inbound.unprotect_rtcp(&mut theirs).unwrap();
        assert_eq!(theirs, packet);
    }
    pairs.len()
}

#[test]
fn a_million_packets_equal() {
    let wanted = if std::env::var_os("KANAME_FULL").is_some() { 10_000_000 } else { 1_000_000 };
    let mut random = Random(0x6b61_6e61_6d65);
    let backends: Vec<_> = Backend::all_available().collect();
    let mut packets = 0;
    let mut roll_overs = 0;
    // New sessions now and then: the first packets of a stream are the delicate ones.
    while packets < wanted {
        let mut pairs: Vec<_> = backends
            .iter()
            .flat_map(|&backend| PROFILES.map(|profile| (backend, profile)))
            .map(|(backend, profile)| Pair::new(backend, profile, &mut random))
            .collect();
        let until = (packets + 50_000).min(wanted);
        while packets < until {
            let sent = send(&mut pairs, &mut random);
            receive(&mut pairs, &sent, &mut random);
            packets += sent.len();
            if random.one_in(4) {
                packets += rtcp(&mut pairs, &mut random);
            }
        }
        for pair in &pairs {
            for (ssrc, _) in &pair.streams {
                assert_eq!(pair.inbound.roc(*ssrc), pair.outbound.roc(*ssrc));
                roll_overs += pair.inbound.roc(*ssrc).unwrap();
            }
        }
    }
    assert!(roll_overs > 100, "the streams hardly rolled over: {roll_overs}");
}
