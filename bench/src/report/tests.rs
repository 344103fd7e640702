//! What a page has to be, whatever is on it.

use std::collections::BTreeMap;

use super::*;
use crate::calls::{CallDelay, Minute};
use crate::fleet::{Bottleneck, Delay, Packets, Quality, Sample, Step};
use crate::row::{Ratio, RowDelay};

fn row(system: &str, us: f64) -> CompareRow {
    CompareRow {
        system: system.into(),
        version: "1.2".into(),
        scenario: "voice-500".into(),
        suite: "AES_CM_128_HMAC_SHA1_80".into(),
        payload: 160,
        subscribers: 500,
        packets_per_second: 25_000.0,
        cpu_us_per_packet: Some(us),
        cpu_us_rounds: vec![us * 0.9, us, us * 1.2],
        cpu_share: Some(us / 40.0),
        due: 300_000,
        lost: 0,
        delay_us: RowDelay { p50: 800, p99: 1500, p999: 4000 },
        resident_bytes: Some(40 << 20),
        refused: None,
        note: "<script>alert(1)</script> & \"quotes\"".into(),
        ratios: BTreeMap::new(),
    }
}

fn outcome() -> Outcome {
    let sample = |at: u32| Sample {
        at: f64::from(at),
        connected: 500,
        sent: 50,
        received: 25_000,
        delay_us: (800, 1500 + u64::from(at), 4000),
        node_cpu: Some(0.3),
        node_rss: Some(50 << 20),
        harness_cpu: 0.5,
        ..Sample::default()
    };
    Outcome {
        scenario: "voice-500".into(),
        system: "kaname".into(),
        seconds: 5.0,
        subscribers: 500,
        packets_per_second: 25_000.0,
        packets: Packets { due: 125_000, received: 125_000, ..Packets::default() },
        delay_us: Delay {
            p50: 800,
            p99: 1500,
            p999: 4000,
            max: 5000,
            histogram: vec![(500, 10), (900, 90)],
            ..Delay::default()
        },
        samples: (1..=5).map(sample).collect(),
        ..Outcome::default()
    }
}

fn call_row(system: &str, us: f64) -> CallRow {
    CallRow {
        system: system.into(),
        version: "<2>".into(),
        case: "pcma-opus".into(),
        suite: "AES_CM_128_HMAC_SHA1_80".into(),
        calls: 16,
        packets_per_second: 1600.0,
        cpu_us_per_packet: Some(us),
        cpu_us_rounds: vec![us * 0.9, us * 1.1],
        cpu_share: Some(0.2),
        due: 12_800,
        quality: 0.95,
        quality_foreign: Some(0.94),
        delay_ms: CallDelay { p50: 31.0, p99: 45.0, max: 52.0 },
        gaps: 3,
        keys_due: 32,
        keys_heard: 31,
        ..CallRow::default()
    }
}

fn long_run() -> LongRun {
    let minute = |number: u32| Minute {
        at_s: f64::from(number * 60),
        sent: 96_000,
        came: 95_999,
        quality: 0.95,
        gaps: number.into(),
        delay_ms: CallDelay { p50: 31.0, p99: 45.0, max: 52.0 },
        resident_bytes: Some(50 << 20),
        cpu_share: Some(0.25),
    };
    let outcome =
        crate::calls::Outcome { case: "pcma-opus".into(), calls: 16, seconds: 180.0, ..Default::default() };
    LongRun {
        system: "kaname".into(),
        version: "1.2".into(),
        outcome,
        growth_bytes: Some(-4096),
        minutes: (1..=3).map(minute).collect(),
        faults: vec!["the delay drifted by 35.0 ms & <more>".into()],
        ..LongRun::default()
    }
}

fn full() -> Input {
    let mut ours = row("kaname", 3.0);
    ours.ratios.insert("janus/voice-500".into(), Ratio { ratio: 0.2, goal: Some(0.35) });
    let refused = CompareRow { refused: Some("9 of 10 packets were lost".into()), ..row("janus", 15.0) };
    let step = |size, broken| Step { size, broken, outcome: outcome() };
    let capacity = Capacity {
        size: 900,
        packets_per_second: 45_000.0,
        limited_by: Some(Bottleneck::NodeCpu),
        quality: Quality::default(),
        steps: vec![step(500, None), step(1000, Some(Bottleneck::NodeCpu))],
    };
    let machine = Machine { cpu: "CPU".into(), rustc: "rustc 1".into(), kernel: "6.1".into() };
    Input {
        title: "A & B".into(),
        machine,
        date: "2026-11-22".into(),
        rows: vec![ours, refused],
        runs: vec![outcome()],
        capacity: Some(capacity),
        calls: vec![
            CallRow { ratio: Some(Ratio { ratio: 0.3, goal: Some(0.25) }), ..call_row("kaname", 6.0) },
            CallRow { refused: Some("3 packets <came> twice".into()), ..call_row("rtpengine", 20.0) },
        ],
        long_calls: vec![long_run()],
    }
}

fn headings(page: &str) -> Vec<&str> {
    let found = page.split("<h").skip(1).filter(|part| part.starts_with(['1', '2']));
    found.filter_map(|part| part.split_once('>')?.1.split_once('<').map(|(text, _)| text)).collect()
}

#[test]
fn the_parts_stand_in_their_order() {
    assert_eq!(
        headings(&page(&full())),
        [
            "A &amp; B",
            "CPU time a forwarded packet",
            "Forwarding delay",
            "All figures",
            "Capacity",
            "Forwarding delay over time, voice-500",
            "Packets over time, voice-500",
            "CPU and memory over time, voice-500",
            "How the delay is spread, voice-500",
            "All figures, voice-500",
            "CPU time a packet of calls",
            "What was heard of calls",
            "Delay of calls",
            "All figures of calls",
            "Quality, pcma-opus, kaname",
            "Delay, pcma-opus, kaname",
            "Gaps, pcma-opus, kaname",
            "CPU, pcma-opus, kaname",
            "Memory, pcma-opus, kaname",
            "Measured on, and how",
        ]
    );
    assert_eq!(headings(&page(&Input::default())), ["", "Measured on, and how"]);
}

#[test]
fn a_page_needs_nothing_else() {
    let page = page(&full());
    for foreign in ["http:", "https:", "<script", "src=", "@import", "url("] {
        assert!(!page.contains(foreign), "{foreign}");
    }
    assert!(page.contains("default-src 'none'"));
    for scheme in ["prefers-color-scheme: dark", "@media print"] {
        assert!(page.contains(scheme), "{scheme}");
    }
}

#[test]
fn every_plot_has_a_name_a_caption_and_its_figures_as_a_table() {
    let page = page(&full());
    let figures: Vec<&str> = page.split("<figure>").skip(1).collect();
    assert_eq!(figures.len(), 16);
    for figure in figures {
        let figure = figure.split("</figure>").next().unwrap();
        for part in ["role=\"img\"", "<title>", "<figcaption>", "<details>", "<table>", "scope=\"row\""] {
            assert!(figure.contains(part), "{part}: {figure}");
        }
        assert!(!figure.contains("NaN") && !figure.contains("inf"), "{figure}");
    }
}

#[test]
fn tags_are_closed() {
    let page = page(&full());
    for tag in
        ["main", "ul", "li", "figure", "details", "table", "tr", "td", "svg", "text", "div", "p", "strong"]
    {
        let open = page.matches(&format!("<{tag}>")).count() + page.matches(&format!("<{tag} ")).count();
        assert_eq!(open, page.matches(&format!("</{tag}>")).count(), "{tag}");
    }
}

/// Every tag is closed by its own kind in the reverse order of opening, and every attribute is quoted.
#[test]
fn tags_are_nested() {
    let page = page(&full());
    let (mut open, mut rest) = (Vec::new(), page.as_str());
    while let Some((_, from)) = rest.split_once('<') {
        let (tag, behind) = from.split_once('>').expect("a tag ends");
        rest = behind;
        let name = tag.split([' ', '/']).next().unwrap();
        assert!(tag.matches('"').count().is_multiple_of(2) && !tag.contains('<'), "{tag}");
        if let Some(closed) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(closed), "{open:?}");
        } else if !tag.ends_with('/') && !["!doctype", "meta"].contains(&name) {
            open.push(name);
        }
    }
    assert_eq!(open, [""; 0]);
}

#[test]
fn calls_that_went_wrong_say_so() {
    let page = page(&full());
    for text in [
        "rtpengine: not good, and not compared: 3 packets &lt;came&gt; twice.",
        "0.30 &times;",
        "missed",
        "31 of 32",
        "the delay drifted by 35.0 ms &amp; &lt;more&gt;",
        "version &lt;2&gt;",
    ] {
        assert!(page.contains(text), "{text}");
    }
    let quiet = LongRun { minutes: Vec::new(), ..long_run() };
    let nothing = CallRow { case: "dtls".into(), refused: Some("no answer".into()), ..CallRow::default() };
    let input = Input { calls: vec![nothing], long_calls: vec![quiet], ..Input::default() };
    let page = super::page(&input);
    assert!(page.contains("not listened to") && page.contains("no answer") && !page.contains("<figure>"));
}

#[test]
fn refusals_and_misses_are_not_hidden() {
    let mut input = full();
    let page_of = page(&input);
    assert!(page_of.contains("Not compared: 9 of 10 packets were lost"));
    assert!(page_of.contains("class=\"bar void\""));
    assert!(page_of.contains("reached"));
    input.rows[0].ratios.insert("janus/voice-500".into(), Ratio { ratio: 0.5, goal: Some(0.35) });
    assert!(page(&input).contains("missed"));
    input.runs[0].harness.short_of = vec!["CPU".into()];
    assert!(page(&input).contains("short of CPU"));
}

#[test]
fn what_was_written_is_read_back() {
    let mut read = Input { title: "A & B".into(), ..Input::default() };
    let input = full();
    let mut text =
        serde_json::json!({"cpu": "CPU", "rustc": "rustc 1", "kernel": "6.1", "date": "2026-11-22"})
            .to_string();
    for row in &input.rows {
        text += &format!("\n{}", serde_json::json!(row));
    }
    command::add(&mut read, &text).unwrap();
    command::add(&mut read, &serde_json::to_string_pretty(&input.runs[0]).unwrap()).unwrap();
    command::add(&mut read, &serde_json::to_string_pretty(&input.capacity).unwrap()).unwrap();
    for row in &input.calls {
        command::add(&mut read, &serde_json::json!(row).to_string()).unwrap();
    }
    command::add(&mut read, &serde_json::json!(input.long_calls[0]).to_string()).unwrap();
    assert_eq!(page(&read), page(&input));
    assert!(command::add(&mut read, "{\"a\": 1}").is_err());
    assert!(command::add(&mut read, "{").is_err());
}
