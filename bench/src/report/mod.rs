//! Runs and comparisons as one self-contained page: plots are inline, nothing is fetched, no script runs. Light, dark
//! and print follow the reader's settings; every plot has its figures as a table beside it.

mod calls;
pub mod command;
mod comparison;
mod html;
mod plot;
mod run;
mod scale;

use kaname_machine::Machine;

use self::html::{escape, table};
use crate::calls::{CallRow, LongRun};
use crate::fleet::{Capacity, Outcome};
use crate::row::CompareRow;

const STYLE: &str = include_str!("style.css");

/// What the figures of a run do not say by themselves.
const OF_RUNS: [&str; 3] = [
    "Delay runs from just before the sender hands a packet to its kernel to the receiving kernel's own stamp, by one clock.",
    "Sender, node and receivers share one machine: its network is loopback or a virtual pair, and its figures are not those of a network card.",
    "A run in which the harness itself was short of anything says nothing about the node; it says so above.",
];
/// What those of a comparison do not.
const OF_COMPARISONS: [&str; 4] = [
    "Every packet that came was authenticated, decrypted by a library that is none of the systems' own, and compared byte by byte with what was sent. A system that changed, repeated or lost packets is shown and not compared.",
    "CPU is the process's whole time on a processor, user and system, by the kernel's scheduler, divided by packets at the sink. On loopback that includes the kernel's work of delivering each packet to its receiver: with a network card, that part falls to somebody else.",
    "Each system ran alone on one processor, sources and sink on another; systems took turns in each round. Absolute times move with the machine; ratios are of rounds side by side.",
    "Janus and rtpengine are Debian's packages in their default build, with one worker thread where that can be chosen; rtpengine without its kernel module, which would be faster. They do other work well that is not measured here.",
];

/// What a page is made of. Parts that are empty leave no trace on it.
#[derive(Clone, Debug, Default)]
pub struct Input {
    /// Heading.
    pub title: String,
    /// What it was measured on.
    pub machine: Machine,
    /// When, as `2026-11-22`.
    pub date: String,
    /// Rows of a comparison.
    pub rows: Vec<CompareRow>,
    /// Runs of a scenario.
    pub runs: Vec<Outcome>,
    /// A search for the node's capacity.
    pub capacity: Option<Capacity>,
    /// Rows of calls.
    pub calls: Vec<CallRow>,
    /// Long runs of calls.
    pub long_calls: Vec<LongRun>,
}

/// The page.
pub fn page(input: &Input) -> String {
    let mut body = String::new();
    if !input.rows.is_empty() {
        body += &comparison::section(&input.rows);
    }
    if let Some(capacity) = &input.capacity {
        body += &run::capacity(capacity);
    }
    for outcome in &input.runs {
        body += &run::section(outcome);
    }
    if !input.calls.is_empty() {
        body += &calls::section(&input.calls);
    }
    for run in &input.long_calls {
        body += &calls::long(run);
    }
    body += &about(input);
    let title = escape(&input.title);
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\
         <title>{title}</title><style>{STYLE}</style></head>\n<body><main><h1>{title}</h1>\n\
         <p class=\"sub\">{} &middot; {}</p>\n{body}</main></body></html>\n",
        escape(&input.date),
        escape(&input.machine.cpu)
    )
}

/// Machine, versions, and what these figures do not say.
fn about(input: &Input) -> String {
    let mut facts = vec![
        vec!["Processor".to_owned(), input.machine.cpu.clone()],
        vec!["Kernel".to_owned(), input.machine.kernel.clone()],
        vec!["Compiler".to_owned(), input.machine.rustc.clone()],
    ];
    let mut seen: Vec<(&str, &str)> = Vec::new();
    let rows = input.rows.iter().map(|row| (&row.system, &row.version));
    let calls = input.calls.iter().map(|row| (&row.system, &row.version));
    let long = input.long_calls.iter().map(|run| (&run.system, &run.version));
    for (system, version) in rows.chain(calls).chain(long) {
        if !seen.contains(&(system, version)) {
            seen.push((system, version));
        }
    }
    facts.extend(
        seen.iter().map(|(system, version)| vec![(*system).to_owned(), format!("version {version}")]),
    );
    let mut notes: Vec<&str> = Vec::new();
    if !input.rows.is_empty() {
        notes.extend(OF_COMPARISONS);
    }
    if !input.calls.is_empty() || !input.long_calls.is_empty() {
        notes.extend(calls::NOTES);
    }
    if notes.is_empty() {
        notes.extend(OF_RUNS);
    }
    let notes: String = notes.iter().map(|note| format!("<li>{}</li>", escape(note))).collect();
    format!(
        "<h2>Measured on, and how</h2>\n{}<ul class=\"notes\">{notes}</ul>\n",
        table("Machine and versions", &["", ""], &facts)
    )
}

#[cfg(test)]
mod tests;
