//! What has turns on a worker: transcoders (players are those without an input), taps and rooms.

use kaname_core::Time;
use kaname_core::command::LinkId;
use kaname_media::Rate;
use kaname_media::codec::{Codec, Codecs};
use kaname_media::dtmf::{Detector, EventReceiver, KeyCover, KeyEvent};
use kaname_media::jitter::{Inserted, Packet, Playout, PlayoutConfig, Receives, Scratch, StreamFormat};
use kaname_media::mixer::ParticipantId;
use kaname_media::transcode::{TranscodeError, Transcoder, TranscoderConfig};

use super::figures::{AudioFigures, bump};
use super::hall::Hall;
use super::outlet::Outlets;
use super::record::{Point, Recorders};
use super::wheel::Turn;
use super::{AudioEvent, AudioId, Side, TapConfig};
use crate::mesh::MeshLinks;

/// How long a tap's turn is.
const TAP_MS: u32 = 20;

/// What an item may use of its worker in its turn.
pub(super) struct Around<'a, 'm> {
    /// When the turn begins, by the wheel: its pace is steady, whenever the worker comes to it.
    pub(super) now: Time,
    pub(super) links: &'a mut MeshLinks<'m>,
    pub(super) tell: &'a dyn Fn(AudioEvent),
    pub(super) figures: &'a AudioFigures,
    pub(super) recorders: &'a mut Recorders,
    pub(super) scratch: &'a mut Scratch,
}

/// Something that has turns.
pub(super) struct Item {
    pub(super) id: AudioId,
    pub(super) turn: Turn,
    /// It had a fault, and is about to be taken out.
    pub(super) failed: bool,
    pub(super) work: Work,
}

pub(super) enum Work {
    Pipe(Box<Pipe>),
    Tap(Box<Tap>),
    Room(Box<Hall>),
    /// Panics in its turn.
    #[cfg(test)]
    Bomb,
}

impl Item {
    /// Takes a packet; says what became of it.
    pub(super) fn receive(
        &mut self,
        member: Option<ParticipantId>,
        packet: &Packet<'_>,
        tell: &dyn Fn(AudioEvent),
    ) -> Inserted {
        let id = self.id;
        let mut key = |event| tell(AudioEvent::Key { id, event });
        match (&mut self.work, member) {
            (Work::Pipe(pipe), _) => pipe.transcoder.receive(packet, &mut key),
            (Work::Tap(tap), _) => tap.receive(packet, &mut key),
            (Work::Room(hall), Some(member)) => hall.receive(member, packet, tell),
            (Work::Room(_), None) => Inserted::UnknownType,
            #[cfg(test)]
            (Work::Bomb, _) => panic!("a bomb heard something"),
        }
    }

    pub(super) fn tick(&mut self, around: &mut Around<'_, '_>) {
        let (id, tell) = (self.id, around.tell);
        let mut key = |event| tell(AudioEvent::Key { id, event });
        match &mut self.work {
            Work::Pipe(pipe) => pipe.tick(id, around),
            Work::Tap(tap) => tap.tick(around, &mut key),
            Work::Room(hall) => hall.tick(id, around),
            #[cfg(test)]
            Work::Bomb => panic!("a bomb had its turn"),
        }
    }

    /// So many turns were left out.
    pub(super) fn skip(&mut self, turns: u32) {
        match &mut self.work {
            Work::Pipe(pipe) => pipe.transcoder.skip(turns),
            Work::Room(hall) => hall.room.skip(turns),
            _ => {}
        }
    }
}

/// A transcoder and its ways in and out.
pub(super) struct Pipe {
    pub(super) transcoder: Transcoder,
    pub(super) input: Option<LinkId>,
    pub(super) outlets: Outlets,
    /// Payload type of its audio, whose timestamps are now.
    pub(super) live: u8,
    pub(super) listens: bool,
    /// Recorders of either side.
    pub(super) points: Vec<(Side, Point)>,
}

impl Pipe {
    pub(super) fn new(
        config: TranscoderConfig,
        input: Option<LinkId>,
        outlets: Outlets,
        codecs: &Codecs,
    ) -> Result<Pipe, TranscodeError> {
        let live = config.sends.payload_type;
        let transcoder = Transcoder::new(config, codecs)?;
        let mut pipe = Pipe { transcoder, input, outlets, live, listens: true, points: Vec::new() };
        pipe.settle();
        Ok(pipe)
    }

    pub(super) fn change(&mut self, config: TranscoderConfig) -> Result<(), TranscodeError> {
        let live = config.sends.payload_type;
        self.transcoder.change(config)?;
        self.live = live;
        self.outlets.tell_clocks();
        Ok(())
    }

    /// Nothing is encoded that nobody hears, and nothing kept that nobody records.
    pub(super) fn settle(&mut self) {
        self.transcoder.set_sends(self.listens && self.outlets.is_wanted());
        self.transcoder.set_taps(!self.points.is_empty());
    }

    fn tick(&mut self, id: AudioId, around: &mut Around<'_, '_>) {
        let Pipe { transcoder, outlets, points, .. } = self;
        let (now_ns, tell) = (around.now.as_nanos(), around.tell);
        let silences = transcoder.counters().silences;
        let packet =
            transcoder.tick(now_ns, around.scratch, &mut |event| tell(AudioEvent::Key { id, event }));
        if let Some(packet) = packet {
            let live = packet.payload_type == self.live;
            outlets.send(&packet, live, around);
        }
        bump(&around.figures.silences, transcoder.counters().silences - silences);
        for &token in transcoder.prompts_over() {
            tell(AudioEvent::PlayEnded { id, token, stopped: false });
        }
        let rate = transcoder.rate();
        for (side, point) in points {
            let frame = if *side == Side::In { transcoder.heard() } else { transcoder.said() };
            around.recorders.sound(*point, rate, frame, around.now, around.figures);
        }
    }

    /// About how long its turn takes, and its packet's way through the shard, in microseconds.
    pub(super) fn weight(config: &TranscoderConfig) -> u64 {
        let decodes = config.receives.iter().map(|format| match format.receives {
            Receives::Audio(codec) => cost(codec) / 4,
            _ => 0,
        });
        PASSAGE + cost(config.sends.codec) + decodes.max().unwrap_or(0)
    }
}

/// What a packet takes in all that is no codec's: mostly in the kernel, to be received and sent.
const PASSAGE: u64 = 8;

/// About how long a codec encodes a frame: microseconds on the machine that it was written on.
fn cost(codec: Codec) -> u64 {
    match codec {
        Codec::Opus(_) => 60,
        Codec::G729 { .. } | Codec::Amr(_) | Codec::AmrWb(_) => 40,
        Codec::G722 => 12,
        Codec::Pcma | Codec::Pcmu | Codec::L16(_) => 1,
    }
}

/// Listens to a stream and makes none.
pub(super) struct Tap {
    playout: Playout,
    events: EventReceiver,
    has_events: bool,
    detector: Option<Detector>,
    /// Takes keys out of what is recorded.
    cover: Option<KeyCover>,
    frame: Vec<i16>,
    pub(super) input: Option<LinkId>,
    pub(super) points: Vec<(Side, Point)>,
}

impl Tap {
    pub(super) const TURN_MS: u32 = TAP_MS;

    pub(super) fn new(config: TapConfig, input: LinkId, codecs: &Codecs) -> Result<Tap, TranscodeError> {
        let rate = rate_of(&config.receives).ok_or(TranscodeError::NoAudio)?;
        let TapConfig { receives, detect_tones, delay_ms_min } = config;
        let playout = PlayoutConfig { formats: receives, rate, delay_ms_min };
        let playout = Playout::new(&playout, codecs)?;
        Ok(Tap {
            events: EventReceiver::new(playout.clock_hz()),
            has_events: false,
            detector: detect_tones.then(|| Detector::new(rate)),
            cover: None,
            frame: vec![0; rate.samples(TAP_MS)],
            input: Some(input),
            points: Vec::new(),
            playout,
        })
    }

    pub(super) fn set_detect_tones(&mut self, on: bool) {
        let rate = self.playout.rate();
        self.detector = on.then(|| self.detector.take().unwrap_or_else(|| Detector::new(rate)));
    }

    pub(super) fn set_covered(&mut self, on: bool) {
        let rate = self.playout.rate();
        self.cover = on.then(|| self.cover.take().unwrap_or_else(|| KeyCover::new(rate)));
    }

    pub(super) fn playout(&self) -> &Playout {
        &self.playout
    }

    fn receive(&mut self, packet: &Packet<'_>, key: &mut dyn FnMut(KeyEvent)) -> Inserted {
        let Tap { playout, events, has_events, .. } = self;
        playout.receive(packet, &mut |packet| {
            *has_events = true;
            events.packet(packet.timestamp, packet.payload, packet.arrival_ns, key);
        })
    }

    fn tick(&mut self, around: &mut Around<'_, '_>, key: &mut dyn FnMut(KeyEvent)) {
        let now_ns = around.now.as_nanos();
        self.events.tick(now_ns, key);
        if self.detector.is_none() && self.points.is_empty() {
            return self.playout.skip(now_ns, self.frame.len());
        }
        self.playout.pull(now_ns, &mut self.frame, around.scratch);
        // A sender of events may send the tones too: each key is meant once.
        if let Some(detector) = self.detector.as_mut().filter(|_| !self.has_events) {
            detector.listen(&self.frame, key);
        }
        if let Some(cover) = &mut self.cover {
            // Keys are the detector's to tell, where somebody wants to know.
            cover.hide(&mut self.frame, &mut |_| {});
        }
        for (_, point) in &self.points {
            around.recorders.sound(*point, self.playout.rate(), &self.frame, around.now, around.figures);
        }
    }
}

/// The rate at which a stream keeps all that it can carry.
fn rate_of(receives: &[StreamFormat]) -> Option<Rate> {
    let rates = receives.iter().filter_map(|format| match format.receives {
        Receives::Audio(codec) => Some(codec.rate_max()),
        _ => None,
    });
    rates.max()
}
