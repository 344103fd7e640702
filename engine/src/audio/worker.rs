//! An audio worker's thread. It wakes for turns, not for packets: what came meanwhile is taken in ahead of them.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use foldhash::fast::FixedState;
use kaname_core::command::LinkId;
use kaname_core::{Time, Told};
use kaname_io::thread_cpu_time;
use kaname_media::codec::Codecs;
use kaname_media::jitter::{Inserted, Packet, Scratch};
use kaname_media::mixer::ParticipantId;
use kaname_wire::extension::AudioLevel;

use super::figures::{AudioFigures, bump};
use super::item::{Around, Item, Work};
use super::port::AudioPort;
use super::record::{Desk, Recorders};
use super::wheel::{SLOT_MS, Wheel};
use super::{AudioError, AudioEvent, AudioId, RecordOf};
use crate::limits::{
    AUDIO_CATCH_UP_MS, LOOK_ASKS, LOOK_EACH, PATIENCE_LEAD, PATIENCE_MAX, PATIENCE_NEAR, PUBLISH_TIME,
    RESUME, STOPPED,
};
use crate::mesh::{Inbox, Mesh};
use crate::port::Sink;
use crate::shard::panic_message;
use crate::{EngineEvent, ShardId};

/// How long a worker sleeps at most: it then looks whether the engine stops.
const NAP: Duration = Duration::from_secs(1);

/// Commands that are carried out between two turns: each costs some microseconds, that of a room a millisecond.
const COMMAND_TURN: usize = 16;

const SLOT_NS: u64 = SLOT_MS as u64 * 1_000_000;
const CATCH_UP: u64 = AUDIO_CATCH_UP_MS / SLOT_MS as u64;

/// What an audio worker shares with the rest of the engine.
pub(crate) struct Surroundings {
    /// Its number among the audio workers, and its place in the mesh.
    pub(crate) worker: usize,
    pub(crate) index: usize,
    pub(crate) ports: Arc<[AudioPort]>,
    pub(crate) mesh: Arc<Mesh>,
    pub(crate) desk: Arc<Desk>,
    pub(crate) sink: Arc<Sink>,
    pub(crate) stop: Arc<AtomicBool>,
    pub(crate) codecs: Codecs,
    /// Time zero of the engine.
    pub(crate) epoch: Instant,
}

/// Runs until the engine stops.
pub(crate) fn run(around: Surroundings) {
    around.ports[around.worker].attach(thread::current());
    let mut worker = Worker::new(around);
    while !worker.around.stop.load(Ordering::Acquire) {
        let begun = worker.clock();
        let next = worker.round(begun);
        let now = worker.clock();
        worker.account(now, now.since(begun));
        if let Some(left) = next.map(|next| next.since(now)).filter(|left| !left.is_zero()) {
            bump(&worker.figures().wakeups, 1);
            thread::park_timeout(left.min(NAP));
        }
    }
    worker.end();
}

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Item(u32),
    Member(u32, ParticipantId),
    Recorder(u32),
}

/// Who takes what comes over a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Feed {
    pub(super) item: u32,
    pub(super) member: Option<ParticipantId>,
}

/// By link, as each packet asks.
type ByLink<T> = HashMap<LinkId, T, FixedState>;

pub(super) struct Worker {
    pub(super) around: Surroundings,
    pub(super) items: Vec<Option<Item>>,
    pub(super) free: Vec<u32>,
    pub(super) names: HashMap<AudioId, Place>,
    pub(super) feeds: ByLink<Vec<Feed>>,
    /// Who sends over a link.
    pub(super) ways: ByLink<Feed>,
    pub(super) wheel: Wheel,
    pub(super) recorders: Recorders,
    /// The points of each, by channel.
    pub(super) recorded: HashMap<u32, Vec<Option<RecordOf>>>,
    /// How many are in rooms.
    pub(super) members: usize,
    scratch: Scratch,
    /// The slot whose turns are next.
    slot: u64,
    /// Items that failed in this round.
    failed: Vec<u32>,
    /// When the next round is to begin.
    expected: Time,
    /// No turns until then: the worker was stopped, and has had none since if it `is_held`.
    resume: Time,
    is_held: bool,
    /// How often the next turn has waited for a look at what came for it, and since when.
    asked: u32,
    asked_at: Time,
    /// The look behind which none came in time: it is not waited for again.
    missed: Option<Time>,
    publish_at: Time,
    busy: Duration,
    settled: Time,
}

impl Worker {
    pub(super) fn new(around: Surroundings) -> Worker {
        Worker {
            items: Vec::new(),
            free: Vec::new(),
            names: HashMap::new(),
            feeds: ByLink::default(),
            ways: ByLink::default(),
            wheel: Wheel::new(),
            recorders: Recorders::new(around.desk.clone(), around.index),
            recorded: HashMap::new(),
            members: 0,
            scratch: Scratch::default(),
            slot: 0,
            failed: Vec::new(),
            expected: Time::ZERO,
            resume: Time::ZERO,
            is_held: false,
            asked: 0,
            asked_at: Time::ZERO,
            missed: None,
            publish_at: Time::ZERO,
            busy: Duration::ZERO,
            settled: Time::ZERO,
            around,
        }
    }

    fn clock(&self) -> Time {
        let nanos = self.around.epoch.elapsed().as_nanos();
        Time::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    pub(super) fn figures(&self) -> &AudioFigures {
        &self.around.ports[self.around.worker].figures
    }

    pub(super) fn tell(&self, event: AudioEvent) {
        (self.around.sink)(ShardId(self.around.index), EngineEvent::Audio(event));
    }

    /// Does what is due; says when there is more, `None`: at once.
    pub(super) fn round(&mut self, now: Time) -> Option<Time> {
        // Once for each turn: on a machine that is always late, turns must go on.
        if now.since(self.expected) >= STOPPED && !self.is_held && !self.wheel.is_empty() {
            (self.resume, self.is_held) = (now + RESUME, true);
            bump(&self.figures().stops, 1);
        }
        let next = self.take_round(now);
        self.expected = next.unwrap_or(now);
        next
    }

    fn take_round(&mut self, now: Time) -> Option<Time> {
        self.skip_to(now);
        let more = self.commands(now);
        // Ahead of taking in: what was handed over until then is there.
        let looked = self.around.mesh.looked();
        self.take_in();
        self.heed();
        // Behind, one slot at a time: commands and packets come between.
        let due = now.as_nanos() / SLOT_NS;
        let turn = self.wheel.next_from(self.slot).filter(|slot| *slot <= due);
        let waits_until = turn.and_then(|slot| self.waits(slot, looked, now));
        if let Some(slot) = turn.filter(|_| waits_until.is_none()) {
            self.turn(slot, now);
            (self.slot, self.is_held) = (slot + 1, false);
        }
        self.bury();
        self.recorders.settle();
        for id in self.recorders.take_failed() {
            self.end_recorder(id);
        }
        let next = self.wheel.next_from(self.slot);
        self.tell_next_turns(next);
        match next {
            _ if waits_until.is_some() => waits_until,
            _ if more => None,
            Some(slot) if slot <= due => None,
            Some(slot) => Some(begin_of(slot)),
            None => {
                // Nobody has turns: whoever comes first begins with the next slot.
                self.slot = due + 1;
                Some(now + NAP)
            }
        }
    }

    /// Whoever has packets for the next turns wants to bring them shortly ahead of those.
    fn tell_next_turns(&self, next: Option<u64>) {
        let after = next.and_then(|slot| self.wheel.next_from(slot + 1));
        let turns = [next, after].map(|slot| slot.map(|slot| self.turn_at(slot)));
        self.around.ports[self.around.worker].tell_next_turns(turns);
    }

    /// When a slot's turns are: at its begin, or some time behind a stop.
    fn turn_at(&self, slot: u64) -> Time {
        begin_of(slot).max(self.resume)
    }

    /// Until when a turn that is due waits, if it does.
    fn waits(&mut self, slot: u64, looked: Option<Time>, now: Time) -> Option<Time> {
        let at = self.turn_at(slot);
        if at > now {
            return Some(at);
        }
        self.waits_for_look(at, looked, now).then(|| now + LOOK_EACH)
    }

    /// Whether a turn waits for shards to look at what came for it. They do so shortly ahead of it, unless they were kept from it.
    fn waits_for_look(&mut self, at: Time, looked: Option<Time>, now: Time) -> bool {
        let enough = at - PATIENCE_LEAD - PATIENCE_NEAR;
        if looked.is_none_or(|looked| looked >= enough) || looked == self.missed {
            self.asked = 0;
            return false;
        }
        if self.asked == 0 {
            bump(&self.figures().looks_awaited, 1);
            self.asked_at = now;
            // One that sleeps may not know of a turn that is new.
            self.around.mesh.call_to_look(enough);
        }
        self.asked += 1;
        if self.asked <= LOOK_ASKS && now.since(self.asked_at) < PATIENCE_MAX {
            return true;
        }
        // A shard that does not look at all costs one turn this time, and not all of them.
        bump(&self.figures().looks_missed, 1);
        (self.asked, self.missed) = (0, looked);
        false
    }

    /// Carries out what is queued, within its share; says whether more waits.
    fn commands(&mut self, now: Time) -> bool {
        for _ in 0..COMMAND_TURN {
            let Some(command) = self.around.ports[self.around.worker].next() else { return false };
            let (name, id) = command.about();
            if let Err(text) = guarded(|| self.obey(command, now)) {
                bump(&self.figures().faults, 1);
                // The sink may be what is at fault.
                let why = AudioError::Fault(text);
                let _ = guarded(|| self.tell(AudioEvent::Refused { id, command: name, why }));
            }
        }
        true
    }

    /// What is too far behind is left out.
    fn skip_to(&mut self, now: Time) {
        let due = now.as_nanos() / SLOT_NS;
        let wanted = due.saturating_sub(CATCH_UP);
        if self.wheel.is_empty() {
            self.slot = self.slot.max(due);
            return;
        }
        let Worker { items, wheel, slot, .. } = self;
        let mut skipped = 0;
        // Whole turns of the wheel at once, however long the worker slept.
        let rounds = wanted.saturating_sub(*slot) / Wheel::SLOTS;
        if rounds > 0 {
            for item in items.iter_mut().flatten() {
                let turns = u64::from(item.turn.turns()) * rounds;
                item.skip(turns as u32);
                skipped += turns;
            }
            *slot += rounds * Wheel::SLOTS;
        }
        while *slot < wanted {
            for &place in wheel.at(*slot) {
                if let Some(item) = &mut items[place as usize] {
                    item.skip(1);
                    skipped += 1;
                }
            }
            *slot += 1;
        }
        bump(&self.figures().ticks_skipped, skipped);
    }

    /// Takes in what shards handed over.
    fn take_in(&mut self) {
        let Worker { around, items, feeds, failed, .. } = self;
        let Some(inbox) = around.mesh.inbox(around.index) else { return };
        let figures = &around.ports[around.worker].figures;
        let tell = |event| (around.sink)(ShardId(around.index), EngineEvent::Audio(event));
        let (mut packets, mut refused, mut unknown) = (0, 0, 0);
        // As many as there are at most: those that come meanwhile are for the next round.
        for _ in 0..crate::limits::PARCELS {
            let Some(parcel) = inbox.take_parcel() else { break };
            packets += 1;
            let read = parcel.packet();
            let packet = Packet {
                payload_type: read.payload_type,
                sequence: read.sequence as u16,
                timestamp: read.timestamp,
                marker: read.marker,
                level: read.level.map(|(level, voice)| AudioLevel { voice, level }),
                arrival_ns: read.arrival.as_nanos(),
                payload: read.payload,
            };
            let takers = feeds.get(&parcel.link()).map_or(&[][..], Vec::as_slice);
            unknown += u64::from(takers.is_empty());
            for feed in takers {
                let item = items[feed.item as usize].as_mut().filter(|item| !item.failed);
                let Some(item) = item else { continue };
                let taken = guarded(|| item.receive(feed.member, &packet, &tell));
                match taken {
                    Ok(Inserted::Stored | Inserted::Event) => {}
                    Ok(_) => refused += 1,
                    Err(text) => failed.extend(fail(item, &text, &tell).then_some(feed.item)),
                }
            }
            inbox.return_parcel(parcel);
        }
        bump(&figures.packets_in, packets);
        bump(&figures.refused_by_playout, refused);
        bump(&figures.unknown_link, unknown);
    }

    /// Heeds what shards tell of our streams.
    fn heed(&mut self) {
        while let Some(note) = self.inbox().and_then(Inbox::take_note) {
            let Told::Wanted(wanted) = note.told() else { continue };
            let Some(&Feed { item, member }) = self.ways.get(&note.link()) else { continue };
            let Some(item) = self.items[item as usize].as_mut() else { continue };
            match (&mut item.work, member) {
                (Work::Pipe(pipe), _) => {
                    pipe.outlets.set_wanted(note.link(), wanted);
                    pipe.settle();
                }
                (Work::Room(hall), Some(place)) => {
                    hall.outlets(place).into_iter().for_each(|it| it.set_wanted(note.link(), wanted));
                    hall.settle(place);
                }
                _ => {}
            }
        }
    }

    fn inbox(&self) -> Option<&Inbox> {
        self.around.mesh.inbox(self.around.index)
    }

    /// The turns of one slot.
    fn turn(&mut self, slot: u64, now: Time) {
        let Worker { around, items, wheel, recorders, scratch, failed, .. } = self;
        let figures = &around.ports[around.worker].figures;
        let tell = |event| (around.sink)(ShardId(around.index), EngineEvent::Audio(event));
        // Dropping them wakes the shards that got something: once for all turns of the slot.
        let mut links = around.mesh.links();
        let begins = begin_of(slot);
        let late = now.since(begins);
        let (mut ticks, mut behind) = (0, 0);
        for &place in wheel.at(slot) {
            let Some(item) = items[place as usize].as_mut().filter(|item| !item.failed) else { continue };
            ticks += 1;
            behind += u64::from(late.as_millis() * 2 > u128::from(item.turn.period_ms()));
            let mut at = Around { now: begins, links: &mut links, tell: &tell, figures, recorders, scratch };
            if let Err(text) = guarded(|| item.tick(&mut at)) {
                failed.extend(fail(item, &text, &tell).then_some(place));
            }
        }
        bump(&figures.ticks, ticks);
        bump(&figures.ticks_late, behind);
    }

    /// Takes out those that failed.
    fn bury(&mut self) {
        while let Some(place) = self.failed.pop() {
            bump(&self.figures().faults, 1);
            // What it left may be broken in any way, and so may be its end.
            let gone = guarded(|| self.remove_item(place));
            if gone.is_err() {
                self.items[place as usize] = None;
            }
        }
    }

    fn account(&mut self, now: Time, busy: Duration) {
        self.busy += busy;
        // Its own work is no stop.
        self.expected = self.expected.max(now);
        if now < self.publish_at {
            return;
        }
        self.publish_at = now + PUBLISH_TIME;
        let passed = now.since(self.settled).as_nanos().max(1);
        let permille = self.busy.as_nanos() * 1000 / passed;
        (self.busy, self.settled) = (Duration::ZERO, now);
        let set = |counter: &std::sync::atomic::AtomicU64, value| counter.store(value, Ordering::Relaxed);
        let figures = self.figures();
        set(&figures.busy_permille, permille as u64);
        set(&figures.cpu_us, u64::try_from(thread_cpu_time().as_micros()).unwrap_or(u64::MAX));
    }

    /// The engine stops: files are completed.
    fn end(&mut self) {
        self.around.ports[self.around.worker].down.store(true, Ordering::Release);
        let is_recorder =
            |(id, place): (&AudioId, &Place)| matches!(place, Place::Recorder(_)).then_some(*id);
        let recorders: Vec<AudioId> = self.names.iter().filter_map(is_recorder).collect();
        recorders.into_iter().for_each(|id| self.end_recorder(id));
    }
}

fn begin_of(slot: u64) -> Time {
    Time::from_nanos(slot * SLOT_NS)
}

/// A fault of ours; its text.
fn guarded<T>(act: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(act)).map_err(|panic| panic_message(&*panic))
}

/// An item had a fault: it has no more turns. False if that is known already.
fn fail(item: &mut Item, text: &str, tell: &dyn Fn(AudioEvent)) -> bool {
    if std::mem::replace(&mut item.failed, true) {
        return false;
    }
    // The sink may be what is at fault.
    let why = AudioError::Fault(text.to_owned());
    let _ = guarded(|| tell(AudioEvent::Failed { id: item.id, why }));
    true
}
