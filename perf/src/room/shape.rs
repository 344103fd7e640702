//! What one cell of the fan-out table sends.

use std::time::Duration;

/// How the sizes of a frame's packets spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sizes {
    /// All alike.
    Even,
    /// As libwebrtc splits a frame: first packets of one size, then packets one byte longer.
    LibWebRtc,
}

impl Sizes {
    /// The name in rows.
    pub fn name(self) -> &'static str {
        match self {
            Sizes::Even => "even",
            Sizes::LibWebRtc => "libwebrtc",
        }
    }
}

/// One packet or frame in, copies to so many destinations out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shape {
    /// Bytes of the (longest) RTP packet, header and all, before protection.
    pub payload: usize,
    /// Packets that arrive together.
    pub frame: usize,
    /// Their sizes.
    pub sizes: Sizes,
    /// Subscribers.
    pub destinations: usize,
}

/// Longest packet that counts as voice.
const VOICE_MAX: usize = 400;

impl Shape {
    /// Packets of one size.
    pub fn even(payload: usize, frame: usize, destinations: usize) -> Shape {
        Shape { payload, frame, sizes: Sizes::Even, destinations }
    }

    /// Voice is forwarded at once; video has key frames, a repair cache and NACK.
    pub fn is_voice(&self) -> bool {
        self.payload <= VOICE_MAX
    }

    /// Bytes of the packet at this place of the frame.
    pub fn len(&self, place: usize) -> usize {
        match self.sizes {
            Sizes::Even => self.payload,
            Sizes::LibWebRtc => self.payload - usize::from(place < self.frame / 2),
        }
    }

    /// The packets of a frame in runs of one size: how many, and how long.
    pub fn runs(&self) -> Vec<(usize, usize)> {
        let mut runs: Vec<(usize, usize)> = Vec::new();
        for place in 0..self.frame {
            match runs.last_mut() {
                Some((count, len)) if *len == self.len(place) => *count += 1,
                _ => runs.push((1, self.len(place))),
            }
        }
        runs
    }

    /// Packets that leave for one frame.
    pub fn copies(&self) -> usize {
        self.frame * self.destinations
    }

    /// Media time between frames: Opus frames, and thirty pictures a second.
    pub fn interval(&self) -> Duration {
        if self.is_voice() { Duration::from_millis(20) } else { Duration::from_micros(33_333) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libwebrtc_puts_the_longer_packets_last() {
        let shape = Shape { sizes: Sizes::LibWebRtc, ..Shape::even(1200, 7, 1) };
        assert_eq!(shape.runs(), [(3, 1199), (4, 1200)]);
        assert_eq!(Shape::even(1200, 7, 1).runs(), [(7, 1200)]);
    }
}
