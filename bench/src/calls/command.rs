//! `kaname-bench calls`.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use kaname_machine::{Machine, record};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use serde_json::Map;

use super::case::{CASES, Case, suite};
use super::limits::{MAX_CALLS, MAX_MINUTES};
use super::node::System;
use super::row::CallRow;
use super::turn::{Bench, Turn};
use super::{CallError, compare, long, ramp, rate};
use crate::report;
use crate::rivals::{Placement, Suite};

/// Telephone calls through a node that speaks ng. The generator plays both telephones and the SIP proxy of every call,
/// and judges what comes out at the far ends.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Kinds of calls, divided by commas; unset: all of them.
    #[arg(long, value_delimiter = ',', value_name = "CASE")]
    pub case: Vec<String>,
    /// Calls at once; unset: as many as suit each case.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_CALLS)))]
    pub calls: Option<u32>,
    /// Seconds of media that count.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=600))]
    pub seconds: u32,
    /// What is started: kaname or rtpengine.
    #[arg(long, default_value = "kaname", conflicts_with = "ng")]
    pub system: String,
    /// Our node's program; unset: `kaname` beside this one.
    #[arg(long)]
    pub node: Option<PathBuf>,
    /// Nothing is started: the ng address of a node that runs.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub ng: Option<SocketAddr>,
    /// The process of that node, for its processor time and memory.
    #[arg(long, requires = "ng")]
    pub pid: Option<u32>,
    /// Allow a node on another machine: this is a load generator.
    #[arg(long)]
    pub allow_remote: bool,
    /// The same calls through another system, taking turns: rtpengine.
    #[arg(long, value_name = "SYSTEM", conflicts_with_all = ["ng", "ramp", "setup_rate", "minutes"])]
    pub compare: Option<String>,
    /// Rounds; systems take turns in each, every other round backwards, and medians count.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub rounds: u32,
    /// Add calls until quality fails.
    #[arg(long, conflicts_with_all = ["setup_rate", "minutes"])]
    pub ramp: bool,
    /// Of a ramp: no more calls than this.
    #[arg(long, default_value_t = MAX_CALLS, requires = "ramp", value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_CALLS)))]
    pub most: u32,
    /// Calls a second through ng, without media: answer times, and the highest rate.
    #[arg(long, conflicts_with = "minutes")]
    pub setup_rate: bool,
    /// A long run: drift, gaps and memory, with a line a minute.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_MINUTES)))]
    pub minutes: Option<u32>,
    /// SRTP suite of protected sides, or a part of its name.
    #[arg(long, default_value = "AES_CM_128_HMAC_SHA1_80")]
    pub suite: String,
    /// Only callers send.
    #[arg(long)]
    pub one_way: bool,
    /// One JSON object a row instead of the table.
    #[arg(long)]
    pub json: bool,
    /// Also keep the rows below this folder: FOLDER/<cpu>/<date>-calls.jsonl.
    #[arg(long, value_name = "FOLDER", num_args = 0..=1, default_missing_value = "perf/record")]
    pub record: Option<PathBuf>,
    /// Also write a page with plots, of plain runs, comparisons and long runs.
    #[arg(long, value_name = "FILE.html", conflicts_with_all = ["ramp", "setup_rate"])]
    pub report: Option<PathBuf>,
    /// Run node and generator as ordinary processes, not ahead of all others of this machine.
    #[arg(long)]
    pub ordinary: bool,
    /// No progress on standard error.
    #[arg(long)]
    pub quiet: bool,
}

/// Runs calls. Success means that everything came as it should; a missed goal is a figure, not a failure. 1: something
/// was wrong with the calls; 2: they could not be made.
pub fn run(options: &Options) -> ExitCode {
    match Asked::of(options).and_then(|mut asked| asked.run()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "kaname-bench calls: {error}");
            ExitCode::from(2)
        }
    }
}

/// Options, read and checked.
pub(super) struct Asked<'a> {
    pub(super) options: &'a Options,
    pub(super) systems: Vec<System>,
    pub(super) cases: Vec<Case>,
    pub(super) suite: Suite,
    pub(super) host: IpAddr,
    pub(super) bench: Bench,
}

impl<'a> Asked<'a> {
    /// # Errors
    /// [`CallError::Asked`] says what to change.
    pub(super) fn of(options: &'a Options) -> Result<Asked<'a>, CallError> {
        let beside = std::env::current_exe()?.with_file_name("kaname");
        let program = options.node.clone().unwrap_or(beside);
        let mut systems = vec![match options.ng {
            Some(control) => running(control, options)?,
            None => System::named(&options.system, &program)?,
        }];
        if let Some(other) = &options.compare {
            systems.push(System::named(other, &program)?);
        }
        let named = options.case.iter().map(|name| Case::named(name).map_err(CallError::Asked));
        let mut cases: Vec<Case> = named.collect::<Result<_, _>>()?;
        if cases.is_empty() {
            cases.extend(CASES);
        }
        let host = match options.ng {
            Some(control) => towards(control)?,
            None => Ipv4Addr::LOCALHOST.into(),
        };
        let mut place = Placement::find()?;
        place.real_time &= !options.ordinary;
        room_for_sockets(options.calls.unwrap_or(MAX_CALLS / 4));
        let suite = suite(&options.suite).map_err(CallError::Asked)?;
        Ok(Asked { options, systems, cases, suite, host, bench: Bench::new(place) })
    }

    fn run(&mut self) -> Result<bool, CallError> {
        if !self.bench.place.real_time && !self.options.ordinary {
            self.say("no right to SCHED_FIFO: other work of this machine will show in the figures (run as root, or with CAP_SYS_NICE)");
        }
        if self.bench.foreign.is_none() {
            self.say("no ffmpeg: sound is judged by our own decoders alone");
        }
        if self.options.setup_rate {
            return rate::run(self);
        }
        if let Some(minutes) = self.options.minutes {
            return long::run(self, minutes);
        }
        if self.options.ramp {
            return ramp::run(self);
        }
        let rows = compare::rows(self)?;
        self.publish(&rows)?;
        Ok(rows.iter().all(|row| row.refused.is_none()))
    }

    /// A turn of a case.
    pub(super) fn turn(&self, case: Case, calls: u32, seconds: u32) -> Turn {
        let mut turn = Turn::new(case, self.suite, calls, seconds, self.host);
        turn.times.one_way = self.options.one_way;
        turn
    }

    /// A remark.
    pub(super) fn say(&self, text: &str) {
        if !self.options.quiet {
            // A closed pipe is the reader's wish.
            let _ = writeln!(std::io::stderr(), "{text}");
        }
    }

    /// A result, for people or for programs.
    pub(super) fn print(&self, text: &str, json: &impl serde::Serialize) -> Result<(), CallError> {
        let line = if self.options.json { serde_json::json!(json).to_string() + "\n" } else { text.into() };
        Ok(std::io::stdout().write_all(line.as_bytes())?)
    }

    fn publish(&self, rows: &[CallRow]) -> Result<(), CallError> {
        let lines: Vec<String> = rows.iter().map(|row| serde_json::json!(row).to_string()).collect();
        let text = if self.options.json { lines.join("\n") + "\n" } else { compare::table(rows) };
        std::io::stdout().write_all(text.as_bytes())?;
        if let Some(folder) = &self.options.record {
            let head = Map::from_iter([
                ("rounds".to_owned(), self.options.rounds.into()),
                ("seconds".to_owned(), self.options.seconds.into()),
                ("real_time".to_owned(), self.bench.place.real_time.into()),
            ]);
            let name = if self.options.one_way { "calls-one-way" } else { "calls" };
            record(folder, &Machine::here(), name, head, &lines)?;
        }
        self.write_page(report::Input { calls: rows.to_vec(), ..report::Input::default() })
    }

    /// A page of what was measured, where one was asked for.
    pub(super) fn write_page(&self, measured: report::Input) -> Result<(), CallError> {
        let Some(file) = &self.options.report else { return Ok(()) };
        let names: Vec<&str> = self.systems.iter().map(System::name).collect();
        let input = report::Input {
            title: format!("Telephone calls through {}", names.join(" and ")),
            machine: Machine::here(),
            date: kaname_machine::today(),
            ..measured
        };
        Ok(std::fs::write(file, report::page(&input))?)
    }
}

fn running(control: SocketAddr, options: &Options) -> Result<System, CallError> {
    if !control.ip().is_loopback() && !options.allow_remote {
        let why =
            format!("{control} may be another machine, and this is a load generator: give --allow-remote");
        return Err(CallError::Asked(why));
    }
    Ok(System::Running { control, pid: options.pid })
}

/// The address of this machine that a node sees.
fn towards(control: SocketAddr) -> Result<IpAddr, CallError> {
    let any: IpAddr =
        if control.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { std::net::Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(control)?;
    Ok(socket.local_addr()?.ip())
}

/// Four sockets a call, as far as the system lets.
fn room_for_sockets(calls: u32) {
    let wanted = u64::from(calls) * 4 + 256;
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < wanted
    {
        // What it does not give shows as sockets that cannot be opened, with their own message.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, wanted.min(hard), hard);
    }
}

impl Default for Options {
    /// What the command line says when it says nothing.
    fn default() -> Self {
        Options {
            case: Vec::new(),
            calls: None,
            seconds: 4,
            system: "kaname".into(),
            node: None,
            ng: None,
            pid: None,
            allow_remote: false,
            compare: None,
            rounds: 2,
            ramp: false,
            most: MAX_CALLS,
            setup_rate: false,
            minutes: None,
            suite: Suite::Cm.name().into(),
            one_way: false,
            json: false,
            record: None,
            report: None,
            ordinary: false,
            quiet: false,
        }
    }
}

/// What [`run`] prints of plain runs and comparisons.
///
/// # Errors
/// When calls could not be made at all; what is wrong with those that were stands in the rows.
pub fn rows(options: &Options) -> Result<Vec<CallRow>, CallError> {
    compare::rows(&mut Asked::of(options)?)
}

#[cfg(test)]
impl Options {
    /// One short quiet round of cases as an ordinary process.
    pub(super) fn of(system: &str, cases: &[&str], calls: u32) -> Options {
        Options {
            case: cases.iter().map(|&case| case.to_owned()).collect(),
            calls: Some(calls),
            seconds: 2,
            system: system.into(),
            rounds: 1,
            ordinary: true,
            quiet: true,
            ..Options::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct CommandLine {
        #[command(flatten)]
        options: Options,
    }

    #[test]
    fn defaults_are_those_of_the_command_line() {
        let parsed = CommandLine::parse_from(["calls"]).options;
        assert_eq!(format!("{parsed:?}"), format!("{:?}", Options::default()));
    }

    #[test]
    fn one_thing_is_done_at_a_time() {
        for both in [
            &["calls", "--ramp", "--setup-rate"][..],
            &["calls", "--ramp", "--compare", "rtpengine"],
            &["calls", "--minutes", "1", "--setup-rate"],
            &["calls", "--calls", "0"],
            &["calls", "--pid", "1"],
            &["calls", "--ramp", "--report", "page.html"],
            &["calls", "--most", "10"],
        ] {
            assert!(CommandLine::try_parse_from(both).is_err(), "{both:?}");
        }
    }
}
