//! Where a leg's peer is, and how its media is protected.

use std::hash::BuildHasher;

use kaname_srtp::{Inbound, Keying, Outbound};
use kaname_wire::path::Path;

use crate::command::{IceCredentials, Keyed, LegId, Remote, Transport};
use crate::event::{CommandError, Event};
use crate::leg::{Agent, Bridge, Credentials, Leg, Ports, Print, Receiving, RtcpKeys, Sending, ice_is_valid};
use crate::outbox::Way;
use crate::state::State;
use crate::{Time, limits};

impl State {
    /// The two halves of a new leg's transport, if nothing of it is taken.
    pub(super) fn transport(
        &self,
        transport: Transport,
        now: Time,
    ) -> Result<(Option<Agent>, Option<Ports>), CommandError> {
        let (ice, ports) = match transport {
            Transport::Ice(ice) => (Some(ice), None),
            Transport::Ports(ports) => (ports.ice.clone(), Some(ports)),
        };
        if ice.as_ref().is_some_and(|ice| !ice_is_valid(ice)) {
            return Err(CommandError::Invalid);
        }
        if ports.as_ref().is_some_and(|ports| ports.rtcp == Some(ports.rtp)) {
            return Err(CommandError::Invalid);
        }
        let mut locals = ports.iter().flat_map(|ports| std::iter::once(ports.rtp).chain(ports.rtcp));
        let has_fragment = |ice: &IceCredentials| self.fragments.contains_key(&ice.local_ufrag);
        if ice.as_ref().is_some_and(has_fragment) || locals.any(|local| self.locals.contains_key(&local)) {
            return Err(CommandError::Duplicate);
        }
        let rtcp = ports.as_ref().and_then(|ports| ports.rtcp);
        let ports = ports.map(|it| Ports::new(it.rtp, it.rtcp, it.ice.is_some(), it.remote, now));
        Ok((ice.map(|ice| Agent::new(ice, rtcp)), ports))
    }

    pub(super) fn restart_ice(&mut self, leg: LegId, ice: IceCredentials) -> Result<(), CommandError> {
        let index = self.legs.index(leg).ok_or(CommandError::UnknownLeg)?;
        if !ice_is_valid(&ice) {
            return Err(CommandError::Invalid);
        }
        if self.fragments.contains_key(&ice.local_ufrag) {
            return Err(CommandError::Duplicate);
        }
        let leg = self.legs.get_mut(index).ok_or(CommandError::UnknownLeg)?;
        let agent = leg.agent.as_mut().ok_or(CommandError::Invalid)?;
        self.fragments.insert(ice.local_ufrag.clone(), index);
        let before = std::mem::replace(&mut agent.current, Credentials::new(ice));
        // A restart of a restart: credentials that never nominated are void.
        if let Some(oldest) = agent.previous.replace(before) {
            self.fragments.remove(&oldest.local_ufrag);
        }
        Ok(())
    }

    pub(super) fn set_remote(&mut self, leg: LegId, remote: Remote, now: Time) -> Result<(), CommandError> {
        let index = self.legs.index(leg).ok_or(CommandError::UnknownLeg)?;
        let leg = self.legs.get_mut(index).ok_or(CommandError::UnknownLeg)?;
        let could_send = leg.can_send();
        leg.ports.as_mut().ok_or(CommandError::Invalid)?.set_remote(remote, now);
        leg.settle();
        if leg.can_send() && !could_send {
            self.leg_is_ready(index, now);
        }
        Ok(())
    }

    /// The peer of a leg on ports of its own was learned to be elsewhere.
    pub(crate) fn moved(&mut self, index: u32, now: Time) {
        let Some(leg) = self.legs.get_mut(index) else { return };
        let could_send = leg.can_send();
        leg.settle();
        let (leg_id, can_send) = (leg.id, leg.can_send());
        if let Some(path) = leg.path() {
            self.events.push_back(Event::RemoteLearned { leg: leg_id, path });
        }
        if can_send && !could_send {
            self.leg_is_ready(index, now);
        }
    }

    pub(super) fn set_plain(&mut self, leg: LegId, now: Time) -> Result<(), CommandError> {
        let index = self.legs.index(leg).ok_or(CommandError::UnknownLeg)?;
        let leg = self.legs.get_mut(index).ok_or(CommandError::UnknownLeg)?;
        // Whoever comes over ICE on the shared port speaks SRTP.
        if leg.ports.is_none() {
            return Err(CommandError::Invalid);
        }
        leg.rtcp_keys = None;
        leg.receive(Receiving::Plain, None);
        if !matches!(leg.outbound, Sending::Plain) {
            leg.send_with(Sending::Plain, None);
            self.rekeyed.push(index);
        }
        self.secured(index, now);
        Ok(())
    }

    pub(super) fn set_keys(
        &mut self,
        leg: LegId,
        inbound: &Keying,
        outbound: &Keying,
        now: Time,
    ) -> Result<(), CommandError> {
        let index = self.legs.index(leg).ok_or(CommandError::UnknownLeg)?;
        self.key(index, inbound, outbound, now)?;
        self.legs.get_mut(index).ok_or(CommandError::UnknownLeg)?.rtcp_keys = None;
        Ok(())
    }

    pub(super) fn set_keys_of(
        &mut self,
        leg: LegId,
        of: Keyed,
        inbound: &Keying,
        outbound: &Keying,
        now: Time,
    ) -> Result<(), CommandError> {
        let index = self.legs.index(leg).ok_or(CommandError::UnknownLeg)?;
        let backend = self.backend;
        let leg = self.legs.get_mut(index).ok_or(CommandError::UnknownLeg)?;
        if leg.ports.as_ref().is_none_or(|ports| ports.rtcp.is_none()) {
            return Err(CommandError::Invalid);
        }
        if of == Keyed::Rtcp {
            let (receives, sends) = (print(&leg.cname, inbound), print(&leg.cname, outbound));
            let keys = leg.rtcp_keys.get_or_insert_default();
            return keys.set(backend, (inbound, receives), (outbound, sends));
        }
        self.key(index, inbound, outbound, now)?;
        let leg = self.legs.get_mut(index).ok_or(CommandError::UnknownLeg)?;
        leg.rtcp_keys.get_or_insert_default();
        Ok(())
    }

    /// Keys for media, and for reports unless those have their own.
    fn key(
        &mut self,
        index: u32,
        inbound: &Keying,
        outbound: &Keying,
        now: Time,
    ) -> Result<(), CommandError> {
        let backend = self.backend;
        let leg = self.legs.get_mut(index).ok_or(CommandError::UnknownLeg)?;
        let receives = print(&leg.cname, inbound);
        let sends = print(&leg.cname, outbound);
        // A new offer with the same key is no new key: what was counted under it counts on.
        let keeps_sending = leg.outbound_print == Some(sends);
        // The same key again from the start would take the same indices again (RFC 3711 section 9.1).
        if !keeps_sending && leg.outbound_prints.contains(&sends.0) {
            return Err(CommandError::Duplicate);
        }
        if leg.inbound_print != Some(receives) {
            let back = leg.put_aside.iter().position(|(print, _)| *print == receives);
            let session = match back {
                Some(at) => leg.put_aside.remove(at).1,
                None => Inbound::new(backend, inbound),
            };
            leg.receive(Receiving::Secure(session), Some(receives));
        }
        if !keeps_sending {
            leg.outbound_prints.push(sends.0);
            leg.send_with(Sending::Secure(Outbound::new(backend, outbound)), Some(sends));
            self.rekeyed.push(index);
        }
        self.secured(index, now);
        Ok(())
    }

    /// Media flows from now on.
    fn secured(&mut self, index: u32, now: Time) {
        let Some(leg) = self.legs.get_mut(index) else { return };
        leg.report_due = now + limits::REPORT_INTERVAL / 4;
        let (due, can_send) = (leg.report_due, leg.can_send());
        self.wake(index, Some(due));
        self.settle_patience(index);
        if can_send {
            self.leg_is_ready(index, now);
        }
    }

    /// The leg can be sent to from now on: its subscriber has seen nothing yet, or nothing for a while.
    pub(crate) fn leg_is_ready(&mut self, index: u32, now: Time) {
        self.wake(index, Some(now));
        let count = self.legs.get(index).map_or(0, |leg| leg.senders.len());
        for at in 0..count {
            let sender = self.legs.get(index).and_then(|leg| self.senders.get(leg.senders[at]));
            let streams = sender.map(|sender| sender.streams().collect::<arrayvec::ArrayVec<u32, 2>>());
            for stream in streams.into_iter().flatten() {
                self.want_key_frame(stream, true, now);
            }
        }
    }

    pub(super) fn bridge(&mut self, leg: LegId, to: Option<LegId>) -> Result<(), CommandError> {
        let index = self.legs.index(leg).ok_or(CommandError::UnknownLeg)?;
        let is_fit = |leg: &Leg| leg.ports.is_some() && leg.agent.is_none() && leg.streams.is_empty();
        if to == Some(leg) || !self.legs.get(index).is_some_and(is_fit) {
            return Err(CommandError::Invalid);
        }
        if to.is_some_and(|to| !self.legs.contains(to)) {
            return Err(CommandError::UnknownLeg);
        }
        let leg = self.legs.get_mut(index).ok_or(CommandError::UnknownLeg)?;
        self.bridges += usize::from(leg.bridge.replace(Bridge(to)).is_none());
        Ok(())
    }

    pub(super) fn send_datagram(
        &mut self,
        leg: LegId,
        path: Option<Path>,
        data: &[u8],
    ) -> Result<(), CommandError> {
        let index = self.legs.index(leg).ok_or(CommandError::UnknownLeg)?;
        if data.is_empty() || data.len() > limits::DATAGRAM_LEN {
            return Err(CommandError::Invalid);
        }
        let leg = self.legs.get(index).ok_or(CommandError::UnknownLeg)?;
        // A leg with ICE answers over validated paths alone (RFC 8445 section 12.1).
        let may_take = |path: &Path| match &leg.ports {
            Some(ports) if leg.agent.is_none() => ports.has(path.local),
            _ => self.paths.get(path) == Some(&index),
        };
        let path = match path {
            Some(path) => Some(path).filter(may_take),
            None => leg.path(),
        };
        self.post(index, Way::Plain(path.ok_or(CommandError::NoPath)?), data);
        Ok(())
    }

    /// A last RTCP BYE for what the leg was sent, protected now as its keys are about to go.
    pub(super) fn say_goodbye(&mut self, index: u32) {
        let Some(leg) = self.legs.get(index).filter(|leg| leg.can_send()) else { return };
        let ssrcs: arrayvec::ArrayVec<u32, 128> =
            leg.senders.iter().filter_map(|sender| Some(self.senders.get(*sender)?.ssrc)).take(128).collect();
        if ssrcs.is_empty() {
            return;
        }
        let Some(plain) = self.goodbye(index, &ssrcs) else { return };
        let Some(leg) = self.legs.get_mut(index) else { return };
        let Some(path) = leg.rtcp_path() else { return };
        let mut bytes = [0; limits::SLOT_LEN];
        let bytes = match leg.rtcp_outbound() {
            Sending::Closed => return,
            Sending::Plain => &plain[..],
            Sending::Secure(outbound) => match outbound.protect_rtcp(&plain, &mut bytes) {
                Ok(len) => &bytes[..len],
                Err(_) => return,
            },
        };
        self.post(index, Way::Plain(path), bytes);
    }
}

impl Leg {
    /// Another way to read what comes in. A session whose key may come back is put aside with its counters.
    fn receive(&mut self, receiving: Receiving, print: Option<Print>) {
        let was = std::mem::replace(&mut self.inbound, receiving);
        let was_print = std::mem::replace(&mut self.inbound_print, print);
        if let (Receiving::Secure(session), Some(print), true) = (was, was_print, self.ports.is_some()) {
            if self.put_aside.len() >= limits::PUT_ASIDE {
                self.put_aside.remove(0);
            }
            self.put_aside.push((print, session));
        }
    }

    /// Another way to protect what goes out.
    fn send_with(&mut self, sending: Sending, print: Option<Print>) {
        (self.outbound, self.outbound_print) = (sending, print);
        self.exhausted = false;
        self.retired.clear();
    }
}

impl RtcpKeys {
    /// A keying that is in use goes on as it was; one of ours that was is refused, as of media.
    fn set(
        &mut self,
        backend: kaname_srtp::Backend,
        (inbound, receives): (&Keying, Print),
        (outbound, sends): (&Keying, Print),
    ) -> Result<(), CommandError> {
        let keeps_sending = self.outbound_print == Some(sends);
        if !keeps_sending && self.outbound_prints.contains(&sends.0) {
            return Err(CommandError::Duplicate);
        }
        if self.inbound_print != Some(receives) {
            self.inbound = Receiving::Secure(Inbound::new(backend, inbound));
            self.inbound_print = Some(receives);
        }
        if !keeps_sending {
            self.outbound_prints.push(sends.0);
            self.outbound = Sending::Secure(Outbound::new(backend, outbound));
            self.outbound_print = Some(sends);
        }
        Ok(())
    }
}

/// Tells keyings apart without keeping them: not reversible in practice, and worthless to an attacker who reads
/// memory, where the session keys stand anyway.
fn print(salt: &str, keying: &Keying) -> Print {
    let hash = foldhash::quality::FixedState::with_seed(0).hash_one((salt, keying.key(), keying.salt()));
    (hash, keying.profile())
}
