//! Benchmarks of Kaname's SRTP engine: the rivals run the same work in the same run, their results are checked equal
//! first, and the machine's own limit is measured beside them.

pub mod case;
pub mod limit;
pub mod steps;
pub mod systems;
pub mod timing;

pub use kaname_machine as machine;
