//! Calls behind real doors on a real engine: what a SIP proxy sees, and what phones hear.

mod announcements;
mod api;
mod doors;
mod dtls;
mod early;
mod fax;
mod forwarding;
#[path = "../doors/http.rs"]
mod http;
mod phone;
mod pins;
mod rooms;
mod rtp;
mod sound;
mod srtp;
mod support;
mod transcode;
