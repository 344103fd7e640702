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
    /// They are decoded, and leave as [`Flow::sends`] (events as [`Flow::events`] or tones, noise as [`Flow::noise`]).
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
    /// The telephone events that the receiver takes, on the clock of [`Flow::sends`] if it has such.
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
    /// Something that may come in must be transcoded.
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

/// Works out what an answer means. `answered` are the formats of the answer, in order.
pub fn plan(offer: &CodecOffer, answered: &[Format], rules: &CodecRules, can: Coders<'_>) -> CodecPlan {
    let _ = (offer, answered, rules, can);
    CodecPlan::default()
}

/// Which codec of a published description is taken: the first of `accept` that is there, or else the first that can be
/// transcoded, or with `any` the first.
pub fn publish_choice<'a>(offered: &'a [Format], rules: &CodecRules, can: Coders<'_>) -> Option<&'a Format> {
    let audio = || offered.iter().filter(|format| !format.is_supplement());
    let listed = rules.accept.iter().find_map(|entry| audio().find(|format| entry.names(format)));
    let any = rules.accept.contains(&CodecMatch::Any);
    listed.or_else(|| audio().find(|format| any || can(format)))
}
