//! Recorders, with a writer of their own.

use std::path::PathBuf;

use kaname_media::file;

use super::*;

/// A file of its own, gone with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let path = std::env::temp_dir().join(format!("kaname-{}-{name}", std::process::id()));
        drop(std::fs::remove_file(&path));
        Scratch(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.0));
    }
}

fn record(id: u32, of: &[(u32, Side)], path: &Scratch, format: RecordFormat, stereo: bool) -> AudioCommand {
    let of = of.iter().map(|(id, side)| RecordOf { id: AudioId(*id), side: *side }).collect();
    let to = RecordTo { path: path.0.clone(), format, stereo, overwrite: false };
    AudioCommand::Record { id: AudioId(id), of, to: Box::new(to) }
}

/// Samples of a WAV file of ours, channel by channel.
fn channels(bytes: &[u8]) -> Vec<Vec<i16>> {
    let count = usize::from(bytes[22]);
    let samples: Vec<i16> =
        bytes[44..].chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
    (0..count).map(|channel| samples.iter().skip(channel).step_by(count).copied().collect()).collect()
}

#[test]
fn both_directions_of_a_call_are_recorded() {
    let mut scene = Scene::new();
    scene.told(add(1, 10, &[output(0, 20)], transcoder(Codec::Pcma, Codec::Pcmu)));
    scene.told(add(2, 11, &[output(0, 21)], transcoder(Codec::Pcmu, Codec::Pcma)));
    let (stereo, mixed, opus) =
        (Scratch::new("stereo.wav"), Scratch::new("mixed.wav"), Scratch::new("one.opus"));
    let both = [(1, Side::In), (2, Side::In)];
    scene.told(record(30, &both, &stereo, RecordFormat::Wav, true));
    scene.told(record(31, &both, &mixed, RecordFormat::Wav, false));
    scene.told(record(32, &[(1, Side::Out)], &opus, RecordFormat::OggOpus(OpusConfig::default()), false));
    let mut talkers = [Talker::new(10, Codec::Pcma, 440.0), Talker::new(11, Codec::Pcmu, 700.0)];
    let mut run = |scene: &mut Scene, packets| {
        for _ in 0..packets {
            talkers.iter_mut().for_each(|talker| talker.say(scene));
            scene.pass(20);
        }
    };
    run(&mut scene, 60);
    scene.told(AudioCommand::PauseRecording { id: AudioId(31), paused: true });
    run(&mut scene, 20);
    scene.told(AudioCommand::PauseRecording { id: AudioId(31), paused: false });
    run(&mut scene, 20);
    [30, 31, 32].into_iter().for_each(|id| scene.tell(remove(id)));
    assert!(scene.worker.recorded.is_empty());
    let mut lengths = [0; 3];
    for event in scene.events() {
        let AudioEvent::Recorded { id, ms, lost_ms, .. } = event else { panic!("{event:?}") };
        assert_eq!(lost_ms, 0, "{id:?}");
        lengths[id.0 as usize - 30] = ms;
    }
    assert!((1_980..=2_020).contains(&lengths[0]) && (1_580..=1_620).contains(&lengths[1]), "{lengths:?}");
    let bytes = std::fs::read(&stereo.0).expect("written");
    let [left, right] = &channels(&bytes)[..] else { panic!("two channels") };
    assert_eq!(left.len() as u64, lengths[0] * 8);
    assert!(purity(Rate::K8, 440.0, &left[1_600..15_000]) > 0.99);
    assert!(purity(Rate::K8, 700.0, &right[1_600..15_000]) > 0.99);
    let bytes = std::fs::read(&mixed.0).expect("written");
    let sound = &channels(&bytes)[0];
    let [a, b] = [440.0, 700.0].map(|hz| purity(Rate::K8, hz, &sound[1_600..9_000]));
    assert!((0.4..0.6).contains(&a) && (0.4..0.6).contains(&b), "{a} {b}");
    let prompt = file::read(&std::fs::read(&opus.0).expect("written"), Rate::K8).expect("Ogg Opus");
    assert!(purity(Rate::K8, 440.0, &prompt.samples()[1_600..15_000]) > 0.98);
}

#[test]
fn a_room_and_one_in_it_are_recorded() {
    let mut scene = Scene::new();
    let config = RoomConfig { rate: Rate::K8, ..RoomConfig::default() };
    scene.told(AudioCommand::AddRoom { id: AudioId(1), config });
    for id in [2, 3] {
        scene.told(AudioCommand::Join {
            room: AudioId(1),
            id: AudioId(id),
            input: Some(LinkId(u64::from(id))),
            outputs: vec![],
            config: participant(Codec::Pcma),
        });
    }
    let (mix, one) = (Scratch::new("mix.wav"), Scratch::new("voice.wav"));
    scene.told(record(30, &[(1, Side::Out)], &mix, RecordFormat::Wav, false));
    scene.told(record(31, &[(3, Side::In)], &one, RecordFormat::Wav, false));
    assert!(scene.refused(record(32, &[(1, Side::In)], &one, RecordFormat::Wav, false)).contains("cannot"));
    assert!(scene.refused(record(32, &[(9, Side::In)], &one, RecordFormat::Wav, false)).contains("nothing"));
    assert!(scene.refused(record(32, &[], &one, RecordFormat::Wav, false)).contains("one or two points"));
    let mut talkers = [Talker::new(2, Codec::Pcma, 440.0), Talker::new(3, Codec::Pcma, 700.0)];
    for _ in 0..100 {
        talkers.iter_mut().for_each(|talker| talker.say(&mut scene));
        scene.pass(20);
    }
    // Who is recorded goes ahead of the recorder.
    scene.told(remove(3));
    scene.pass(200);
    scene.events();
    scene.tell(remove(30));
    scene.tell(remove(31));
    assert_eq!(scene.events().len(), 2);
    let sound = channels(&std::fs::read(&mix.0).expect("written")).remove(0);
    let [a, b] = [440.0, 700.0].map(|hz| purity(Rate::K8, hz, &sound[4_000..15_000]));
    assert!((0.4..0.6).contains(&a) && (0.4..0.6).contains(&b), "{a} {b}");
    let voice = channels(&std::fs::read(&one.0).expect("written")).remove(0);
    assert!(voice.len() <= 16_160 && purity(Rate::K8, 700.0, &voice[4_000..15_000]) > 0.99);
}

#[test]
fn what_the_disk_refuses_is_told_and_hurts_nobody() {
    let mut scene = Scene::new();
    scene.told(add(1, 10, &[output(0, 20)], transcoder(Codec::Pcma, Codec::Pcmu)));
    let (there, nowhere) = (Scratch::new("there.wav"), Scratch(PathBuf::from("/no/such/folder/a.wav")));
    std::fs::write(&there.0, b"kept").expect("a file");
    scene.tell(record(30, &[(1, Side::In)], &there, RecordFormat::Wav, false));
    scene.tell(record(31, &[(1, Side::In)], &nowhere, RecordFormat::Wav, false));
    let full = RecordTo {
        path: PathBuf::from("/dev/full"),
        format: RecordFormat::Wav,
        stereo: false,
        overwrite: true,
    };
    let of = vec![RecordOf { id: AudioId(1), side: Side::In }];
    scene.tell(AudioCommand::Record { id: AudioId(32), of, to: Box::new(full) });
    let mut talker = Talker::new(10, Codec::Pcma, 440.0);
    for _ in 0..120 {
        talker.say(&mut scene);
        scene.pass(20);
    }
    let mut told: Vec<(u32, String)> = scene
        .events()
        .into_iter()
        .map(|event| match event {
            AudioEvent::Failed { id, why } => (id.0, why.to_string()),
            other => panic!("{other:?}"),
        })
        .collect();
    told.sort_unstable();
    let advice = ["allow to overwrite", "make its folder", "free space"];
    assert!(
        told.len() == 3 && told.iter().zip(advice).all(|((_, why), part)| why.contains(part)),
        "{told:?}"
    );
    assert_eq!(std::fs::read(&there.0).expect("there"), b"kept");
    // The recorders are gone with their failure; the call goes on.
    talker.say(&mut scene);
    scene.pass(40);
    assert!(scene.refused(remove(30)).contains("nothing of that name"));
    assert!(scene.over(20).len() >= 20 && scene.worker.recorded.is_empty());
}

#[test]
fn a_disk_that_does_not_keep_up_costs_silence_not_time() {
    let mut scene = Scene::new();
    scene.told(add(1, 10, &[output(0, 20)], transcoder(Codec::Pcma, Codec::Pcmu)));
    let path = Scratch::new("slow.wav");
    scene.tell(record(30, &[(1, Side::In)], &path, RecordFormat::Wav, false));
    let mut talker = Talker::new(10, Codec::Pcma, 440.0);
    // Twice what waits for a disk.
    scene.stalled = true;
    for _ in 0..128 {
        talker.say(&mut scene);
        scene.pass(20);
    }
    assert_eq!(scene.figure("audio_recorder_behind"), 64);
    scene.stalled = false;
    scene.tell(remove(30));
    let events = scene.events();
    let [AudioEvent::Recorded { ms: 2_560, lost_ms: 1_280, .. }] = events[..] else { panic!("{events:?}") };
}

/// A tap of what a talker says.
fn tap(id: u32, input: u64, codec: Codec) -> AudioCommand {
    let config = TapConfig { receives: receives(codec), detect_tones: false, delay_ms_min: 10 };
    AudioCommand::AddTap { id: AudioId(id), input: LinkId(input), config: Box::new(config) }
}

#[test]
fn a_recording_goes_on_with_other_points() {
    let mut scene = Scene::new();
    scene.told(tap(1, 10, Codec::Pcma));
    scene.told(tap(2, 11, Codec::Pcma));
    let path = Scratch::new("repointed.wav");
    scene.told(record(30, &[(1, Side::In), (2, Side::In)], &path, RecordFormat::Wav, true));
    let (mut first, mut second) = (Talker::new(10, Codec::Pcma, 440.0), Talker::new(11, Codec::Pcma, 700.0));
    for _ in 0..100 {
        first.say(&mut scene);
        second.say(&mut scene);
        scene.pass(20);
    }
    // The second has another codec from now on, so another tap; then it leaves.
    scene.told(remove(2));
    scene.told(tap(3, 12, Codec::G722));
    let of = |id: u32| Some(RecordOf { id: AudioId(id), side: Side::In });
    let from = |of: Vec<Option<RecordOf>>| AudioCommand::RecordFrom { id: AudioId(30), of };
    assert!(scene.refused(from(vec![of(1)])).contains("keeps their number"));
    assert!(scene.refused(from(vec![of(1), of(2)])).contains("nothing of that name"));
    scene.told(from(vec![of(1), of(3)]));
    let mut second = Talker::new(12, Codec::G722, 700.0);
    for _ in 0..100 {
        first.say(&mut scene);
        second.say(&mut scene);
        scene.pass(20);
    }
    scene.told(from(vec![of(1), None]));
    for _ in 0..50 {
        first.say(&mut scene);
        second.say(&mut scene);
        scene.pass(20);
    }
    scene.tell(remove(30));
    assert!(scene.worker.recorded.is_empty());
    let events = scene.events();
    let [AudioEvent::Recorded { ms, .. }] = events[..] else { panic!("{events:?}") };
    assert!((4_980..=5_020).contains(&ms), "{ms}");
    let bytes = std::fs::read(&path.0).expect("written");
    let [left, right] = &channels(&bytes)[..] else { panic!("two channels") };
    assert!(purity(Rate::K8, 440.0, &left[1_600..39_000]) > 0.98);
    assert!(purity(Rate::K8, 700.0, &right[1_600..15_000]) > 0.99);
    assert!(purity(Rate::K8, 700.0, &right[17_600..31_000]) > 0.97, "the same voice under another codec");
    assert!(right[32_800..].iter().all(|sample| *sample == 0), "nobody is on that channel");
}

#[test]
fn masked_keys_are_in_no_recording() {
    let mut scene = Scene::new();
    scene.told(tap(1, 10, Codec::Pcma));
    scene.told(AudioCommand::Set { id: AudioId(1), setting: Setting::DetectTones(true) });
    let mask = |by| Setting::Mask(Some(KeyMask { by, volume: 10 }));
    scene.told(AudioCommand::Set { id: AudioId(1), setting: mask(Substitute::Silence) });
    let path = Scratch::new("masked.wav");
    scene.told(record(30, &[(1, Side::In)], &path, RecordFormat::Wav, false));
    let mut keys = kaname_media::dtmf::ToneGenerator::new(Rate::K8);
    for name in ['4', '2'] {
        keys.press(Key::from_char(name).expect("a key"), 100, 100, 10).expect("room");
    }
    let mut encoder = Codecs::built_in().encoder(Codec::Pcma, Rate::K8).expect("built in");
    for n in 0..50_u32 {
        let (mut frame, mut payload) = ([0; 160], [0; 160]);
        keys.fill(&mut frame);
        encoder.encode(&frame, &mut payload).expect("a frame");
        let packet = ParcelPacket {
            sequence: u64::from(n),
            timestamp: n * 160,
            payload_type: 96,
            marker: false,
            level: None,
            arrival: scene.now,
            payload: &payload,
        };
        scene.packet(10, &packet);
        scene.pass(20);
    }
    let told = scene.events().iter().filter(|it| matches!(it, AudioEvent::Key { .. })).count();
    assert_eq!(told, 4, "two keys go down and up");
    scene.tell(remove(30));
    let sound = channels(&std::fs::read(&path.0).expect("written")).remove(0);
    assert!(
        sound.len() > 7_000 && sound.iter().all(|sample| sample.unsigned_abs() <= 8),
        "not even the beginning of a tone"
    );
}

/// Keeps what it hears.
#[derive(Clone, Debug)]
struct Ear(Arc<ArrayQueue<i16>>);

impl Listener for Ear {
    fn hear(&mut self, samples: &[i16]) {
        samples.iter().for_each(|sample| self.0.push(*sample).expect("read in time"));
    }
}

impl Ear {
    fn heard(&self) -> Vec<i16> {
        std::iter::from_fn(|| self.0.pop()).collect()
    }

    fn listens(&self, id: u32, of: u32) -> AudioCommand {
        let of = RecordOf { id: AudioId(of), side: Side::In };
        AudioCommand::Listen { id: AudioId(id), of, rate: Rate::K16, to: Box::new(self.clone()) }
    }
}

#[test]
fn a_listener_hears_at_its_own_rate_whatever_is_spoken() {
    let mut scene = Scene::new();
    scene.told(tap(1, 10, Codec::Pcma));
    let ear = Ear(Arc::new(ArrayQueue::new(65_536)));
    assert!(scene.refused(ear.listens(30, 9)).contains("nothing of that name"));
    scene.told(ear.listens(30, 1));
    let say = |scene: &mut Scene, mut talker: Talker| {
        for _ in 0..100 {
            talker.say(scene);
            scene.pass(20);
        }
    };
    say(&mut scene, Talker::new(10, Codec::Pcma, 440.0));
    let narrow = ear.heard();
    assert!((31_600..=32_000).contains(&narrow.len()), "{}", narrow.len());
    assert!(purity(Rate::K16, 440.0, &narrow[3_200..]) > 0.99);
    // Another codec, so another tap: the listener stays.
    scene.told(remove(1));
    scene.told(tap(2, 11, Codec::G722));
    let of = vec![Some(RecordOf { id: AudioId(2), side: Side::In })];
    scene.told(AudioCommand::RecordFrom { id: AudioId(30), of });
    say(&mut scene, Talker::new(11, Codec::G722, 700.0));
    assert!(purity(Rate::K16, 700.0, &ear.heard()[3_200..]) > 0.97);
    scene.told(remove(30));
    assert_eq!(Arc::strong_count(&ear.0), 1, "nobody has the listener any more");
    say(&mut scene, Talker::new(11, Codec::G722, 700.0));
    assert!(ear.heard().is_empty() && scene.events().is_empty());
}
