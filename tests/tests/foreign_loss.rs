//! Lost packets are repaired by RTX in both directions, and late comers get a key frame.

use std::sync::Arc;

use kaname_bench::client::session::lossy;
use kaname_bench::client::{Kind, Peer, PeerOptions};
use kaname_bench::stamp::Ledger;
use kaname_tests::{Node, must};

/// One packet in twenty is lost on each impaired way.
const PER_MILLE: u64 = 50;

async fn call(test: &str) -> (Node, Peer, Peer, Arc<Ledger>) {
    let node = Node::start(test).await.unwrap();
    let token = node.token("lobby").await.unwrap();
    let ledger = Arc::new(Ledger::new());
    let mut options = PeerOptions::new(&node.ws_url(), &token, "speaker", 0);
    options.publish = vec![Kind::Video];
    options.ledger = Arc::clone(&ledger);
    let speaker = Peer::join(options).await.unwrap();
    speaker.set_sending(true).await;
    let mut options = PeerOptions::new(&node.ws_url(), &token, "viewer", 1);
    options.subscribe = true;
    options.ledger = Arc::clone(&ledger);
    let mut viewer = Peer::join(options).await.unwrap();
    must("the first picture", viewer.until(|s| s.receives(1, 1))).await.unwrap().unwrap();
    (node, speaker, viewer, ledger)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn loss_towards_the_viewer_is_repaired_from_the_cache() {
    let (node, speaker, mut viewer, ledger) = call("loss_down").await;
    viewer.impair(Some(lossy(1, 0, PER_MILLE))).await;
    ledger.count(true);
    let seen = viewer.state().heard.values().next().unwrap().right;
    let repaired = |s: &kaname_bench::client::PeerState| s.receives(1, seen + 90) && s.repairs.1 >= 5;
    let state = must("repairs", viewer.until(repaired)).await.unwrap().unwrap();
    let heard = state.heard.values().next().unwrap();
    assert_eq!((heard.wrong, heard.gaps), (0, 0), "{heard:?}");
    // Repairs came from the node, not from the speaker.
    assert_eq!(speaker.state().repairs.0, 0);
    assert!(node.stop().await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn loss_from_the_speaker_is_asked_for_again() {
    let (node, mut speaker, mut viewer, _) = call("loss_up").await;
    speaker.impair(Some(lossy(2, PER_MILLE, 0))).await;
    let seen = viewer.state().heard.values().next().unwrap().right;
    must("repairs by the speaker", speaker.until(|s| s.repairs.0 >= 5)).await.unwrap().unwrap();
    let state = must("ninety pictures", viewer.until(|s| s.receives(1, seen + 90))).await.unwrap().unwrap();
    let heard = state.heard.values().next().unwrap();
    assert_eq!((heard.wrong, heard.gaps), (0, 0), "{heard:?}");
    assert!(node.stop().await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_viewer_gets_a_key_frame_and_many_ask_for_few() {
    let (node, mut speaker, mut viewer, ledger) = call("key_frame").await;
    // Past the key frame that the first viewer's own wish brings: six can join before it comes.
    must("a running call", viewer.until(|s| s.receives(1, 15))).await.unwrap().unwrap();
    let before = speaker.state().key_frame_requests;
    let token = node.token("lobby").await.unwrap();
    let mut late = Vec::new();
    for number in 10..16 {
        let mut options = PeerOptions::new(&node.ws_url(), &token, "late", number);
        options.subscribe = true;
        options.ledger = Arc::clone(&ledger);
        late.push(Peer::join(options).await.unwrap());
    }
    for viewer in &mut late {
        let state = must("a picture", viewer.until(|s| s.receives(1, 5))).await.unwrap().unwrap();
        assert_eq!(state.heard.values().map(|h| h.wrong).sum::<u64>(), 0);
    }
    let state = must("a request", speaker.until(|s| s.key_frame_requests > before)).await.unwrap().unwrap();
    // Six came within moments of each other: their wishes are put together.
    assert!(state.key_frame_requests - before <= 6, "{}", state.key_frame_requests - before);
}
