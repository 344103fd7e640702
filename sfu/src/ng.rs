//! The `ng` control protocol: what SIP proxies drive a media relay with.
//!
//! A message is a cookie, a blank and a dictionary in bencode or JSON; the reply carries the same cookie in the
//! same writing. What the commands mean follows rtpengine's description of the protocol.

mod allow;
mod doors;
pub mod flags;
mod frame;
mod inbox;
pub mod limits;
mod message;
mod replies;
pub mod sdp;
mod stream;
mod udp;
mod value;
mod web;

pub use allow::{Network, NetworkParseError};
pub use doors::{Carrier, DoorAddresses, DoorError, Doors, OpenDoor};
pub use inbox::{Asked, DoorCounters, Inbox, ReplyTo, Waiting, error, inbox};
pub use message::{Malformed, Request, Writing, reply};
pub use replies::{Replies, Seen};
pub use value::{Dictionary, Value};
