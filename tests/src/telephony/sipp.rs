//! Debian's sipp: many calls at once, with a tone in both directions.

use std::fs;
use std::process::Command;

use super::lab::{Lab, address};
use super::program::Program;
use super::until;
use super::{Exchange, Socket};
use crate::Error;

const CALLER: &str = include_str!("sipp/caller.xml");
const CALLEE: &str = include_str!("sipp/callee.xml");
const REGISTER: &str = include_str!("sipp/register.xml");
/// Who is called; the proxy knows it as one who speaks plain G.711.
const CALLEE_NAME: &str = "plain-sipp";
/// Calls begun in a second.
const RATE: &str = "20";

/// Callers and callees at work.
pub struct Load {
    calls: usize,
    caller: Program,
    callee: Program,
}

impl Load {
    /// Starts so many calls, each of so many milliseconds.
    pub async fn start(lab: &Lab, calls: usize, talk_ms: u64) -> Result<Load, Error> {
        let folder = lab.folder.join("sipp");
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("caller.xml"), CALLER.replace("TALK_MS", &talk_ms.to_string()))?;
        fs::write(folder.join("callee.xml"), CALLEE)?;
        tone(&folder.join("tone.alaw"))?;
        fs::write(folder.join("register.xml"), REGISTER)?;
        let count = calls.to_string();
        let (from, to) = (address("caller").to_string(), address("callee").to_string());
        let target = format!("{}:5060", address("proxy"));
        let common = ["-nostdin", "-p", "5060", "-timeout", "300", "-trace_err"];
        let mut arguments = vec!["-sf", "register.xml", &target, "-s", CALLEE_NAME, "-i", &to, "-m", "1"];
        arguments.extend(common);
        if !Program::start(&folder, "register", "sip-tester", "sipp", &arguments)?.ended().await? {
            return Err(Error::Telephony("sipp: not registered; see sipp/register.log".into()));
        }
        let mut arguments = vec!["-sf", "callee.xml", "-i", &to, "-mi", &to, "-m", &count];
        arguments.extend(common);
        let callee = Program::start(&folder, "callee", "sip-tester", "sipp", &arguments)?;
        until("sipp's callee", async || Socket::is_bound("callee", 5060).then_some(())).await?;
        let mut arguments = vec!["-sf", "caller.xml", &target, "-s", CALLEE_NAME, "-i", &from, "-mi", &from];
        arguments.extend(["-r", RATE, "-l", &count, "-m", &count]);
        arguments.extend(common);
        let caller = Program::start(&folder, "caller", "sip-tester", "sipp", &arguments)?;
        Ok(Load { calls, caller, callee })
    }

    /// Waits until every call is up.
    pub async fn up(&self, exchange: &mut Exchange) -> Result<Vec<String>, Error> {
        let (ng, wanted) = (&mut exchange.relay.ng, self.calls);
        until("all calls at the relay", async || ng.calls().await.ok().filter(|c| c.len() >= wanted)).await
    }

    /// Waits until both have ended; fails when one call failed.
    pub async fn finished(mut self) -> Result<(), Error> {
        let ended = self.caller.ended().await? && self.callee.ended().await?;
        if ended {
            return Ok(());
        }
        Err(Error::Telephony("sipp: calls failed; see sipp/caller.log and sipp/*_errors.log".into()))
    }
}

/// Four seconds of a tone in A-law.
fn tone(path: &std::path::Path) -> Result<(), Error> {
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-y", "-f", "lavfi", "-i", "sine=frequency=600:duration=4:sample_rate=8000"])
        .args(["-f", "alaw"])
        .arg(path)
        .output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(Error::Telephony(format!("ffmpeg: {}", String::from_utf8_lossy(&output.stderr))))
}
