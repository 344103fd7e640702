//! SRTP and SRTCP (RFC 3711, RFC 7714).
//!
//! Many packets of many sessions go through the ciphers together, while the state of a session stays simple. A received
//! packet takes three steps: [`Inbound::prepare_rtp`] looks and changes nothing, [`unprotect_batch`] authenticates and
//! decrypts without touching any session, and [`Inbound::commit_rtp`] takes what was authentic into the session. A packet
//! to be sent takes two: [`Outbound::take_rtp`] gives out each index once, and [`protect_batch`] encrypts from a plaintext
//! that many jobs may share straight into each destination. Single packets go through [`Inbound::unprotect_rtp`],
//! [`Outbound::protect_rtp`] and, for RTCP, [`Inbound::unprotect_rtcp`] and [`Outbound::protect_rtcp`].
//!
//! # What holds everywhere
//! - Nothing is written and no state changes ahead of authentication, or on any error.
//! - No (key, SSRC, index) encrypts twice: see [`SendIndex`].
//! - Per packet nothing is allocated; only the first packet of an SSRC makes state, and limits bound how much.
//! - Tags are compared in constant time; keys are zeroized on drop and never printed.
//! - Every error says whose fault it is: [`SrtpError::fault`].

mod backend;
mod batch;
mod cipher;
#[cfg(target_arch = "x86_64")]
mod cpu;
mod ct;
mod derive;
pub mod double;
mod error;
mod inbound;
mod index;
mod kernel;
mod keying;
mod keys;
pub mod limits;
mod nonce;
mod outbound;
mod packet;
pub mod policy;
mod rtcp;
mod streams;
#[cfg(test)]
mod test_support;
#[cfg(test)]
mod tests;
mod window;

pub use backend::Backend;
pub use batch::{Authentic, ProtectJob, RtpTicket, SendIndex, UnprotectJob, protect_batch, unprotect_batch};
pub use cipher::{Cipher, Protection};
pub use error::{Fault, SrtpError};
pub use inbound::{Inbound, InboundOptions};
pub use keying::{Keying, Profile};
pub use keys::SessionKeys;
pub use outbound::{Outbound, OutboundOptions};
