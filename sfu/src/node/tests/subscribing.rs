//! Being sent what others publish.

use super::fake::OfferText;
use super::*;

#[test]
fn a_subscription_is_a_sender_and_a_route() {
    let mut world = World::new();
    let (_ada, tracks) = world.publisher("Ada");
    let bo = world.join("Bo");
    world.told();
    let offer = OfferText::new("Bo").codec(120, "VP8/90000").audio("a", "recvonly").video("v", "recvonly");
    let wish = [("a", &tracks["0"]), ("v", &tracks["1"])];
    let answer = world.negotiate(&bo, &offer, &[], &wish).expect("answered");
    assert_eq!(
        world.told(),
        [
            "add leg 3 for Boufrag",
            "secure leg 3 with data 65536",
            "add sender 4 leg 3 Audio mid a plain",
            "route 1 to 4 111>111 63>63",
            "add sender 5 leg 3 Video mid v rtx",
            "route 2 to 5 96>120",
        ],
        "no key frame before the handshake is complete: it would be lost"
    );
    assert_eq!(answer.subscribe["a"], tracks["0"]);
    assert_eq!(answer.subscribe["v"], tracks["1"]);
    world.connect(&bo);
    assert_eq!(world.told(), ["key frame 2"]);
}

#[test]
fn the_answer_names_what_is_sent() {
    let mut world = World::new();
    let (ada, tracks) = world.publisher("Ada");
    let bo = world.join("Bo");
    let offer = OfferText::new("Bo").video("v", "recvonly");
    let answer = world.negotiate(&bo, &offer, &[], &[("v", &tracks["1"])]).expect("answered");
    let subscription = &world.state.peers[&bo.id].subscriptions[0];
    let (ssrc, rtx) = (subscription.ssrc, subscription.rtx_ssrc.expect("RTX"));
    for line in [
        "a=sendonly".to_owned(),
        format!("a=msid:{} {}", ada.id, tracks["1"]),
        format!("a=ssrc-group:FID {ssrc} {rtx}"),
        format!("a=ssrc:{ssrc} cname:{}", ada.id),
        format!("a=ssrc:{rtx} cname:{}", ada.id),
    ] {
        assert!(answer.sdp.lines().any(|l| l == line), "{line} in {}", answer.sdp);
    }
}

#[test]
fn a_screen_is_a_stream_of_its_own() {
    let mut world = World::new();
    let ada = world.join("Ada");
    let offer = OfferText::new("Ada").video("0", "sendonly");
    let tracks = world.negotiate(&ada, &offer, &[("0", Source::Screen)], &[]).expect("answered").publish;
    let bo = world.join("Bo");
    let offer = OfferText::new("Bo").video("0", "recvonly");
    let answer = world.negotiate(&bo, &offer, &[], &[("0", &tracks["0"])]).expect("answered");
    assert!(answer.sdp.contains(&format!("a=msid:{}-screen {}", ada.id, tracks["0"])));
}

#[test]
fn a_connected_subscriber_gets_a_key_frame_at_once() {
    let mut world = World::new();
    let (_ada, tracks) = world.publisher("Ada");
    let bo = world.listener("Bo");
    world.told();
    let offer = OfferText::new("Bo").data("0").video("1", "recvonly");
    world.negotiate(&bo, &offer, &[], &[("1", &tracks["1"])]).expect("answered");
    assert_eq!(
        world.told(),
        [
            "extensions leg 3 mid Some(4) rid None",
            "add sender 4 leg 3 Video mid 1 rtx",
            "route 2 to 4 96>96",
            "key frame 2",
        ]
    );
}

#[test]
fn unsubscribing_and_using_the_m_line_for_another_track() {
    let mut world = World::new();
    let (_ada, first) = world.publisher("Ada");
    let (_cy, second) = world.publisher("Cy");
    let bo = world.listener("Bo");
    let offer = OfferText::new("Bo").data("0").video("1", "recvonly");
    world.negotiate(&bo, &offer, &[], &[("1", &first["1"])]).expect("answered");
    let ssrc = world.state.peers[&bo.id].subscriptions[0].ssrc;
    world.told();
    world.negotiate(&bo, &offer, &[], &[("1", &second["1"])]).expect("answered");
    assert_eq!(
        world.told(),
        ["remove sender 7", "add sender 8 leg 6 Video mid 1 rtx", "route 5 to 8 96>96", "key frame 5"]
    );
    assert_ne!(world.state.peers[&bo.id].subscriptions[0].ssrc, ssrc, "a new SSRC for a new source");
    let answer = world.negotiate(&bo, &offer, &[], &[]).expect("answered");
    assert_eq!(world.told(), ["remove sender 8"]);
    assert!(answer.sdp.contains("a=inactive") && answer.subscribe.is_empty());
}

#[test]
fn what_is_unpublished_is_no_longer_sent() {
    let mut world = World::new();
    let (ada, tracks) = world.publisher("Ada");
    let bo = world.listener("Bo");
    let offer = OfferText::new("Bo").data("0").video("1", "recvonly").audio("2", "recvonly");
    let wish = [("1", &tracks["1"]), ("2", &tracks["0"])];
    world.negotiate(&bo, &offer, &[], &wish).expect("answered");
    world.told();
    let paused = OfferText::new("Ada").audio("0", "sendonly").video("1", "inactive").data("2");
    world.negotiate(&ada, &paused, &[("0", Source::Microphone)], &[]).expect("answered");
    assert_eq!(world.told(), ["remove sender 4", "remove stream 2"]);

    // The subscriber's next offer may have been on its way: the track is left out, the rest holds.
    let answer = world.negotiate(&bo, &offer, &[], &wish).expect("answered");
    assert_eq!(answer.subscribe.keys().collect::<Vec<_>>(), ["2"]);
    assert!(answer.sdp.contains("a=inactive"));
    assert_eq!(world.told(), Vec::<String>::new());
}

#[test]
fn a_codec_that_the_subscriber_lacks_is_named() {
    let mut world = World::new();
    let (_ada, tracks) = world.publisher("Ada");
    let bo = world.listener("Bo");
    world.told();
    let offer = OfferText::new("Bo").data("0").codec(45, "AV1/90000").video("1", "recvonly");
    let error = world.negotiate(&bo, &offer, &[], &[("1", &tracks["1"])]).expect_err("refused");
    assert_eq!(error, NodeError::CodecUnsupported { track: tracks["1"].clone(), codec: "VP8".into() });
    assert_eq!((error.code(), error.status()), ("codec_unsupported", 422));
    assert_eq!(world.told(), Vec::<String>::new());
}

#[test]
fn nobody_subscribes_to_himself_or_across_rooms() {
    let mut world = World::new();
    let (ada, tracks) = world.publisher("Ada");
    let offer =
        OfferText::new("Ada").audio("0", "sendonly").video("1", "sendonly").data("2").video("3", "recvonly");
    let wish = [("0", Source::Microphone), ("1", Source::Camera)];
    let error = world.negotiate(&ada, &offer, &wish, &[("3", &tracks["1"])]).expect_err("refused");
    assert_eq!(error.code(), "bad_request");
    let eve = world.try_join("other", "Eve", Grants { room: "*".into(), ..everything() }).expect("joined");
    let offer = OfferText::new("Eve").video("0", "recvonly");
    let answer = world.negotiate(&eve, &offer, &[], &[("0", &tracks["1"])]).expect("answered");
    assert!(answer.subscribe.is_empty() && answer.sdp.contains("a=inactive"));
}

#[test]
fn two_people_call_each_other_without_glare() {
    let mut world = World::new();
    let (mut ada, of_ada) = world.publisher("Ada");
    let (bo, of_bo) = world.publisher("Bo");
    world.told();
    // Each hears of the other's tracks and sends an offer of its own; the node never offers.
    assert_eq!(ada.heard().iter().filter(|n| n.contains("track_published")).count(), 2);
    let wish = [("0", Source::Microphone), ("1", Source::Camera)];
    for (peer, name, tracks) in [(&ada, "Ada", &of_bo), (&bo, "Bo", &of_ada)] {
        let offer = OfferText::new(name).audio("0", "sendonly").video("1", "sendonly").data("2");
        let offer = offer.audio("3", "recvonly").video("4", "recvonly");
        let subscribe = [("3", &tracks["0"]), ("4", &tracks["1"])];
        let answer = world.negotiate(peer, &offer, &wish, &subscribe).expect("answered");
        assert_eq!((answer.publish.len(), answer.subscribe.len()), (2, 2));
    }
    assert_eq!(
        world.told(),
        [
            "add sender 6 leg 0 Audio mid 3 plain",
            "route 4 to 6 111>111 63>63",
            "add sender 7 leg 0 Video mid 4 rtx",
            "route 5 to 7 96>96",
            "key frame 5",
            "add sender 8 leg 3 Audio mid 3 plain",
            "route 1 to 8 111>111 63>63",
            "add sender 9 leg 3 Video mid 4 rtx",
            "route 2 to 9 96>96",
            "key frame 2",
        ]
    );
}
