//! `kaname-bench run`: the command line of a scenario, its table and its verdict.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use super::scenario::{Arrival, Pattern, Scenario, Shape, Source, Suite};
use super::target::{NodeTarget, Target};
use super::{FleetError, Launch, Launched, PRESETS, Quality, development_token, find, pin, run, table};
use crate::client::Trust;
use crate::live::Live;
use crate::report;

/// Arguments of `kaname-bench run`.
#[derive(Args, Debug)]
#[command(after_help = examples())]
pub struct Options {
    /// What to do: a name from the list below, or a TOML file
    scenario: String,
    /// The node's URL, such as http://127.0.0.1:7800
    #[arg(long, value_name = "URL", required_unless_present = "start", conflicts_with = "start")]
    url: Option<String>,
    /// A token for all rooms that may publish and subscribe; development nodes give one by themselves
    #[arg(long, env = "KANAME_BENCH_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Accept any certificate of the node
    #[arg(long)]
    any_certificate: bool,
    /// Process of the node at --url, to measure its CPU, memory and context switches
    #[arg(long)]
    pid: Option<u32>,
    /// Allow a node on another machine
    #[arg(long)]
    allow_remote: bool,
    /// Start this program (`kaname`) as the node
    #[arg(long, value_name = "PROGRAM")]
    start: Option<PathBuf>,
    /// Shards of the started node
    #[arg(long, requires = "start")]
    shards: Option<u32>,
    /// Cores of the started node
    #[arg(long, value_delimiter = ',', requires = "start")]
    node_cores: Vec<usize>,
    /// Cores of the harness
    #[arg(long, value_delimiter = ',')]
    harness_cores: Vec<usize>,
    /// One more argument for the started node; may be given again
    #[arg(long, allow_hyphen_values = true, requires = "start")]
    node_argument: Vec<String>,
    /// Publishers a room
    #[arg(long)]
    publishers: Option<u32>,
    /// Subscribers a room; of a meeting, peers
    #[arg(long)]
    subscribers: Option<u32>,
    /// Rooms
    #[arg(long)]
    rooms: Option<u32>,
    /// Seconds that media is counted
    #[arg(long)]
    seconds: Option<u32>,
    /// Packets of sound, or frames of pictures, a second
    #[arg(long)]
    rate: Option<u32>,
    /// Payload of a packet of sound in bytes
    #[arg(long)]
    payload: Option<u16>,
    /// Bits a second of each camera
    #[arg(long)]
    bits_per_second: Option<u32>,
    /// Packets of each frame, of 1200 bytes each, instead of libwebrtc's sizes
    #[arg(long)]
    frame_packets: Option<u16>,
    /// Protection that the handshakes must end in
    #[arg(long)]
    suite: Option<SuiteName>,
    /// Clients that join a second
    #[arg(long)]
    joins_per_second: Option<u32>,
    /// Joins under way at once in a storm
    #[arg(long)]
    at_once: Option<u32>,
    /// Subscribers that go and come a second
    #[arg(long)]
    churn: Option<u32>,
    /// Trace file of a call day (CSV or JSON lines)
    #[arg(long)]
    trace: Option<String>,
    /// How many times faster than the trace's clock
    #[arg(long, default_value_t = 1)]
    speed: u32,
    /// Of a thousand subscribers, how many are clients on a foreign stack (at least one, unless 0)
    #[arg(long)]
    foreign: Option<u32>,
    /// Of a thousand packets, how many the network of each light subscriber loses
    #[arg(long)]
    lose: Option<u32>,
    /// Look for the largest number of subscribers at which the quality holds
    #[arg(long)]
    find_capacity: bool,
    /// Largest number that --find-capacity tries
    #[arg(long, default_value_t = 5000, requires = "find_capacity")]
    up_to: u32,
    /// Share of packets that may be lost (0.001: a thousandth)
    #[arg(long, default_value_t = 0.0)]
    max_loss: f64,
    /// 99th percentile of the delay in microseconds that may be
    #[arg(long, default_value_t = 20_000)]
    max_p99: u64,
    /// Write the outcome as JSON: a file, or - for standard output
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write a page with plots
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
    /// No progress on standard error
    #[arg(long)]
    quiet: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum SuiteName {
    Gcm128,
    Gcm256,
    Cm,
}

fn examples() -> String {
    let mut text = String::from("Scenarios:\n");
    for (name, meaning) in PRESETS {
        text += &format!("  {name:<11} {meaning}\n");
    }
    text + "\nExamples:\n  kaname-bench run voice --start ./kaname --node-cores 0 --harness-cores 1 --subscribers 500\n  \
            kaname-bench run storm --url http://127.0.0.1:7800 --pid 4711\n  \
            kaname-bench run video --start ./kaname --find-capacity --max-p99 5000\n\n\
            The exit status is 0 when all held: nothing lost, twice or out of order, the delay as wished, everyone joined,\n\
            and the harness not short of anything."
}

impl Options {
    /// Carries it out: the process's exit status.
    pub fn run(&self) -> ExitCode {
        match self.try_run() {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(error) => {
                say(&mut io::stderr(), &format!("kaname-bench: {error}\n"));
                ExitCode::from(2)
            }
        }
    }

    fn try_run(&self) -> Result<bool, FleetError> {
        let scenario = self.scenario()?;
        scenario.check()?;
        let launched = self.launch()?;
        if !self.harness_cores.is_empty() {
            pin(&self.harness_cores)?;
        }
        let target = match &launched {
            Some(launched) => launched.target.clone(),
            None => self.running()?,
        };
        let target = Target::Node(target);
        target.check()?;
        let quality = Quality { loss: self.max_loss, p99_us: self.max_p99, ..Quality::default() };
        let mut watch = Live::new(self.quiet, scenario.seconds, table::sample);
        if self.find_capacity {
            let from = scenario.shape.size();
            let found = find(&scenario, &target, quality, (from, self.up_to), &mut watch)?;
            drop(watch);
            self.write_json(&found)?;
            let runs = found.steps.iter().filter(|step| step.size == found.size);
            let runs = runs.map(|step| step.outcome.clone()).collect();
            self.write_report(report::Input {
                runs,
                capacity: Some(found.clone()),
                ..report::Input::default()
            })?;
            say(&mut self.table_goes(), &table::capacity(&found));
            return Ok(found.size > 0);
        }
        let outcome = run(scenario, target, &mut watch)?;
        drop(watch);
        self.write_json(&outcome)?;
        self.write_report(report::Input { runs: vec![outcome.clone()], ..report::Input::default() })?;
        say(&mut self.table_goes(), &table::outcome(&outcome, &quality));
        Ok(table::verdict(&outcome, &quality).is_empty())
    }

    /// JSON on standard output is alone there.
    fn table_goes(&self) -> Box<dyn Write> {
        let taken = self.json.as_ref().is_some_and(|path| path.as_os_str() == "-");
        if taken { Box::new(io::stderr()) } else { Box::new(io::stdout()) }
    }

    fn write_json(&self, what: &impl serde::Serialize) -> Result<(), FleetError> {
        let Some(path) = &self.json else { return Ok(()) };
        let text = serde_json::to_string_pretty(what).map_err(|e| FleetError::Io(io::Error::other(e)))?;
        if path.as_os_str() == "-" {
            say(&mut io::stdout(), &(text + "\n"));
            return Ok(());
        }
        fs::write(path, text + "\n").map_err(FleetError::Io)
    }

    fn write_report(&self, input: report::Input) -> Result<(), FleetError> {
        let Some(path) = &self.report else { return Ok(()) };
        let input = report::Input {
            title: format!("{}, measured", self.scenario),
            machine: kaname_machine::Machine::here(),
            date: kaname_machine::today(),
            ..input
        };
        fs::write(path, report::page(&input)).map_err(FleetError::Io)
    }

    fn launch(&self) -> Result<Option<Launched>, FleetError> {
        let Some(program) = &self.start else { return Ok(None) };
        let launch = Launch {
            shards: self.shards,
            cores: self.node_cores.clone(),
            arguments: self.node_argument.clone(),
        };
        launch.start(program).map(Some)
    }

    fn running(&self) -> Result<NodeTarget, FleetError> {
        let url = self.url.clone().unwrap_or_default();
        let trust = if self.any_certificate { Trust::Any } else { Trust::Plain };
        let mut target = NodeTarget {
            token: std::sync::Arc::new(|_| String::new()),
            url: url.trim_end_matches('/').to_owned(),
            trust: trust.clone(),
            pid: self.pid,
            system: "kaname".into(),
            allow_remote: self.allow_remote,
        };
        // Before a word is spoken to it.
        Target::Node(target.clone()).check()?;
        target.token = match self.token.clone() {
            Some(token) => std::sync::Arc::new(move |_| token.clone()),
            None => development_token(&target.url, &trust)?,
        };
        Ok(target)
    }

    /// The named scenario with what the flags change.
    fn scenario(&self) -> Result<Scenario, FleetError> {
        let mut scenario = Scenario::named(&self.scenario)?;
        match &mut scenario.shape {
            Shape::OneToMany { publishers, subscribers } => {
                *publishers = self.publishers.unwrap_or(*publishers);
                *subscribers = self.subscribers.unwrap_or(*subscribers);
            }
            Shape::Meeting { peers } => *peers = self.subscribers.or(self.publishers).unwrap_or(*peers),
        }
        scenario.rooms = self.rooms.unwrap_or(scenario.rooms);
        scenario.seconds = self.seconds.unwrap_or(scenario.seconds);
        scenario.foreign_per_mille = self.foreign.unwrap_or(scenario.foreign_per_mille);
        scenario.loss_per_mille = self.lose.unwrap_or(scenario.loss_per_mille);
        scenario.suite = self.suite.map(|name| match name {
            SuiteName::Gcm128 => Suite::Gcm128,
            SuiteName::Gcm256 => Suite::Gcm256,
            SuiteName::Cm => Suite::Cm,
        });
        for source in &mut scenario.sources {
            self.change(source);
        }
        match &mut scenario.arrival {
            Arrival::Steady { joins_per_second } | Arrival::Churn { joins_per_second, .. } => {
                *joins_per_second = self.joins_per_second.unwrap_or(*joins_per_second);
            }
            Arrival::Storm { at_once } => *at_once = self.at_once.unwrap_or(*at_once),
            Arrival::Trace { path, speed } => {
                *path = self.trace.clone().unwrap_or_else(|| path.clone());
                *speed = self.speed;
            }
        }
        if let Some(changes_per_second) = self.churn {
            let joins_per_second = self.joins_per_second.unwrap_or(200);
            scenario.arrival = Arrival::Churn { joins_per_second, changes_per_second };
        }
        Ok(scenario)
    }

    fn change(&self, source: &mut Source) {
        match source {
            Source::Voice { payload, rate } => {
                *payload = self.payload.unwrap_or(*payload);
                *rate = self.rate.unwrap_or(*rate);
            }
            Source::Video { bits_per_second, frames, pattern, .. } => {
                *bits_per_second = self.bits_per_second.unwrap_or(*bits_per_second);
                *frames = self.rate.unwrap_or(*frames);
                if let Some(packets) = self.frame_packets {
                    *pattern = Pattern::Fixed { packets, payload: 1200 };
                }
            }
        }
    }
}

fn say(out: &mut dyn Write, text: &str) {
    // A closed pipe is the reader's wish.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
