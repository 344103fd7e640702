//! What an audio worker is told.

use std::fmt;
use std::path::PathBuf;

use kaname_core::command::LinkId;
use kaname_media::codec::opus::OpusConfig;
use kaname_media::dtmf::{Key, KeyMask};
use kaname_media::jitter::StreamFormat;
use kaname_media::mixer::{ParticipantConfig, RoomConfig};
use kaname_media::prompt::Prompt;
use kaname_media::transcode::TranscoderConfig;
use kaname_media::{Rate, SendFormat, Start};

use crate::ShardId;

/// Something that a worker has. Chosen by the control plane; unique among the live ones of a worker, whatever they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AudioId(pub u32);

/// Where something's packets go: the shard imports the link ([`kaname_core::Command::ImportStream`]). Each output has a
/// link of its own, as packets and what is told about them go by the link's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Output {
    /// The shard that imports it.
    pub shard: ShardId,
    /// As in its import.
    pub link: LinkId,
}

/// An instruction to an audio worker. One that names what does not exist, or cannot be, changes nothing and is answered
/// by [`crate::audio::AudioEvent::Refused`].
#[derive(Debug)]
pub enum AudioCommand {
    /// One direction of a call: a stream of any codec becomes one of another, a packet each `ptime`. Several may have
    /// the same input, and so may participants and taps. Without an input it is silent until something is played.
    AddTranscoder {
        /// Its name.
        id: AudioId,
        /// The link by which the stream is exported to this worker.
        input: Option<LinkId>,
        /// Where its packets go, perhaps nowhere yet.
        outputs: Vec<Output>,
        /// Codecs, keys, levels.
        config: Box<TranscoderConfig>,
    },
    /// Goes on with other codecs, after a new offer and answer; what goes out keeps its numbers (`start` is not looked
    /// at), and what is played goes on.
    ChangeTranscoder {
        /// The transcoder.
        id: AudioId,
        /// As it is to be.
        config: Box<TranscoderConfig>,
    },
    /// Plays prompts to a stream of its own; silent between them.
    AddPlayer {
        /// Its name.
        id: AudioId,
        /// Where its packets go.
        outputs: Vec<Output>,
        /// In which codec.
        sends: SendFormat,
        /// First sequence number and timestamp.
        start: Start,
    },
    /// Listens to a stream and makes none: hears keys, and can be recorded.
    AddTap {
        /// Its name.
        id: AudioId,
        /// The link by which the stream is exported to this worker.
        input: LinkId,
        /// What comes in.
        config: Box<TapConfig>,
    },
    /// A conference that mixes.
    AddRoom {
        /// Its name.
        id: AudioId,
        /// How it mixes.
        config: RoomConfig,
    },
    /// Lets somebody into a room.
    Join {
        /// The room.
        room: AudioId,
        /// The participant's name.
        id: AudioId,
        /// What comes from it; nothing of one who only listens.
        input: Option<LinkId>,
        /// Where its mix goes; nowhere for one who is only heard.
        outputs: Vec<Output>,
        /// Codecs, keys, levels.
        config: Box<ParticipantConfig>,
    },
    /// A participant goes on with other codecs; as [`AudioCommand::ChangeTranscoder`].
    ChangeParticipant {
        /// The participant.
        id: AudioId,
        /// As it is to be.
        config: Box<ParticipantConfig>,
    },
    /// A transcoder, participant or tap has another input from now on.
    SetInput {
        /// Which.
        id: AudioId,
        /// The link, if any.
        input: Option<LinkId>,
    },
    /// The packets of a transcoder, player or participant go here from now on; sequence numbers go on.
    SetOutputs {
        /// Which.
        id: AudioId,
        /// All of them.
        outputs: Vec<Output>,
    },
    /// Changes one setting of a transcoder, participant or tap.
    Set {
        /// Which.
        id: AudioId,
        /// What.
        setting: Setting,
    },
    /// What those on hold in a room hear, again and again.
    SetHoldMusic {
        /// The room.
        room: AudioId,
        /// At any rate.
        music: Option<Prompt>,
    },
    /// Plays a prompt, of any rate: to the listener of a transcoder, player or participant, or to a whole room. Ends with
    /// [`crate::audio::AudioEvent::PlayEnded`].
    Play {
        /// To whom.
        to: AudioId,
        /// Names this playing in the event and to stop it.
        token: u64,
        /// What.
        prompt: Prompt,
        /// So many times, or until it is stopped.
        times: Option<u32>,
        /// Louder or softer, as a factor.
        gain: f32,
        /// With what else there is to be heard, or instead.
        manner: Manner,
    },
    /// Ends a playing, or all of them.
    StopPlaying {
        /// As it was played to.
        to: AudioId,
        /// Which; all if none is named.
        token: Option<u64>,
    },
    /// Presses a key towards the listener of a transcoder or participant, in the way that was agreed with it: as an event
    /// (RFC 4733), else as a tone.
    Press {
        /// Whose listener.
        id: AudioId,
        /// Which key.
        key: Key,
        /// How long, in milliseconds.
        ms: u32,
        /// How loud, in -dBm0: 0 to 63, 10 by custom.
        volume: u8,
    },
    /// Writes what is heard to a file. Ends with [`crate::audio::AudioEvent::Recorded`].
    Record {
        /// The recorder's name.
        id: AudioId,
        /// What to record; a second point is for the other direction of a call.
        of: Vec<RecordOf>,
        /// The file.
        to: Box<RecordTo>,
    },
    /// Gives what is heard to a listener, as it is heard: a recorder without a file. It ends without an event; its
    /// listener is dropped then.
    Listen {
        /// The recorder's name.
        id: AudioId,
        /// What to listen to.
        of: RecordOf,
        /// The rate that the listener wants.
        rate: Rate,
        /// Who listens.
        to: Box<dyn Listener>,
    },
    /// A recorder listens to other points from now on, one for each that it began with: its file goes on. A channel
    /// without a point is silent.
    RecordFrom {
        /// The recorder.
        id: AudioId,
        /// In the order of its channels.
        of: Vec<Option<RecordOf>>,
    },
    /// Stops writing for a while, or goes on; what is heard meanwhile is not in the file.
    PauseRecording {
        /// The recorder.
        id: AudioId,
        /// Whether it is not to write.
        paused: bool,
    },
    /// Ends anything that bears this name. With a room go those in it; a recorder's file is completed, also that of
    /// one whose points have all gone.
    Remove {
        /// Which.
        id: AudioId,
    },
    /// Answered by [`crate::audio::AudioEvent::Figures`].
    Query {
        /// Which.
        id: AudioId,
        /// Handed back in the answer.
        token: u64,
    },
}

impl AudioCommand {
    /// Its name, and whom it is about.
    pub(crate) fn about(&self) -> (&'static str, AudioId) {
        match self {
            AudioCommand::AddTranscoder { id, .. } => ("AddTranscoder", *id),
            AudioCommand::ChangeTranscoder { id, .. } => ("ChangeTranscoder", *id),
            AudioCommand::AddPlayer { id, .. } => ("AddPlayer", *id),
            AudioCommand::AddTap { id, .. } => ("AddTap", *id),
            AudioCommand::AddRoom { id, .. } => ("AddRoom", *id),
            AudioCommand::Join { id, .. } => ("Join", *id),
            AudioCommand::ChangeParticipant { id, .. } => ("ChangeParticipant", *id),
            AudioCommand::SetInput { id, .. } => ("SetInput", *id),
            AudioCommand::SetOutputs { id, .. } => ("SetOutputs", *id),
            AudioCommand::Set { id, .. } => ("Set", *id),
            AudioCommand::SetHoldMusic { room, .. } => ("SetHoldMusic", *room),
            AudioCommand::Play { to, .. } => ("Play", *to),
            AudioCommand::StopPlaying { to, .. } => ("StopPlaying", *to),
            AudioCommand::Press { id, .. } => ("Press", *id),
            AudioCommand::Record { id, .. } => ("Record", *id),
            AudioCommand::Listen { id, .. } => ("Listen", *id),
            AudioCommand::RecordFrom { id, .. } => ("RecordFrom", *id),
            AudioCommand::PauseRecording { id, .. } => ("PauseRecording", *id),
            AudioCommand::Remove { id } => ("Remove", *id),
            AudioCommand::Query { id, .. } => ("Query", *id),
        }
    }

    /// The outputs that it names.
    pub(crate) fn outputs(&self) -> &[Output] {
        match self {
            AudioCommand::AddTranscoder { outputs, .. }
            | AudioCommand::AddPlayer { outputs, .. }
            | AudioCommand::Join { outputs, .. }
            | AudioCommand::SetOutputs { outputs, .. } => outputs,
            _ => &[],
        }
    }
}

/// One setting.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Setting {
    /// How loud others hear it, as a factor.
    Gain(f32),
    /// Others hear silence of it.
    Muted(bool),
    /// It neither speaks nor hears the conversation, but the hold music; participants only.
    Held(bool),
    /// Whether its listener is sent anything.
    Listens(bool),
    /// Brings it to the level of the others.
    AutoLevel(bool),
    /// Whether keys are looked for as tones in its audio.
    DetectTones(bool),
    /// What others hear in place of keys that are pressed at its input; a tap's recording has silence. Keys are told as they
    /// were pressed. Transcoders and taps only.
    Mask(Option<KeyMask>),
    /// Loss that its listener reports, in percent: redundancy grows with it where the codec has any.
    ExpectLoss(u8),
}

/// How a prompt sounds beside what else there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Manner {
    /// With it.
    #[default]
    Mixed,
    /// Instead of it, while it lasts. Played to a whole room it is the same as [`Manner::Mixed`].
    Alone,
}

/// What comes to a tap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TapConfig {
    /// Payload types that come in.
    pub receives: Vec<StreamFormat>,
    /// Whether tones in the audio are looked for.
    pub detect_tones: bool,
    /// Delay of a network without jitter, in milliseconds.
    pub delay_ms_min: u32,
}

/// A point that can be recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RecordOf {
    /// A transcoder, player, tap, participant or room.
    pub id: AudioId,
    /// Which of its sides. A tap and a participant have only what comes in, a player and a room what goes out.
    pub side: Side,
}

/// A side of what a worker has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// What comes in, as it was understood.
    In,
    /// What goes out, ahead of its encoding; of a room the mix of all.
    Out,
}

/// Hears what comes of a point, on the thread that writes recordings: it must not wait. Sound that found no room on its
/// way is left out.
pub trait Listener: fmt::Debug + Send {
    /// Takes the next samples.
    fn hear(&mut self, samples: &[i16]);
}

/// A file to record to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordTo {
    /// Its path. The folder must be there.
    pub path: PathBuf,
    /// Its format.
    pub format: RecordFormat,
    /// Two points become left and right; else they are mixed. WAV only.
    pub stereo: bool,
    /// Replaces a file that is there; else that is a failure.
    pub overwrite: bool,
}

/// A file's format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RecordFormat {
    /// 16-bit PCM, at the rate of the first point.
    Wav,
    /// Opus in Ogg.
    OggOpus(OpusConfig),
}
