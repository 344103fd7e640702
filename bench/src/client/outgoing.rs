//! What a client sends: real sound and pictures, packet by packet.

use std::sync::Arc;
use std::time::{Duration, Instant};

use str0m::format::Codec;
use str0m::media::{Mid, Pt};
use str0m::rtp::{ExtensionValues, RtpWrite};

use super::ClientError;
use super::session::Session;
use super::state::Kind;
use crate::media::h264::PictureSource;
use crate::media::packets::packetize;
use crate::media::picture::FRAMES_PER_SECOND;
use crate::media::sound::{PACKET_SAMPLES, SAMPLE_RATE, SoundSource};
use crate::stamp::{Content, Ledger};

/// RTP clock of video (RFC 6184 section 8.2.1).
const VIDEO_CLOCK: u32 = 90_000;
/// First sequence number. Not 0, and near enough to the wrap that a longer call goes over it.
const FIRST_SEQUENCE: u64 = 64_000;
/// Loudness told in the audio level extension (RFC 6464), in dBov.
const LEVEL_DBOV: i8 = -20;

/// A running source on an m-line.
pub struct Outgoing {
    /// The m-line.
    pub mid: Mid,
    /// The node's name for it.
    pub track: String,
    /// Sound or picture.
    pub kind: Kind,
    source: Source,
    payload_type: Option<Pt>,
    sequence: u64,
    timestamp: u32,
    due: Instant,
    paused: bool,
    key_frame_wanted: bool,
}

enum Source {
    Sound(Box<SoundSource>),
    Picture(Box<PictureSource>),
}

impl Outgoing {
    /// A source for an m-line; `sender` is what makes it recognisable.
    pub fn new(mid: Mid, track: String, kind: Kind, sender: u16) -> Result<Outgoing, ClientError> {
        let source = match kind {
            Kind::Audio => Source::Sound(Box::new(SoundSource::new(sender)?)),
            Kind::Video => Source::Picture(Box::new(PictureSource::new(sender)?)),
        };
        Ok(Outgoing {
            mid,
            track,
            kind,
            source,
            payload_type: None,
            sequence: FIRST_SEQUENCE,
            timestamp: 0x1234_0000,
            due: Instant::now(),
            paused: false,
            key_frame_wanted: false,
        })
    }

    /// When the next sound or picture is to be made.
    pub fn due(&self) -> Instant {
        self.due
    }

    /// Somebody needs a key frame.
    pub fn want_key_frame(&mut self) {
        self.key_frame_wanted = true;
    }

    /// Stops sending, or goes on; a picture goes on with a key frame.
    pub fn pause(&mut self, paused: bool) {
        self.paused = paused;
        self.key_frame_wanted |= !paused;
    }

    /// Makes and sends what is due now.
    pub fn send_due(
        &mut self,
        session: &mut Session,
        ledger: &Arc<Ledger>,
        now: Instant,
    ) -> Result<(), ClientError> {
        while self.due <= now {
            let (every, clock_step) = match self.kind {
                Kind::Audio => (PACKET_SAMPLES as f64 / f64::from(SAMPLE_RATE), PACKET_SAMPLES as u32),
                Kind::Video => (1.0 / f64::from(FRAMES_PER_SECOND), VIDEO_CLOCK / FRAMES_PER_SECOND),
            };
            self.due += Duration::from_secs_f64(every);
            // A host that fell behind by more than a frame skips rather than bursts.
            if self.due + Duration::from_millis(200) < now {
                self.due = now;
            }
            self.timestamp = self.timestamp.wrapping_add(clock_step);
            if !self.paused {
                let payloads = self.make()?;
                self.send(session, ledger, now, &payloads)?;
            }
        }
        Ok(())
    }

    fn make(&mut self) -> Result<Vec<Vec<u8>>, ClientError> {
        Ok(match &mut self.source {
            Source::Sound(source) => vec![source.next_packet()?],
            Source::Picture(source) => {
                let key_frame = std::mem::take(&mut self.key_frame_wanted);
                packetize(&source.next_frame(key_frame)?.1)
            }
        })
    }

    fn send(
        &mut self,
        session: &mut Session,
        ledger: &Arc<Ledger>,
        now: Instant,
        payloads: &[Vec<u8>],
    ) -> Result<(), ClientError> {
        let Some(payload_type) = self.payload_type(session) else { return Ok(()) };
        for (index, payload) in payloads.iter().enumerate() {
            let last = index + 1 == payloads.len();
            let mut extensions = ExtensionValues::default();
            if self.kind == Kind::Audio {
                extensions.audio_level = Some(LEVEL_DBOV);
                extensions.voice_activity = Some(true);
            }
            let packet =
                RtpWrite::new(payload_type, self.sequence.into(), self.timestamp, now, payload.as_slice())
                    .marker(self.kind == Kind::Video && last)
                    .ext_vals(extensions)
                    .nackable(self.kind == Kind::Video);
            let mut direct = session.rtc.direct_api();
            let Some(stream) = direct.stream_tx_by_mid(self.mid, None) else { return Ok(()) };
            stream.write_rtp(packet);
            self.sequence += 1;
            session.stamp_next(ledger, &self.track, Content::of(payload));
            session.pump()?;
            session.tick()?;
        }
        Ok(())
    }

    /// The payload type that the answer left for this codec.
    fn payload_type(&mut self, session: &Session) -> Option<Pt> {
        if self.payload_type.is_none() {
            let codec = if self.kind == Kind::Audio { Codec::Opus } else { Codec::H264 };
            let allowed = session.rtc.media(self.mid)?.remote_pts();
            let mut params = session.rtc.codec_config().params().iter();
            self.payload_type =
                params.find(|p| p.spec().codec == codec && allowed.contains(&p.pt())).map(|p| p.pt());
        }
        self.payload_type
    }
}
