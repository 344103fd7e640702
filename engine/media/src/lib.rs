//! Audio: codecs, jitter buffer, concealment, DTMF, level, resampling, mixing.
//!
//! Payloads and time go in, payloads come out: no clock, socket, thread or lock. Time is nanoseconds of the caller's
//! clock, samples are 16-bit mono. Objects take what memory they need when they are made; in steady state nothing
//! allocates.

mod kernel;
#[cfg(test)]
mod kit;

pub mod codec;
pub mod conceal;
pub mod dtmf;
pub mod file;
pub mod jitter;
pub mod level;
pub mod limits;
pub mod mixer;
mod outgoing;
pub mod prompt;
mod rate;
pub mod resample;
pub mod transcode;

pub use outgoing::{OutPacket, SendFormat, Start};
pub use rate::Rate;
