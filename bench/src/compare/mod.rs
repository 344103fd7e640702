//! One command that compares our node with others: the same load, the same sink, systems taking turns.
//!
//! Sources and sink are one thread on a processor of their own, and share no SRTP code with our node. The sink decrypts
//! every packet and compares it with what was sent; figures of a system that lost, repeated or changed anything are
//! shown and refused for ratios.

pub mod command;
mod judge;
mod load;
mod plan;
pub mod scenario;
pub(crate) mod sink;
mod table;
pub(crate) mod tally;
mod turns;
mod view;

pub use scenario::{SCENARIOS, Scenario, Shape, Traffic};
