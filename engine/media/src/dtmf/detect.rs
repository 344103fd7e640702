//! Keys in audio: eight Goertzel filters, and tests that speech does not pass (ITU-T Q.24).

use std::f32::consts::TAU;

use super::{COLUMNS_HZ, Key, KeyEvent, ROWS_HZ};
use crate::Rate;

/// A block is 12.75 ms: 78 Hz wide, so that neighbours of 73 Hz are told apart and 1.5 % of deviation passes.
const BLOCK_AT_8K: usize = 102;
/// Energy of tones that count, per tone: about -32 dBm0 at a peak of 400. Q.24: -25 must be heard, -55 must not.
const PEAK_MIN: f32 = 300.0;
/// The two tones must make so much of all energy that no voice and no music has it.
const PART_OF_ALL: f32 = 0.78;
/// Tones that are in tune have more than this; what has less, off by 1.5 % or a vowel, must last longer.
const PART_IN_TUNE: f32 = 0.88;
/// Columns may be weaker than rows by 8 dB and stronger by 8 (Q.24 asks for 4 to 8 and 4).
const TWIST: f32 = 6.3;
/// The strongest of a group stands out from the others by 8 dB.
const STANDS_OUT: f32 = 6.3;
/// Blocks in a row to go down, and without the key to come up: 25 ms of tone, dropouts of 12 ms bridged.
const BLOCKS_DOWN: u32 = 2;
const BLOCKS_DOWN_OUT_OF_TUNE: u32 = 6;
const BLOCKS_UP: u32 = 2;

/// Finds keys in a stream of samples.
pub struct Detector {
    rate: Rate,
    block: usize,
    coefficients: [f32; 8],
    state: [[f32; 8]; 2],
    energy: f32,
    taken: usize,
    /// What the last block had, and for how many blocks.
    last: Option<Key>,
    blocks: u32,
    /// Of those, the ones in tune.
    blocks_in_tune: u32,
    down: Option<Key>,
    down_blocks: u32,
    absent: u32,
}

impl Detector {
    /// Listens at a rate.
    pub fn new(rate: Rate) -> Self {
        let hz = |n: usize| if n < 4 { ROWS_HZ[n] } else { COLUMNS_HZ[n - 4] };
        Detector {
            rate,
            block: BLOCK_AT_8K * rate.per_ms() / 8,
            coefficients: std::array::from_fn(|n| 2.0 * (TAU * hz(n) / rate.hz() as f32).cos()),
            state: [[0.0; 8]; 2],
            energy: 0.0,
            taken: 0,
            last: None,
            blocks: 0,
            blocks_in_tune: 0,
            down: None,
            down_blocks: 0,
            absent: 0,
        }
    }

    /// The key that is down.
    pub fn down(&self) -> Option<Key> {
        self.down
    }

    /// Samples that are judged at once.
    pub(super) fn block(&self) -> usize {
        self.block
    }

    /// Samples until the next judgement.
    pub(super) fn until_judged(&self) -> usize {
        self.block - self.taken
    }

    /// Whether the last block had a key, even if that is not sure yet.
    pub fn suspects(&self) -> bool {
        self.last.is_some()
    }

    /// Listens to samples; tells `heard` of keys that go down or come up in them.
    pub fn listen(&mut self, mut samples: &[i16], heard: &mut dyn FnMut(KeyEvent)) {
        while !samples.is_empty() {
            let (now, later) = samples.split_at(samples.len().min(self.block - self.taken));
            self.filter(now);
            self.taken += now.len();
            samples = later;
            if self.taken == self.block {
                let key = self.judge();
                self.follow(key, heard);
                (self.state, self.energy, self.taken) = ([[0.0; 8]; 2], 0.0, 0);
            }
        }
    }

    fn filter(&mut self, samples: &[i16]) {
        let [mut one, mut two] = self.state;
        let mut energy = 0.0;
        for &sample in samples {
            let sample = f32::from(sample);
            energy += sample * sample;
            let mut next = [0.0; 8];
            for n in 0..8 {
                next[n] = sample + self.coefficients[n] * one[n] - two[n];
            }
            (two, one) = (one, next);
        }
        self.state = [one, two];
        self.energy += energy;
    }

    /// The key of a block, if it has one, and whether it is in tune.
    fn judge(&self) -> Option<(Key, bool)> {
        let [one, two] = &self.state;
        let power: [f32; 8] = std::array::from_fn(|n| {
            one[n] * one[n] + two[n] * two[n] - self.coefficients[n] * one[n] * two[n]
        });
        let (row, row_power) = strongest(&power[..4])?;
        let (column, column_power) = strongest(&power[4..])?;
        // A tone of peak p has the power (p * block / 2)^2, and p^2 / 2 of energy a sample.
        let half = self.block as f32 / 2.0;
        let least = (PEAK_MIN * half).powi(2);
        let loud = row_power > least && column_power > least;
        let even = column_power < row_power * TWIST && row_power < column_power * TWIST;
        let part = (row_power + column_power) / (self.energy * half).max(1.0);
        (loud && even && part > PART_OF_ALL).then(|| (Key::at(row, column), part > PART_IN_TUNE))
    }

    fn follow(&mut self, found: Option<(Key, bool)>, heard: &mut dyn FnMut(KeyEvent)) {
        let key = found.map(|(key, _)| key);
        if key != self.last {
            (self.blocks, self.blocks_in_tune) = (0, 0);
        }
        self.blocks += 1;
        self.blocks_in_tune += u32::from(found.is_some_and(|(_, in_tune)| in_tune));
        self.last = key;
        if let Some(down) = self.down {
            self.down_blocks += 1;
            self.absent = if key == Some(down) { 0 } else { self.absent + 1 };
            if self.absent < BLOCKS_UP {
                return;
            }
            let samples = (self.down_blocks - self.absent) as usize * self.block;
            self.down = None;
            heard(KeyEvent::Up(down, (samples / self.rate.per_ms()) as u32));
        }
        if let Some(key) =
            key.filter(|_| self.blocks_in_tune >= BLOCKS_DOWN || self.blocks >= BLOCKS_DOWN_OUT_OF_TUNE)
        {
            self.down = Some(key);
            (self.down_blocks, self.absent) = (self.blocks, 0);
            heard(KeyEvent::Down(key));
        }
    }
}

/// The strongest of four and its power, if it stands out.
fn strongest(power: &[f32]) -> Option<(usize, f32)> {
    let (best, most) = power.iter().copied().enumerate().max_by(|a, b| a.1.total_cmp(&b.1))?;
    let alone = power.iter().enumerate().all(|(n, &other)| n == best || other * STANDS_OUT < most);
    alone.then_some((best, most))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtmf::{ToneGenerator, VOLUME};
    use crate::kit::{self, Noise};

    fn keys_in(rate: Rate, samples: &[i16]) -> String {
        let mut detector = Detector::new(rate);
        let mut keys = String::new();
        for frame in samples.chunks(rate.samples(20)) {
            detector.listen(frame, &mut |event| {
                if let KeyEvent::Down(key) = event {
                    keys.push(key.name());
                }
            });
        }
        keys
    }

    fn dialled(rate: Rate, keys: &str, ms: u32, pause_ms: u32) -> Vec<i16> {
        let mut generator = ToneGenerator::new(rate);
        for name in keys.chars() {
            generator.press(Key::from_char(name).unwrap(), ms, pause_ms, VOLUME).unwrap();
        }
        let mut samples = vec![0; rate.samples(37)];
        while generator.is_busy() {
            let mut frame = vec![0; rate.samples(20)];
            generator.fill(&mut frame);
            samples.extend(frame);
        }
        samples.extend(vec![0; rate.samples(60)]);
        samples
    }

    const ALL: &str = "1234567890*#ABCD1122";

    #[test]
    fn all_keys_at_all_rates() {
        for rate in Rate::ALL {
            assert_eq!(keys_in(rate, &dialled(rate, ALL, 50, 50)), ALL, "{rate:?}");
        }
    }

    #[test]
    fn keys_through_noise_and_quiet() {
        for (gain, noise_peak) in [(1.0, 600.0), (0.25, 150.0), (3.0, 1_500.0), (0.12, 20.0)] {
            let mut noise = Noise(4);
            let noisy: Vec<i16> = dialled(Rate::K8, ALL, 60, 60)
                .into_iter()
                .map(|s| (f32::from(s) * gain + noise.unit() * noise_peak) as i16)
                .collect();
            assert_eq!(keys_in(Rate::K8, &noisy), ALL, "{gain} {noise_peak}");
        }
    }

    fn pair(hz: [f32; 2], peaks: [f32; 2], samples: usize) -> Vec<i16> {
        let tones = [0, 1].map(|n| kit::tone(Rate::K8, hz[n], peaks[n], samples));
        tones[0].iter().zip(&tones[1]).map(|(a, b)| a + b).collect()
    }

    #[test]
    fn twist_and_deviation_as_q24_asks() {
        let heard = |hz, peaks| keys_in(Rate::K8, &pair(hz, peaks, 800)) == "8";
        let [row, column] = [852.0, 1336.0];
        for db in [-6.0, -3.0, 3.0, 6.0] {
            assert!(heard([row, column], [4_000.0, 4_000.0 * crate::level::factor(db)]), "{db} dB");
        }
        assert!(!heard([row, column], [8_000.0, 8_000.0 * crate::level::factor(-14.0)]));
        for off in [0.985, 1.015] {
            assert!(heard([row * off, column * off], [4_000.0; 2]), "{off}");
        }
        for off in [0.96, 1.04] {
            assert!(!heard([row, column * off], [4_000.0; 2]), "{off}");
        }
        // One tone is no key, and neither is a blip.
        assert!(!heard([row, column], [4_000.0, 0.0]));
        assert_eq!(keys_in(Rate::K8, &[pair([row, column], [4_000.0; 2], 150), vec![0; 400]].concat()), "");
    }

    #[test]
    fn speech_and_noise_are_no_keys() {
        for seed in 0..20 {
            let speech = kit::speech(Rate::K8, seed, 8_000 * 60);
            assert_eq!(keys_in(Rate::K8, &speech), "", "seed {seed}");
        }
        assert_eq!(keys_in(Rate::K8, &kit::noise(1, 20_000.0, 8_000 * 60)), "");
    }

    #[test]
    fn durations_are_told() {
        let mut detector = Detector::new(Rate::K8);
        let mut events = Vec::new();
        detector.listen(&dialled(Rate::K8, "5", 200, 100), &mut |event| events.push(event));
        let [KeyEvent::Down(_), KeyEvent::Up(key, ms)] = events[..] else { panic!("{events:?}") };
        assert_eq!(key.name(), '5');
        assert!((170..=215).contains(&ms), "{ms}");
    }
}
