//! The engine with clients that use a foreign WebRTC stack, on loopback.
#![allow(clippy::print_stderr, reason = "a test that is not allowed to run says so")]

mod audio;
mod backends;
mod burst;
mod client;
mod data;
mod foreign;
mod media;
#[path = "../../io/tests/netns/mod.rs"]
mod netns;
mod ports;
mod security;
mod shards;
mod world;
