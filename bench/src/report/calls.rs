//! The parts of a page about telephone calls: rows of systems and cases, and long runs.

use super::comparison::goal_card;
use super::html::{bytes, count, escape, figure, table, time};
use super::plot::{Row, Series, bars, class, grouped, lines, ranges};
use crate::calls::{CallDelay, CallRow, LongRun, Minute};

/// What these figures do not say by themselves.
pub(super) const NOTES: [&str; 4] = [
    "Quality is the likeness of what was heard with what was sent, 0 to 1: where a node transcodes, the mean correlation where the sound fits best; where it forwards, the share of packets that came equal to the byte. It is no perceptual score.",
    "Delay runs from the sending of a sound to the arrival of the packet that holds it: forwarding, jitter buffers and the codecs' look-ahead together. A gap is 20 ms in which sound was sent and nothing heard.",
    "CPU is the time of all threads of the node's process, divided by packets that came. On loopback that includes the kernel's work of delivering each packet to its receiver: with a network card, that part falls to somebody else.",
    "Node and generator share one machine, each on a processor of its own where that was asked for; systems took turns in each round. Absolute times move with the machine; ratios are of rounds side by side.",
];

/// Cost, quality, delay, and all figures of rows.
pub(super) fn section(rows: &[CallRow]) -> String {
    let measured = || rows.iter().filter(|row| row.due > 0);
    let mut out = cards(rows);
    if measured().any(|row| row.cpu_us_per_packet.is_some()) {
        out += "<h2>CPU time a packet of calls</h2>\n";
        out += &cost(rows);
    }
    if measured().count() > 0 {
        out += "<h2>What was heard of calls</h2>\n";
        out += &heard(&measured().collect::<Vec<_>>());
        out += "<h2>Delay of calls</h2>\n";
        out += &delays(&measured().collect::<Vec<_>>());
    }
    out += "<h2>All figures of calls</h2>\n";
    out += &table(
        "One row a kind of call and system",
        &[
            "Case",
            "System",
            "Calls",
            "Packets/s",
            "Core",
            "Due",
            "Lost",
            "Gaps",
            "Level",
            "Keys heard",
            "Directions",
            "Suite",
        ],
        &all_cells(rows),
    );
    out + &refusals(rows)
}

fn cards(rows: &[CallRow]) -> String {
    let card = |row: &CallRow| {
        let of = format!("{}, {} calls, {}", row.case, row.calls, row.suite);
        row.ratio.map_or_else(String::new, |ratio| goal_card("rtpengine", &of, &ratio))
    };
    let out: String = rows.iter().map(card).collect();
    if out.is_empty() { out } else { format!("<ul class=\"cards\">{out}</ul>\n") }
}

fn class_of(row: &CallRow) -> &'static str {
    class(&row.system, row.refused.as_ref())
}

fn cost(rows: &[CallRow]) -> String {
    let bar = |row: &CallRow| {
        let us = row.cpu_us_per_packet?;
        let least = row.cpu_us_rounds.iter().copied().reduce(f64::min);
        let most = row.cpu_us_rounds.iter().copied().reduce(f64::max);
        let (name, values) = (row.system.clone(), vec![us]);
        let bar = Row { name, class: class_of(row), values, spread: least.zip(most), label: time(us) };
        Some((row.case.clone(), bar))
    };
    let cells = rows.iter().filter_map(|row| {
        let rounds: Vec<String> = row.cpu_us_rounds.iter().map(|us| format!("{us:.2}")).collect();
        let ratio = row.ratio.map_or("none".into(), |ratio| format!("{:.2}", ratio.ratio));
        let median = format!("{:.2}", row.cpu_us_per_packet?);
        Some(vec![row.case.clone(), row.system.clone(), median, ratio, rounds.join("  ")])
    });
    figure(
        &bars(
            "CPU time a packet in microseconds, by kind of call and system",
            "µs",
            &grouped(rows.iter().filter_map(bar)),
        ),
        "Shorter is better. The thin line spans the rounds; the bar is their median. A dashed bar may not be compared: its note says why.",
        &table(
            "Microseconds of CPU a packet",
            &["Case", "System", "Median", "Of rtpengine's", "Rounds"],
            &cells.collect::<Vec<_>>(),
        ),
    )
}

fn heard(rows: &[&CallRow]) -> String {
    let foreign = |row: &CallRow| row.quality_foreign.map(|quality| format!("{quality:.3}"));
    let bar = |row: &&CallRow| {
        let label = format!("{:.3}", row.quality);
        let (name, values) = (row.system.clone(), vec![row.quality]);
        (row.case.clone(), Row { name, class: class_of(row), values, spread: None, label })
    };
    let cells = rows.iter().map(|row| {
        let foreign = foreign(row).unwrap_or_else(|| "not heard".into());
        let (case, system) = (row.case.clone(), row.system.clone());
        vec![case, system, format!("{:.3}", row.quality), foreign, count(row.gaps), count(row.lost)]
    });
    figure(
        &bars("Quality from 0 to 1, by kind of call and system", "likeness", &grouped(rows.iter().map(bar))),
        "Longer is better: 1 is what was sent, as far as the codecs between leave it.",
        &table(
            "Quality, gaps and losses",
            &["Case", "System", "Quality", "By a foreign decoder", "Gaps", "Lost"],
            &cells.collect::<Vec<_>>(),
        ),
    )
}

fn micros(delay: &CallDelay) -> [f64; 3] {
    [delay.p50, delay.p99, delay.max].map(|ms| (ms * 1e3).max(1.0))
}

fn delays(rows: &[&CallRow]) -> String {
    let range = |row: &&CallRow| {
        let values = micros(&row.delay_ms);
        let label = format!("{} / {}", time(values[0]), time(values[2]));
        let name = row.system.clone();
        (row.case.clone(), Row { name, class: class_of(row), values: values.to_vec(), spread: None, label })
    };
    let cells = rows.iter().map(|row| {
        [vec![row.case.clone(), row.system.clone()], micros(&row.delay_ms).map(time).to_vec()].concat()
    });
    figure(
        &ranges(
            "Delay in microseconds on a logarithmic scale, by kind of call and system",
            "µs",
            &grouped(rows.iter().map(range)),
        ),
        "Circle: median. Square: 99th percentile. Upright: the longest. Of the rounds, the worst of each.",
        &table(
            "Delay of calls",
            &["Case", "System", "Median", "99 %", "Longest"],
            &cells.collect::<Vec<_>>(),
        ),
    )
}

fn all_cells(rows: &[CallRow]) -> Vec<Vec<String>> {
    let cells = rows.iter().map(|row| {
        vec![
            row.case.clone(),
            row.system.clone(),
            count(row.calls.into()),
            count(row.packets_per_second as u64),
            row.cpu_share.map_or("unknown".into(), percent),
            count(row.due),
            count(row.lost),
            count(row.gaps),
            format!("{:+.1} dB", row.level_db),
            format!("{} of {}", row.keys_heard, row.keys_due),
            if row.one_way { "one" } else { "both" }.into(),
            row.suite.clone(),
        ]
    });
    cells.collect()
}

/// Why rows may not be compared.
fn refusals(rows: &[CallRow]) -> String {
    let items: String = rows
        .iter()
        .filter_map(|row| Some((row, row.refused.as_ref()?)))
        .map(|(row, why)| {
            escape(&format!("{}, {}: not good, and not compared: {why}.", row.case, row.system))
        })
        .map(|text| format!("<li>{text}</li>"))
        .collect();
    if items.is_empty() { items } else { format!("<ul class=\"notes\">{items}</ul>\n") }
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

/// A long run: what it came to, and minute by minute.
pub(super) fn long(run: &LongRun) -> String {
    let name = escape(&format!("{}, {}", run.outcome.case, run.system));
    let mut out = long_cards(run);
    for fault in &run.faults {
        out += &format!("<p class=\"state bad\">{}</p>", escape(fault));
    }
    if run.minutes.is_empty() {
        return out
            + &format!(
                "<h2>A long run, {name}</h2>\n<p>What is forwarded is compared to the byte and not listened to: there is nothing by the minute.</p>\n"
            );
    }
    let data = table(
        "A long run by the minute",
        &["Second", "Sent", "Came", "Quality", "Gaps", "Median", "99 %", "Longest", "Memory", "CPU"],
        &run.minutes.iter().map(minute_cells).collect::<Vec<_>>(),
    );
    for (heading, plot, caption) in plots(&run.minutes) {
        out += &format!("<h2>{heading}, {name}</h2>\n{}", figure(&plot, caption, &data));
    }
    out
}

fn long_cards(run: &LongRun) -> String {
    let outcome = &run.outcome;
    let (class, word) = if run.faults.is_empty() { ("good", "nothing wrong") } else { ("bad", "not good") };
    let growth = run.growth_bytes.map_or("unknown".into(), |bytes| format!("{} KiB", bytes / 1024));
    format!(
        "<ul class=\"cards\"><li><strong>{}</strong>calls for {:.0} seconds<small>{}</small><small class=\"state {class}\">{word}</small></li>\
         <li><strong>{}</strong>lost of {} due<small>longest pause {}</small></li>\
         <li><strong>{:.3}</strong>quality<small>worst stream {:.3}, {} gaps</small></li>\
         <li><strong>{}</strong>99th percentile of the delay<small>drift of the median {:.1} ms, memory growth {growth}</small></li></ul>\n",
        count(outcome.calls.into()),
        outcome.seconds,
        escape(&outcome.case),
        count(outcome.lost),
        count(outcome.due),
        time(outcome.pause_ms * 1e3),
        outcome.quality,
        outcome.quality_least,
        count(outcome.gaps),
        time(outcome.delay_ms.p99 * 1e3),
        run.drift_ms,
    )
}

fn minute_cells(minute: &Minute) -> Vec<String> {
    let mut cells = vec![
        format!("{:.0}", minute.at_s),
        count(minute.sent),
        count(minute.came),
        format!("{:.3}", minute.quality),
    ];
    cells.push(count(minute.gaps));
    cells.extend(micros(&minute.delay_ms).map(time));
    cells.push(minute.resident_bytes.map_or("unknown".into(), bytes));
    cells.push(minute.cpu_share.map_or("unknown".into(), percent));
    cells
}

/// Heading, plot and caption of everything that a minute has.
fn plots(minutes: &[Minute]) -> Vec<(&'static str, String, &'static str)> {
    let series = |name: &str, class, of: &dyn Fn(&Minute) -> Option<f64>| Series {
        name: name.into(),
        class,
        points: minutes.iter().filter_map(|minute| Some((minute.at_s, of(minute)?))).collect(),
    };
    let plot = |title: &str, unit: &str, all: Vec<Series>| {
        let drawn = all.iter().any(|series| !series.points.is_empty());
        drawn.then(|| lines(title, ("s", unit), &all, false))
    };
    let quality = vec![series("quality", "first", &|minute| Some(minute.quality))];
    let delay = vec![
        series("longest", "third", &|minute| Some(minute.delay_ms.max.max(0.0))),
        series("99 %", "first", &|minute| Some(minute.delay_ms.p99.max(0.0))),
        series("median", "second", &|minute| Some(minute.delay_ms.p50.max(0.0))),
    ];
    let gaps = vec![series("gaps", "third", &|minute| Some(minute.gaps as f64))];
    let cpu = vec![series("node", "first", &|minute| Some(minute.cpu_share? * 100.0))];
    let memory =
        vec![series("node", "first", &|minute| Some(minute.resident_bytes? as f64 / (1024.0 * 1024.0)))];
    let all = [
        (
            "Quality",
            plot("Quality minute by minute, 0 to 1", "likeness", quality),
            "Mean likeness of the streams that were listened to, others each time.",
        ),
        (
            "Delay",
            plot("Delay minute by minute in milliseconds", "ms", delay),
            "Median, 99th percentile and longest delay of those streams.",
        ),
        ("Gaps", plot("Gaps of 20 ms, minute by minute", "gaps", gaps), "Gaps in those streams."),
        (
            "CPU",
            plot("CPU of the node minute by minute, percent of one core", "% of a core", cpu),
            "CPU time of the node's process; 100 % is one core.",
        ),
        (
            "Memory",
            plot("Resident memory of the node in mebibytes, minute by minute", "MiB", memory),
            "Resident memory of the node's process.",
        ),
    ];
    all.into_iter().filter_map(|(heading, plot, caption)| Some((heading, plot?, caption))).collect()
}
