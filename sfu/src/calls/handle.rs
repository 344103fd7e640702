//! How calls are started, and what the rest of the node may ask of them.

use std::sync::Arc;

use kaname_engine::core::Event;
use kaname_engine::{EngineEvent, ShardId};
use tokio::sync::{mpsc, oneshot};

use super::actor;
use super::api::{ApiRequest, PhoneCall};
use super::config::CallsConfig;
use super::counters::CallsCounters;
use super::engine::CallEngine;
use super::error::CallRefusal;
use super::ids;
use super::prompts::Folders;
use super::random::Random;
use super::room;
use super::state::State;
use crate::ng::{Asked, Dictionary, DoorCounters};
use crate::node::NodeHandle;

/// Calls that are not running yet. Their sink exists before the engine does, since the engine needs it to start.
#[derive(Debug)]
pub struct Calls {
    config: CallsConfig,
    rooms: Option<NodeHandle>,
    events: mpsc::UnboundedReceiver<(ShardId, EngineEvent)>,
}

/// Where the engine's events about calls go in. Cheap to clone.
#[derive(Clone, Debug)]
pub struct CallsSink {
    events: mpsc::UnboundedSender<(ShardId, EngineEvent)>,
}

/// What can be asked of the actor besides `ng`.
#[derive(Debug)]
pub(super) enum Wish {
    Api(ApiRequest),
    Phones(String, oneshot::Sender<Vec<PhoneCall>>),
    Counters(oneshot::Sender<CallsCounters>),
    Drain(bool, oneshot::Sender<()>),
    Stop(oneshot::Sender<()>),
}

/// The calls, for the rest of the node. Cheap to clone.
#[derive(Clone, Debug)]
pub struct CallsHandle {
    wishes: mpsc::Sender<Wish>,
    folders: Arc<Folders>,
}

/// Questions that wait: they come from operators, their metrics and the API. Beyond, askers wait.
const WISHES: usize = 64;

impl Calls {
    /// Calls, and the sink for events of their engine.
    pub fn new(config: CallsConfig) -> (Calls, CallsSink) {
        let (sender, events) = mpsc::unbounded_channel();
        (Calls { config, rooms: None, events }, CallsSink { events: sender })
    }

    /// Telephones may call the rooms of this node.
    #[must_use]
    pub fn with_rooms(self, node: NodeHandle) -> Calls {
        Calls { rooms: Some(node), ..self }
    }

    /// Starts the actor as a task of the current tokio runtime: it does what comes out of `requests`.
    pub fn start(
        self,
        engine: Arc<dyn CallEngine>,
        requests: mpsc::Receiver<Asked>,
        doors: Arc<DoorCounters>,
    ) -> CallsHandle {
        let (wishes, wished) = mpsc::channel(WISHES);
        let (sender, loaded) = mpsc::unbounded_channel();
        let folders =
            Folders { prompts: self.config.prompts.clone(), recordings: self.config.recordings.clone() };
        let mut state = State::new(engine, self.config, Random::system(), sender);
        let (asks, rooms) = self.rooms.map(room::ask_rooms).unzip();
        state.rooms = asks;
        let inputs = actor::Inputs { requests, wished, events: self.events, loaded, rooms, doors };
        tokio::spawn(actor::run(state, inputs));
        CallsHandle { wishes, folders: Arc::new(folders) }
    }
}

impl CallsSink {
    /// Takes an event if it is about a call, else gives it back. Returns at once; may be called from any thread.
    pub fn push(&self, shard: ShardId, event: EngineEvent) -> Option<EngineEvent> {
        if let EngineEvent::ShardFailed { message } = &event {
            // Of interest to both.
            let copy = EngineEvent::ShardFailed { message: message.clone() };
            let _stopped = self.events.send((shard, copy));
            return Some(event);
        }
        match ids::is_of_calls(&event) {
            // Nobody has asked for levels or data of calls.
            true if matches!(event, EngineEvent::Core(Event::AudioLevel { .. })) => None,
            true => {
                // The calls have stopped when nobody receives; then nobody misses it.
                let _stopped = self.events.send((shard, event));
                None
            }
            false => Some(event),
        }
    }
}

impl CallsHandle {
    async fn ask<T>(&self, wish: impl FnOnce(oneshot::Sender<T>) -> Wish) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.wishes.send(wish(reply)).await.ok()?;
        answer.await.ok()
    }

    /// Begins a call to or from a room: a request as a proxy makes it over `ng`, with a call-id that is in use nowhere.
    ///
    /// # Errors
    /// As over `ng`, with a stable word and an HTTP status.
    pub async fn begin(&self, room: &str, request: Dictionary) -> Result<Dictionary, CallRefusal> {
        self.request(room, true, request).await
    }

    /// A request about a call of this room; others do not exist for it.
    ///
    /// # Errors
    /// As over `ng`, with a stable word and an HTTP status.
    pub async fn go_on(&self, room: &str, request: Dictionary) -> Result<Dictionary, CallRefusal> {
        self.request(room, false, request).await
    }

    async fn request(
        &self,
        room: &str,
        begins: bool,
        dictionary: Dictionary,
    ) -> Result<Dictionary, CallRefusal> {
        let room = room.to_owned();
        let asked = self.ask(|reply| Wish::Api(ApiRequest { room, begins, dictionary, reply })).await;
        asked.unwrap_or_else(|| Err(CallRefusal::stopped()))
    }

    /// The telephones of a room, the oldest call first; also those that are not in it yet.
    pub async fn phones(&self, room: &str) -> Vec<PhoneCall> {
        self.ask(|reply| Wish::Phones(room.to_owned(), reply)).await.unwrap_or_default()
    }

    /// Where sounds to play come from, and where recordings go.
    pub fn folders(&self) -> &Folders {
        &self.folders
    }

    /// Counts for the metrics. Zeros when the calls have stopped.
    pub async fn counters(&self) -> CallsCounters {
        self.ask(Wish::Counters).await.unwrap_or_default()
    }

    /// From now on offers of new calls are answered `load limit`, or no longer so; calls go on.
    pub async fn drain(&self, draining: bool) {
        let _stopped = self.ask(|reply| Wish::Drain(draining, reply)).await;
    }

    /// Ends all calls. Returns when that is done; the engine can be shut down then.
    pub async fn stop(&self) {
        let _stopped = self.ask(Wish::Stop).await;
    }
}
