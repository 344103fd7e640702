//! Benchmarks of Kaname's SRTP engine: the rivals run the same work in the same run, their results are checked equal
//! first, and the machine's own limit is measured beside them.

pub mod case;
pub mod limit;
pub mod machine;
pub mod steps;
pub mod systems;
pub mod timing;
