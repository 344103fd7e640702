//! From an answer to what flows: which packets pass as they are, and which are transcoded into what.

use super::Coders;
use super::offer::CodecOffer;
use super::rules::{CodecMatch, CodecRules};
use crate::ng::sdp::format::Format;

/// What becomes of packets of one payload type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carry {
    /// They pass, under this payload type.
    Pass(u8),
    /// They are decoded, and leave as [`Flow::sends`]; events leave as [`Flow::events`] or else as tones, noise as
    /// [`Flow::noise`] or else encoded.
    Transcode,
}

/// One payload type of a flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// What comes in.
    pub format: Format,
    /// What becomes of it.
    pub carry: Carry,
}

/// One direction of an m-line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flow {
    /// What may come in. Payload types that are not here are dropped.
    pub routes: Vec<Route>,
    /// The audio format that the receiver prefers; what the transcoder sends.
    pub sends: Option<Format>,
    /// The telephone events that the receiver takes: those on the clock of [`Flow::sends`] if there are such, else any
    /// (a duration of the wrong clock is heard as a longer key; no events at all would be no key).
    pub events: Option<Format>,
    /// The comfort noise that the receiver takes.
    pub noise: Option<Format>,
}

/// What an answer settles.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CodecPlan {
    /// What the offerer is answered, in order. Empty: no common codec; the m-line is to be rejected.
    pub answer: Vec<Format>,
    /// From the offerer to the answerer.
    pub to_answerer: Flow,
    /// From the answerer to the offerer.
    pub to_offerer: Flow,
}

impl Flow {
    /// The stream goes through the transcoder, and then all of it does.
    pub fn transcodes(&self) -> bool {
        self.routes.iter().any(|route| route.carry == Carry::Transcode)
    }
}

impl CodecPlan {
    /// One of the directions needs the transcoder.
    pub fn transcodes(&self) -> bool {
        self.to_answerer.transcodes() || self.to_offerer.transcodes()
    }
}

/// A format on both sides: as the offerer numbers it, and as the answerer does.
#[derive(Clone, Copy)]
struct Common<'f> {
    offerers: &'f Format,
    answerers: &'f Format,
}

/// Works out what an answer means. `answered` are the formats of the answer, in order.
pub fn plan(offer: &CodecOffer, answered: &[Format], rules: &CodecRules, can: Coders<'_>) -> CodecPlan {
    let common: Vec<Common<'_>> = answered
        .iter()
        .filter_map(|answerers| {
            let offerers = counterpart(&offer.usable, answerers)?;
            Some(Common { offerers, answerers })
        })
        .collect();
    let answer = if offer.transcodes {
        chosen(offer, answered, &common, rules, can)
    } else {
        let passed = common.iter().map(|common| common.answerers.clone()).collect();
        if rules.single { single(passed) } else { passed }
    };
    if !has_media(&answer) {
        return CodecPlan::default();
    }
    let can = |format: &Format| offer.transcodes && can(format);
    let to_answerer = flow(&under_both_numbers(&answer, &offer.usable), answered, &can);
    let to_offerer = flow(&under_both_numbers(answered, &offer.formats), &answer, &can);
    CodecPlan { answer, to_answerer, to_offerer }
}

/// The format of a list that is this one on the other side: the same codec, or else the same number and name. An answer
/// may name a lower level of H.264 under its number, and a name may be unknown to us.
fn counterpart<'l>(list: &'l [Format], format: &Format) -> Option<&'l Format> {
    let numbered = |other: &&Format| {
        other.payload_type == format.payload_type && other.is_named(&format.name) && other.has_rate_of(format)
    };
    list.iter().find(|other| other.is_same_codec(format)).or_else(|| list.iter().find(numbered))
}

fn has_media(formats: &[Format]) -> bool {
    formats.iter().any(|format| !format.is_supplement())
}

/// What the offerer is answered when the transcoder stands between: what both have, in the answerer's order, and what
/// is accepted whatever the answerer says. If there is none, the first of its codecs that can be transcoded.
fn chosen(
    offer: &CodecOffer,
    answered: &[Format],
    common: &[Common<'_>],
    rules: &CodecRules,
    can: Coders<'_>,
) -> Vec<Format> {
    let mut audio: Vec<Format> = Vec::new();
    let both = common.iter().map(|common| common.offerers);
    // A stream is transcoded as a whole: where both have something that only passes, nothing is forced beside it.
    let only_passes = both.clone().any(|format| !format.is_supplement() && !can(format));
    let forces = !only_passes && answered.iter().any(|format| !format.is_supplement() && can(format));
    let forced = offer.usable.iter().filter(|f| forces && offer.forced.contains(&f.payload_type));
    for format in both.chain(forced).filter(|format| !format.is_supplement()) {
        if !audio.contains(format) {
            audio.push(format.clone());
        }
    }
    if audio.is_empty() && answered.iter().any(|format| !format.is_supplement() && can(format)) {
        audio.extend(offer.usable.iter().find(|format| !format.is_supplement() && can(format)).cloned());
    }
    if rules.single {
        audio.truncate(1);
    }
    // Events and noise can be made and consumed, whatever the answerer takes.
    let beside = offer.usable.iter().filter(|format| format.is_event() || format.is_noise());
    let of_clock = beside.filter(|beside| audio.iter().any(|audio| audio.clock_rate == beside.clock_rate));
    let of_clock: Vec<Format> = of_clock.cloned().collect();
    [audio, of_clock].concat()
}

/// The first codec, with the events and the noise that have its clock.
fn single(formats: Vec<Format>) -> Vec<Format> {
    let Some(first) = formats.iter().find(|format| !format.is_supplement()).cloned() else { return formats };
    let stays = |format: &Format| {
        let beside = (format.is_event() || format.is_noise()) && format.clock_rate == first.clock_rate;
        *format == first || beside
    };
    formats.into_iter().filter(stays).collect()
}

/// The formats of one side, and once more under the numbers of the other: RFC 3264 section 5.1 has a sender use the
/// other side's numbers, and many use their own.
fn under_both_numbers(own: &[Format], offered: &[Format]) -> Vec<Format> {
    let mut formats = own.to_vec();
    for answer in own {
        let other = offered.iter().find(|offer| offer.is_same_codec(answer));
        if let Some(other) = other.filter(|o| formats.iter().all(|f| f.payload_type != o.payload_type)) {
            formats.push(other.clone());
        }
    }
    formats
}

/// One direction: `from` may come in, `to` is what the receiver takes. If anything must be transcoded, all goes through
/// the transcoder: a stream is not in two places.
fn flow(from: &[Format], to: &[Format], can: Coders<'_>) -> Flow {
    let passes = |format: &Format| counterpart(to, format).map(|told| told.payload_type);
    let audio = || to.iter().filter(|format| !format.is_supplement());
    let coded = audio().find(|format| can(format));
    let transcodes =
        from.iter().any(|f| !f.is_supplement() && passes(f).is_none() && can(f)) && coded.is_some();
    let reached = |told: &Format| from.iter().any(|format| passes(format) == Some(told.payload_type));
    let sends = if transcodes { coded } else { audio().find(|told| reached(told)) };
    let carry = |format: &Format| {
        if !transcodes {
            return passes(format).map(Carry::Pass);
        }
        (format.is_event() || format.is_noise() || can(format)).then_some(Carry::Transcode)
    };
    let route = |format: &Format| Some(Route { carry: carry(format)?, format: format.clone() });
    let clock = sends.map(|format| format.clock_rate);
    let beside = |wanted: fn(&Format) -> bool| {
        let of_clock = to.iter().find(|f| wanted(f) && Some(f.clock_rate) == clock);
        of_clock.or_else(|| to.iter().find(|f| wanted(f))).cloned()
    };
    Flow {
        routes: from.iter().filter_map(route).collect(),
        sends: sends.cloned(),
        events: beside(Format::is_event),
        noise: beside(Format::is_noise).filter(|noise| Some(noise.clock_rate) == clock),
    }
}

/// Which codec of a published description is taken: the first of `accept` that is there, or else the first that can be
/// transcoded, or with `any` the first.
pub fn publish_choice<'a>(offered: &'a [Format], rules: &CodecRules, can: Coders<'_>) -> Option<&'a Format> {
    let audio = || offered.iter().filter(|format| !format.is_supplement());
    let listed = rules.accept.iter().find_map(|entry| audio().find(|format| entry.names(format)));
    let any = rules.accept.contains(&CodecMatch::Any);
    listed.or_else(|| audio().find(|format| any || can(format)))
}
