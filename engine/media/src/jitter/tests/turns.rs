//! Packets that are looked for ahead of each turn, as audio workers' are: what came behind a look is there a turn later.

use super::*;
use crate::codec::g711::{Law, compress};

const TURN: u64 = 20 * MS;
/// A look is so far ahead of its turn, and a little more if the one who looks is awake.
const LEAD: u64 = MS;
const NEAR: u64 = MS / 2;

/// A telephone on a network that is nearly calm.
#[derive(Clone, Copy, Debug)]
struct Line {
    /// Its packets come so far ahead of a turn, in nanoseconds.
    phase: u64,
    /// All are later by up to so much.
    jitter: u64,
    /// Of a thousand packets so many by up to that much more.
    late: (u64, u64),
    /// So many of a thousand looks come only behind their turn.
    late_looks: u64,
    /// Packets behind which nothing is late any more.
    calms_at: u64,
    seed: u64,
}

/// Two minutes.
const PACKETS: u64 = 6_000;

impl Line {
    /// One on which nothing but a little jitter happens.
    fn calm(jitter: u64) -> Line {
        Line { phase: 0, jitter, late: (0, 0), late_looks: 0, calms_at: PACKETS, seed: 3 }
    }

    /// This line with packets that come at any time of a turn.
    fn at_all_phases(self) -> impl Iterator<Item = Line> {
        (1..80).map(move |n| Line { phase: n * MS / 4, seed: self.seed * 1_000 + n, ..self })
    }
}

/// What became of it.
struct Course {
    /// Turns in which something was invented.
    missed: Vec<u64>,
    /// How long the fastest packets wait until they are heard at the end, in microseconds.
    waits_us: i64,
}

fn course(line: Line, payloads: &[[u8; 160]]) -> Course {
    let config = PlayoutConfig {
        formats: vec![StreamFormat { payload_type: 8, receives: Receives::Audio(Codec::Pcma) }],
        rate: Rate::K8,
        delay_ms_min: 0,
    };
    let mut playout = Playout::new(&config, &Codecs::built_in()).unwrap();
    let (mut noise, mut scratch, mut out) = (Noise(line.seed), Scratch::default(), [0; 160]);
    let begin = 1_000 * MS;
    let mut arrivals: Vec<u64> = (0..PACKETS)
        .map(|n| {
            let is_late = noise.below(1_000) < line.late.0 && n < line.calms_at;
            let late = if is_late { noise.below(line.late.1 + 1) } else { 0 };
            begin + n * TURN - line.phase + noise.below(line.jitter + 1) + late
        })
        .collect();
    // None overtakes another.
    (1..arrivals.len()).for_each(|n| arrivals[n] = arrivals[n].max(arrivals[n - 1]));
    let mut course = Course { missed: Vec::new(), waits_us: 0 };
    let (mut taken, mut invented) = (0, 0);
    for n in 0..PACKETS {
        let turn = begin + n * TURN;
        let behind = noise.below(1_000) < line.late_looks && n < line.calms_at;
        let look = if behind { turn + noise.below(2 * MS) } else { turn - LEAD - noise.below(NEAR) };
        let mut take = |playout: &mut Playout| {
            while taken < arrivals.len() && arrivals[taken] <= look {
                let waited = (look - arrivals[taken]).saturating_sub(LEAD + NEAR);
                playout.insert(&Packet {
                    payload_type: 8,
                    sequence: taken as u16,
                    timestamp: taken as u32 * 160,
                    marker: false,
                    level: None,
                    arrival_ns: look - waited,
                    payload: &payloads[taken % payloads.len()],
                });
                taken += 1;
            }
        };
        if !behind {
            take(&mut playout);
        }
        playout.pull(turn, &mut out, &mut scratch);
        if behind {
            take(&mut playout);
        }
        let counters = playout.counters();
        if counters.concealed_samples > invented {
            invented = counters.concealed_samples;
            course.missed.push(n);
        }
        if let Some(played) = playout.play_timestamp() {
            // What is played next is heard with the next turn.
            let sent = (begin - line.phase) as i64 / 1000 + played * 125;
            course.waits_us = ((turn + TURN) / 1000) as i64 - sent;
        }
    }
    course
}

fn speech() -> Vec<[u8; 160]> {
    kit::speech(Rate::K8, 21, 160 * 500)
        .as_chunks::<160>()
        .0
        .iter()
        .map(|frame| {
            let mut codes = [0; 160];
            compress(Law::A, frame, &mut codes);
            codes
        })
        .collect()
}

#[test]
fn a_little_jitter_is_never_heard_whenever_packets_come() {
    let speech = speech();
    for jitter in [0, MS / 5, MS / 2, MS, 3 * MS / 2] {
        for line in Line::calm(jitter).at_all_phases() {
            let course = course(line, &speech);
            assert_eq!(course.missed, [], "{line:?}");
            // The next turn, unless that comes too soon for what is usual.
            assert!(course.waits_us <= 26_000, "{line:?}: {} us", course.waits_us);
        }
    }
}

/// Late packets, and packets that are handed over late whenever they came.
fn uneasy(calms_at: u64) -> impl Iterator<Item = Line> {
    let calm = Line { calms_at, ..Line::calm(MS / 2) };
    let lines = [
        Line { late: (5, 8 * MS), ..calm },
        Line { late: (5, 15 * MS), ..calm },
        Line { late_looks: 5, ..calm },
        Line { late: (3, 12 * MS), late_looks: 3, ..calm },
    ];
    lines.into_iter().flat_map(Line::at_all_phases)
}

#[test]
fn what_was_late_once_is_waited_for_from_then_on() {
    let speech = speech();
    let mut missed = 0;
    for line in uneasy(PACKETS) {
        let course = course(line, &speech);
        let calm = self::course(Line { late: (0, 0), late_looks: 0, ..line }, &speech);
        // Once; and again if something is later than ever, or if it was forgotten for once.
        assert!(course.missed.len() <= 3, "{line:?}: {:?}", course.missed);
        missed += course.missed.len();
        // A turn more for each, and what is left of a pitch period.
        let more_us = course.waits_us - calm.waits_us;
        let needed_us = 20_000 * course.missed.len().max(1) as i64 + 10_000;
        assert!(more_us <= needed_us, "{line:?}: {more_us} us more, {:?}", course.missed);
    }
    let lines = uneasy(PACKETS).count();
    assert!(missed < lines * 5 / 4, "{missed} in {lines} times two minutes");
}

#[test]
fn delay_that_is_needed_no_more_goes_again() {
    let speech = speech();
    for line in uneasy(PACKETS / 2) {
        let course = course(line, &speech);
        assert!(course.waits_us <= 28_000, "{line:?}: {} us", course.waits_us);
    }
}
