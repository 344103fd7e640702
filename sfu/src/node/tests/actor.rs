//! The task around the state: through the handle, with tokio's time paused.

use kaname_engine::ShardId;

use super::super::handle::{Node, NodeHandle, StartError};
use super::super::queue::EventSink;
use super::fake::OfferText;
use super::*;

fn start(limits: NodeLimits) -> (NodeHandle, EventSink, Arc<FakeEngine>) {
    let engine = Arc::new(FakeEngine::new(1));
    let (node, sink) = Node::new(NodeConfig { limits, ..NodeConfig::default() });
    let handle = node.start_with(engine.clone(), fake::random()).expect("started");
    (handle, sink, engine)
}

fn request(name: &str) -> JoinRequest {
    JoinRequest { room: "lobby".into(), identity: None, name: name.into(), grants: everything(), news: true }
}

#[tokio::test(start_paused = true)]
async fn a_call_through_the_handle() {
    let (node, sink, engine) = start(NodeLimits::default());
    let ada = node.join(request("Ada")).await.expect("joined");
    let mut bo = node.join(request("Bo")).await.expect("joined");
    let wish = Negotiation {
        sdp: OfferText::new("Ada").audio("0", "sendonly").text(),
        publish: [("0".to_owned(), Source::Microphone)].into(),
        ..Negotiation::default()
    };
    let answer = node.negotiate(ada.peer.id.clone(), wish).await.expect("answered");
    let track = answer.publish["0"].clone();
    assert!(
        matches!(bo.notices.recv().await, Some(Notice::TrackPublished { track: t, .. }) if t.id == track)
    );
    sink.push(
        ShardId(0),
        EngineEvent::Secured { leg: LegId(0), profile: Profile::AeadAes128Gcm, dtls: "DTLS 1.2" },
    );
    node.mute(ada.peer.id.clone(), track.clone(), true).await.expect("muted");
    assert!(matches!(bo.notices.recv().await, Some(Notice::TrackMuted { muted: true, .. })));
    let counters = node.counters().await;
    assert_eq!((counters.peers, counters.connected, counters.tracks, counters.joins_total), (2, 1, 1, 2));
    assert_eq!(node.rooms().await.len(), 1);
    assert_eq!(node.room("lobby".into()).await.expect("a room").peers.len(), 2);
    node.leave(ada.peer.id.clone(), LeaveReason::Left).await.expect("left");
    assert!(matches!(bo.notices.recv().await, Some(Notice::PeerLeft { .. })));
    assert_eq!(node.stats(ada.peer.id).await, Err(NodeError::NoSuchPeer));
    assert_eq!(engine.take().last().map(String::as_str), Some("close leg 0"));
}

#[tokio::test(start_paused = true)]
async fn time_passes_by_itself() {
    let (node, _sink, engine) = start(NodeLimits::default());
    let mut ada = node.join(request("Ada")).await.expect("joined");
    let wish = Negotiation { sdp: OfferText::new("Ada").data("0").text(), ..Negotiation::default() };
    let before = tokio::time::Instant::now();
    node.negotiate(ada.peer.id.clone(), wish).await.expect("answered");
    assert!(matches!(ada.notices.recv().await, Some(Notice::Error { code: "not_connected", .. })));
    assert_eq!(ada.notices.recv().await, Some(Notice::Closed { reason: CloseReason::Timeout }));
    assert_eq!(ada.notices.recv().await, None);
    let waited = before.elapsed();
    assert!(waited >= Duration::from_secs(30) && waited < Duration::from_secs(31), "{waited:?}");
    assert_eq!(engine.take().last().map(String::as_str), Some("remove leg 0"));
}

#[tokio::test(start_paused = true)]
async fn commands_that_were_refused_are_tried_again_soon() {
    use std::sync::atomic::Ordering;
    let (node, _sink, engine) = start(NodeLimits::default());
    let ada = node.join(request("Ada")).await.expect("joined");
    engine.full.store(true, Ordering::Relaxed);
    let wish = Negotiation { sdp: OfferText::new("Ada").data("0").text(), ..Negotiation::default() };
    node.negotiate(ada.peer.id, wish).await.expect("answered");
    engine.full.store(false, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert_eq!(engine.take(), ["secure leg 0 with data 262144", "add leg 0 for Adaufrag"]);
}

#[tokio::test(start_paused = true)]
async fn a_drain_ends_the_actor() {
    let (node, _sink, engine) = start(NodeLimits::default());
    let mut ada = node.join(request("Ada")).await.expect("joined");
    let wish = Negotiation { sdp: OfferText::new("Ada").data("0").text(), ..Negotiation::default() };
    node.negotiate(ada.peer.id, wish).await.expect("answered");
    node.drain().await;
    assert_eq!(engine.take().last().map(String::as_str), Some("close leg 0"));
    assert_eq!(ada.notices.recv().await, Some(Notice::Closed { reason: CloseReason::Shutdown }));
    assert_eq!(node.join(request("Bo")).await.map(|_| ()), Err(NodeError::ShuttingDown));
    assert_eq!(node.counters().await, NodeCounters::default());
    node.drain().await;
}

#[tokio::test(start_paused = true)]
async fn whoever_stops_waiting_for_a_join_leaves_no_ghost() {
    let (node, _sink, _engine) = start(NodeLimits::default());
    {
        let join = node.join(request("Ada"));
        tokio::pin!(join);
        // Polled once, so that the request is on its way, and then given up.
        assert!(futures_poll(join.as_mut()).is_pending());
    }
    assert_eq!(node.counters().await.peers, 0);
    assert!(node.rooms().await.is_empty());
}

fn futures_poll<F: Future>(future: std::pin::Pin<&mut F>) -> std::task::Poll<F::Output> {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    future.poll(&mut context)
}

#[tokio::test]
async fn an_engine_that_nobody_can_reach_is_refused() {
    let (node, _sink) = Node::new(NodeConfig::default());
    let result = node.start_with(Arc::new(FakeEngine::new(0)), Random::system());
    assert_eq!(result.map(|_| ()), Err(StartError::NoAddress));
}

#[tokio::test]
async fn advertised_addresses_replace_the_bound_ones() {
    let (node, _sink) = Node::new(NodeConfig {
        advertise: vec!["203.0.113.9".parse().expect("an address")],
        ..NodeConfig::default()
    });
    let handle = node.start_with(Arc::new(FakeEngine::new(1)), fake::random()).expect("started");
    let ada = handle.join(request("Ada")).await.expect("joined");
    let wish = Negotiation { sdp: OfferText::new("Ada").data("0").text(), ..Negotiation::default() };
    let answer = handle.negotiate(ada.peer.id, wish).await.expect("answered");
    assert!(answer.sdp.contains(" 203.0.113.9 7000 typ host") && !answer.sdp.contains("192.0.2.1"));
    assert!(!answer.sdp.contains("tcptype"), "TCP was not enabled");
}
