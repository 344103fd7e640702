//! One band's adaptive quantiser and predictor (G.722 sections 3 to 6, blocks 1 to 6).

/// Zeros of the predictor.
const ZEROS: usize = 6;

/// The state of one band; encoder and decoder keep the same.
pub(super) struct Band {
    /// Predicted from the poles and zeros (block PREDIC), and from the zeros alone (FILTEZ).
    predicted: i32,
    from_zeros: i32,
    /// Reconstructed signals and partially reconstructed ones, newest first.
    reconstructed: [i32; 2],
    partial: [i32; 2],
    poles: [i32; 2],
    zeros: [i32; ZEROS],
    /// Quantised differences, newest first.
    differences: [i32; ZEROS],
    /// Logarithm of the quantiser's scale, and the scale.
    log_scale: i32,
    scale: i32,
}

#[inline(always)]
fn saturate(value: i32) -> i32 {
    value.clamp(-32_768, 32_767)
}

impl Band {
    fn new(scale: i32) -> Self {
        Band {
            predicted: 0,
            from_zeros: 0,
            reconstructed: [0; 2],
            partial: [0; 2],
            poles: [0; 2],
            zeros: [0; ZEROS],
            differences: [0; ZEROS],
            log_scale: 0,
            scale,
        }
    }

    pub(super) fn low() -> Self {
        Band::new(32)
    }

    pub(super) fn high() -> Self {
        Band::new(8)
    }

    #[inline]
    pub(super) fn encode_low(&mut self, sample: i32) -> u8 {
        // Blocks SUBTRA and QUANTL. The Recommendation walks up the levels; to count those below is the same.
        let difference = saturate(sample - self.predicted);
        let magnitude = (difference ^ (difference >> 31)) as u16;
        let scale = self.scale as u32;
        let level: u16 = LOW_LEVELS
            .iter()
            .map(|&level| u16::from(magnitude >= ((u32::from(level) * scale) >> 16) as u16))
            .sum();
        let code = LOW_CODES[usize::from(difference < 0)][usize::from(level)];
        self.advance_low(code >> 2);
        code
    }

    #[inline]
    pub(super) fn decode_low(&mut self, code: u8) -> i32 {
        // Blocks INVQBL and LIMIT: all six bits are heard, four are predicted from.
        let heard = self.predicted + ((self.scale * LOW_INVERSE_6[usize::from(code & 63)]) >> 15);
        self.advance_low(code >> 2);
        heard.clamp(-16_384, 16_383)
    }

    #[inline]
    fn advance_low(&mut self, code: u8) {
        // Blocks INVQAL, LOGSCL and SCALEL.
        let code = usize::from(code & 15);
        let difference = (self.scale * LOW_INVERSE_4[code]) >> 15;
        self.rescale(LOW_LOG_STEPS[code], 18_432, 8);
        self.adapt(difference);
    }

    #[inline]
    pub(super) fn encode_high(&mut self, sample: i32) -> u8 {
        // Blocks SUBTRA and QUANTH.
        let difference = saturate(sample - self.predicted);
        let magnitude = difference ^ (difference >> 31);
        let outer = usize::from(magnitude >= (564 * self.scale) >> 12);
        let code = HIGH_CODES[usize::from(difference < 0)][outer];
        self.advance_high(code);
        code
    }

    #[inline]
    pub(super) fn decode_high(&mut self, code: u8) -> i32 {
        let heard = self.predicted + ((self.scale * HIGH_INVERSE[usize::from(code & 3)]) >> 15);
        self.advance_high(code);
        heard.clamp(-16_384, 16_383)
    }

    #[inline]
    fn advance_high(&mut self, code: u8) {
        // Blocks INVQAH, LOGSCH and SCALEH.
        let code = usize::from(code & 3);
        let difference = (self.scale * HIGH_INVERSE[code]) >> 15;
        self.rescale(HIGH_LOG_STEPS[code], 22_528, 10);
        self.adapt(difference);
    }

    #[inline]
    fn rescale(&mut self, step: i32, most: i32, octave: i32) {
        self.log_scale = (((self.log_scale * 127) >> 7) + step).clamp(0, most);
        let mantissa = SCALES[(self.log_scale >> 6 & 31) as usize];
        let shift = octave - (self.log_scale >> 11);
        self.scale = (if shift < 0 { mantissa << -shift } else { mantissa >> shift }) << 2;
    }

    /// Block 4: the predictor learns from the quantised difference.
    #[inline]
    fn adapt(&mut self, difference: i32) {
        // RECONS, PARREC.
        let reconstructed = saturate(self.predicted + difference);
        let partial = saturate(self.from_zeros + difference);
        let same = |other: i32| (partial ^ other) >= 0;

        // UPPOL2.
        let [pole_1, pole_2] = self.poles;
        let slope = saturate(pole_1 << 2);
        let slope = if same(self.partial[0]) { (-slope).min(32_767) } else { slope };
        let sign = if same(self.partial[1]) { 128 } else { -128 };
        let pole_2 = (sign + (slope >> 7) + ((pole_2 * 32_512) >> 15)).clamp(-12_288, 12_288);
        // UPPOL1.
        let sign = if same(self.partial[0]) { 192 } else { -192 };
        let bound = saturate(15_360 - pole_2);
        let pole_1 = saturate(sign + ((pole_1 * 32_640) >> 15)).clamp(-bound, bound);
        self.poles = [pole_1, pole_2];

        // UPZERO.
        let step = if difference == 0 { 0 } else { 128 };
        for (zero, &old) in self.zeros.iter_mut().zip(&self.differences) {
            // Same signs push up, different ones down.
            let sign = (old ^ difference) >> 31;
            *zero = saturate(((step ^ sign) - sign) + ((*zero * 32_640) >> 15));
        }

        // DELAYA.
        self.reconstructed = [reconstructed, self.reconstructed[0]];
        self.partial = [partial, self.partial[0]];
        self.differences.copy_within(..ZEROS - 1, 1);
        self.differences[0] = difference;

        // FILTEP, FILTEZ, PREDIC.
        let pole = |index: usize| (self.poles[index] * saturate(self.reconstructed[index] * 2)) >> 15;
        let from_poles = saturate(pole(0) + pole(1));
        // The Recommendation saturates each partial sum, last zero first.
        self.from_zeros = self
            .zeros
            .iter()
            .zip(&self.differences)
            .rev()
            .fold(0, |sum, (&zero, &old)| saturate(sum + ((zero * saturate(old * 2)) >> 15)));
        self.predicted = saturate(from_poles + self.from_zeros);
    }
}

/// Decision levels of the lower band (table of block QUANTL), times 16 so that a product's upper half compares.
const LOW_LEVELS: [u16; 29] = {
    let levels = [
        35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940, 1023, 1121,
        1219, 1339, 1458, 1612, 1765, 1980, 2195, 2557, 2919,
    ];
    let mut scaled = [0; 29];
    let mut index = 0;
    while index < 29 {
        scaled[index] = levels[index] << 4;
        index += 1;
    }
    scaled
};
/// Codes of positive and negative differences, by the number of levels that they pass.
const LOW_CODES: [[u8; 30]; 2] = [
    [
        61, 60, 59, 58, 57, 56, 55, 54, 53, 52, 51, 50, 49, 48, 47, 46, 45, 44, 43, 42, 41, 40, 39, 38, 37,
        36, 35, 34, 33, 32,
    ],
    [
        63, 62, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8,
        7, 6, 5, 4,
    ],
];
const LOW_INVERSE_4: [i32; 16] =
    [0, -20456, -12896, -8968, -6288, -4240, -2584, -1200, 20456, 12896, 8968, 6288, 4240, 2584, 1200, 0];
const LOW_INVERSE_6: [i32; 64] = [
    -136, -136, -136, -136, -24808, -21904, -19008, -16704, -14984, -13512, -12280, -11192, -10232, -9360,
    -8576, -7856, -7192, -6576, -6000, -5456, -4944, -4464, -4008, -3576, -3168, -2776, -2400, -2032, -1688,
    -1360, -1040, -728, 24808, 21904, 19008, 16704, 14984, 13512, 12280, 11192, 10232, 9360, 8576, 7856,
    7192, 6576, 6000, 5456, 4944, 4464, 4008, 3576, 3168, 2776, 2400, 2032, 1688, 1360, 1040, 728, 432, 136,
    -432, -136,
];
/// Tables RL42 and WL of block LOGSCL, one through the other.
const LOW_LOG_STEPS: [i32; 16] =
    [-60, 3042, 1198, 538, 334, 172, 58, -30, 3042, 1198, 538, 334, 172, 58, -30, -60];
const HIGH_CODES: [[u8; 2]; 2] = [[3, 2], [1, 0]];
const HIGH_INVERSE: [i32; 4] = [-7408, -1616, 7408, 1616];
const HIGH_LOG_STEPS: [i32; 4] = [798, -214, 798, -214];
/// Table ILB: an octave in 32 steps.
const SCALES: [i32; 32] = [
    2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834, 2896,
    2960, 3025, 3091, 3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008,
];
