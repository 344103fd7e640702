//! The fan-out table: what it costs to send one packet to many, first through the kernel alone, then through the node's
//! whole path, in network namespaces made for it.

pub mod burst;
pub mod goals;
pub mod net;
pub mod node;
pub mod plan;
pub mod raw;
pub mod row;
pub mod sink;
pub mod tap;
pub mod turns;
