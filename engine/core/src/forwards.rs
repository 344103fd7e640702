//! Packets that wait for their fan-out, in runs of one stream, and how far the fan-out of the first run is.

use std::collections::VecDeque;
use std::ops::Range;

use crate::arena::Arena;
use crate::limits;

/// The packets, each holding its slot.
#[derive(Default)]
pub(crate) struct Forwards {
    queue: VecDeque<Forward>,
    /// Packets of the first run: fixed once its fan-out began, zero until then.
    run: usize,
    /// The sender whose turn it is, as a position in the stream's list, and the packet of the run.
    sender: usize,
    packet: usize,
}

#[derive(Clone, Copy)]
struct Forward {
    stream: u32,
    slot: u32,
}

/// One step of a fan-out: packets of one stream for one sender.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) stream: u32,
    /// Position in the stream's list of senders.
    pub(crate) sender: usize,
    /// Positions for [`Forwards::slot`].
    pub(crate) packets: Range<usize>,
}

impl Forwards {
    /// False: full; the slot is still the caller's.
    pub(crate) fn push(&mut self, stream: u32, slot: u32) -> bool {
        let fits = self.queue.len() < limits::FORWARDS;
        if fits {
            self.queue.push_back(Forward { stream, slot });
        }
        fits
    }

    /// The next step: all packets of a run to one sender, then to the next, so that each destination gets its
    /// packets in one piece.
    pub(crate) fn next(&mut self) -> Option<Step> {
        let first = self.queue.front()?;
        if self.run == 0 {
            let same = |it: &&Forward| it.stream == first.stream;
            self.run = self.queue.iter().take(limits::BATCH).take_while(same).count();
        }
        Some(Step { stream: first.stream, sender: self.sender, packets: self.packet..self.run })
    }

    /// The packet at a position of the first run.
    pub(crate) fn slot(&self, position: usize) -> u32 {
        self.queue[position].slot
    }

    /// The sender has the packets of the first run up to this position.
    pub(crate) fn advance(&mut self, position: usize) {
        self.packet = position;
        if self.packet == self.run {
            self.packet = 0;
            self.sender += 1;
        }
    }

    /// The first run has no more senders.
    pub(crate) fn end_run(&mut self, arena: &mut Arena) {
        for forward in self.queue.drain(..self.run.max(1)) {
            arena.release(forward.slot);
        }
        (self.run, self.sender, self.packet) = (0, 0, 0);
    }

    /// The sender at this position of the stream's list goes, and those behind it move up.
    pub(crate) fn sender_left(&mut self, stream: u32, position: usize) {
        if self.run == 0 || self.queue.front().is_none_or(|first| first.stream != stream) {
            return;
        }
        if position < self.sender {
            self.sender -= 1;
        } else if position == self.sender {
            self.packet = 0;
        }
    }

    /// The stream goes.
    pub(crate) fn stream_left(&mut self, stream: u32, arena: &mut Arena) {
        if self.run > 0 && self.queue.front().is_some_and(|first| first.stream == stream) {
            self.end_run(arena);
        }
        // A run that is under way keeps its packets in front.
        self.queue.retain(|forward| {
            let stays = forward.stream != stream;
            if !stays {
                arena.release(forward.slot);
            }
            stays
        });
    }
}
