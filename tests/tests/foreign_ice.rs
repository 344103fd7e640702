//! The path of a call: renewed credentials keep the media, a silent peer is noticed, a vanished one leaves no ghost.

use kaname_bench::client::{Kind, Peer, PeerOptions};
use kaname_tests::{Node, must};

async fn pair(node: &Node) -> (Peer, Peer) {
    let token = node.token("lobby").await.unwrap();
    let mut options = PeerOptions::new(&node.ws_url(), &token, "speaker", 0);
    options.publish = vec![Kind::Audio, Kind::Video];
    let speaker = Peer::join(options).await.unwrap();
    speaker.set_sending(true).await;
    let mut options = PeerOptions::new(&node.ws_url(), &token, "viewer", 1);
    options.subscribe = true;
    let mut viewer = Peer::join(options).await.unwrap();
    must("the first picture", viewer.until(|s| s.receives(2, 1))).await.unwrap().unwrap();
    (speaker, viewer)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ice_restart_keeps_the_call() {
    let node = Node::start("ice_restart").await.unwrap();
    let (mut speaker, mut viewer) = pair(&node).await;
    for restarts in 1..=2 {
        let (said, heard) = (speaker.state().negotiations, viewer.state().negotiations);
        speaker.ice_restart().await;
        viewer.ice_restart().await;
        must("an answer", speaker.until(|s| s.negotiations > said)).await.unwrap().unwrap();
        must("an answer", viewer.until(|s| s.negotiations > heard)).await.unwrap().unwrap();
        let right = viewer.state().heard.values().map(|h| h.right).max().unwrap();
        let state = must(
            "media after the restart",
            viewer.until(|s| {
                s.heard.values().all(|h| h.right > 20) && s.receives(2, right / 4 + 20 * restarts)
            }),
        );
        let state = state.await.unwrap().unwrap();
        assert_eq!(state.heard.values().map(|h| h.wrong + h.gaps).sum::<u64>(), 0, "{state:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_falls_silent_is_let_go() {
    let node = Node::start("consent").await.unwrap();
    let (speaker, mut viewer) = pair(&node).await;
    // Its WebSocket lives on, but nothing of its media path does: RFC 7675 gives it 30 seconds.
    speaker.impair(Some(Box::new(|_, _| true))).await;
    let id = speaker.state().id.unwrap();
    must("the end of consent", viewer.until(|s| !s.peers.contains_key(&id) || s.heard.is_empty()))
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_vanishes_leaves_no_ghost() {
    let node = Node::start("vanish").await.unwrap();
    let (speaker, mut viewer) = pair(&node).await;
    let id = speaker.state().id.unwrap();
    drop(speaker);
    must("the goodbye", viewer.until(|s| !s.peers.contains_key(&id) && s.heard.is_empty()))
        .await
        .unwrap()
        .unwrap();
}
