//! Outcomes as a person reads them.

use std::fmt::Write as _;

use super::capacity::{Capacity, Quality};
use super::outcome::{Outcome, Packets, Sample};

/// What did not hold, in a few words each; empty when all did.
pub fn verdict(outcome: &Outcome, quality: &Quality) -> Vec<String> {
    let mut broken = Vec::new();
    let mut count = |what: &str, many: u64| {
        if many > 0 {
            broken.push(format!("{many} {what}"));
        }
    };
    for packets in [&outcome.packets, &outcome.foreign] {
        let allowed = (packets.due as f64 * quality.loss) as u64;
        count("packets lost", if packets.lost > allowed { packets.lost } else { 0 });
        count("packets twice", packets.duplicates);
        count("packets out of order", packets.reordered);
        count("packets numbered wrongly", packets.misnumbered);
        count("packets of nobody", packets.foreign);
    }
    count("clients that could not join", outcome.joins.failed.into());
    if outcome.packets.due == 0 {
        broken.push("nothing was due at anyone".into());
    }
    if outcome.delay_us.p99 > quality.p99_us {
        broken.push(format!("p99 of the delay above {} us", quality.p99_us));
    }
    broken.extend(outcome.harness.short_of.iter().map(|short| format!("the harness was short of {short}")));
    broken
}

/// The table of one outcome.
pub(super) fn outcome(outcome: &Outcome, quality: &Quality) -> String {
    let mut out = format!(
        "\n{} on {}: {} publishers, {} subscribers ({} of them foreign), {}, payload {} bytes, {:.1} s\n\n",
        outcome.scenario,
        outcome.system,
        outcome.publishers,
        outcome.subscribers,
        outcome.foreign_clients,
        outcome.suite,
        outcome.payload,
        outcome.seconds
    );
    let mut line = |name: &str, value: String| {
        let _ = writeln!(out, "  {name:<22} {value}");
    };
    line("packets a second", format!("{:.0}", outcome.packets_per_second));
    line("light clients", packets(&outcome.packets));
    if outcome.foreign_clients > 0 {
        line("foreign clients", packets(&outcome.foreign));
    }
    let delay = &outcome.delay_us;
    line(
        "delay",
        format!(
            "p50 {} us, p99 {} us, p99.9 {} us, max {} us, jitter {} us",
            delay.p50, delay.p99, delay.p999, delay.max, delay.jitter
        ),
    );
    let joins = &outcome.joins;
    line(
        "joins",
        format!(
            "{} of {} ({:.0} a second); keys after p50 {:.1} ms, p99 {:.1} ms; media after p50 {:.1} ms, p99 {:.1} ms",
            joins.connected,
            joins.asked,
            joins.per_second,
            joins.connected_us.0 as f64 / 1e3,
            joins.connected_us.1 as f64 / 1e3,
            joins.first_media_us.0 as f64 / 1e3,
            joins.first_media_us.1 as f64 / 1e3
        ),
    );
    let node = &outcome.node;
    if let (Some(cores), Some(busiest)) = (node.cpu_cores, node.busiest_thread) {
        let a_packet = node.cpu_us_per_packet.map_or("-".into(), |us| format!("{us:.2}"));
        let (voluntary, forced) = node.context_switches.unwrap_or_default();
        line(
            "node CPU",
            format!(
                "{a_packet} us a packet, {cores:.2} cores, busiest thread {:.0} %, {voluntary}+{forced} switches a second, \
                 {} drops at its sockets",
                busiest * 100.0,
                node.socket_drops.unwrap_or(0)
            ),
        );
    }
    if let (Some(rss), Some(us)) = (node.rss_per_client, node.cpu_us_per_join) {
        let pss = node.pss_per_client.unwrap_or(0);
        line(
            "node a client",
            format!(
                "{:.1} KiB resident, {:.1} KiB proportional, {us:.0} us a join",
                rss as f64 / 1024.0,
                pss as f64 / 1024.0
            ),
        );
    }
    let harness = &outcome.harness;
    line(
        "harness",
        format!(
            "{:.2} cores, busiest thread {:.0} %, sources late p99 {} us, max {} us, {} drops at its sockets",
            harness.cpu_cores,
            harness.busiest_thread * 100.0,
            harness.late_us.0,
            harness.late_us.1,
            harness.socket_drops
        ),
    );
    for why in &outcome.failures {
        line("a client failed", why.clone());
    }
    let broken = verdict(outcome, quality);
    let _ = match broken.is_empty() {
        true => writeln!(out, "\nok"),
        false => writeln!(out, "\nFAILED: {}", broken.join("; ")),
    };
    out
}

fn packets(packets: &Packets) -> String {
    format!(
        "{} of {} came, {} lost, {} twice, {} out of order, {} repaired, {} misnumbered, {} of nobody",
        packets.received,
        packets.due,
        packets.lost,
        packets.duplicates,
        packets.reordered,
        packets.repaired,
        packets.misnumbered,
        packets.foreign
    )
}

/// One line for one second.
pub(super) fn sample(sample: &Sample) -> String {
    format!(
        "{:6.1} s  {:>5} connected  {:>7} out  {:>9} in  {:>6} missing  p50 {:>6} us  p99 {:>7} us  node {:>4}  harness {:.2}\n",
        sample.at,
        sample.connected,
        sample.sent,
        sample.received,
        sample.missing,
        sample.delay_us.0,
        sample.delay_us.1,
        sample.node_cpu.map_or("-".into(), |cores| format!("{cores:.2}")),
        sample.harness_cpu
    )
}

/// The tries of a search, and what was found.
pub(super) fn capacity(found: &Capacity) -> String {
    let mut out = String::from("\n  size  packets/s   lost  p99 us  node thread  harness thread  broke\n");
    for step in &found.steps {
        let of = &step.outcome;
        let node = of.node.busiest_thread.map_or("-".into(), |busy| format!("{:.0} %", busy * 100.0));
        let broke = step.broken.map_or("-".into(), |broken| format!("{broken:?}"));
        let _ = writeln!(
            out,
            "{:>6} {:>10.0} {:>6} {:>7} {:>12} {:>13.0} %  {broke}",
            step.size,
            of.packets_per_second,
            of.packets.lost,
            of.delay_us.p99,
            node,
            of.harness.busiest_thread * 100.0
        );
        for why in of.failures.iter().take(2) {
            let _ = writeln!(out, "        {why}");
        }
    }
    let limit = found.limited_by.map_or("nothing up to the bound".into(), |by| format!("{by:?}"));
    let _ = writeln!(
        out,
        "\ncapacity: {} ({:.0} packets a second), limited by {limit}",
        found.size, found.packets_per_second
    );
    out
}
