//! The load harness: fleets of real clients (ICE, DTLS, SRTP, RTCP, data channels) that talk to a node over the
//! network and know nothing of its insides.
//!
//! - [`client`]: one foreign WebRTC client on a stack that shares no code with the node.
//! - [`media`]: real encoders on pictures and sounds that can be recognised after decoding.
//! - [`stamp`]: what was sent, when, and what arrived: loss to the packet and delay to the microsecond.
//! - [`demo`]: all of it together, for some seconds, with a verdict.
//! - `calls` (feature `harness`): telephone calls through a relay that speaks `ng`, judged at their far ends.
//! - `compare`, `rivals`, `report` (feature `harness`): our node beside others under one load, and what came of it as a page.
//! - [`fleet`]: thousands of light clients in a scenario, measured to the packet.
#![forbid(unsafe_code)]

#[cfg(feature = "harness")]
pub mod calls;
pub mod client;
#[cfg(feature = "harness")]
pub mod compare;
pub mod demo;
#[cfg(feature = "harness")]
pub mod fleet;
#[cfg(feature = "harness")]
pub mod live;
pub mod media;
#[cfg(feature = "harness")]
pub mod report;
#[cfg(feature = "harness")]
pub mod rivals;
#[cfg(feature = "harness")]
pub mod row;
pub mod stamp;
