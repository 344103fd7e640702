//! Calls behind real doors on a real engine: what a SIP proxy sees, and what phones hear.

mod doors;
mod support;
