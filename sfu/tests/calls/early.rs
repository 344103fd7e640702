//! Ahead of the last answer: nothing before the first, media from then on.

use std::time::Duration;

use crate::phone::{Phone, rtp_address};
use crate::rtp::about;
use crate::support::{World, config};

/// As long as a packet over loopback could be on its way.
const A_WHILE: Duration = Duration::from_millis(100);

#[tokio::test]
async fn nobody_is_heard_or_sent_to_before_an_answer_and_a_provisional_one_suffices() {
    let world = World::start(config((27_000, 27_099)));
    let mut proxy = world.proxy().await;
    let (mut caller, mut callee) = (Phone::new("127.0.0.1", 1).await, Phone::new("127.0.0.1", 2).await);
    let mut stranger = Phone::new("127.0.0.3", 3).await;
    let offer = about("offer", "c1", "a", "").with("sdp", caller.describe("8", &[]));
    let to_caller = rtp_address(&proxy.describe(offer).await);
    // Whoever finds the port, or is early: the caller's phone rings in nobody's voice, and nobody gets a byte.
    for _ in 0..20 {
        stranger.say(to_caller, 8, b"hear me").await;
        callee.say(to_caller, 8, b"early").await;
    }
    assert!(caller.hears_nothing(A_WHILE).await);
    assert!(stranger.hears_nothing(Duration::ZERO).await && callee.hears_nothing(Duration::ZERO).await);

    // 183: an announcement, one way.
    let answer = |lines: &[&str]| about("answer", "c1", "a", "b").with("sdp", callee.describe("8", lines));
    let (ringing, picked_up) = (answer(&["a=sendonly"]), answer(&[]));
    let to_callee = rtp_address(&proxy.describe(ringing).await);
    callee.say(to_caller, 8, b"ringing").await;
    assert_eq!(caller.hear().await.payload, b"ringing", "and nothing of what came too early");
    stranger.say(to_caller, 8, b"hear me").await;
    caller.say(to_callee, 8, b"is anybody there").await;
    assert!(callee.hears_nothing(A_WHILE).await, "it only sends so far");
    // 200: the same ports, both ways.
    assert_eq!(rtp_address(&proxy.describe(picked_up).await), to_callee);
    caller.say(to_callee, 8, b"hello").await;
    assert_eq!(callee.hear().await.payload, b"hello");
    callee.say(to_caller, 8, b"who is it").await;
    assert_eq!(caller.hear().await.payload, b"who is it");
    assert!(stranger.hears_nothing(Duration::ZERO).await);
}
