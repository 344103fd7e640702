//! From values to places on a page.

/// Values along an axis.
#[derive(Clone, Copy, Debug)]
pub(super) enum Scale {
    /// Evenly, from zero.
    Linear {
        /// The largest value.
        max: f64,
    },
    /// By magnitude.
    Log {
        /// The smallest value.
        min: f64,
        /// The largest value.
        max: f64,
    },
}

impl Scale {
    /// From zero to a round number at or above `max`.
    pub(super) fn linear(max: f64) -> Scale {
        let step = step(max);
        Scale::Linear { max: (max / step).ceil().max(1.0) * step }
    }

    /// Whole decades around the values.
    pub(super) fn log(min: f64, max: f64) -> Scale {
        let floor = min.max(1.0).log10().floor();
        let ceiling = max.max(1.0).log10().ceil().max(floor + 1.0);
        Scale::Log { min: 10f64.powf(floor), max: 10f64.powf(ceiling) }
    }

    /// 0 at the beginning, 1 at the end.
    pub(super) fn place(&self, value: f64) -> f64 {
        match *self {
            Scale::Linear { max } => (value / max).clamp(0.0, 1.0),
            Scale::Log { min, max } => ((value.max(min) / min).log10() / (max / min).log10()).clamp(0.0, 1.0),
        }
    }

    /// Values worth a line.
    pub(super) fn ticks(&self) -> Vec<f64> {
        match *self {
            Scale::Linear { max } => {
                let step = step(max);
                let count = (max / step).round() as u32;
                (0..=count).map(|tick| f64::from(tick) * step).collect()
            }
            Scale::Log { min, max } => {
                let decades = (max / min).log10().round() as i32;
                (0..=decades).map(|decade| min * 10f64.powi(decade)).collect()
            }
        }
    }
}

/// 1, 2 or 5 times a power of ten, so that about five of them reach `max`.
fn step(max: f64) -> f64 {
    let rough = if max > 0.0 { max / 5.0 } else { 0.2 };
    let power = 10f64.powf(rough.log10().floor());
    let factor = [1.0, 2.0, 5.0, 10.0].into_iter().find(|factor| factor * power >= rough * 0.999);
    factor.unwrap_or(10.0) * power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_cover_the_values() {
        for max in [0.0, 0.3, 1.0, 7.0, 27.86, 25_000.0, 123_456.0] {
            let scale = Scale::linear(max);
            let ticks = scale.ticks();
            assert!(ticks.len() >= 2 && ticks.len() <= 8, "{max}: {ticks:?}");
            assert!(ticks[ticks.len() - 1] >= max, "{max}: {ticks:?}");
        }
        assert_eq!(Scale::log(28.0, 9111.0).ticks(), [10.0, 100.0, 1000.0, 10_000.0]);
        assert_eq!(Scale::log(0.0, 0.0).ticks().len(), 2);
    }

    #[test]
    fn places_stay_on_the_page() {
        assert_eq!(Scale::Linear { max: 10.0 }.place(5.0), 0.5);
        assert_eq!(Scale::Linear { max: 10.0 }.place(50.0), 1.0);
        assert_eq!(Scale::log(10.0, 1000.0).place(100.0), 0.5);
        assert_eq!(Scale::log(10.0, 1000.0).place(0.0), 0.0);
    }
}
