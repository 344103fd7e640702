//! The sound of calls: made, encoded once and sent again and again, or a stamp in its place where a node only forwards.

mod material;
mod signal;

pub(super) use material::{Library, Material, Voice};
