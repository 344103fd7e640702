//! Codecs, resampler, detector, levels: each alone, per frame of 20 ms.

use std::hint::black_box;

use kaname_media::Rate;
use kaname_media::codec::opus::OpusConfig;
use kaname_media::codec::{AmrConfig, AmrPacking, Codec, Codecs};
use kaname_media::dtmf::Detector;
use kaname_media::level::measure;
use kaname_media::resample::Resampler;

use super::{Row, by_turns, voice};

const FRAMES: usize = 50;

pub(super) fn run(rounds: usize, only: &str, rows: &mut Vec<Row>) {
    let codecs = Codecs::built_in().with_amr().with_g729();
    let opus = OpusConfig::default();
    let amr = AmrConfig { packing: AmrPacking::OctetAligned, mode: 7, dtx: false };
    let list = [
        ("PCMA", Codec::Pcma, Rate::K8),
        ("PCMU", Codec::Pcmu, Rate::K8),
        ("G722", Codec::G722, Rate::K16),
        ("L16/48", Codec::L16(Rate::K48), Rate::K48),
        ("opus at 8 kHz", Codec::Opus(opus), Rate::K8),
        ("opus at 16 kHz", Codec::Opus(opus), Rate::K16),
        ("opus at 48 kHz", Codec::Opus(opus), Rate::K48),
        ("opus at 8 kHz complexity 10", Codec::Opus(OpusConfig { complexity: 10, ..opus }), Rate::K8),
        ("G729", Codec::G729 { annex_b: false }, Rate::K8),
        ("AMR", Codec::Amr(amr), Rate::K8),
        ("AMR-WB", Codec::AmrWb(amr), Rate::K16),
    ];
    for (name, codec, rate) in list.into_iter().filter(|(_, codec, _)| codecs.has(*codec)) {
        let (encode_case, decode_case) = (format!("encode {name}"), format!("decode {name}"));
        if !encode_case.contains(only) && !decode_case.contains(only) {
            continue;
        }
        let sound = voice(rate.hz(), 4, 1);
        let frame = rate.samples(20);
        let (Ok(mut encoder), Ok(mut decoder)) = (codecs.encoder(codec, rate), codecs.decoder(codec, rate))
        else {
            continue;
        };
        let mut payload = [0; 2000];
        let payloads: Vec<Vec<u8>> = sound
            .chunks_exact(frame)
            .map(|samples| {
                let len = encoder.encode(samples, &mut payload).unwrap_or(0);
                payload[..len].to_vec()
            })
            .collect();
        let mut out = [0; 5760];
        let times = by_turns(
            rounds,
            FRAMES,
            &mut [
                &mut |n| {
                    let at = n % (sound.len() / frame) * frame;
                    let _ = black_box(encoder.encode(&sound[at..at + frame], &mut payload));
                },
                &mut |n| {
                    let _ = black_box(decoder.decode(&payloads[n % payloads.len()], &mut out));
                },
            ],
        );
        rows.push(Row::plain(encode_case, times[0]));
        rows.push(Row::plain(decode_case, times[1]));
    }
    for (from, to) in [
        (Rate::K8, Rate::K48),
        (Rate::K48, Rate::K8),
        (Rate::K16, Rate::K48),
        (Rate::K48, Rate::K16),
        (Rate::K8, Rate::K16),
        (Rate::K16, Rate::K8),
        (Rate::K24, Rate::K32),
    ] {
        let sound = voice(from.hz(), 1, 1);
        let mut resampler = Resampler::new(from, to);
        let mut out = [0; 960];
        one(rounds, only, rows, format!("resample {} to {}", from.hz(), to.hz()), |n| {
            let at = n % 50 * from.samples(20);
            black_box(resampler.process(&sound[at..at + from.samples(20)], &mut out));
        });
    }
    for rate in [Rate::K8, Rate::K48] {
        let sound = voice(rate.hz(), 1, 1);
        let frame = rate.samples(20);
        let mut detector = Detector::new(rate);
        one(rounds, only, rows, format!("detect DTMF at {}", rate.hz()), |n| {
            detector.listen(&sound[n % 50 * frame..][..frame], &mut |_| {});
        });
        one(rounds, only, rows, format!("level at {}", rate.hz()), |n| {
            black_box(measure(&sound[n % 50 * frame..][..frame]));
        });
    }
}

fn one(rounds: usize, only: &str, rows: &mut Vec<Row>, case: String, mut call: impl FnMut(usize)) {
    if case.contains(only) {
        let times = by_turns(rounds, FRAMES * 4, &mut [&mut call]);
        rows.push(Row::plain(case, times[0]));
    }
}
