//! T.38 through ports of our own.

use super::fake::{Bench, about, config, sdp};

/// A description of a fax alone.
fn fax(ip: &str, port: u16, more: &str) -> String {
    let lines = "a=T38FaxVersion:0\r\na=T38MaxBitRate:14400\r\na=T38FaxUdpEC:t38UDPRedundancy\r\n";
    format!(
        "v=0\r\no=- 2 2 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=image {port} udptl t38\r\n{lines}{more}"
    )
}

fn exchange(bench: &mut Bench, offer: String, answer: String) -> (String, String, Vec<String>) {
    let offered = bench.describe(about("offer", "c", "a", "b").with("sdp", offer));
    let answered = bench.describe(about("answer", "c", "a", "b").with("sdp", answer));
    (offered, answered, bench.told())
}

#[test]
fn a_call_becomes_a_fax_and_a_call_again() {
    let mut bench = Bench::new(config());
    bench.call("c");
    bench.told();
    let (offered, answered, told) =
        exchange(&mut bench, fax("203.0.113.1", 4_002, ""), fax("203.0.113.2", 5_002, ""));
    for text in [&offered, &answered] {
        assert!(text.contains("c=IN IP4 192.0.2.1\r\n") && text.contains("m=image 30"), "{text}");
        assert!(text.contains("udptl t38\r\na=T38FaxVersion:0\r\na=T38MaxBitRate:14400\r\n"), "{text}");
        assert!(!text.contains("rtcp") && !text.contains("rtpmap"), "{text}");
    }
    // On the ports of the voice, legs that carry no RTP take the place of those that did.
    let told: Vec<&str> = told.iter().map(String::as_str).collect();
    assert!(!told.iter().any(|line| line.starts_with("open") || line.starts_with("close")), "{told:?}");
    assert_eq!(told.iter().filter(|line| line.starts_with("remove leg")).count(), 2, "{told:?}");
    let legs: Vec<&&str> = told.iter().filter(|line| line.starts_with("add leg")).collect();
    assert!(legs.len() == 2 && legs[0].ends_with("to 203.0.113.1:4002 mux"), "{legs:?}");
    assert_eq!(
        told.iter().filter(|line| line.ends_with("to nobody") && line.starts_with("bridge")).count(),
        2
    );
    let bridges: Vec<&&str> =
        told.iter().filter(|line| line.starts_with("bridge") && !line.ends_with("nobody")).collect();
    assert_eq!(bridges.len(), 2, "one each way: {told:?}");
    assert!(!told.iter().any(|line| line.starts_with("stream") || line.starts_with("sender")), "{told:?}");
    // The same again changes nothing but the windows.
    let (_, _, told) = exchange(&mut bench, fax("203.0.113.1", 4_002, ""), fax("203.0.113.2", 5_002, ""));
    assert!(told.iter().all(|line| line.starts_with("remote leg")), "{told:?}");
    let voice = |ip: &str, port| sdp(ip, port, "RTP/AVP 8 101", "");
    let (_, _, told) = exchange(&mut bench, voice("203.0.113.1", 4_000), voice("203.0.113.2", 5_000));
    assert_eq!(told.iter().filter(|line| line.starts_with("route")).count(), 2, "{told:?}");
    bench.ask(about("delete", "c", "a", "b"));
    assert_eq!(bench.state.tools.ids.in_use(), 0);
}

#[test]
fn a_fax_that_is_refused_leaves_the_call_as_it_was() {
    let mut bench = Bench::new(config());
    bench.call("c");
    bench.told();
    bench.describe(about("offer", "c", "a", "b").with("sdp", fax("203.0.113.1", 4_002, "")));
    assert!(bench.told().is_empty(), "an offer changes nothing");
    // 488 to that, and voice goes on; or an answer with port zero ends the m-line.
    let (_, answered, told) = exchange(&mut bench, fax("203.0.113.1", 4_002, ""), fax("203.0.113.2", 0, ""));
    assert!(answered.contains("m=image 0 udptl t38"), "{answered}");
    assert_eq!(told.iter().filter(|line| line.starts_with("remove leg")).count(), 2, "{told:?}");
    assert!(!told.iter().any(|line| line.starts_with("bridge")), "{told:?}");
}

#[test]
fn a_fax_beside_voice_has_ports_of_its_own_and_keeps_the_call_alive() {
    let mut bench = Bench::new(config());
    let both = |ip: &str| sdp(ip, 4_000, "RTP/AVP 8", "m=image 6000 UDPTL t38\r\n");
    let (offered, _, told) = exchange(&mut bench, both("203.0.113.1"), both("203.0.113.2"));
    let ports: Vec<&str> =
        offered.lines().filter_map(|line| line.strip_prefix("m=")?.split(' ').nth(1)).collect();
    assert!(ports.len() == 2 && ports[0] != ports[1], "{offered}");
    assert_eq!(told.iter().filter(|line| line.starts_with("add leg")).count(), 4, "{told:?}");
    assert_eq!(told.iter().filter(|line| line.starts_with("route")).count(), 2, "{told:?}");
    let reply = bench.ask(about("subscribe request", "c", "a", "s"));
    let text = reply.text("sdp").unwrap();
    assert!(text.contains("m=audio") && !text.contains("m=image"), "{text}");
}

#[test]
fn keys_of_before_a_fax_do_not_come_back_behind_it() {
    let mut bench = Bench::new(config());
    let secure = || {
        let key = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n";
        [("203.0.113.1", 4_000), ("203.0.113.2", 5_000)].map(|(ip, port)| sdp(ip, port, "RTP/SAVP 8", key))
    };
    let keys = |text: &str| -> Vec<String> {
        text.lines().filter_map(|line| Some(line.split_once("inline:")?.1.to_owned())).collect()
    };
    let voice = |bench: &mut Bench| {
        let [offer, answer] = secure();
        let (offered, answered, _) = exchange(bench, offer, answer);
        let first = |text: &str| keys(text).into_iter().next().unwrap();
        [first(&offered), first(&answered)]
    };
    let before = voice(&mut bench);
    assert_eq!(voice(&mut bench), before, "a re-offer keeps them");
    exchange(&mut bench, fax("203.0.113.1", 4_002, ""), fax("203.0.113.2", 5_002, ""));
    let after = voice(&mut bench);
    assert!(after.iter().all(|key| !before.contains(key)), "{before:?} {after:?}");
}
