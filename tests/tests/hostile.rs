//! Strangers on the media port while an honest call runs: nothing is lost, nothing leaks, everything is counted.

use std::sync::Arc;

use kaname_bench::client::{Kind, Peer, PeerOptions};
use kaname_bench::stamp::Ledger;
use kaname_tests::hostile::Attacker;
use kaname_tests::{Node, must};

/// Datagrams of each kind. Enough to be seen in every counter, few enough for two shared cores.
const EACH: usize = 3_000;
/// Pictures the honest viewer gets while under attack.
const PICTURES: u64 = 60;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_honest_call_does_not_notice_strangers() {
    let node = Node::start("hostile").await.unwrap();
    let token = node.token("lobby", "honest").await.unwrap();
    let ledger = Arc::new(Ledger::new());
    let options = |name: &str, number| {
        let mut options = PeerOptions::new(&node.ws_url(), &token, name, number);
        options.ledger = Arc::clone(&ledger);
        options
    };
    let mut speaker = options("speaker", 0);
    speaker.publish = vec![Kind::Audio, Kind::Video];
    let speaker = Peer::join(speaker).await.unwrap();
    speaker.set_sending(true).await;
    let mut viewer = options("viewer", 1);
    viewer.subscribe = true;
    let mut viewer = Peer::join(viewer).await.unwrap();
    must("the first picture", viewer.until(|s| s.receives(2, 1))).await.unwrap().unwrap();
    let before = node.metrics().await.unwrap();

    ledger.count(true);
    let addresses = node.ready.media.clone();
    let attack = tokio::task::spawn_blocking(move || {
        let mut attackers: Vec<Attacker> =
            addresses.iter().enumerate().map(|(i, a)| Attacker::new(*a, 77 + i as u64).unwrap()).collect();
        let mut sent_bytes = 0;
        for round in 0..EACH {
            for attacker in &mut attackers {
                let garbage = attacker.garbage();
                let datagrams = [
                    garbage,
                    attacker.stun("nobody:somebody"),
                    attacker.rtp(round as u32),
                    attacker.hello(),
                    vec![0x80],
                    vec![22, 0xfe],
                ];
                for datagram in datagrams {
                    sent_bytes += datagram.len();
                    attacker.send(&datagram);
                }
            }
            if round % 64 == 0 {
                std::thread::yield_now();
            }
        }
        let answered = attackers.iter().map(|a| a.answers()).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
        (sent_bytes, answered)
    });
    let seen = viewer.state().heard.values().map(|h| h.right).max().unwrap();
    must("pictures under attack", viewer.until(|s| s.receives(2, seen + PICTURES))).await.unwrap().unwrap();
    let (sent_bytes, (answers, answer_bytes)) = attack.await.unwrap();
    ledger.count(false);
    let drained = must(
        "the last packets",
        viewer.until(|s| ledger.totals().missing() == 0 || s.receives(2, seen + PICTURES + 30)),
    );
    let state = drained.await.unwrap().unwrap();

    let totals = ledger.totals();
    assert!(totals.missing() * 1000 <= totals.due, "{totals:?}");
    assert_eq!(totals.unknown, 0, "nothing of a stranger's is forwarded");
    assert_eq!(state.heard.values().map(|h| h.wrong).sum::<u64>(), 0, "{state:?}");
    assert_eq!(state.heard.len(), 2);
    // No reflection: a stranger gets no more bytes than it sent, and forged checks get silence.
    assert!(answer_bytes <= sent_bytes, "{answers} answers, {answer_bytes} bytes for {sent_bytes}");
    let after = node.metrics().await.unwrap();
    let grown: Vec<String> = after
        .iter()
        .filter(|(name, value)| {
            name.contains("reason=") && **value > before.get(*name).copied().unwrap_or(0.0)
        })
        .map(|(name, value)| format!("{name} {value}"))
        .collect();
    assert!(grown.len() >= 3, "each kind of attack is counted by its reason: {grown:?}");
    assert!(node.stop().await.unwrap());
}
