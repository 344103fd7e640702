//! Checked zero-copy views of RTP, RTCP, header extensions and payload descriptors; no unsafe.
#![forbid(unsafe_code)]

pub mod path;
