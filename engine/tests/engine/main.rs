//! The engine with clients that use a foreign WebRTC stack, on loopback.

mod burst;
mod client;
mod data;
mod media;
mod security;
mod shards;
mod world;
