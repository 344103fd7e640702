//! What negotiating needs besides the call itself.

use std::sync::Arc;

use kaname_engine::Fingerprint;

use super::actor::Now;
use super::config::CallsConfig;
use super::engine::CallEngine;
use super::error::CallError;
use super::formats;
use super::forwarding::{self, Forwarder};
use super::ids::Numbers;
use super::model::{Call, Party};
use super::outbox::Outbox;
use super::paint::paint;
use super::plan::{Home, Picture};
use super::ports::{OwnPorts, PortBook, Shard};
use super::random::Random;
use crate::ng::sdp::Format;

/// Everything that calls share.
pub(super) struct Tools {
    pub(super) engine: Arc<dyn CallEngine>,
    pub(super) outbox: Outbox,
    pub(super) config: CallsConfig,
    pub(super) ports: PortBook,
    pub(super) ids: Numbers,
    pub(super) random: Random,
    /// Of our certificate.
    pub(super) fingerprint: Option<Fingerprint>,
    /// The way to the receiver of sound, if there is one.
    pub(super) forwarder: Option<Arc<Forwarder>>,
    /// What marks our descriptions, so that we know them again.
    pub(super) loop_mark: String,
}

impl Tools {
    pub(super) fn new(engine: Arc<dyn CallEngine>, config: CallsConfig, mut random: Random) -> Tools {
        let fingerprint = engine.fingerprint().parse().ok();
        let ports = PortBook::new(&config.interfaces, config.ports, config.port_rest, &mut random);
        let (loop_mark, ids) = (random.letters(16), Numbers::new(random.number()));
        let outbox = Outbox::new(Arc::clone(&engine));
        let forwarder = config.forward.clone().map(Forwarder::new);
        Tools { engine, outbox, config, ports, ids, random, fingerprint, forwarder, loop_mark }
    }

    /// Whether a format can be coded here.
    pub(super) fn can(&self, format: &Format) -> bool {
        formats::codec(format).is_some_and(|codec| self.engine.codecs().has(codec))
    }

    /// The ports of one m-line of a party, opened when they are first needed.
    pub(super) fn ports_of(
        &mut self,
        now: Now,
        home: Home,
        tos: u8,
        party: &mut Party,
        media: usize,
        v4: Option<bool>,
    ) -> Result<OwnPorts, CallError> {
        let line = &mut party.medias[media];
        if let Some(ports) = line.ports.filter(|ports| v4.is_none_or(|v4| ports.address.is_ipv4() == v4)) {
            return Ok(ports);
        }
        let mut shard = Shard { engine: &self.engine, outbox: &mut self.outbox, id: home.shard };
        let opened = self.ports.open(now.at, &mut shard, &party.interface, v4, tos);
        let ports = match (opened, line.ports) {
            (Ok(ports), _) => ports,
            // A family that an interface lacks is no reason to end what flows.
            (Err(CallError::NoFamily(_)), Some(ports)) => return Ok(ports),
            (Err(error), _) => return Err(error),
        };
        if let Some(old) = line.ports.replace(ports) {
            self.ports.close(now.at, &mut self.outbox, home.shard, old);
        }
        Ok(ports)
    }

    /// The same, of the other family where the party's interface lacks this one.
    pub(super) fn some_ports_of(
        &mut self,
        now: Now,
        home: Home,
        tos: u8,
        party: &mut Party,
        media: usize,
        v4: Option<bool>,
    ) -> Result<OwnPorts, CallError> {
        match self.ports_of(now, home, tos, party, media, v4) {
            Err(CallError::NoFamily(_)) => self.ports_of(now, home, tos, party, media, None),
            ports => ports,
        }
    }

    /// Closes all ports of a party.
    pub(super) fn close_ports(&mut self, now: Now, home: Home, party: &mut Party) {
        for line in &mut party.medias {
            if let Some(ports) = line.ports.take() {
                self.ports.close(now.at, &mut self.outbox, home.shard, ports);
            }
        }
    }

    /// Tells the engine to do what the call is now.
    pub(super) fn replan(&mut self, call: &mut Call, fresh: bool) {
        let picture = paint(call);
        let steps = call.told.change(&picture, fresh, &mut self.ids);
        self.outbox.tell(call.shard(), call.worker, steps);
    }

    /// Tells the engine that the call is over, and closes its ports.
    pub(super) fn end(&mut self, now: Now, call: &mut Call) {
        forwarding::end(self, call, |_| true);
        let steps = call.told.change(&Picture::new(), false, &mut self.ids);
        self.outbox.tell(call.shard(), call.worker, steps);
        let home = call.told.home();
        for party in &mut call.parties {
            self.close_ports(now, home, party);
        }
    }
}
