//! The SRTP table: every suite, operation, payload, header and number of sessions; nanoseconds a packet, the rivals
//! in the same run, and the machine's own limit.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use kaname_perf::case::{Case, Plain, SUITES};
use kaname_perf::limit::Limit;
use kaname_perf::machine::{self, Machine};
use kaname_perf::systems::{AwsLcRaw, IpsecMb, Kaname, KanameSingle, Libsrtp, Operation, RtcSrtp, System};
use kaname_perf::timing::compare;
use serde_json::{Value, json};

/// SRTP beside its rivals and the machine's limit, in one run.
#[derive(Parser)]
struct Options {
    /// One JSON object a row instead of the table.
    #[arg(long)]
    json: bool,
    /// Also keep the rows in perf/record/<cpu>/<date>-srtp.jsonl.
    #[arg(long)]
    record: bool,
    /// The cells that have a goal, as tables in Markdown, at the end.
    #[arg(long)]
    goals: bool,
    /// Samples a cell; the median counts.
    #[arg(long, default_value_t = 15)]
    samples: usize,
    /// Only cells whose suite contains this text.
    #[arg(long, default_value = "")]
    suite: String,
    /// Only cells of this payload size.
    #[arg(long)]
    payload: Option<usize>,
    /// Only cells of this many sessions.
    #[arg(long)]
    sessions: Option<usize>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let Some(limit) = Limit::measure() else {
        let _ = writeln!(
            std::io::stderr(),
            "this machine has neither AES nor SHA instructions: no limit to compare with"
        );
        return ExitCode::FAILURE;
    };
    let machine = Machine::here();
    let backend = kaname_srtp::Backend::best().name();
    let out = &mut std::io::stdout().lock();
    if !options.json {
        let _ = writeln!(
            out,
            "{} | {} | backend {backend} | ipsec-mb {}",
            machine.cpu,
            machine.rustc,
            IpsecMb::version()
        );
        let _ = writeln!(out, "limit: {limit:.3?}");
        let _ = writeln!(out, "{}", heading());
    }
    let mut rows = Vec::new();
    for case in cases(&options) {
        for operation in [Operation::Protect, Operation::Unprotect] {
            let row = match measure(&case, operation, &limit, &options) {
                Ok(row) => row,
                Err(error) => {
                    let _ = writeln!(std::io::stderr(), "{error}");
                    return ExitCode::FAILURE;
                }
            };
            let _ = if options.json { writeln!(out, "{row}") } else { writeln!(out, "{}", line(&row)) };
            rows.push(row);
        }
    }
    if options.goals {
        let _ = writeln!(out, "\n{}", kaname_perf::goals::tables(&rows));
    }
    if options.record
        && let Err(error) = record(&machine, backend, &limit, &rows)
    {
        let _ = writeln!(std::io::stderr(), "cannot keep the record: {error}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn cases(options: &Options) -> Vec<Case> {
    let mut cases = Vec::new();
    for (profile, name) in SUITES {
        for sessions in [1, 100, 1000] {
            for header in [12, 28] {
                for payload in [20, 160, 1100] {
                    let wanted = name.contains(&options.suite)
                        && options.payload.is_none_or(|p| p == payload)
                        && options.sessions.is_none_or(|s| s == sessions);
                    if wanted {
                        cases.push(Case::new(profile, header, payload, sessions));
                    }
                }
            }
        }
    }
    cases
}

/// Ours first. A single session is measured on the latency path, one packet a call.
fn systems(case: &Case) -> Vec<Box<dyn System>> {
    let ours: Box<dyn System> =
        if case.sessions == 1 { Box::new(KanameSingle::new(case)) } else { Box::new(Kaname::new(case)) };
    let mut systems =
        vec![ours, Box::new(Libsrtp::new(case)), Box::new(RtcSrtp::new(case)), Box::new(IpsecMb::new(case))];
    if let Some(raw) = AwsLcRaw::new(case) {
        systems.push(Box::new(raw));
    }
    systems
}

fn measure(case: &Case, operation: Operation, limit: &Limit, options: &Options) -> Result<Value, String> {
    let mut systems = systems(case);
    equal(case, operation, &mut systems)?;
    let ns = compare(case, operation, &mut systems, options.samples);
    let of = |name: &str| systems.iter().position(|s| s.name() == name).map(|i| round(ns[i]));
    let suite = SUITES.iter().find(|(p, _)| *p == case.profile).map(|(_, n)| *n);
    Ok(json!({
        "suite": suite, "op": operation.name(), "payload": case.payload, "header": case.header, "sessions": case.sessions,
        "ns": round(ns[0]),
        "rival_ns": {"srtp2": of("srtp2"), "rtc_srtp": of("rtc_srtp"), "aws_lc_raw": of("aws_lc_raw"), "ipsec_mb": of("ipsec_mb")},
        "limit_ns": round(limit.packet_ns(case)),
    }))
}

/// All systems make the same of the same packets, or there is nothing to compare.
fn equal(case: &Case, operation: Operation, systems: &mut [Box<dyn System>]) -> Result<(), String> {
    let plain = Plain::new(case);
    systems.iter_mut().for_each(|system| system.reset(operation));
    for burst in case.bursts(0..case.rounds) {
        for system in &mut *systems {
            if operation == Operation::Unprotect {
                system.arrive(&burst);
            }
            system.run(operation, &burst, &plain);
        }
        for (slot, round, session) in burst.packets() {
            let expected = systems[0].output(slot);
            for system in &systems[1..] {
                if system.output(slot) != expected {
                    let (name, op) = (system.name(), operation.name());
                    return Err(format!(
                        "{name} and kaname differ: {case:?}, {op}, session {session}, round {round}"
                    ));
                }
            }
        }
    }
    Ok(())
}

fn round(ns: f64) -> f64 {
    (ns * 10.0).round() / 10.0
}

fn heading() -> String {
    format!(
        "{:<24} {:<9} {:>5} {:>3} {:>5} {:>7} | {:>7} {:>7} {:>7} {:>7} | {:>6} {:>6}",
        "suite", "op", "size", "hdr", "sess", "ns", "srtp2", "rtc", "ipsecmb", "aws_lc", "limit", "x"
    )
}

/// A row for people: rivals as how many times longer they take.
fn line(row: &Value) -> String {
    let number = |v: &Value| v.as_f64().unwrap_or(f64::NAN);
    let ns = number(&row["ns"]);
    let ratio = |name: &str| match row["rival_ns"][name].as_f64() {
        Some(rival) => format!("{:.1}x", rival / ns),
        None => "-".to_owned(),
    };
    let text = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
    format!(
        "{:<24} {:<9} {:>5} {:>3} {:>5} {:>7.1} | {:>7} {:>7} {:>7} {:>7} | {:>6.1} {:>5.2}x",
        text("suite"),
        text("op"),
        row["payload"],
        row["header"],
        row["sessions"],
        ns,
        ratio("srtp2"),
        ratio("rtc_srtp"),
        ratio("ipsec_mb"),
        ratio("aws_lc_raw"),
        number(&row["limit_ns"]),
        ns / number(&row["limit_ns"])
    )
}

fn record(machine: &Machine, backend: &str, limit: &Limit, rows: &[Value]) -> std::io::Result<()> {
    let head = json!({
        "backend": backend, "ipsec_mb": IpsecMb::version(), "srtp2_sys": "3.0.2 (bundled libsrtp 2.3.0-pre, OpenSSL)", "rtc_srtp": "0.21.1 (ring)",
        "limit": {"aes_round_ns": limit.aes_round_ns, "multiply_ns": limit.multiply_ns, "overlap": limit.overlap, "sha1_block_ns": limit.sha1_block_ns},
    });
    let head = head.as_object().cloned().unwrap_or_default();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("record");
    machine::record(&folder, machine, "srtp", head, rows).map(drop)
}
