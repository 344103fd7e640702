//! Streams through transcoders, players and taps.

use super::*;

/// Every packet under the next number, and time goes on by a packet's length.
fn assert_continuous(packets: &[Heard], ticks: u32) {
    for pair in packets.windows(2) {
        assert_eq!(pair[1].sequence, pair[0].sequence + 1);
        assert_eq!(pair[1].timestamp, pair[0].timestamp.wrapping_add(ticks));
        assert!(!pair[1].marker);
    }
}

#[test]
fn a_tone_goes_to_opus_and_back() {
    let mut scene = Scene::new();
    scene.told(add(1, 10, &[output(0, 20)], transcoder(Codec::Pcma, OPUS)));
    scene.told(add(2, 11, &[output(1, 21), output(0, 22)], transcoder(OPUS, Codec::Pcmu)));
    let (mut telephone, mut browser) = (Talker::new(10, Codec::Pcma, 440.0), Talker::new(11, OPUS, 700.0));
    for _ in 0..150 {
        telephone.say(&mut scene);
        browser.say(&mut scene);
        scene.pass(20);
    }
    let (opus, pcmu) = (scene.over(20), scene.over(21));
    assert!((145..=150).contains(&opus.len()) && (145..=150).contains(&pcmu.len()));
    assert_continuous(&opus, 960);
    assert_continuous(&pcmu, 160);
    assert_eq!((opus[0].sequence, opus[0].marker, opus[0].payload_type), (65_500, true, 97));
    assert!(opus[0].sequence + 149 > 65_536, "sequence numbers have no wraps");
    assert!(opus[50..].iter().all(|packet| packet.level.is_some_and(|(level, voice)| level < 25 && voice)));
    assert!(pcmu.iter().all(|packet| packet.level.is_none() && packet.payload.len() == 160));
    let at_browser = decoded(OPUS, &opus[50..]);
    let pure = purity(Rate::K48, 440.0, &at_browser);
    assert!(pure > 0.98, "{pure}");
    assert!(purity(Rate::K8, 700.0, &decoded(Codec::Pcmu, &pcmu[50..])) > 0.99);
    // The second output is the first's twin.
    let twin = scene.over(22);
    assert!(pcmu.iter().zip(&twin).all(|(a, b)| a.payload == b.payload && a.sequence == b.sequence));
    assert_eq!(scene.figure("audio_ticks_late"), 0);
}

#[test]
fn the_clocks_are_told_once_and_then_from_time_to_time() {
    let mut scene = Scene::new();
    scene.told(add(1, 10, &[output(0, 20)], transcoder(Codec::Pcma, OPUS)));
    let mut talker = Talker::new(10, Codec::Pcma, 440.0);
    for _ in 0..600 {
        talker.say(&mut scene);
        scene.pass(20);
    }
    assert_eq!(scene.clocks.len(), 3, "{:?}", scene.clocks);
    let [(_, first), .., (link, last)] = scene.clocks[..] else { panic!() };
    let ms = last.arrival.since(first.arrival).as_millis() as u32;
    assert_eq!(last.timestamp.wrapping_sub(first.timestamp), ms * 48);
    let ntp_ms = (u128::from(last.ntp.0 - first.ntp.0) * 1000) >> 32;
    assert!(link == LinkId(20) && ntp_ms.abs_diff(u128::from(ms)) <= 1);
}

#[test]
fn one_link_feeds_many_and_outputs_come_and_go() {
    let mut scene = Scene::new();
    scene.told(add(1, 10, &[output(0, 20)], transcoder(Codec::Pcma, OPUS)));
    scene.told(add(2, 10, &[output(0, 21)], transcoder(Codec::Pcma, Codec::Pcmu)));
    assert!(scene.refused(add(2, 10, &[], transcoder(Codec::Pcma, OPUS))).contains("in use"));
    assert!(scene.refused(add(3, 10, &[output(1, 21)], transcoder(Codec::Pcma, OPUS))).contains("link"));
    let mut talker = Talker::new(10, Codec::Pcma, 440.0);
    let mut run = |scene: &mut Scene| {
        let before = [20, 21, 23].map(|link| scene.over(link).len());
        for _ in 0..20 {
            talker.say(scene);
            scene.pass(20);
        }
        [20, 21, 23]
            .map(|link| scene.over(link).len())
            .iter()
            .zip(before)
            .map(|(a, b)| a - b)
            .collect::<Vec<_>>()
    };
    run(&mut scene);
    assert_eq!(run(&mut scene), [20, 20, 0]);
    scene.told(AudioCommand::SetOutputs { id: AudioId(2), outputs: vec![output(1, 23)] });
    assert_eq!(run(&mut scene), [20, 0, 20]);
    assert_continuous(&[scene.over(21), scene.over(23)].concat(), 160);
    // Nobody is routed to it at the shard: nothing is sent, and nothing encoded.
    scene.note(Note::wanted(LinkId(20), false));
    assert_eq!(run(&mut scene), [0, 0, 20]);
    scene.note(Note::wanted(LinkId(20), true));
    assert_eq!(run(&mut scene)[0], 20);
    scene.told(remove(1));
    assert_eq!(run(&mut scene), [0, 0, 20]);
    scene.told(AudioCommand::SetInput { id: AudioId(2), input: None });
    run(&mut scene);
    assert!(scene.figure("audio_unknown_link") >= 20, "nobody takes them any more");
    assert!(scene.refused(remove(1)).contains("nothing of that name"));
    assert_eq!((scene.figure("audio_items"), scene.worker.ways.len(), scene.worker.feeds.len()), (1, 1, 0));
}

#[test]
fn a_re_offer_goes_on_with_the_same_numbers() {
    let mut scene = Scene::new();
    scene.told(add(1, 10, &[output(0, 20)], transcoder(Codec::Pcma, Codec::Pcmu)));
    let mut talker = Talker::new(10, Codec::Pcma, 440.0);
    for n in 0..150 {
        if n == 50 {
            // The same again changes nothing.
            let config = transcoder(Codec::Pcma, Codec::Pcmu);
            scene.told(AudioCommand::ChangeTranscoder { id: AudioId(1), config });
        }
        if n == 100 {
            let mut config = transcoder(Codec::Pcma, OPUS);
            config.sends = SendFormat { ptime_ms: 40, ..sends(OPUS, 111) };
            scene.told(AudioCommand::ChangeTranscoder { id: AudioId(1), config });
        }
        talker.say(&mut scene);
        scene.pass(20);
    }
    let all = scene.over(20);
    let (pcmu, opus) = all.split_at(all.iter().position(|packet| packet.payload_type == 111).expect("opus"));
    assert!(pcmu.len() >= 98 && (23..=26).contains(&opus.len()), "{} {}", pcmu.len(), opus.len());
    assert_continuous(pcmu, 160);
    assert_continuous(opus, 1920);
    assert_eq!(opus[0].sequence, pcmu[pcmu.len() - 1].sequence + 1);
    assert!(scene.clocks.len() >= 2, "the clock has another pace");
}

#[test]
fn prompts_sound_mixed_alone_and_by_themselves() {
    let mut scene = Scene::new();
    scene.told(add(1, 10, &[output(0, 20)], transcoder(Codec::Pcma, Codec::Pcmu)));
    let player = AudioCommand::AddPlayer {
        id: AudioId(2),
        outputs: vec![output(0, 21)],
        sends: sends(Codec::G722, 9),
        start: Start::default(),
    };
    scene.told(player);
    let mut talker = Talker::new(10, Codec::Pcma, 440.0);
    let prompt = Prompt::new(Rate::K16, tone(Rate::K16, 1_000.0, 6_000.0, 0, 16_000));
    let mut run = |scene: &mut Scene| {
        let before = scene.over(20).len();
        for _ in 0..40 {
            talker.say(scene);
            scene.pass(20);
        }
        let sound = decoded(Codec::Pcmu, &scene.over(20)[before + 4..]);
        [440.0, 1_000.0].map(|hz| purity(Rate::K8, hz, &sound))
    };
    run(&mut scene);
    assert!(scene.over(21).is_empty(), "a player is silent until something is played");
    scene.told(play(1, 5, &prompt, Manner::Mixed));
    scene.told(play(2, 6, &prompt, Manner::Mixed));
    let [talk, sound] = run(&mut scene);
    assert!((0.5..0.8).contains(&talk) && (0.2..0.5).contains(&sound), "{talk} {sound}");
    run(&mut scene);
    let ended: Vec<_> = scene.events().iter().map(|event| format!("{event:?}")).collect();
    assert!(ended.iter().any(|event| event.contains("token: 5, stopped: false")), "{ended:?}");
    assert!(ended.iter().any(|event| event.contains("token: 6, stopped: false")), "{ended:?}");
    let played = scene.over(21);
    assert!((50..=51).contains(&played.len()), "{}", played.len());
    assert_continuous(&played, 160);
    assert!(purity(Rate::K16, 1_000.0, &decoded(Codec::G722, &played[2..48])) > 0.99);
    scene.told(play(1, 7, &prompt, Manner::Alone));
    let [talk, sound] = run(&mut scene);
    assert!(talk < 0.01 && sound > 0.99, "{talk} {sound}");
    scene.tell(AudioCommand::StopPlaying { to: AudioId(1), token: Some(7) });
    assert!(matches!(scene.events()[..], [AudioEvent::PlayEnded { token: 7, stopped: true, .. }]));
    assert!(run(&mut scene)[0] > 0.99);
    // Removed while it plays: the playing ends, too.
    scene.told(play(1, 8, &prompt, Manner::Mixed));
    scene.tell(remove(1));
    assert!(matches!(scene.events()[..], [AudioEvent::PlayEnded { token: 8, stopped: true, .. }]));
}

#[test]
fn settings_do_what_they_say() {
    let mut scene = Scene::new();
    scene.told(add(1, 10, &[output(0, 20)], transcoder(Codec::Pcma, Codec::Pcmu)));
    let mut talker = Talker::new(10, Codec::Pcma, 440.0);
    let mut run = |scene: &mut Scene| {
        let before = scene.over(20).len();
        for _ in 0..20 {
            talker.say(scene);
            scene.pass(20);
        }
        let packets = &scene.over(20)[before..];
        let sound = decoded(Codec::Pcmu, packets.get(2..).unwrap_or_default());
        let peak = sound.iter().map(|sample| sample.unsigned_abs()).max().unwrap_or(0);
        (packets.len(), peak)
    };
    let mut set = |scene: &mut Scene, setting| {
        scene.told(AudioCommand::Set { id: AudioId(1), setting });
        run(scene)
    };
    set(&mut scene, Setting::Gain(1.0));
    let (packets, peak) = set(&mut scene, Setting::Gain(0.5));
    assert!(packets == 20 && (3_800..4_300).contains(&peak), "{packets} {peak}");
    let (packets, peak) = set(&mut scene, Setting::Muted(true));
    assert!(packets == 20 && peak < 16, "{packets} {peak}");
    set(&mut scene, Setting::Muted(false));
    assert_eq!(set(&mut scene, Setting::Listens(false)).0, 0);
    assert_eq!(set(&mut scene, Setting::Listens(true)).0, 20);
    assert!(scene.over(20).iter().filter(|packet| packet.marker).count() == 2, "a talk spurt begins again");
    let held = AudioCommand::Set { id: AudioId(1), setting: Setting::Held(true) };
    assert!(scene.refused(held).contains("cannot do that"));
}

#[test]
fn what_falls_silent_sends_nothing_and_is_counted() {
    let mut scene = Scene::new();
    scene.told(add(1, 10, &[output(0, 20)], transcoder(Codec::Pcma, OPUS)));
    let mut talker = Talker::new(10, Codec::Pcma, 440.0);
    let mut speak = |scene: &mut Scene, packets| {
        for _ in 0..packets {
            talker.say(scene);
            scene.pass(20);
        }
    };
    speak(&mut scene, 50);
    // What is still to be played, and what is invented behind it.
    scene.pass(800);
    let before = scene.over(20);
    scene.pass(20_000);
    assert_eq!(scene.over(20).len(), before.len(), "nobody speaks, and nothing is sent");
    assert_eq!(scene.figure("audio_silences"), 1);
    speak(&mut scene, 50);
    let after = scene.over(20).split_off(before.len());
    assert!(after.len() >= 45, "{}", after.len());
    assert_continuous(&after, 960);
    let last = &before[before.len() - 1];
    assert!(after[0].marker && after[0].sequence == last.sequence + 1);
    let passed = after[0].timestamp.wrapping_sub(last.timestamp);
    assert!(passed.is_multiple_of(960) && (20_000..20_500).contains(&(passed / 48)), "{passed}");
}
