//! Figures of an audio worker: written by its thread alone, read by anyone, no lock.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::CountersSnapshot;

macro_rules! figures {
    ($values:ident { $($(#[$value_doc:meta])* $value:ident,)* } $drops:ident { $($(#[$drop_doc:meta])* $drop:ident,)* }) => {
        /// What an audio worker did so far.
        #[derive(Debug, Default)]
        pub(crate) struct AudioFigures {
            $($(#[$value_doc])* pub(super) $value: AtomicU64,)*
            $($(#[$drop_doc])* pub(super) $drop: AtomicU64,)*
        }

        impl AudioFigures {
            /// Name and value of each.
            pub(crate) fn snapshot(&self) -> CountersSnapshot {
                let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
                CountersSnapshot {
                    $values: vec![$((concat!("audio_", stringify!($value)), read(&self.$value)),)*],
                    $drops: vec![$((concat!("audio_", stringify!($drop)), read(&self.$drop)),)*],
                }
            }
        }
    };
}

figures! {
    values {
        /// Thousandths of the latest second that the worker was busy.
        busy_permille,
        /// Processor time of its thread, in microseconds.
        cpu_us,
        /// Transcoders, players, taps and rooms now.
        items,
        /// Those in rooms now.
        participants,
        /// Recorders now.
        recorders,
        /// Packets that came from shards.
        packets_in,
        /// Packets that went to shards.
        packets_out,
        /// Turns of transcoders, rooms and the others.
        ticks,
        /// Of those, the ones more than half a tick late.
        ticks_late,
        /// Times that its thread began to run so much too late that it was stopped, as with the whole machine.
        stops,
        /// Turns that waited for a shard to take in what came for them, and those that went ahead without.
        looks_awaited,
        /// See `looks_awaited`.
        looks_missed,
        /// Turns left out because the worker was too far behind.
        ticks_skipped,
        /// Times that nothing came to a transcoder any more: it sends nothing until something comes.
        silences,
        /// Faults of ours, each the end of one transcoder or room.
        faults,
        /// Times that it slept.
        wakeups,
    }
    drops {
        /// Packets that came over a link that nobody has (any more).
        unknown_link,
        /// Packets that a jitter buffer did not take: twice there, too late, of no agreed payload type.
        refused_by_playout,
        /// Packets made while the shard had no room for them.
        no_room,
        /// Packets made that are longer than a packet may be: L16 at a high rate and a long packet time.
        too_long,
        /// Stretches of sound that a recorder lost because the disk did not keep up.
        recorder_behind,
    }
}

impl AudioFigures {
    /// What the worker holds now.
    pub(super) fn set_held(&self, items: usize, participants: usize, recorders: usize) {
        self.items.store(items as u64, Ordering::Relaxed);
        self.participants.store(participants as u64, Ordering::Relaxed);
        self.recorders.store(recorders as u64, Ordering::Relaxed);
    }

    pub(crate) fn busy_permille(&self) -> u32 {
        self.busy_permille.load(Ordering::Relaxed) as u32
    }
}

/// Counts; only the worker's own thread does.
pub(super) fn bump(counter: &AtomicU64, by: u64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(by), Ordering::Relaxed);
}
