//! Two relays behind one proxy: one is drained, one dies.

use kaname_tests::Error;
use kaname_tests::telephony::{Kamailio, Lab, Load, Phone, Relay, RelayNode, Style, until};

/// Control ports.
const FIRST: u16 = 2223;
const SECOND: u16 = 2224;
/// Calls that are begun at once. With two relays in use, all of them on one is a chance of one in half a million.
const CALLS: usize = 20;

/// Two relays, a proxy, and a call between two phones.
struct Pair {
    lab: Lab,
    proxy: Kamailio,
    /// The relay that carries the call.
    busy: RelayNode,
    /// The other one.
    idle: RelayNode,
    alice: Phone,
    bob: Phone,
}

impl Pair {
    async fn open(lab: Lab, relay: Relay) -> Result<Pair, Error> {
        let mut first = RelayNode::start(&lab, relay, "relay", FIRST).await?;
        let second = RelayNode::start(&lab, relay, "spare", SECOND).await?;
        let proxy = Kamailio::start(&lab, &[FIRST, SECOND]).await?;
        assert_eq!(proxy.relays_enabled().await?, [true, true]);
        let mut alice = Phone::start(&lab, "alice", Style::Plain, 440).await?;
        let mut bob = Phone::start(&lab, "bob", Style::Sdes, 1000).await?;
        alice.call(&bob.user).await?;
        bob.event("CALL_ESTABLISHED").await?;
        let on_first = first.ng.calls().await?.len() == 1;
        let (busy, idle) = if on_first { (first, second) } else { (second, first) };
        let pair = Pair { lab, proxy, busy, idle, alice, bob };
        pair.sounds().await?;
        Ok(pair)
    }

    async fn sounds(&self) -> Result<(), Error> {
        self.bob.hears(440, 1000).await?;
        self.alice.hears(1000, 1000).await
    }
}

/// New calls, all of which must come to this relay.
async fn all_come_to(lab: &Lab, relay: &mut RelayNode) -> Result<(), Error> {
    let load = Load::start(lab, CALLS, 8_000).await?;
    let ng = &mut relay.ng;
    until("new calls at the other relay", async || ng.calls().await.ok().filter(|c| c.len() == CALLS))
        .await?;
    load.finished().await
}

async fn both_are_used(lab: Lab, relay: Relay) -> Result<(), Error> {
    let mut pair = Pair::open(lab, relay).await?;
    let load = Load::start(&pair.lab, CALLS, 8_000).await?;
    let (busy, idle) = (&mut pair.busy.ng, &mut pair.idle.ng);
    until("calls on both relays", async || {
        let (busy, idle) = (busy.calls().await.ok()?.len(), idle.calls().await.ok()?.len());
        (busy + idle == CALLS + 1 && busy > 1 && idle > 0).then_some(())
    })
    .await?;
    load.finished().await?;
    pair.alice.hang_up().await?;
    pair.busy.empty().await?;
    pair.idle.empty().await
}

async fn a_drained_relay_keeps_its_calls_and_gets_no_new_ones(lab: Lab, relay: Relay) -> Result<(), Error> {
    let mut pair = Pair::open(lab, relay).await?;
    pair.busy.drain().await?;
    all_come_to(&pair.lab, &mut pair.idle).await?;
    // The drained one answers for its call, which goes on, and ends as usual.
    pair.sounds().await?;
    assert_eq!(pair.busy.ng.calls().await?.len(), 1);
    assert_eq!(pair.proxy.relays_enabled().await?, [true, true], "`load limit` is no failure");
    pair.bob.hang_up().await?;
    pair.alice.closed().await?;
    pair.idle.empty().await
}

async fn a_dead_relay_is_disabled_and_calls_go_to_the_other(lab: Lab, relay: Relay) -> Result<(), Error> {
    let Pair { lab, proxy, busy, mut idle, .. } = Pair::open(lab, relay).await?;
    let first_died = busy.control.port() == FIRST;
    busy.kill().await?;
    all_come_to(&lab, &mut idle).await?;
    assert_eq!(proxy.relays_enabled().await?, [!first_died, first_died]);
    idle.empty().await
}

scenarios!(
    both_are_used
    a_drained_relay_keeps_its_calls_and_gets_no_new_ones
    a_dead_relay_is_disabled_and_calls_go_to_the_other
);
