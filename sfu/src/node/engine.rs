//! What the node needs of a packet engine. A trait, so that the node's tests run against a fake one, without
//! sockets and without a clock.

/// A packet engine. All methods return at once.
pub trait MediaEngine: Send + Sync + 'static {}
