//! Many calls at once, made by sipp, with two phones beside that say how it sounds.

use kaname_tests::Error;
use kaname_tests::telephony::sipp::Datagrams;
use kaname_tests::telephony::{Exchange, Lab, Load, Relay, Style};

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
    let before = Datagrams::now()?;
    let mut packets = 0;
    for call in &running {
        let sides = exchange.relay.sides(call).await?;
        assert!(sides.len() == 2 && sides.iter().all(|packets| *packets > 0), "{call}: {sides:?}");
        packets += sides.iter().sum::<u64>();
    }
    assert!(packets > 0);
    bob.hears(440, 2000).await?;
    alice.hears(1000, 2000).await?;
    // What comes in goes out: each call's two senders make 100 packets a second, and each is received twice, at the relay
    // and at the other end. For the two seconds that were heard that is 400 a call; be content with half of it.
    let after = Datagrams::now()?;
    let received = after.received - before.received;
    assert!(received > 200 * calls as u64, "{received} datagrams in at least two seconds of {calls} calls");
    let (overrun, most) = (after.overrun - before.overrun, received / 1000);
    assert!(overrun <= most, "{overrun} of {received} were lost at full sockets");
    alice.hang_up().await?;
    load.finished().await?;
    exchange.cleared().await
}

scenarios!(many_calls);
