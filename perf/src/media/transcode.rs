//! The transcoding pipeline beside the bare codec calls that it makes.

use std::hint::black_box;

use kaname_media::codec::opus::OpusConfig;
use kaname_media::codec::{Codec, Codecs};
use kaname_media::jitter::{Packet, Receives, Scratch, StreamFormat};
use kaname_media::transcode::{SendKeys, Transcoder, TranscoderConfig};
use kaname_media::{SendFormat, Start};

use super::{Row, by_turns, voice};

/// The goal: jitter buffer, timing and packets may cost a tenth of the codecs.
const GOAL: f64 = 1.10;

pub(super) fn run(rounds: usize, only: &str, rows: &mut Vec<Row>) {
    let opus = Codec::Opus(OpusConfig::default());
    for (name, from, to) in [
        ("PCMA to PCMU", Codec::Pcma, Codec::Pcmu),
        ("PCMA to G722", Codec::Pcma, Codec::G722),
        ("G722 to PCMA", Codec::G722, Codec::Pcma),
        ("PCMA to opus", Codec::Pcma, opus),
        ("opus to PCMA", opus, Codec::Pcma),
        ("G722 to opus", Codec::G722, opus),
    ] {
        let case = format!("transcode {name}, pipeline / bare codecs");
        if case.contains(only) {
            let [pipeline, bare] = measure(rounds, from, to);
            rows.push(Row { case, us: pipeline, against: Some((bare, Some(GOAL))) });
        }
    }
}

fn measure(rounds: usize, from: Codec, to: Codec) -> [f64; 2] {
    let codecs = Codecs::built_in();
    let talks_at = from.rate_max();
    let sound = voice(talks_at.hz(), 4, 1);
    let packets = encode(&codecs, from, &sound);
    let rate = to.rate_for(talks_at.min(to.rate_max()));
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
    let (Ok(mut transcoder), Ok(mut decoder), Ok(mut encoder)) = (
        Transcoder::new(config, &codecs),
        codecs.decoder(from, from.rate_for(rate)),
        codecs.encoder(to, rate),
    ) else {
        return [f64::NAN; 2];
    };
    let mut scratch = Scratch::default();
    let ticks = from.clock_hz() / 50;
    let (mut frame, mut payload) = ([0; 5760], [0; 1500]);
    // The encoder gets a frame of its rate, whatever the decoder's is: resampling is the pipeline's affair.
    let samples = rate.samples(20);
    let times = by_turns(
        rounds,
        50,
        &mut [
            &mut |n| {
                let now_ns = (1_000 + n as u64 * 20) * 1_000_000;
                let packet = Packet {
                    payload_type: 96,
                    sequence: n as u16,
                    timestamp: n as u32 * ticks,
                    marker: false,
                    level: None,
                    arrival_ns: now_ns,
                    payload: &packets[n % packets.len()],
                };
                transcoder.receive(&packet, &mut |_| {});
                black_box(transcoder.tick(now_ns, &mut scratch, &mut |_| {}));
            },
            &mut |n| {
                let _ = decoder.decode(&packets[n % packets.len()], &mut frame);
                let _ = black_box(encoder.encode(&frame[..samples], &mut payload));
            },
        ],
    );
    [times[0], times[1]]
}

/// A sound as packets of 20 ms.
pub(super) fn encode(codecs: &Codecs, codec: Codec, sound: &[i16]) -> Vec<Vec<u8>> {
    let rate = codec.rate_max();
    let Ok(mut encoder) = codecs.encoder(codec, rate) else { return Vec::new() };
    let mut payload = [0; 2000];
    sound
        .chunks_exact(rate.samples(20))
        .map(|samples| {
            let len = encoder.encode(samples, &mut payload).unwrap_or(0);
            payload[..len].to_vec()
        })
        .collect()
}
