//! When each leg wants to be looked at again. A plain array: a tick reads it front to back, which for all legs of
//! a shard takes as long as a few hash look-ups.

use crate::{Time, limits};

const NEVER: u64 = u64::MAX;

/// Wake-up times by leg index.
#[derive(Default)]
pub(crate) struct Agenda {
    due: Vec<u64>,
    /// The earliest, or earlier.
    next: Option<Time>,
}

impl Agenda {
    /// Wakes the leg at `at` or earlier. Times are rounded up to the grain of the timers.
    pub(crate) fn wake(&mut self, leg: u32, at: Time) {
        let leg = leg as usize;
        if self.due.len() <= leg {
            self.due.resize(leg + 1, NEVER);
        }
        let grain = limits::TICK.as_nanos() as u64;
        let at = at.as_nanos().div_ceil(grain).saturating_mul(grain);
        self.due[leg] = self.due[leg].min(at);
        let at = Time::from_nanos(at);
        self.next = Some(self.next.map_or(at, |next| next.min(at)));
    }

    pub(crate) fn forget(&mut self, leg: u32) {
        if let Some(due) = self.due.get_mut(leg as usize) {
            *due = NEVER;
        }
    }

    pub(crate) fn next(&self) -> Option<Time> {
        self.next
    }

    /// The first leg from index `from` on that is due at `now`; it is no longer due then.
    pub(crate) fn take_due(&mut self, from: u32, now: Time) -> Option<u32> {
        let rest = self.due.get_mut(from as usize..)?;
        let at = rest.iter().position(|due| *due <= now.as_nanos())?;
        rest[at] = NEVER;
        Some(from + at as u32)
    }

    /// After all due legs were taken and looked at.
    pub(crate) fn settle(&mut self) {
        let earliest = self.due.iter().copied().min().unwrap_or(NEVER);
        self.next = (earliest != NEVER).then_some(Time::from_nanos(earliest));
    }
}
