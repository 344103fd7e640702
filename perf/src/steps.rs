//! Counting instructions by stepping through a child process one at a time. It is slow, needs no counters of the processor
//! (virtual machines seldom have any), knows every instruction the processor knows, and gives the same number every time.

use std::io;

/// How many instructions `work` takes in a copy of this process. Call it from a process with one thread.
///
/// # Errors
/// If the system forbids tracing, or the copy died.
pub fn count(work: impl FnOnce()) -> io::Result<u64> {
    // SAFETY: the copy runs `work` and leaves without running anything else of ours.
    let child = unsafe { libc::fork() };
    match child {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            // SAFETY: plain system calls; stopping hands over to the parent.
            unsafe {
                if libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) != 0 {
                    libc::_exit(1);
                }
                libc::raise(libc::SIGSTOP);
            }
            work();
            // SAFETY: as above.
            unsafe {
                libc::raise(libc::SIGSTOP);
                libc::_exit(0)
            }
        }
        child => {
            let steps = follow(child);
            // SAFETY: our own child, which is waited for and gone afterwards.
            unsafe {
                libc::kill(child, libc::SIGKILL);
                libc::waitpid(child, &mut 0, 0);
            }
            steps
        }
    }
}

/// Steps from the first stop to the second.
fn follow(child: libc::pid_t) -> io::Result<u64> {
    let stopped_by = || {
        let mut status = 0;
        // SAFETY: our own child.
        if unsafe { libc::waitpid(child, &mut status, 0) } != child {
            return Err(io::Error::last_os_error());
        }
        if libc::WIFSTOPPED(status) {
            Ok(libc::WSTOPSIG(status))
        } else {
            Err(io::Error::other("the traced copy died"))
        }
    };
    if stopped_by()? != libc::SIGSTOP {
        return Err(io::Error::other("the traced copy did not stop first"));
    }
    let mut steps = 0;
    loop {
        // SAFETY: our own child, which is stopped.
        if unsafe { libc::ptrace(libc::PTRACE_SINGLESTEP, child, 0, 0) } != 0 {
            return Err(io::Error::last_os_error());
        }
        if stopped_by()? == libc::SIGSTOP {
            return Ok(steps);
        }
        steps += 1;
    }
}
