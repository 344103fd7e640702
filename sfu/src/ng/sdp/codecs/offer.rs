//! From what one side offers to what the other is offered.

use super::Coders;
use super::number::{event_number, number, wanted};
use super::rules::{CodecMatch, CodecRules, CodecSpec, names};
use crate::ng::sdp::format::Format;

/// What became of an offer's codecs. It is kept until the answer comes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CodecOffer {
    /// What the other side is offered, in order.
    pub formats: Vec<Format>,
    /// What may be used towards the offerer: its formats without the stripped ones, in its order.
    pub usable: Vec<Format>,
    /// Those of them that are accepted even if the other side refuses them (payload types).
    pub forced: Vec<u8>,
    /// The transcoder may be needed.
    pub transcodes: bool,
}

/// What happens to one format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Stays,
    Stripped,
    /// Not offered on, but used towards the offerer.
    Masked,
}

fn fate(format: &Format, rules: &CodecRules) -> Fate {
    if names(&rules.strip, format) {
        return Fate::Stripped;
    }
    if names(&rules.mask, format) || names(&rules.consume, format) {
        return Fate::Masked;
    }
    if names(&rules.except, format) || names(&rules.offer, format) {
        return Fate::Stays;
    }
    // What `all` took and `transcode` names was there all the time: it is restored. `full` takes it for good.
    let restored = rules.transcode.iter().any(|spec| spec.matches(format));
    let takes = |list: &[CodecMatch]| {
        list.contains(&CodecMatch::Full) || list.contains(&CodecMatch::All) && !restored
    };
    if takes(&rules.strip) {
        Fate::Stripped
    } else if takes(&rules.mask) || takes(&rules.consume) {
        Fate::Masked
    } else {
        Fate::Stays
    }
}

/// Works out what to offer on.
pub fn offer(offered: &[Format], rules: &CodecRules, can: Coders<'_>) -> CodecOffer {
    let fates: Vec<Fate> = offered.iter().map(|format| fate(format, rules)).collect();
    let pick = |wanted: fn(Fate) -> bool| {
        let pairs = offered.iter().zip(&fates);
        pairs.filter(|(_, fate)| wanted(**fate)).map(|(format, _)| format.clone()).collect::<Vec<Format>>()
    };
    let mut outcome = CodecOffer {
        formats: pick(|fate| fate == Fate::Stays),
        usable: pick(|fate| fate != Fate::Stripped),
        ..CodecOffer::default()
    };
    // Pictures, and sound that this node cannot decode, only pass.
    if outcome.usable.iter().any(|format| !format.is_supplement() && can(format)) {
        outcome.forced = forced(&outcome, rules, can);
        add(&mut outcome, offered, rules, can);
    }
    // Nothing that could be offered: the flags cannot have meant that.
    if !outcome.formats.iter().any(|format| !format.is_supplement()) {
        return CodecOffer { formats: offered.to_vec(), usable: offered.to_vec(), ..CodecOffer::default() };
    }
    reorder(&mut outcome.formats, &rules.offer);
    outcome
}

/// Formats of the offerer that are accepted whatever the other side says.
fn forced(outcome: &CodecOffer, rules: &CodecRules, can: Coders<'_>) -> Vec<u8> {
    // `mask` alone switches no transcoder on.
    if !rules.may_transcode() {
        return Vec::new();
    }
    let accepted = |format: &Format| rules.accept.iter().any(|entry| entry.is_all() || entry.names(format));
    let forced = outcome.usable.iter().filter(|f| !outcome.formats.contains(f) || accepted(f));
    forced.filter(|f| !f.is_supplement() && can(f)).map(|f| f.payload_type).collect()
}

/// Adds what `transcode` names, and what goes with it.
fn add(outcome: &mut CodecOffer, offered: &[Format], rules: &CodecRules, can: Coders<'_>) {
    let mut added = Vec::new();
    for spec in &rules.transcode {
        let format = wanted(spec);
        let there = outcome.formats.iter().chain(&added).any(|f| is_asked(f, &format, spec));
        if there || !(can(&format) || format.is_event() || format.is_noise()) {
            continue;
        }
        let taken =
            |number| outcome.formats.iter().chain(offered).chain(&added).any(|f| f.payload_type == number);
        let number = if format.is_event() { event_number(taken) } else { number(&format, taken) };
        if let Some(payload_type) = number {
            added.push(Format { payload_type, ..format });
        }
    }
    outcome.transcodes = !added.is_empty() || !outcome.forced.is_empty();
    if !outcome.transcodes {
        return;
    }
    if !added.is_empty() {
        // Whatever is offered may come, and the transcoder must then understand it.
        let understood = |format: &Format| can(format) || format.is_event() || format.is_noise();
        outcome.formats.retain(understood);
        outcome.usable.retain(understood);
    }
    outcome.formats.append(&mut added);
    add_events(outcome, offered, rules);
}

fn is_asked(there: &Format, wanted: &Format, spec: &CodecSpec) -> bool {
    let same_rate = there.clock_rate == wanted.clock_rate || spec.clock_rate.is_none();
    there.is_named(&wanted.name) && same_rate && (there.is_event() || there.channels == wanted.channels)
}

/// RFC 4733 section 2.1: events have the clock of the audio beside them, and so has comfort noise. Where the offerer has
/// events, those for the clocks of added codecs are offered too, and those of clocks without audio are not. Audio comes
/// first: the first format is the preferred one.
fn add_events(outcome: &mut CodecOffer, offered: &[Format], rules: &CodecRules) {
    let masked = |f: &Format| names(&rules.mask, f) || names(&rules.consume, f);
    let model = outcome.usable.iter().find(|f| f.is_event() && !masked(f)).cloned();
    let audio: Vec<u32> =
        outcome.formats.iter().filter(|f| !f.is_supplement()).map(|f| f.clock_rate).collect();
    outcome.formats.retain(|format| audio.contains(&format.clock_rate));
    outcome.formats.sort_by_key(Format::is_supplement);
    for clock_rate in audio {
        if outcome.formats.iter().any(|f| f.is_event() && f.clock_rate == clock_rate) {
            continue;
        }
        let Some(model) = &model else { return };
        let same_clock = Some(model.payload_type).filter(|_| model.clock_rate == clock_rate);
        let taken = |number| outcome.formats.iter().chain(offered).any(|f| f.payload_type == number);
        if let Some(payload_type) = same_clock.or_else(|| event_number(taken)) {
            outcome.formats.push(Format { payload_type, clock_rate, ..model.clone() });
        }
    }
}

/// Those that the list names come first, in its order.
fn reorder(formats: &mut [Format], order: &[CodecMatch]) {
    formats.sort_by_key(|format| order.iter().position(|entry| entry.names(format)).unwrap_or(usize::MAX));
}
