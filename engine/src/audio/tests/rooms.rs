//! Conferences.

use super::*;

/// A room with so many in it: link 100 + n in, 200 + n out, by shard in turns.
fn room(scene: &mut Scene, codecs: &[Codec]) -> Vec<Talker> {
    scene.told(AudioCommand::AddRoom { id: AudioId(1), config: RoomConfig::default() });
    let mut talkers = Vec::new();
    for (n, codec) in codecs.iter().enumerate() {
        let place = n as u64;
        scene.told(AudioCommand::Join {
            room: AudioId(1),
            id: AudioId(10 + n as u32),
            input: Some(LinkId(100 + place)),
            outputs: vec![output(n % 2, 200 + place)],
            config: participant(*codec),
        });
        talkers.push(Talker::new(100 + place, *codec, 300.0 + 130.0 * n as f32));
    }
    talkers
}

fn run(scene: &mut Scene, talkers: &mut [Talker], packets: usize) {
    for _ in 0..packets {
        talkers.iter_mut().for_each(|talker| talker.say(scene));
        scene.pass(20);
    }
}

#[test]
fn everyone_hears_all_but_themselves_whatever_their_codecs() {
    let mut scene = Scene::new();
    let codecs = [Codec::Pcma, OPUS, Codec::G722, Codec::Pcmu, OPUS];
    let mut talkers = room(&mut scene, &codecs);
    // Three speak, two listen.
    talkers[3].speaks = false;
    talkers[4].speaks = false;
    run(&mut scene, &mut talkers, 150);
    for (n, codec) in codecs.iter().enumerate() {
        let packets = scene.over(200 + n as u64);
        assert!(packets.len() >= 149, "{n}: {}", packets.len());
        let ticks = codec.clock_hz() / 50;
        assert!(packets.windows(2).all(|pair| pair[1].sequence == pair[0].sequence + 1
            && pair[1].timestamp == pair[0].timestamp.wrapping_add(ticks)));
        let sound = decoded(*codec, &packets[100..]);
        for (other, talker) in talkers.iter().enumerate() {
            let part = purity(codec.rate_max(), talker.hz, &sound);
            let hears = other != n && talker.speaks;
            assert_eq!(part > 0.15, hears, "{n} of {other}: {part}");
        }
    }
    // Browsers that listen are told levels.
    assert!(scene.over(204)[100..].iter().all(|packet| packet.level.is_some()));
    let spoke = |event: &AudioEvent| match event {
        AudioEvent::Speaking { room: AudioId(1), id, on: true } => Some(id.0),
        _ => None,
    };
    let mut speakers: Vec<u32> = scene.events().iter().filter_map(spoke).collect();
    speakers.sort_unstable();
    assert_eq!(speakers, [10, 11, 12]);
}

#[test]
fn those_who_only_speak_or_only_listen_are_served_too() {
    let mut scene = Scene::new();
    scene.told(AudioCommand::AddRoom { id: AudioId(1), config: RoomConfig::default() });
    let join = |id, input, outputs: &[Output], config| AudioCommand::Join {
        room: AudioId(1),
        id: AudioId(id),
        input,
        outputs: outputs.to_vec(),
        config,
    };
    let heard = Box::new(ParticipantConfig { sends: None, ..*participant(OPUS) });
    scene.told(join(2, Some(LinkId(100)), &[], heard));
    scene.told(join(3, None, &[output(0, 200)], participant(Codec::Pcma)));
    let mut talker = Talker::new(100, OPUS, 500.0);
    run(&mut scene, std::slice::from_mut(&mut talker), 100);
    assert!(purity(Rate::K8, 500.0, &decoded(Codec::Pcma, &scene.over(200)[50..])) > 0.95);
    let prompt = Prompt::join_tone(Rate::K8);
    assert!(scene.refused(play(2, 1, &prompt, Manner::Mixed)).contains("sent nothing"));
    // Nobody is routed to the mix any more.
    scene.note(Note::wanted(LinkId(200), false));
    scene.round();
    let packets = scene.over(200).len();
    run(&mut scene, std::slice::from_mut(&mut talker), 10);
    assert_eq!(scene.over(200).len(), packets);
    scene.tell(AudioCommand::Query { id: AudioId(1), token: 4 });
    let events = scene.events();
    let Some(AudioEvent::Figures { token: 4, figures, .. }) = events.last() else { panic!("{events:?}") };
    assert!(matches!(figures, Figures::Room { participants: 2, .. }), "{figures:?}");
}

#[test]
fn hold_mute_prompts_and_another_codec() {
    let mut scene = Scene::new();
    let mut talkers = room(&mut scene, &[Codec::Pcma, Codec::Pcma, OPUS]);
    talkers[1].speaks = false;
    talkers[2].speaks = false;
    run(&mut scene, &mut talkers, 60);
    let part = |scene: &mut Scene, talkers: &mut [Talker], n: usize, hz: f32| {
        let before = scene.over(200 + n as u64).len();
        run(scene, talkers, 50);
        let codec = talkers[n].codec;
        purity(codec.rate_max(), hz, &decoded(codec, &scene.over(200 + n as u64)[before + 8..]))
    };
    let music = Prompt::new(Rate::K16, tone(Rate::K16, 900.0, 5_000.0, 0, 16_000));
    scene.told(AudioCommand::SetHoldMusic { room: AudioId(1), music: Some(music.clone()) });
    scene.told(AudioCommand::Set { id: AudioId(11), setting: Setting::Held(true) });
    assert!(part(&mut scene, &mut talkers, 1, 900.0) > 0.95);
    scene.told(AudioCommand::Set { id: AudioId(11), setting: Setting::Held(false) });
    scene.told(play(1, 3, &music, Manner::Mixed));
    let [talk, sound] = [300.0, 900.0].map(|hz| {
        scene.told(play(1, 3, &music, Manner::Mixed));
        part(&mut scene, &mut talkers, 2, hz)
    });
    assert!(talk > 0.3 && sound > 0.1, "{talk} {sound}");
    run(&mut scene, &mut talkers, 60);
    let over = scene.events();
    assert!(
        over.iter()
            .any(|it| matches!(it, AudioEvent::PlayEnded { id: AudioId(1), token: 3, stopped: false }))
    );
    scene.told(AudioCommand::ChangeParticipant { id: AudioId(11), config: participant(Codec::G722) });
    talkers[1] = Talker { speaks: false, ..Talker::new(101, Codec::G722, 430.0) };
    assert!(part(&mut scene, &mut talkers, 1, 300.0) > 0.95);
    let packets = scene.over(201);
    assert!(packets.windows(2).all(|pair| pair[1].sequence == pair[0].sequence + 1));
    scene.told(AudioCommand::Set { id: AudioId(10), setting: Setting::Muted(true) });
    assert!(part(&mut scene, &mut talkers, 1, 300.0) < 0.05);
    // The room's end is the end of all in it.
    scene.told(remove(1));
    assert!(scene.refused(remove(11)).contains("nothing of that name"));
    assert_eq!(
        (scene.figure("audio_participants"), scene.worker.ways.len(), scene.worker.feeds.len()),
        (0, 0, 0)
    );
}
