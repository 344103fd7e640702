//! The task that owns all calls: requests and events in, one at a time. It only carries; what is to be done is found
//! out elsewhere.

use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use kaname_engine::{EngineEvent, ShardId};
use tokio::sync::mpsc;

use super::handle::Wish;
use super::limits::{RETRY, TICK};
use super::room::RoomNews;
use super::sound::Loaded;
use super::state::State;
use crate::ng::{Asked, DoorCounters};

/// What time it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    /// To measure with.
    pub(super) at: Instant,
    /// Seconds since 1970, for people.
    pub(super) unix: u64,
}

impl Now {
    fn read() -> Now {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        Now { at: Instant::now(), unix }
    }
}

/// What comes in.
pub(super) struct Inputs {
    pub(super) requests: mpsc::Receiver<Asked>,
    pub(super) wished: mpsc::Receiver<Wish>,
    pub(super) events: mpsc::UnboundedReceiver<(ShardId, EngineEvent)>,
    pub(super) loaded: mpsc::UnboundedReceiver<Loaded>,
    pub(super) rooms: Option<mpsc::UnboundedReceiver<RoomNews>>,
    pub(super) doors: Arc<DoorCounters>,
}

/// Runs until it is stopped, or until nobody holds a handle.
pub(super) async fn run(mut state: State, mut inputs: Inputs) {
    let mut next_tick = tokio::time::Instant::now() + TICK;
    let (mut engine_lives, mut doors_live) = (true, true);
    loop {
        let soon = tokio::time::Instant::now() + RETRY;
        let wake = if state.has_backlog() { next_tick.min(soon) } else { next_tick };
        tokio::select! {
            // Time first, since nothing may starve it; then events, so that requests meet the latest state.
            biased;
            () = tokio::time::sleep_until(wake) => {
                state.flush();
                if tokio::time::Instant::now() >= next_tick {
                    state.tick(Now::read());
                    next_tick = tokio::time::Instant::now() + TICK;
                }
            }
            wish = inputs.wished.recv() => match wish {
                Some(Wish::Api(request)) => state.api_request(Now::read(), request),
                Some(Wish::Phones(room, reply)) => {
                    let _gone = reply.send(state.phones(&room));
                }
                Some(Wish::Counters(reply)) => {
                    let mut counters = state.counters();
                    counters.doors = inputs.doors.values().to_vec();
                    let _gone = reply.send(counters);
                }
                Some(Wish::Drain(draining, reply)) => {
                    state.drain(draining);
                    let _gone = reply.send(());
                }
                Some(Wish::Stop(reply)) => {
                    state.stop(Now::read());
                    let _gone = reply.send(());
                    return;
                }
                None => {
                    state.stop(Now::read());
                    return;
                }
            },
            event = inputs.events.recv(), if engine_lives => match event {
                Some((shard, event)) => state.event(Now::read(), shard, event),
                None => engine_lives = false,
            },
            Some(loaded) = inputs.loaded.recv() => state.prompt_loaded(Now::read(), loaded),
            Some(news) = next(&mut inputs.rooms) => state.room_news(Now::read(), news),
            request = inputs.requests.recv(), if doors_live => match request {
                Some(asked) => state.request(Now::read(), asked),
                None => doors_live = false,
            },
        }
    }
}

/// What a room says; never ready where there are none.
async fn next(rooms: &mut Option<mpsc::UnboundedReceiver<RoomNews>>) -> Option<RoomNews> {
    match rooms {
        Some(rooms) => rooms.recv().await,
        None => std::future::pending().await,
    }
}
