//! Publishing and what a second offer changes.

use super::fake::OfferText;
use super::*;

const FIRST: [(&str, Source); 2] = [("0", Source::Microphone), ("1", Source::Camera)];

#[test]
fn joining_tells_the_others() {
    let mut world = World::new();
    let mut ada = world.join("Ada");
    let request = JoinRequest {
        room: "lobby".into(),
        identity: None,
        name: "Bo".into(),
        grants: everything(),
        news: true,
    };
    let bo = world.state.join(world.now, request).expect("joined");
    assert_eq!(bo.room.peers.iter().map(|p| p.name.as_str()).collect::<Vec<_>>(), ["Ada"]);
    let id = &bo.peer.id;
    assert!(id.as_str().starts_with("p_"));
    let joined = format!(r#"{{"type":"peer_joined","peer":{{"id":"{id}","name":"Bo","tracks":[]}}}}"#);
    assert_eq!(ada.heard(), [joined]);
    assert_eq!(world.told(), Vec::<String>::new(), "a shard hears of a peer with its first offer");
}

#[test]
fn publishing_makes_a_leg_and_streams() {
    let mut world = World::new();
    let (ada, mut bo) = (world.join("Ada"), world.join("Bo"));
    bo.heard();
    let offer = OfferText::new("Ada").audio("0", "sendonly").video("1", "sendonly").data("2");
    let answer = world.negotiate(&ada, &offer, &FIRST, &[]).expect("answered");
    assert_eq!(
        world.told(),
        [
            "add leg 0 for Adaufrag",
            "secure leg 0 with data 262144",
            "add stream 1 leg 0 Audio mid 0 ssrc 1000 Opus 111 Red 63",
            "add stream 2 leg 0 Video mid 1 ssrc 1010 Vp8 96/97",
        ]
    );
    let (sound, picture) = (&answer.publish["0"], &answer.publish["1"]);
    let notice = |track, kind, source, codec| {
        format!(
            r#"{{"type":"track_published","peer":"{}","track":{{"id":"{track}","kind":"{kind}","source":"{source}","muted":false,"codec":"{codec}"}}}}"#,
            ada.id
        )
    };
    assert_eq!(
        bo.heard(),
        [notice(sound, "audio", "microphone", "opus"), notice(picture, "video", "camera", "VP8")]
    );
    assert!(answer.sdp.contains("a=recvonly") && answer.sdp.contains("typ host tcptype passive"));
    assert!(answer.subscribe.is_empty());
}

#[test]
fn the_same_wish_again_changes_nothing() {
    let mut world = World::new();
    let (ada, mut bo) = (world.join("Ada"), world.join("Bo"));
    let offer = OfferText::new("Ada").audio("0", "sendonly").video("1", "sendonly");
    let first = world.negotiate(&ada, &offer, &FIRST, &[]).expect("answered");
    world.told();
    bo.heard();
    let second = world.negotiate(&ada, &offer, &FIRST, &[]).expect("answered");
    assert_eq!(first.publish, second.publish);
    assert_eq!(world.told(), Vec::<String>::new());
    assert_eq!(bo.heard(), Vec::<String>::new());
    // Only the version of the description moves.
    assert_eq!(first.sdp.lines().zip(second.sdp.lines()).filter(|(a, b)| a != b).count(), 1);
}

#[test]
fn unpublishing_and_using_the_m_line_again() {
    let mut world = World::new();
    let (ada, mut bo) = (world.join("Ada"), world.join("Bo"));
    let offer = OfferText::new("Ada").audio("0", "sendonly").video("1", "sendonly");
    let first = world.negotiate(&ada, &offer, &FIRST, &[]).expect("answered");
    world.told();
    bo.heard();

    let paused = OfferText::new("Ada").audio("0", "sendonly").video("1", "inactive");
    let answer = world.negotiate(&ada, &paused, &FIRST[..1], &[]).expect("answered");
    assert_eq!(world.told(), ["remove stream 2"]);
    let gone =
        format!(r#"{{"type":"track_unpublished","peer":"{}","track":"{}"}}"#, ada.id, first.publish["1"]);
    assert_eq!(bo.heard(), [gone]);
    assert!(answer.sdp.contains("a=inactive") && !answer.sdp.contains("m=video 0"));

    let again = world.negotiate(&ada, &offer, &[FIRST[0], ("1", Source::Screen)], &[]).expect("answered");
    assert_eq!(world.told(), ["add stream 3 leg 0 Video mid 1 ssrc 1010 Vp8 96/97"]);
    assert_eq!(again.publish["0"], first.publish["0"]);
    assert_ne!(again.publish["1"], first.publish["1"]);
    assert!(bo.heard()[0].contains(r#""source":"screen""#));
}

#[test]
fn another_codec_is_another_track() {
    let mut world = World::new();
    let ada = world.join("Ada");
    let wish = [("0", Source::Camera)];
    let first =
        world.negotiate(&ada, &OfferText::new("Ada").video("0", "sendonly"), &wish, &[]).expect("answered");
    world.told();
    let av1 = OfferText::new("Ada").codec(45, "AV1/90000").video("0", "sendonly");
    let second = world.negotiate(&ada, &av1, &wish, &[]).expect("answered");
    assert_eq!(world.told(), ["remove stream 1", "add stream 2 leg 0 Video mid 0 ssrc 1000 Av1 45/46"]);
    assert_ne!(first.publish, second.publish);
}

#[test]
fn a_new_ufrag_restarts_ice() {
    let mut world = World::new();
    let ada = world.join("Ada");
    let mut offer = OfferText::new("Ada").audio("0", "sendonly");
    let ufrag = |answer: &Answer| {
        let line = answer.sdp.lines().find(|l| l.starts_with("a=ice-ufrag:"));
        line.expect("credentials").to_owned()
    };
    let first = world.negotiate(&ada, &offer, &FIRST[..1], &[]).expect("answered");
    world.told();
    offer.ufrag = "other".into();
    let second = world.negotiate(&ada, &offer, &FIRST[..1], &[]).expect("answered");
    assert_eq!(world.told(), ["restart leg 0 for other"]);
    assert_ne!(ufrag(&first), ufrag(&second), "both sides get new credentials");
    let third = world.negotiate(&ada, &offer, &FIRST[..1], &[]).expect("answered");
    assert_eq!(world.told(), Vec::<String>::new());
    assert_eq!(ufrag(&second), ufrag(&third));
}

#[test]
fn new_header_extensions_are_told() {
    let mut world = World::new();
    let ada = world.join("Ada");
    let one = OfferText::new("Ada").audio("0", "sendonly");
    world.negotiate(&ada, &one, &FIRST[..1], &[]).expect("answered");
    world.told();
    let two = one.simulcast("1", &["h", "l"]);
    world.negotiate(&ada, &two, &FIRST, &[]).expect("answered");
    assert_eq!(
        world.told(),
        [
            "extensions leg 0 mid Some(4) rid Some(10)",
            "add stream 2 leg 0 Video mid 1 rid h Vp8 96/97",
            "add stream 3 leg 0 Video mid 1 rid l Vp8 96/97",
        ]
    );
}

#[test]
fn another_certificate_or_fewer_m_lines_are_refused_and_change_nothing() {
    let mut world = World::new();
    let ada = world.join("Ada");
    let offer = OfferText::new("Ada").audio("0", "sendonly").video("1", "sendonly");
    world.negotiate(&ada, &offer, &FIRST, &[]).expect("answered");
    world.told();
    let mut foreign = offer.clone();
    foreign.fingerprint = OfferText::new("somebody").fingerprint;
    let error = world.negotiate(&ada, &foreign, &FIRST, &[]).expect_err("refused");
    assert!(error.to_string().contains("fingerprint"), "{error}");
    let fewer = OfferText::new("Ada").audio("0", "sendonly");
    let error = world.negotiate(&ada, &fewer, &FIRST[..1], &[]).expect_err("refused");
    assert_eq!((error.code(), error.status()), ("bad_sdp", 400));
    assert_eq!(world.told(), Vec::<String>::new());
    assert_eq!(world.state.peers[&ada.id].tracks.len(), 2);
}

#[test]
fn wishes_that_do_not_fit_the_offer() {
    let mut world = World::new();
    let (ada, bo) = (world.join("Ada"), world.publisher("Bo"));
    let offer = OfferText::new("Ada").audio("0", "sendonly").video("1", "recvonly").data("2");
    let (sound, picture) = (&bo.1["0"], &bo.1["1"]);
    world.told();
    for (publish, subscribe, part) in [
        (vec![("7", Source::Camera)], vec![], "no such m-line"),
        (vec![("1", Source::Camera)], vec![], "does not send"),
        (vec![("2", Source::Camera)], vec![], "neither audio nor video"),
        (vec![], vec![("0", picture)], "does not receive"),
        (vec![], vec![("1", sound)], "it is audio and the track is video"),
        (vec![("1", Source::Camera)], vec![("1", picture)], "one m-line for each"),
    ] {
        let error = world.negotiate(&ada, &offer, &publish, &subscribe).expect_err("refused");
        assert_eq!(error.code(), "bad_request");
        assert!(error.to_string().contains(part), "{error}");
    }
    assert_eq!(world.told(), Vec::<String>::new());
    assert!(world.state.peers[&ada.id].leg.is_none());
}

#[test]
fn what_the_token_does_not_allow() {
    let mut world = World::new();
    let bo = world.publisher("Bo");
    let nothing = Grants { room: "*".into(), join: true, ..Grants::default() };
    let ada = world.try_join("lobby", "Ada", nothing).expect("joined");
    let offer = OfferText::new("Ada").audio("0", "sendrecv");
    let publish = world.negotiate(&ada, &offer, &FIRST[..1], &[]).expect_err("refused");
    let subscribe = world.negotiate(&ada, &offer, &[], &[("0", &bo.1["0"])]).expect_err("refused");
    let data = world.negotiate(&ada, &OfferText::new("Ada").data("0"), &[], &[]).expect_err("refused");
    for (error, action) in [(publish, "publish"), (subscribe, "subscribe"), (data, "use data channels")] {
        assert_eq!(error, NodeError::Forbidden { action });
        assert_eq!(error.status(), 403);
    }
    let answer = world.negotiate(&ada, &offer.data("1"), &[], &[]).expect("answered");
    assert!(answer.sdp.contains("m=application 0 ") && answer.sdp.contains("a=inactive"));

    for grants in [Grants { room: "other".into(), ..everything() }, Grants { join: false, ..everything() }] {
        let error = world.try_join("lobby", "Eve", grants).err().expect("refused");
        assert_eq!(error.code(), "forbidden");
    }
}

#[test]
fn one_ssrc_for_two_m_lines() {
    let mut world = World::new();
    let ada = world.join("Ada");
    let text = OfferText::new("Ada").audio("0", "sendonly").video("1", "sendonly").text();
    let sdp = text.replace("FID 1010", "FID 1000").replace("ssrc:1010", "ssrc:1000");
    let publish = FIRST.map(|(mid, source)| (mid.to_owned(), source)).into();
    let wish = Negotiation { sdp, publish, ..Negotiation::default() };
    let error = world.state.negotiate(world.now, &ada.id, Wish::read(wish)).expect_err("refused");
    assert!(error.to_string().contains("SSRC \"1000\" is used twice"), "{error}");
}

#[test]
fn a_data_m_line_that_comes_later_is_told_to_the_workers() {
    let mut world = World::new();
    let ada = world.join("Ada");
    let offer = OfferText::new("Ada").audio("0", "sendonly");
    world.negotiate(&ada, &offer, &FIRST[..1], &[]).expect("answered");
    world.told();
    let answer = world.negotiate(&ada, &offer.data("1"), &FIRST[..1], &[]).expect("answered");
    assert_eq!(world.told(), ["secure leg 0 with data 262144"]);
    assert!(answer.sdp.contains("m=application 9 ") && answer.sdp.contains("a=max-message-size:65536"));
}
