//! Waiting with the precision that the kernel has.

use std::io;
use std::os::fd::AsRawFd;
use std::ptr;
use std::time::Duration;

use mio::{Events, Poll};

/// From here on a wait may be a millisecond too long: the poller knows nothing finer.
const COARSE: Duration = Duration::from_millis(100);

/// Waits for events, for at most `timeout` (`None`: no limit). A signal ends it early.
pub(crate) fn wait(poll: &mut Poll, events: &mut Events, timeout: Option<Duration>) -> io::Result<()> {
    events.clear();
    let look = match timeout {
        Some(time) if !time.is_zero() && time < COARSE => {
            if !readable_within(poll, time)? {
                return Ok(());
            }
            Some(Duration::ZERO)
        }
        other => other,
    };
    match poll.poll(events, look) {
        Err(error) if error.kind() != io::ErrorKind::Interrupted => Err(error),
        _ => Ok(()),
    }
}

/// Whether the poller has events, waiting for at most `time`, to the nanosecond (ppoll(2) on the epoll descriptor).
fn readable_within(poll: &Poll, time: Duration) -> io::Result<bool> {
    let mut wish = libc::pollfd { fd: poll.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    let time = libc::timespec {
        tv_sec: libc::time_t::try_from(time.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: time.subsec_nanos().into(),
    };
    // SAFETY: one pollfd, and the count says one; the kernel reads one timespec; no signal mask is given.
    let ready = unsafe { libc::ppoll(&mut wish, 1, &time, ptr::null()) };
    if ready >= 0 {
        return Ok(ready > 0);
    }
    match io::Error::last_os_error() {
        error if error.kind() == io::ErrorKind::Interrupted => Ok(false),
        error => Err(error),
    }
}
