//! Properties of the whole crate: nothing panics on any bytes, what is written reads back, and independent
//! implementations agree.

mod arithmetic;
mod bombs;
mod extension;
mod payload;
mod rtcp;
mod rtp;
mod stream;
