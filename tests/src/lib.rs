//! What the end-to-end tests share: the rules of the house, a node as a child process, browsers and test media.
#![forbid(unsafe_code)]

pub mod tidy;
