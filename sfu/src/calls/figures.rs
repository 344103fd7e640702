//! Figures of calls as proxies read them.

use kaname_engine::core::event::LegStats;

use super::ending::{received, sent};
use super::model::{Call, Media, Party};
use super::plan::Security;
use super::quality::Quality;
use super::requests::ok;
use super::state::State;
use crate::ng::sdp::crypto::Suite;
use crate::ng::{Dictionary, Value};

/// The reply to `query` and `delete`. With tags only those are told of, and whom they talk with.
pub(super) fn of_call(call: &Call, tags: &[String]) -> Dictionary {
    let wanted = |party: &&Party| !party.hidden && (tags.is_empty() || tags.contains(&party.tag));
    let mut all = Dictionary::new();
    for party in call.parties.iter().filter(wanted) {
        all = all.with(&party.tag, of_party(call, party));
    }
    let lines =
        || call.parties.iter().flat_map(|party| &party.medias).filter_map(|line| line.stats.as_deref());
    let (mut rtp, mut rtcp) = ((0, 0), (0, 0));
    for stats in lines() {
        let (packets, bytes) = received(stats);
        rtp = (rtp.0 + packets, rtp.1 + bytes);
        let others = rest(stats);
        rtcp = (rtcp.0 + others.0, rtcp.1 + others.1);
    }
    let totals = Dictionary::new().with("RTP", counts(rtp)).with("RTCP", counts(rtcp));
    ok().with("created", number(call.created.unix))
        .with("created_us", 0)
        .with("last signal", number(call.last_signal.unix))
        .with("SSRC", by_ssrc(call))
        .with("tags", all)
        .with("totals", totals)
}

fn of_party(call: &Call, party: &Party) -> Dictionary {
    let mut told = Dictionary::new().with("tag", party.tag.as_str()).with("created", number(party.created));
    if let Some(label) = &party.label {
        told = told.with("label", label.as_str());
    }
    if let Some(branch) = &party.branch {
        told = told.with("via-branch", branch.as_str());
    }
    if let Some(peer) = party.peer.and_then(|peer| call.parties.get(peer)).filter(|peer| !peer.tag.is_empty())
    {
        told = told.with("in dialogue with", peer.tag.as_str());
    }
    let medias = party.medias.iter().enumerate().map(|(index, line)| Value::from(of_media(index, line)));
    told.with("medias", Value::List(medias.collect()))
}

fn of_media(index: usize, line: &Media) -> Dictionary {
    let mut told = Dictionary::new().with("index", index as i64 + 1).with("type", line.kind.as_str());
    let mut flags = Vec::new();
    let mut streams = Vec::new();
    if let Some(agreed) = &line.agreed {
        told = told.with("protocol", agreed.protocol.as_str());
        flags.push("initialized");
        flags.extend(agreed.mux.then_some("rtcp-mux"));
        flags.extend(agreed.ice.as_ref().map(|_| "ICE"));
        flags.extend(match &agreed.security {
            Security::Plain => None,
            Security::Sdes { .. } => Some("SDES"),
            Security::Dtls { .. } => Some("DTLS-SRTP"),
        });
        if let Some(format) = agreed.formats.first() {
            told = told.with("codec", format.name.as_str());
        }
    }
    if let Some(ports) = line.ports {
        let stats = line.stats.as_deref().cloned().unwrap_or_default();
        streams.push(Value::from(of_stream(line, &stats, ports.port, "RTP")));
        if !line.agreed.as_ref().is_some_and(|agreed| agreed.mux) {
            streams.push(Value::from(of_stream(line, &stats, ports.port.saturating_add(1), "RTCP")));
        }
    }
    let flags = flags.into_iter().map(Value::from).collect();
    told.with("flags", Value::List(flags)).with("streams", Value::List(streams))
}

fn of_stream(line: &Media, stats: &LegStats, port: u16, kind: &str) -> Dictionary {
    let is_rtp = kind == "RTP";
    let (came, left) = if is_rtp { (received(stats), sent(stats)) } else { (rest(stats), (0, 0)) };
    let mut flags = vec![Value::from(kind)];
    let advertised =
        line.theirs.as_ref().and_then(|view| if is_rtp { view.rtp_address() } else { view.rtcp_address() });
    let used = stats.path.as_ref().map(|path| path.remote).filter(|_| is_rtp);
    let mut told = Dictionary::new().with("local port", i64::from(port));
    for (key, address) in [("endpoint", used.or(advertised)), ("advertised endpoint", advertised)] {
        if let Some(address) = address {
            let family = if address.is_ipv4() { "IPv4" } else { "IPv6" };
            let endpoint = Dictionary::new()
                .with("family", family)
                .with("address", address.ip().to_string())
                .with("port", i64::from(address.port()));
            told = told.with(key, endpoint);
        }
    }
    if advertised.is_some() || used.is_some() {
        flags.push(Value::from("filled"));
    }
    if came.0 > 0 {
        flags.push(Value::from("confirmed"));
    }
    if let Some(suite) =
        line.crypto.as_ref().map(|pair: &crate::ng::sdp::crypto::CryptoPair| pair.theirs.suite)
    {
        told = told.with("crypto suite", Suite::name(suite));
    }
    if let Some(ssrc) = line.heard_ssrc.filter(|_| is_rtp) {
        told = told.with("SSRC", i64::from(ssrc));
    }
    told.with("stats", counts(came)).with("stats_out", counts(left)).with("flags", Value::List(flags))
}

/// What is no media.
fn rest(stats: &LegStats) -> (u64, u64) {
    let (packets, bytes) = received(stats);
    (stats.packets_in.saturating_sub(packets), stats.bytes_in.saturating_sub(bytes))
}

fn counts((packets, bytes): (u64, u64)) -> Dictionary {
    Dictionary::new().with("packets", number(packets)).with("bytes", number(bytes)).with("errors", 0)
}

/// How each source sounded.
fn by_ssrc(call: &Call) -> Dictionary {
    let mut all = Dictionary::new();
    for line in call.parties.iter().flat_map(|party| &party.medias) {
        let (Some(ssrc), Some(stats), Some(agreed)) = (line.heard_ssrc, &line.stats, &line.agreed) else {
            continue;
        };
        let Some(format) = agreed.formats.first() else { continue };
        let quality = Quality::of(stats, &format.name, format.clock_rate);
        let Some(mos) = quality.mos else { continue };
        // Kamailio reads tenths of MOS, whole percents and milliseconds.
        let values = Dictionary::new()
            .with("MOS", (mos * 10.0).round() as i64)
            .with("packet loss", quality.loss_percent.round() as i64)
            .with("jitter", quality.jitter_ms.round() as i64)
            .with("round-trip time", (quality.round_trip_ms.unwrap_or_default() * 1e3).round() as i64)
            .with("samples", 1)
            .with("reported at", number(call.last_signal.unix));
        let (packets, bytes) = received(stats);
        let told = Dictionary::new()
            .with("cumulative loss", quality.lost.max(0))
            .with("packets", number(packets))
            .with("bytes", number(bytes))
            .with("average MOS", values.clone())
            .with("lowest MOS", values.clone())
            .with("highest MOS", values);
        all = all.with(&ssrc.to_string(), told);
    }
    all
}

fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// The reply to `statistics`.
pub(super) fn statistics(state: &State) -> Dictionary {
    let counters = state.counters();
    let ended = |reason: &str| number(counters.ended_total.get(reason).copied().unwrap_or_default());
    let asked = |command: &str| number(counters.requests_total.get(command).copied().unwrap_or_default());
    let current = Dictionary::new()
        .with("sessionsown", number(counters.calls))
        .with("sessionsforeign", 0)
        .with("sessionstotal", number(counters.calls))
        .with("transcodedmedia", number(counters.transcoded))
        .with("media ports", number(counters.ports))
        .with("draining", i64::from(counters.draining));
    let lasted = counters.seconds_total as f64 / counters.ended_total.values().sum::<u64>().max(1) as f64;
    let total = Dictionary::new()
        .with("uptime", state.uptime().to_string())
        .with("managedsessions", number(counters.calls_total))
        .with(
            "rejectedsessions",
            number(counters.refused_total.get("load_limit").copied().unwrap_or_default()),
        )
        .with("timeoutsessions", ended("silence") + ended("unanswered"))
        .with("silenttimeoutsessions", ended("silence"))
        .with("finaltimeoutsessions", 0)
        .with("offertimeoutsessions", ended("unanswered"))
        .with("regularterminatedsessions", ended("deleted"))
        .with("forcedterminatedsessions", ended("fault") + ended("keys used up"))
        .with("relayedpackets", number(counters.packets_total))
        .with("avgcallduration", format!("{lasted:.6}"));
    let names = [
        ("ping", "totalpingcount"),
        ("offer", "totaloffercount"),
        ("answer", "totalanswercount"),
        ("delete", "totaldeletecount"),
        ("query", "totalquerycount"),
        ("list", "totallistcount"),
        ("start recording", "totalstartreccount"),
        ("stop recording", "totalstopreccount"),
        ("start forwarding", "totalstartfwdcount"),
        ("stop forwarding", "totalstopfwdcount"),
        ("block DTMF", "totalblkdtmfcount"),
        ("unblock DTMF", "totalunblkdtmfcount"),
        ("block media", "totalblkmedia"),
        ("unblock media", "totalunblkmedia"),
        ("play media", "totalplaymedia"),
        ("stop media", "totalstopmedia"),
        ("play DTMF", "totalplaydtmf"),
        ("statistics", "totalstatistics"),
    ];
    let control = names.iter().fold(Dictionary::new(), |told, (command, key)| told.with(key, asked(command)));
    let control = control.with("totalerrorcount", number(counters.refused_total.values().sum()));
    let all = Dictionary::new()
        .with("currentstatistics", current)
        .with("totalstatistics", total)
        .with("controlstatistics", control);
    ok().with("statistics", all)
}
