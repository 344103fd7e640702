use std::time::Duration;

use super::fake::{Bench, about, config, sdp};
use crate::calls::CallsConfig;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_call_in_which_nobody_sends_ends() {
    let mut bench = Bench::new(config());
    bench.call("c");
    // Somebody sends: more packets each time.
    for packets in 1..20 {
        bench.pass(5 * SECOND);
        assert_eq!(bench.tell_figures(packets), 2, "each leg is asked");
    }
    assert_eq!(bench.state.counters().calls, 1);
    for _ in 0..11 {
        bench.pass(5 * SECOND);
        bench.tell_figures(19);
    }
    assert_eq!(bench.state.counters().calls, 1, "not yet");
    bench.pass(6 * SECOND);
    bench.tell_figures(19);
    let counters = bench.state.counters();
    assert_eq!((counters.calls, counters.ended_total["silence"]), (0, 1));
    assert_eq!(counters.packets_total, 38);
    assert!(bench.told().iter().any(|line| line.starts_with("remove leg")));
}

#[test]
fn a_call_on_hold_may_be_silent_longer() {
    let mut bench = Bench::new(config());
    bench.call("c");
    let held = |bench: &mut Bench, line: &str, answer: &str| {
        bench.describe(
            about("offer", "c", "a", "b").with("sdp", sdp("203.0.113.1", 4_000, "RTP/AVP 8", line)),
        );
        bench.describe(
            about("answer", "c", "a", "b").with("sdp", sdp("203.0.113.2", 5_000, "RTP/AVP 8", answer)),
        );
    };
    held(&mut bench, "a=sendonly\r\n", "a=recvonly\r\n");
    bench.pass(300 * SECOND);
    assert_eq!(bench.state.counters().calls, 1);
    bench.pass(301 * SECOND);
    assert_eq!(bench.state.counters().calls, 0);
}

#[test]
fn a_call_that_nobody_answers_ends() {
    let mut bench = Bench::new(config());
    bench.describe(about("offer", "c", "a", "").with("sdp", sdp("203.0.113.1", 4_000, "RTP/AVP 8", "")));
    bench.pass(29 * SECOND);
    assert_eq!(bench.state.counters().calls, 1);
    bench.pass(SECOND);
    assert_eq!(bench.state.counters().ended_total["unanswered"], 1);
    assert_eq!(bench.told().iter().filter(|line| line.starts_with("close")).count(), 2);
}

#[test]
fn a_delayed_deletion_can_be_taken_back() {
    let mut bench = Bench::new(config());
    bench.call("c");
    let delete = || about("delete", "c", "a", "b").with("delete delay", 10);
    assert_eq!(bench.ask_with(delete(), 7).text("result"), Some("ok"));
    bench.pass(9 * SECOND);
    assert_eq!(bench.state.counters().calls, 1);
    bench
        .describe(about("answer", "c", "a", "b").with("sdp", sdp("203.0.113.2", 5_000, "RTP/AVP 8 101", "")));
    bench.pass(2 * SECOND);
    assert_eq!(bench.state.counters().calls, 1, "whoever goes on does not want it deleted");
    bench.ask_with(delete(), 7);
    bench.pass(10 * SECOND);
    assert_eq!(bench.state.counters().calls, 0);
}

#[test]
fn a_shard_that_does_not_tell_figures_holds_up_no_reply() {
    let mut bench = Bench::new(config());
    bench.call("c");
    let (replies, mut waiting) = tokio::sync::mpsc::channel(1);
    let request = crate::ng::Request {
        cookie: "slow".into(),
        writing: crate::ng::Writing::Bencode,
        dictionary: about("delete", "c", "a", "b"),
    };
    let reply = crate::ng::ReplyTo::Stream(replies);
    bench.state.request(bench.now, crate::ng::Asked { from: [127, 0, 0, 1].into(), request, reply });
    assert!(waiting.try_recv().is_err());
    bench.pass(SECOND);
    assert!(waiting.try_recv().is_ok());
}

#[test]
fn more_calls_a_second_than_wanted_go_elsewhere() {
    let mut bench = Bench::new(CallsConfig { max_calls_per_second: Some(3), ..config() });
    let offer = |bench: &mut Bench, id: usize| {
        let offer = about("offer", &format!("c{id}"), "a", "").with("supports", "load limit");
        let reply = bench.ask(offer.with("sdp", sdp("203.0.113.1", 4_000, "RTP/AVP 8", "")));
        reply.text("result").unwrap().to_owned()
    };
    let results: Vec<String> = (0..5).map(|id| offer(&mut bench, id)).collect();
    assert_eq!(results, ["ok", "ok", "ok", "load limit", "load limit"]);
    bench.pass(SECOND);
    assert_eq!(offer(&mut bench, 9), "ok");
}
