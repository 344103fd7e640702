//! WHIP in, WHEP out: one HTTP request each, and the session ends when it is deleted.

use std::sync::Arc;

use kaname_bench::client::whip::{HttpOptions, HttpPeer};
use kaname_bench::client::{ClientError, SessionOptions, Trust, web};
use kaname_bench::stamp::Ledger;
use kaname_tests::{Node, must};

fn options(node: &Node, door: &str, token: &str) -> HttpOptions {
    HttpOptions {
        url: node.url(&format!("{door}/stage")),
        token: token.to_owned(),
        trust: Trust::Plain,
        number: 7,
        session: SessionOptions::default(),
        ledger: Arc::new(Ledger::new()),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_published_by_whip_plays_by_whep() {
    let node = Node::start("foreign_http").await.unwrap();
    let token = node.token("stage").await.unwrap();
    let mut stage = HttpPeer::publish(options(&node, "whip", &token)).await.unwrap();
    must("the publisher's connection", stage.until(|s| s.connected)).await.unwrap().unwrap();
    let mut audience = HttpPeer::play(options(&node, "whep", &token)).await.unwrap();
    let state = must("thirty pictures", audience.until(|s| s.receives(2, 30))).await.unwrap().unwrap();
    assert_eq!(state.heard.values().map(|h| h.wrong).sum::<u64>(), 0, "{state:?}");
    assert_eq!(audience.leave().await.unwrap(), 200);
    let resource = stage.resource.clone();
    assert_eq!(stage.leave().await.unwrap(), 200);
    let bearer = format!("Bearer {token}");
    let again =
        web::request("DELETE", &resource, &[("authorization", &bearer)], "", &Trust::Plain).await.unwrap();
    assert_eq!(again.status, 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_offers_and_bad_tokens_are_refused() {
    let node = Node::start("foreign_http_bad").await.unwrap();
    let token = node.token("stage").await.unwrap();
    let refused = HttpPeer::publish(options(&node, "whip", "no.such.token")).await.err().unwrap();
    assert!(matches!(&refused, ClientError::Refused { code, .. } if code == "401"), "{refused}");
    let other = node.token("lobby").await.unwrap();
    let refused = HttpPeer::publish(options(&node, "whip", &other)).await.err().unwrap();
    assert!(matches!(&refused, ClientError::Refused { code, .. } if code == "403"), "{refused}");
    let bearer = format!("Bearer {token}");
    for (kind, body, status) in [
        ("application/sdp", "this is no SDP", 400),
        ("application/sdp", "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n", 400),
        ("text/plain", "v=0", 415),
    ] {
        let headers = [("authorization", bearer.as_str()), ("content-type", kind)];
        let answer =
            web::request("POST", &node.url("whip/stage"), &headers, body, &Trust::Plain).await.unwrap();
        assert_eq!(answer.status, status, "{kind} {body:?}: {}", answer.body);
        assert!(!answer.body.is_empty(), "a refusal says why");
    }
}
