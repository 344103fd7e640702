//! Packet input and output.

mod error;

pub use error::BindError;
