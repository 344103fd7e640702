//! The task that owns the state: requests and events in, one at a time.

use std::time::Duration;

use kaname_engine::core::Time;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::api::{Joined, LeaveReason};
use super::error::NodeError;
use super::handle::Request;
use super::queue::EventQueue;
use super::state::State;

/// The node's pulse: time-outs and speakers need no finer one.
const TICK: Duration = Duration::from_millis(100);
/// How soon commands that a full queue refused are tried again: a shard empties its queue every batch.
const RETRY: Duration = Duration::from_millis(2);

/// Runs until it is drained, or until all handles are gone.
pub(super) async fn run(mut state: State, mut requests: mpsc::Receiver<Request>, mut events: EventQueue) {
    let start = Instant::now();
    let now = || Time::from_nanos(u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX));
    let mut next_tick = start + TICK;
    let mut engine_lives = true;
    loop {
        let wake = if state.has_backlog() { next_tick.min(Instant::now() + RETRY) } else { next_tick };
        tokio::select! {
            // Time first, since nothing may starve it; then events, so that requests meet the latest state.
            biased;
            () = tokio::time::sleep_until(wake) => {
                state.flush();
                if Instant::now() >= next_tick {
                    state.tick(now());
                    next_tick = Instant::now() + TICK;
                }
            }
            event = events.next(), if engine_lives => match event {
                Some((shard, event)) => state.event(now(), shard, event),
                None => engine_lives = false,
            },
            request = requests.recv() => match request {
                Some(Request::Drain(reply)) => {
                    drain(&mut state).await;
                    let _ = reply.send(());
                    return;
                }
                Some(request) => serve(&mut state, now(), request, events.dropped()),
                None => {
                    drain(&mut state).await;
                    return;
                }
            },
        }
    }
}

/// How long a stop waits for full queues.
const DRAIN: Duration = Duration::from_secs(2);

async fn drain(state: &mut State) {
    state.drain();
    let end = Instant::now() + DRAIN;
    while state.has_backlog() && Instant::now() < end {
        tokio::time::sleep(RETRY).await;
        state.flush();
    }
}

/// Whoever asked may be gone: then the reply is of no interest.
fn serve(state: &mut State, now: Time, request: Request, dropped: u64) {
    match request {
        Request::Join(request, reply) => {
            let result = state.join(now, request);
            answer_join(state, result, reply);
        }
        Request::Negotiate(peer, wish, reply) => {
            let result = state.negotiate(now, &peer, wish);
            let _ = reply.send(state.count(result));
        }
        Request::Ingest(peer, offer, reply) => {
            let result = state.ingest(now, &peer, offer);
            let _ = reply.send(state.count(result));
        }
        Request::Watch(peer, offer, choice, reply) => {
            let result = state.watch(now, &peer, offer, &choice);
            let _ = reply.send(state.count(result));
        }
        Request::Fragment(peer, text, reply) => {
            let result = state.fragment(&peer, &text);
            let _ = reply.send(state.count(result));
        }
        Request::Mute(by, track, muted, reply) => {
            let result = state.mute(&by, &track, muted);
            let _ = reply.send(state.count(result));
        }
        Request::MuteIn(room, track, muted, reply) => {
            let result = state.mute_in(&room, &track, muted);
            let _ = reply.send(state.count(result));
        }
        Request::PhoneShard(room, reply) => {
            let result = state.phone_shard(&room);
            let _ = reply.send(state.count(result));
        }
        Request::JoinPhone(request, reply) => match state.join_phone(now, request) {
            // To be asked for a PIN is no refusal.
            Err(NodeError::PinNeeded) => drop(reply.send(Err(NodeError::PinNeeded))),
            result => answer_join(state, result, reply),
        },
        Request::ChangePhone(peer, line, reply) => {
            let result = state.change_phone(&peer, line);
            let _ = reply.send(state.count(result));
        }
        Request::Leave(peer, reason, reply) => {
            let result = state.leave(&peer, reason);
            let _ = reply.send(state.count(result));
        }
        Request::Kick(room, peer, reply) => {
            let result = state.kick(&room, &peer);
            let _ = reply.send(state.count(result));
        }
        Request::Rooms(reply) => drop(reply.send(state.rooms())),
        Request::Room(name, reply) => {
            let result = state.room(&name, None);
            let _ = reply.send(state.count(result));
        }
        Request::CreateRoom(name, settings, reply) => {
            let result = state.create_room(&name, settings);
            let _ = reply.send(state.count(result));
        }
        Request::Sound(wish, reply) => {
            let result = state.sound(now, wish);
            let _ = reply.send(state.count(result));
        }
        Request::DeleteRoom(name, reply) => {
            let result = state.delete_room(&name);
            let _ = reply.send(state.count(result));
        }
        Request::Stats(peer, reply) => state.stats(now, &peer, reply),
        Request::Counters(reply) => {
            state.counters.events_dropped_total = dropped;
            let _ = reply.send(state.counters());
        }
        // Handled by the loop, which ends with it.
        Request::Drain(reply) => drop(reply.send(())),
    }
}

fn answer_join(
    state: &mut State,
    result: Result<Joined, NodeError>,
    reply: oneshot::Sender<Result<Joined, NodeError>>,
) {
    let joined = result.as_ref().ok().map(|joined| joined.peer.id.clone());
    let sent = reply.send(state.count(result));
    // Nobody knows the peer, so nobody would ever let it leave.
    if let (Err(_), Some(id)) = (sent, joined) {
        let _ = state.leave(&id, LeaveReason::Left);
    }
}
