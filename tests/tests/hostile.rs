//! Strangers on the media port, and one of the call's own who misbehaves, while an honest call runs: nothing is lost,
//! nothing leaks, everything is counted.

use std::sync::Arc;

use kaname_bench::client::{Kind, Peer, PeerOptions, PeerState};
use kaname_bench::stamp::Ledger;
use kaname_tests::hostile::Attacker;
use kaname_tests::{Node, must};

/// Datagrams of each kind. Enough to be seen in every counter, few enough for two shared cores.
const EACH: usize = 3_000;
/// Pictures the honest viewer gets while under attack.
const PICTURES: u64 = 60;

/// A call between two honest peers, whose packets are counted.
struct Honest {
    node: Node,
    token: String,
    ledger: Arc<Ledger>,
    speaker: Peer,
    viewer: Peer,
}

impl Honest {
    async fn begin(test: &str) -> Honest {
        let node = Node::start(test).await.unwrap();
        let token = node.token("lobby").await.unwrap();
        let ledger = Arc::new(Ledger::new());
        let mut options = PeerOptions::new(&node.ws_url(), &token, "speaker", 0);
        options.ledger = Arc::clone(&ledger);
        options.publish = vec![Kind::Audio, Kind::Video];
        let speaker = Peer::join(options).await.unwrap();
        speaker.set_sending(true).await;
        let mut options = PeerOptions::new(&node.ws_url(), &token, "viewer", 1);
        options.ledger = Arc::clone(&ledger);
        options.subscribe = true;
        let mut viewer = Peer::join(options).await.unwrap();
        must("the first picture", viewer.until(|s| s.receives(2, 1))).await.unwrap().unwrap();
        ledger.count(true);
        Honest { node, token, ledger, speaker, viewer }
    }

    /// Waits for so many more pictures and sounds.
    async fn goes_on(&mut self) -> PeerState {
        let seen = self.viewer.state().heard.values().map(|h| h.right).max().unwrap();
        must("pictures under attack", self.viewer.until(|s| s.receives(2, seen + PICTURES)))
            .await
            .unwrap()
            .unwrap()
    }

    /// Nothing lost (one in a thousand is allowed), nothing foreign, nothing twice, nothing wrong.
    async fn is_whole(&mut self) {
        self.ledger.count(false);
        let seen = self.viewer.state().heard.values().map(|h| h.right).max().unwrap();
        let ledger = Arc::clone(&self.ledger);
        let drained = self.viewer.until(|s| ledger.totals().missing() == 0 || s.receives(2, seen + 30));
        let state = must("the last packets", drained).await.unwrap().unwrap();
        let totals = self.ledger.totals();
        assert!(totals.due > 0 && totals.missing() * 1000 <= totals.due, "{totals:?}");
        assert_eq!((totals.unknown, totals.repeated), (0, 0), "{totals:?}");
        assert_eq!(state.heard.values().map(|h| h.wrong).sum::<u64>(), 0, "{state:?}");
        assert_eq!(state.heard.len(), 2);
    }

    /// Each of these reasons was counted, at least so many times.
    async fn counted(&self, at_least: u64, reasons: &[&str]) {
        for reason in reasons {
            let count = self.node.dropped(reason).await.unwrap();
            assert!(count >= at_least, "{reason}: {count}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_honest_call_does_not_notice_strangers() {
    let mut call = Honest::begin("hostile_strangers").await;
    let addresses = call.node.ready.media.clone();
    // The stranger has even seen a user name go by.
    let user = call.viewer.state().ice_user.unwrap();
    let attack = tokio::task::spawn_blocking(move || {
        let mut attackers: Vec<Attacker> =
            addresses.iter().enumerate().map(|(i, a)| Attacker::new(*a, 77 + i as u64).unwrap()).collect();
        let mut sent_bytes = 0;
        for round in 0..EACH {
            for attacker in &mut attackers {
                let datagrams = [
                    attacker.garbage(),
                    attacker.stun("nobody:somebody"),
                    attacker.stun(&user),
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
            std::thread::yield_now();
        }
        let answered = attackers.iter().map(Attacker::answers).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
        (sent_bytes, answered)
    });
    call.goes_on().await;
    let (sent_bytes, (answers, answer_bytes)) = attack.await.unwrap();
    call.is_whole().await;
    // No reflection: a stranger gets no more bytes than it sent, and forged checks get silence.
    assert!(answer_bytes <= sent_bytes, "{answers} answers, {answer_bytes} bytes for {sent_bytes}");
    // Half of what was sent is enough: a stranger's datagrams may be lost in its own socket.
    let reasons = ["stun_unknown_user", "unknown_path", "dtls_unknown_path", "too_short"];
    call.counted(EACH as u64 / 2, &reasons).await;
    // Forged checks of a known user are looked at until the stranger's share is used up.
    call.counted(1, &["stun_bad_integrity", "stun_rate"]).await;
    assert!(call.node.stop().await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replays_broken_tags_and_unknown_sources_are_refused() {
    let mut call = Honest::begin("hostile_insider").await;
    // The speaker itself, from its own address and under its own keys.
    call.speaker.set_mischief(true).await;
    call.goes_on().await;
    call.speaker.set_mischief(false).await;
    call.is_whole().await;
    call.counted(PICTURES, &["replayed", "bad_tag", "unclaimed_ssrc"]).await;
    assert!(call.node.stop().await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_that_was_not_signalled_gets_no_keys() {
    let mut call = Honest::begin("hostile_certificate").await;
    let mut options = PeerOptions::new(&call.node.ws_url(), &call.token, "impostor", 9);
    options.publish = vec![Kind::Audio];
    options.munge = Some(Arc::new(|sdp: String| {
        let lines = sdp.lines().map(|line| match line.strip_prefix("a=fingerprint:sha-256 ") {
            Some(print) => format!("a=fingerprint:sha-256 {}", print.chars().rev().collect::<String>()),
            None => line.to_owned(),
        });
        lines.map(|line| line + "\r\n").collect()
    }));
    let mut impostor = Peer::join(options).await.unwrap();
    impostor.set_sending(true).await;
    must("its negotiation", impostor.until(|s| s.negotiations > 0)).await.unwrap().unwrap();
    call.goes_on().await;
    assert!(!impostor.state().connected, "a foreign certificate must not connect");
    let id = impostor.state().id.unwrap();
    let heard = call.viewer.state().heard;
    assert!(heard.values().filter(|h| h.peer == id).all(|h| h.packets == 0), "{heard:?}");
    drop(impostor);
    must("its end", call.viewer.until(|s| s.heard.len() == 2)).await.unwrap().unwrap();
    call.is_whole().await;
    assert!(call.node.stop().await.unwrap());
}
