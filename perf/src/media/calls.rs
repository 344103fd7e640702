//! Whole calls: both directions through transcoders, SRTP on one side.

use std::hint::black_box;

use kaname_media::codec::opus::OpusConfig;
use kaname_media::codec::{Codec, Codecs};
use kaname_media::jitter::{Packet, Receives, Scratch, StreamFormat};
use kaname_media::transcode::{SendKeys, Transcoder, TranscoderConfig};
use kaname_media::{OutPacket, SendFormat, Start};
use kaname_srtp::{Backend, Inbound, Keying, Outbound, Profile};
use kaname_wire::rtp::HeaderBuilder;

use super::transcode::encode;
use super::{Row, by_turns, voice};

/// The goal: so many calls on one core, 20 ms each 20 ms.
const CALLS_GOAL: f64 = 200.0;
const TICK_US: f64 = 20_000.0;
const CALLS_A_TURN: usize = 10;

pub(super) fn run(rounds: usize, only: &str, rows: &mut Vec<Row>) {
    let case = "call opus (SRTP) and PCMA, both ways / 200 calls a core";
    if case.contains(only)
        && let Some(us) = measure(rounds)
    {
        rows.push(Row { case: case.into(), us, against: Some((TICK_US / CALLS_GOAL, Some(1.0))) });
    }
}

struct Call {
    to_opus: Transcoder,
    to_pcma: Transcoder,
    outbound: Outbound,
    inbound: Inbound,
    scratch: Scratch,
    /// What the browser sends: each packet once, or it would be a replay.
    sealed: Vec<Vec<u8>>,
    pcma: Vec<Vec<u8>>,
}

impl Call {
    fn tick(&mut self, n: usize) {
        let now_ns = (1_000 + n as u64 * 20) * 1_000_000;
        let mut plain = [0; 1_500];
        let opened = self.inbound.unprotect_rtp(&self.sealed[n], &mut plain).unwrap_or(HEADER);
        self.to_pcma.receive(&packet(n, 960, now_ns, &plain[HEADER..opened]), &mut |_| {});
        let payload = &self.pcma[n % self.pcma.len()];
        self.to_opus.receive(&packet(n, 160, now_ns, payload), &mut |_| {});
        black_box(self.to_pcma.tick(now_ns, &mut self.scratch, &mut |_| {}));
        if let Some(packet) = self.to_opus.tick(now_ns, &mut self.scratch, &mut |_| {}) {
            let header = header(&packet);
            let mut wire = [0; 1_500];
            let len = packet.payload.len() + HEADER + self.outbound.rtp_overhead();
            let _ = black_box(self.outbound.protect_rtp(&header, packet.payload, &mut wire[..len]));
        }
    }
}

const HEADER: usize = kaname_wire::rtp::FIXED_HEADER_LEN;

fn header(packet: &OutPacket<'_>) -> [u8; HEADER] {
    let mut bytes = [0; HEADER];
    let builder = HeaderBuilder {
        marker: packet.marker,
        padding: false,
        payload_type: packet.payload_type,
        sequence: packet.sequence,
        timestamp: packet.timestamp,
        ssrc: 7,
        csrcs: &[],
        extensions: &[],
    };
    // Twelve bytes fit.
    let _ = builder.write(&mut bytes);
    bytes
}

fn packet(n: usize, ticks: u32, now_ns: u64, payload: &[u8]) -> Packet<'_> {
    Packet {
        payload_type: 96,
        sequence: n as u16,
        timestamp: n as u32 * ticks,
        marker: false,
        level: None,
        arrival_ns: now_ns,
        payload,
    }
}

fn transcoder(from: Codec, to: Codec, codecs: &Codecs) -> Option<Transcoder> {
    let config = TranscoderConfig {
        receives: vec![StreamFormat { payload_type: 96, receives: Receives::Audio(from) }],
        sends: SendFormat { codec: to, payload_type: 97, ptime_ms: 20 },
        noise_type: None,
        detect_tones: false,
        keys: SendKeys::Never,
        auto_level: false,
        delay_ms_min: 10,
        start: Start::default(),
    };
    Transcoder::new(config, codecs).ok()
}

/// Microseconds of one core for 20 ms of a call.
fn measure(rounds: usize) -> Option<f64> {
    let (codecs, opus) = (Codecs::built_in(), Codec::Opus(OpusConfig::default()));
    let profile = Profile::AeadAes128Gcm;
    let key = [7; 32];
    let keying = Keying::new(profile, &key[..profile.key_len()], &key[..profile.salt_len()])?;
    let (voices, backend) = ([voice(48_000, 4, 1), voice(8_000, 4, 2)], Backend::best());
    let (spoken, pcma) = (encode(&codecs, opus, &voices[0]), encode(&codecs, Codec::Pcma, &voices[1]));
    let mut browser = Outbound::new(backend, &keying);
    let sealed = (0..(rounds + 1) * CALLS_A_TURN).map(|n| {
        let payload = &spoken[n % spoken.len()];
        let start = OutPacket {
            payload_type: 96,
            marker: false,
            sequence: n as u16,
            timestamp: n as u32 * 960,
            level: None,
            payload,
        };
        let mut wire = vec![0; payload.len() + HEADER + browser.rtp_overhead()];
        browser.protect_rtp(&header(&start), payload, &mut wire).ok().map(|_| wire)
    });
    let mut call = Call {
        sealed: sealed.collect::<Option<_>>()?,
        to_opus: transcoder(Codec::Pcma, opus, &codecs)?,
        to_pcma: transcoder(opus, Codec::Pcma, &codecs)?,
        outbound: Outbound::new(backend, &keying),
        inbound: Inbound::new(backend, &keying),
        scratch: Scratch::default(),
        pcma,
    };
    by_turns(rounds, CALLS_A_TURN, &mut [&mut |n| call.tick(n)]).first().copied()
}
