//! Clocks that only the system has: what a thread has cost, and the calendar's, which the kernel stamps packets with.

use std::mem;
use std::time::Duration;

/// Processor time that the calling thread has used since it began.
pub fn thread_cpu_time() -> Duration {
    read(libc::CLOCK_THREAD_CPUTIME_ID)
}

/// From now on the calling thread's waits end within a microsecond of their time; by custom the kernel takes 50 us to join
/// wake-ups of ordinary threads.
pub fn wait_precisely() {
    // SAFETY: a number in, nothing out; a kernel that does not know it changes nothing.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1_000_u64) };
}

/// Rests, deaf to everything, for so long: where packets are to gather meanwhile.
pub fn pause(time: Duration) {
    let time = libc::timespec {
        tv_sec: libc::time_t::try_from(time.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: time.subsec_nanos().into(),
    };
    // SAFETY: the kernel reads one timespec, and is not asked for what a signal left of it.
    unsafe { libc::clock_nanosleep(libc::CLOCK_MONOTONIC, 0, &time, std::ptr::null_mut()) };
}

/// The calendar's clock in nanoseconds. It steps: only for the difference to a stamp of just now.
pub(crate) fn calendar_ns() -> u64 {
    u64::try_from(read(libc::CLOCK_REALTIME).as_nanos()).unwrap_or(u64::MAX)
}

fn read(clock: libc::clockid_t) -> Duration {
    // SAFETY: an all-zero timespec is valid, and the kernel writes one timespec.
    let time = unsafe {
        let mut time: libc::timespec = mem::zeroed();
        libc::clock_gettime(clock, &mut time);
        time
    };
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}

#[cfg(test)]
mod tests {
    #[test]
    fn work_costs_time() {
        let before = super::thread_cpu_time();
        let mut rounds = 0_u64;
        while super::thread_cpu_time() == before {
            rounds = std::hint::black_box(rounds + 1);
        }
        assert!(super::thread_cpu_time() > before);
    }
}
