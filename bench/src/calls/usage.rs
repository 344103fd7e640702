//! What a process used of its processors, and how long it had to wait for them.

use std::fs;
use std::time::Duration;

/// Times of all threads of a process so far, by the kernel's scheduler, to the nanosecond.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Usage {
    /// On a processor.
    pub(super) ran: Duration,
    /// Ready to run while something else had the processor.
    pub(super) waited: Duration,
}

impl Usage {
    /// `None` when there is no such process, or the kernel does not say.
    pub(super) fn of(pid: u32) -> Option<Usage> {
        let mut usage = Usage::default();
        for task in fs::read_dir(format!("/proc/{pid}/task")).ok()? {
            // A thread may end between the listing and the reading.
            let Ok(text) = fs::read_to_string(task.ok()?.path().join("schedstat")) else { continue };
            let mut times = text.split_whitespace().map(|ns| ns.parse().map(Duration::from_nanos));
            usage.ran += times.next()?.ok()?;
            usage.waited += times.next()?.ok()?;
        }
        Some(usage)
    }

    /// What was used since then.
    pub(super) fn since(self, before: Usage) -> Usage {
        Usage { ran: self.ran.saturating_sub(before.ran), waited: self.waited.saturating_sub(before.waited) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_time_grows_with_work() {
        let before = Usage::of(std::process::id()).unwrap();
        let mut x = 1u64;
        while Usage::of(std::process::id()).unwrap().since(before).ran < Duration::from_millis(1) {
            (0..10_000).for_each(|_| x = std::hint::black_box(x.wrapping_mul(3)));
        }
        assert_eq!(Usage::of(u32::MAX), None);
    }
}
