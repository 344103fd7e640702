//! What figures were measured on, and where their records are kept: `perf` and `bench` write the same kind of file.
#![forbid(unsafe_code)]

mod machine;
mod record;

pub use machine::Machine;
pub use record::{record, today};
