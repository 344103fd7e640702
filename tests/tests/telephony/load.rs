//! Many calls at once, made by sipp, with two phones beside that say how it sounds.

use kaname_tests::Error;
use kaname_tests::telephony::{Exchange, Lab, Load, Relay, Socket, Style, until};

/// Longer than it takes to begin all calls and to look at each.
const TALK_MS: u64 = 20_000;

async fn many_calls(lab: Lab, relay: Relay) -> Result<(), Error> {
    let calls = if std::env::var_os("KANAME_FULL").is_some() { 100 } else { 50 };
    let mut exchange = Exchange::open(lab, relay).await?;
    let load = Load::start(&exchange.lab, calls, TALK_MS).await?;
    let running = load.up(&mut exchange).await?;
    let mut alice = exchange.phone("alice", Style::Plain, 440).await?;
    let bob = exchange.phone("bob", Style::Sdes, 1000).await?;
    alice.call(&bob.user).await?;
    for call in &running {
        let sides = exchange.relay.sides(call).await?;
        assert!(sides.len() == 2 && sides.iter().all(|packets| *packets > 0), "{call}: {sides:?}");
    }
    // What came in went out, in both directions. (sipp has one media socket for all of its calls, and never reads it: what
    // is sent to it is counted there, as dropped, once the socket is full.)
    for party in ["caller", "callee"] {
        let enough = 100 * calls as u64;
        let reached = async || {
            let arrived: u64 = Socket::of(party).ok()?.iter().map(|socket| socket.drops).sum();
            (arrived >= enough).then_some(())
        };
        until("packets at both ends of the calls", reached).await?;
    }
    bob.hears(440, 2000).await?;
    alice.hears(1000, 2000).await?;
    let relays = Socket::of("relay")?;
    let full: Vec<&Socket> = relays.iter().filter(|socket| socket.drops > 0).collect();
    assert!(full.is_empty(), "the relay was too slow: {full:?}");
    alice.hang_up().await?;
    load.finished().await?;
    exchange.cleared().await
}

scenarios!(many_calls);
