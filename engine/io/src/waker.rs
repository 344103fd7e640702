//! Ends a wait from another thread.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

#[derive(Debug)]
struct Inner {
    waker: mio::Waker,
    /// A wake-up is on its way: calls until it has arrived need no system call.
    pending: AtomicBool,
}

/// Ends the wait of one backend. Cheap to clone and to call.
#[derive(Clone, Debug)]
pub struct Waker(Arc<Inner>);

impl Waker {
    pub(crate) fn new(registry: &mio::Registry, token: mio::Token) -> io::Result<Waker> {
        let waker = mio::Waker::new(registry, token)?;
        Ok(Waker(Arc::new(Inner { waker, pending: AtomicBool::new(false) })))
    }

    /// Ends the current or the next wait. What was queued before this call is seen after that wait.
    pub fn wake(&self) {
        if !self.0.pending.swap(true, Ordering::SeqCst) && self.0.waker.wake().is_err() {
            // The next caller tries again.
            self.0.pending.store(false, Ordering::SeqCst);
        }
    }

    /// The wake-up has arrived.
    pub(crate) fn arrived(&self) {
        self.0.pending.store(false, Ordering::SeqCst);
    }
}
