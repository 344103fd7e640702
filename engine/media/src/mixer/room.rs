//! A room: who is in it, and what they may do.

use super::line::{Group, LineFormat};
use super::participant::{Hears, Participant, Sends};
use super::speakers::Talk;
use super::{ParticipantConfig, ParticipantId, RoomConfig, RoomCounters, RoomError, RoomEvent};
use crate::Rate;
use crate::codec::Codecs;
use crate::dtmf::{Detector, EventReceiver, EventSender};
use crate::jitter::{Inserted, Packet, Playout, PlayoutConfig, PlayoutCounters, Scratch};
use crate::level::{AutoLevel, Gain, Limiter};
use crate::limits::{PARTICIPANTS_MAX, SPEAKERS_MAX};
use crate::outgoing::{Outgoing, SendFormat};
use crate::prompt::{Player, Playing, Prompt, Prompts};

/// A conference.
pub struct Room {
    pub(super) config: RoomConfig,
    pub(super) codecs: Codecs,
    pub(super) participants: Vec<Option<Participant>>,
    pub(super) generations: Vec<u32>,
    pub(super) groups: Vec<Group>,
    /// The sum of all that is heard, one tick of it; and that of the hold music.
    pub(super) sum: Box<[i32]>,
    pub(super) music_sum: Box<[i32]>,
    /// A sum for one listener, and a frame made of it.
    pub(super) rest: Box<[i32]>,
    pub(super) frame: Box<[i16]>,
    /// The mix of all, limited.
    pub(super) mix: Box<[i16]>,
    pub(super) limiter: Limiter,
    pub(super) music_limiter: Limiter,
    pub(super) prompts: Prompts,
    pub(super) music: Option<Player>,
    tones: Option<[Prompt; 2]>,
    pub(super) scratch: Scratch,
    pub(super) tick: u64,
    pub(super) counters: RoomCounters,
}

impl Room {
    /// An empty room.
    ///
    /// # Errors
    /// [`RoomError::Config`].
    pub fn new(config: RoomConfig, codecs: &Codecs) -> Result<Self, RoomError> {
        if !matches!(config.tick_ms, 10 | 20) || !(1..=SPEAKERS_MAX).contains(&config.speakers_max) {
            return Err(RoomError::Config);
        }
        let samples = config.rate.samples(config.tick_ms);
        let tones = config.tones.then(|| [Prompt::join_tone(config.rate), Prompt::leave_tone(config.rate)]);
        Ok(Room {
            config,
            codecs: codecs.clone(),
            participants: Vec::new(),
            generations: Vec::new(),
            groups: Vec::new(),
            sum: vec![0; samples].into(),
            music_sum: vec![0; samples].into(),
            rest: vec![0; samples].into(),
            frame: vec![0; samples].into(),
            mix: vec![0; samples].into(),
            limiter: Limiter::default(),
            music_limiter: Limiter::default(),
            prompts: Prompts::new(),
            music: None,
            tones,
            scratch: Scratch::default(),
            tick: 0,
            counters: RoomCounters::default(),
        })
    }

    /// The token of the room's own tones, in [`RoomEvent::PromptOver`].
    pub const TONE: u64 = u64::MAX;

    /// The rate at which voices are summed.
    pub fn rate(&self) -> Rate {
        self.config.rate
    }

    /// Milliseconds between two ticks.
    pub fn tick_ms(&self) -> u32 {
        self.config.tick_ms
    }

    /// What the room did so far.
    pub fn counters(&self) -> RoomCounters {
        self.counters
    }

    /// How many are in the room.
    pub fn len(&self) -> usize {
        self.participants.iter().flatten().count()
    }

    /// Whether nobody is in the room.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Lets somebody in.
    ///
    /// # Errors
    /// [`RoomError::Full`], [`RoomError::Ptime`], [`RoomError::Codec`].
    pub fn join(&mut self, config: &ParticipantConfig) -> Result<ParticipantId, RoomError> {
        if self.len() >= PARTICIPANTS_MAX {
            return Err(RoomError::Full);
        }
        let rate = self.config.rate;
        let playout =
            PlayoutConfig { formats: config.receives.clone(), rate, delay_ms_min: config.delay_ms_min };
        let playout = Playout::new(&playout, &self.codecs)?;
        let sends = match config.sends {
            Some(format) => Some(self.sends(format, config)?),
            None => None,
        };
        let participant = Participant {
            receives: config.receives.clone(),
            talk: Talk::default(),
            heard: false,
            in_sum: false,
            frame: vec![0; rate.samples(self.config.tick_ms)].into(),
            decoded: false,
            gain: Gain::default(),
            auto_level: config.auto_level.then(AutoLevel::default),
            muted: false,
            held: false,
            listens: true,
            events: EventReceiver::new(playout.clock_hz()),
            detector: config.detect_tones.then(|| Detector::new(rate)),
            prompts: Prompts::new(),
            sends,
            playout,
        };
        if let Some(sends) = &participant.sends {
            self.groups[sends.group].shared.refresh();
        }
        let index = self.participants.iter().position(Option::is_none).unwrap_or_else(|| {
            self.participants.push(None);
            self.generations.push(0);
            self.participants.len() - 1
        });
        self.participants[index] = Some(participant);
        self.sound_tone(0);
        Ok(id_of(&self.generations, index))
    }

    fn sends(&mut self, format: SendFormat, config: &ParticipantConfig) -> Result<Sends, RoomError> {
        let (tick_ms, ptime_ms) = (self.config.tick_ms, format.ptime_ms);
        let fits = ptime_ms % tick_ms == 0 || tick_ms % ptime_ms.max(1) == 0;
        if !fits || !format.codec.takes_ptime(ptime_ms) {
            return Err(RoomError::Ptime(ptime_ms));
        }
        let line = LineFormat { codec: format.codec, ptime_ms };
        let group = match self.groups.iter().position(|group| group.format == line) {
            Some(group) => group,
            None => {
                let own = self.config.speakers_max + 1;
                self.groups.push(Group::new(line, self.config.rate, tick_ms, own, &self.codecs)?);
                self.groups.len() - 1
            }
        };
        Ok(Sends {
            group,
            payload_type: format.payload_type,
            ticks: format.codec.clock_hz() / 1000 * ptime_ms,
            ptime_ms,
            room_ticks: u64::from((ptime_ms / tick_ms).max(1)),
            outgoing: Outgoing::new(config.start),
            hears: Hears::Shared,
            limiter: Limiter::default(),
            keys: config.keys,
            events: EventSender::new(format.codec.clock_hz()),
        })
    }

    /// Lets somebody go.
    ///
    /// # Errors
    /// [`RoomError::Gone`].
    pub fn leave(&mut self, id: ParticipantId) -> Result<(), RoomError> {
        self.find(id)?;
        let index = id.index as usize;
        if let Some(sends) = self.participants[index].take().and_then(|gone| gone.sends) {
            self.free(&sends);
        }
        self.generations[index] = self.generations[index].wrapping_add(1);
        self.sound_tone(1);
        Ok(())
    }

    /// Gives back what a participant was served with.
    fn free(&mut self, sends: &Sends) {
        if let Hears::Own(line) = sends.hears {
            self.groups[sends.group].give_back(line);
        }
    }

    /// A participant goes on with another configuration, after a new offer and answer. What it is sent keeps its numbers
    /// (`start` is not looked at), and its settings stay.
    ///
    /// # Errors
    /// As [`Room::join`], and [`RoomError::Gone`]; then everything stays as it was.
    pub fn change(&mut self, id: ParticipantId, config: &ParticipantConfig) -> Result<(), RoomError> {
        let rate = self.config.rate;
        let listens_anew = self.find(id)?.receives != config.receives;
        let playout =
            PlayoutConfig { formats: config.receives.clone(), rate, delay_ms_min: config.delay_ms_min };
        let playout = listens_anew.then(|| Playout::new(&playout, &self.codecs)).transpose()?;
        let sends = config.sends.map(|format| self.sends(format, config)).transpose()?;
        let participant = self.find(id)?;
        if let Some(playout) = playout {
            participant.events = EventReceiver::new(playout.clock_hz());
            participant.playout = playout;
            participant.receives.clone_from(&config.receives);
        }
        participant.set_auto_level(config.auto_level);
        participant.set_detect_tones(config.detect_tones, rate);
        let old = std::mem::replace(&mut participant.sends, sends);
        if let (Some(old), Some(new)) = (&old, &mut participant.sends) {
            new.outgoing = Outgoing::new(old.outgoing.next());
        }
        if let Some(old) = old {
            self.free(&old);
        }
        Ok(())
    }

    fn sound_tone(&mut self, which: usize) {
        if let Some(tones) = &self.tones
            && !self.is_empty()
        {
            let playing = Playing { token: Room::TONE, times: Some(1), gain: 1.0, alone: false };
            // Among so many prompts nobody would hear it.
            let _ = self.prompts.play(self.config.rate, &tones[which], playing);
        }
    }

    pub(super) fn find(&mut self, id: ParticipantId) -> Result<&mut Participant, RoomError> {
        let index = id.index as usize;
        if self.generations.get(index) != Some(&id.generation) {
            return Err(RoomError::Gone);
        }
        self.participants[index].as_mut().ok_or(RoomError::Gone)
    }

    /// Takes a packet from a participant; tells `events` of keys in it.
    ///
    /// # Errors
    /// [`RoomError::Gone`].
    pub fn receive(
        &mut self,
        id: ParticipantId,
        packet: &Packet<'_>,
        events: &mut dyn FnMut(RoomEvent),
    ) -> Result<Inserted, RoomError> {
        let participant = self.find(id)?;
        let Participant { playout, events: receiver, .. } = participant;
        Ok(playout.receive(packet, &mut |packet| {
            receiver.packet(packet.timestamp, packet.payload, packet.arrival_ns, &mut |key| {
                events(RoomEvent::Key(id, key));
            });
        }))
    }

    /// What a participant's stream went through.
    ///
    /// # Errors
    /// [`RoomError::Gone`].
    pub fn playout_counters(&mut self, id: ParticipantId) -> Result<PlayoutCounters, RoomError> {
        Ok(self.find(id)?.playout.counters())
    }

    /// The mix of the last tick, at the room's rate: for recorders. Kept if [`RoomConfig::record`] is set.
    pub fn mix(&self) -> &[i16] {
        &self.mix
    }

    /// The voices of the last tick, as they stand in the mix: for recorders of each speaker.
    pub fn voices(&self) -> impl Iterator<Item = (ParticipantId, &[i16])> {
        self.participants.iter().enumerate().filter_map(|(index, participant)| {
            let participant = participant.as_ref().filter(|participant| participant.in_sum)?;
            Some((id_of(&self.generations, index), &*participant.frame))
        })
    }
}

pub(super) fn id_of(generations: &[u32], index: usize) -> ParticipantId {
    ParticipantId { index: index as u32, generation: generations[index] }
}
