//! Checked zero-copy views of RTP, RTCP, header extensions and payload descriptors.
//!
//! Nothing here allocates, and no input makes it panic. Every view is validated once when it is made, in time
//! proportional to the packet at most; what it hands out afterwards lies inside the packet. Writers fill a
//! `&mut [u8]` and say how much of it they used.
#![forbid(unsafe_code)]

mod bytes;

pub mod demux;
pub mod extension;
pub mod ntp;
pub mod path;
pub mod payload;
pub mod rtcp;
pub mod rtp;
pub mod sequence;
