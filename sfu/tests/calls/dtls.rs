//! Calls whose keys come by DTLS. Two of them stand one behind the other, so that the node shakes hands with itself: once
//! it begins, once it waits.

use kaname_sfu::ng::Dictionary;

use crate::phone::{Phone, media, rtp_address};
use crate::rtp::about;
use crate::support::{Proxy, World, config};

/// A call from the first phone to the second, through two calls with DTLS between them.
async fn chain(
    proxy: &mut Proxy,
    caller: &Phone,
    callee: &Phone,
    middle: impl Fn(Dictionary) -> Dictionary,
) -> (String, String) {
    let offer = about("offer", "near", "a", "").with("sdp", caller.describe("8", &[]));
    let between = proxy.describe(middle(offer.with("transport protocol", "UDP/TLS/RTP/SAVP"))).await;
    assert!(media(&between).dtls.is_some() && media(&between).crypto.is_empty(), "{between}");
    let offer = about("offer", "far", "a", "").with("sdp", between).with("transport protocol", "RTP/AVP");
    let offered = proxy.describe(offer.with("ICE", "remove")).await;
    assert!(media(&offered).dtls.is_none() && media(&offered).ice.is_none(), "{offered}");
    let answer = about("answer", "far", "a", "b").with("sdp", callee.describe("8", &[]));
    let between = proxy.describe(answer).await;
    assert!(media(&between).dtls.is_some(), "{between}");
    let answered = proxy.describe(about("answer", "near", "a", "b").with("sdp", between)).await;
    (answered, offered)
}

#[tokio::test]
async fn keys_by_handshake_carry_voice_both_ways() {
    let world = World::start(config((23_000, 23_099)));
    let mut proxy = world.proxy().await;
    let (mut caller, mut callee) = (Phone::new("127.0.0.1", 1).await, Phone::new("127.0.0.1", 2).await);
    let (answered, offered) = chain(&mut proxy, &caller, &callee, |offer| offer).await;
    let heard = caller.say_until_heard(rtp_address(&answered), &callee, 8, b"by handshake").await;
    assert_eq!(heard.payload, b"by handshake");
    let heard = callee.say_until_heard(rtp_address(&offered), &caller, 8, b"and back").await;
    assert_eq!(heard.payload, b"and back");
    // A stranger's record on the port between the two is nobody's end.
    let records = [22u8, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let reply = proxy.ask(about("query", "far", "", "")).await;
    assert!(reply.get("tags").is_some());
    for port in 23_000..23_010 {
        caller.rtp.send_to(&records, ("127.0.0.1", port)).await.unwrap();
    }
    let heard = caller.say_until_heard(rtp_address(&answered), &callee, 8, b"still").await;
    assert!(heard.payload == b"still" || heard.payload == b"by handshake");
    assert!(world.calls.counters().await.commands_failed_total.is_empty());
}

#[tokio::test]
async fn roles_are_taken_as_flags_say() {
    let world = World::start(config((23_100, 23_199)));
    let mut proxy = world.proxy().await;
    let caller = Phone::new("127.0.0.1", 1).await;
    for (mode, setup) in [("passive", "passive"), ("active", "active"), ("", "actpass")] {
        let offer = about("offer", &format!("c{setup}"), "a", "").with("sdp", caller.describe("8", &[]));
        let mut offer = offer.with("transport protocol", "UDP/TLS/RTP/SAVPF").with("ICE", "force");
        if !mode.is_empty() {
            offer = offer.with("DTLS", mode);
        }
        let offered = proxy.describe(offer).await;
        assert!(offered.contains(&format!("a=setup:{setup}")), "{offered}");
        let ice = media(&offered).ice.expect("ICE is forced");
        assert!(offered.contains("a=ice-lite") && !ice.candidates.is_empty(), "{offered}");
        assert!(offered.contains("a=rtcp-mux"), "{offered}");
    }
}
