//! The load harness calls through the real node: everything sent arrives and is recognised.

use std::sync::Arc;

use kaname_bench::demo::{self, DemoOptions};
use kaname_tests::Node;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_publishers_reach_five_subscribers_whole() {
    let node = Node::start("demo").await.unwrap();
    let token = node.token("demo").await.unwrap();
    let options = DemoOptions {
        ws_url: node.ws_url(),
        accept_any_certificate: false,
        token: Arc::new(move |_| token.clone()),
        seconds: 3,
        publishers: 2,
        subscribers: 5,
        node_pid: Some(node.ready.pid),
        srtp_backend: node.ready.srtp_backend.clone(),
        io_backend: node.ready.io_backend.clone(),
    };
    let report = demo::run(options, |_| {}).await.unwrap();
    assert!(report.ok(), "{}", serde_json::to_string_pretty(&report).unwrap());
    assert_eq!(report.peers, 7);
    // Three seconds of 50 sounds and 15 pictures of at least one packet.
    assert!(report.sent >= 3 * 65 * 2 * 5 * 9 / 10, "{report:?}");
    assert!(report.decoded_frames_min >= 3 * 15 * 8 / 10, "{report:?}");
    assert!(report.cpu_us_per_packet.is_some_and(|us| us > 0.0), "{report:?}");
    assert!(node.stop().await.unwrap());
}
