//! The part of a page that compares systems.

use super::html::{bytes, count, escape, figure, table, time};
use super::plot::{Group, Row, bars, class, grouped, ranges};
use crate::row::{CompareRow, Ratio};

/// Verdicts, cost, delay, and all figures.
pub(super) fn section(rows: &[CompareRow]) -> String {
    let cost: Vec<Group> = groups(rows, cost_row);
    let delay: Vec<Group> = groups(rows, delay_row);
    let mut out = cards(rows);
    if !cost.is_empty() {
        out += "<h2>CPU time a forwarded packet</h2>\n";
        out += &figure(
            &bars("CPU time a forwarded packet in microseconds, by scenario and system", "µs", &cost),
            "Shorter is better. The thin line spans the rounds; the bar is their median. A dashed bar may not be compared: its note says why.",
            &table(
                "Microseconds of CPU a packet",
                &["Scenario", "System", "Median", "Rounds"],
                &cost_cells(rows),
            ),
        );
    }
    if !delay.is_empty() {
        out += "<h2>Forwarding delay</h2>\n";
        out += &figure(
            &ranges(
                "Forwarding delay in microseconds on a logarithmic scale, by scenario and system",
                "µs",
                &delay,
            ),
            "Circle: median. Square: 99th percentile. Upright: 99.9th. One packet to 500 receivers leaves one after the other, so the median of a fan-out is half of the time that all copies take.",
            &table(
                "Forwarding delay",
                &["Scenario", "System", "Median", "99 %", "99.9 %"],
                &delay_cells(rows),
            ),
        );
    }
    out += "<h2>All figures</h2>\n";
    out += &table(
        "One row a system, scenario and suite",
        &[
            "Scenario",
            "Suite",
            "System",
            "Packets/s",
            "Receivers",
            "Payload",
            "Core",
            "Memory",
            "Due",
            "Lost",
        ],
        &all_cells(rows),
    );
    out + &notes(rows)
}

/// How each system carried out each scenario, and why a row may not be compared.
fn notes(rows: &[CompareRow]) -> String {
    let mut said: Vec<String> = Vec::new();
    for row in rows {
        let mut text = format!("{}, {}: {}.", row.scenario, row.system, row.note);
        if let Some(why) = &row.refused {
            text = format!("{} ({}) Not compared: {why}.", text, row.suite);
        }
        if !said.contains(&text) {
            said.push(text);
        }
    }
    let items: String = said.iter().map(|text| format!("<li>{}</li>", escape(text))).collect();
    format!("<ul class=\"notes\">{items}</ul>\n")
}

/// Each ratio that has a goal, as large as it deserves.
fn cards(rows: &[CompareRow]) -> String {
    let mut out = String::new();
    for row in rows {
        for (rival, ratio) in &row.ratios {
            let of = format!("{}, {}, beside {rival}", row.scenario, row.suite);
            out += &goal_card(rival.split('/').next().unwrap_or(rival), &of, ratio);
        }
    }
    if out.is_empty() { out } else { format!("<ul class=\"cards\">{out}</ul>\n") }
}

/// A ratio and whether it reached its goal; nothing where none is set.
pub(super) fn goal_card(rival: &str, of: &str, ratio: &Ratio) -> String {
    let (Some(goal), Some(reached)) = (ratio.goal, ratio.reached()) else { return String::new() };
    let (class, word) = if reached { ("good", "reached") } else { ("bad", "missed") };
    format!(
        "<li><strong>{:.2} &times;</strong>of {}'s CPU a packet<small>{}</small>\
         <small>goal: at most {goal} &times;, <span class=\"state {class}\">{word}</span></small></li>",
        ratio.ratio,
        escape(rival),
        escape(of)
    )
}

fn groups(rows: &[CompareRow], make: impl Fn(&CompareRow) -> Option<Row>) -> Vec<Group> {
    grouped(rows.iter().filter_map(|row| Some((heading(row), make(row)?))))
}

fn heading(row: &CompareRow) -> String {
    format!("{}, {}", row.scenario, row.suite)
}

fn cost_row(row: &CompareRow) -> Option<Row> {
    let us = row.cpu_us_per_packet?;
    let least = row.cpu_us_rounds.iter().copied().reduce(f64::min);
    let most = row.cpu_us_rounds.iter().copied().reduce(f64::max);
    Some(Row {
        name: row.system.clone(),
        class: class(&row.system, row.refused.as_ref()),
        values: vec![us],
        spread: least.zip(most),
        label: time(us),
    })
}

fn delay_row(row: &CompareRow) -> Option<Row> {
    let delay = row.delay_us;
    (delay.p50 > 0).then(|| Row {
        name: row.system.clone(),
        class: class(&row.system, row.refused.as_ref()),
        values: [delay.p50, delay.p99, delay.p999].map(|us| us as f64).to_vec(),
        spread: None,
        label: format!("{} / {}", time(delay.p50 as f64), time(delay.p999 as f64)),
    })
}

fn cost_cells(rows: &[CompareRow]) -> Vec<Vec<String>> {
    let cells = rows.iter().filter_map(|row| {
        let rounds: Vec<String> = row.cpu_us_rounds.iter().map(|us| format!("{us:.2}")).collect();
        Some(vec![
            heading(row),
            row.system.clone(),
            format!("{:.2}", row.cpu_us_per_packet?),
            rounds.join("  "),
        ])
    });
    cells.collect()
}

fn delay_cells(rows: &[CompareRow]) -> Vec<Vec<String>> {
    let cells = rows.iter().filter(|row| row.delay_us.p50 > 0).map(|row| {
        let delay = [row.delay_us.p50, row.delay_us.p99, row.delay_us.p999].map(|us| time(us as f64));
        [vec![heading(row), row.system.clone()], delay.to_vec()].concat()
    });
    cells.collect()
}

fn all_cells(rows: &[CompareRow]) -> Vec<Vec<String>> {
    let cells = rows.iter().map(|row| {
        vec![
            row.scenario.clone(),
            row.suite.clone(),
            row.system.clone(),
            count(row.packets_per_second as u64),
            count(row.subscribers.into()),
            count(row.payload.into()),
            row.cpu_share.map_or("unknown".into(), |share| format!("{:.0} %", share * 100.0)),
            row.resident_bytes.map_or("unknown".into(), bytes),
            count(row.due),
            count(row.lost),
        ]
    });
    cells.collect()
}
