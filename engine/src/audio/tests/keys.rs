//! Keys: heard, told, sent.

use kaname_media::dtmf::EventReceiver;

use super::*;

/// Keys that went down, of whom.
fn down(events: &[AudioEvent]) -> Vec<(u32, char)> {
    let key = |event: &AudioEvent| match event {
        AudioEvent::Key { id, event: KeyEvent::Down(key) } => Some((id.0, key.name())),
        _ => None,
    };
    events.iter().filter_map(key).collect()
}

fn press(id: u32, name: char) -> AudioCommand {
    let key = Key::from_char(name).expect("a key");
    AudioCommand::Press { id: AudioId(id), key, ms: 100, volume: 10 }
}

#[test]
fn keys_are_pressed_as_agreed_and_heard_in_either_form() {
    let mut scene = Scene::new();
    // The first sends events to the second, which sends tones to a tap.
    scene.told(add(1, 10, &[output(0, 20)], transcoder(Codec::Pcma, Codec::Pcmu)));
    let mut second = transcoder(Codec::Pcmu, Codec::Pcma);
    second.receives[0].payload_type = 97;
    second.receives[1].payload_type = 102;
    second.keys = SendKeys::Tones;
    scene.told(add(2, 11, &[output(0, 21)], second));
    let mut receives = receives(Codec::Pcma);
    receives[0].payload_type = 97;
    let tap = Box::new(TapConfig { receives, detect_tones: false, delay_ms_min: 10 });
    scene.told(AudioCommand::AddTap { id: AudioId(3), input: LinkId(12), config: tap });
    scene.told(AudioCommand::Set { id: AudioId(3), setting: Setting::DetectTones(true) });
    let mut talker = Talker::new(10, Codec::Pcma, 440.0);
    talker.speaks = false;
    let mut keys = Vec::new();
    let mut given = [0, 0];
    for n in 0..200 {
        if n == 50 {
            "19#A".chars().for_each(|name| scene.told(press(1, name)));
        }
        talker.say(&mut scene);
        scene.pass(20);
        // What came out of one goes into the next.
        for (at, (from, to)) in [(20, 11), (21, 12)].into_iter().enumerate() {
            let packets = scene.over(from);
            for packet in &packets[given[at]..] {
                let again = ParcelPacket {
                    sequence: packet.sequence,
                    timestamp: packet.timestamp,
                    payload_type: packet.payload_type,
                    marker: packet.marker,
                    level: None,
                    arrival: scene.now,
                    payload: &packet.payload,
                };
                scene.packet(to, &again);
            }
            given[at] = packets.len();
        }
        keys.extend(down(&scene.events()));
    }
    let of = |who: u32| keys.iter().filter(|(id, _)| *id == who).map(|(_, name)| *name).collect::<String>();
    assert_eq!((of(2), of(3)), ("19#A".into(), "19#A".into()));
    let events: Vec<Heard> = scene.over(20).into_iter().filter(|it| it.payload_type == 102).collect();
    assert!(events.iter().filter(|packet| packet.marker).count() == 4);
    assert!(scene.over(20).windows(2).all(|pair| pair[1].sequence == pair[0].sequence + 1));
}

#[test]
fn a_participant_presses_and_is_pressed_to() {
    let mut scene = Scene::new();
    scene.told(AudioCommand::AddRoom { id: AudioId(1), config: RoomConfig::default() });
    for id in [2, 3] {
        let mut config = participant(Codec::Pcma);
        config.keys = if id == 2 { SendKeys::Events(102) } else { SendKeys::Never };
        scene.told(AudioCommand::Join {
            room: AudioId(1),
            id: AudioId(id),
            input: Some(LinkId(u64::from(id))),
            outputs: vec![output(0, 20 + u64::from(id))],
            config,
        });
    }
    let mut talker = Talker::new(2, Codec::Pcma, 440.0);
    talker.speaks = false;
    let mut heard = Vec::new();
    for n in 0..100u8 {
        if n == 30 {
            scene.told(press(2, '5'));
            scene.told(press(3, '6'));
        }
        if (50..54).contains(&n) {
            // It presses 7: RFC 4733, 20 ms a packet.
            let payload = [7, if n == 53 { 0x8a } else { 0x0a }, 0, 160 * (n - 49).min(1)];
            let packet = ParcelPacket {
                sequence: 70_000 + talker.sent,
                timestamp: 5_000 + 50 * 160,
                payload_type: 101,
                marker: n == 50,
                level: None,
                arrival: scene.now,
                payload: &payload,
            };
            scene.packet(2, &packet);
            talker.sent += 1;
        } else {
            talker.say(&mut scene);
        }
        scene.pass(20);
        heard.extend(down(&scene.events()));
    }
    assert_eq!(heard, [(2, '7')]);
    let mut receiver = EventReceiver::new(8_000);
    let mut keys = String::new();
    for packet in scene.over(22).iter().filter(|packet| packet.payload_type == 102) {
        receiver.packet(packet.timestamp, &packet.payload, 0, &mut |event| {
            if let KeyEvent::Down(key) = event {
                keys.push(key.name());
            }
        });
    }
    assert_eq!(keys, "5");
    let tones = decoded(Codec::Pcma, &scene.over(23));
    let begin = tones.iter().position(|sample| sample.unsigned_abs() > 2_000).expect("a tone");
    let sound = &tones[begin..begin + 640];
    let [row, column] = [770.0, 1_477.0].map(|hz| purity(Rate::K8, hz, sound));
    assert!(row > 0.4 && column > 0.4, "{row} {column}");
}
