//! WHIP and WHEP: offers without a wish of their own.

use super::fake::OfferText;
use super::*;

const OBS: &str = include_str!("../../../tests/fixtures/offers/obs-whip.sdp");

#[test]
fn obs_publishes_and_a_player_watches() {
    let mut world = World::new();
    let obs = world.join("OBS");
    let answer = world.state.ingest(world.now, &obs.id, Offer::parse(OBS)).expect("answered");
    assert_eq!(
        world.told(),
        [
            "add leg 0 for jBua",
            "secure leg 0 with data 65536",
            "add stream 1 leg 0 Audio mid 0 ssrc 1008461405 Opus 111",
            "add stream 2 leg 0 Video mid 1 ssrc 1008461406 H264 96",
        ]
    );
    assert_eq!(answer.publish.len(), 2);
    let player = world.join("Player");
    let sdp = include_str!("../../../tests/fixtures/offers/chromium-subscribe.sdp");
    let watched =
        world.state.watch(world.now, &player.id, Offer::parse(sdp), &Choice::Any).expect("answered");
    assert_eq!(watched.subscribe, answer.publish);
    let told = world.told();
    assert!(told.contains(&"route 2 to 5 96>108".to_owned()), "H264 of the same profile: {told:?}");

    // Watching again (an ICE restart, say) keeps the tracks.
    let again = world.state.watch(world.now, &player.id, Offer::parse(sdp), &Choice::Any).expect("answered");
    assert_eq!(again.subscribe, watched.subscribe);
    assert_eq!(world.told(), Vec::<String>::new());
}

#[test]
fn watching_what_is_not_there() {
    let mut world = World::new();
    let player = world.join("Player");
    let offer = OfferText::new("Player").audio("0", "recvonly").video("1", "recvonly");
    let watch = |world: &mut World, text: &str| {
        world.state.watch(world.now, &player.id, Offer::parse(text), &Choice::Any)
    };
    assert_eq!(watch(&mut world, &offer.text()), Err(NodeError::NothingPublished));
    let sends = OfferText::new("Player").audio("0", "sendonly");
    assert_eq!(watch(&mut world, &sends.text()).map_err(|e| e.code()), Err("bad_request"));
    let ada = world.join("Ada");
    let video = OfferText::new("Ada").video("0", "sendonly");
    world.negotiate(&ada, &video, &[("0", Source::Camera)], &[]).expect("answered");
    let only_av1 = OfferText::new("Player").codec(45, "AV1/90000").video("0", "recvonly");
    assert_eq!(watch(&mut world, &only_av1.text()).map_err(|e| e.code()), Err("codec_unsupported"));
    // There is no sound, so that m-line rests.
    let answer = watch(&mut world, &offer.text()).expect("answered");
    assert_eq!(answer.subscribe.keys().collect::<Vec<_>>(), ["1"]);
}

#[test]
fn a_viewer_chooses_a_peer_or_a_track() {
    let mut world = World::new();
    let (_ada, adas) = world.publisher("Ada");
    let (bo, bos) = world.publisher("Bo");
    let silent = world.listener("Cy");
    let elsewhere = world.try_join("other", "Di", Grants { room: "other".into(), ..everything() });
    let elsewhere = elsewhere.expect("joined");
    let camera = OfferText::new("Di").video("0", "sendonly");
    let theirs = world.negotiate(&elsewhere, &camera, &[("0", Source::Camera)], &[]).expect("answered");
    let player = world.join("Player");
    let both = OfferText::new("Player").audio("0", "recvonly").video("1", "recvonly").text();
    let mut watch = |text: &str, choice: Choice| {
        let offer = Offer::parse(text);
        world.state.watch(world.now, &player.id, offer, &choice).map(|answer| answer.subscribe)
    };
    assert_eq!(watch(&both, Choice::Peer(bo.id.clone())), Ok(bos.clone()));
    // Nobody chosen: what is watched stays. Somebody else chosen: it changes.
    assert_eq!(watch(&both, Choice::Any), Ok(bos.clone()));
    let picture = BTreeMap::from([("1".to_owned(), adas["1"].clone())]);
    assert_eq!(watch(&both, Choice::Track(adas["1"].clone())), Ok(picture));

    assert_eq!(watch(&both, Choice::Peer(PeerId::new("p_none"))), Err(NodeError::NoSuchPeer));
    assert_eq!(watch(&both, Choice::Peer(elsewhere.id.clone())), Err(NodeError::NoSuchPeer));
    assert_eq!(watch(&both, Choice::Peer(silent.id.clone())), Err(NodeError::NothingPublished));
    assert_eq!(watch(&both, Choice::Track(TrackId::new("t_none"))), Err(NodeError::NoSuchTrack));
    assert_eq!(watch(&both, Choice::Track(theirs.publish["0"].clone())), Err(NodeError::NoSuchTrack));
    let only_sound = OfferText::new("Player").audio("0", "recvonly").text();
    let wrong_kind = watch(&only_sound, Choice::Track(bos["1"].clone())).map_err(|e| e.code());
    assert_eq!(wrong_kind, Err("bad_request"));
}

#[test]
fn an_offer_that_sends_nothing_is_no_ingest() {
    let mut world = World::new();
    let ada = world.join("Ada");
    let offer = OfferText::new("Ada").video("0", "recvonly").data("1");
    let error = world.state.ingest(world.now, &ada.id, Offer::parse(&offer.text())).expect_err("refused");
    assert_eq!((error.code(), error.status()), ("bad_request", 400));
    let error = world.state.ingest(world.now, &ada.id, Offer::parse("not SDP")).expect_err("refused");
    assert_eq!((error.code(), error.status()), ("bad_sdp", 400));
}

#[test]
fn fragments_restart_ice() {
    let mut world = World::new();
    let obs = world.join("OBS");
    let old = "a=ice-ufrag:jBua\r\na=ice-pwd:sGroYRYWvR7JHCNhKgRLQz\r\n";
    assert_eq!(world.state.fragment(&obs.id, old), Err(NodeError::NotNegotiated));
    world.state.ingest(world.now, &obs.id, Offer::parse(OBS)).expect("answered");
    world.told();
    assert_eq!(world.state.fragment(&obs.id, old), Ok(FragmentReply::Accepted));
    assert_eq!(world.state.fragment(&obs.id, "a=end-of-candidates\r\n"), Ok(FragmentReply::Accepted));
    assert_eq!(world.told(), Vec::<String>::new());
    let new = "a=ice-ufrag:other\r\na=ice-pwd:0123456789abcdefghijkl\r\n";
    let Ok(FragmentReply::Restarted(reply)) = world.state.fragment(&obs.id, new) else { panic!("restarted") };
    assert_eq!(world.told(), ["restart leg 0 for other"]);
    let leg = world.state.peers[&obs.id].leg.as_ref().expect("a leg");
    assert!(reply.starts_with("a=ice-lite\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n"), "{reply}");
    assert!(reply.contains(&format!("a=ice-ufrag:{}\r\n", leg.local.ufrag)) && reply.contains("typ host"));
}
