//! Packets reach their subscribers, with the subscribers' numbers.

mod kit;

use kaname_core::command::*;
use kaname_core::{DropReason, Event};
use kaname_wire::extension::Element;
use kit::*;

/// A publisher of audio (stream 1, SSRC 1000) and video (stream 2, SSRC 2000, RTX 2001), and a subscriber with
/// a sender for each (senders 1 and 2, SSRCs 10 and 20, RTX 21).
fn call(world: &mut World) -> (Peer, Peer) {
    let (publisher, subscriber) = (Peer::join(world, 1), Peer::join(world, 2));
    world.add_stream(&publisher, 1, audio_stream(Some(1000)));
    world.add_stream(&publisher, 2, video_stream(Some(2000), Some(2001)));
    world.add_sender(&subscriber, 1, audio_sender(10));
    world.add_sender(&subscriber, 2, video_sender(20, Some(21)));
    world.route(1, 1, AUDIO_MAP);
    world.route(2, 2, VIDEO_MAP);
    (publisher, subscriber)
}

fn opus(sequence: u16) -> Rtp<'static> {
    let timestamp = u32::from(sequence).wrapping_mul(960);
    Rtp {
        payload_type: OPUS,
        ssrc: 1000,
        sequence,
        timestamp,
        payload: vec![sequence as u8; 80],
        ..Rtp::default()
    }
}

fn frame(ssrc: u32, sequence: u16, timestamp: u32, key_frame: bool) -> Rtp<'static> {
    let payload = vp8(key_frame, &sequence.to_be_bytes());
    Rtp { payload_type: VP8, marker: true, ssrc, sequence, timestamp, payload, ..Rtp::default() }
}

#[test]
fn audio_arrives_with_the_subscribers_numbers_and_the_publishers_sound() {
    let mut world = World::new();
    let (mut publisher, mut subscriber) = call(&mut world);
    let mut got = Vec::new();
    for step in 0..200u16 {
        // Over the wrap of the sequence number.
        publisher.send(&mut world, &opus(65_450u16.wrapping_add(step)));
        got.extend(subscriber.media(&mut world));
        world.pass(20 * MS);
    }
    assert_eq!(got.len(), 200);
    let first = (view(&got[0]).sequence(), view(&got[0]).timestamp());
    assert!(first.0 < 1 << 15);
    for (step, packet) in got.iter().enumerate() {
        let view = view(packet);
        assert_eq!((view.ssrc(), view.payload_type()), (10, 109));
        assert_eq!(view.sequence(), first.0.wrapping_add(step as u16));
        let original = 65_450u16.wrapping_add(step as u16);
        let base = u32::from(65_450u16) * 960;
        let elapsed = (u32::from(original) * 960).wrapping_sub(base);
        assert_eq!(view.timestamp(), first.1.wrapping_add(elapsed));
        assert_eq!(view.payload(), [original as u8; 80]);
    }
}

#[test]
fn extensions_are_renamed_and_those_of_the_hop_left_out() {
    let mut world = World::new();
    let mut publisher = Peer::join(&mut world, 1);
    let theirs = ExtensionIds { mid: Some(9), audio_level: Some(12), ..ExtensionIds::default() };
    let mut subscriber = Peer::join_with(&mut world, 2, theirs);
    world.add_stream(&publisher, 1, audio_stream(None));
    world.add_sender(&subscriber, 1, audio_sender(10));
    world.route(1, 1, AUDIO_MAP);
    let extensions = vec![
        Element { id: 4, data: b"0" },
        Element { id: 1, data: &[0x9e] },
        Element { id: 2, data: &[1, 2, 3] },
        Element { id: 3, data: &[0, 1] },
    ];
    publisher.send(&mut world, &Rtp { extensions, ..opus(5) });
    let got = subscriber.media(&mut world);
    let elements: Vec<_> = view(&got[0]).extensions().map(|it| (it.id, it.data.to_vec())).collect();
    assert_eq!(elements, [(9, b"7".to_vec()), (12, vec![0x9e])]);
    let level = world.events.iter().find(|event| matches!(event, Event::AudioLevel { .. }));
    assert!(matches!(level, Some(Event::AudioLevel { stream: StreamId(1), voice: true, .. })));
    assert!(
        world.events.iter().any(|it| matches!(it, Event::StreamStarted { stream: StreamId(1), ssrc: 1000 }))
    );
}

#[test]
fn one_batch_to_many_subscribers_in_order_through_few_slots() {
    let mut world = World::new();
    let mut publisher = Peer::join(&mut world, 1);
    world.add_stream(&publisher, 1, audio_stream(Some(1000)));
    let mut subscribers: Vec<_> = (2..42).map(|number| Peer::join(&mut world, number)).collect();
    for subscriber in &subscribers {
        world.add_sender(subscriber, subscriber.number, audio_sender(10));
        world.route(subscriber.number, 1, AUDIO_MAP);
    }
    let batch: Vec<_> = (0..100).map(|sequence| (publisher.path, publisher.rtp(&opus(sequence)))).collect();
    world.receive_all(&batch);
    for subscriber in &mut subscribers {
        let got = subscriber.media(&mut world);
        assert_eq!(got.len(), 100);
        assert!(
            got.windows(2).all(|pair| view(&pair[0]).sequence().wrapping_add(1) == view(&pair[1]).sequence())
        );
        assert!(got.iter().enumerate().all(|(at, packet)| view(packet).payload() == [at as u8; 80]));
    }
    assert_eq!(world.shard.counters().forwarded, 4000);
    assert_eq!(world.shard.counters().arena_used, 0);
}

#[test]
fn late_and_lost_packets_keep_their_places() {
    let mut world = World::new();
    let (mut publisher, mut subscriber) = call(&mut world);
    for sequence in [10, 12, 11, 15, 13, 13] {
        let packet = publisher.outbound.protect_or_repeat(&opus(sequence));
        world.receive(publisher.path, &packet);
    }
    let got = sequences(&subscriber.media(&mut world));
    let first = got[0];
    let places: Vec<_> = got.iter().map(|sequence| sequence.wrapping_sub(first)).collect();
    assert_eq!(places, [0, 2, 1, 5, 3]);
}

/// The copy of an earlier packet, for a sequence number that was protected before.
trait Repeat {
    fn protect_or_repeat(&mut self, rtp: &Rtp<'_>) -> Vec<u8>;
}

impl Repeat for kaname_srtp::Outbound {
    fn protect_or_repeat(&mut self, rtp: &Rtp<'_>) -> Vec<u8> {
        let mut header = [0; 100];
        let len = kaname_wire::rtp::HeaderBuilder {
            payload_type: rtp.payload_type,
            sequence: rtp.sequence,
            timestamp: rtp.timestamp,
            ssrc: rtp.ssrc,
            ..Default::default()
        }
        .write(&mut header)
        .unwrap();
        let mut out = vec![0; len + rtp.payload.len() + self.rtp_overhead()];
        match self.protect_rtp(&header[..len], &rtp.payload, &mut out) {
            Ok(_) => out,
            Err(kaname_srtp::SrtpError::IndexTaken) => {
                let mut again = kaname_srtp::Outbound::new(kaname_srtp::Backend::best(), &keying(3));
                again.protect_rtp(&header[..len], &rtp.payload, &mut out).unwrap();
                out
            }
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn video_begins_at_a_key_frame_that_was_asked_for() {
    let mut world = World::new();
    let (mut publisher, mut subscriber) = call(&mut world);
    assert_eq!(publisher.count_reports(&mut world, |it| matches!(it, kaname_wire::rtcp::Message::Pli(_))), 1);
    publisher.send(&mut world, &frame(2000, 100, 0, false));
    assert!(subscriber.media(&mut world).is_empty());
    assert_eq!(world.dropped(DropReason::AwaitingKeyFrame), 1);
    publisher.send(&mut world, &frame(2000, 101, 3000, true));
    publisher.send(&mut world, &frame(2000, 102, 6000, false));
    let got = subscriber.media(&mut world);
    assert_eq!(got.len(), 2);
    assert_eq!(view(&got[1]).timestamp().wrapping_sub(view(&got[0]).timestamp()), 3000);
    assert!(view(&got[0]).marker());
}

/// The publisher answers each request with a key frame at once.
#[test]
fn a_viewer_sees_video_as_soon_as_its_handshake_is_done() {
    let mut world = World::new();
    let mut publisher = Peer::join(&mut world, 1);
    world.add_stream(&publisher, 2, video_stream(Some(2000), None));
    for number in 10..40u32 {
        let (leg, at) = (LegId(number), path(number));
        let transport = Transport::Ice(ice(number));
        world.must(Command::AddLeg(Box::new(LegConfig { leg, transport, extensions: ids() })));
        let sender = SenderId(number);
        let config = Box::new(video_sender(20, None));
        world.must(Command::AddSender { leg, sender, config });
        world.route(number, 2, VIDEO_MAP);
        // A handshake takes a while; a key frame would be wasted on it.
        world.pass(60 * MS);
        world.receive(at, &check(&ice(number), true));
        let is_pli = |it: &kaname_wire::rtcp::Message<'_>| matches!(it, kaname_wire::rtcp::Message::Pli(_));
        assert_eq!(publisher.count_reports(&mut world, is_pli), 0);
        let (inbound, outbound) = (Box::new(keying(2 * number)), Box::new(keying(2 * number + 1)));
        world.must(Command::SetKeys { leg, inbound, outbound });
        assert_eq!(publisher.count_reports(&mut world, is_pli), 1);
        publisher.send(&mut world, &frame(2000, number as u16, number * 3000, true));
        assert!(world.out.iter().any(|(to, _)| *to == at), "{number}: {:?}", world.all_drops());
        world.out.clear();
        world.pass(200 * MS);
        world.receive(publisher.path, &check(&ice(1), true));
    }
}

#[test]
fn a_switch_to_another_layer_waits_for_its_key_frame_and_leaves_no_trace() {
    let mut world = World::new();
    let (mut publisher, mut subscriber) = call(&mut world);
    world.add_stream(&publisher, 3, StreamConfig { rid: Some("h".into()), ..video_stream(Some(3000), None) });
    publisher.send(&mut world, &frame(2000, 65_535, 0, true));
    world.pass(40 * MS);
    world.route(2, 3, VIDEO_MAP);
    publisher.send(&mut world, &frame(2000, 0, 3600, false));
    publisher.send(&mut world, &frame(3000, 500, 777, false));
    world.pass(40 * MS);
    publisher.send(&mut world, &frame(3000, 501, 900, true));
    publisher.send(&mut world, &frame(2000, 1, 7200, false));
    publisher.send(&mut world, &frame(3000, 500 - 1, 0, false));
    let got = subscriber.media(&mut world);
    let first = view(&got[0]);
    let places: Vec<_> = sequences(&got).iter().map(|it| it.wrapping_sub(first.sequence())).collect();
    assert_eq!(places, [0, 1, 2]);
    let clocks: Vec<_> = got.iter().map(|it| view(it).timestamp().wrapping_sub(first.timestamp())).collect();
    assert_eq!(clocks, [0, 3600, 3600 + 3600]);
    assert_eq!(view(&got[2]).payload(), vp8(true, &501u16.to_be_bytes()));
    // Back again, and audio all the while.
    world.route(2, 2, VIDEO_MAP);
    publisher.send(&mut world, &frame(2000, 2, 10_800, true));
    let back = subscriber.media(&mut world);
    assert_eq!(view(&back[0]).sequence().wrapping_sub(first.sequence()), 3);
}

#[test]
fn muted_is_silent_and_goes_on_without_a_gap() {
    let mut world = World::new();
    let (mut publisher, mut subscriber) = call(&mut world);
    publisher.send(&mut world, &opus(1));
    world.must(Command::MuteStream { stream: StreamId(1), muted: true });
    publisher.send(&mut world, &opus(2));
    publisher.send(&mut world, &opus(3));
    world.must(Command::MuteStream { stream: StreamId(1), muted: false });
    publisher.send(&mut world, &opus(4));
    let got = subscriber.media(&mut world);
    assert_eq!(got.len(), 2);
    assert_eq!(view(&got[1]).sequence(), view(&got[0]).sequence().wrapping_add(1));
    assert_eq!(view(&got[1]).timestamp(), view(&got[0]).timestamp().wrapping_add(3 * 960));
    assert_eq!(world.dropped(DropReason::Muted), 2);
}

#[test]
fn what_the_subscriber_cannot_play_leaves_no_gap() {
    let mut world = World::new();
    let (mut publisher, mut subscriber) = call(&mut world);
    let dtmf = PayloadType { number: 126, rtx: None, codec: Codec::TelephoneEvent, clock_rate: 48_000 };
    let mut config = audio_stream(Some(5000));
    config.payload_types.push(dtmf);
    world.add_stream(&publisher, 5, config);
    world.route(1, 5, AUDIO_MAP);
    for (sequence, payload_type) in [(1, OPUS), (2, 126), (3, OPUS)] {
        publisher.send(&mut world, &Rtp { ssrc: 5000, payload_type, ..opus(sequence) });
    }
    let got = sequences(&subscriber.media(&mut world));
    assert_eq!(got, [got[0], got[0].wrapping_add(1)]);
    assert_eq!(world.dropped(DropReason::PayloadTypeUnmapped), 1);
}

#[test]
fn layers_are_recognised_by_rid_and_keep_their_ssrcs() {
    let mut world = World::new();
    let (mut publisher, mut subscriber) = call(&mut world);
    for (stream, rid) in [(3, "h"), (4, "l")] {
        let config =
            StreamConfig { mid: Some("2".into()), rid: Some(rid.into()), ..video_stream(None, None) };
        world.add_stream(&publisher, stream, config);
    }
    let named = |rid: &'static [u8], ssrc| Rtp {
        extensions: vec![Element { id: 4, data: b"2" }, Element { id: 10, data: rid }],
        ..frame(ssrc, 1, 0, true)
    };
    publisher.send(&mut world, &named(b"l", 7001));
    publisher.send(&mut world, &named(b"h", 7002));
    // Another SSRC for a layer that has one, and a layer that nobody signalled.
    publisher.send(&mut world, &named(b"h", 7003));
    publisher.send(&mut world, &named(b"x", 7004));
    assert_eq!(world.dropped(DropReason::UnclaimedSsrc), 2);
    let started = |stream, ssrc| {
        world.events.iter().any(|it| matches!(it, Event::StreamStarted { stream: s, ssrc: i } if (*s, *i) == (StreamId(stream), ssrc)))
    };
    assert!(started(3, 7002) && started(4, 7001));
    world.route(2, 4, VIDEO_MAP);
    // Bound: later packets need no names.
    publisher.send(&mut world, &frame(7001, 2, 3000, true));
    assert_eq!(subscriber.media(&mut world).len(), 1);
}

#[test]
fn a_leg_that_leaves_takes_its_routes_along() {
    let mut world = World::new();
    let (mut publisher, mut subscriber) = call(&mut world);
    publisher.send(&mut world, &opus(1));
    assert_eq!(subscriber.media(&mut world).len(), 1);
    world.must(Command::RemoveLeg { leg: publisher.leg });
    publisher.send(&mut world, &opus(2));
    assert!(subscriber.media(&mut world).is_empty());
    assert_eq!(world.dropped(DropReason::UnknownPath), 1);
    // The subscriber's sender goes on with another publisher.
    let mut other = Peer::join(&mut world, 3);
    world.add_stream(&other, 9, audio_stream(Some(1000)));
    world.route(1, 9, AUDIO_MAP);
    other.send(&mut world, &opus(70));
    assert_eq!(subscriber.media(&mut world).len(), 1);
}

/// Two cameras with frames of seven packets and two microphones, all in one batch and mixed: each subscriber gets
/// what belongs together in one piece, so that packet io can send it as one run.
#[test]
fn each_subscriber_gets_the_packets_of_a_frame_in_one_piece() {
    const SUBSCRIBERS: u32 = 50;
    const CAMERAS: u32 = 2;
    let mut world = World::new();
    let mut publishers: Vec<Peer> = (1..=CAMERAS).map(|number| Peer::join(&mut world, number)).collect();
    for (publisher, camera) in publishers.iter().zip(0..) {
        world.add_stream(publisher, 10 + camera, audio_stream(Some(1000)));
        world.add_stream(publisher, 20 + camera, video_stream(Some(2000), None));
    }
    for number in 0..SUBSCRIBERS {
        let subscriber = Peer::join(&mut world, 100 + number);
        for camera in 0..CAMERAS {
            let (audio, video) = (1000 * (camera + 1) + number, 1000 * (camera + 11) + number);
            world.add_sender(&subscriber, audio, audio_sender(10 + camera));
            world.add_sender(&subscriber, video, video_sender(20 + camera, None));
            world.route(audio, 10 + camera, AUDIO_MAP);
            world.route(video, 20 + camera, VIDEO_MAP);
        }
    }
    world.out.clear();
    let mut batch = Vec::new();
    for place in 0..7 {
        for publisher in &mut publishers {
            let first = Rtp { marker: place == 6, ..frame(2000, 500 + place, 3000, place == 0) };
            batch.push((publisher.path, publisher.rtp(&first)));
            if place == 3 {
                batch.push((publisher.path, publisher.rtp(&opus(7))));
            }
        }
    }
    world.receive_all(&batch);
    assert_eq!(world.out.len() as u32, SUBSCRIBERS * CAMERAS * (7 + 1), "{:?}", world.all_drops());
    // In the order of leaving: who gets how many of which SSRC in a row.
    let mut runs: Vec<(_, u32, usize)> = Vec::new();
    for (to, packet) in &world.out {
        let ssrc = view(packet).ssrc();
        match runs.last_mut() {
            Some((path, of, count)) if path == to && *of == ssrc => *count += 1,
            _ => runs.push((*to, ssrc, 1)),
        }
    }
    for (_, ssrc, count) in &runs {
        assert_eq!(*count, if *ssrc >= 20 { 7 } else { 1 }, "{ssrc}");
    }
    assert_eq!(runs.len() as u32, SUBSCRIBERS * CAMERAS * 2);
}
