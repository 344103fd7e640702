//! Legs, and the streams and senders on them: how they come and go.

use std::fmt::Write as _;

use crate::command::{
    ExtensionIds, LegConfig, LegId, MediaKind, SenderConfig, SenderId, StreamConfig, StreamId,
};
use crate::event::CommandError;
use crate::leg::{Arrivals, Leg, Owner};
use crate::outbox::Way;
use crate::sender::{Mapping, Sender};
use crate::state::State;
use crate::stream::Stream;
use crate::{Time, extensions, limits, sender, stream};

impl State {
    pub(super) fn add_leg(&mut self, config: LegConfig, now: Time) -> Result<(), CommandError> {
        if !extensions::are_valid(&config.extensions) {
            return Err(CommandError::Invalid);
        }
        if self.legs.contains(config.leg) {
            return Err(CommandError::Duplicate);
        }
        if self.legs.is_full() {
            return Err(CommandError::Full);
        }
        let (agent, ports) = self.transport(config.transport, now)?;
        let fragment = agent.as_ref().map(|agent| agent.current.local_ufrag.clone());
        // RFC 7022 section 4.2: a short-term name of 96 random bits.
        let mut cname = String::new();
        (0..3).for_each(|_| _ = write!(cname, "{:08x}", self.random.u32()));
        let own_ssrc = self.random.ssrc();
        let leg = Leg::new(config.leg, agent, ports, config.extensions, (own_ssrc, cname), now);
        let due = leg.consent_due();
        let locals: arrayvec::ArrayVec<u32, 2> = leg.locals().collect();
        let index = self.legs.insert(config.leg, leg);
        fragment.into_iter().for_each(|fragment| _ = self.fragments.insert(fragment, index));
        locals.into_iter().for_each(|local| _ = self.locals.insert(local, index));
        self.settle_patience(index);
        self.wake(index, due);
        Ok(())
    }

    pub(super) fn set_extensions(&mut self, leg: LegId, ids: ExtensionIds) -> Result<(), CommandError> {
        let index = self.legs.index(leg).ok_or(CommandError::UnknownLeg)?;
        if !extensions::are_valid(&ids) {
            return Err(CommandError::Invalid);
        }
        let leg = self.legs.get_mut(index).ok_or(CommandError::UnknownLeg)?;
        leg.set_extensions(ids);
        Ok(())
    }

    pub(super) fn remove_leg(&mut self, id: LegId) -> Result<(), CommandError> {
        let index = self.legs.index(id).ok_or(CommandError::UnknownLeg)?;
        self.say_goodbye(index);
        let leg = self.legs.get_mut(index).ok_or(CommandError::UnknownLeg)?;
        let (streams, senders) = (std::mem::take(&mut leg.streams), std::mem::take(&mut leg.senders));
        for stream in streams {
            let id = self.streams.get(stream).map(|stream| stream.id);
            id.into_iter().for_each(|id| _ = self.end_stream(id));
        }
        for sender in senders {
            let id = self.senders.get(sender).map(|sender| sender.id);
            id.into_iter().for_each(|id| _ = self.end_sender(id));
        }
        if let Some((_, leg)) = self.legs.remove(id) {
            self.bridges -= usize::from(leg.bridge.is_some());
            leg.locals().for_each(|local| _ = self.locals.remove(&local));
            if let Some(agent) = &leg.agent {
                agent.paths().for_each(|path| _ = self.paths.remove(&path));
                self.fragments.remove(&agent.current.local_ufrag);
                agent.previous.iter().for_each(|it| _ = self.fragments.remove(&it.local_ufrag));
            }
        }
        self.agenda.forget(index);
        self.outbox.forget(index);
        Ok(())
    }

    pub(super) fn add_stream(
        &mut self,
        leg: LegId,
        id: StreamId,
        config: StreamConfig,
    ) -> Result<(), CommandError> {
        let leg_index = self.legs.index(leg).ok_or(CommandError::UnknownLeg)?;
        let names = stream::check(&config).ok_or(CommandError::Invalid)?;
        let leg = self.legs.get_mut(leg_index).ok_or(CommandError::UnknownLeg)?;
        let taken = |ssrc: Option<u32>| ssrc.is_some_and(|ssrc| leg.sources.get(ssrc).is_some());
        if self.streams.contains(id) || taken(config.ssrc) || taken(config.rtx_ssrc) {
            return Err(CommandError::Duplicate);
        }
        if leg.bridge.is_some() {
            return Err(CommandError::Invalid);
        }
        if self.streams.is_full() || leg.streams.len() >= limits::STREAMS_PER_LEG {
            return Err(CommandError::Full);
        }
        let mut stream = Stream::new(id, leg_index, config, names);
        if stream.kind == MediaKind::Video {
            stream.cache.reserve();
        }
        if stream.transport_cc && leg.arrivals.is_none() {
            leg.arrivals = Some(Arrivals::new());
        }
        let (ssrc, repair_ssrc) = (stream.ssrc, stream.repair_ssrc);
        let index = self.streams.insert(id, stream);
        leg.streams.push(index);
        for (ssrc, repair) in [(ssrc, false), (repair_ssrc, true)] {
            ssrc.into_iter().for_each(|ssrc| _ = leg.sources.bind(ssrc, Owner { index, repair }));
        }
        self.settle_patience(leg_index);
        Ok(())
    }

    pub(super) fn remove_stream(&mut self, id: StreamId) -> Result<(), CommandError> {
        self.end_stream(id).ok_or(CommandError::UnknownStream)
    }

    fn end_stream(&mut self, id: StreamId) -> Option<()> {
        let (index, mut stream) = self.streams.remove(id)?;
        stream.cache.clear(&mut self.arena);
        self.forwards.stream_left(index, &mut self.arena);
        for sender in &stream.senders {
            if let Some(sender) = self.senders.get_mut(*sender) {
                sender.route.take_if(|route| route.stream == index);
                sender.pending.take_if(|route| route.stream == index);
                sender.mapping.interrupt();
            }
        }
        self.cut_links(&stream);
        if stream.import.is_some() {
            return Some(());
        }
        let leg = self.legs.get_mut(stream.leg)?;
        leg.streams.retain(|other| *other != index);
        for ssrc in [stream.ssrc, stream.repair_ssrc].into_iter().flatten() {
            leg.sources.remove(ssrc);
        }
        let still_wanted =
            leg.streams.iter().any(|it| self.streams.get(*it).is_some_and(|it| it.transport_cc));
        if !still_wanted {
            leg.arrivals = None;
        }
        self.settle_patience(stream.leg);
        Some(())
    }

    pub(super) fn add_sender(
        &mut self,
        leg: LegId,
        id: SenderId,
        config: SenderConfig,
    ) -> Result<(), CommandError> {
        let leg_index = self.legs.index(leg).ok_or(CommandError::UnknownLeg)?;
        let mid = sender::check(&config).ok_or(CommandError::Invalid)?;
        let leg = self.legs.get_mut(leg_index).ok_or(CommandError::UnknownLeg)?;
        let mut ssrcs = std::iter::once(config.ssrc).chain(config.rtx_ssrc);
        if self.senders.contains(id)
            || ssrcs.any(|ssrc| leg.sinks.get(ssrc).is_some() || leg.retired.contains(&ssrc))
        {
            return Err(CommandError::Duplicate);
        }
        if self.senders.is_full()
            || leg.senders.len() >= limits::SENDERS_PER_LEG
            || leg.retired.len() >= limits::RETIRED_SSRCS
        {
            return Err(CommandError::Full);
        }
        let mapping = Mapping::new(self.random.first_sequence(), self.random.u32());
        let rtx_sequence = self.random.first_sequence() as u16;
        let (ssrc, rtx_ssrc) = (config.ssrc, config.rtx_ssrc);
        let sender = Sender::new(id, leg_index, config, mid, mapping, rtx_sequence);
        let index = self.senders.insert(id, sender);
        leg.senders.push(index);
        leg.sinks.bind(ssrc, Owner { index, repair: false });
        rtx_ssrc.into_iter().for_each(|ssrc| _ = leg.sinks.bind(ssrc, Owner { index, repair: true }));
        Ok(())
    }

    pub(super) fn remove_sender(&mut self, id: SenderId) -> Result<(), CommandError> {
        let index = self.senders.index(id).ok_or(CommandError::UnknownSender)?;
        let sender = self.senders.get(index).ok_or(CommandError::UnknownSender)?;
        if let Some(bye) = self.goodbye(sender.leg, &[sender.ssrc]) {
            self.post(sender.leg, Way::Rtcp, &bye);
        }
        self.end_sender(id).ok_or(CommandError::UnknownSender)
    }

    fn end_sender(&mut self, id: SenderId) -> Option<()> {
        let index = self.senders.index(id)?;
        self.leave_streams(index);
        let (_, sender) = self.senders.remove(id)?;
        self.gone_senders.push(index);
        let arena = &mut self.arena;
        self.repairs.retain(|repair| {
            let stays = repair.sender != index;
            if !stays {
                arena.release(repair.slot);
            }
            stays
        });
        let leg = self.legs.get_mut(sender.leg)?;
        leg.senders.retain(|other| *other != index);
        for ssrc in std::iter::once(sender.ssrc).chain(sender.rtx_ssrc) {
            leg.sinks.remove(ssrc);
            // What was used under these keys cannot come back: a new sender would begin at another number.
            if let Some(outbound) = leg.outbound.session_mut().filter(|outbound| outbound.roc(ssrc).is_some())
                && outbound.retire_ssrc(ssrc).is_ok()
            {
                leg.retired.push(ssrc);
            }
        }
        Some(())
    }
}
