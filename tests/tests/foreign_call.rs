//! str0m through the real node: one speaks, three receive, by DTLS 1.2 and 1.3, over UDP and TCP.

use std::sync::Arc;

use kaname_bench::client::{Kind, Peer, PeerOptions, SessionOptions};
use kaname_bench::stamp::Ledger;
use kaname_tests::{Node, must};

async fn one_to_three(test: &str, publisher: SessionOptions, subscriber: SessionOptions) {
    let node = Node::start(test).await.unwrap();
    let token = node.token("lobby").await.unwrap();
    let ledger = Arc::new(Ledger::new());
    let options = |name: &str, number, session| {
        let mut options = PeerOptions::new(&node.ws_url(), &token, name, number);
        (options.session, options.ledger) = (session, Arc::clone(&ledger));
        options
    };
    let mut speaker = options("speaker", 0, publisher);
    speaker.publish = vec![Kind::Audio, Kind::Video];
    let mut speaker = Peer::join(speaker).await.unwrap();
    speaker.set_sending(true).await;
    let mut listeners = Vec::new();
    for number in 1..=3 {
        let mut listener = options("listener", number, subscriber);
        listener.subscribe = true;
        listeners.push(Peer::join(listener).await.unwrap());
    }
    for listener in &mut listeners {
        must("the first picture", listener.until(|s| s.receives(2, 1))).await.unwrap().unwrap();
    }
    ledger.count(true);
    for listener in &mut listeners {
        must("forty pictures", listener.until(|s| s.receives(2, 40))).await.unwrap().unwrap();
    }
    ledger.count(false);
    let state = must("the last packets", async {
        let last = listeners.last_mut().unwrap();
        last.until(|_| ledger.totals().missing() == 0).await
    });
    let state = state.await.unwrap().unwrap();
    for heard in state.heard.values() {
        assert_eq!((heard.wrong, heard.gaps), (0, 0), "{heard:?}");
        assert_eq!(heard.ssrcs.len(), 1, "{heard:?}");
    }
    let totals = ledger.totals();
    assert_eq!((totals.repeated, totals.unknown), (0, 0));
    let dtls = |s: SessionOptions| if s.dtls13 { "1.3" } else { "1.2" };
    assert!(
        version(&must("joined", speaker.until(|s| s.connected)).await.unwrap().unwrap().dtls)
            == dtls(publisher)
    );
    assert!(version(&state.dtls) == dtls(subscriber), "{:?}", state.dtls);
    // The one who speaks is told to the others.
    let id = speaker.state().id.unwrap();
    let told = listeners[0].until(|s| s.speakers.first() == Some(&id));
    must("the speaker's name", told).await.unwrap().unwrap();
    speaker.leave().await;
    must("the end of the tracks", listeners[0].until(|s| s.heard.is_empty())).await.unwrap().unwrap();
    assert!(node.stop().await.unwrap());
}

fn version(dtls: &Option<String>) -> &'static str {
    if dtls.as_ref().is_some_and(|d| d.contains("13") || d.contains("1_3") || d.contains("1.3")) {
        "1.3"
    } else {
        "1.2"
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_udp_with_dtls_1_2() {
    one_to_three("foreign_udp_12", SessionOptions::default(), SessionOptions::default()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_udp_with_dtls_1_3() {
    let modern = SessionOptions { dtls13: true, ..SessionOptions::default() };
    one_to_three("foreign_udp_13", modern, modern).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_tcp_to_udp_and_back() {
    let tcp = SessionOptions { tcp: true, ..SessionOptions::default() };
    one_to_three("foreign_tcp_udp", tcp, SessionOptions::default()).await;
    one_to_three("foreign_udp_tcp", SessionOptions::default(), tcp).await;
}
