//! What is due when time passes, leg by leg.

use crate::Time;
use crate::event::Event;
use crate::limits::CACHE_AGE;
use crate::state::State;

impl State {
    /// Looks at every leg that is due.
    pub(crate) fn pass(&mut self, now: Time) {
        self.arena.replenish();
        let mut from = 0;
        while let Some(leg) = self.agenda.take_due(from, now) {
            self.look_at(leg, now);
            from = leg + 1;
        }
        self.agenda.settle();
    }

    fn look_at(&mut self, index: u32, now: Time) {
        self.check_consent(index, now);
        let count = self.legs.get(index).map_or(0, |leg| leg.streams.len());
        for at in 0..count {
            let stream = self.legs.get(index).and_then(|leg| leg.streams.get(at)).copied();
            stream.into_iter().for_each(|stream| self.look_at_stream(stream, now));
        }
        self.report_arrivals(index, now);
        self.report(index, now);
        self.schedule(index);
    }

    fn look_at_stream(&mut self, index: u32, now: Time) {
        self.ask_for_missing(index, now);
        let Some(stream) = self.streams.get_mut(index) else { return };
        stream.cache.forget(now - CACHE_AGE, &mut self.arena);
        if stream.key_frames.due().is_some_and(|due| due <= now) {
            self.ask_for_key_frame(index, now);
        }
    }

    /// RFC 7675 section 5.1: without a good check for the consent time, sending stops.
    fn check_consent(&mut self, index: u32, now: Time) {
        let State { legs, paths, events, .. } = self;
        let Some(leg) = legs.get_mut(index) else { return };
        let Some(agent) = &mut leg.agent else { return };
        agent.expire(now, |path| _ = paths.remove(&path));
        if agent.loses_consent(now, leg.began, leg.ports.is_some()) {
            events.push_back(Event::ConsentLost { leg: leg.id });
        }
        leg.settle();
    }

    fn schedule(&mut self, index: u32) {
        let Some(leg) = self.legs.get(index) else { return };
        let consent = leg.consent_due();
        let report = leg.can_send().then_some(leg.report_due);
        let arrivals = leg.arrivals.as_ref().and_then(|arrivals| arrivals.due());
        let streams = leg.streams.iter().filter_map(|stream| self.streams.get(*stream));
        let streams = streams.flat_map(|stream| {
            let cache = (!stream.cache.is_empty()).then_some(leg.report_due);
            // A request that cannot be sent yet was put off by the one who tried.
            let asks = stream.ssrc.is_some() && leg.can_send();
            [stream.missing.due().filter(|_| asks), stream.key_frames.due().filter(|_| asks), cache]
        });
        let due = streams.flatten().chain([consent, report, arrivals].into_iter().flatten()).min();
        self.wake(index, due);
    }
}
