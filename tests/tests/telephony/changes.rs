//! Calls that change: re-INVITE, hold and resume, transfer, and who hangs up.

use kaname_tests::Error;
use kaname_tests::telephony::{Exchange, Lab, Phone, Relay, Socket, Style};

const ALICE_HZ: u32 = 440;
const BOB_HZ: u32 = 1000;
const CAROL_HZ: u32 = 700;

/// Both hear each other.
async fn both_hear(one: &Phone, other: &Phone) -> Result<(), Error> {
    one.hears(other.hz, 1000).await?;
    other.hears(one.hz, 1000).await
}

async fn reinvite_hold_and_resume(lab: Lab, relay: Relay) -> Result<(), Error> {
    let mut exchange = Exchange::open(lab, relay).await?;
    let mut alice = exchange.phone("alice", Style::Plain, ALICE_HZ).await?;
    let mut bob = exchange.phone("bob", Style::Sdes, BOB_HZ).await?;
    alice.call(&bob.user).await?;
    bob.event("CALL_ESTABLISHED").await?;
    both_hear(&alice, &bob).await?;
    let ports = Socket::ports("relay")?;
    alice.forget();
    // A re-INVITE that changes nothing, from either side: the sound goes on, over the same ports.
    alice.command("reinvite", "").await?;
    alice.event("CALL_REMOTE_SDP").await?;
    both_hear(&alice, &bob).await?;
    alice.forget();
    bob.command("reinvite", "").await?;
    alice.event("CALL_REMOTE_SDP").await?;
    both_hear(&alice, &bob).await?;
    assert_eq!(Socket::ports("relay")?, ports, "other ports");
    for _ in 0..2 {
        bob.forget();
        alice.command("hold", "").await?;
        bob.event("CALL_REMOTE_SDP").await?;
        bob.hears_nothing().await?;
        alice.hears_nothing().await?;
        bob.forget();
        alice.command("resume", "").await?;
        bob.event("CALL_REMOTE_SDP").await?;
        both_hear(&alice, &bob).await?;
    }
    // The callee holds, too.
    alice.forget();
    bob.command("hold", "").await?;
    alice.event("CALL_REMOTE_SDP").await?;
    alice.hears_nothing().await?;
    bob.command("resume", "").await?;
    both_hear(&alice, &bob).await?;
    // And it is the callee who hangs up.
    bob.hang_up().await?;
    alice.closed().await?;
    exchange.cleared().await
}

async fn blind_transfer(lab: Lab, relay: Relay) -> Result<(), Error> {
    let mut exchange = Exchange::open(lab, relay).await?;
    let mut alice = exchange.phone("alice", Style::Plain, ALICE_HZ).await?;
    let mut bob = exchange.phone("bob", Style::Sdes, BOB_HZ).await?;
    let mut carol = exchange.phone("carol", Style::Dtls, CAROL_HZ).await?;
    alice.call(&bob.user).await?;
    bob.event("CALL_ESTABLISHED").await?;
    both_hear(&alice, &bob).await?;
    // Alice sends Bob to Carol: Bob calls her by himself, and Alice is out.
    alice.transfer(&carol.user).await?;
    carol.event("CALL_ESTABLISHED").await?;
    alice.closed().await?;
    both_hear(&bob, &carol).await?;
    assert_eq!(exchange.relay.ng.calls().await?.len(), 1);
    carol.hang_up().await?;
    bob.closed().await?;
    exchange.cleared().await
}

async fn transfer_after_a_word(lab: Lab, relay: Relay) -> Result<(), Error> {
    let mut exchange = Exchange::open(lab, relay).await?;
    let mut alice = exchange.phone("alice", Style::Plain, ALICE_HZ).await?;
    let mut bob = exchange.phone("bob", Style::Opus, BOB_HZ).await?;
    let mut carol = exchange.phone("carol", Style::Sdes, CAROL_HZ).await?;
    bob.call(&alice.user).await?;
    alice.event("CALL_ESTABLISHED").await?;
    both_hear(&alice, &bob).await?;
    // Bob waits while Alice asks Carol.
    alice.command("hold", "").await?;
    bob.hears_nothing().await?;
    alice.call(&carol.user).await?;
    carol.event("CALL_ESTABLISHED").await?;
    // Alice's phone mixes two calls into one ear, badly: what she hears is no measure.
    carol.hears(ALICE_HZ, 1000).await?;
    assert_eq!(exchange.relay.ng.calls().await?.len(), 2);
    alice.hang_up().await?;
    carol.closed().await?;
    carol.forget();
    alice.transfer(&carol.user).await?;
    carol.event("CALL_ESTABLISHED").await?;
    both_hear(&bob, &carol).await?;
    bob.hang_up().await?;
    carol.closed().await?;
    exchange.cleared().await
}

scenarios!(reinvite_hold_and_resume blind_transfer transfer_after_a_word);
