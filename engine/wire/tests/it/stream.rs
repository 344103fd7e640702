//! Framing over a byte stream, however it is cut.

use kaname_wire::rfc4571::{Decoder, frame_length};
use proptest::collection::vec;
use proptest::prelude::*;

proptest! {
    #[test]
    fn frames_come_out_however_the_stream_is_cut(
        frames in vec(vec(any::<u8>(), 0..60), 0..20),
        cuts in vec(1..40usize, 1..100),
    ) {
        let mut stream = Vec::new();
        for frame in &frames {
            stream.extend(frame_length(frame.len()).unwrap());
            stream.extend(frame);
        }
        let mut decoder = Decoder::new([0u8; 60]);
        let (mut read, mut rest, mut cuts) = (Vec::new(), &stream[..], cuts.iter().cycle());
        while !rest.is_empty() {
            let (mut piece, behind) = rest.split_at(rest.len().min(*cuts.next().unwrap()));
            loop {
                let step = decoder.step(piece).unwrap();
                piece = &piece[step.consumed..];
                match step.frame {
                    Some(frame) => read.push(frame.to_vec()),
                    None => break,
                }
            }
            prop_assert!(piece.is_empty());
            rest = behind;
        }
        prop_assert!(read.iter().eq(frames.iter().filter(|frame| !frame.is_empty())));
    }

    #[test]
    fn any_stream_ends_in_frames_or_an_error(stream in vec(any::<u8>(), 0..400)) {
        let mut decoder = Decoder::new([0u8; 512]);
        let mut rest = &stream[..];
        while let Ok(step) = decoder.step(rest) {
            rest = &rest[step.consumed..];
            match step.frame {
                Some(frame) => prop_assert!((1..=512).contains(&frame.len())),
                None => break,
            }
        }
    }
}
