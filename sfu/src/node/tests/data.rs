//! Data channels: chat with names, everything else as it is, within limits.

use kaname_engine::DataKind;

use super::fake::OfferText;
use super::*;

fn open(world: &mut World, peer: &Member, channel: u16, label: &str) {
    let leg = world.leg(peer);
    let (label, protocol) = (label.to_owned(), String::new());
    world.event(peer, EngineEvent::ChannelOpened { leg, channel, label, protocol });
}

fn say(world: &mut World, peer: &Member, channel: u16, kind: DataKind, data: &[u8]) {
    let leg = world.leg(peer);
    world.event(peer, EngineEvent::ChannelMessage { leg, channel, kind, data: data.to_vec() });
}

/// Three with a channel `chat`, number 1, 3, 5.
fn chat(world: &mut World) -> [Member; 3] {
    let members = ["Ada", "Bo", "Cyd"].map(|name| world.listener(name));
    for (channel, member) in [1, 3, 5].into_iter().zip(&members) {
        open(world, member, channel, "chat");
    }
    world.told();
    members
}

#[test]
fn chat_reaches_the_others_with_the_senders_name() {
    let mut world = World::new();
    let [ada, ..] = chat(&mut world);
    say(&mut world, &ada, 1, DataKind::Text, "say \"hi\"\n".as_bytes());
    let text = format!(r#"{{"from":"{}","name":"Ada","text":"say \"hi\"\n"}}"#, ada.id);
    assert_eq!(
        world.told(),
        [format!("data leg 1 channel 3 Text {text}"), format!("data leg 2 channel 5 Text {text}")]
    );
    assert_eq!(world.state.counters().data_relayed_total, 2);
}

#[test]
fn other_labels_are_relayed_as_they_are_to_the_same_label() {
    let mut world = World::new();
    let [ada, bo, cyd] = chat(&mut world);
    open(&mut world, &ada, 7, "cursor");
    open(&mut world, &cyd, 9, "cursor");
    say(&mut world, &ada, 7, DataKind::Binary, b"xy");
    assert_eq!(world.told(), ["data leg 2 channel 9 Binary xy"]);
    let leg = world.leg(&cyd);
    world.event(&cyd, EngineEvent::ChannelClosed { leg, channel: 9 });
    say(&mut world, &ada, 7, DataKind::Binary, b"xy");
    say(&mut world, &bo, 99, DataKind::Text, b"a channel that was never opened");
    assert_eq!(world.told(), Vec::<String>::new());
}

#[test]
fn rooms_do_not_hear_each_other() {
    let mut world = World::new();
    let [ada, ..] = chat(&mut world);
    let eve = world.try_join("other", "Evelyn", Grants { room: "*".into(), ..everything() }).expect("joined");
    world.negotiate(&eve, &OfferText::new("Evelyn").data("0"), &[], &[]).expect("answered");
    open(&mut world, &eve, 1, "chat");
    world.told();
    say(&mut world, &eve, 1, DataKind::Text, b"alone");
    assert_eq!(world.told(), Vec::<String>::new());
    say(&mut world, &ada, 1, DataKind::Text, b"hi");
    assert_eq!(world.told().len(), 2);
}

#[test]
fn without_the_grant_nothing_is_relayed() {
    let mut world = World::new();
    let [ada, ..] = chat(&mut world);
    let mute = world.try_join("lobby", "Mute", Grants { data: false, ..everything() }).expect("joined");
    let offer = OfferText::new("Mute").audio("0", "sendonly");
    world.negotiate(&mute, &offer, &[("0", Source::Microphone)], &[]).expect("answered");
    assert!(world.told().contains(&"secure leg 3 without data 65536".to_owned()));
    // A client that opens one all the same is not heard, and hears nothing.
    open(&mut world, &mute, 1, "chat");
    say(&mut world, &mute, 1, DataKind::Text, b"hi");
    assert_eq!(world.told(), Vec::<String>::new());
    say(&mut world, &ada, 1, DataKind::Text, b"hi");
    assert_eq!(world.told().len(), 2);
}

#[test]
fn too_large_too_fast_and_not_text() {
    let mut world = World::new();
    let [mut ada, mut bo, mut cyd] = chat(&mut world);
    ada.heard();
    bo.heard();
    cyd.heard();
    say(&mut world, &ada, 1, DataKind::Text, &vec![b'x'; 64 * 1024 + 1]);
    assert!(ada.heard()[0].contains(r#""code":"too_large""#));
    say(&mut world, &bo, 3, DataKind::Binary, b"\xff");
    assert!(bo.heard()[0].contains(r#""code":"bad_message""#));
    for _ in 0..100 {
        say(&mut world, &cyd, 5, DataKind::Text, b"spam");
    }
    let heard = cyd.heard();
    assert_eq!(heard.len(), 1, "told once, not each time");
    assert!(heard[0].contains(r#""code":"too_fast""#));
    assert_eq!(world.told().len(), 2 * 40, "two seconds' worth, to two others");
    world.pass(Duration::from_secs(1));
    say(&mut world, &cyd, 5, DataKind::Text, b"patient");
    assert_eq!(world.told().len(), 2);
    assert_eq!(world.state.counters().data_refused_total, 62);
}

#[test]
fn a_flood_of_bytes_is_bounded_too() {
    let mut world = World::new();
    let [ada, ..] = chat(&mut world);
    for _ in 0..30 {
        say(&mut world, &ada, 1, DataKind::Text, &vec![b'x'; 60_000]);
    }
    assert_eq!(world.told().len(), 2 * 8, "512 KiB at once");
}

#[test]
fn channels_are_bounded() {
    let mut world = World::new();
    let mut ada = world.listener("Ada");
    for channel in 0..40 {
        open(&mut world, &ada, channel, "x");
    }
    open(&mut world, &ada, 50, &"long".repeat(100));
    assert_eq!(world.state.peers[&ada.id].channels.len(), 16);
    assert_eq!(ada.heard().len(), 25);
}
