//! The cases of the audio benchmark.

mod calls;
mod room;
mod single;
mod transcode;

use kaname_io::thread_cpu_time;

/// One figure.
pub(crate) struct Row {
    /// What was measured.
    pub(crate) case: String,
    /// Microseconds of one core: per frame of 20 ms, or per tick of a room.
    pub(crate) us: f64,
    /// Of what it is compared with, and the goal of the ratio, where there is one.
    pub(crate) against: Option<(f64, Option<f64>)>,
}

impl Row {
    fn plain(case: impl Into<String>, us: f64) -> Row {
        Row { case: case.into(), us, against: None }
    }

    /// One JSON object.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        let ratio = self.against.map(|(other, _)| self.us / other);
        let goal = self.against.and_then(|(_, goal)| goal);
        serde_json::json!({
            "bench": "media", "case": self.case, "us": self.us,
            "against_us": self.against.map(|(other, _)| other), "ratio": ratio, "goal": goal,
        })
    }

    /// One line of a table.
    pub(crate) fn to_line(&self) -> String {
        let Some((other, goal)) = self.against else {
            return format!("{:<58} {:>10.3} us", self.case, self.us);
        };
        let goal = goal.map_or(String::new(), |goal| format!("  goal {goal:.2}"));
        format!("{:<58} {:>10.3} us / {other:>10.3} us = {:>6.3}{goal}", self.case, self.us, self.us / other)
    }
}

/// All rows whose case contains `only`.
pub(crate) fn rows(rounds: usize, only: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    single::run(rounds, only, &mut rows);
    transcode::run(rounds, only, &mut rows);
    calls::run(rounds, only, &mut rows);
    room::run(rounds, only, &mut rows);
    rows
}

/// Runs systems by turns, `count` calls a turn; gives the microseconds of a call of each, of its best turn: on a shared
/// machine the others are what somebody else did. Time on the processor counts, not what passed: a turn of a tenth of a
/// second is never left alone, one of a millisecond often, so that what takes longer would seem worse than it is.
fn by_turns(rounds: usize, count: usize, systems: &mut [&mut dyn FnMut(usize)]) -> Vec<f64> {
    let mut times = vec![Vec::with_capacity(rounds); systems.len()];
    for round in 0..=rounds {
        for (system, times) in systems.iter_mut().zip(&mut times) {
            let start = thread_cpu_time();
            for call in 0..count {
                system(round * count + call);
            }
            // The first round warms caches and fills jitter buffers.
            if round > 0 {
                times.push((thread_cpu_time() - start).as_nanos() as f64 / 1000.0 / count as f64);
            }
        }
    }
    times.into_iter().map(|times| times.into_iter().fold(f64::INFINITY, f64::min)).collect()
}

/// A voice that glides, rises and falls: work for an encoder as speech is.
fn voice(hz: u32, seconds: usize, seed: u32) -> Vec<i16> {
    let mut noise = 0x1234_5678u32.wrapping_add(seed);
    let (mut phase, mut last) = (0.0f32, [0.0f32; 2]);
    (0..hz as usize * seconds)
        .map(|n| {
            let at = n as f32 / hz as f32;
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let pitch = 130.0 + 40.0 * (at * 2.1 + seed as f32).sin();
            phase += pitch / hz as f32;
            let pulse = if phase >= 1.0 { 1.0 } else { 0.0 };
            phase = phase.fract();
            let source = pulse * 20.0 + (noise as i32) as f32 / i32::MAX as f32 * 0.3;
            let formant = 600.0 + 300.0 * (at * 3.3).sin();
            let radius = 1.0 - 400.0 / hz as f32;
            let next = source + 2.0 * radius * (std::f32::consts::TAU * formant / hz as f32).cos() * last[0]
                - radius * radius * last[1];
            last = [next, last[0]];
            let loud = (at * 4.0 + seed as f32).sin().max(0.05);
            (next * loud * 150.0).clamp(-30_000.0, 30_000.0) as i16
        })
        .collect()
}
