//! Sampling rates.

/// A sampling rate that speech and Opus use, in samples a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rate {
    /// 8 kHz, the telephone's.
    K8,
    /// 16 kHz, wideband speech.
    K16,
    /// 24 kHz.
    K24,
    /// 32 kHz.
    K32,
    /// 48 kHz, everything that can be heard.
    K48,
}

impl Rate {
    /// All of them, slowest first.
    pub const ALL: [Rate; 5] = [Rate::K8, Rate::K16, Rate::K24, Rate::K32, Rate::K48];

    /// Samples a second.
    #[inline]
    pub const fn hz(self) -> u32 {
        match self {
            Rate::K8 => 8_000,
            Rate::K16 => 16_000,
            Rate::K24 => 24_000,
            Rate::K32 => 32_000,
            Rate::K48 => 48_000,
        }
    }

    /// The rate of so many samples a second, if it is one of ours.
    pub fn from_hz(hz: u32) -> Option<Rate> {
        Rate::ALL.into_iter().find(|rate| rate.hz() == hz)
    }

    /// Samples in a millisecond.
    #[inline]
    pub const fn per_ms(self) -> usize {
        self.hz() as usize / 1000
    }

    /// Samples in so many milliseconds.
    #[inline]
    pub const fn samples(self, ms: u32) -> usize {
        self.per_ms() * ms as usize
    }
}
