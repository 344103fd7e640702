//! Session descriptions of telephone calls: read without loss, rewritten line by line.
//!
//! A text is parsed to [`SessionText`], which keeps every line as it came, and to views of what the lines mean. What is
//! to change is said by a [`Rewrite`]; all else stays, in its order. The rules of offer and answer are functions
//! beside: codecs ([`codecs`]), keys ([`crypto`], [`security`], [`dtls`]), protocols ([`protocol`]), mux and direction.
//! Nothing here has a clock, a socket or a random source: who calls gives them.

pub mod codecs;
pub mod crypto;
pub mod direction;
pub mod dtls;
mod error;
mod format;
pub mod ice;
pub mod limits;
pub mod mux;
pub mod protocol;
mod rewrite;
pub mod security;
mod text;
mod view;

pub use crate::sdp::Direction;
pub use error::SdpError;
pub use format::Format;
pub use rewrite::{
    AttributeEdit, Change, DtlsLines, EditAction, EditScope, IceChange, LOOP_ATTRIBUTE, MediaRewrite,
    OriginKeeper, OriginRules, Rewrite, RtcpLine, rewrite,
};
pub use text::SessionText;
pub use view::{Dtls, Host, MediaView, Origin, SessionView};

#[cfg(test)]
mod tests;
