mod masks;
mod silence;

use super::*;
use crate::codec::l16::L16;
use crate::codec::opus::OpusConfig;
use crate::codec::{AmrConfig, AmrPacking, Decoder};
use crate::dtmf::{Key, VOLUME};
use crate::jitter::{Receives, StreamFormat};
use crate::kit;
use crate::outgoing::SendFormat;

const MS: u64 = 1_000_000;

fn format(payload_type: u8, codec: Codec) -> StreamFormat {
    StreamFormat { payload_type, receives: Receives::Audio(codec) }
}

fn config(from: Codec, to: Codec) -> TranscoderConfig {
    TranscoderConfig {
        receives: vec![
            format(96, from),
            StreamFormat { payload_type: 101, receives: Receives::Events },
            StreamFormat { payload_type: 13, receives: Receives::ComfortNoise },
        ],
        sends: SendFormat { codec: to, payload_type: 97, ptime_ms: 20 },
        noise_type: None,
        detect_tones: false,
        keys: SendKeys::Never,
        auto_level: false,
        delay_ms_min: 10,
        start: Start { sequence: 65_530, timestamp: u32::MAX - 1_000 },
    }
}

/// A talker with a codec, one frame a tick.
struct Talker {
    encoder: Box<dyn Encoder>,
    codec: Codec,
    sent: u32,
}

impl Talker {
    fn new(codec: Codec, codecs: &Codecs) -> Self {
        let rate = codec.rate_max();
        Talker { encoder: codecs.encoder(codec, rate).unwrap(), codec, sent: 0 }
    }

    fn say(&mut self, transcoder: &mut Transcoder, frame: &[i16], now_ns: u64) {
        let mut payload = [0; 2000];
        let len = self.encoder.encode(frame, &mut payload).unwrap();
        let packet = Packet {
            payload_type: 96,
            sequence: self.sent as u16,
            timestamp: self.sent * (self.codec.clock_hz() / 50),
            marker: false,
            level: None,
            arrival_ns: now_ns,
            payload: &payload[..len],
        };
        self.sent += 1;
        transcoder.receive(&packet, &mut |_| {});
    }
}

/// Says something through a pipeline; gives what a listener decodes, and the numbers of the packets.
fn through(from: Codec, to: Codec, sound: &[i16], codecs: &Codecs) -> (Vec<i16>, Vec<(u16, u32)>) {
    let mut transcoder = Transcoder::new(config(from, to), codecs).unwrap();
    let mut talker = Talker::new(from, codecs);
    let rate = to.rate_max();
    let mut decoder = codecs.decoder(to, rate).unwrap();
    let mut scratch = Scratch::default();
    let (mut heard, mut numbers) = (Vec::new(), Vec::new());
    for (n, frame) in sound.chunks_exact(from.rate_max().samples(20)).enumerate() {
        let now = (1_000 + n as u64 * 20) * MS;
        talker.say(&mut transcoder, frame, now);
        let mut out = vec![0; rate.samples(20)];
        if let Some(packet) = transcoder.tick(now, &mut scratch, &mut |_| {}) {
            numbers.push((packet.sequence, packet.timestamp));
            decoder.decode(packet.payload, &mut out).unwrap();
        }
        heard.extend(out);
    }
    assert_eq!(transcoder.counters().failed, 0);
    (heard, numbers)
}

/// Band-limits and converts a signal for comparison.
fn at_rate(sound: &[i16], from: Rate, to: Rate) -> Vec<i16> {
    let mut narrow = crate::resample::Resampler::new(from, Rate::K8);
    let mut back = crate::resample::Resampler::new(Rate::K8, to);
    let mut out = Vec::new();
    for frame in sound.chunks_exact(from.samples(20)) {
        let (mut low, mut high) = ([0; 160], vec![0; to.samples(20)]);
        narrow.process(frame, &mut low);
        back.process(&low, &mut high);
        out.extend(high);
    }
    out
}

fn all_codecs(codecs: &Codecs) -> Vec<Codec> {
    let amr = AmrConfig { packing: AmrPacking::BandwidthEfficient, mode: 7, dtx: false };
    let wide = AmrConfig { packing: AmrPacking::OctetAligned, mode: 8, dtx: false };
    [
        Codec::Pcma,
        Codec::Pcmu,
        Codec::G722,
        Codec::Opus(OpusConfig { bitrate: 32_000, ..OpusConfig::default() }),
        Codec::L16(Rate::K32),
        Codec::G729 { annex_b: false },
        Codec::Amr(amr),
        Codec::AmrWb(wide),
    ]
    .into_iter()
    .filter(|codec| codecs.has(*codec))
    .collect()
}

#[test]
fn speech_passes_between_every_pair_of_codecs() {
    let codecs = Codecs::built_in().with_amr().with_g729();
    for from in all_codecs(&codecs) {
        for to in all_codecs(&codecs) {
            let sound = kit::speech(from.rate_max(), 3, from.rate_max().samples(2_000));
            let (heard, numbers) = through(from, to, &sound, &codecs);
            // What a telephone's band has of both.
            let sent = at_rate(&sound, from.rate_max(), Rate::K16);
            let heard = at_rate(&heard, to.rate_max(), Rate::K16);
            let alike = kit::best_correlation(&sent[3_200..], &heard[3_200..], Rate::K16.samples(80));
            let waveform = |codec| matches!(codec, Codec::Pcma | Codec::Pcmu | Codec::G722 | Codec::L16(_));
            // Codecs of speech keep its sound rather than its waveform, the more so one after the other.
            let least = match (waveform(from), waveform(to)) {
                (true, true) => 0.97,
                (true, false) | (false, true) => 0.7,
                _ => 0.4,
            };
            assert!(alike > least, "{from:?} to {to:?}: {alike}");
            let loudness = kit::envelope_correlation(&sent, &heard, Rate::K16);
            assert!(loudness > 0.9, "{from:?} to {to:?}: loudness {loudness}");
            let ticks = to.clock_hz() / 50;
            for pair in numbers.windows(2) {
                assert_eq!(pair[1].0, pair[0].0.wrapping_add(1));
                assert_eq!(pair[1].1, pair[0].1.wrapping_add(ticks));
            }
            assert!(numbers.len() >= 97, "{from:?} to {to:?}: {}", numbers.len());
        }
    }
}

#[test]
fn the_delay_is_a_frame_the_target_and_the_look_ahead() {
    let codecs = Codecs::built_in();
    for to in [Codec::Pcmu, Codec::L16(Rate::K8), Codec::Opus(OpusConfig::default())] {
        let mut sound = vec![0; 8_000];
        sound[1_600..1_680].copy_from_slice(&kit::tone(Rate::K8, 1_000.0, 16_000.0, 80));
        let (heard, _) = through(Codec::Pcma, to, &sound, &codecs);
        let rate = to.rate_max();
        let at = heard.iter().position(|&s| s.unsigned_abs() > 4_000).unwrap() * 8 / rate.per_ms();
        // The frame's own time is the talker's: here a packet leaves at the tick at which it came. One tick of target.
        let delay_ms = (at as i32 - 1_600) / 8;
        let lookahead_ms = (codecs.encoder(to, Rate::K8).unwrap().lookahead() / 8) as i32;
        assert!((0..=20 + 2 + lookahead_ms).contains(&delay_ms), "{to:?}: {delay_ms}");
    }
}

#[test]
fn another_codec_goes_on_with_the_same_numbers() {
    let codecs = Codecs::built_in();
    let mut transcoder = Transcoder::new(config(Codec::Pcma, Codec::Pcmu), &codecs).unwrap();
    let mut talker = Talker::new(Codec::Pcma, &codecs);
    let mut scratch = Scratch::default();
    let mut numbers = Vec::new();
    for n in 0..100u64 {
        let now = n * 20 * MS;
        if n == 50 {
            let sends =
                SendFormat { codec: Codec::Opus(OpusConfig::default()), payload_type: 111, ptime_ms: 20 };
            let change =
                |receives, sends| TranscoderConfig { receives, sends, ..config(Codec::Pcma, Codec::Pcmu) };
            transcoder.change(change(vec![format(96, Codec::G722)], sends)).unwrap();
            talker = Talker { sent: 4_000, ..Talker::new(Codec::G722, &codecs) };
            assert_eq!(transcoder.change(change(vec![], sends)).unwrap_err(), TranscodeError::NoAudio);
            assert_eq!(
                transcoder
                    .change(change(vec![format(96, Codec::Pcma)], SendFormat { ptime_ms: 25, ..sends }))
                    .unwrap_err(),
                TranscodeError::Ptime(25)
            );
        }
        talker.say(&mut transcoder, &[100; 320][..talker.codec.rate_max().samples(20)], now);
        if let Some(packet) = transcoder.tick(now, &mut scratch, &mut |_| {}) {
            numbers.push((packet.payload_type, packet.sequence, packet.timestamp));
        }
    }
    assert!(numbers.windows(2).all(|w| w[1].1 == w[0].1.wrapping_add(1)));
    let at = numbers.iter().position(|n| n.0 == 111).unwrap();
    // Ticks pass while the new stream is waited for, and they count in the new clock.
    let gap = numbers[at].2.wrapping_sub(numbers[at - 1].2);
    assert!(gap >= 160 && (gap - 160) % 960 == 0, "{gap}");
    assert!(numbers[at..].windows(2).all(|w| w[1].2 == w[0].2.wrapping_add(960)));
}

#[test]
fn packets_get_longer_and_shorter() {
    let codecs = Codecs::built_in();
    for ptime_ms in [10, 40, 60] {
        let base = config(Codec::Pcma, Codec::Pcmu);
        let sends = SendFormat { ptime_ms, ..base.sends };
        let mut transcoder = Transcoder::new(TranscoderConfig { sends, ..base }, &codecs).unwrap();
        let mut talker = Talker::new(Codec::Pcma, &codecs);
        let sound = kit::speech(Rate::K8, 1, 160 * 300);
        let mut scratch = Scratch::default();
        let mut heard = Vec::new();
        for ms in (0..6_000u64).step_by(10) {
            if ms % 20 == 0 {
                let at = ms as usize * 8;
                talker.say(&mut transcoder, &sound[at..at + 160], ms * MS);
            }
            if ms % u64::from(ptime_ms) == 0
                && let Some(packet) = transcoder.tick(ms * MS, &mut scratch, &mut |_| {})
            {
                assert_eq!(packet.payload.len(), ptime_ms as usize * 8);
                let mut out = vec![0; packet.payload.len()];
                crate::codec::g711::expand(crate::codec::g711::Law::Mu, packet.payload, &mut out);
                heard.extend(out);
            }
        }
        let alike = kit::best_correlation(&sound[8_000..24_000], &heard[8_000..24_800], 800);
        assert!(alike > 0.97, "{ptime_ms}: {alike}");
    }
}

/// Keys in one form come out in the other.
fn keys_through(detect_tones: bool, keys: SendKeys, dial: &str) -> String {
    let codecs = Codecs::built_in();
    let base = config(Codec::Pcma, Codec::L16(Rate::K8));
    let mut transcoder = Transcoder::new(TranscoderConfig { detect_tones, keys, ..base }, &codecs).unwrap();
    let mut talker = Talker::new(Codec::Pcma, &codecs);
    let (mut tones, mut sender) = (ToneGenerator::new(Rate::K8), EventSender::new(8_000));
    for name in dial.chars() {
        let key = Key::from_char(name).unwrap();
        if detect_tones {
            tones.press(key, 80, 80, VOLUME).unwrap()
        } else {
            sender.press(key, 80, VOLUME).unwrap()
        }
    }
    let (mut found, mut listener) = (String::new(), EventReceiver::new(8_000));
    let mut detector = Detector::new(Rate::K8);
    let mut scratch = Scratch::default();
    for n in 0..250u32 {
        let now = u64::from(n) * 20 * MS;
        let mut frame = [0; 160];
        tones.fill(&mut frame);
        match sender.tick(n * 160, 160) {
            Some(event) => {
                let packet = Packet {
                    payload_type: 101,
                    sequence: talker.sent as u16,
                    timestamp: event.timestamp,
                    marker: event.marker,
                    level: None,
                    arrival_ns: now,
                    payload: &event.payload,
                };
                talker.sent += 1;
                transcoder.receive(&packet, &mut |_| {});
            }
            None => {
                let sent = std::mem::replace(&mut talker.sent, n);
                talker.say(&mut transcoder, &frame, now);
                talker.sent = sent + 1;
            }
        }
        let mut note = |event| {
            if let KeyEvent::Down(key) = event {
                found.push(key.name());
            }
        };
        if let Some(packet) = transcoder.tick(now, &mut scratch, &mut |_| {}) {
            if packet.payload_type == 102 {
                listener.packet(packet.timestamp, packet.payload, now, &mut note);
            } else {
                let mut out = [0; 160];
                L16::new(Rate::K8).decode(packet.payload, &mut out).unwrap();
                detector.listen(&out, &mut note);
            }
        }
    }
    found
}

#[test]
fn keys_change_their_form_and_come_once() {
    assert_eq!(keys_through(true, SendKeys::Events(102), "159#0D*"), "159#0D*");
    assert_eq!(keys_through(false, SendKeys::Tones, "159#0D*"), "159#0D*");
    assert_eq!(keys_through(false, SendKeys::Events(102), "11223"), "11223");
    // Tones pass as they are.
    assert_eq!(keys_through(true, SendKeys::Tones, "42"), "42");
}

#[test]
fn pauses_become_comfort_noise() {
    let codecs = Codecs::built_in();
    let base = config(Codec::Pcma, Codec::Pcmu);
    let mut transcoder = Transcoder::new(TranscoderConfig { noise_type: Some(13), ..base }, &codecs).unwrap();
    let mut scratch = Scratch::default();
    let mut types = Vec::new();
    for n in 0..150u32 {
        let now = u64::from(n) * 20 * MS;
        let (payload_type, payload): (u8, &[u8]) = if n < 50 { (96, &[0x55; 160]) } else { (13, &[60]) };
        if n <= 50 {
            let packet = Packet {
                payload_type,
                sequence: n as u16,
                timestamp: n * 160,
                marker: false,
                level: None,
                arrival_ns: now,
                payload,
            };
            transcoder.receive(&packet, &mut |_| {});
        }
        if let Some(packet) = transcoder.tick(now, &mut scratch, &mut |_| {}) {
            types.push((n, packet.payload_type));
            if packet.payload_type == 13 && n > 60 {
                assert!(packet.payload[0].abs_diff(60) <= 2, "{}", packet.payload[0]);
            }
        }
    }
    let noises = types.iter().filter(|(_, payload_type)| *payload_type == 13).count();
    assert!((4..=7).contains(&noises), "{types:?}");
    assert!(types.len() < 60);
}

#[test]
fn codes_that_are_only_translated_are_those_of_the_long_way() {
    let codecs = Codecs::built_in();
    for (from, to) in [(Codec::Pcma, Codec::Pcmu), (Codec::Pcmu, Codec::Pcma), (Codec::Pcma, Codec::Pcma)] {
        let sound = kit::speech(Rate::K8, 3, 160 * 1_000);
        let mut short = Transcoder::new(config(from, to), &codecs).unwrap();
        let mut long = Transcoder::new(config(from, to), &codecs).unwrap();
        // Who wants the samples gets them.
        long.set_taps(true);
        let mut talkers = [Talker::new(from, &codecs), Talker::new(from, &codecs)];
        let (mut noise, mut scratch, mut alike) = (kit::Noise(5), Scratch::default(), 0);
        for (n, frame) in sound.chunks_exact(160).enumerate() {
            let now = (1_000 + n as u64 * 20) * MS;
            // Some are lost, some late.
            let (lost, late) = (noise.below(12) == 0, noise.below(9) * MS * 4);
            for (talker, transcoder) in talkers.iter_mut().zip([&mut short, &mut long]) {
                if lost {
                    talker.sent += 1;
                } else {
                    talker.say(transcoder, frame, now + late);
                }
            }
            let [one, other] = [&mut short, &mut long].map(|transcoder| {
                let packet = transcoder.tick(now, &mut scratch, &mut |_| {});
                packet
                    .map(|packet| (packet.sequence, packet.timestamp, packet.marker, packet.payload.to_vec()))
            });
            assert_eq!(one, other, "{from:?} to {to:?}, packet {n}");
            alike += usize::from(one.is_some());
        }
        assert!(alike > 950);
        assert_eq!(short.counters(), long.counters());
        assert!(short.counters().playout.concealed_samples > 0);
    }
}
