//! What a request asks for, and who does it.

use kaname_engine::ShardId;

use super::actor::Now;
use super::answer::answer;
use super::asker::Asker;
use super::error::CallError;
use super::figures;
use super::limits::NAME_BYTES;
use super::model::{Call, Party};
use super::offer::offer;
use super::plan::Home;
use super::room::{Seat, answer_to_room, offer_to_room};
use super::state::{CallKey, Question, State, Task};
use crate::ng::flags::{Command, Flags, Secret, Switch, Traffic};
use crate::ng::sdp::SessionText;
use crate::ng::{Asked, Dictionary, Request, Seen, Value};

/// Call-ids that `list` gives when it is not told how many.
const LISTED: usize = 32;

impl State {
    /// Does a request, unless it was done before.
    pub(super) fn request(&mut self, now: Now, asked: Asked) {
        let Asked { from, request, reply } = asked;
        let Request { cookie, writing, dictionary } = request;
        match self.replies.look(now.at, from, &cookie) {
            Seen::Never => {}
            Seen::Underway => {
                self.counters.repeated_total += 1;
                return;
            }
            Seen::Answered(text) => {
                self.counters.repeated_total += 1;
                let _lost = reply.send(text);
                return;
            }
        }
        let asker = Asker::Proxy { from, cookie, writing, reply };
        if let Some(answer) = self.own_command(&dictionary) {
            return self.answer(now, asker, &answer);
        }
        self.read(now, asker, &dictionary);
    }

    /// Reads what is asked for, and does it.
    pub(super) fn read(&mut self, now: Now, asker: Asker, dictionary: &Dictionary) {
        let flags = match Flags::read(dictionary) {
            Ok(flags) => flags,
            Err(error) => return self.refuse(now, asker, error.into(), false),
        };
        for unknown in &flags.unknown {
            tracing::debug!(command = flags.command.name(), %unknown, "ng: nobody knows this key or flag");
        }
        *self.counters.requests_total.entry(flags.command.name()).or_default() += 1;
        if flags.command == Command::PlayMedia {
            return self.play_media(now, asker, flags);
        }
        self.perform(now, asker, &flags);
    }

    /// Commands of this node's own.
    fn own_command(&mut self, dictionary: &Dictionary) -> Option<Dictionary> {
        let draining = match dictionary.text("command")? {
            "drain" => true,
            "undrain" => false,
            _ => return None,
        };
        self.drain(draining);
        Some(ok().with("calls", self.calls.len() as i64))
    }

    fn perform(&mut self, now: Now, asker: Asker, flags: &Flags) {
        let outcome = match flags.command {
            Command::Ping => Ok(Dictionary::new().with("result", "pong")),
            Command::List => Ok(self.list(flags)),
            Command::Statistics => Ok(figures::statistics(self)),
            Command::Offer => self.offer(now, flags).map(described),
            Command::Answer => self.answer_call(now, flags).map(described),
            Command::Delete => return self.delete(now, asker, flags),
            Command::Query => return self.query(now, asker, flags),
            Command::Publish
            | Command::SubscribeRequest
            | Command::SubscribeAnswer
            | Command::Unsubscribe => self.one_way(now, flags),
            _ => self.sound_command(now, flags),
        };
        match outcome {
            Ok(answer) => self.answer(now, asker, &answer),
            Err(error) => self.refuse(now, asker, error, flags.knows_load_limit),
        }
    }

    fn list(&self, flags: &Flags) -> Dictionary {
        let most = flags.limit.map_or(LISTED, |limit| limit as usize);
        let calls = self.names.keys().take(most).map(|name| Value::from(name.as_str())).collect();
        ok().with("calls", Value::List(calls))
    }

    fn offer(&mut self, now: Now, flags: &Flags) -> Result<String, CallError> {
        check_names(flags)?;
        if flags.room.is_some() || self.has_seat(&flags.call_id) {
            return self.offer_to_room(now, flags, flags.room.as_deref().unwrap_or_default());
        }
        let text = SessionText::parse(flags.sdp.as_ref().map_or("", Secret::as_str))?;
        let (key, is_new) = self.find_or_add(now, flags)?;
        let Some(call) = self.calls.get_mut(&key) else { return Err(CallError::UnknownCall) };
        note(call, now, flags);
        let described = offer(&mut self.tools, now, call, flags, &text);
        call.keep_metadata(flags.from_tag.as_deref().and_then(|tag| call.by_tag(tag)), flags);
        if is_new && described.is_err() {
            self.forget(now, key);
        }
        // A new call that finds no port may find one elsewhere.
        described.map_err(|error| match error {
            CallError::NoPorts(_) if is_new => CallError::LoadLimit("no media port is free"),
            other => other,
        })
    }

    /// The call of this name; whether it is new.
    pub(super) fn find_or_add(&mut self, now: Now, flags: &Flags) -> Result<(CallKey, bool), CallError> {
        match self.names.get(&flags.call_id) {
            Some(key) => Ok((*key, false)),
            None => Ok((self.add(now, flags)?, true)),
        }
    }

    fn has_seat(&self, call_id: &str) -> bool {
        let call = self.names.get(call_id).and_then(|key| self.calls.get(key));
        call.is_some_and(|call| call.seat.is_some())
    }

    /// A call of which this node is one end. A re-offer needs no `room`: it is known.
    fn offer_to_room(&mut self, now: Now, flags: &Flags, room: &str) -> Result<String, CallError> {
        if self.rooms.is_none() {
            return Err(CallError::NoRooms);
        }
        let (key, is_new) = match self.names.get(&flags.call_id) {
            Some(key) => (*key, false),
            None => (self.add(now, flags)?, true),
        };
        let Some(call) = self.calls.get_mut(&key) else { return Err(CallError::UnknownCall) };
        note(call, now, flags);
        call.seat.get_or_insert_with(|| Seat::new(flags, room));
        let described = offer_to_room(&mut self.tools, now, call, flags);
        call.keep_metadata(flags.from_tag.as_deref().and_then(|tag| call.by_tag(tag)), flags);
        if described.is_err() && is_new {
            self.forget(now, key);
        } else {
            self.replan(key, true);
            self.settle_seat(key);
        }
        described
    }

    fn answer_call(&mut self, now: Now, flags: &Flags) -> Result<String, CallError> {
        check_names(flags)?;
        let text = SessionText::parse(flags.sdp.as_ref().map_or("", Secret::as_str))?;
        let key = *self.names.get(&flags.call_id).ok_or(CallError::UnknownCall)?;
        let Some(call) = self.calls.get_mut(&key) else { return Err(CallError::UnknownCall) };
        note(call, now, flags);
        let described = match call.is_of_room() {
            // The answer goes no further.
            true => answer_to_room(&mut self.tools, now, call, flags, &text)?,
            false => answer(&mut self.tools, now, call, flags, &text)?,
        };
        call.keep_metadata(flags.to_tag.as_deref().and_then(|tag| call.by_tag(tag)), flags);
        call.last_media = now.at;
        self.replan(key, true);
        self.settle_seat(key);
        Ok(described)
    }

    /// A new call, if the node takes one more.
    fn add(&mut self, now: Now, flags: &Flags) -> Result<CallKey, CallError> {
        let config = &self.tools.config;
        if self.draining {
            return Err(CallError::LoadLimit("the node is being emptied"));
        }
        if self.calls.len() >= config.max_calls {
            return Err(CallError::LoadLimit("the node has as many calls as it takes (calls.max_calls)"));
        }
        if self.tools.outbox.is_behind() {
            return Err(CallError::LoadLimit("the packet threads are behind"));
        }
        if !self.rate.take(now.at, config.max_calls_per_second) {
            return Err(CallError::LoadLimit("more calls a second than calls.max_calls_per_second"));
        }
        let (tos, number) = (config.tos, self.fresh());
        let engine = &self.tools.engine;
        // The least busy shard; with equal ones, in turn.
        let count = engine.shards().max(1) as u64;
        let shards = (0..count).map(|step| ShardId(((number + step) % count) as usize));
        let shard = shards.min_by_key(|shard| engine.busy_permille(*shard) / 50).unwrap_or(ShardId(0));
        let worker = (number % engine.audio_workers().max(1) as u64) as usize;
        let home = Home { shard, audio: engine.audio_index(worker) };
        let call = Call::new(now, &flags.call_id, home, worker, tos, &mut self.tools.random);
        let key = CallKey(number);
        self.names.insert(flags.call_id.clone(), key);
        self.calls.insert(key, call);
        self.counters.calls_total += 1;
        Ok(key)
    }

    fn query(&mut self, now: Now, asker: Asker, flags: &Flags) {
        let Some(key) = self.names.get(&flags.call_id).copied() else {
            return self.refuse(now, asker, CallError::UnknownCall, false);
        };
        let tags = [&flags.from_tag, &flags.to_tag].into_iter().flatten().cloned().collect();
        self.tell_figures(now, key, asker, tags, None);
    }

    fn tell_figures(
        &mut self,
        now: Now,
        key: CallKey,
        asker: Asker,
        tags: Vec<String>,
        warning: Option<String>,
    ) {
        let Some(call) = self.calls.remove(&key) else { return };
        let number = self.fresh();
        let waits = self.ask(&call, |side| Question::Job(number, side));
        self.calls.insert(key, call);
        self.begin(now, number, Task::Query { call: key, asker, tags, warning }, waits);
    }

    fn delete(&mut self, now: Now, asker: Asker, flags: &Flags) {
        let missing = |state: &mut State, asker: Asker, error: CallError| {
            if flags.has(Switch::Fatal) {
                state.refuse(now, asker, error, false);
            } else {
                let answer = ok().with("warning", error.to_string());
                state.answer(now, asker, &answer);
            }
        };
        let key = self.names.get(&flags.call_id).copied();
        let Some((key, call)) = key.and_then(|key| Some((key, self.calls.get_mut(&key)?))) else {
            return missing(self, asker, CallError::UnknownCall);
        };
        let Some(whole) = leavers(call, flags) else {
            return missing(self, asker, CallError::UnknownTag);
        };
        call.last_signal = now;
        if let Leavers::Branch(party) = whole {
            self.leave(now, key, party);
            return self.tell_figures(now, key, asker, Vec::new(), None);
        }
        let delay = flags.delete_delay_s.map(|s| std::time::Duration::from_secs(s.into()));
        let delay = delay.unwrap_or(self.tools.config.delete_delay);
        if delay.is_zero() {
            self.end(now, key, "deleted", Some(asker));
        } else {
            call.ends = Some(now.at + delay);
            self.tell_figures(now, key, asker, Vec::new(), None);
        }
    }

    /// One branch is over; the call goes on.
    fn leave(&mut self, now: Now, key: CallKey, index: usize) {
        let Some(call) = self.calls.get_mut(&key) else { return };
        call.parties[index].gone = true;
        let rest =
            call.parties.iter().position(|party| !party.gone && party.peer.is_some() && party.agreed());
        for party in call.parties.iter_mut().filter(|party| party.peer == Some(index)) {
            party.peer = None;
        }
        // Who hears nobody any more hears the branch that is left, if it has one.
        let waiting: Vec<usize> =
            call.live().filter(|(_, p)| p.peer.is_none()).map(|(index, _)| index).collect();
        for party in waiting {
            let other = call.live().find(|(_, other)| other.peer == Some(party)).map(|(index, _)| index);
            call.parties[party].peer = other.or(rest.filter(|rest| *rest != party));
        }
        self.replan(key, false);
        if let Some(call) = self.calls.get_mut(&key) {
            let home = call.told.home();
            self.tools.close_ports(now, home, &mut call.parties[index]);
        }
    }
}

impl Party {
    fn agreed(&self) -> bool {
        self.medias.iter().any(|media| media.agreed.is_some())
    }
}

/// Who leaves by a `delete`.
enum Leavers {
    Everybody,
    Branch(usize),
}

/// `None`: the tags are nobody's.
fn leavers(call: &Call, flags: &Flags) -> Option<Leavers> {
    let from = flags.from_tag.as_deref().filter(|tag| !tag.is_empty());
    let to = flags.to_tag.as_deref().filter(|tag| !tag.is_empty());
    let known: Vec<usize> = [from, to].into_iter().flatten().filter_map(|tag| call.by_tag(tag)).collect();
    if known.is_empty() && (from.is_some() || to.is_some()) {
        return None;
    }
    // Who is in the middle of several branches stays while there are others.
    let is_hub = |index: usize| call.live().filter(|(_, party)| party.peer == Some(index)).count() > 1;
    let branch = flags.via_branch.as_deref();
    let by_branch =
        branch.and_then(|b| call.live().find(|(_, p)| p.branch.as_deref() == Some(b)).map(|(i, _)| i));
    let leaver = by_branch.or_else(|| match known.as_slice() {
        [one, other] if is_hub(*one) => Some(*other),
        [one, other] if is_hub(*other) => Some(*one),
        _ => None,
    });
    let others = call.live().filter(|(index, _)| Some(*index) != leaver).count();
    Some(match leaver {
        Some(leaver) if others > 1 => Leavers::Branch(leaver),
        _ => Leavers::Everybody,
    })
}

/// What every message about a call brings with it.
fn note(call: &mut Call, now: Now, flags: &Flags) {
    use kaname_engine::core::command::Learn;
    call.last_signal = now;
    // Whoever goes on with a call does not want it deleted.
    call.ends = None;
    if flags.has(Switch::MediaHandover) {
        call.learn = Learn::Handover;
    } else if flags.has(Switch::StrictSource) {
        call.learn = Learn::Never;
    }
    match flags.traffic {
        Some(Traffic::Drop) => call.dropped = true,
        Some(Traffic::Pass) => call.dropped = false,
        None => {}
    }
    call.detect_keys |= flags.has(Switch::DetectDtmf);
    if let Some(Some(tos)) = flags.tos {
        call.tos = tos;
    }
}

pub(super) fn check_names(flags: &Flags) -> Result<(), CallError> {
    let names = [
        ("call-id", Some(&flags.call_id)),
        ("from-tag", flags.from_tag.as_ref()),
        ("to-tag", flags.to_tag.as_ref()),
        ("via-branch", flags.via_branch.as_ref()),
        ("label", flags.label.as_ref()),
    ];
    for (what, name) in names {
        if name.is_some_and(|name| name.len() > NAME_BYTES) {
            return Err(CallError::TooLong { what, limit: NAME_BYTES });
        }
    }
    Ok(())
}

fn described(sdp: String) -> Dictionary {
    ok().with("sdp", sdp)
}

/// The beginning of a good answer.
pub(super) fn ok() -> Dictionary {
    Dictionary::new().with("result", "ok")
}
