//! A room that spans two shards: the publisher on one, subscribers on both.

mod kit;

use kaname_core::command::*;
use kaname_core::{DropReason, Event, LinkId};
use kaname_wire::ntp::NtpTime;
use kaname_wire::rtcp::write;
use kaname_wire::rtcp::{Message, Pli, SenderInfo};
use kit::pair::{Ring, cross, deliver, link};
use kit::*;

/// The two shards with their rings.
struct Pair {
    near: World,
    far: World,
    there: Ring,
    back: Ring,
}

impl Pair {
    /// With a publisher of stream 1 on the near shard, and subscribers on both, named by number.
    fn new(near: u32, far: u32, config: StreamConfig) -> (Pair, Peer, Vec<Peer>, Vec<Peer>) {
        let mut pair =
            Pair { near: World::new(), far: World::new(), there: Ring::new(64), back: Ring::new(64) };
        let publisher = Peer::join(&mut pair.near, 1);
        pair.near.add_stream(&publisher, 1, config.clone());
        link(&mut pair.near, &mut pair.far, 1, 77, &config);
        let watch = |world: &mut World, number: u32| {
            let subscriber = Peer::join(world, number);
            let (sender, map) = match config.kind {
                MediaKind::Audio => (audio_sender(20), AUDIO_MAP),
                MediaKind::Video => (video_sender(20, Some(21)), VIDEO_MAP),
            };
            world.add_sender(&subscriber, number, sender);
            world.route(number, 1, map);
            subscriber
        };
        let here = (2..2 + near).map(|number| watch(&mut pair.near, number)).collect();
        let there = (102..102 + far).map(|number| watch(&mut pair.far, number)).collect();
        pair.settle();
        (pair, publisher, here, there)
    }

    /// Everything crosses, both ways; gives the packets that went there.
    fn settle(&mut self) -> usize {
        let crossed = cross(&mut self.near, &mut self.there, &mut self.far);
        cross(&mut self.far, &mut self.back, &mut self.near);
        crossed + cross(&mut self.near, &mut self.there, &mut self.far)
    }

    fn pass(&mut self, time: std::time::Duration) {
        self.near.pass(time);
        self.far.pass(time);
        self.settle();
    }
}

fn frame(sequence: u16, key_frame: bool) -> Rtp<'static> {
    let payload = vp8(key_frame, &[&sequence.to_be_bytes()[..], &[0; 1000]].concat());
    let timestamp = u32::from(sequence).wrapping_mul(3000);
    Rtp { payload_type: VP8, ssrc: 2000, sequence, timestamp, payload, ..Rtp::default() }
}

fn video() -> StreamConfig {
    video_stream(Some(2000), Some(2001))
}

fn payloads(packets: &[Vec<u8>]) -> Vec<Vec<u8>> {
    packets.iter().map(|packet| view(packet).payload().to_vec()).collect()
}

fn is_pli(message: &Message<'_>) -> bool {
    matches!(message, Message::Pli(_))
}

#[test]
fn everyone_gets_every_packet_once_in_order_and_it_crosses_once() {
    let (mut pair, mut publisher, mut here, mut there) = Pair::new(3, 20, video());
    let mut crossed = 0;
    for step in 0..200u16 {
        publisher.send(&mut pair.near, &frame(65_400u16.wrapping_add(step), step == 0));
        crossed += pair.settle();
    }
    assert_eq!(crossed, 200);
    let expected: Vec<_> = (0..200u16).map(|s| frame(65_400u16.wrapping_add(s), s == 0).payload).collect();
    for (world, peers) in [(&mut pair.near, &mut here), (&mut pair.far, &mut there)] {
        for peer in peers.iter_mut() {
            let got = peer.media(world);
            assert_eq!(payloads(&got), expected);
            let numbers = sequences(&got);
            assert!(numbers.windows(2).all(|two| two[1] == two[0].wrapping_add(1)));
        }
    }
    assert_eq!(pair.far.shard.counters().crossed_in, 200);
}

#[test]
fn a_loss_is_repaired_on_the_subscribers_shard() {
    let (mut pair, mut publisher, _, mut there) = Pair::new(0, 2, video());
    for step in 0..20 {
        publisher.send(&mut pair.near, &frame(step, step == 0));
        pair.settle();
    }
    let subscriber = &mut there[0];
    let got = subscriber.media(&mut pair.far);
    let missing = [sequences(&got)[5], sequences(&got)[9]];
    subscriber.rtcp(&mut pair.far, |out| write::nack(out, 1, 20, &missing).map(|it| it.len));
    let repairs = subscriber.media(&mut pair.far);
    assert_eq!(repairs.len(), 2);
    assert_eq!(view(&repairs[0]).payload()[2..], *view(&got[5]).payload());
    // Nothing of it crossed back.
    pair.far.shard.hand_over(pair.far.now, &mut pair.back);
    assert!(pair.back.notes.is_empty());
}

#[test]
fn what_is_lost_between_the_shards_is_sent_again_once() {
    let (mut pair, mut publisher, _, mut there) = Pair::new(0, 20, video());
    for step in 0..10 {
        publisher.send(&mut pair.near, &frame(step, step == 0));
        pair.near.shard.hand_over(pair.near.now, &mut pair.there);
        if step == 4 {
            pair.there.free.append(&mut pair.there.parcels);
        }
        deliver(&mut pair.there, &mut pair.far);
    }
    let mut first = Vec::new();
    for subscriber in &mut there {
        let got = subscriber.media(&mut pair.far);
        assert_eq!(got.len(), 9);
        let missing = [sequences(&got)[3].wrapping_add(1)];
        assert_ne!(sequences(&got)[4], missing[0], "a gap");
        subscriber.rtcp(&mut pair.far, |out| write::nack(out, 1, 20, &missing).map(|it| it.len));
        first.push(missing[0]);
    }
    assert_eq!(pair.settle(), 1, "twenty ask, one packet crosses");
    for (subscriber, missing) in there.iter_mut().zip(first) {
        let late = subscriber.media(&mut pair.far);
        assert_eq!(sequences(&late), [missing]);
        assert_eq!(payloads(&late), [frame(4, false).payload]);
    }
}

#[test]
fn a_key_frame_request_crosses_and_forty_are_one() {
    let (mut pair, mut publisher, _, mut there) = Pair::new(0, 40, video());
    publisher.send(&mut pair.near, &frame(0, true));
    pair.settle();
    pair.pass(2000 * MS);
    publisher.reports(&mut pair.near);
    // One request that finds no room is told later.
    pair.back.deaf = true;
    for subscriber in &mut there {
        subscriber.rtcp(&mut pair.far, |out| write::pli(out, Pli { sender_ssrc: 1, media_ssrc: 20 }));
    }
    pair.settle();
    assert_eq!(publisher.count_reports(&mut pair.near, is_pli), 0);
    pair.back.deaf = false;
    pair.settle();
    assert_eq!(publisher.count_reports(&mut pair.near, is_pli), 1);
    // It is answered, and the next wish is a new one.
    publisher.send(&mut pair.near, &frame(1, true));
    pair.settle();
    pair.pass(2000 * MS);
    there[0].rtcp(&mut pair.far, |out| write::pli(out, Pli { sender_ssrc: 1, media_ssrc: 20 }));
    pair.settle();
    assert_eq!(publisher.count_reports(&mut pair.near, is_pli), 1);
}

#[test]
fn a_new_layer_takes_over_at_its_key_frame() {
    let (mut pair, mut publisher, _, mut there) = Pair::new(0, 1, video());
    let low = StreamConfig { rid: Some("l".into()), ..video_stream(Some(3000), None) };
    pair.near.add_stream(&publisher, 2, low.clone());
    link(&mut pair.near, &mut pair.far, 2, 78, &low);
    let low = |sequence, key| Rtp { ssrc: 3000, ..frame(sequence, key) };
    let mut both = |pair: &mut Pair, from: u16, key: bool| {
        publisher.send(&mut pair.near, &frame(from, from == 0));
        publisher.send(&mut pair.near, &low(from + 1000, key));
        pair.settle();
        publisher.count_reports(&mut pair.near, is_pli)
    };
    both(&mut pair, 0, false);
    pair.far.route(there[0].number, 2, VIDEO_MAP);
    pair.settle();
    pair.pass(300 * MS);
    let asked = both(&mut pair, 1, false);
    assert!(asked > 0, "the new layer is asked for a key frame");
    both(&mut pair, 2, true);
    both(&mut pair, 3, false);
    let got = there[0].media(&mut pair.far);
    let expected = [frame(0, true), frame(1, false), frame(2, false), low(1002, true), low(1003, false)]
        .map(|it| it.payload);
    assert_eq!(payloads(&got), expected);
    assert!(sequences(&got).windows(2).all(|two| two[1] == two[0].wrapping_add(1)));
    // Nobody watches the old layer any more: it stays at home.
    let dropped = pair.near.dropped(DropReason::NoRoute);
    publisher.send(&mut pair.near, &frame(4, false));
    assert_eq!(pair.settle(), 0);
    assert_eq!(pair.near.dropped(DropReason::NoRoute), dropped + 1);
}

#[test]
fn what_nobody_watches_does_not_cross() {
    let (mut pair, mut publisher, _, there) = Pair::new(0, 2, video());
    publisher.send(&mut pair.near, &frame(0, true));
    assert_eq!(pair.settle(), 1);
    for peer in &there {
        pair.far.must(Command::RemoveLeg { leg: peer.leg });
    }
    pair.settle();
    publisher.send(&mut pair.near, &frame(1, false));
    assert_eq!(pair.settle(), 0);
    // Somebody comes again: it is wanted again, and a key frame with it.
    let peer = Peer::join(&mut pair.far, 200);
    pair.far.add_sender(&peer, 200, video_sender(20, Some(21)));
    publisher.reports(&mut pair.near);
    pair.far.route(200, 1, VIDEO_MAP);
    pair.settle();
    pair.pass(2000 * MS);
    assert!(publisher.count_reports(&mut pair.near, is_pli) > 0);
    publisher.send(&mut pair.near, &frame(2, true));
    assert_eq!(pair.settle(), 1);
}

#[test]
fn a_full_ring_drops_and_counts_and_asks_for_what_matters() {
    let (mut pair, mut publisher, mut here, _) = Pair::new(1, 1, video());
    pair.pass(2000 * MS);
    publisher.reports(&mut pair.near);
    pair.there.free.clear();
    publisher.send(&mut pair.near, &frame(0, true));
    publisher.send(&mut pair.near, &frame(1, false));
    pair.settle();
    assert_eq!(pair.near.dropped(DropReason::CrossingFull), 2);
    assert_eq!(here[0].media(&mut pair.near).len(), 2, "those here lose nothing");
    pair.near.pass(1000 * MS);
    assert!(publisher.count_reports(&mut pair.near, is_pli) > 0, "the lost key frame is asked for again");
    assert_eq!(pair.near.shard.counters().arena_used, 2, "what was dropped is free, but for the cache");
}

#[test]
fn a_muted_stream_does_not_cross_not_even_as_a_repair() {
    let (mut pair, mut publisher, _, mut there) = Pair::new(0, 1, video());
    publisher.send(&mut pair.near, &frame(0, true));
    pair.settle();
    let numbers = sequences(&there[0].media(&mut pair.far));
    for world in [&mut pair.near, &mut pair.far] {
        world.must(Command::MuteStream { stream: StreamId(1), muted: true });
    }
    publisher.send(&mut pair.near, &frame(1, false));
    assert_eq!(pair.settle(), 0);
    there[0].rtcp(&mut pair.far, |out| write::nack(out, 1, 20, &numbers).map(|it| it.len));
    pair.settle();
    assert!(there[0].media(&mut pair.far).is_empty());
    for world in [&mut pair.near, &mut pair.far] {
        world.must(Command::MuteStream { stream: StreamId(1), muted: false });
    }
    publisher.send(&mut pair.near, &frame(2, true));
    assert_eq!(pair.settle(), 1);
    assert_eq!(there[0].media(&mut pair.far).len(), 1);
}

#[test]
fn what_was_on_its_way_ends_with_its_link() {
    let (mut pair, mut publisher, _, mut there) = Pair::new(0, 1, audio_stream(Some(1000)));
    let sound = |sequence: u16| Rtp {
        payload_type: OPUS,
        ssrc: 1000,
        sequence,
        timestamp: u32::from(sequence) * 960,
        payload: vec![1; 80],
        ..Rtp::default()
    };
    publisher.send(&mut pair.near, &sound(1));
    pair.near.shard.hand_over(pair.near.now, &mut pair.there);
    // The stream's name is used again for another room, before the packet arrives.
    pair.far.must(Command::RemoveStream { stream: StreamId(1) });
    let config = ImportConfig { kind: MediaKind::Audio, payload_types: audio_stream(None).payload_types };
    let (stream, link) = (StreamId(1), LinkId(78));
    pair.far.must(Command::ImportStream { stream, link, from: 0, config: Box::new(config) });
    pair.far.route(there[0].number, 1, AUDIO_MAP);
    deliver(&mut pair.there, &mut pair.far);
    assert!(there[0].media(&mut pair.far).is_empty());
    assert_eq!(pair.far.dropped(DropReason::UnknownLink), 1);
    // An export that ended does not go on either.
    publisher.send(&mut pair.near, &sound(2));
    pair.near.must(Command::EndExport { link: LinkId(77) });
    assert_eq!(pair.settle(), 0);
    assert_eq!(pair.near.dropped(DropReason::Removed), 1);
}

#[test]
fn the_publishers_clocks_cross() {
    let (mut pair, mut publisher, _, mut there) = Pair::new(0, 1, video());
    publisher.send(&mut pair.near, &frame(0, true));
    let info = SenderInfo { ntp: NtpTime(7 << 32), rtp_timestamp: 0, packets: 1, octets: 1000 };
    publisher.rtcp(&mut pair.near, |out| write::sender_report(out, 2000, &info, &[]));
    pair.settle();
    there[0].reports(&mut pair.far);
    pair.pass(2000 * MS);
    let is_report = |message: &Message<'_>| matches!(message, Message::SenderReport(it) if it.ssrc == 20);
    assert!(there[0].count_reports(&mut pair.far, is_report) > 0);
}

#[test]
fn links_that_make_no_sense_are_refused() {
    let (mut pair, _, _, _) = Pair::new(0, 0, video());
    let config = || Box::new(ImportConfig { kind: MediaKind::Video, payload_types: video().payload_types });
    let (one, two) = (StreamId(1), StreamId(2));
    for command in [
        Command::ExportStream { stream: two, link: LinkId(1), to: 1 },
        Command::ExportStream { stream: one, link: LinkId(77), to: 2 },
        Command::ExportStream { stream: one, link: LinkId(1), to: 1 },
        Command::EndExport { link: LinkId(1) },
        Command::ImportStream { stream: one, link: LinkId(1), from: 0, config: config() },
    ] {
        let text = format!("{command:?}");
        pair.near.command(command);
        assert!(matches!(pair.near.events.pop(), Some(Event::CommandFailed { .. })), "{text}");
    }
    // An imported stream is not handed on.
    pair.far.command(Command::ExportStream { stream: one, link: LinkId(2), to: 2 });
    assert!(matches!(pair.far.events.pop(), Some(Event::CommandFailed { .. })));
    pair.far.command(Command::ImportStream { stream: two, link: LinkId(77), from: 0, config: config() });
    assert!(matches!(pair.far.events.pop(), Some(Event::CommandFailed { .. })));
}
