//! How calls end: because somebody says so, because nobody answers, or because nobody speaks.

use kaname_engine::core::event::{CommandError, Event, LegStats};
use kaname_engine::{EngineEvent, ShardId};

use super::actor::Now;
use super::asker::Asker;
use super::figures;
use super::limits::LOOK_INTERVAL;
use super::model::Call;
use super::plan::SideKey;
use super::quality::Quality;
use super::record::{CallRecord, MediaRecord, PartyRecord};
use super::state::{CallKey, Question, State, Task};

impl State {
    /// Every 100 ms.
    pub(super) fn tick(&mut self, now: Now) {
        self.flush();
        self.expire_jobs(now);
        self.tick_doors(now);
        self.end_calls(now);
        self.look(now);
    }

    fn end_calls(&mut self, now: Now) {
        let config = &self.tools.config;
        let since = |then: std::time::Instant| now.at.saturating_duration_since(then);
        let over = |call: &Call| match call.ends {
            Some(ends) if now.at >= ends => Some("deleted"),
            Some(_) => None,
            None if call.answered.is_none() => {
                (since(call.last_signal.at) >= config.unanswered).then_some("unanswered")
            }
            None => {
                let patience = if call.is_held() { config.hold } else { config.silence };
                (since(call.last_media) >= patience).then_some("silence")
            }
        };
        let ended: Vec<_> = self.calls.iter().filter_map(|(key, call)| Some((*key, over(call)?))).collect();
        for (key, reason) in ended {
            self.end(now, key, reason, None);
        }
    }

    /// Asks legs whether anything came, each once in a while.
    fn look(&mut self, now: Now) {
        let due = |call: &&mut Call| call.answered.is_some() && now.at >= call.next_look;
        let mut keys = Vec::new();
        for (key, call) in self.calls.iter_mut().filter(|(_, call)| due(call)) {
            call.next_look = now.at + LOOK_INTERVAL;
            keys.push(*key);
        }
        for key in keys {
            if let Some(call) = self.calls.remove(&key) {
                self.ask(&call, |side| Question::Look(key, side));
                self.calls.insert(key, call);
            }
        }
    }

    /// The call is over; its record and the reply follow once its figures are known.
    pub(super) fn end(&mut self, now: Now, key: CallKey, reason: &'static str, asker: Option<Asker>) {
        let Some(mut call) = self.calls.remove(&key) else { return };
        self.names.remove(&call.id);
        let number = self.fresh();
        let waits = self.ask(&call, |side| Question::Job(number, side));
        for (number, _) in call.numbers() {
            self.owners.remove(&number);
        }
        self.end_recording(&mut call);
        self.leave_seat(&call);
        self.tools.end(now, &mut call);
        self.begin(now, number, Task::End { call: Box::new(call), reason, asker, ended: now }, waits);
    }

    /// A call that never was.
    pub(super) fn forget(&mut self, now: Now, key: CallKey) {
        let Some(mut call) = self.calls.remove(&key) else { return };
        self.names.remove(&call.id);
        self.counters.calls_total = self.counters.calls_total.saturating_sub(1);
        self.tools.end(now, &mut call);
    }

    /// All figures are there, or will not come.
    pub(super) fn finish(&mut self, now: Now, task: Task) {
        match task {
            Task::Query { call, asker, tags, warning } => {
                let answer = self.calls.get(&call).map(|call| figures::of_call(call, &tags));
                let mut answer = answer.unwrap_or_else(super::requests::ok);
                if let Some(warning) = warning {
                    answer = answer.with("warning", warning);
                }
                self.answer(now, asker, &answer);
            }
            Task::End { call, reason, asker, ended } => {
                self.record(&call, reason, ended);
                if let Some(asker) = asker {
                    let answer = figures::of_call(&call, &[]);
                    self.answer(now, asker, &answer);
                }
            }
        }
    }

    fn record(&mut self, call: &Call, reason: &'static str, ended: Now) {
        let answered = call.answered.map(|now| now.unix);
        let seconds = answered.map_or(0, |answered| ended.unix.saturating_sub(answered));
        *self.counters.ended_total.entry(reason).or_default() += 1;
        self.counters.seconds_total += seconds;
        let lines = call.parties.iter().flat_map(|party| &party.medias);
        let packets =
            lines.filter_map(|line| line.stats.as_ref()).map(|stats| received(stats).0).sum::<u64>();
        self.counters.packets_total += packets;
        let record = CallRecord {
            call_id: &call.id,
            began: call.created.unix,
            answered,
            ended: ended.unix,
            seconds,
            reason,
            room: call.room(),
            wrong_pins: call.seat.as_ref().map(|seat| seat.wrong_pins).filter(|wrong| *wrong > 0),
            parties: call.parties.iter().filter(|party| !party.hidden).map(party_record).collect(),
        };
        self.records.keep(&record);
    }

    /// Ends all calls: the node stops.
    pub(super) fn stop(&mut self, now: Now) {
        let keys: Vec<CallKey> = self.calls.keys().copied().collect();
        for key in keys {
            self.end(now, key, "stopped", None);
        }
        let jobs: Vec<_> = self.jobs.drain().map(|(_, job)| job.task).collect();
        for task in jobs {
            self.finish(now, task);
        }
        self.flush();
    }

    pub(super) fn event(&mut self, now: Now, shard: ShardId, event: EngineEvent) {
        match event {
            EngineEvent::Core(Event::Stats { token, stats }) => self.figures(now, token, stats),
            EngineEvent::Core(Event::StreamStarted { stream, ssrc }) => {
                if let Some((call, side)) = self.owner(stream.0)
                    && let Some(line) = call.line_mut(side)
                {
                    line.heard_ssrc = Some(ssrc);
                }
            }
            EngineEvent::Core(Event::RemoteLearned { leg, path }) => {
                if let Some((call, side)) = self.owner(leg.0) {
                    tracing::info!(call = %call.id, party = side.party, address = %path.remote, "learned where a phone is");
                }
            }
            EngineEvent::Core(Event::KeyExhausted { leg }) => {
                if let Some((key, _)) = self.owners.get(&leg.0).copied() {
                    self.end(now, key, "keys used up", None);
                }
            }
            EngineEvent::Core(Event::CommandFailed { leg, command, error }) => {
                self.failed(leg.map(|l| l.0), command, error)
            }
            EngineEvent::Secured { leg, profile, dtls } => {
                if let Some((call, _)) = self.owner(leg.0) {
                    tracing::debug!(call = %call.id, leg = leg.0, ?profile, dtls, "secured");
                }
            }
            EngineEvent::SecureFailed { leg, reason } => {
                if let Some((call, side)) = self.owner(leg.0) {
                    tracing::warn!(call = %call.id, party = side.party, %reason, "no keys: this side hears nothing");
                    *self.counters.commands_failed_total.entry("no_keys").or_default() += 1;
                }
            }
            EngineEvent::RtcpSecureFailed { leg, reason } => {
                if let Some((call, side)) = self.owner(leg.0) {
                    tracing::info!(call = %call.id, party = side.party, %reason, "no keys for RTCP: no reports");
                }
            }
            EngineEvent::Audio(event) => self.audio_event(now, event),
            EngineEvent::ShardFailed { message } => {
                tracing::error!(shard = shard.0, message, "a shard died; its calls end");
                let here = |call: &&Call| call.shard() == shard;
                let keys: Vec<CallKey> =
                    self.calls.iter().filter(|(_, call)| here(call)).map(|(key, _)| *key).collect();
                keys.into_iter().for_each(|key| self.end(now, key, "fault", None));
            }
            // The handshake workers' business, or nobody's.
            _ => {}
        }
    }

    pub(super) fn owner(&mut self, number: u32) -> Option<(&mut Call, SideKey)> {
        let (key, side) = self.owners.get(&number)?;
        Some((self.calls.get_mut(key)?, *side))
    }

    fn failed(&mut self, leg: Option<u32>, command: &'static str, error: CommandError) {
        let reason = match error {
            CommandError::UnknownLeg => "unknown_leg",
            CommandError::UnknownStream => "unknown_stream",
            CommandError::UnknownSender => "unknown_sender",
            CommandError::Duplicate => "duplicate",
            CommandError::Full => "full",
            CommandError::NoPath => "no_path",
            CommandError::Invalid => "invalid",
        };
        *self.counters.commands_failed_total.entry(reason).or_default() += 1;
        let call = leg.and_then(|leg| self.owner(leg)).map(|(call, _)| call.id.clone());
        tracing::warn!(call, command, reason, "a shard refused a command");
    }
}

impl Call {
    /// New figures of a side: whether anything came since the last ones.
    pub(super) fn take_figures(&mut self, now: std::time::Instant, side: SideKey, stats: Box<LegStats>) {
        let Some(line) = self.line_mut(side) else { return };
        let before = line.stats.as_ref().map_or(0, |stats| received(stats).0);
        let came = received(&stats).0 > before;
        line.stats = Some(stats);
        if came {
            self.last_media = now;
        }
    }
}

/// Packets and bytes of media that came.
pub(super) fn received(stats: &LegStats) -> (u64, u64) {
    if stats.streams.is_empty() {
        // A fax: whatever came.
        return (stats.packets_in, stats.bytes_in);
    }
    stats
        .streams
        .iter()
        .fold((0, 0), |(packets, bytes), stream| (packets + stream.packets, bytes + stream.bytes))
}

/// The same that left.
pub(super) fn sent(stats: &LegStats) -> (u64, u64) {
    if stats.senders.is_empty() {
        return (stats.packets_out, stats.bytes_out);
    }
    stats
        .senders
        .iter()
        .fold((0, 0), |(packets, bytes), sender| (packets + sender.packets, bytes + sender.bytes))
}

fn party_record(party: &super::model::Party) -> PartyRecord<'_> {
    let media = |line: &'_ super::model::Media| {
        let stats = line.stats.as_deref().cloned().unwrap_or_default();
        let (packets_received, bytes_received) = received(&stats);
        let (packets_sent, bytes_sent) = sent(&stats);
        (stats, packets_received, bytes_received, packets_sent, bytes_sent)
    };
    let medias = party.medias.iter().map(|line| {
        let (stats, packets_received, bytes_received, packets_sent, bytes_sent) = media(line);
        let format = line.agreed.as_ref().and_then(|agreed| agreed.formats.first());
        let (codec, clock_rate) = format.map_or(("", 8_000), |f| (f.name.as_str(), f.clock_rate));
        MediaRecord {
            kind: &line.kind,
            protocol: line.agreed.as_ref().map_or("", |agreed| &agreed.protocol),
            codec,
            address: stats.path.as_ref().map(|path| path.remote.to_string()),
            packets_received,
            bytes_received,
            packets_sent,
            bytes_sent,
            quality: Quality::of(&stats, codec, clock_rate),
        }
    });
    PartyRecord {
        tag: &party.tag,
        label: party.label.as_deref(),
        keys: party.keys_heard,
        forwarded: party.forwarded,
        medias: medias.collect(),
    }
}
