//! A foreign program as a child that cannot outlive the test.

use std::fs::File;
use std::path::Path;
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::{Child, Command};

use crate::{Error, must};

/// A running program. It is killed when this is dropped, and by the kernel if the test dies without dropping it.
pub struct Program {
    name: String,
    child: Child,
}

impl Program {
    /// Starts a program; what it says goes to `NAME.log` in the folder. `package` is Debian's name for where it comes from.
    pub fn start(
        folder: &Path,
        name: &str,
        package: &str,
        program: &str,
        arguments: &[&str],
    ) -> Result<Program, Error> {
        Program::spawn(folder, name, package, &["--pdeathsig", "KILL", "--", program], arguments, &[])
    }

    /// The same behind a wrapper such as `nsenter`, with further variables of the environment.
    pub fn start_at(
        place: &[String],
        folder: &Path,
        name: &str,
        program: &str,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Result<Program, Error> {
        let mut wrap = vec!["--pdeathsig", "KILL", "--"];
        wrap.extend(place.iter().map(String::as_str));
        wrap.push(program);
        Program::spawn(folder, name, program, &wrap, arguments, environment)
    }

    /// The same for one that forks: it is the first of a process namespace, and all of them end with it.
    pub fn start_family(
        folder: &Path,
        name: &str,
        package: &str,
        program: &str,
        arguments: &[&str],
    ) -> Result<Program, Error> {
        let wrap =
            ["--pdeathsig", "KILL", "--", "unshare", "--pid", "--fork", "--kill-child=KILL", "--", program];
        Program::spawn(folder, name, package, &wrap, arguments, &[])
    }

    fn spawn(
        folder: &Path,
        name: &str,
        package: &str,
        wrap: &[&str],
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Result<Program, Error> {
        let program = wrap.last().copied().unwrap_or_default();
        if !on_path(program) {
            return Err(Error::Telephony(format!(
                "{program} is not installed; apt-get install -y --no-install-recommends {package}"
            )));
        }
        let log = File::create(folder.join(format!("{name}.log")))?;
        let child = Command::new("setpriv")
            .args(wrap)
            .args(arguments)
            .envs(environment.iter().copied())
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true)
            .spawn()?;
        Ok(Program { name: name.to_owned(), child })
    }

    /// Waits for its end; whether it ended well.
    pub async fn ended(&mut self) -> Result<bool, Error> {
        let status = must("the end of a program", self.child.wait()).await??;
        Ok(status.success())
    }

    /// Whether it still runs.
    pub fn alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Asks it to end, and waits until it has.
    pub async fn stop(mut self) -> Result<(), Error> {
        self.signal(Signal::SIGTERM)?;
        must("a program's end", self.child.wait()).await??;
        Ok(())
    }

    /// Kills it, and waits until it is gone.
    pub async fn kill(mut self) -> Result<(), Error> {
        self.child.kill().await?;
        Ok(())
    }

    fn signal(&self, signal: Signal) -> Result<(), Error> {
        let gone = || Error::Telephony(format!("{} is gone", self.name));
        let pid = self.child.id().and_then(|pid| i32::try_from(pid).ok()).ok_or_else(gone)?;
        kill(Pid::from_raw(pid), signal).map_err(|e| Error::Telephony(format!("{}: {e}", self.name)))
    }
}

fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    Path::new(program).is_absolute()
        || std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}
