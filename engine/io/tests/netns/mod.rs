//! Network namespaces of our own, joined by veth pairs. They have no names and are gone with the last descriptor, so
//! nothing is left behind, whatever happens to the test.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::process::Command;

/// A network namespace.
#[derive(Debug)]
pub(crate) struct Namespace(File);

impl Namespace {
    /// A fresh one with loopback up; `None`, with a word on why: not allowed here.
    pub(crate) fn new() -> Option<Namespace> {
        let made = std::thread::spawn(|| {
            // SAFETY: takes a flag only, and changes the namespace of this thread alone, which ends here.
            if unsafe { libc::unshare(libc::CLONE_NEWNET) } != 0 {
                return Err(std::io::Error::last_os_error());
            }
            File::open("/proc/thread-self/ns/net")
        });
        match made.join().expect("a thread") {
            Ok(file) => {
                let namespace = Namespace(file);
                namespace.ip("link set lo up");
                Some(namespace)
            }
            Err(error) => {
                eprintln!("skipped: no network namespace can be made ({error}); run as root");
                None
            }
        }
    }

    /// Does something inside, on a thread of its own. What it makes stays in the namespace.
    pub(crate) fn run<T: Send>(&self, body: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| {
            let inside = scope.spawn(|| {
                self.enter();
                body()
            });
            match inside.join() {
                Ok(value) => value,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }

    /// Moves the calling thread inside.
    pub(crate) fn enter(&self) {
        // SAFETY: the descriptor is open; the call changes the namespace of this thread alone.
        let result = unsafe { libc::setns(self.0.as_raw_fd(), libc::CLONE_NEWNET) };
        assert_eq!(result, 0, "entering: {}", std::io::Error::last_os_error());
    }

    /// `ip` with these arguments, inside; it must succeed.
    pub(crate) fn ip(&self, arguments: &str) {
        let output =
            self.run(|| Command::new("ip").args(arguments.split(' ')).output().expect("ip is there"));
        assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// For `ip link set .. netns`.
    pub(crate) fn path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.0.as_raw_fd())
    }

    /// A veth pair from `name` here to `other_name` there, with so many queues on this end; both up.
    pub(crate) fn join(&self, name: &str, other: &Namespace, other_name: &str, queues: usize) {
        let count = format!("numtxqueues {queues} numrxqueues {queues}");
        self.ip(&format!("link add {name} {count} type veth peer name {other_name} {count}"));
        self.ip(&format!("link set {other_name} netns {}", other.path()));
        self.ip(&format!("link set {name} up"));
        other.ip(&format!("link set {other_name} up"));
    }
}
