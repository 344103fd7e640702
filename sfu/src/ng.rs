//! The `ng` control protocol: what SIP proxies drive a media relay with.
//!
//! A message is a cookie, a blank and a dictionary in bencode or JSON; the reply carries the same cookie in the
//! same writing. What the commands mean follows rtpengine's description of the protocol.

pub mod flags;
pub mod limits;
mod message;
mod replies;
pub mod sdp;
mod value;

pub use message::{Malformed, Request, Writing, reply};
pub use replies::{Replies, Seen};
pub use value::{Dictionary, Value};
