//! Why an offer cannot be answered.

/// What is wrong with an offer and what to do about it. Text of the offer is never repeated unless shortened and
/// escaped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SdpError {
    /// Larger than [`super::limits::OFFER_BYTES`].
    #[error("the offer has {size} bytes and at most {limit} are read; send fewer m-lines or codecs")]
    TooLarge {
        /// How large it is.
        size: usize,
        /// How large it may be.
        limit: usize,
    },
}

impl SdpError {
    /// A stable word for programs.
    pub fn code(&self) -> &'static str {
        "bad_sdp"
    }

    /// The HTTP status that says the same.
    pub fn status(&self) -> u16 {
        400
    }
}
