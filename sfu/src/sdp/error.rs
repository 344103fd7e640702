//! Why an offer cannot be answered.

/// What is wrong with an offer and what to do about it. Text of the offer appears only shortened and escaped.
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
    /// The text is no session description.
    #[error("line {line} is not SDP ({problem}); send the offer's sdp text as the browser made it")]
    NotSdp {
        /// Which line, from 1; 0 for the text as a whole.
        line: usize,
        /// What the reader met.
        problem: &'static str,
    },
    /// A bound of [`super::limits`] is exceeded.
    #[error("{place} has more than {limit} {what}; leave some out")]
    TooMany {
        /// Which m-line, or the session.
        place: Place,
        /// Of what.
        what: &'static str,
        /// How many are read.
        limit: usize,
    },
    /// Nothing to negotiate.
    #[error("the offer has no m-line; add a track, a transceiver or a data channel before createOffer")]
    NoMedia,
    /// A line that must be there is not.
    #[error("{place} lacks {what}; {hint}")]
    Missing {
        /// Which m-line, or the session.
        place: Place,
        /// The attribute.
        what: &'static str,
        /// What to do.
        hint: &'static str,
    },
    /// A line that cannot be understood.
    #[error("{place}: a={attribute} reads {value}, but must be {expected}")]
    Invalid {
        /// Which m-line, or the session.
        place: Place,
        /// The attribute.
        attribute: &'static str,
        /// What it reads.
        value: Quoted,
        /// What it should be.
        expected: &'static str,
    },
    /// Something that must be unique is there twice.
    #[error("{place}: {what} {value} is used twice; each may stand once")]
    Twice {
        /// Where the second one is.
        place: Place,
        /// What.
        what: &'static str,
        /// Its value.
        value: Quoted,
    },
    /// RFC 8843 section 9.2.
    #[error("{place}: header extension {id} means different things in one bundle; give each its own number")]
    ExtensionConflict {
        /// Where the second meaning is.
        place: Place,
        /// The identifier.
        id: u8,
    },
    /// Two m-lines of a bundle with different certificates, or the peer changed its certificate.
    #[error(
        "{place}: the fingerprint differs from the connection's; to change certificates, leave and join again"
    )]
    FingerprintChanged {
        /// Where.
        place: Place,
    },
    /// Both sides would wait for the other (RFC 8445 section 6.1.1).
    #[error("the offer is ICE-lite and so is this node; one side must be full ICE")]
    BothLite,
    /// No codec that the node forwards.
    #[error("{place} offers no codec that this node forwards; offer {wanted}")]
    NoCodec {
        /// Which m-line.
        place: Place,
        /// What it forwards.
        wanted: &'static str,
    },
    /// RFC 8829 section 5.2.2: m-lines are never removed.
    #[error("the offer has {has} m-lines after {had}; keep ended ones with port 0 or inactive")]
    Shrunk {
        /// How many earlier.
        had: usize,
        /// How many now.
        has: usize,
    },
}

impl SdpError {
    /// A stable word for programs.
    pub fn code(&self) -> &'static str {
        match self {
            SdpError::TooLarge { .. } => "too_large",
            SdpError::NoCodec { .. } => "codec_unsupported",
            _ => "bad_sdp",
        }
    }

    /// The HTTP status that says the same.
    pub fn status(&self) -> u16 {
        match self {
            SdpError::TooLarge { .. } => 413,
            SdpError::NoCodec { .. } => 422,
            _ => 400,
        }
    }
}

/// Where in an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Ahead of the first m-line.
    Session,
    /// The m-line at this index, from 0.
    Section(usize),
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Place::Session => f.write_str("the session part"),
            Place::Section(index) => write!(f, "m-line {index} (from 0)"),
        }
    }
}

/// Foreign text made harmless for messages and logs: escaped and at most [`Quoted::CHARS`] characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quoted(String);

impl Quoted {
    /// How many characters are kept.
    pub const CHARS: usize = 40;

    /// Shortens and escapes.
    pub fn new(text: &str) -> Quoted {
        let kept: String = text.chars().take(Self::CHARS).flat_map(char::escape_debug).collect();
        let more = if text.chars().nth(Self::CHARS).is_some() { "…" } else { "" };
        Quoted(format!("\"{kept}{more}\""))
    }
}

impl std::fmt::Display for Quoted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Checks a count against its bound.
pub(super) fn bounded(count: usize, limit: usize, place: Place, what: &'static str) -> Result<(), SdpError> {
    if count > limit { Err(SdpError::TooMany { place, what, limit }) } else { Ok(()) }
}

/// Checks a text's size against [`super::limits::OFFER_BYTES`] or another bound.
pub(super) fn sized(text: &str, limit: usize) -> Result<(), SdpError> {
    if text.len() > limit { Err(SdpError::TooLarge { size: text.len(), limit }) } else { Ok(()) }
}
