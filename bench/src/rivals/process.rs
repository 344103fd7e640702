//! A system's process: pinned, as a real-time thread where that is allowed, with its log kept on failure.

use std::fs::{self, File};
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use super::RivalError;

/// How long a system may take to end when asked to.
const END_WITHIN: Duration = Duration::from_secs(3);
/// Between two looks at something that a process has no way to announce.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Bytes of a log that an error quotes.
const LOG_TAIL: usize = 1500;
/// Priority of measured threads: above everything ordinary, below the kernel's own.
const PRIORITY: &str = "10";

/// Where systems run, and with which rights.
#[derive(Clone, Debug)]
pub struct Placement {
    /// Processor of the measured system.
    pub system_core: usize,
    /// Processor of sources and sink.
    pub harness_core: usize,
    /// Whether both run as SCHED_FIFO, so that nothing else of this machine counts.
    pub real_time: bool,
}

impl Placement {
    /// The last processor for the system, the first for the harness, real time if this process may.
    ///
    /// # Errors
    /// On a machine of one processor: sources would take the system's time.
    pub fn find() -> Result<Placement, RivalError> {
        let processors = std::thread::available_parallelism()?.get();
        if processors < 2 {
            let why = "a comparison needs two processors: one for the system, one for sources and sink";
            return Err(RivalError::Cannot(why.into()));
        }
        let real_time = quiet(Command::new("chrt").args(["--fifo", PRIORITY, "true"]));
        Ok(Placement { system_core: processors - 1, harness_core: 0, real_time })
    }

    /// Moves the calling thread to the harness's processor, ahead of everything ordinary.
    pub fn enter_harness(&self) -> Result<(), RivalError> {
        let thread = nix::unistd::gettid().to_string();
        let core = self.harness_core.to_string();
        let pinned = quiet(Command::new("taskset").args(["--cpu-list", "--pid", &core, &thread]));
        let first =
            !self.real_time || quiet(Command::new("chrt").args(["--fifo", "--pid", PRIORITY, &thread]));
        if pinned && first {
            return Ok(());
        }
        Err(RivalError::Setup(
            "the harness's own thread cannot be pinned (taskset, chrt of util-linux)".into(),
        ))
    }

    fn command(&self, program: &Path) -> Command {
        let core = self.system_core.to_string();
        let mut command;
        if self.real_time {
            command = Command::new("chrt");
            command.args(["--fifo", PRIORITY, "taskset", "--cpu-list", &core]);
        } else {
            command = Command::new("taskset");
            command.args(["--cpu-list", &core]);
        }
        command.arg(program);
        command
    }
}

fn quiet(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// A running system and its folder, which goes with it unless something failed.
pub struct Process {
    system: &'static str,
    child: Child,
    folder: Option<TempDir>,
}

impl Process {
    /// A fresh folder for a system's configuration and log.
    pub(super) fn folder(system: &str) -> Result<TempDir, RivalError> {
        Ok(tempfile::Builder::new().prefix(&format!("kaname-compare-{system}-")).tempdir()?)
    }

    /// Starts a program; what it writes goes to `log` in its folder.
    pub(super) fn start(
        system: &'static str,
        folder: TempDir,
        place: &Placement,
        program: &Path,
        arguments: &[&str],
    ) -> Result<Process, RivalError> {
        let log = File::create(folder.path().join("log"))?;
        // pid stays the same: chrt and taskset become the program.
        let child = place
            .command(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        Ok(Process { system, child, folder: Some(folder) })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks again and again until the answer is there, the process has ended, or the time is over.
    pub(super) fn until<T>(
        &mut self,
        what: &str,
        within: Duration,
        mut ask: impl FnMut() -> Option<T>,
    ) -> Result<T, RivalError> {
        let begin = Instant::now();
        while begin.elapsed() < within {
            if let Some(answer) = ask() {
                return Ok(answer);
            }
            if self.child.try_wait()?.is_some() {
                return Err(RivalError::Died { system: self.system, log: self.log() });
            }
            std::thread::sleep(LOOK_EVERY);
        }
        Err(RivalError::Setup(format!("{}: {what} did not come; its log: {}", self.system, self.log())))
    }

    /// Whether it still runs.
    pub fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// The end of what it wrote.
    fn log(&self) -> String {
        let text = self.folder.as_ref().map(|f| fs::read(f.path().join("log")).unwrap_or_default());
        let text = text.unwrap_or_default();
        String::from_utf8_lossy(&text[text.len().saturating_sub(LOG_TAIL)..]).into_owned()
    }

    /// An error with the end of the log, whose folder is kept for a closer look.
    pub fn explain(&mut self, error: RivalError) -> RivalError {
        let log = self.log();
        let kept = self.folder.take().map(TempDir::keep);
        let at = kept.map_or_else(String::new, |path| format!(" (kept in {})", path.display()));
        RivalError::Setup(format!("{error}\nlog of {}{at}:\n{log}", self.system))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = kill(Pid::from_raw(self.child.id() as i32), Signal::SIGTERM);
        let begin = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) {
            if begin.elapsed() > END_WITHIN {
                let _ = self.child.kill();
                let _ = self.child.wait();
                return;
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

/// The program of this name on the path.
pub(super) fn installed(program: &'static str, package: &'static str) -> Result<PathBuf, RivalError> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found =
        std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]).map(|folder| folder.join(program));
    found.into_iter().find(|file| file.is_file()).ok_or(RivalError::Missing { program, package })
}

/// The version of the Debian package, epoch and all.
pub(super) fn package_version(package: &'static str) -> io::Result<String> {
    let output = Command::new("dpkg-query").args(["--show", "--showformat=${Version}", package]).output()?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// An address of this machine's loopback (RFC 1122 section 3.2.1.3: all of 127/8) that no other process and no other call
/// gets here: ports are free at it whatever else runs, and stay so until they are asked for.
pub(super) fn own_address() -> Ipv4Addr {
    static HANDED_OUT: AtomicU32 = AtomicU32::new(0);
    let [.., high, low] = std::process::id().to_be_bytes();
    let number = HANDED_OUT.fetch_add(1, Ordering::Relaxed);
    // The first network is everybody's, the last has the broadcast address.
    Ipv4Addr::new(127, 1 + (number % 254) as u8, high, low)
}

/// A UDP port that was free a moment ago.
pub(super) fn free_udp_port() -> io::Result<u16> {
    Ok(std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// The same for TCP.
pub(super) fn free_tcp_port() -> io::Result<u16> {
    Ok(std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
