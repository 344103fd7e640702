//! SRTP and SRTCP (RFC 3711, RFC 6188, RFC 7714), and with [`policy`] all that stands around them (RFC 6904, RFC 8723, RFC 9335).
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
//!
//! # Exceptions
//! Where we do otherwise than an RFC says, or than libsrtp2 does:
//! - RFC 3711 section 4.3.2 has 32 bits of SRTCP index in the key derivation, which would move the label. Like everybody we keep the
//!   label where it is for SRTP, with the index in the low bits. It matters only with a derivation rate.
//! - RFC 3711 section 4.1.2 (f8) and section 4.2 with other codes than HMAC-SHA1 are not there: nobody asks for them.
//! - RFC 3711 sections 3.3.1 and 3.4 let roll-over counter and SRTCP index wrap once the key was replaced. Ours end there, whatever
//!   the key: a stream of 2^48 packets lives for thousands of years, one of 2^31 reports for eight months at a hundred a second.
//! - RFC 7714 sections 10 and 13.2 have tags of 16 bytes only. Policies can be given 8, for peers from before it; profiles cannot.
//! - RFC 7714 section 5.3 has nothing decrypted ahead of the tag. The widest backend goes over a packet once, with hash and cipher
//!   together; what it decrypted stays in registers and on its own stack, and is given out only if the tag is right. All other
//!   backends check first.
//! - RFC 7714 section 9 lets a sender choose for each SRTCP packet whether it is encrypted, and the E flag tells. We take what the
//!   policy says and nothing else.
//! - RFC 7714 section 8.4 has the SSRCs of those who send under one master key prevented from colliding, by pools of SSRCs. Those are
//!   the caller's. A [`policy::Session`] that sees a collision gives no index twice that it knows of, and tells:
//!   [`policy::Notice::Collision`].
//! - RFC 3711 section 3.4 has every SRTCP packet authenticated. Profiles do; a policy can leave it out, because libsrtp2's can.
//! - RFC 3711 section 3.2.1 has MKIs of one length in a context. A policy can mix lengths, because libsrtp2's can; each packet's own
//!   key says how long its MKI is.
//! - RFC 3711 section 3.4 wants a compound packet that begins with a report. What RTCP holds is not looked at behind its first
//!   SSRC: RFC 5506 allows others.
//! - RFC 6188 section 3.1 and RFC 7714 section 11 derive with AES as long as the session key. A policy takes a longer master key as well,
//!   which decides then: libsrtp2's AES-192 does that (its C interface here with it), and SRTP and SRTCP may have ciphers of two sizes.
//! - Header extensions are walked for RFC 6904 alone and bounded by the packet alone; the limits of `kaname-wire` are not ours.
//! - The first SRTCP index is 0 (RFC 3711 section 3.4); libsrtp2's is 1, and so is that of the C interface.
//! - An index is sent once. [`policy::Policy::allow_repeat`] is the one way around it, for libsrtp2's `allow_repeat_tx`.
//! - An SSRC that was removed and comes back under the same key goes on where it was. RFC 3711 section 9.1 forbids the key stream
//!   to be used twice and leaves the how to us; libsrtp2 begins again with roll-over counter 0.
//! - RFC 8723: only what a node between two hops needs; the ends' own encryption is theirs. Reserved bits are not looked at.

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
