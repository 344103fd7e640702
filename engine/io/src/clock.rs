//! What a thread has cost.

use std::mem;
use std::time::Duration;

/// Processor time that the calling thread has used since it began.
pub fn thread_cpu_time() -> Duration {
    // SAFETY: an all-zero timespec is valid, and the kernel writes one timespec.
    let time = unsafe {
        let mut time: libc::timespec = mem::zeroed();
        libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time);
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
