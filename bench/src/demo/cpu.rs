//! The CPU time of another process.

use std::fs;
use std::time::Duration;

/// CPU time that the threads of a process have used so far, user and system, to the nanosecond.
///
/// `None` when there is no such process, or the kernel does not say.
pub(crate) fn cpu_time(pid: u32) -> Option<Duration> {
    let mut total = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task")).ok()? {
        // A thread may end between the listing and the reading.
        let Ok(text) = fs::read_to_string(task.ok()?.path().join("schedstat")) else { continue };
        total += text.split_whitespace().next()?.parse::<u64>().ok()?;
    }
    Some(Duration::from_nanos(total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_time_grows_with_work() {
        let before = cpu_time(std::process::id()).unwrap();
        let mut x = 1u64;
        while cpu_time(std::process::id()).unwrap() <= before {
            x = std::hint::black_box(x.wrapping_mul(3));
        }
        assert!(cpu_time(u32::MAX).is_none());
    }
}
