//! Simulcast: one stream for each layer, subscribers get the best one that lives.

use kaname_engine::core::event::{LegStats, StreamStats};

use super::fake::OfferText;
use super::*;

fn simulcast(world: &mut World) -> (Member, Member) {
    let ada = world.join("Ada");
    let offer = OfferText::new("Ada").simulcast("0", &["q", "h", "f"]);
    let tracks = world.negotiate(&ada, &offer, &[("0", Source::Camera)], &[]).expect("answered").publish;
    assert_eq!(
        world.told()[2..],
        [
            "add stream 1 leg 0 Video mid 0 rid f Vp8 96/97",
            "add stream 2 leg 0 Video mid 0 rid h Vp8 96/97",
            "add stream 3 leg 0 Video mid 0 rid q Vp8 96/97",
        ]
    );
    world.connect(&ada);
    let bo = world.listener("Bo");
    let offer = OfferText::new("Bo").data("0").video("1", "recvonly");
    world.negotiate(&bo, &offer, &[], &[("1", &tracks["0"])]).expect("answered");
    let told = world.told();
    assert!(told.contains(&"route 1 to 5 96>96".to_owned()), "the best at first: {told:?}");
    (ada, bo)
}

fn stats(packets: [u64; 3]) -> Box<LegStats> {
    let stream = |(number, packets): (u32, u64)| StreamStats {
        stream: StreamId(number),
        packets,
        bytes: 0,
        lost: 0,
        jitter: 0,
        nacks: 0,
        recovered: 0,
        key_frames: 0,
        key_frame_requests: 0,
    };
    Box::new(LegStats { streams: (1..).zip(packets).map(stream).collect(), ..LegStats::default() })
}

/// Answers what was asked in one second.
fn second(world: &mut World, ada: &Member, packets: [u64; 3]) -> Vec<String> {
    world.pass(Duration::from_secs(1));
    let (asked, mut others): (Vec<_>, Vec<_>) =
        world.told().into_iter().partition(|l| l.starts_with("stats leg 0"));
    for line in asked {
        let token = line.rsplit(' ').next().and_then(|t| t.parse().ok()).expect("a token");
        world.core(ada, Event::Stats { token, stats: stats(packets) });
    }
    others.extend(world.told());
    others
}

#[test]
fn the_answer_takes_all_layers() {
    let mut world = World::new();
    let ada = world.join("Ada");
    let offer = OfferText::new("Ada").simulcast("0", &["q", "h", "f"]);
    let answer = world.negotiate(&ada, &offer, &[("0", Source::Camera)], &[]).expect("answered");
    assert!(answer.sdp.contains("a=simulcast:recv f;h;q\r\n") && answer.sdp.contains("a=rid:q recv\r\n"));
}

#[test]
fn what_starts_is_shown_and_a_better_one_replaces_it() {
    let mut world = World::new();
    let (ada, _bo) = simulcast(&mut world);
    world.core(&ada, Event::StreamStarted { stream: StreamId(3), ssrc: 1 });
    assert_eq!(world.told(), ["route 3 to 5 96>96"]);
    world.core(&ada, Event::StreamStarted { stream: StreamId(1), ssrc: 2 });
    assert_eq!(world.told(), ["route 1 to 5 96>96"]);
    world.core(&ada, Event::StreamStarted { stream: StreamId(2), ssrc: 3 });
    assert_eq!(world.told(), Vec::<String>::new(), "worse than the one shown");
}

#[test]
fn a_layer_that_stops_is_replaced_until_it_comes_back() {
    let mut world = World::new();
    let (ada, _bo) = simulcast(&mut world);
    assert_eq!(second(&mut world, &ada, [10, 10, 10]), Vec::<String>::new());
    let mut told = Vec::new();
    for n in 2..6 {
        told.extend(second(&mut world, &ada, [10, 10 * n, 10 * n]));
    }
    assert_eq!(told, ["route 2 to 5 96>96"], "f has stopped");
    assert_eq!(second(&mut world, &ada, [11, 60, 60]), ["route 1 to 5 96>96"], "f is back");
}

#[test]
fn a_new_subscriber_gets_the_layer_in_use() {
    let mut world = World::new();
    let (ada, _bo) = simulcast(&mut world);
    world.core(&ada, Event::StreamStarted { stream: StreamId(2), ssrc: 1 });
    world.told();
    let cy = world.listener("Cyd");
    let track = world.state.peers[&ada.id].tracks[0].id.clone();
    let offer = OfferText::new("Cyd").data("0").video("1", "recvonly");
    world.negotiate(&cy, &offer, &[], &[("1", &track)]).expect("answered");
    assert!(world.told().contains(&"route 2 to 7 96>96".to_owned()));
}

#[test]
fn without_the_extensions_that_name_layers_there_are_none() {
    let mut world = World::new();
    let ada = world.join("Ada");
    let text = OfferText::new("Ada").simulcast("0", &["q", "f"]).text();
    let sdp = text.replace("urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id", "urn:x");
    let wish = Negotiation { sdp, publish: [("0".to_owned(), Source::Camera)].into(), ..Default::default() };
    let answer = world.state.negotiate(world.now, &ada.id, Wish::read(wish)).expect("answered");
    assert!(!answer.sdp.contains("a=simulcast"));
    assert_eq!(world.told()[2..], ["add stream 1 leg 0 Video mid 0 Vp8 96/97"]);
}
