//! Sound of a call that a receiver outside gets as it is spoken: a stream for each m-line of those who are named.

mod receiver;
mod stream;

use std::collections::BTreeMap;

use kaname_engine::audio::{AudioCommand, AudioId, RecordOf, Side};

use super::error::CallError;
use super::model::Call;
use super::plan::SideKey;
use super::sound::select;
use super::state::{CallKey, State};
use super::tools::Tools;
use crate::ng::Dictionary;
use crate::ng::flags::Flags;
pub use receiver::{ForwardTo, ForwardToParseError, Receiver};
pub(super) use stream::Forwarder;

/// A stream under way.
#[derive(Debug)]
pub(super) struct Forwarded {
    /// What the worker calls it.
    id: AudioId,
    /// What it listens to.
    tap: AudioId,
}

impl State {
    /// From now on those who are named are forwarded, or no longer; a call may be asked for it before it is answered.
    pub(super) fn forward(&mut self, key: CallKey, flags: &Flags, on: bool) -> Result<Dictionary, CallError> {
        if on && self.tools.forwarder.is_none() {
            return Err(CallError::NoReceiver);
        }
        let Some(call) = self.calls.get_mut(&key) else { return Err(CallError::UnknownCall) };
        let named = select(call, flags)?;
        call.keep_metadata(named.iter().flatten().copied(), flags);
        let reply = self.order(key, flags, |orders| orders.forward = on)?;
        let Some(call) = self.calls.get(&key) else { return Err(CallError::UnknownCall) };
        let tags: Option<Vec<&str>> =
            named.as_ref().map(|named| named.iter().map(|party| call.parties[*party].tag.as_str()).collect());
        let receiver = self.tools.forwarder.as_ref().map(|forwarder| tracing::field::display(forwarder.to()));
        tracing::info!(call = %call.id, tags = ?tags, on, receiver, "an order to forward sound");
        let is_named = |side: &SideKey| named.as_ref().is_none_or(|named| named.contains(&side.party));
        if !on || call.forwarded.keys().any(is_named) {
            return Ok(reply);
        }
        let warning =
            "nobody who is named is heard yet in a codec that is decoded here; forwarding begins then";
        Ok(reply.with("warning", warning))
    }

    /// A worker refused a stream, or it failed: the next plan begins it anew.
    pub(super) fn stream_failed(&mut self, id: AudioId) {
        let Some((call, side)) = self.owner(id.0) else { return };
        if call.forwarded.get(&side).is_some_and(|stream| stream.id == id) {
            call.forwarded.remove(&side);
            self.owners.remove(&id.0);
            self.tools.ids.free(id.0);
        }
    }
}

impl Call {
    /// Whether what a party says is forwarded.
    pub(super) fn forwards(&self, party: usize) -> bool {
        let orders = self.parties.get(party).map(|party| party.orders).unwrap_or_default();
        self.orders.and(orders).forward
    }

    /// Keeps what a message says of these parties, for whoever is sent their sound; the latest counts for the others too.
    pub(super) fn keep_metadata(&mut self, of: impl IntoIterator<Item = usize>, flags: &Flags) {
        let Some(metadata) = &flags.metadata else { return };
        for party in of {
            self.parties[party].metadata = Some(metadata.clone());
        }
        self.metadata = Some(metadata.clone());
    }

    /// Everything of the engine's that has a name, with whose it is.
    pub(super) fn numbers(&self) -> impl Iterator<Item = (u32, SideKey)> {
        let streams = self.forwarded.iter().map(|(side, stream)| (stream.id.0, *side));
        self.told.numbers().chain(streams)
    }
}

/// The call is planned anew: streams begin and end, and those that stay listen to what there is now.
pub(super) fn follow(tools: &mut Tools, call: &mut Call) {
    let wanted: BTreeMap<SideKey, AudioId> =
        call.told.taps().filter(|(side, _)| call.forwards(side.party)).collect();
    end(tools, call, |side| !wanted.contains_key(side));
    let Some(forwarder) = &tools.forwarder else { return };
    for (side, tap) in wanted {
        let of = RecordOf { id: tap, side: Side::In };
        let command = match call.forwarded.get_mut(&side) {
            Some(stream) if stream.tap == tap => continue,
            Some(stream) => {
                stream.tap = tap;
                AudioCommand::RecordFrom { id: stream.id, of: vec![Some(of)] }
            }
            None => {
                let id = tools.ids.audio();
                call.forwarded.insert(side, Forwarded { id, tap });
                let party = &mut call.parties[side.party];
                party.forwarded = true;
                let metadata = party.metadata.as_ref().or(call.metadata.as_ref());
                let to = forwarder.begin(metadata.map_or("", String::as_str));
                AudioCommand::Listen { id, of, rate: forwarder.rate(), to }
            }
        };
        tools.outbox.audio(call.worker, command);
    }
}

/// Ends streams; what they heard so far still gets there.
pub(super) fn end(tools: &mut Tools, call: &mut Call, is_over: impl Fn(&SideKey) -> bool) {
    call.forwarded.retain(|side, stream| {
        if is_over(side) {
            tools.outbox.audio(call.worker, AudioCommand::Remove { id: stream.id });
            tools.ids.free(stream.id.0);
        }
        !is_over(side)
    });
}
