//! SRTP and SRTCP (RFC 3711, RFC 7714).

mod keying;

pub use keying::{Keying, Profile};
