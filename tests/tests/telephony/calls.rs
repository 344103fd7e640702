//! Two phones talk: plain, encrypted, transcoded.

use kaname_tests::Error;
use kaname_tests::telephony::{Exchange, Lab, Phone, Relay, Style, within};

/// Tones that no codec confuses.
const ALICE_HZ: u32 = 440;
const BOB_HZ: u32 = 1000;

/// Two phones, a call between them, both hear the other for a while.
async fn talk(lab: Lab, relay: Relay, alice: Style, bob: Style) -> Result<(Exchange, Phone, Phone), Error> {
    let exchange = Exchange::open(lab, relay).await?;
    assert_eq!(exchange.proxy.relays_enabled().await?, [true]);
    let mut alice = exchange.phone("alice", alice, ALICE_HZ).await?;
    let mut bob = exchange.phone("bob", bob, BOB_HZ).await?;
    alice.call(&bob.user).await?;
    bob.event("CALL_ESTABLISHED").await?;
    bob.hears(ALICE_HZ, 2000).await?;
    alice.hears(BOB_HZ, 2000).await?;
    Ok((exchange, alice, bob))
}

async fn hang_up(mut exchange: Exchange, mut alice: Phone, mut bob: Phone) -> Result<(), Error> {
    alice.hang_up().await?;
    bob.closed().await?;
    exchange.cleared().await
}

async fn plain_to_sdes(lab: Lab, relay: Relay) -> Result<(), Error> {
    let (mut exchange, alice, mut bob) = talk(lab, relay, Style::Plain, Style::Sdes).await?;
    // The one who is called does not do without encryption, and its own word is that it is on.
    bob.event("CALL_MENC").await?;
    assert_eq!(exchange.relay.ng.calls().await?.len(), 1);
    hang_up(exchange, alice, bob).await
}

async fn dtmf(alice: &mut Phone, bob: &mut Phone) -> Result<(), Error> {
    alice.press("159#").await?;
    assert_eq!(bob.keys(4).await?, "159#");
    bob.press("*042").await?;
    assert_eq!(alice.keys(4).await?, "*042");
    Ok(())
}

async fn g711_to_opus(lab: Lab, relay: Relay) -> Result<(), Error> {
    let (exchange, mut alice, mut bob) = talk(lab, relay, Style::Plain, Style::SdesOpus).await?;
    bob.decodes("opus")?;
    alice.decodes("PCMA")?;
    dtmf(&mut alice, &mut bob).await?;
    hang_up(exchange, alice, bob).await
}

async fn dtls_to_plain(lab: Lab, relay: Relay) -> Result<(), Error> {
    let (exchange, mut alice, mut bob) = talk(lab, relay, Style::Dtls, Style::Plain).await?;
    dtmf(&mut alice, &mut bob).await?;
    hang_up(exchange, alice, bob).await
}

async fn plain_to_dtls(lab: Lab, relay: Relay) -> Result<(), Error> {
    let (exchange, mut alice, mut bob) = talk(lab, relay, Style::Plain, Style::Dtls).await?;
    // The phone does not multiplex, so it shakes hands twice.
    for port in ["RTP", "RTCP"] {
        let done = format!("DTLS-SRTP complete (audio/{port})");
        assert!(relay != Relay::Kaname || bob.log().contains(&done), "{done}");
    }
    dtmf(&mut alice, &mut bob).await?;
    hang_up(exchange, alice, bob).await
}

async fn dtls_to_plain_where_the_relay_begins(lab: Lab, relay: Relay) -> Result<(), Error> {
    let (exchange, alice, bob) = talk(lab, relay, Style::DtlsServer, Style::Plain).await?;
    // As it logs its part.
    assert!(relay != Relay::Kaname || alice.log().contains("start DTLS server"));
    hang_up(exchange, alice, bob).await
}

async fn dtls_to_dtls_with_certificates_of_two_kinds(lab: Lab, relay: Relay) -> Result<(), Error> {
    let (exchange, alice, bob) = talk(lab, relay, Style::Dtls, Style::DtlsElliptic).await?;
    hang_up(exchange, alice, bob).await
}

/// The short one that always runs: through the node, from plain to encrypted and back.
#[test]
fn a_phone_in_the_clear_talks_with_one_that_encrypts() {
    within("telephony-short", |lab| plain_to_sdes(lab, Relay::Kaname));
}

scenarios!(
    plain_to_sdes
    g711_to_opus
    dtls_to_plain
    plain_to_dtls
    dtls_to_plain_where_the_relay_begins
    dtls_to_dtls_with_certificates_of_two_kinds
);
