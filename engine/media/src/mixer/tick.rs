//! The way of a tick: levels, voices, the sum, and what each hears.

use super::line::{Group, Line};
use super::participant::{Hears, Participant, Sends};
use super::room::{Room, id_of};
use super::speakers::{Candidates, Talk, choose};
use super::{Audience, ParticipantId, RoomConfig, RoomEvent};
use crate::jitter::{Played, Scratch};
use crate::kernel;
use crate::level::{Limiter, SILENCE_DBOV, measure};
use crate::outgoing::OutPacket;
use crate::transcode::SendKeys;

/// Those in a room, at a tick.
struct Present<'a> {
    participants: &'a mut [Option<Participant>],
    tick: u64,
}

impl Candidates for Present<'_> {
    fn count(&self) -> usize {
        self.participants.len()
    }

    fn talk(&mut self, index: usize) -> Option<(&mut Talk, bool)> {
        let participant = self.participants[index].as_mut().filter(|participant| participant.may_speak())?;
        let free = participant.may_change(self.tick);
        Some((&mut participant.talk, free))
    }
}

impl Room {
    /// Mixes the tick that begins now; gives the packets to `send` (each to a participant), and tells `events` what
    /// happened.
    pub fn tick(
        &mut self,
        now_ns: u64,
        send: &mut dyn FnMut(ParticipantId, &OutPacket<'_>),
        events: &mut dyn FnMut(RoomEvent),
    ) {
        self.hear(now_ns, events);
        choose(
            &mut Present { participants: &mut self.participants, tick: self.tick },
            self.config.speakers_max,
        );
        self.add_up(now_ns, events);
        self.add_prompts(events);
        self.assign();
        self.encode_shared();
        self.serve(send, events);
        self.tick += 1;
        self.counters.ticks += 1;
    }

    /// Looks at everybody's level; decodes those who are heard, and those who do not tell their level.
    fn hear(&mut self, now_ns: u64, events: &mut dyn FnMut(RoomEvent)) {
        let Room { participants, generations, config, scratch, counters, .. } = self;
        for (index, participant) in present(participants) {
            let mut key = |key| events(RoomEvent::Key(id_of(generations, index), key));
            participant.decoded = false;
            participant.events.tick(now_ns, &mut key);
            let told = participant.playout.next_level();
            let wanted = participant.heard || participant.detector.is_some();
            let level = if wanted || told.is_none() && participant.may_speak() {
                counters.decodes += u64::from(participant.playout.has_begun());
                let played = participant.decode(now_ns, scratch);
                if let Some(detector) = &mut participant.detector {
                    detector.listen(&participant.frame, &mut key);
                }
                // What is invented or noise keeps nobody in the room's ear.
                if played == Played::Audio { measure(&participant.frame) } else { SILENCE_DBOV }
            } else {
                told.unwrap_or(SILENCE_DBOV)
            };
            if participant.may_speak() {
                participant.talk.note(level, config.tick_ms);
            } else {
                participant.talk.fall_silent();
            }
        }
    }

    /// Sums the voices of those who are heard; who comes or goes does so over this tick.
    fn add_up(&mut self, now_ns: u64, events: &mut dyn FnMut(RoomEvent)) {
        let Room { participants, generations, config, scratch, counters, sum, .. } = self;
        sum.fill(0);
        for (index, participant) in present(participants) {
            let was = participant.heard;
            let is = participant.talk.is_heard() && participant.may_speak();
            participant.in_sum = was || is;
            participant.heard = is;
            if !participant.in_sum {
                if !participant.decoded {
                    participant.playout.skip(now_ns, participant.frame.len());
                }
                continue;
            }
            if !participant.decoded {
                counters.decodes += 1;
                participant.decode(now_ns, scratch);
            }
            participant.gain.apply(&mut participant.frame);
            if let Some(level) = &mut participant.auto_level {
                level.apply(config.rate, &mut participant.frame);
            }
            if was != is {
                let [from, to] = if is { [0.0, 1.0] } else { [1.0, 0.0] };
                kernel::ramp(&mut participant.frame, from, to);
                let id = id_of(generations, index);
                events(if is { RoomEvent::Speaks(id) } else { RoomEvent::Silent(id) });
            }
            kernel::add(sum, &participant.frame);
        }
    }

    /// What sounds for all in the conversation, and for all on hold.
    fn add_prompts(&mut self, events: &mut dyn FnMut(RoomEvent)) {
        self.prompts.add_to(&mut self.sum, &mut |token| {
            events(RoomEvent::PromptOver(Audience::Room, token));
        });
        if let Some(music) = &mut self.music {
            self.music_sum.fill(0);
            music.add_to(&mut self.music_sum);
        }
    }

    /// Says who hears which mix, where a packet of theirs begins.
    fn assign(&mut self) {
        let Room { participants, groups, codecs, config, tick, .. } = self;
        groups.iter_mut().for_each(Group::begin_tick);
        for (_, participant) in present(participants) {
            let wanted = participant.wants();
            let Some(sends) = &mut participant.sends else { continue };
            let group = &mut groups[sends.group];
            if *tick % sends.room_ticks == 0 && wanted != sends.hears.kind() {
                if let Hears::Own(line) = sends.hears {
                    group.give_back(line);
                }
                sends.hears = match wanted {
                    Hears::Own(_) => {
                        group.take(config.rate, config.tick_ms, codecs).map_or(Hears::Shared, Hears::Own)
                    }
                    other => other,
                };
                match sends.hears {
                    Hears::Shared => group.shared.refresh(),
                    Hears::Held => group.held.refresh(),
                    Hears::Own(_) => {}
                }
            }
            if participant.listens {
                group.count(sends.hears);
            }
        }
    }

    /// Encodes what many hear, once for each codec.
    fn encode_shared(&mut self) {
        let Room {
            groups, config, sum, music_sum, mix, frame, limiter, music_limiter, tick, counters, ..
        } = self;
        let voices = self.participants.iter().flatten().any(|participant| participant.in_sum);
        if config.record || groups.iter().any(|group| group.shared_listeners > 0) {
            limiter.apply(config.rate, sum, mix);
        }
        if groups.iter().any(|group| group.held_listeners > 0) {
            music_limiter.apply(config.rate, music_sum, frame);
        }
        for group in groups {
            let begins = *tick % group.room_ticks(config.tick_ms) == 0;
            let both = [
                (&mut group.shared, group.shared_listeners, &*mix),
                (&mut group.held, group.held_listeners, &*frame),
            ];
            for (line, listeners, mix) in both {
                counters.encodes += line.feed_for(listeners, begins, mix, voices) as u64;
                counters.failed += line.take_failed();
            }
        }
    }

    /// Gives everybody their packets; encodes for those who hear what nobody else does.
    fn serve(
        &mut self,
        send: &mut dyn FnMut(ParticipantId, &OutPacket<'_>),
        events: &mut dyn FnMut(RoomEvent),
    ) {
        let Room { participants, generations, groups, config, sum, music_sum, rest, frame, counters, .. } =
            self;
        for (index, participant) in present(participants) {
            let id = id_of(generations, index);
            let Participant { sends, prompts, in_sum, frame: voice, held, listens, .. } = participant;
            let Some(sends) = sends else { continue };
            let group = &mut groups[sends.group];
            let line = match sends.hears {
                Hears::Shared => &group.shared,
                Hears::Held => &group.held,
                Hears::Own(line) => {
                    let base = if *held { &*music_sum } else { &*sum };
                    if *in_sum && !*held {
                        kernel::without(base, voice, rest);
                    } else {
                        rest.copy_from_slice(base);
                    }
                    if prompts.is_alone() {
                        rest.fill(0);
                    }
                    prompts.add_to(rest, &mut |token| {
                        events(RoomEvent::PromptOver(Audience::One(id), token));
                    });
                    let line = group.own(line);
                    counters.encodes += feed_own(line, &mut sends.limiter, config, rest, frame) as u64;
                    counters.failed += line.take_failed();
                    &*line
                }
            };
            counters.packets += give(line, sends, *listens, &mut |packet| send(id, packet));
        }
    }
}

fn present(participants: &mut [Option<Participant>]) -> impl Iterator<Item = (usize, &mut Participant)> {
    participants
        .iter_mut()
        .enumerate()
        .filter_map(|(index, participant)| Some((index, participant.as_mut()?)))
}

fn feed_own(
    line: &mut Line,
    limiter: &mut Limiter,
    config: &RoomConfig,
    sums: &[i32],
    frame: &mut [i16],
) -> usize {
    limiter.apply(config.rate, sums, frame);
    line.feed(frame, true)
}

/// A line's packets under a participant's numbers; gives how many there were.
fn give(line: &Line, sends: &mut Sends, listens: bool, send: &mut dyn FnMut(&OutPacket<'_>)) -> u64 {
    let mut packets = 0;
    let mut event_payload = [0; 4];
    for payload in line.payloads() {
        sends.outgoing.tick(sends.ticks);
        if let SendKeys::Events(payload_type) = sends.keys
            && sends.events.is_busy()
        {
            if let Some(event) = sends.events.tick(sends.outgoing.timestamp(), sends.ticks) {
                send(&sends.outgoing.event(payload_type, &event, &mut event_payload));
                packets += 1;
            }
        } else if payload.is_empty() || !listens {
            sends.outgoing.pause();
        } else {
            send(&sends.outgoing.audio(sends.payload_type, line.level(), payload));
            packets += 1;
        }
    }
    packets
}

impl Participant {
    fn decode(&mut self, now_ns: u64, scratch: &mut Scratch) -> Played {
        self.decoded = true;
        self.playout.pull(now_ns, &mut self.frame, scratch)
    }

    /// Which mix it is to hear; an own one is named without its line.
    fn wants(&self) -> Hears {
        match self {
            Participant { in_sum: true, held: false, .. } => Hears::OWN,
            Participant { prompts, .. } if !prompts.is_empty() => Hears::OWN,
            Participant { held: true, .. } => Hears::Held,
            _ => Hears::Shared,
        }
    }
}
