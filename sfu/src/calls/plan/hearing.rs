//! Who hears whom: routes, and what audio workers make in between.

use kaname_engine::audio::{
    AudioCommand, AudioId, KeyMask, Output, SendKeys, Setting, TapConfig, TranscoderConfig,
};
use kaname_engine::core::Command;
use kaname_engine::core::command::{Codec, ImportConfig, LegId, LinkId, PayloadMap, PayloadType, StreamId};

use super::side::Applied;
use super::{Effects, Hearing, Manner, Picture, SideKey, Step, Told};
use crate::calls::ids::Numbers;

/// A stream's way to the call's audio worker; all who need it there share it.
#[derive(Debug)]
pub(super) struct Export {
    pub(super) link: LinkId,
}

/// A worker that listens.
#[derive(Debug)]
pub(super) struct Tap {
    pub(super) id: AudioId,
    input: LinkId,
    config: TapConfig,
    mask: Option<KeyMask>,
}

impl Applied {
    /// Nobody listens from now on.
    pub(super) fn end_tap(&mut self, ids: &mut Numbers, steps: &mut Vec<Step>) {
        if let Some(Tap { id, .. }) = self.tap.take() {
            steps.push(Step::Audio(AudioCommand::Remove { id }));
            ids.free(id.0);
        }
    }
}

/// What a side was told to hear.
#[derive(Debug)]
pub(super) enum Heard {
    Relayed {
        from: SideKey,
        /// Whose datagrams come.
        leg: LegId,
    },
    Passed {
        from: SideKey,
        stream: StreamId,
        map: Vec<PayloadMap>,
    },
    Transcoded {
        from: SideKey,
        /// What the worker has of the source, if there is one.
        input: Option<LinkId>,
        id: AudioId,
        /// What the worker makes of it, here.
        made: StreamId,
        config: Box<TranscoderConfig>,
        effects: Effects,
    },
}

impl Heard {
    /// Who makes it, if a worker does.
    pub(super) fn worker(&self) -> Option<AudioId> {
        match self {
            Heard::Relayed { .. } | Heard::Passed { .. } => None,
            Heard::Transcoded { id, .. } => Some(*id),
        }
    }

    pub(super) fn from(&self) -> SideKey {
        match self {
            Heard::Relayed { from, .. } | Heard::Passed { from, .. } | Heard::Transcoded { from, .. } => {
                *from
            }
        }
    }
}

impl Told {
    /// Makes ways to the worker for all sides that something is made of.
    pub(super) fn change_exports(&mut self, wanted: &Picture, ids: &mut Numbers, steps: &mut Vec<Step>) {
        let to = self.home.audio;
        for key in needed(wanted) {
            let Some(side) = self.sides.get_mut(&key).filter(|side| side.export.is_none()) else { continue };
            let link = ids.link();
            steps.push(Step::Core(Command::ExportStream { stream: side.stream, link, to }));
            side.export = Some(Export { link });
        }
    }

    /// Ends ways to the worker that nothing needs any more.
    pub(super) fn end_exports(&mut self, wanted: &Picture, steps: &mut Vec<Step>) {
        let needed = needed(wanted);
        for (_, side) in self.sides.iter_mut().filter(|(key, _)| !needed.contains(key)) {
            if let Some(Export { link }) = side.export.take() {
                steps.push(Step::Core(Command::EndExport { link }));
            }
        }
    }

    /// Workers listen to those sides that are wanted to be listened to.
    pub(super) fn change_taps(&mut self, wanted: &Picture, ids: &mut Numbers, steps: &mut Vec<Step>) {
        for (key, side) in &mut self.sides {
            let (config, mask) = wanted.get(key).map_or((None, None), |side| (side.tap.as_ref(), side.mask));
            let link = side.export.as_ref().map(|export| export.link);
            // Who says something else from now on is listened to anew.
            if side.tap.as_ref().is_some_and(|tap| config != Some(&tap.config)) {
                side.end_tap(ids, steps);
            }
            let Some((config, input)) = config.zip(link) else {
                side.end_tap(ids, steps);
                continue;
            };
            let tap = side.tap.get_or_insert_with(|| {
                let id = ids.audio();
                steps.push(Step::Audio(AudioCommand::AddTap { id, input, config: Box::new(config.clone()) }));
                Tap { id, input, config: config.clone(), mask: None }
            });
            if tap.input != input {
                tap.input = input;
                steps.push(Step::Audio(AudioCommand::SetInput { id: tap.id, input: Some(input) }));
            }
            if tap.mask != mask {
                tap.mask = mask;
                steps.push(set(tap.id, Setting::Mask(mask)));
            }
        }
    }

    /// The side hears what is wanted from now on.
    pub(super) fn change_hearing(
        &mut self,
        key: SideKey,
        wanted: Option<&Hearing>,
        ids: &mut Numbers,
        steps: &mut Vec<Step>,
    ) {
        let source = wanted.and_then(|hearing| Some((hearing, self.source(hearing.from)?)));
        match source {
            None => self.deafen(key, ids, steps),
            Some((Hearing { from, manner: Manner::Relay }, _)) => self.relay(key, *from, ids, steps),
            Some((Hearing { from, manner: Manner::Pass(map) }, (stream, _))) => {
                self.pass(key, *from, stream, map, ids, steps);
            }
            Some((Hearing { from, manner: Manner::Transcode { config, effects } }, (_, input))) => {
                self.transcode(key, *from, input, (config, *effects), ids, steps);
            }
            Some((Hearing { from, manner: Manner::Solo(config) }, _)) => {
                self.transcode(key, *from, None, (config, Effects::default()), ids, steps);
            }
        }
    }

    fn relay(&mut self, key: SideKey, from: SideKey, ids: &mut Numbers, steps: &mut Vec<Step>) {
        let Some(source) = self.sides.get(&from).map(|side| side.leg) else { return };
        let Some(side) = self.sides.get(&key) else { return };
        if matches!(side.hears, Some(Heard::Relayed { leg, .. }) if leg == source) {
            return;
        }
        let leg = side.leg;
        self.deafen(key, ids, steps);
        steps.push(Step::Core(Command::Bridge { leg: source, to: Some(leg) }));
        if let Some(side) = self.sides.get_mut(&key) {
            side.hears = Some(Heard::Relayed { from, leg: source });
        }
    }

    fn pass(
        &mut self,
        key: SideKey,
        from: SideKey,
        stream: StreamId,
        map: &[PayloadMap],
        ids: &mut Numbers,
        steps: &mut Vec<Step>,
    ) {
        let Some(side) = self.sides.get_mut(&key) else { return };
        let before = side.hears.replace(Heard::Passed { from, stream, map: map.to_vec() });
        if let Some(Heard::Passed { stream: routed, map: mapped, .. }) = &before
            && (*routed, mapped.as_slice()) == (stream, map)
        {
            return;
        }
        let route = Command::Route { sender: side.sender, stream, payload_types: map.to_vec() };
        steps.push(Step::Core(route));
        end(before, ids, steps);
    }

    fn transcode(
        &mut self,
        key: SideKey,
        from: SideKey,
        input: Option<LinkId>,
        (config, effects): (&TranscoderConfig, Effects),
        ids: &mut Numbers,
        steps: &mut Vec<Step>,
    ) {
        let home = self.home;
        let Some(side) = self.sides.get_mut(&key) else { return };
        let (kind, sender) = (side.kind(), side.sender);
        let import = |made: StreamId, link: LinkId, config: &TranscoderConfig, steps: &mut Vec<Step>| {
            let (payload_types, map) = sent(config);
            let settings = Box::new(ImportConfig { kind, payload_types });
            steps.push(Step::Core(Command::ImportStream {
                stream: made,
                link,
                from: home.audio,
                config: settings,
            }));
            steps.push(Step::Core(Command::Route { sender, stream: made, payload_types: map }));
        };
        let Some(Heard::Transcoded { from: heard, input: fed, id, made, config: told, effects: before }) =
            &mut side.hears
        else {
            let (id, made, link) = (ids.audio(), ids.stream(), ids.link());
            let outputs = vec![Output { shard: home.shard, link }];
            let config = Box::new(config.clone());
            steps.push(Step::Audio(AudioCommand::AddTranscoder {
                id,
                input,
                outputs,
                config: config.clone(),
            }));
            change_effects(id, Effects::default(), effects, steps);
            import(made, link, &config, steps);
            let before = side.hears.replace(Heard::Transcoded { from, input, id, made, config, effects });
            end(before, ids, steps);
            return;
        };
        *heard = from;
        if *fed != input {
            *fed = input;
            steps.push(Step::Audio(AudioCommand::SetInput { id: *id, input }));
        }
        if !is_same(told, config) {
            let numbers_change = sent(told) != sent(config);
            **told = config.clone();
            steps.push(Step::Audio(AudioCommand::ChangeTranscoder { id: *id, config: told.clone() }));
            if numbers_change {
                // An import has its payload types for good.
                ids.free(made.0);
                let ended = std::mem::replace(made, ids.stream());
                let link = ids.link();
                let outputs = vec![Output { shard: home.shard, link }];
                steps.push(Step::Audio(AudioCommand::SetOutputs { id: *id, outputs }));
                import(*made, link, config, steps);
                steps.push(Step::Core(Command::RemoveStream { stream: ended }));
            }
        }
        change_effects(*id, std::mem::replace(before, effects), effects, steps);
    }

    /// The side hears nothing from now on.
    pub(super) fn deafen(&mut self, key: SideKey, ids: &mut Numbers, steps: &mut Vec<Step>) {
        let Some(side) = self.sides.get_mut(&key) else { return };
        let sender = side.sender;
        match side.hears.take() {
            None => {}
            Some(Heard::Relayed { from, leg }) => {
                // Who was heard may be heard by somebody else by now, or be gone.
                let goes_on = |(other, side): (&SideKey, &Applied)| {
                    *other != key
                        && matches!(side.hears, Some(Heard::Relayed { leg: heard, .. }) if heard == leg)
                };
                let is_there = self.sides.get(&from).is_some_and(|side| side.leg == leg);
                if is_there && !self.sides.iter().any(goes_on) {
                    steps.push(Step::Core(Command::Bridge { leg, to: None }));
                }
            }
            before => {
                steps.push(Step::Core(Command::Unroute { sender }));
                end(before, ids, steps);
            }
        }
    }
}

/// Ends what a worker made for a side.
fn end(heard: Option<Heard>, ids: &mut Numbers, steps: &mut Vec<Step>) {
    if let Some(Heard::Transcoded { id, made, .. }) = heard {
        steps.push(Step::Audio(AudioCommand::Remove { id }));
        steps.push(Step::Core(Command::RemoveStream { stream: made }));
        ids.free(id.0);
        ids.free(made.0);
    }
}

fn set(id: AudioId, setting: Setting) -> Step {
    Step::Audio(AudioCommand::Set { id, setting })
}

fn change_effects(id: AudioId, before: Effects, now: Effects, steps: &mut Vec<Step>) {
    if before.silent != now.silent {
        steps.push(set(id, Setting::Muted(now.silent)));
    }
    if before.mask != now.mask {
        steps.push(set(id, Setting::Mask(now.mask)));
    }
}

/// Sides that the worker needs.
fn needed(wanted: &Picture) -> Vec<SideKey> {
    let sources = wanted.values().filter_map(|side| match &side.hears {
        Some(Hearing { from, manner: Manner::Transcode { .. } }) => Some(*from),
        _ => None,
    });
    let tapped = wanted.iter().filter(|(_, side)| side.tap.is_some()).map(|(key, _)| *key);
    sources.chain(tapped).collect()
}

/// What a transcoder sends, as an import has it, and passes unchanged.
fn sent(config: &TranscoderConfig) -> (Vec<PayloadType>, Vec<PayloadMap>) {
    let clock_rate = config.sends.codec.clock_hz();
    let kind = |number, codec| PayloadType { number, rtx: None, codec, clock_rate };
    let mut types = vec![kind(config.sends.payload_type, Codec::Other)];
    if let SendKeys::Events(number) = config.keys {
        types.push(kind(number, Codec::TelephoneEvent));
    }
    types.extend(config.noise_type.map(|number| kind(number, Codec::Other)));
    types.dedup_by_key(|kind| kind.number);
    let map = types.iter().map(|each| PayloadMap { from: each.number, to: each.number, rtx: None }).collect();
    (types, map)
}

/// Where the stream begins does not count.
fn is_same(one: &TranscoderConfig, other: &TranscoderConfig) -> bool {
    let settings =
        |c: &TranscoderConfig| (c.sends, c.noise_type, c.detect_tones, c.keys, c.auto_level, c.delay_ms_min);
    one.receives == other.receives && settings(one) == settings(other)
}
