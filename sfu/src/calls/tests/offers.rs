use std::sync::atomic::Ordering;

use super::fake::{Bench, about, config, sdp};
use crate::ng::{Dictionary, Value};

fn list(words: &[&str]) -> Value {
    Value::List(words.iter().map(|word| Value::from(*word)).collect())
}

#[test]
fn an_offer_only_opens_ports_and_its_answer_tells_the_rest() {
    let mut bench = Bench::new(config());
    let offer = sdp("203.0.113.1", 4_000, "RTP/AVP 8 101", "");
    let request = about("offer", "c", "a", "").with("direction", list(&["in", "out"])).with("sdp", offer);
    let offered = bench.describe(request);
    assert!(offered.contains("c=IN IP4 198.51.100.1"), "what is advertised: {offered}");
    let told = bench.told();
    assert!(told.len() == 2 && told.iter().all(|line| line.starts_with("open 10.0.0.1:30")), "{told:?}");
    let answer = sdp("203.0.113.2", 5_000, "RTP/AVP 8 101", "");
    let answered = bench.describe(about("answer", "c", "a", "b").with("sdp", answer));
    assert!(answered.contains("c=IN IP4 192.0.2.1"), "{answered}");
    let told = bench.told();
    assert!(told[0].starts_with("open 192.0.2.1:30") && told[1].starts_with("open 192.0.2.1:30"));
    assert_eq!(
        told[2..],
        [
            "add leg 0 to 203.0.113.1:4000",
            "plain leg 0",
            "stream 1 8 101",
            "sender 2",
            "add leg 3 to 203.0.113.2:5000",
            "plain leg 3",
            "stream 4 8 101",
            "sender 5",
            "route 4 to 2 8>8 101>101",
            "route 1 to 5 8>8 101>101",
        ]
    );
}

#[test]
fn an_answer_that_comes_again_says_the_same_and_only_opens_the_window_anew() {
    let mut bench = Bench::new(config());
    bench.call("c");
    bench.told();
    let answer =
        || about("answer", "c", "a", "b").with("sdp", sdp("203.0.113.2", 5_000, "RTP/AVP 8 101", ""));
    let (first, second) = (bench.describe(answer()), bench.describe(answer()));
    assert_eq!(first, second);
    let told = bench.told();
    assert_eq!(told.len(), 4, "{told:?}");
    assert!(told.iter().all(|line| line.starts_with("remote leg")), "{told:?}");
}

#[test]
fn hold_and_resume_only_change_routes() {
    let mut bench = Bench::new(config());
    bench.call("c");
    bench.told();
    let mut exchange = |ours: &str, theirs: &str| {
        let offer = sdp("203.0.113.1", 4_000, "RTP/AVP 8 101", ours);
        bench.describe(about("offer", "c", "a", "b").with("sdp", offer));
        let answer = sdp("203.0.113.2", 5_000, "RTP/AVP 8 101", theirs);
        let answered = bench.describe(about("answer", "c", "a", "b").with("sdp", answer));
        (answered, bench.told().into_iter().filter(|line| !line.starts_with("remote")).collect::<Vec<_>>())
    };
    let (answered, told) = exchange("a=sendonly\r\n", "a=recvonly\r\n");
    assert!(answered.contains("a=recvonly"));
    assert_eq!(told, ["unroute 2"], "who holds hears nothing");
    let (_, told) = exchange("a=inactive\r\n", "a=inactive\r\n");
    assert_eq!(told, ["unroute 5"]);
    let (_, told) = exchange("", "");
    assert_eq!(told, ["route 4 to 2 8>8 101>101", "route 1 to 5 8>8 101>101"]);
}

#[test]
fn an_answer_that_changes_codecs_makes_new_streams_and_keeps_senders() {
    let mut bench = Bench::new(config());
    bench.call("c");
    bench.told();
    bench.describe(about("offer", "c", "a", "b").with("sdp", sdp("203.0.113.1", 4_000, "RTP/AVP 0 8", "")));
    bench.describe(about("answer", "c", "a", "b").with("sdp", sdp("203.0.113.2", 5_000, "RTP/AVP 0", "")));
    let told: Vec<String> = bench.told().into_iter().filter(|line| !line.starts_with("remote leg")).collect();
    assert_eq!(told.iter().filter(|line| line.starts_with("remove stream")).count(), 2, "{told:?}");
    assert_eq!(told.iter().filter(|line| line.starts_with("stream")).count(), 2, "{told:?}");
    assert!(told.iter().all(|line| !line.starts_with("sender") && !line.contains("leg")), "{told:?}");
    let routes: Vec<&String> = told.iter().filter(|line| line.starts_with("route")).collect();
    assert!(routes.len() == 2 && routes.iter().all(|line| line.contains("0>0")), "{told:?}");
}

#[test]
fn a_codec_that_is_only_on_one_side_is_transcoded() {
    let mut bench = Bench::new(config());
    let codec = Dictionary::new().with("mask", list(&["all"])).with("transcode", list(&["opus"]));
    let offer = about("offer", "c", "a", "").with("codec", codec);
    let offered = bench.describe(offer.with("sdp", sdp("203.0.113.1", 4_000, "RTP/AVP 8 101", "")));
    assert!(offered.contains("opus/48000/2") && !offered.contains("RTP/AVP 8"), "{offered}");
    let number = crate::ng::sdp::SessionText::parse(&offered).unwrap().medias()[0].formats[0].payload_type;
    let answer = sdp(
        "203.0.113.2",
        5_000,
        &format!("RTP/AVP {number}"),
        &format!("a=rtpmap:{number} opus/48000/2\r\n"),
    );
    bench.describe(about("answer", "c", "a", "b").with("sdp", answer));
    let told = bench.told();
    for wanted in ["transcode to Pcma", "transcode to Opus"] {
        assert_eq!(told.iter().filter(|line| line.starts_with(wanted)).count(), 1, "{told:?}");
    }
    assert_eq!(told.iter().filter(|line| line.starts_with("export")).count(), 2);
    assert_eq!(bench.state.counters().transcoded, 2);
    // Ended, nothing is left.
    bench.ask(about("delete", "c", "a", "b"));
    let told = bench.told();
    assert_eq!(told.iter().filter(|line| *line == "remove worker's").count(), 2, "{told:?}");
    assert_eq!(told.iter().filter(|line| line.starts_with("close")).count(), 4);
    assert_eq!(bench.state.tools.ids.in_use(), 0);
    assert!(bench.state.owners.is_empty() && bench.state.questions.is_empty());
}

#[test]
fn keys_are_taken_from_either_kind_of_description() {
    let mut bench = Bench::new(config());
    let key = "inline:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let crypto = format!("a=crypto:3 AES_CM_128_HMAC_SHA1_80 {key}\r\n");
    let offer = about("offer", "c", "a", "").with("transport protocol", "UDP/TLS/RTP/SAVPF");
    bench.describe(offer.with("sdp", sdp("203.0.113.1", 4_000, "RTP/SAVP 8", &crypto)));
    let fingerprint = ["CD"; 32].join(":");
    let dtls = format!("a=fingerprint:sha-256 {fingerprint}\r\na=setup:active\r\na=rtcp-mux\r\n");
    let answer = sdp("203.0.113.2", 5_000, "UDP/TLS/RTP/SAVPF 8", &dtls);
    let answered = bench.describe(about("answer", "c", "a", "b").with("sdp", answer));
    assert!(answered.contains("m=audio") && answered.contains("RTP/SAVP 8"), "{answered}");
    assert!(answered.contains("a=crypto:3 AES_CM_128_HMAC_SHA1_80"), "{answered}");
    let told = bench.told();
    assert!(told.contains(&"keys leg 0 Aes128CmSha1_80 Aes128CmSha1_80".to_owned()), "{told:?}");
    assert!(told.contains(&"secure leg 3 Passive".to_owned()), "{told:?}");
    assert!(told.contains(&"add leg 3 to 203.0.113.2:5000 mux".to_owned()), "{told:?}");
}

#[test]
fn with_dtls_rtcp_has_a_handshake_of_its_own_where_it_has_a_port_and_keeps_it() {
    let ice = "a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\na=candidate:1 1 UDP 1 203.0.113.2 5000 typ host\r\n";
    for (lines, flag, wanted) in [
        ("", "remove", ["add leg 3 to 203.0.113.2:5000", "secure leg 3 Passive, RTCP apart"]),
        ("a=rtcp-mux\r\n", "remove", ["add leg 3 to 203.0.113.2:5000 mux", "secure leg 3 Passive"]),
        (ice, "force", ["add leg 3 to 203.0.113.2:5000 mux ice", "secure leg 3 Passive"]),
    ] {
        let mut bench = Bench::new(config());
        let offer = || {
            let offer = about("offer", "c", "a", "").with("transport protocol", "UDP/TLS/RTP/SAVP");
            offer.with("ICE", flag).with("sdp", sdp("203.0.113.1", 4_000, "RTP/AVP 8", ""))
        };
        let offered = bench.describe(offer());
        assert!(offered.contains("a=rtcp-mux") && offered.contains("a=rtcp:"), "{offered}");
        let fingerprint = ["CD"; 32].join(":");
        let dtls = format!("a=fingerprint:sha-256 {fingerprint}\r\na=setup:active\r\n");
        let answer = |lines: &str| {
            let lines = format!("{dtls}{lines}");
            let answer = sdp("203.0.113.2", 5_000, "UDP/TLS/RTP/SAVP 8", &lines);
            about("answer", "c", "a", "b").with("sdp", answer)
        };
        bench.describe(answer(lines));
        let told = bench.told();
        for line in wanted {
            assert!(told.contains(&line.to_owned()), "{told:?}");
        }
        // Whatever it says later: on other ports nobody would begin a handshake.
        for lines in
            ["a=rtcp-mux\r\n", ""].map(|mux| format!("{mux}{}", if flag == "force" { ice } else { "" }))
        {
            bench.describe(offer());
            bench.describe(answer(&lines));
            let told = bench.told();
            let of_leg = |line: &&String| line.contains("leg 3") && !line.starts_with("remote");
            assert_eq!(told.iter().filter(of_leg).count(), 0, "{told:?}");
        }
    }
}

#[test]
fn ice_is_answered_and_offered_as_flags_say() {
    let mut bench = Bench::new(config());
    let ice = "a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\na=candidate:1 1 UDP 1 203.0.113.1 4000 typ host\r\n";
    let offer = about("offer", "c", "a", "").with("ICE", "remove");
    let offered = bench.describe(offer.with("sdp", sdp("203.0.113.1", 4_000, "RTP/AVP 8", ice)));
    assert!(!offered.contains("ice-ufrag") && !offered.contains("candidate"), "{offered}");
    let answer = sdp("203.0.113.2", 5_000, "RTP/AVP 8", "");
    let answered = bench.describe(about("answer", "c", "a", "b").with("sdp", answer));
    assert!(answered.contains("a=ice-lite") && answered.contains("a=candidate:1 1 UDP"), "{answered}");
    let told = bench.told();
    assert!(told.iter().any(|line| line.starts_with("add leg 0") && line.ends_with(" ice")), "{told:?}");
    assert!(told.iter().any(|line| line.starts_with("add leg 3") && !line.ends_with(" ice")), "{told:?}");
}

#[test]
fn lines_that_are_not_ours_pass_and_refused_ones_end() {
    let mut bench = Bench::new(config());
    let text = "m=message 6000 TCP/MSRP *\r\nm=audio 7000 RTP/AVP 0\r\n";
    let offered = sdp("203.0.113.1", 4_000, "RTP/AVP 8", text);
    let offered = bench.describe(about("offer", "c", "a", "").with("sdp", offered));
    assert!(offered.contains("m=message 6000 TCP/MSRP *"), "{offered}");
    let refused = "m=message 0 TCP/MSRP *\r\nm=audio 0 RTP/AVP 0\r\n";
    let answer = sdp("203.0.113.2", 5_000, "RTP/AVP 8", refused);
    let answered = bench.describe(about("answer", "c", "a", "b").with("sdp", answer));
    assert!(answered.contains("m=audio 0 RTP/AVP 0"), "{answered}");
    assert_eq!(bench.told().iter().filter(|line| line.starts_with("add leg")).count(), 2);
}

#[test]
fn the_family_that_is_asked_for_is_used() {
    let mut bench = Bench::new(config());
    let offer =
        about("offer", "c", "a", "").with("direction", list(&["in", "in"])).with("address family", "IP6");
    let offered = bench.describe(offer.with("sdp", sdp("203.0.113.1", 4_000, "RTP/AVP 8", "")));
    assert!(offered.contains("c=IN IP6 2001:db8::1"), "{offered}");
    let answer = sdp("2001:db8::99", 5_000, "RTP/AVP 8", "");
    let answered = bench.describe(about("answer", "c", "a", "b").with("sdp", answer));
    assert!(answered.contains("c=IN IP4 192.0.2.1"), "{answered}");
}

#[test]
fn what_a_full_queue_refuses_is_told_later_in_order() {
    let mut bench = Bench::new(config());
    bench.engine.full.store(true, Ordering::Relaxed);
    bench.call("c");
    assert!(bench.told().iter().all(|line| line.starts_with("open")));
    assert!(bench.state.has_backlog());
    bench.engine.full.store(false, Ordering::Relaxed);
    bench.state.flush();
    let told = bench.told();
    assert!(told[0].starts_with("add leg 0") && told.len() == 10, "{told:?}");
    assert!(!bench.state.has_backlog());
}

#[test]
fn names_that_are_too_long_are_refused() {
    let mut bench = Bench::new(config());
    let long = "x".repeat(600);
    let reply =
        bench.ask(about("offer", &long, "a", "").with("sdp", sdp("203.0.113.1", 4_000, "RTP/AVP 8", "")));
    assert!(reply.text("error-reason").unwrap().contains("call-id"), "{reply:?}");
    assert_eq!(bench.state.counters().calls, 0);
    assert!(bench.told().is_empty());
}
