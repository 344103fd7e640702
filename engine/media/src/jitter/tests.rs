//! Traces of networks, seeded: what comes out is compared with what was said.

use super::*;
use crate::codec::opus::OpusConfig;
use crate::codec::{Codec, Codecs};
use crate::kit::{self, Noise};
use crate::{Rate, limits};

const MS: u64 = 1_000_000;

/// A talker behind a network.
struct Trace {
    codec: Codec,
    rate: Rate,
    ptime_ms: u32,
    /// Packets lost, in percent, and most lateness, in milliseconds.
    loss: u64,
    jitter_ms: u64,
    /// The talker's clock is fast by so much.
    ppm: i64,
    packets: u64,
    seed: u64,
}

struct Heard {
    samples: Vec<i16>,
    playout: Playout,
    /// Delay from sending a sample to hearing it, in microseconds, at several moments.
    kinds: Vec<Played>,
}

fn run(trace: &Trace, sound: &[i16]) -> Heard {
    let codecs = Codecs::built_in();
    let coded_at = trace.codec.rate_for(trace.rate);
    let mut encoder = codecs.encoder(trace.codec, coded_at).unwrap();
    encoder.expect_loss(trace.loss.max(1) as u8);
    let config = PlayoutConfig {
        formats: vec![StreamFormat { payload_type: 96, receives: Receives::Audio(trace.codec) }],
        rate: trace.rate,
        delay_ms_min: 10,
    };
    let mut playout = Playout::new(&config, &codecs).unwrap();
    let mut noise = Noise(trace.seed);
    let frame = coded_at.samples(trace.ptime_ms);
    let ticks = trace.codec.clock_hz() / 1000 * trace.ptime_ms;
    let step_ns = u64::from(trace.ptime_ms) * MS;
    let mut due: Vec<(u64, u16, u32, Vec<u8>)> = Vec::new();
    let mut samples = Vec::new();
    let mut kinds = Vec::new();
    let mut scratch = Scratch::default();
    let mut sent = 0;
    let start = 5_000 * MS;
    let pull_ns = 20 * MS;
    for tick in 0..trace.packets * step_ns / pull_ns {
        let now = start + tick * pull_ns;
        while sent < trace.packets {
            let sent_at = start + (sent * step_ns) * (1_000_000 - trace.ppm) as u64 / 1_000_000;
            if sent_at > now {
                break;
            }
            let at = sent as usize * frame % (sound.len() - frame);
            let mut payload = vec![0; 1500];
            let len = encoder.encode(&sound[at..at + frame], &mut payload).unwrap();
            payload.truncate(len);
            if noise.below(100) >= trace.loss && len > 0 {
                let arrival = sent_at + noise.below(trace.jitter_ms * MS + 1);
                due.push((
                    arrival,
                    60_000u16.wrapping_add(sent as u16),
                    (u32::MAX - 5_000).wrapping_add(sent as u32 * ticks),
                    payload,
                ));
            }
            sent += 1;
        }
        due.sort_by_key(|packet| packet.0);
        let later = due.partition_point(|packet| packet.0 <= now);
        for (arrival_ns, sequence, timestamp, payload) in due.drain(..later) {
            playout.insert(&Packet {
                payload_type: 96,
                sequence,
                timestamp,
                marker: false,
                level: None,
                arrival_ns,
                payload: &payload,
            });
        }
        let mut out = vec![0; trace.rate.samples(20)];
        kinds.push(playout.pull(now, &mut out, &mut scratch));
        samples.extend(out);
    }
    Heard { samples, playout, kinds }
}

fn telephone() -> Trace {
    Trace {
        codec: Codec::Pcma,
        rate: Rate::K8,
        ptime_ms: 20,
        loss: 0,
        jitter_ms: 0,
        ppm: 0,
        packets: 500,
        seed: 1,
    }
}

#[test]
fn a_calm_network_adds_nothing() {
    let sound = kit::speech(Rate::K8, 1, 160 * 500);
    let heard = run(&telephone(), &sound);
    let counters = heard.playout.counters();
    assert!(counters.decoded >= 498 && counters.lost == 0 && counters.concealed_samples == 0, "{counters:?}");
    // One tick of delay, for the target.
    let best = kit::best_correlation(&sound[..16_000], &heard.samples[..16_800], 400);
    assert!(best > 0.99, "{best}");
    assert!(heard.samples[..320].iter().filter(|&&s| s == 0).count() < 320);
}

#[test]
fn jitter_is_waited_for_and_not_more() {
    let sound = kit::speech(Rate::K8, 1, 160 * 500);
    for jitter_ms in [15, 40, 90] {
        let trace = Trace { jitter_ms, packets: 3000, ..telephone() };
        let heard = run(&trace, &sound);
        let counters = heard.playout.counters();
        let missed = counters.late + counters.lost;
        assert!(missed < 3000 * 4 / 100, "{jitter_ms}: {counters:?}");
        assert!(
            heard.playout.target_us() <= jitter_ms * 1000 + 8_000,
            "{jitter_ms}: {}",
            heard.playout.target_us()
        );
    }
}

#[test]
fn clocks_that_differ_are_followed_for_half_an_hour() {
    let sound = kit::speech(Rate::K8, 9, 160 * 997);
    for ppm in [-200, 200] {
        let trace = Trace { ppm, packets: 90_000, jitter_ms: 5, ..telephone() };
        let heard = run(&trace, &sound);
        let counters = heard.playout.counters();
        // 200 millionths of half an hour are 360 ms, in periods of up to 10 ms.
        let steps = counters.shrunk + counters.stretched;
        assert!((30..400).contains(&steps), "{ppm}: {counters:?}");
        assert!(counters.lost + counters.late + counters.overflow < 20, "{ppm}: {counters:?}");
        assert!(heard.kinds[2..].iter().filter(|kind| **kind != Played::Audio).count() < 20, "{ppm}");
        assert!(heard.playout.target_us() < 20_000);
    }
}

#[test]
fn lost_packets_of_opus_come_back_from_redundancy() {
    let sound = kit::speech(Rate::K16, 3, 320 * 500);
    let config = OpusConfig { fec: true, ..OpusConfig::default() };
    let trace = Trace {
        codec: Codec::Opus(config),
        rate: Rate::K16,
        loss: 10,
        jitter_ms: 20,
        packets: 1000,
        ..telephone()
    };
    let counters = run(&trace, &sound).playout.counters();
    assert!(counters.recovered * 2 > counters.lost, "{counters:?}");
}

#[test]
fn ten_percent_of_loss_sound_like_the_talker() {
    let sound = kit::speech(Rate::K8, 4, 160 * 500);
    let lossy = run(&Trace { loss: 10, ..telephone() }, &sound);
    let calm = run(&telephone(), &sound);
    let alike = kit::correlation(&calm.samples, &lossy.samples);
    assert!(alike > 0.85, "{alike}");
    let counters = lossy.playout.counters();
    assert!(
        counters.concealed_samples > 0 && counters.concealed_samples <= (counters.lost + 3) * 160,
        "{counters:?}"
    );
}

#[test]
fn a_burst_after_a_stall_leaves_no_delay() {
    let codecs = Codecs::built_in();
    let config = PlayoutConfig {
        formats: vec![StreamFormat { payload_type: 8, receives: Receives::Audio(Codec::Pcma) }],
        rate: Rate::K8,
        delay_ms_min: 10,
    };
    for stall in [5u64, 15, 40, 200] {
        let mut playout = Playout::new(&config, &codecs).unwrap();
        let mut scratch = Scratch::default();
        let mut out = [0; 160];
        let mut delay_us = 0;
        for n in 0..1500u64 {
            let now = (1_000 + n * 20) * MS;
            let stalled = (300..300 + stall).contains(&n);
            let first = if n == 300 + stall { 300 } else { n };
            for packet in (first..=n).filter(|_| !stalled) {
                // Every packet says which it is.
                let payload = [(packet % 50) as u8 | 0x80; 160];
                let packet = Packet {
                    payload_type: 8,
                    sequence: packet as u16,
                    timestamp: packet as u32 * 160,
                    marker: false,
                    level: None,
                    arrival_ns: now,
                    payload: &payload,
                };
                playout.insert(&packet);
            }
            playout.pull(now, &mut out, &mut scratch);
            if let Some(position) = playout.play_timestamp() {
                delay_us = (now / 1000) as i64 - 1_000_000 - position * 125;
            }
        }
        let counters = playout.counters();
        // The next sample is heard 20 ms after this tick.
        let delay_us = delay_us + 20_000;
        // The target of 10 ms, less than a tick of what is left, and what is not worth a cut.
        assert!((0..43_000).contains(&delay_us), "{stall}: {delay_us} {counters:?}");
    }
}

#[test]
fn silence_is_filled_as_described_and_costs_no_delay() {
    let codecs = Codecs::built_in();
    let config = PlayoutConfig {
        formats: vec![
            StreamFormat { payload_type: 0, receives: Receives::Audio(Codec::Pcmu) },
            StreamFormat { payload_type: 13, receives: Receives::ComfortNoise },
            StreamFormat { payload_type: 101, receives: Receives::Events },
        ],
        rate: Rate::K8,
        delay_ms_min: 10,
    };
    let mut playout = Playout::new(&config, &codecs).unwrap();
    let mut scratch = Scratch::default();
    let loud = kit::tone(Rate::K8, 500.0, 10_000.0, 160);
    let mut code = [0; 160];
    crate::codec::g711::compress(crate::codec::g711::Law::Mu, &loud, &mut code);
    let mut sequence = 0;
    let mut kinds = Vec::new();
    for n in 0..400u64 {
        let now = n * 20 * MS;
        // Two seconds of talk, two of silence, a key in between, and so on.
        let packet = match n % 200 {
            0..100 => Some((0, &code[..], 0)),
            100 => Some((13, &[50u8][..], 0)),
            140..145 => Some((101, &[1, 10, 1, 0][..], (n % 200 - 140) as u32 * 160)),
            _ => None,
        };
        if let Some((payload_type, payload, back)) = packet {
            let timestamp = n as u32 * 160 - back;
            let packet = Packet {
                payload_type,
                sequence,
                timestamp,
                marker: false,
                level: None,
                arrival_ns: now,
                payload,
            };
            playout.insert(&packet);
            sequence += 1;
        }
        let mut out = [0; 160];
        kinds.push(playout.pull(now, &mut out, &mut scratch));
        if (110..195).contains(&n) {
            assert_eq!(kinds.last(), Some(&Played::Noise), "{n}");
            assert!((45..=55).contains(&crate::level::measure(&out)), "{n}");
        }
    }
    let counters = playout.counters();
    assert_eq!((counters.lost, counters.concealed_samples, counters.late), (0, 0, 0));
    assert!(counters.decoded >= 199);
}

#[test]
fn another_stream_is_taken_after_two_packets() {
    let codecs = Codecs::built_in();
    let config = PlayoutConfig {
        formats: vec![StreamFormat { payload_type: 8, receives: Receives::Audio(Codec::Pcma) }],
        rate: Rate::K8,
        delay_ms_min: 10,
    };
    let mut playout = Playout::new(&config, &codecs).unwrap();
    let mut give = |sequence, timestamp, ms: u64| {
        let payload = [0x55; 160];
        let packet = Packet {
            payload_type: 8,
            sequence,
            timestamp,
            marker: false,
            level: None,
            arrival_ns: ms * MS,
            payload: &payload,
        };
        playout.insert(&packet)
    };
    assert_eq!(give(1, 160, 1000), Inserted::Stored);
    assert_eq!(give(1, 160, 1001), Inserted::Duplicate);
    assert_eq!(give(2, 320, 1020), Inserted::Stored);
    // One stray packet changes nothing, two that agree do.
    assert_eq!(give(40_000, 900_000, 1030), Inserted::Doubtful);
    assert_eq!(give(3, 480, 1040), Inserted::Stored);
    assert_eq!(give(40_001, 900_160, 1050), Inserted::Doubtful);
    assert_eq!(give(40_002, 900_320, 1070), Inserted::Stored);
    assert_eq!(give(40_003, 900_480, 1090), Inserted::Stored);
    assert_eq!(playout.counters().restarts, 1);
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

    /// Whatever comes, in whatever order: no panic, and what waits is bounded.
    #[test]
    fn hostile_packets_do_no_harm(
        packets in proptest::collection::vec((0u8..4, 0u16.., 0u32.., 0u64..30_000_000, proptest::collection::vec(0u8.., 0..1600)), 0..200),
        near in proptest::bool::ANY,
    ) {
        let codecs = Codecs::built_in();
        let config = PlayoutConfig {
            formats: vec![
                StreamFormat { payload_type: 0, receives: Receives::Audio(Codec::Opus(OpusConfig::default())) },
                StreamFormat { payload_type: 1, receives: Receives::Audio(Codec::G722) },
                StreamFormat { payload_type: 2, receives: Receives::ComfortNoise },
                StreamFormat { payload_type: 3, receives: Receives::Events },
            ],
            rate: Rate::K24,
            delay_ms_min: 10,
        };
        let mut playout = Playout::new(&config, &codecs).unwrap();
        let mut scratch = Scratch::default();
        let mut now = 0;
        let mut out = [0; 24 * 20];
        for (payload_type, sequence, timestamp, later_ns, payload) in &packets {
            now += later_ns;
            let (sequence, timestamp) = if near { (sequence % 50, timestamp % 40_000) } else { (*sequence, *timestamp) };
            playout.insert(&Packet {
                payload_type: *payload_type,
                sequence,
                timestamp,
                marker: false,
                level: None,
                arrival_ns: now,
                payload,
            });
            playout.pull(now, &mut out, &mut scratch);
            if now % 3 == 0 {
                playout.skip(now, 480);
            }
        }
        proptest::prop_assert!(playout.target_us() <= u64::from(limits::JITTER_DELAY_MS_MAX) * 1000);
    }
}

#[test]
fn what_is_lost_comes_with_redundant_packets() {
    use kaname_wire::payload::red::{Block, write};

    let codecs = Codecs::built_in();
    let sound = kit::speech(Rate::K8, 11, 160 * 1_500);
    let payloads: Vec<Vec<u8>> = sound
        .chunks_exact(160)
        .map(|frame| {
            let mut payload = vec![0; 160];
            codecs.encoder(Codec::Pcma, Rate::K8).unwrap().encode(frame, &mut payload).unwrap();
            payload
        })
        .collect();
    let formats = vec![
        StreamFormat { payload_type: 8, receives: Receives::Audio(Codec::Pcma) },
        StreamFormat { payload_type: 63, receives: Receives::Redundant },
        StreamFormat { payload_type: 101, receives: Receives::Events },
    ];
    let config = PlayoutConfig { formats, rate: Rate::K8, delay_ms_min: 10 };
    let mut playout = Playout::new(&config, &codecs).unwrap();
    let (mut noise, mut scratch, mut dropped) = (Noise(3), Scratch::default(), 0);
    let (mut heard, mut events) = (Vec::new(), Vec::new());
    for n in 2..payloads.len() {
        let now = (1_000 + n as u64 * 20) * MS;
        let lost = n > 100 && noise.below(10) == 0;
        dropped += usize::from(lost);
        let mut payload = [0; 1_400];
        let block = |back: usize| Block {
            payload_type: 8,
            timestamp_offset: 160 * back as u16,
            data: &payloads[n - back],
        };
        let event = Block { payload_type: 101, timestamp_offset: 0, data: &[5, 0x8a, 3, 0x20] };
        // Once the newest block is a key.
        let newest = if n == 60 { event } else { block(0) };
        let len = write(&mut payload, &[block(2), block(1)], newest).unwrap();
        if !lost {
            let packet = Packet {
                payload_type: 63,
                sequence: 65_000u16.wrapping_add(n as u16),
                timestamp: n as u32 * 160,
                marker: false,
                level: None,
                arrival_ns: now,
                payload: &payload[..len],
            };
            playout.receive(&packet, &mut |event| events.push((event.timestamp, event.payload.to_vec())));
        }
        let mut out = [0; 160];
        playout.pull(now, &mut out, &mut scratch);
        heard.extend(out);
    }
    let counters = playout.counters();
    assert_eq!(events, [(60 * 160, vec![5, 0x8a, 3, 0x20])]);
    assert!(dropped > 100 && counters.recovered as usize > dropped * 9 / 10, "{dropped} {counters:?}");
    assert!(counters.concealed_samples < 160 * dropped as u64 / 3, "{counters:?}");
    assert_eq!((counters.malformed, counters.unknown_type), (0, 0));
    // Garbage is counted, and changes nothing else.
    for garbage in [&[][..], &[0x88], &[0x88, 0, 3, 255, 8, 1]] {
        let packet = Packet {
            payload_type: 63,
            sequence: 1,
            timestamp: 1,
            marker: false,
            level: None,
            arrival_ns: 0,
            payload: garbage,
        };
        assert_eq!(playout.receive(&packet, &mut |_| {}), Inserted::UnknownType);
    }
    assert_eq!(playout.counters().malformed, 3);
}
