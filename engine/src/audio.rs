//! Audio workers: threads beside the shards that decode, mix and encode, so that a shard never does.
//!
//! A worker is one more place of the engine's mesh, [`crate::Engine::audio_index`]. A stream goes to it by
//! [`kaname_core::Command::ExportStream`], and what it makes comes back by [`kaname_core::Command::ImportStream`], to be
//! routed like any stream; the sender's route gives it SSRC, sequence and timestamp. What a worker does with streams it
//! is told by [`AudioCommand`]s ([`crate::Engine::audio`]), and tells by [`AudioEvent`]s
//! ([`crate::EngineEvent::Audio`]).
//!
//! Everything that a worker has bears an [`AudioId`]: transcoders, rooms and those in them, players, taps, recorders.
//! Removing a stream's input or output is no error on either side: packets without a taker are dropped and counted.

mod command;
mod controls;
mod event;
mod figures;
mod hall;
mod item;
mod obey;
mod outlet;
mod port;
mod record;
mod recording;
mod wheel;
mod worker;

pub use command::{
    AudioCommand, AudioId, Listener, Manner, Output, RecordFormat, RecordOf, RecordTo, Setting, Side,
    TapConfig,
};
pub use event::{AudioError, AudioEvent, Figures};
pub use kaname_media::codec::opus::OpusConfig;
pub use kaname_media::codec::{AmrConfig, AmrPacking, Codec, Codecs};
pub use kaname_media::dtmf::{
    Collected, Collector, CollectorConfig, Key, KeyEvent, KeyMask, Substitute, Tones,
};
pub use kaname_media::jitter::{PlayoutCounters, Receives, StreamFormat};
pub use kaname_media::mixer::{ParticipantConfig, RoomConfig, RoomCounters};
pub use kaname_media::prompt::Prompt;
pub use kaname_media::transcode::{SendKeys, TranscoderConfig, TranscoderCounters};
pub use kaname_media::{Rate, SendFormat, Start, file};
pub(crate) use port::AudioPort;
pub use port::{AudioBusy, AudioRefused};
pub(crate) use record::{Desk, WriterSurroundings, run_writer};
pub(crate) use worker::{Surroundings, run};

/// All that there are on this machine of those that were asked for.
pub(crate) fn codecs(extra: crate::ExtraCodecs) -> Codecs {
    let mut codecs = Codecs::built_in();
    if extra.amr {
        codecs = codecs.with_amr();
    }
    if extra.g729 {
        codecs = codecs.with_g729();
    }
    codecs
}

#[cfg(test)]
mod tests;
