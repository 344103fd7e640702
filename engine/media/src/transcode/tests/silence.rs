//! What comes out when nothing comes in.

use super::*;

/// What a pipeline sends at each tick of 20 ms, while `comes` gives the packets that come in ahead of it.
fn run(
    transcoder: &mut Transcoder,
    ticks: u32,
    mut comes: impl FnMut(u32, &mut Transcoder, u64),
) -> Vec<Option<(u8, u16, u32, bool)>> {
    let mut scratch = Scratch::default();
    let mut tick = |n: u32| {
        let now = (1_000 + u64::from(n) * 20) * MS;
        comes(n, transcoder, now);
        let packet = transcoder.tick(now, &mut scratch, &mut |_| {});
        packet.map(|packet| (packet.payload_type, packet.sequence, packet.timestamp, packet.marker))
    };
    (0..ticks).map(&mut tick).collect()
}

#[test]
fn a_stream_that_falls_silent_ends_and_goes_on_in_time() {
    let codecs = Codecs::built_in();
    // The long way and the short one; each at its talker's own pace.
    for (from, to) in [
        (Codec::Pcma, Codec::Opus(OpusConfig::default())),
        (Codec::Pcma, Codec::Pcmu),
        (Codec::Opus(OpusConfig::default()), Codec::G722),
    ] {
        let mut transcoder = Transcoder::new(config(from, to), &codecs).unwrap();
        let mut talker = Talker::new(from, &codecs);
        let frame = kit::tone(from.rate_max(), 440.0, 9_000.0, from.rate_max().samples(20));
        let speaks = |n: u32| n < 100 || (300..400).contains(&n);
        let sent = run(&mut transcoder, 500, |n, transcoder, now| {
            if speaks(n) {
                talker.say(transcoder, &frame, now);
            } else if n == 299 {
                // Sequence numbers go on where they were, timestamps by the time that passed.
                talker.sent = 100;
            }
            if n == 299 {
                assert_eq!(transcoder.counters().silences, 1, "{from:?} to {to:?}");
            }
        });
        let silent = sent.iter().enumerate().filter(|(_, packet)| packet.is_none()).map(|(n, _)| n as u32);
        let silent: Vec<u32> = silent.filter(|n| *n > 10).collect();
        // What was invented has faded after half a second.
        assert!((100..=130).contains(&silent[0]), "{from:?} to {to:?}: {}", silent[0]);
        let whole = silent.windows(2).filter(|pair| pair[1] != pair[0] + 1).count();
        assert_eq!(whole, 1, "two silences, each without a break: {silent:?}");
        let back = sent.iter().enumerate().skip(silent[0] as usize).find_map(|(n, it)| it.map(|it| (n, it)));
        let (at, (_, sequence, timestamp, marker)) = back.unwrap();
        assert!((300..310).contains(&at), "{at}");
        let (before, last) = sent[..silent[0] as usize]
            .iter()
            .enumerate()
            .rev()
            .find_map(|(n, it)| it.map(|it| (n, it)))
            .unwrap();
        let ticks = to.clock_hz() / 50;
        assert!(marker && !last.3, "a talk spurt begins");
        assert_eq!(sequence, last.1.wrapping_add(1));
        assert_eq!(timestamp, last.2.wrapping_add((at - before) as u32 * ticks), "time went on");
        assert_eq!(transcoder.counters().silences, 2);
    }
}

#[test]
fn a_described_background_goes_on_but_not_for_ever() {
    let codecs = Codecs::built_in();
    let base = config(Codec::Pcma, Codec::Pcmu);
    let mut transcoder = Transcoder::new(TranscoderConfig { noise_type: Some(13), ..base }, &codecs).unwrap();
    let sent = run(&mut transcoder, 2_000, |n, transcoder, arrival_ns| {
        let (payload_type, payload): (u8, &[u8]) = if n < 50 { (96, &[0x55; 160]) } else { (13, &[60]) };
        if n <= 50 {
            let (sequence, timestamp) = (n as u16, n * 160);
            let (marker, level) = (false, None);
            let packet = Packet { payload_type, sequence, timestamp, marker, level, arrival_ns, payload };
            transcoder.receive(&packet, &mut |_| {});
        }
    });
    let last = sent.iter().rposition(Option::is_some).unwrap();
    assert!((1_500..=1_560).contains(&last), "thirty seconds: {last}");
    let noises = sent[60..].iter().flatten().inspect(|packet| assert_eq!(packet.0, 13)).count();
    assert!((70..=76).contains(&noises), "each 400 ms: {noises}");
    assert_eq!(transcoder.counters().silences, 1);
}

#[test]
fn discontinuous_transmission_is_no_silence() {
    let codecs = Codecs::built_in();
    let quiet = Codec::Opus(OpusConfig { dtx: true, ..OpusConfig::default() });
    let mut transcoder = Transcoder::new(config(quiet, Codec::Pcma), &codecs).unwrap();
    let mut talker = Talker::new(quiet, &codecs);
    let sent = run(&mut transcoder, 500, |n, transcoder, now| {
        // RFC 6716 section 2.1.9: one frame is encoded each 400 ms.
        if n < 50 || n % 20 == 0 {
            let place = std::mem::replace(&mut talker.sent, n);
            let mut payload = [0; 2_000];
            let len = talker.encoder.encode(&[0; 960], &mut payload).unwrap().max(1);
            let (timestamp, marker, level) = (n * 960, false, None);
            let payload = &payload[..len];
            let packet = Packet {
                payload_type: 96,
                sequence: place as u16,
                timestamp,
                marker,
                level,
                arrival_ns: now,
                payload,
            };
            talker.sent = place + 1;
            transcoder.receive(&packet, &mut |_| {});
        }
    });
    assert!(sent[5..].iter().all(Option::is_some), "{sent:?}");
    assert_eq!(transcoder.counters().silences, 0);
}

#[test]
fn a_key_is_sent_in_the_middle_of_silence() {
    let codecs = Codecs::built_in();
    for keys in [SendKeys::Tones, SendKeys::Events(102)] {
        let base = config(Codec::Pcma, Codec::Pcmu);
        let mut transcoder =
            Transcoder::new(TranscoderConfig { keys, noise_type: Some(13), ..base }, &codecs).unwrap();
        let mut talker = Talker::new(Codec::Pcma, &codecs);
        let sent = run(&mut transcoder, 300, |n, transcoder, now| {
            if n < 50 {
                talker.say(transcoder, &[900; 160], now);
            }
            if n == 200 {
                transcoder.press(Key::from_char('5').unwrap(), 100, VOLUME).unwrap();
            }
        });
        assert!(sent[100..200].iter().all(Option::is_none));
        let types: Vec<u8> = sent[200..].iter().flatten().map(|packet| packet.0).collect();
        let expected = if keys == SendKeys::Tones { 97 } else { 102 };
        assert!(
            (5..=9).contains(&types.len()) && types.iter().all(|it| *it == expected),
            "{keys:?}: {types:?}"
        );
    }
}
