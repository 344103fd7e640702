//! What goes wrong stays small.

use super::item::Work;
use super::*;

#[test]
fn a_panic_ends_one_and_the_others_go_on() {
    let mut scene = Scene::new();
    scene.told(add(1, 10, &[output(0, 20)], transcoder(Codec::Pcma, Codec::Pcmu)));
    scene.told(add(2, 11, &[output(0, 21)], transcoder(Codec::Pcma, Codec::Pcmu)));
    scene.told(add(3, 12, &[output(0, 22)], transcoder(Codec::Pcma, Codec::Pcmu)));
    // One dies in its turn, one of a packet.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    for item in scene.worker.items[..2].iter_mut().flatten() {
        item.work = Work::Bomb;
    }
    let mut talkers = [11, 12].map(|link| Talker::new(link, Codec::Pcma, 440.0));
    for _ in 0..50 {
        talkers.iter_mut().for_each(|talker| talker.say(&mut scene));
        scene.pass(20);
    }
    std::panic::set_hook(hook);
    let failed: Vec<(u32, String)> = scene
        .events()
        .into_iter()
        .map(|event| match event {
            AudioEvent::Failed { id, why } => (id.0, why.to_string()),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(failed.len(), 2, "{failed:?}");
    assert!(failed.iter().any(|(id, why)| *id == 1 && why.contains("had its turn")), "{failed:?}");
    assert!(failed.iter().any(|(id, why)| *id == 2 && why.contains("bomb")), "{failed:?}");
    assert!(scene.over(22).len() >= 48);
    assert_eq!((scene.figure("audio_faults"), scene.figure("audio_items")), (2, 3));
    assert!(scene.refused(remove(1)).contains("nothing of that name"));
    assert!(scene.refused(remove(2)).contains("nothing of that name"));
    scene.told(add(1, 10, &[], transcoder(Codec::Pcma, Codec::Pcmu)));
}

#[test]
fn a_sink_that_panics_does_not_end_the_worker() {
    let mut scene = Scene::new();
    scene.told(add(1, 10, &[output(0, 20)], transcoder(Codec::Pcma, Codec::Pcmu)));
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let sink = std::mem::replace(&mut scene.worker.around.sink, Arc::new(|_, _| panic!("a sink")));
    scene.tell(remove(9));
    std::panic::set_hook(hook);
    scene.worker.around.sink = sink;
    let mut talker = Talker::new(10, Codec::Pcma, 440.0);
    for _ in 0..50 {
        talker.say(&mut scene);
        scene.pass(20);
    }
    assert!(scene.over(20).len() >= 48 && scene.figure("audio_faults") == 1);
}

#[test]
fn a_worker_that_is_late_catches_up_and_beyond_that_leaves_out() {
    let mut scene = Scene::new();
    scene.told(add(1, 10, &[output(0, 20)], transcoder(Codec::Pcma, Codec::Pcmu)));
    let mut talker = Talker::new(10, Codec::Pcma, 440.0);
    let mut say = |scene: &mut Scene, packets| {
        for _ in 0..packets {
            talker.say(scene);
            scene.pass(20);
        }
    };
    say(&mut scene, 50);
    let before = scene.over(20);
    // 100 ms too late: all of it is made up for, as if nothing had been.
    let resume_ms = crate::limits::RESUME.as_millis() as u64;
    scene.now = scene.now + Duration::from_millis(100 - resume_ms);
    scene.round();
    scene.pass(resume_ms);
    let caught = scene.over(20);
    assert_eq!(caught.len(), before.len() + 5);
    assert!(scene.figure("audio_ticks_late") >= 4 && scene.figure("audio_ticks_skipped") == 0);
    // Ten minutes and a bit: what goes out is as late, and no burst.
    scene.now = scene.now + Duration::from_millis(600_010 - resume_ms);
    scene.round();
    scene.pass(resume_ms);
    let after = scene.over(20);
    assert!(after.len() <= caught.len() + 7, "{}", after.len() - caught.len());
    let skipped = scene.figure("audio_ticks_skipped");
    assert!((29_993..=29_996).contains(&skipped), "{skipped}");
    say(&mut scene, 100);
    let all = scene.over(20);
    let (first, last) = (&all[0], &all[all.len() - 1]);
    let passed = last.timestamp.wrapping_sub(first.timestamp) / 8;
    let expected = 600_110 + 20 * 149;
    assert!(passed.abs_diff(expected) <= 60, "{passed} {expected}");
    assert_eq!(last.sequence - first.sequence + 1, all.len() as u64);
}

/// Two seconds of a call, in the middle of which all stands still for a while: what goes out. Shards tell of their looks.
fn heard_over_a_stop(stop_ms: u64) -> Vec<Vec<u8>> {
    let mut scene = Scene::new();
    scene.told(add(1, 10, &[output(0, 20)], transcoder(Codec::Pcma, Codec::Pcmu)));
    let mut talker = Talker::new(10, Codec::Pcma, 440.0);
    let mut awake_at = scene.now;
    for ms in 0..2_000 {
        if ms == 1_001 {
            awake_at = scene.now + Duration::from_millis(stop_ms);
            if stop_ms > 0 {
                // The worker is the first to run again.
                let now = std::mem::replace(&mut scene.now, awake_at);
                let turns = scene.figure("audio_ticks");
                scene.round();
                assert_eq!((scene.figure("audio_ticks"), scene.figure("audio_stops")), (turns, 1));
                scene.now = now;
            }
        }
        if ms % 20 == 0 {
            talker.say(&mut scene);
        }
        if scene.now >= awake_at {
            let looked = scene.now;
            scene.mesh.inbox(0).expect("there are two").tell_looked(Some(looked));
            scene.pass(1);
        } else {
            scene.now = scene.now + Duration::from_millis(1);
        }
    }
    assert_eq!(scene.figure("audio_looks_missed"), 0);
    scene.over(20).into_iter().map(|heard| heard.payload).collect()
}

#[test]
fn after_a_stop_of_the_machine_turns_wait_for_what_came_meanwhile() {
    let without = heard_over_a_stop(0);
    assert!(without.len() >= 98);
    for stop_ms in [25, 30, 70] {
        assert!(heard_over_a_stop(stop_ms) == without, "{stop_ms} ms: another sound");
    }
}

#[test]
fn on_a_machine_that_is_always_late_turns_go_on() {
    let mut scene = Scene::new();
    scene.told(add(1, 10, &[output(1, 20)], transcoder(Codec::Pcma, Codec::Pcmu)));
    let mut talker = Talker::new(10, Codec::Pcma, 440.0);
    scene.pass(7);
    for _ in 0..100 {
        talker.say(&mut scene);
        // It runs each 10 ms only, whenever it asked to.
        for _ in 0..2 {
            scene.now = scene.now + Duration::from_millis(10);
            scene.round();
        }
    }
    assert!(scene.figure("audio_stops") > 20 && scene.figure("audio_ticks_skipped") == 0);
    assert!(scene.over(20).len() >= 95, "{}", scene.over(20).len());
}

#[test]
fn a_shard_that_does_not_look_any_more_costs_one_turn_some_milliseconds() {
    let mut scene = Scene::new();
    scene.told(add(1, 10, &[output(1, 20)], transcoder(Codec::Pcma, Codec::Pcmu)));
    scene.mesh.inbox(0).expect("there are two").tell_looked(Some(scene.now));
    let mut talker = Talker::new(10, Codec::Pcma, 440.0);
    for _ in 0..100 {
        talker.say(&mut scene);
        scene.pass(20);
    }
    assert_eq!((scene.figure("audio_looks_awaited"), scene.figure("audio_looks_missed")), (1, 1));
    assert!(scene.over(20).len() >= 97 && scene.figure("audio_ticks_skipped") == 0);
}

#[test]
fn a_shard_without_room_costs_its_packets_only() {
    let mut scene = Scene::new();
    scene.told(add(1, 10, &[output(0, 20), output(1, 21)], transcoder(Codec::Pcma, Codec::Pcmu)));
    let mut links = scene.mesh.links();
    let taken: Vec<_> = std::iter::from_fn(|| links.room(0)).collect();
    drop(links);
    let mut talker = Talker::new(10, Codec::Pcma, 440.0);
    for _ in 0..50 {
        talker.say(&mut scene);
        scene.pass(20);
    }
    assert!(scene.over(20).is_empty() && scene.over(21).len() >= 48);
    assert_eq!(scene.figure("audio_no_room"), scene.over(21).len() as u64);
    drop(taken);
}

#[test]
fn thousands_come_and_go_and_leave_nothing() {
    let mut scene = Scene::new();
    let sound = Prompt::join_tone(Rate::K8);
    for round in 0..300_u32 {
        for n in 0..10 {
            let (id, link) = (round * 100 + n, u64::from(round * 100 + n));
            scene.told(add(id, link, &[output(0, link)], transcoder(Codec::Pcma, Codec::Pcmu)));
            scene.told(play(id, 1, &sound, Manner::Mixed));
        }
        scene.told(AudioCommand::AddRoom { id: AudioId(round * 100 + 50), config: RoomConfig::default() });
        for n in 60..63 {
            let (id, link) = (round * 100 + n, u64::from(round * 100 + n));
            scene.told(AudioCommand::Join {
                room: AudioId(round * 100 + 50),
                id: AudioId(id),
                input: Some(LinkId(link)),
                outputs: vec![output(0, link)],
                config: participant(Codec::Pcma),
            });
        }
        scene.pass(4);
        (0..10).chain([60, 50]).for_each(|n| scene.told(remove(round * 100 + n)));
        let worker = &scene.worker;
        assert!(worker.names.is_empty() && worker.feeds.is_empty() && worker.ways.is_empty());
        assert!(worker.wheel.is_empty() && worker.members == 0);
        assert!(worker.items.len() <= 11 && worker.free.len() == worker.items.len());
        scene.heard.iter_mut().for_each(Vec::clear);
        scene.events();
    }
}
