//! Data channels between foreign clients: chat is wrapped with its sender, other labels pass as they are.

use kaname_bench::client::{Peer, PeerOptions};
use kaname_tests::{Node, must};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_reach_the_others_and_not_oneself() {
    let node = Node::start("foreign_data").await.unwrap();
    let token = node.token("lobby").await.unwrap();
    let mut peers = Vec::new();
    for number in 0..3 {
        let mut options = PeerOptions::new(&node.ws_url(), &token, "peer", number);
        options.chat = true;
        options.channels = vec!["telemetry".to_owned()];
        peers.push(Peer::join(options).await.unwrap());
    }
    for peer in &mut peers {
        must("both channels", peer.until(|s| s.channels.len() == 2)).await.unwrap().unwrap();
    }
    let id = peers[0].state().id.unwrap();
    peers[0].send_text("chat", "hello").await;
    peers[0].send_text("telemetry", "raw {not json").await;
    for peer in &mut peers[1..] {
        let state = must("two messages", peer.until(|s| s.messages.len() == 2)).await.unwrap().unwrap();
        let text =
            |label: &str| state.messages.iter().find(|(l, _)| l == label).map(|(_, t)| t.clone()).unwrap();
        let chat: serde_json::Value = serde_json::from_str(&text("chat")).unwrap();
        assert_eq!((chat["from"].as_str(), chat["text"].as_str()), (Some(id.as_str()), Some("hello")));
        assert_eq!(text("telemetry"), "raw {not json");
    }
    assert!(peers[0].state().messages.is_empty());
}
