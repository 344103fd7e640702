//! Pictures and sounds that can be recognised after they were encoded, sent and decoded, and the real codecs around
//! them.

pub mod h264;
pub mod packets;
pub mod picture;
pub mod sound;
