//! How a call sounded, estimated from loss, jitter and delay (ITU-T G.107, the E-model, in its short form).

use kaname_engine::core::event::LegStats;
use serde::Serialize;

/// What is known of one side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(super) struct Quality {
    /// Packets of it that never came here.
    pub(super) lost: i64,
    /// In percent of what should have come.
    pub(super) loss_percent: f64,
    /// Of what came.
    pub(super) jitter_ms: f64,
    /// Packets to it that never came there, by its reports.
    pub(super) lost_there: i64,
    /// To it and back, by its reports.
    pub(super) round_trip_ms: Option<f64>,
    /// 1 (bad) to 4.5, how what came would be liked; `None` without packets.
    pub(super) mos: Option<f64>,
}

/// Impairment of a codec, and how well it bears loss (G.113 appendix I; Opus estimated by its likeness).
fn bears(codec: &str) -> (f64, f64) {
    let codecs =
        [("G729", (10.0, 19.0)), ("GSM", (20.0, 43.0)), ("G723", (15.0, 16.1)), ("opus", (0.0, 30.0))];
    let found = codecs.iter().find(|(name, _)| name.eq_ignore_ascii_case(codec));
    found.map_or((0.0, 25.1), |(_, bears)| *bears)
}

impl Quality {
    /// From a leg's figures.
    pub(super) fn of(stats: &LegStats, codec: &str, clock_rate: u32) -> Quality {
        let received: u64 = stats.streams.iter().map(|stream| stream.packets).sum();
        let lost: i64 = stats.streams.iter().map(|stream| stream.lost).sum();
        let jitter = stats.streams.iter().map(|stream| stream.jitter).max().unwrap_or_default();
        let jitter_ms = f64::from(jitter) * 1e3 / f64::from(clock_rate.max(1));
        let expected = received as f64 + lost.max(0) as f64;
        let loss_percent = if expected > 0.0 { 100.0 * lost.max(0) as f64 / expected } else { 0.0 };
        let round_trip_ms = stats.round_trip.map(|time| time.as_secs_f64() * 1e3);
        Quality {
            lost,
            loss_percent,
            jitter_ms,
            lost_there: stats.senders.iter().map(|sender| sender.lost).sum(),
            round_trip_ms,
            mos: (received > 0)
                .then(|| mos(codec, loss_percent, jitter_ms, round_trip_ms.unwrap_or_default())),
        }
    }
}

/// A packet's time, and twice the jitter that a receiver waits for.
fn mos(codec: &str, loss_percent: f64, jitter_ms: f64, round_trip_ms: f64) -> f64 {
    let delay_ms = round_trip_ms / 2.0 + 2.0 * jitter_ms + 20.0;
    let late = if delay_ms > 177.3 { 0.11 * (delay_ms - 177.3) } else { 0.0 };
    let (impairment, robustness) = bears(codec);
    let by_loss = impairment + (95.0 - impairment) * loss_percent / (loss_percent + robustness);
    let r = (93.2 - 0.024 * delay_ms - late - by_loss).clamp(0.0, 100.0);
    let mos = 1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6;
    (mos.clamp(1.0, 4.5) * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worse_networks_sound_worse() {
        let clean = mos("PCMA", 0.0, 0.0, 0.0);
        assert!((4.3..4.5).contains(&clean), "{clean}");
        let rows = [
            mos("PCMA", 1.0, 0.0, 0.0),
            mos("PCMA", 5.0, 10.0, 100.0),
            mos("PCMA", 20.0, 50.0, 400.0),
            mos("PCMA", 100.0, 500.0, 4_000.0),
        ];
        let mut before = clean;
        for row in rows {
            assert!(row < before && row >= 1.0, "{row} after {before}");
            before = row;
        }
        assert!(mos("G729", 0.0, 0.0, 0.0) < clean);
    }
}
