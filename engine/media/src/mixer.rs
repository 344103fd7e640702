//! Conferences: everyone hears the loudest voices but their own, and one encoding serves all who hear the same.
//!
//! [`Room::tick`] is the way of a tick: levels are looked at (from RFC 6464 where packets have it, so that most are never
//! decoded), the loudest are decoded and summed, and each distinct mix is encoded once for each codec. Listeners that do
//! not speak share a mix; a speaker has one without its own voice, made by taking it away from the sum.

mod controls;
mod line;
mod participant;
mod room;
mod speakers;
#[cfg(test)]
mod tests;
mod tick;

pub use room::Room;

use thiserror::Error;

use crate::Rate;
use crate::codec::CodecError;
use crate::dtmf::{KeyEvent, KeysFull};
use crate::jitter::StreamFormat;
use crate::outgoing::{SendFormat, Start};
use crate::prompt::PromptsFull;
use crate::transcode::SendKeys;

/// How a room mixes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RoomConfig {
    /// The rate at which voices are summed. 48 kHz when browsers are in the room, 8 kHz among telephones.
    pub rate: Rate,
    /// Milliseconds between two ticks: 10 or 20.
    pub tick_ms: u32,
    /// Voices heard at once, 1 to [`crate::limits::SPEAKERS_MAX`].
    pub speakers_max: usize,
    /// Plays tones when somebody joins or leaves.
    pub tones: bool,
    /// Keeps the mix of each tick for [`Room::mix`], even when nobody listens.
    pub record: bool,
}

impl Default for RoomConfig {
    fn default() -> Self {
        RoomConfig { rate: Rate::K48, tick_ms: 20, speakers_max: 3, tones: false, record: false }
    }
}

/// Somebody in a room.
#[derive(Clone, Debug)]
pub struct ParticipantConfig {
    /// Payload types that come from it.
    pub receives: Vec<StreamFormat>,
    /// What it is sent; nothing for one who only speaks.
    pub sends: Option<SendFormat>,
    /// Where the numbers of what it is sent begin.
    pub start: Start,
    /// Brings it to the level of the others.
    pub auto_level: bool,
    /// Whether keys are looked for as tones in its audio.
    pub detect_tones: bool,
    /// How keys leave towards it.
    pub keys: SendKeys,
    /// Delay of a network without jitter, in milliseconds.
    pub delay_ms_min: u32,
}

/// A participant of a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ParticipantId {
    index: u32,
    generation: u32,
}

impl ParticipantId {
    /// Its place: one of the smallest numbers that nobody else in the room has now.
    pub fn index(self) -> usize {
        self.index as usize
    }
}

/// Who hears a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Audience {
    /// All in the conversation.
    Room,
    /// One participant, with the conversation.
    One(ParticipantId),
}

/// What happened in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoomEvent {
    /// A participant pressed a key or let one go.
    Key(ParticipantId, KeyEvent),
    /// A participant is among those that are heard.
    Speaks(ParticipantId),
    /// It no longer is.
    Silent(ParticipantId),
    /// A prompt came to its end; its token.
    PromptOver(Audience, u64),
}

/// Why a room refuses. The caller is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RoomError {
    /// Nobody has this name any more.
    #[error("the participant has left the room")]
    Gone,
    /// [`crate::limits::PARTICIPANTS_MAX`].
    #[error("the room is full")]
    Full,
    /// A codec that is not there.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The room's ticks do not make packets of this length.
    #[error("packets of {0} ms do not fit the room's tick; choose 20")]
    Ptime(u32),
    /// Too many prompts.
    #[error(transparent)]
    Prompts(#[from] PromptsFull),
    /// Too many keys.
    #[error(transparent)]
    Keys(#[from] KeysFull),
    /// Nothing is sent to the participant.
    #[error("the participant is sent nothing, so it hears no prompts and no keys")]
    Mute,
    /// A tick of neither 10 nor 20 ms, or a number of speakers out of range.
    #[error("a room ticks each 10 or 20 ms, and has 1 to 8 speakers")]
    Config,
}

/// What a room did so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RoomCounters {
    /// Ticks.
    pub ticks: u64,
    /// Frames that were decoded.
    pub decodes: u64,
    /// Frames that were encoded.
    pub encodes: u64,
    /// Packets made of them.
    pub packets: u64,
    /// Frames that an encoder refused.
    pub failed: u64,
}
