//! Both sides of a call in one file, whatever becomes of their codecs, ports and phones meanwhile.

use std::path::PathBuf;

use kaname_engine::audio::{AudioCommand, AudioId, RecordFormat, RecordOf, RecordTo, Side};

use super::actor::Now;
use super::error::CallError;
use super::model::Call;
use super::plan::SideKey;
use super::prompts;
use super::requests::ok;
use super::state::{CallKey, State};
use super::tools::Tools;
use crate::ng::Dictionary;
use crate::ng::flags::Flags;

/// A recorder has two channels: the two who talk first, or who came in their place.
const CHANNELS: usize = 2;

/// A recording under way.
#[derive(Clone, Debug)]
pub(super) struct Recording {
    /// The recorder.
    id: AudioId,
    path: PathBuf,
    /// Who is on each channel, and what listens to them; as many as there were at the beginning.
    channels: Vec<Option<(SideKey, AudioId)>>,
}

#[cfg(test)]
impl Recording {
    pub(super) fn id(&self) -> AudioId {
        self.id
    }
}

impl State {
    pub(super) fn start_recording(
        &mut self,
        now: Now,
        key: CallKey,
        flags: &Flags,
    ) -> Result<Dictionary, CallError> {
        let Some(call) = self.calls.get(&key) else { return Err(CallError::UnknownCall) };
        if call.recording.is_some() {
            return self.pause_recording(key, false);
        }
        let path = self.recording_path(now, &call.id, flags)?;
        let id = self.tools.ids.audio();
        if let Some(call) = self.calls.get_mut(&key) {
            call.recording = Some(Recording { id, path: path.clone(), channels: Vec::new() });
        }
        self.replan(key, false);
        let Some(call) = self.calls.get_mut(&key) else { return Err(CallError::UnknownCall) };
        let channels: Vec<_> = call.told.taps().take(CHANNELS).map(Some).collect();
        if channels.is_empty() {
            call.recording = None;
            self.tools.ids.free(id.0);
            return Err(CallError::Play("nobody has agreed on a codec that can be decoded here".to_owned()));
        }
        let of: Vec<RecordOf> = points(&channels).flatten().collect();
        let stereo = of.len() == CHANNELS;
        if let Some(recording) = &mut call.recording {
            recording.channels = channels;
        }
        let to = RecordTo { path: path.clone(), format: RecordFormat::Wav, stereo, overwrite: false };
        let worker = call.worker;
        self.owners.insert(id.0, (key, SideKey { party: 0, media: 0 }));
        self.tools.outbox.audio(worker, AudioCommand::Record { id, of, to: Box::new(to) });
        Ok(ok().with("file", path.display().to_string()))
    }

    /// Where a recording of a call goes.
    pub(super) fn recording_path(
        &self,
        now: Now,
        call_id: &str,
        flags: &Flags,
    ) -> Result<PathBuf, CallError> {
        let folder = self.tools.config.recordings.as_deref();
        let stem = format!("call-{}", prompts::safe(call_id));
        prompts::recording(folder, flags.output_destination.as_deref(), &stem, now.unix)
            .map_err(CallError::Play)
    }

    pub(super) fn pause_recording(&mut self, key: CallKey, paused: bool) -> Result<Dictionary, CallError> {
        let Some(call) = self.calls.get_mut(&key) else { return Err(CallError::UnknownCall) };
        let Some(recording) = &mut call.recording else {
            return Ok(ok().with("warning", "the call is not being recorded"));
        };
        let (id, worker) = (recording.id, call.worker);
        self.tools.outbox.audio(worker, AudioCommand::PauseRecording { id, paused });
        Ok(ok())
    }

    pub(super) fn stop_recording(&mut self, key: CallKey) -> Result<Dictionary, CallError> {
        let Some(call) = self.calls.get_mut(&key) else { return Err(CallError::UnknownCall) };
        let Some(recording) = call.recording.take() else {
            return Ok(ok().with("warning", "the call was not being recorded"));
        };
        let worker = call.worker;
        self.tools.outbox.audio(worker, AudioCommand::Remove { id: recording.id });
        self.replan(key, false);
        Ok(ok().with("file", recording.path.display().to_string()))
    }

    /// A recorder may have failed: then nobody is listened to for it, and another may be begun.
    pub(super) fn recorder_failed(&mut self, id: AudioId) {
        let Some((key, _)) = self.owners.get(&id.0).copied() else { return };
        let Some(call) = self.calls.get_mut(&key) else { return };
        if call.recording.take_if(|recording| recording.id == id).is_none() {
            return;
        }
        self.owners.remove(&id.0);
        self.tools.ids.free(id.0);
        self.replan(key, false);
    }

    /// The call is over: so is its recording.
    pub(super) fn end_recording(&mut self, call: &mut Call) {
        if let Some(recording) = call.recording.take() {
            self.tools.outbox.audio(call.worker, AudioCommand::Remove { id: recording.id });
        }
    }
}

/// The call is planned anew: whoever is recorded stays on their channel, and who came in the place of somebody takes theirs.
pub(super) fn follow(tools: &mut Tools, call: &mut Call) {
    let taps: Vec<(SideKey, AudioId)> = call.told.taps().collect();
    let Some(recording) = &mut call.recording else { return };
    let stays = |side: SideKey| taps.iter().copied().find(|(tapped, _)| *tapped == side);
    let mut channels: Vec<_> =
        recording.channels.iter().map(|channel| channel.and_then(|(side, _)| stays(side))).collect();
    for tap in taps.iter().copied() {
        if channels.contains(&Some(tap)) {
            continue;
        }
        if let Some(free) = channels.iter_mut().find(|channel| channel.is_none()) {
            *free = Some(tap);
        }
    }
    if channels != recording.channels {
        let command = AudioCommand::RecordFrom { id: recording.id, of: points(&channels).collect() };
        recording.channels = channels;
        tools.outbox.audio(call.worker, command);
    }
}

fn points(channels: &[Option<(SideKey, AudioId)>]) -> impl Iterator<Item = Option<RecordOf>> {
    channels.iter().map(|channel| channel.map(|(_, id)| RecordOf { id, side: Side::In }))
}
