//! Offers in, answers out (RFC 8866, RFC 8829). `sdp-types` does the lexing; what it means is here, with hard
//! bounds, so that whatever a client sends is answered or refused in bounded time.

mod answer;
mod attribute;
mod codec;
mod error;
mod extension;
mod fragment;
pub mod limits;
mod offer;
mod section;

pub use answer::{AnswerMedia, AnswerSection, AnswerSpec, SendIdentity, build};
pub use codec::{Chosen, Feedback, Payload, matching};
pub use error::{Place, Quoted, SdpError};
pub use extension::{Extension, uri};
pub use fragment::{Fragment, restarted};
pub use offer::{Ice, Offer};
pub use section::{Direction, Rid, Section, SectionKind};
#[cfg(test)]
mod tests;
