//! Offers in, answers out (RFC 8866, RFC 8829). `sdp-types` does the lexing; what it means is here, with hard
//! bounds, so that whatever a client sends is answered or refused in bounded time.

mod error;

pub use error::SdpError;

/// Bounds of what is read.
pub mod limits {
    /// A large conference's offer has 60 m-lines of 3 KiB; what is larger is not an offer.
    pub const OFFER_BYTES: usize = 256 * 1024;
}
