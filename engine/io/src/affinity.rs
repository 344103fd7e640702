//! Pins a thread to a processor.

use std::io;
use std::mem;

/// Pins the calling thread to the `index`-th processor (modulo their number) of those this thread may use, and
/// returns that processor's number.
pub fn pin_current_thread(index: usize) -> io::Result<usize> {
    let allowed = allowed()?;
    if allowed.is_empty() {
        return Err(io::Error::other("the system names no processor for this thread"));
    }
    let cpu = allowed[index % allowed.len()];
    // SAFETY: an all-zero cpu_set_t is a valid, empty set; CPU_SET stays inside it because `allowed` came from
    // indices below CPU_SETSIZE; the kernel reads exactly the given size.
    let result = unsafe {
        let mut set: libc::cpu_set_t = mem::zeroed();
        libc::CPU_SET(cpu, &mut set);
        libc::sched_setaffinity(0, mem::size_of_val(&set), &set)
    };
    if result == 0 { Ok(cpu) } else { Err(io::Error::last_os_error()) }
}

/// The processors that the calling thread may use.
fn allowed() -> io::Result<Vec<usize>> {
    // SAFETY: an all-zero cpu_set_t is valid; the kernel writes at most the given size into it; CPU_ISSET is asked
    // only below CPU_SETSIZE.
    unsafe {
        let mut set: libc::cpu_set_t = mem::zeroed();
        if libc::sched_getaffinity(0, mem::size_of_val(&set), &mut set) != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok((0..libc::CPU_SETSIZE as usize).filter(|cpu| libc::CPU_ISSET(*cpu, &set)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_pinned_to_one_processor() {
        // A thread of its own: the test runner's stays free.
        let seen = std::thread::spawn(|| {
            let before = allowed().expect("readable");
            let cpu = pin_current_thread(before.len()).expect("allowed");
            (before[0], cpu, allowed().expect("readable"))
        });
        let (first, cpu, after) = seen.join().expect("no panic");
        assert_eq!(first, cpu, "the index wraps");
        assert_eq!(after, vec![cpu]);
    }
}
