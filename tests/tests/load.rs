//! The load harness's light fleet, with a foreign client beside it, against the real node: everything sent arrives once and
//! in order, losses of the network are repaired, and clients come and go.

use std::sync::Arc;

use kaname_bench::client::Trust;
use kaname_bench::fleet::{
    Arrival, NodeTarget, Outcome, Quality, Scenario, Shape, Silent, Target, development_token, run, verdict,
};
use kaname_tests::Node;

/// Runs a scenario on a thread of its own: the harness has its own runtime.
async fn play(node: &Node, scenario: Scenario) -> Outcome {
    let url = node.url("").trim_end_matches('/').to_owned();
    let pid = Some(node.ready.pid);
    let done = tokio::task::spawn_blocking(move || {
        let token = development_token(&url, &Trust::Plain).unwrap();
        let system = "kaname".to_owned();
        let target = NodeTarget {
            url,
            token: Arc::clone(&token),
            trust: Trust::Plain,
            pid,
            system,
            allow_remote: false,
        };
        run(scenario, Target::Node(target), &mut Silent).unwrap()
    });
    done.await.unwrap()
}

/// What must hold on any machine: everything but the pace.
fn whole(outcome: &Outcome) {
    let quality = Quality { p99_us: u64::MAX, ..Quality::default() };
    let broken: Vec<String> = verdict(outcome, &quality)
        .into_iter()
        .filter(|why| !why.contains("the harness was short of time"))
        .collect();
    assert!(broken.is_empty(), "{broken:?}\n{}", serde_json::to_string_pretty(outcome).unwrap());
    assert!(outcome.foreign_clients >= 1 && outcome.foreign.received > 0, "{:?}", outcome.foreign);
}

fn seconds() -> u32 {
    if std::env::var_os("KANAME_FULL").is_some() { 10 } else { 2 }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn voice_and_pictures_come_whole_at_light_and_foreign_clients() {
    let node = Node::start("load").await.unwrap();
    for name in ["voice", "meeting", "video"] {
        let mut scenario = Scenario { seconds: seconds(), ..Scenario::named(name).unwrap() };
        scenario.shape = match scenario.shape {
            Shape::Meeting { .. } => Shape::Meeting { peers: 4 },
            Shape::OneToMany { .. } => Shape::OneToMany { publishers: 1, subscribers: 8 },
        };
        let outcome = play(&node, scenario).await;
        whole(&outcome);
        assert!(outcome.node.cpu_us_per_packet.is_some_and(|us| us > 0.0), "{:?}", outcome.node);
        assert!(outcome.joins.connected >= 3 && outcome.joins.first_media_us.0 > 0, "{:?}", outcome.joins);
    }
    assert!(node.stop().await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lossy_network_costs_sound_and_repairs_pictures() {
    let node = Node::start("load-lossy").await.unwrap();
    let lossy = |name: &str| Scenario {
        shape: Shape::OneToMany { publishers: 1, subscribers: 4 },
        loss_per_mille: 50,
        seconds: seconds(),
        ..Scenario::named(name).unwrap()
    };
    let voice = play(&node, lossy("voice")).await.packets;
    assert!(voice.lost > 0 && voice.repaired == 0, "{voice:?}");
    let video = play(&node, lossy("video")).await.packets;
    assert!(video.repaired > 0 && video.lost * 20 < video.repaired, "{video:?}");
    assert!(node.stop().await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_come_and_go_without_loss_for_the_others() {
    let node = Node::start("load-churn").await.unwrap();
    let scenario = Scenario {
        shape: Shape::OneToMany { publishers: 1, subscribers: 20 },
        arrival: Arrival::Churn { joins_per_second: 100, changes_per_second: 5 },
        seconds: seconds(),
        ..Scenario::named("voice").unwrap()
    };
    let outcome = play(&node, scenario).await;
    whole(&outcome);
    assert!(outcome.joins.asked > 20, "{:?}", outcome.joins);
    let day = Arrival::Trace {
        path: concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/load-testing-day.csv").into(),
        speed: 4,
    };
    let trace = play(&node, Scenario { arrival: day, ..Scenario::named("voice").unwrap() }).await;
    let packets = &trace.packets;
    assert!(
        packets.due > 0 && packets.lost == 0 && packets.duplicates == 0,
        "{packets:?} {:?}",
        trace.failures
    );
    assert_eq!((trace.joins.asked, trace.joins.failed), (4, 0), "{:?}", trace.failures);
    assert!(node.stop().await.unwrap());
}
