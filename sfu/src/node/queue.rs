//! The way of events from the engine's threads to the actor. The sink never waits: what must not be lost is
//! always taken (its amount is bounded by what exists); levels and data messages are dropped when the actor is
//! behind.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use kaname_engine::core::Event;
use kaname_engine::{EngineEvent, ShardId};
use tokio::sync::mpsc;

/// With more events waiting, levels are dropped: the next ones say the same.
const LEVELS_UP_TO: usize = 4_096;
/// Bytes of data messages waiting for the actor; more are dropped. Senders are limited to a few hundred KiB a
/// second, but that is checked behind this queue.
const MESSAGE_BYTES: usize = 16 * 1024 * 1024;

#[derive(Debug, Default)]
struct Level {
    waiting: AtomicUsize,
    bytes: AtomicUsize,
    dropped: AtomicU64,
}

/// Where the engine's events go in.
#[derive(Clone, Debug)]
pub struct EventSink {
    events: mpsc::UnboundedSender<(ShardId, EngineEvent)>,
    level: Arc<Level>,
}

/// Where they come out.
#[derive(Debug)]
pub(super) struct EventQueue {
    events: mpsc::UnboundedReceiver<(ShardId, EngineEvent)>,
    level: Arc<Level>,
}

pub(super) fn event_queue() -> (EventSink, EventQueue) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let level = Arc::new(Level::default());
    (EventSink { events: sender, level: level.clone() }, EventQueue { events: receiver, level })
}

fn bytes(event: &EngineEvent) -> usize {
    match event {
        EngineEvent::ChannelMessage { data, .. } => data.len(),
        _ => 0,
    }
}

impl EventSink {
    /// Takes an event. Returns at once; may be called from any thread.
    pub fn push(&self, shard: ShardId, event: EngineEvent) {
        let (level, size) = (&self.level, bytes(&event));
        let full = match &event {
            EngineEvent::Core(Event::AudioLevel { .. }) => {
                level.waiting.load(Ordering::Relaxed) >= LEVELS_UP_TO
            }
            EngineEvent::ChannelMessage { .. } => {
                level.waiting.load(Ordering::Relaxed) >= LEVELS_UP_TO
                    || level.bytes.load(Ordering::Relaxed) + size > MESSAGE_BYTES
            }
            // The handshake workers have seen these already; the node has no use for them.
            EngineEvent::Core(Event::Datagram { .. } | Event::PathValidated { .. }) => return,
            _ => false,
        };
        if full {
            level.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        level.waiting.fetch_add(1, Ordering::Relaxed);
        level.bytes.fetch_add(size, Ordering::Relaxed);
        // The node has stopped when nobody receives; then nobody misses it.
        let _ = self.events.send((shard, event));
    }
}

impl EventQueue {
    /// The next event; `None` when the engine is gone.
    pub(super) async fn next(&mut self) -> Option<(ShardId, EngineEvent)> {
        let (shard, event) = self.events.recv().await?;
        self.level.waiting.fetch_sub(1, Ordering::Relaxed);
        self.level.bytes.fetch_sub(bytes(&event), Ordering::Relaxed);
        Some((shard, event))
    }

    /// How many were dropped since the start.
    pub(super) fn dropped(&self) -> u64 {
        self.level.dropped.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kaname_engine::DataKind;
    use kaname_engine::core::command::{LegId, StreamId};

    #[test]
    fn levels_and_messages_are_dropped_when_behind_and_nothing_else() {
        let (sink, mut queue) = event_queue();
        let level = || EngineEvent::Core(Event::AudioLevel { stream: StreamId(1), level: 3, voice: true });
        for _ in 0..LEVELS_UP_TO + 5 {
            sink.push(ShardId(0), level());
        }
        assert_eq!(queue.dropped(), 5);
        sink.push(ShardId(0), EngineEvent::LegClosed { leg: LegId(1) });
        let mut received = 0;
        while queue.events.try_recv().is_ok() {
            received += 1;
        }
        assert_eq!(received, LEVELS_UP_TO + 1);
    }

    #[test]
    fn messages_are_bounded_in_bytes() {
        let (sink, queue) = event_queue();
        for _ in 0..20 {
            let data = vec![0; 1024 * 1024];
            sink.push(
                ShardId(0),
                EngineEvent::ChannelMessage { leg: LegId(1), channel: 1, kind: DataKind::Binary, data },
            );
        }
        assert_eq!(queue.dropped(), 4);
    }
}
