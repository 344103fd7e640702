//! What this node's own API asks of calls: the same as a proxy asks over `ng`, of the telephones of one room.

use serde::Serialize;
use tokio::sync::oneshot;

use super::actor::Now;
use super::asker::Asker;
use super::error::{CallError, CallRefusal};
use super::model::Call;
use super::state::State;
use crate::ng::Dictionary;
use crate::node::PeerId;

/// A request of the API.
#[derive(Debug)]
pub(super) struct ApiRequest {
    /// Whose telephones whoever asks has power over.
    pub(super) room: String,
    /// It begins a call; else it is about one that there is.
    pub(super) begins: bool,
    /// As a proxy would write it.
    pub(super) dictionary: Dictionary,
    pub(super) reply: oneshot::Sender<Result<Dictionary, CallRefusal>>,
}

/// How far a telephone has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PhoneState {
    /// The room calls it, and it has not answered.
    Called,
    /// It is asked for the room's PIN.
    AtDoor,
    /// It is about to be in the room.
    Joining,
    /// It is in the room.
    InRoom,
}

/// A telephone's call to a room, or a room's to a telephone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct PhoneCall {
    /// Its name in the API: the call-id. Whatever a proxy has chosen; to be escaped in paths.
    pub id: String,
    /// What others in the room see.
    pub name: String,
    /// How far it has come.
    pub state: PhoneState,
    /// The peer that it is in the room.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer: Option<PeerId>,
    /// The room called it.
    pub outgoing: bool,
    /// When the call began, in seconds since 1970.
    pub began: u64,
    /// When it was answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answered: Option<u64>,
    /// The codec that it is sent, as in SDP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub codec: Option<String>,
    /// What it says and what the room says is being recorded.
    pub recording: bool,
}

impl State {
    /// Does a request of the API. What is not of its room does not exist for it.
    pub(super) fn api_request(&mut self, now: Now, request: ApiRequest) {
        let ApiRequest { room, begins, dictionary, reply } = request;
        let asker = Asker::Api(reply);
        let key = dictionary.text("call-id").and_then(|id| self.names.get(id));
        let known = key.and_then(|key| self.calls.get(key));
        let ours = known.is_some_and(|call| call.room() == Some(&room));
        if begins && known.is_none() || !begins && ours {
            self.read(now, asker, &dictionary);
        } else {
            self.refuse(now, asker, CallError::UnknownCall, false);
        }
    }

    /// The telephones of a room, the oldest first.
    pub(super) fn phones(&self, room: &str) -> Vec<PhoneCall> {
        let ours = self.calls.iter().filter(|(_, call)| call.room() == Some(room));
        let mut phones: Vec<_> = ours.filter_map(|(key, call)| Some((*key, told(call)?))).collect();
        phones.sort_by_key(|(key, _)| *key);
        phones.into_iter().map(|(_, phone)| phone).collect()
    }
}

fn told(call: &Call) -> Option<PhoneCall> {
    let seat = call.seat.as_ref()?;
    let agreed = |party: usize| call.parties[party].medias.iter().find_map(|media| media.agreed.as_ref());
    let codec = call.phone().and_then(agreed).and_then(|agreed| agreed.formats.first());
    Some(PhoneCall {
        id: call.id.clone(),
        name: seat.name().to_owned(),
        state: seat.state(),
        peer: seat.peer().cloned(),
        outgoing: call.is_of_room(),
        began: call.created.unix,
        answered: call.answered.map(|answered| answered.unix),
        codec: codec.map(|format| format.name.clone()),
        recording: seat.is_recorded(),
    })
}
