//! A proxy with a relay behind it, and phones that call each other through them.

use super::{Kamailio, Lab, Phone, Relay, RelayNode, Socket, Style};
use crate::Error;

/// Where the stock configuration expects the relay's control port.
pub const CONTROL: u16 = 2223;

/// One relay, one proxy.
pub struct Exchange {
    /// Where it stands.
    pub lab: Lab,
    /// The proxy.
    pub proxy: Kamailio,
    /// The relay.
    pub relay: RelayNode,
}

impl Exchange {
    /// Starts the relay, then the proxy, which asks for it once at its start.
    pub async fn open(lab: Lab, relay: Relay) -> Result<Exchange, Error> {
        let relay = RelayNode::start(&lab, relay, "relay", CONTROL).await?;
        let proxy = Kamailio::start(&lab, &[CONTROL]).await?;
        Ok(Exchange { lab, proxy, relay })
    }

    /// A phone, registered.
    pub async fn phone(&self, party: &str, style: Style, hz: u32) -> Result<Phone, Error> {
        Phone::start(&self.lab, party, style, hz).await
    }

    /// Waits until nothing is left of the calls: no call known, and no port open.
    pub async fn cleared(&mut self) -> Result<(), Error> {
        self.relay.empty().await?;
        super::until("closed media ports", async || Socket::ports("relay").ok().filter(Vec::is_empty))
            .await?;
        Ok(())
    }
}
