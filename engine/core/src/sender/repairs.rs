//! How much a sender may send again (attack: a subscriber that asks for everything twice).

use std::time::Duration;

use arrayvec::ArrayVec;

use crate::counters::DropReason;
use crate::{Time, limits};

/// The budget and memory of one sender's repairs.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Repairs {
    /// Bytes that may be sent again.
    budget: u32,
    /// The rest of the division by the share.
    rest: u32,
    recent: ArrayVec<(u16, Time), { limits::RECENT_REPAIRS }>,
}

impl Repairs {
    pub(crate) fn new() -> Repairs {
        Repairs { budget: limits::REPAIR_SAVINGS / 4, rest: 0, recent: ArrayVec::new() }
    }

    /// A packet of this many bytes was sent: a share of it is saved for repairs.
    pub(crate) fn earn(&mut self, bytes: usize) {
        let total = self.rest + bytes as u32;
        self.rest = total % limits::REPAIR_SHARE;
        self.budget = (self.budget + total / limits::REPAIR_SHARE).min(limits::REPAIR_SAVINGS);
    }

    /// Spends the budget on sending the packet again, unless it was sent within a round trip.
    pub(crate) fn spend(
        &mut self,
        sequence: u16,
        bytes: usize,
        now: Time,
        round_trip: Duration,
    ) -> Result<(), DropReason> {
        self.recent.retain(|(_, sent)| now.since(*sent) < round_trip);
        if self.recent.iter().any(|(recent, _)| *recent == sequence) {
            return Err(DropReason::RepairTooSoon);
        }
        let budget = self.budget.checked_sub(bytes as u32).ok_or(DropReason::RepairBudget)?;
        // Full of repairs younger than a round trip: without memory of them none could be told from a repeat.
        self.recent.try_push((sequence, now)).map_err(|_| DropReason::RepairBudget)?;
        self.budget = budget;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn once_a_round_trip_and_within_the_share() {
        let round_trip = Duration::from_millis(50);
        let mut repairs = Repairs::new();
        let start = Time::from_nanos(1_000_000_000);
        assert_eq!(repairs.spend(7, 1000, start, round_trip), Ok(()));
        assert_eq!(repairs.spend(7, 1000, start, round_trip), Err(DropReason::RepairTooSoon));
        assert_eq!(repairs.spend(7, 1000, start + round_trip, round_trip), Ok(()));
        let mut spent = 0;
        for packet in 0..10_000u64 {
            repairs.earn(1000);
            let now = start + Duration::from_secs(1 + packet);
            spent += u64::from(repairs.spend(packet as u16, 1000, now, round_trip).is_ok());
        }
        assert!((1900..=2100).contains(&spent), "{spent}");
    }
}
