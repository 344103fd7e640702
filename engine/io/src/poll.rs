//! Waiting with the precision that the kernel has, in one system call.
//!
//! Descriptors are registered through mio; waiting is our own, since mio knows milliseconds only: epoll_pwait2(2), and
//! where the kernel is older than 5.11, ppoll(2) on the poller's descriptor ahead of epoll_wait(2).

use std::io;
use std::os::fd::AsRawFd;
use std::ptr;
use std::time::Duration;

use mio::{Poll, Registry, Token};

/// From here on a wait may be a millisecond too long where the kernel is old.
const COARSE: Duration = Duration::from_millis(100);

/// Waits for descriptors.
pub(crate) struct Poller {
    poll: Poll,
    events: Box<[libc::epoll_event]>,
    /// Of those, how many the latest wait filled in.
    count: usize,
    /// The kernel waits to the nanosecond.
    precise: bool,
}

/// A descriptor that is ready.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ready {
    pub(crate) token: Token,
    /// Something can be read, if only that there is nothing more to come.
    pub(crate) readable: bool,
    pub(crate) writable: bool,
}

impl Poller {
    /// Takes so many events at once.
    pub(crate) fn new(events: usize) -> io::Result<Poller> {
        let none = libc::epoll_event { events: 0, u64: 0 };
        let events = vec![none; events].into_boxed_slice();
        Ok(Poller { poll: Poll::new()?, events, count: 0, precise: true })
    }

    pub(crate) fn registry(&self) -> &Registry {
        self.poll.registry()
    }

    /// Waits for events, for at most `timeout` (`None`: no limit). A signal ends it early.
    pub(crate) fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.count = 0;
        match self.wait_precisely(timeout) {
            Err(error) if error.raw_os_error() == Some(libc::ENOSYS) => {
                self.precise = false;
                self.wait_precisely(timeout)
            }
            other => other,
        }
    }

    fn wait_precisely(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        let most = self.events.len() as libc::c_int;
        let count = if self.precise {
            let time = timeout.map(timespec);
            let time = time.as_ref().map_or(ptr::null(), ptr::from_ref);
            // SAFETY: room for `most` events, which the kernel fills from the front; one timespec or none; no signal mask.
            unsafe {
                libc::syscall(
                    libc::SYS_epoll_pwait2,
                    self.poll.as_raw_fd(),
                    self.events.as_mut_ptr(),
                    most,
                    time,
                    ptr::null::<libc::sigset_t>(),
                    0_usize,
                )
            }
        } else {
            let fine = timeout.filter(|time| !time.is_zero() && *time < COARSE);
            if let Some(time) = fine
                && !readable_within(&self.poll, time)?
            {
                return Ok(());
            }
            let look = if fine.is_some() { Some(Duration::ZERO) } else { timeout };
            let milliseconds =
                look.map_or(-1, |time| time.as_millis().try_into().unwrap_or(libc::c_int::MAX));
            // SAFETY: as above.
            let count = unsafe {
                libc::epoll_wait(self.poll.as_raw_fd(), self.events.as_mut_ptr(), most, milliseconds)
            };
            count.into()
        };
        match usize::try_from(count) {
            Ok(count) => self.count = count,
            Err(_) => match io::Error::last_os_error() {
                error if error.kind() == io::ErrorKind::Interrupted => {}
                error => return Err(error),
            },
        }
        Ok(())
    }

    /// The latest wait brought nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// It brought as many as fit: there may be more.
    pub(crate) fn is_full(&self) -> bool {
        self.count == self.events.len()
    }

    /// What the latest wait brought, by its place.
    pub(crate) fn ready(&self, at: usize) -> Option<Ready> {
        const READABLE: libc::c_int =
            libc::EPOLLIN | libc::EPOLLPRI | libc::EPOLLERR | libc::EPOLLHUP | libc::EPOLLRDHUP;
        let event = self.events[..self.count].get(at)?;
        let has = |mask: libc::c_int| event.events & mask as u32 != 0;
        // mio keeps the token as the event's data.
        let token = Token(event.u64 as usize);
        Some(Ready { token, readable: has(READABLE), writable: has(libc::EPOLLOUT) })
    }
}

fn timespec(time: Duration) -> libc::timespec {
    libc::timespec {
        tv_sec: libc::time_t::try_from(time.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: time.subsec_nanos().into(),
    }
}

/// Whether the poller has events, waiting for at most `time`, to the nanosecond (ppoll(2) on the epoll descriptor).
fn readable_within(poll: &Poll, time: Duration) -> io::Result<bool> {
    let mut wish = libc::pollfd { fd: poll.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: one pollfd, and the count says one; the kernel reads one timespec; no signal mask is given.
    let ready = unsafe { libc::ppoll(&mut wish, 1, &timespec(time), ptr::null()) };
    if ready >= 0 {
        return Ok(ready > 0);
    }
    match io::Error::last_os_error() {
        error if error.kind() == io::ErrorKind::Interrupted => Ok(false),
        error => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, UdpSocket};
    use std::time::Instant;

    use mio::Interest;
    use mio::unix::SourceFd;

    use super::*;

    #[test]
    fn both_ways_of_waiting_say_the_same() {
        for precise in [true, false] {
            let mut poller = Poller { precise, ..Poller::new(8).expect("a poller") };
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback");
            let interest = Interest::READABLE | Interest::WRITABLE;
            poller
                .registry()
                .register(&mut SourceFd(&socket.as_raw_fd()), Token(77), interest)
                .expect("registers");
            poller.wait(None).expect("it can be written to");
            let ready = poller.ready(0).expect("one");
            assert_eq!((ready.token, ready.readable, ready.writable), (Token(77), false, true));
            assert!(poller.ready(1).is_none());
            // Nothing changes: the time is kept, in either range.
            for time in [Duration::ZERO, Duration::from_micros(300), Duration::from_millis(101)] {
                let began = Instant::now();
                poller.wait(Some(time)).expect("waits");
                assert!(poller.is_empty() && poller.ready(0).is_none() && began.elapsed() >= time);
            }
            socket.send_to(&[1], socket.local_addr().expect("bound")).expect("sent");
            poller.wait(None).expect("waits");
            assert!(poller.ready(0).is_some_and(|ready| ready.readable));
        }
    }
}
