//! The call generators of the load harness against the real node: every kind of call is set up over `ng`, and sound, bytes and
//! keys come out at the far ends as they went in.

use std::net::UdpSocket;

use kaname_bench::calls::command::{Options, rows};
use kaname_bench::calls::{CASES, CallRow};
use kaname_tests::Node;

/// Calls of some kinds through a node of their own.
async fn calls(test: &str, cases: &[&str], options: Options) -> Vec<CallRow> {
    let control = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let listen = control.to_string();
    let flags = [
        ["--ng-listen-udp", &listen],
        ["--calls-interfaces", "default/127.0.0.1"],
        // Below those that the system gives to whoever asks for none, as above.
        ["--calls-port-min", "20000"],
        ["--calls-port-max", "29999"],
    ]
    .concat();
    let node = Node::start_with(test, &flags).await.unwrap();
    let options = Options {
        case: cases.iter().map(|&case| case.to_owned()).collect(),
        ng: Some(control),
        pid: Some(node.ready.pid),
        rounds: 1,
        ordinary: true,
        quiet: true,
        ..options
    };
    tokio::task::spawn_blocking(move || rows(&options)).await.unwrap().unwrap()
}

/// What must hold on any machine: everything but the pace.
fn whole(row: &CallRow) {
    let refused = row.refused.as_ref().filter(|why| !why.contains("generator itself was late"));
    assert_eq!((refused, row.lost), (None, 0), "{}: {row:?}", row.case);
    assert!(row.due > 0 && row.cpu_us_per_packet.is_some_and(|us| us > 0.0), "{}: {row:?}", row.case);
    assert_eq!(row.keys_heard, row.keys_due, "{}: {row:?}", row.case);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_are_relayed_and_transcoded() {
    let short = Options { calls: Some(3), seconds: 2, ..Options::default() };
    let rows = calls("telephone_calls", &["rtp-srtp", "pcma-opus"], short).await;
    assert_eq!(rows.len(), 2);
    rows.iter().for_each(whole);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "full suite: every kind of call, half a minute"]
async fn calls_of_every_kind_come_through() {
    let options = Options { calls: Some(8), seconds: 3, ..Options::default() };
    let names = CASES.map(|case| case.name);
    let rows = calls("telephone_calls_of_every_kind", &names, options).await;
    assert_eq!(rows.len(), CASES.len());
    rows.iter().for_each(whole);
}
