//! H.264 around the test picture: an encoder that makes key frames on demand, and a decoder that checks what it sees.

use openh264::OpenH264API;
use openh264::decoder::{DecodeOptions, Decoder, DecoderConfig, Flush};
use openh264::encoder::{
    Complexity, Encoder, EncoderConfig, FrameRate, IntraFramePeriod, Profile, RateControlMode,
};
use openh264::formats::{YUVSlices, YUVSource};

use super::picture::{self, FRAMES_PER_SECOND, HEIGHT, Label, Picture, WIDTH};

/// Every n-th picture is compared pixel by pixel; all of them are compared by their code.
const COMPARE_EVERY: u64 = 15;
/// Below this many decibels it is another picture. The encoder reaches 30 and more.
const PSNR_MIN: f64 = 24.0;

/// Draws and encodes the pictures of one sender.
pub struct PictureSource {
    encoder: Encoder,
    sender: u16,
    frame: u32,
}

impl PictureSource {
    /// The pictures of a sender, from frame 0.
    pub fn new(sender: u16) -> Result<PictureSource, openh264::Error> {
        let config = EncoderConfig::new()
            .max_frame_rate(FrameRate::from_hz(FRAMES_PER_SECOND as f32))
            // A constant quality: each picture must be readable, and the network of a harness is not short of bits.
            .rate_control_mode(RateControlMode::Off)
            .skip_frames(false)
            .profile(Profile::Baseline)
            .complexity(Complexity::Low)
            .intra_frame_period(IntraFramePeriod::from_num_frames(0))
            .scene_change_detect(false)
            .num_threads(1);
        let encoder = Encoder::with_api_config(OpenH264API::from_source(), config)?;
        Ok(PictureSource { encoder, sender, frame: 0 })
    }

    /// The next picture as an Annex B byte stream (ITU-T H.264), and its frame number.
    pub fn next_frame(&mut self, key_frame: bool) -> Result<(u32, Vec<u8>), openh264::Error> {
        if key_frame {
            self.encoder.force_intra_frame();
        }
        let frame = self.frame;
        self.frame += 1;
        let picture = Picture::draw(Label { sender: self.sender, frame });
        let yuv = YUVSlices::new(
            (&picture.y, &picture.u, &picture.v),
            (WIDTH, HEIGHT),
            (WIDTH, WIDTH / 2, WIDTH / 2),
        );
        Ok((frame, self.encoder.encode(&yuv)?.to_vec()))
    }
}

/// What a decoded frame turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// The picture of this frame number.
    Frame(u32),
    /// Nothing to see yet: no key frame has come.
    Nothing,
    /// Not a picture of this sender, or older than one seen before, or too different from what was sent.
    Wrong,
}

/// Decodes the pictures of one sender and checks each.
pub struct PictureCheck {
    decoder: Decoder,
    sender: u16,
    last: Option<u32>,
    seen: u64,
    started: bool,
}

impl PictureCheck {
    /// Expects the pictures of a sender.
    pub fn new(sender: u16) -> Result<PictureCheck, openh264::Error> {
        let config = DecoderConfig::new().flush_after_decode(Flush::NoFlush);
        let decoder = Decoder::with_api_config(OpenH264API::from_source(), config)?;
        Ok(PictureCheck { decoder, sender, last: None, seen: 0, started: false })
    }

    /// Decodes one access unit in Annex B form.
    pub fn see(&mut self, access_unit: &[u8]) -> Seen {
        if !self.started {
            if !has_parameter_sets(access_unit) {
                return Seen::Nothing;
            }
            self.started = true;
        }
        let options = DecodeOptions::new().flush_after_decode(Flush::NoFlush);
        let Ok(Some(decoded)) = self.decoder.decode_with_options(access_unit, options) else {
            return Seen::Wrong;
        };
        let (luma, stride) = (decoded.y(), decoded.strides().0);
        let Some(label) = picture::read_label(luma, stride) else { return Seen::Wrong };
        let newer = self.last.is_none_or(|last| label.frame > last);
        if label.sender != self.sender || !newer {
            return Seen::Wrong;
        }
        self.last = Some(label.frame);
        self.seen += 1;
        if self.seen % COMPARE_EVERY == 1
            && picture::luma_psnr(&Picture::draw(label), luma, stride) < PSNR_MIN
        {
            return Seen::Wrong;
        }
        Seen::Frame(label.frame)
    }
}

/// Whether a sequence parameter set (NAL type 7) opens the access unit: a decoder can begin here.
fn has_parameter_sets(access_unit: &[u8]) -> bool {
    super::packets::nal_units(access_unit).any(|nal| nal.first().is_some_and(|b| b & 0x1f == 7))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_recognised() {
        let mut source = PictureSource::new(5).unwrap();
        let mut check = PictureCheck::new(5).unwrap();
        for _ in 0..20 {
            let (frame, bytes) = source.next_frame(false).unwrap();
            assert_eq!(check.see(&bytes), Seen::Frame(frame));
        }
    }

    #[test]
    fn a_foreign_sender_is_wrong() {
        let mut source = PictureSource::new(5).unwrap();
        let mut check = PictureCheck::new(6).unwrap();
        let (_, bytes) = source.next_frame(false).unwrap();
        assert_eq!(check.see(&bytes), Seen::Wrong);
    }

    #[test]
    fn decoding_begins_at_a_key_frame_and_a_gap_is_noticed() {
        let mut source = PictureSource::new(1).unwrap();
        let mut check = PictureCheck::new(1).unwrap();
        source.next_frame(false).unwrap();
        let (_, late) = source.next_frame(false).unwrap();
        assert_eq!(check.see(&late), Seen::Nothing);
        let (frame, key) = source.next_frame(true).unwrap();
        assert_eq!(check.see(&key), Seen::Frame(frame));
        // A receiver that misses a frame must not call the rest good.
        source.next_frame(false).unwrap();
        let (_, orphan) = source.next_frame(false).unwrap();
        assert_ne!(check.see(&orphan), Seen::Nothing);
    }
}
