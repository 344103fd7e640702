//! Telephone calls, as a SIP proxy asks for them over `ng`. One actor owns them all; what a request means is found out
//! by pure functions over session descriptions, and compiled to legs and routes of the shards.

mod actor;
mod answer;
mod api;
mod asker;
mod config;
mod counters;
mod door;
mod ending;
mod engine;
mod error;
mod fax;
mod figures;
mod formats;
mod forwarding;
mod handle;
mod ids;
mod interface;
pub mod limits;
mod model;
mod offer;
mod outbox;
mod paint;
mod plan;
mod ports;
mod prompts;
mod quality;
mod random;
mod range;
mod record;
mod recording;
mod requests;
mod room;
mod room_sound;
mod sound;
mod state;
mod subscribe;
mod tools;
mod write;

pub use api::{PhoneCall, PhoneState};
pub use config::CallsConfig;
pub use counters::CallsCounters;
pub use engine::{CallEngine, Refused};
pub use error::CallRefusal;
pub use forwarding::{ForwardTo, ForwardToParseError, Receiver};
pub use handle::{Calls, CallsHandle, CallsSink};
pub use interface::{DEFAULT_INTERFACE, Interface, InterfaceParseError};
pub use prompts::Folders;

#[cfg(test)]
mod tests;
