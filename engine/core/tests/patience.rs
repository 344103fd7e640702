//! Legs on ports of their own whose packets may wait: those whose media goes to places with turns of their own alone.

mod kit;

use std::time::Duration;

use kaname_core::command::*;
use kaname_core::{Datagram, LinkId};
use kit::phone::*;
use kit::*;

/// Two shards, and audio workers behind them.
const WORKER: usize = 2;
const SHARD: usize = 1;

fn world() -> World {
    let mut world = World::new();
    world.shard.set_turns_from(WORKER);
    world
}

/// A leg without keys or the word that there are none, which publishes stream `number`.
fn phone(world: &mut World, number: u32, config: &dyn Fn(&mut StreamConfig)) -> Phone {
    let phone = Phone::add(world, number, signalled(address("192.0.2.1:4000"), Learn::Never), true);
    add_stream(world, &phone, number, config);
    phone
}

fn add_stream(world: &mut World, phone: &Phone, number: u32, config: &dyn Fn(&mut StreamConfig)) {
    let mut stream = speech_stream();
    config(&mut stream);
    world.must(Command::AddStream { leg: phone.leg, stream: StreamId(number), config: Box::new(stream) });
}

fn export(world: &mut World, stream: u32, link: u64, to: usize) {
    world.must(Command::ExportStream { stream: StreamId(stream), link: LinkId(link), to });
}

/// What changed since the last time.
fn changes(world: &mut World) -> Vec<(u32, bool)> {
    std::iter::from_fn(|| world.shard.next_patience()).collect()
}

#[test]
fn a_port_waits_while_all_that_comes_there_goes_to_workers() {
    let mut world = world();
    let phone = phone(&mut world, 1, &|_| ());
    let port = phone.ports.0;
    assert_eq!(changes(&mut world), [(port, false)]);
    export(&mut world, 1, 10, WORKER);
    assert_eq!(changes(&mut world), [], "a handshake may come there");
    world.must(Command::SetPlain { leg: phone.leg });
    assert_eq!(changes(&mut world), [(port, true)], "and not the port of its reports");
    // Forwarded as well.
    let other = plain_leg(&mut world, 2, signalled(address("192.0.2.2:4000"), Learn::Never), false);
    assert_eq!(changes(&mut world), [(other.ports.0, false)]);
    let (sender, config) = (SenderId(5), SenderConfig { mid: None, ..audio_sender(15) });
    world.must(Command::AddSender { leg: other.leg, sender, config: Box::new(config) });
    world.must(Command::Route { sender, stream: StreamId(1), payload_types: SPEECH_MAP.to_vec() });
    assert_eq!(changes(&mut world), [(port, false)]);
    world.must(Command::Unroute { sender: SenderId(5) });
    assert_eq!(changes(&mut world), [(port, true)]);
    // To another shard too.
    export(&mut world, 1, 11, SHARD);
    assert_eq!(changes(&mut world), [(port, false)]);
    world.must(Command::EndExport { link: LinkId(11) });
    export(&mut world, 1, 12, WORKER + 1);
    assert_eq!(changes(&mut world), [(port, true)]);
    // A second stream that goes nowhere may be anything.
    add_stream(&mut world, &phone, 3, &|_| ());
    assert_eq!(changes(&mut world), [(port, false)]);
    world.must(Command::RemoveStream { stream: StreamId(3) });
    assert_eq!(changes(&mut world), [(port, true)]);
    world.must(Command::RemoveLeg { leg: phone.leg });
    assert_eq!(changes(&mut world), [(port, false)]);
}

#[test]
fn who_waits_for_feedback_is_not_kept_waiting() {
    let mut world = world();
    let phone = phone(&mut world, 1, &|stream| stream.transport_cc = true);
    world.must(Command::SetPlain { leg: phone.leg });
    export(&mut world, 1, 10, WORKER);
    assert_eq!(changes(&mut world), [(phone.ports.0, false)]);
}

#[test]
fn without_places_that_have_turns_nobody_waits() {
    let mut world = World::new();
    let phone = phone(&mut world, 1, &|_| ());
    world.must(Command::SetPlain { leg: phone.leg });
    export(&mut world, 1, 10, WORKER);
    assert_eq!(changes(&mut world), [(phone.ports.0, false)]);
}

#[test]
fn jitter_counts_from_the_arrival_of_what_waited() {
    let jitter = |told: bool| {
        let mut world = world();
        let mut phone = plain_leg(&mut world, 1, signalled(address("192.0.2.1:4000"), Learn::Never), false);
        add_stream(&mut world, &phone, 1, &|_| ());
        // An even stream, of which each packet is found at another time behind its arrival.
        for number in 0..200 {
            let waited = Duration::from_millis(number * 7 % 20);
            let packet = phone.speech();
            let whole = Datagram::new(phone.path(), &packet);
            let datagram = if told { Datagram { waited, ..whole } } else { whole };
            let now = world.now + waited;
            world.shard.ingest(now, &[datagram]);
            world.drain();
            world.pass(20 * MS);
        }
        world.stats(phone.leg).streams[0].jitter
    };
    assert_eq!(jitter(true), 0);
    assert!(jitter(false) > 8 * 3, "{} ticks", jitter(false));
}
