use super::fake::{Bench, about, config};

#[test]
fn orders_change_what_passes() {
    let mut bench = Bench::new(config());
    bench.call("c");
    bench.told();
    for (order, told) in [
        ("block DTMF", vec!["route 1 to 5 8>8"]),
        ("block media", vec!["unroute 5"]),
        ("unblock DTMF", vec!["route 1 to 5 101>101"]),
        ("unblock media", vec!["route 1 to 5 8>8 101>101"]),
    ] {
        assert_eq!(bench.ask(about(order, "c", "a", "")).text("result"), Some("ok"));
        assert_eq!(bench.told(), told, "{order}");
    }
    bench.ask(about("silence media", "c", "a", ""));
    let told = bench.told();
    assert!(told.contains(&"set Muted(true)".to_owned()) && told[0].starts_with("export"), "{told:?}");
    bench.ask(about("unsilence media", "c", "a", ""));
    let told = bench.told();
    assert_eq!(
        told[0], "route 1 to 5 8>8 101>101",
        "first the new way, then the end of the old one: {told:?}"
    );
    assert!(told.contains(&"remove worker's".to_owned()) && told.contains(&"end export".to_owned()));
}

#[test]
fn keys_go_through_a_worker_to_who_hears_them() {
    let mut bench = Bench::new(config());
    bench.call("c");
    bench.told();
    let reply = bench.ask(about("play DTMF", "c", "a", "").with("digit", "#"));
    assert_eq!(reply.text("result"), Some("ok"), "{reply:?}");
    let told = bench.told();
    assert_eq!(told.last().map(String::as_str), Some("press #"), "{told:?}");
    let reply = bench.ask(about("play DTMF", "c", "nobody", "").with("digit", "1"));
    assert!(reply.text("error-reason").unwrap().contains("tag"));
}

#[test]
fn a_recording_listens_to_both() {
    let mut bench = Bench::new(config());
    bench.call("c");
    bench.told();
    let reply = bench.ask(about("start recording", "c", "a", ""));
    assert!(reply.text("file").unwrap().starts_with("/srv/recordings/call-c-"), "{reply:?}");
    let told = bench.told();
    assert_eq!(told.iter().filter(|line| *line == "tap").count(), 2, "{told:?}");
    assert_eq!(told.last().map(String::as_str), Some("record 2"));
    bench.ask(about("delete", "c", "a", "b"));
    let told = bench.told();
    assert_eq!(
        told.iter().filter(|line| *line == "remove worker's").count(),
        3,
        "recorder and taps: {told:?}"
    );
}
