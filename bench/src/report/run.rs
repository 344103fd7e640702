//! The parts of a page about one run, and about a search for the node's capacity.

use super::html::{bytes, count, escape, figure, table, time};
use super::plot::{Series, lines};
use crate::fleet::{Capacity, Outcome, Sample};

/// One run: what came, when, how late, and what it cost.
pub(super) fn section(outcome: &Outcome) -> String {
    let mut out = cards(outcome);
    let name = escape(&outcome.scenario);
    for short in &outcome.harness.short_of {
        out += &format!(
            "<p class=\"state bad\">The harness itself was short of {}: this run says nothing about the node.</p>",
            escape(short)
        );
    }
    if outcome.samples.len() > 1 {
        out += &format!("<h2>Forwarding delay over time, {name}</h2>\n{}", delay(&outcome.samples));
        out += &format!("<h2>Packets over time, {name}</h2>\n{}", packets(&outcome.samples));
        out += &format!("<h2>CPU and memory over time, {name}</h2>\n{}", cost(&outcome.samples));
    }
    if outcome.delay_us.histogram.len() > 1 {
        out += &format!("<h2>How the delay is spread, {name}</h2>\n{}", spread(outcome));
    }
    out + &format!(
        "<h2>All figures, {name}</h2>\n{}",
        table("One run", &["What", "Figure"], &figures(outcome))
    )
}

fn cards(outcome: &Outcome) -> String {
    let lost = outcome.packets.lost;
    let (class, word) = if lost == 0 { ("good", "nothing lost") } else { ("bad", "packets lost") };
    let cpu = outcome.node.cpu_us_per_packet.map_or("unknown".into(), time);
    format!(
        "<ul class=\"cards\"><li><strong>{}</strong>packets a second to {} receivers<small>{}</small></li>\
         <li><strong>{}</strong>lost of {} due<small class=\"state {class}\">{word}</small></li>\
         <li><strong>{}</strong>99th percentile of the delay<small>median {}, longest {}</small></li>\
         <li><strong>{}</strong>CPU a forwarded packet<small>{}</small></li></ul>\n",
        count(outcome.packets_per_second as u64),
        count(outcome.subscribers.into()),
        escape(&outcome.scenario),
        count(lost),
        count(outcome.packets.due),
        time(outcome.delay_us.p99 as f64),
        time(outcome.delay_us.p50 as f64),
        time(outcome.delay_us.max as f64),
        cpu,
        escape(&outcome.suite)
    )
}

fn series(name: &str, class: &'static str, points: impl Iterator<Item = (f64, f64)>) -> Series {
    Series { name: name.into(), class, points: points.collect() }
}

fn delay(samples: &[Sample]) -> String {
    let of = |pick: fn(&Sample) -> u64| {
        samples.iter().filter(|s| s.received > 0).map(move |s| (s.at, (pick(s) as f64).max(1.0)))
    };
    let all = [
        series("longest", "third", of(|s| s.delay_us.2)),
        series("99 %", "first", of(|s| s.delay_us.1)),
        series("median", "second", of(|s| s.delay_us.0)),
    ];
    let cells = samples.iter().map(|s| {
        let (median, high, longest) = s.delay_us;
        [vec![format!("{:.0}", s.at)], [median, high, longest].map(|us| time(us as f64)).to_vec()].concat()
    });
    figure(
        &lines(
            "Forwarding delay second by second, microseconds on a logarithmic scale",
            ("s", "µs"),
            &all,
            true,
        ),
        "Median, 99th percentile and longest delay of each second.",
        &table("Delay by second", &["Second", "Median", "99 %", "Longest"], &cells.collect::<Vec<_>>()),
    )
}

fn packets(samples: &[Sample]) -> String {
    let all = [
        series("received", "first", samples.iter().map(|s| (s.at, s.received as f64))),
        series("missing", "third", samples.iter().map(|s| (s.at, s.missing as f64))),
    ];
    let cells = samples.iter().map(|s| {
        vec![
            format!("{:.0}", s.at),
            count(s.connected.into()),
            count(s.sent),
            count(s.received),
            count(s.missing),
        ]
    });
    figure(
        &lines(
            "Packets received each second, and packets due that have not come",
            ("s", "packets"),
            &all,
            false,
        ),
        "Received in each second, and due so far that have not come; some of these are on their way.",
        &table(
            "Packets by second",
            &["Second", "Connected", "Sent", "Received", "Missing"],
            &cells.collect::<Vec<_>>(),
        ),
    )
}

fn cost(samples: &[Sample]) -> String {
    let percent = |cores: f64| cores * 100.0;
    let all = [
        series("node", "first", samples.iter().filter_map(|s| Some((s.at, percent(s.node_cpu?))))),
        series("harness", "third", samples.iter().map(|s| (s.at, percent(s.harness_cpu)))),
    ];
    let memory = [series(
        "node",
        "first",
        samples.iter().filter_map(|s| Some((s.at, s.node_rss? as f64 / (1024.0 * 1024.0)))),
    )];
    let cells: Vec<Vec<String>> = samples
        .iter()
        .map(|s| {
            vec![
                format!("{:.0}", s.at),
                s.node_cpu.map_or("unknown".into(), |cpu| format!("{:.0} %", percent(cpu))),
                format!("{:.0} %", percent(s.harness_cpu)),
                s.node_rss.map_or("unknown".into(), bytes),
            ]
        })
        .collect();
    let data = table("CPU and memory by second", &["Second", "Node", "Harness", "Node's memory"], &cells);
    let mut out = figure(
        &lines("CPU of node and harness, percent of one core", ("s", "% of a core"), &all, false),
        "CPU time of the node's process and of the harness's; 100 % is one core.",
        &data,
    );
    if !memory[0].points.is_empty() {
        out += &figure(
            &lines("Resident memory of the node in mebibytes", ("s", "MiB"), &memory, false),
            "Resident memory of the node's process.",
            &data,
        );
    }
    out
}

/// How many packets were at most so late.
fn spread(outcome: &Outcome) -> String {
    let total: u64 = outcome.delay_us.histogram.iter().map(|(_, packets)| packets).sum();
    let mut below = 0;
    let shares: Vec<(f64, f64)> = outcome
        .delay_us
        .histogram
        .iter()
        .map(|(us, packets)| {
            below += packets;
            (below as f64 * 100.0 / total.max(1) as f64, (*us as f64).max(1.0))
        })
        .collect();
    let cells: Vec<Vec<String>> =
        shares.iter().map(|(share, us)| vec![format!("{share:.2} %"), time(*us)]).collect();
    let all = [Series { name: "delay".into(), class: "first", points: shares }];
    figure(
        &lines("Delay that so many percent of the packets stay below", ("% of packets", "µs"), &all, true),
        "So many percent of all packets were forwarded at least this fast.",
        &table("Delay by share of packets", &["Packets", "Delay at most"], &cells),
    )
}

fn figures(outcome: &Outcome) -> Vec<Vec<String>> {
    let (packets, foreign, joins) = (&outcome.packets, &outcome.foreign, &outcome.joins);
    let (node, harness) = (&outcome.node, &outcome.harness);
    let unknown = || "unknown".to_owned();
    let pairs = [
        ("System", outcome.system.clone()),
        ("SRTP", outcome.suite.clone()),
        ("Seconds counted", format!("{:.0}", outcome.seconds)),
        ("Publishers", count(outcome.publishers.into())),
        ("Receivers", count(outcome.subscribers.into())),
        ("Mean payload in bytes", count(outcome.payload.into())),
        ("Packets sent", count(packets.sent)),
        ("Packets due", count(packets.due)),
        ("Packets received", count(packets.received)),
        ("Packets lost", count(packets.lost)),
        ("Packets that came twice", count(packets.duplicates)),
        ("Packets out of order", count(packets.reordered)),
        ("Packets repaired", count(packets.repaired)),
        ("Packets with a wrong number", count(packets.misnumbered)),
        ("Packets not of this run", count(packets.foreign)),
        ("Clients on a foreign stack", count(outcome.foreign_clients.into())),
        ("Packets they lost of those due", format!("{} of {}", count(foreign.lost), count(foreign.due))),
        ("Delay, median", time(outcome.delay_us.p50 as f64)),
        ("Delay, 99 %", time(outcome.delay_us.p99 as f64)),
        ("Delay, 99.9 %", time(outcome.delay_us.p999 as f64)),
        ("Delay, longest", time(outcome.delay_us.max as f64)),
        ("Jitter", time(outcome.delay_us.jitter as f64)),
        (
            "Clients that joined",
            format!("{} of {}", count(joins.connected.into()), count(joins.asked.into())),
        ),
        ("Joins a second", format!("{:.0}", joins.per_second)),
        ("Join to first media, median", time(joins.first_media_us.0 as f64)),
        ("CPU a packet", node.cpu_us_per_packet.map_or_else(unknown, time)),
        (
            "Node's busiest thread",
            node.busiest_thread.map_or_else(unknown, |b| format!("{:.0} %", b * 100.0)),
        ),
        (
            "Memory a client",
            node.rss_per_client.map_or_else(unknown, |b| format!("{:.1} KiB", b as f64 / 1024.0)),
        ),
        ("Dropped at the node's sockets", node.socket_drops.map_or_else(unknown, count)),
        ("Harness's busiest thread", format!("{:.0} %", harness.busiest_thread * 100.0)),
        ("Dropped at the harness's sockets", count(harness.socket_drops)),
        ("Sources late by, 99 %", time(harness.late_us.0 as f64)),
    ];
    pairs.map(|(what, figure)| vec![what.to_owned(), figure]).to_vec()
}

/// What the node carried at each size that was tried.
pub(super) fn capacity(capacity: &Capacity) -> String {
    let mut steps: Vec<_> = capacity.steps.iter().collect();
    steps.sort_by_key(|step| step.size);
    let point = |size: u32, rate: f64| (f64::from(size), rate);
    let all = [
        series("offered", "third", steps.iter().map(|s| point(s.size, offered(&s.outcome)))),
        series("received", "first", steps.iter().map(|s| point(s.size, s.outcome.packets_per_second))),
    ];
    let cells: Vec<Vec<String>> = steps
        .iter()
        .map(|step| {
            let broke = step.broken.map_or("held".into(), |why| format!("{why:?}"));
            vec![
                count(step.size.into()),
                count(step.outcome.packets_per_second as u64),
                time(step.outcome.delay_us.p99 as f64),
                count(step.outcome.packets.lost),
                broke,
            ]
        })
        .collect();
    let limit =
        capacity.limited_by.map_or("nothing up to the bound of the search".into(), |why| format!("{why:?}"));
    format!(
        "<h2>Capacity</h2>\n<p>{} receivers a room, {} packets a second. What limited it: {}. Held: loss at most {} of those due, delay at most {} at the 99th percentile.</p>\n{}",
        count(capacity.size.into()),
        count(capacity.packets_per_second as u64),
        escape(&limit),
        capacity.quality.loss,
        time(capacity.quality.p99_us as f64),
        figure(
            &lines(
                "Packets a second offered and received, by receivers a room",
                ("receivers", "packets/s"),
                &all,
                false
            ),
            "Offered and received at each size tried. Where the lines part, the node is past its capacity.",
            &table("Tries", &["Receivers", "Packets/s", "Delay, 99 %", "Lost", "Verdict"], &cells),
        )
    )
}

fn offered(outcome: &Outcome) -> f64 {
    outcome.packets.due as f64 / outcome.seconds.max(f64::MIN_POSITIVE)
}
