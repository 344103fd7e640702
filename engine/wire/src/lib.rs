//! Checked zero-copy views of RTP, RTCP, header extensions and payload descriptors.
//!
//! Nothing here allocates, and no input makes it panic. Every view is validated once when it is made, in time
//! proportional to the packet at most; what it hands out afterwards lies inside the packet. Writers fill a
//! `&mut [u8]` and say how much of it they used.
//!
//! # What is not from others, and why
//! RTP: [`rtp::RtpView`] is validated in a few nanoseconds and serves packets that are still encrypted, which
//! the crates at hand do not. RTCP: the crate `rtcp-types` was looked at for [`rtcp`]. Its builders of
//! reports, SDES, BYE, NACK, FIR and transport-wide feedback and its SDES reader allocate, it leaves padding
//! on the feedback messages (so that padding reads as missing packets), reads a source whose SSRC begins with
//! a zero byte as the end of the one before, and walks 65535 statuses for a transport-wide feedback of 30
//! bytes; so none of it runs here. It is the oracle of the tests instead, as `rtp-types` is for RTP.
#![forbid(unsafe_code)]

mod bytes;

pub mod demux;
pub mod extension;
pub mod ntp;
pub mod path;
pub mod payload;
pub mod rfc4571;
pub mod rtcp;
pub mod rtp;
pub mod sequence;
