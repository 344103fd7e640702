//! Answers ahead of the last one: media before somebody picks up, and forks.

use super::fake::{Bench, about, config, sdp};

/// An answer to `a`'s offer, by a phone with this tag.
fn answered(bench: &mut Bench, tag: &str, ip: &str, lines: &str) -> Vec<String> {
    let text = sdp(ip, 5_000, "RTP/AVP 8 101", lines);
    bench.describe(about("answer", "c", "a", tag).with("sdp", text));
    bench.told()
}

fn offered(bench: &mut Bench) {
    let text = sdp("203.0.113.1", 4_000, "RTP/AVP 8 101", "");
    bench.describe(about("offer", "c", "a", "").with("sdp", text));
    bench.told();
}

#[test]
fn nothing_flows_ahead_of_the_first_answer() {
    let mut bench = Bench::new(config());
    let text = sdp("203.0.113.1", 4_000, "RTP/AVP 8 101", "");
    let early = crate::ng::Value::List(vec![crate::ng::Value::from("early-media")]);
    bench.describe(about("offer", "c", "a", "").with("flags", early).with("sdp", text));
    let told = bench.told();
    assert!(
        told.iter().all(|line| line.starts_with("open")),
        "no leg, so nobody is heard or sent to: {told:?}"
    );
}

#[test]
fn a_provisional_answer_lets_media_flow_both_ways() {
    let mut bench = Bench::new(config());
    offered(&mut bench);
    // 183: ringing, or an announcement. The phone only sends so far.
    let told = answered(&mut bench, "b", "203.0.113.2", "a=sendonly\r\n");
    assert!(told.contains(&"add leg 0 to 203.0.113.1:4000".to_owned()), "{told:?}");
    assert!(told.contains(&"route 4 to 2 8>8 101>101".to_owned()), "the caller hears it: {told:?}");
    assert!(!told.contains(&"route 1 to 5 8>8 101>101".to_owned()), "{told:?}");
    // 200: the same phone, now in both directions.
    let told = answered(&mut bench, "b", "203.0.113.2", "");
    let told: Vec<&String> = told.iter().filter(|line| !line.starts_with("remote")).collect();
    assert_eq!(told, ["route 1 to 5 8>8 101>101"], "nothing else changes");
}

#[test]
fn a_fork_that_answers_later_takes_over_and_gives_back() {
    let mut bench = Bench::new(config());
    offered(&mut bench);
    answered(&mut bench, "b1", "203.0.113.2", "");
    // Another phone behind the same branch: the leg stays and is where that phone is.
    let told = answered(&mut bench, "b2", "203.0.113.3", "");
    assert!(told.contains(&"remote leg 3 203.0.113.3:5000 Window".to_owned()), "{told:?}");
    assert!(told.iter().all(|line| line.starts_with("remote leg")), "{told:?}");
    // The first one picks up.
    let told = answered(&mut bench, "b1", "203.0.113.2", "");
    assert!(told.contains(&"remote leg 3 203.0.113.2:5000 Window".to_owned()), "{told:?}");
    // The one that lost is known by its tag, and takes nobody with it.
    assert_eq!(bench.state.counters().calls, 1);
    let call = bench.state.calls.values().next().unwrap();
    assert_eq!((call.parties.len(), call.parties[1].tag.as_str()), (2, "b1"));
    assert_eq!(call.parties[1].other_tags, ["b2"]);
}

#[test]
fn branches_of_the_proxy_have_ports_of_their_own_and_the_last_answer_is_heard() {
    let mut bench = Bench::new(config());
    let text = || sdp("203.0.113.1", 4_000, "RTP/AVP 8 101", "");
    for branch in ["one", "two"] {
        bench.describe(about("offer", "c", "a", "").with("via-branch", branch).with("sdp", text()));
    }
    assert_eq!(
        bench.told().iter().filter(|line| line.starts_with("open")).count(),
        4,
        "a pair for each branch"
    );
    let answer = |bench: &mut Bench, branch: &str, tag: &str, ip: &str| {
        let text = sdp(ip, 5_000, "RTP/AVP 8 101", "");
        bench.describe(about("answer", "c", "a", tag).with("via-branch", branch).with("sdp", text));
        bench.told()
    };
    let told = answer(&mut bench, "one", "b1", "203.0.113.2");
    assert_eq!(told.iter().filter(|line| line.starts_with("add leg")).count(), 2, "{told:?}");
    let told = answer(&mut bench, "two", "b2", "203.0.113.3");
    assert!(
        told.iter().any(|line| line.starts_with("add leg") && line.contains("203.0.113.3:5000")),
        "{told:?}"
    );
    let to_caller: Vec<&String> = told.iter().filter(|line| line.contains(" to 2 ")).collect();
    assert_eq!(to_caller.len(), 1, "the caller hears the second from now on: {told:?}");
    // It hangs up, and the caller hears the first again.
    bench.ask(about("delete", "c", "a", "b2"));
    assert!(bench.told().iter().any(|line| line.starts_with("route") && line.contains(" to 2 ")));
}
