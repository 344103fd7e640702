//! How a picture was held when it was taken (3GPP TS 26.114 section 7.4.5).

/// The orientation of the pictures from this packet on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct VideoOrientation {
    /// The camera on the back of the device.
    pub back_camera: bool,
    /// Mirrored left to right.
    pub flipped: bool,
    /// Quarter turns clockwise that the receiver must make, 0 to 3.
    pub quarter_turns: u8,
}

impl VideoOrientation {
    /// `None` unless the element is one byte. The four reserved bits are ignored.
    #[inline]
    pub fn read(data: &[u8]) -> Option<Self> {
        match data {
            [byte] => Some(VideoOrientation {
                back_camera: byte & 8 != 0,
                flipped: byte & 4 != 0,
                quarter_turns: byte & 3,
            }),
            _ => None,
        }
    }

    /// What is written into an element.
    #[inline]
    pub fn write(self) -> [u8; 1] {
        [u8::from(self.back_camera) << 3 | u8::from(self.flipped) << 2 | self.quarter_turns & 3]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_orientations() {
        for byte in 0..16u8 {
            assert_eq!(VideoOrientation::read(&[byte | 0xf0]).map(VideoOrientation::write), Some([byte]));
        }
        assert_eq!(VideoOrientation::read(&[0, 0]), None);
    }
}
