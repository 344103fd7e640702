//! A moving test picture that says which one it is.
//!
//! The upper part is a code of black and white blocks (sender, frame number, checksum) that survives hard compression;
//! the lower part is a pattern that moves and differs by sender. A picture is a pure function of sender and frame
//! number, so a receiver can draw what was sent and compare.

/// Width in pixels.
pub const WIDTH: usize = 320;
/// Height in pixels. A multiple of 16, so that no codec has to crop.
pub const HEIGHT: usize = 176;
/// Pictures a second: enough to see movement, little enough to decode forty streams on one core.
pub const FRAMES_PER_SECOND: u32 = 15;

/// Blocks of the code in a row, and rows: 64 bits.
const CODE_COLUMNS: usize = 16;
const CODE_ROWS: usize = 4;
const BLOCK_WIDTH: usize = WIDTH / CODE_COLUMNS;
const BLOCK_HEIGHT: usize = 12;
/// Rows of pixels the code takes.
const CODE_HEIGHT: usize = CODE_ROWS * BLOCK_HEIGHT;
/// Luma of a 0 and of a 1, inside the video range.
const BLACK: u8 = 20;
const WHITE: u8 = 230;

/// A picture in planar YUV 4:2:0 without padding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// `WIDTH * HEIGHT` luma samples.
    pub y: Vec<u8>,
    /// A quarter as many.
    pub u: Vec<u8>,
    /// A quarter as many.
    pub v: Vec<u8>,
}

/// What the code of a picture says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label {
    /// Who drew it.
    pub sender: u16,
    /// Which picture it is, from 0.
    pub frame: u32,
}

impl Picture {
    /// Draws the picture of a label.
    pub fn draw(label: Label) -> Picture {
        let mut y = vec![0; WIDTH * HEIGHT];
        draw_code(&mut y, label);
        draw_pattern(&mut y, label);
        // Colours tell senders apart for a person who looks at a screenshot.
        let u = 64 + (u32::from(label.sender) * 53 % 128) as u8;
        let v = 64 + (u32::from(label.sender) * 97 % 128) as u8;
        Picture { y, u: vec![u; WIDTH * HEIGHT / 4], v: vec![v; WIDTH * HEIGHT / 4] }
    }
}

/// Reads the code out of decoded luma with the given distance between rows.
///
/// `None` when the checksum says that this is no such picture.
pub fn read_label(luma: &[u8], stride: usize) -> Option<Label> {
    if stride < WIDTH || luma.len() < stride * (CODE_HEIGHT - 1) + WIDTH {
        return None;
    }
    let threshold = (u32::from(BLACK) + u32::from(WHITE)) / 2;
    let mut bits = 0u64;
    for index in 0..CODE_COLUMNS * CODE_ROWS {
        let (column, row) = (index % CODE_COLUMNS, index / CODE_COLUMNS);
        // The rim of a block suffers most from compression, so only its middle is asked.
        let (left, top) = (column * BLOCK_WIDTH + 4, row * BLOCK_HEIGHT + 3);
        let mut sum = 0u32;
        for line in top..top + BLOCK_HEIGHT - 6 {
            let from = line * stride + left;
            sum += luma[from..from + BLOCK_WIDTH - 8].iter().map(|&p| u32::from(p)).sum::<u32>();
        }
        let count = ((BLOCK_HEIGHT - 6) * (BLOCK_WIDTH - 8)) as u32;
        bits = bits << 1 | u64::from(sum / count > threshold);
    }
    let label = Label { sender: (bits >> 48) as u16, frame: (bits >> 16) as u32 };
    (encode_label(label) == bits).then_some(label)
}

/// Peak signal-to-noise ratio in decibels between drawn and decoded luma, over the whole picture.
///
/// About 30 and more is the same picture; a different frame of the same sender stays below 20.
pub fn luma_psnr(drawn: &Picture, luma: &[u8], stride: usize) -> f64 {
    let mut squares = 0u64;
    for row in 0..HEIGHT {
        let sent = &drawn.y[row * WIDTH..(row + 1) * WIDTH];
        let Some(got) = luma.get(row * stride..row * stride + WIDTH) else { return 0.0 };
        squares += sent
            .iter()
            .zip(got)
            .map(|(&a, &b)| {
                let difference = u64::from(a.abs_diff(b));
                difference * difference
            })
            .sum::<u64>();
    }
    let mean = (squares as f64 / (WIDTH * HEIGHT) as f64).max(1e-3);
    10.0 * (255.0 * 255.0 / mean).log10()
}

fn encode_label(label: Label) -> u64 {
    let data = u64::from(label.sender) << 32 | u64::from(label.frame);
    data << 16 | u64::from(checksum(data))
}

/// 16 well-mixed bits, so that a torn or foreign picture passes once in 65,536 at most.
fn checksum(data: u64) -> u16 {
    let mut x = data ^ 0x9e37_79b9_7f4a_7c15;
    x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    (x >> 40) as u16
}

fn draw_code(y: &mut [u8], label: Label) {
    let bits = encode_label(label);
    for (row, line) in y.chunks_exact_mut(WIDTH).take(CODE_HEIGHT).enumerate() {
        for (column, block) in line.chunks_exact_mut(BLOCK_WIDTH).enumerate() {
            let index = (row / BLOCK_HEIGHT) * CODE_COLUMNS + column;
            let one = bits >> (CODE_COLUMNS * CODE_ROWS - 1 - index) & 1 == 1;
            block.fill(if one { WHITE } else { BLACK });
        }
    }
}

/// Squares that slide over a slope of grey: movement that a codec has to follow.
fn draw_pattern(y: &mut [u8], label: Label) {
    let shift = label.frame as usize * 4 + usize::from(label.sender) * 29;
    for (row, line) in y.chunks_exact_mut(WIDTH).enumerate().skip(CODE_HEIGHT) {
        for (column, pixel) in line.iter_mut().enumerate() {
            let square = ((column + shift) / 24 + (row + shift / 2) / 24) % 2;
            let slope = (column + 2 * row) * 90 / (WIDTH + 2 * HEIGHT);
            *pixel = (40 + slope + square * 80) as u8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_read_back() {
        for label in [
            Label { sender: 0, frame: 0 },
            Label { sender: 7, frame: 12_345 },
            Label { sender: 65_535, frame: u32::MAX },
        ] {
            assert_eq!(read_label(&Picture::draw(label).y, WIDTH), Some(label));
        }
    }

    #[test]
    fn a_torn_picture_and_no_picture_are_refused() {
        let mut torn = Picture::draw(Label { sender: 1, frame: 1 });
        let other = Picture::draw(Label { sender: 1, frame: 2 });
        torn.y[WIDTH * BLOCK_HEIGHT * 3..].copy_from_slice(&other.y[WIDTH * BLOCK_HEIGHT * 3..]);
        assert_eq!(read_label(&torn.y, WIDTH), None);
        assert_eq!(read_label(&vec![128; WIDTH * HEIGHT], WIDTH), None);
        assert_eq!(read_label(&[], WIDTH), None);
    }

    #[test]
    fn psnr_tells_the_right_frame_from_its_neighbours() {
        let sent = Picture::draw(Label { sender: 3, frame: 100 });
        let later = Picture::draw(Label { sender: 3, frame: 103 });
        let foreign = Picture::draw(Label { sender: 4, frame: 100 });
        assert!(luma_psnr(&sent, &sent.y, WIDTH) > 60.0);
        assert!(luma_psnr(&sent, &later.y, WIDTH) < 20.0);
        assert!(luma_psnr(&sent, &foreign.y, WIDTH) < 20.0);
    }
}
