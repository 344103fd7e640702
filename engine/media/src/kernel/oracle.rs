//! Foreign implementations that ours is compared with.
