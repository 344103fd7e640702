//! Calls behind real doors on a real engine: what a SIP proxy sees, and what phones hear.

mod doors;
mod dtls;
mod early;
mod fax;
mod phone;
mod rooms;
mod rtp;
mod sound;
mod srtp;
mod support;
mod transcode;
