//! Which codecs are offered, answered, passed through and transcoded (RFC 3264, RFC 4733, RFC 3389).

mod number;
mod offer;
mod plan;
mod rules;

pub use offer::{CodecOffer, offer};
pub use plan::{Carry, CodecPlan, Flow, Route, plan, publish_choice};
pub use rules::{CodecMatch, CodecRules, CodecSpec};

use super::format::Format;

/// What this node can decode and encode. Telephone events and comfort noise it always can, beside audio.
pub type Coders<'a> = &'a dyn Fn(&Format) -> bool;

#[cfg(test)]
mod tests;
