//! Benchmarks of Kaname's SRTP engine and of its whole packet path: the rivals and the kernel's own ceilings run the same
//! work in the same run, results are checked first, and the machine's own limit is measured beside them.

pub mod allocations;
pub mod case;
pub mod fanout;
pub mod goals;
pub mod limit;
pub mod room;
pub mod stages;
pub mod steps;
pub mod systems;
pub mod timing;

pub use kaname_machine as machine;
