//! Formats of RTP m-lines: payload types and what they stand for (RFC 3551 section 6, RFC 8866 section 6.6).

/// A payload type with its codec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Format {
    /// The payload type.
    pub payload_type: u8,
    /// The encoding name as written; names compare without case.
    pub name: String,
    /// Ticks a second of RTP timestamps.
    pub clock_rate: u32,
    /// Channels; 1 when nothing is said.
    pub channels: u8,
    /// The parameters of `a=fmtp`, as written.
    pub fmtp: Option<String>,
}

/// Static payload types that phones send without an rtpmap (RFC 3551 tables 4 and 5).
const STATIC: [(u8, &str, u32); 19] = [
    (0, "PCMU", 8_000),
    (3, "GSM", 8_000),
    (4, "G723", 8_000),
    (5, "DVI4", 8_000),
    (6, "DVI4", 16_000),
    (7, "LPC", 8_000),
    (8, "PCMA", 8_000),
    (9, "G722", 8_000),
    (10, "L16", 44_100),
    (11, "L16", 44_100),
    (12, "QCELP", 8_000),
    (13, "CN", 8_000),
    (15, "G728", 8_000),
    (16, "DVI4", 11_025),
    (17, "DVI4", 22_050),
    (18, "G729", 8_000),
    (26, "JPEG", 90_000),
    (31, "H261", 90_000),
    (34, "H263", 90_000),
];

/// The name that stands for a payload type without an rtpmap.
const UNKNOWN: &str = "";

impl Format {
    /// A format.
    pub fn new(payload_type: u8, name: &str, clock_rate: u32, channels: u8) -> Format {
        Format { payload_type, name: name.to_owned(), clock_rate, channels, fmtp: None }
    }

    /// With parameters.
    #[must_use]
    pub fn with_fmtp(mut self, fmtp: &str) -> Format {
        self.fmtp = Some(fmtp.to_owned());
        self
    }

    /// What a payload type means without an rtpmap. One that means nothing has an empty name and rate 0; it can be
    /// passed through, and nothing else.
    pub fn fixed(payload_type: u8) -> Format {
        let (_, name, rate) =
            STATIC.into_iter().find(|row| row.0 == payload_type).unwrap_or((payload_type, UNKNOWN, 0));
        Format::new(payload_type, name, rate, if payload_type == 10 { 2 } else { 1 })
    }

    /// The payload type that RFC 3551 gives this codec.
    pub fn fixed_number(name: &str, clock_rate: u32, channels: u8) -> Option<u8> {
        let fixed = STATIC.into_iter().map(|row| Format::fixed(row.0));
        fixed
            .into_iter()
            .find(|f| f.is_named(name) && f.clock_rate == clock_rate && f.channels == channels)
            .map(|f| f.payload_type)
    }

    /// Whether it has this encoding name.
    pub fn is_named(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// `telephone-event` (RFC 4733).
    pub fn is_event(&self) -> bool {
        self.is_named("telephone-event")
    }

    /// Comfort noise (RFC 3389).
    pub fn is_noise(&self) -> bool {
        self.is_named("CN")
    }

    /// Neither sound nor picture by itself: events, comfort noise, redundancy, retransmission, error correction.
    pub fn is_supplement(&self) -> bool {
        let others = ["red", "rtx", "ulpfec", "flexfec", "flexfec-03"];
        self.is_event() || self.is_noise() || others.into_iter().any(|name| self.is_named(name))
    }

    /// The same codec, whatever the number and however its parameters are written. Parameters matter for codecs whose
    /// packets would not be understood otherwise.
    pub fn is_same_codec(&self, other: &Format) -> bool {
        !self.name.is_empty()
            && self.is_named(&other.name)
            && self.has_rate_of(other)
            && self.packing() == other.packing()
    }

    /// The same clock and as many channels. Opus is announced with two whatever it has (RFC 7587 section 7); some devices
    /// write one.
    pub fn has_rate_of(&self, other: &Format) -> bool {
        self.clock_rate == other.clock_rate && (self.channels == other.channels || self.is_named("opus"))
    }

    /// The parameters that make packets of one codec unlike.
    fn packing(&self) -> Option<String> {
        let keys: &[(&str, &str)] = match self.name.to_ascii_lowercase().as_str() {
            // RFC 4867 section 8.1
            "amr" | "amr-wb" => &[
                ("octet-align", "0"),
                ("crc", "0"),
                ("robust-sorting", "0"),
                ("interleaving", ""),
                ("channels", "1"),
            ],
            // RFC 3952 section 5
            "ilbc" => &[("mode", "30")],
            // RFC 6184 section 8.1
            "h264" => &[("packetization-mode", "0"), ("profile-level-id", "42000a")],
            "vp9" => &[("profile-id", "0")],
            "rtx" => &[("apt", "")],
            _ => return None,
        };
        let value = |key: &str| self.parameter(key).map(str::to_ascii_lowercase);
        let values = keys.iter().map(|(key, default)| value(key).unwrap_or_else(|| (*default).to_owned()));
        Some(values.collect::<Vec<_>>().join(";"))
    }

    /// The value of a key in the parameters, `key=value;key=value`.
    pub fn parameter(&self, key: &str) -> Option<&str> {
        self.fmtp.as_deref()?.split(';').find_map(|pair| {
            let (name, value) = pair.split_once('=')?;
            name.trim().eq_ignore_ascii_case(key).then(|| value.trim())
        })
    }

    /// The value of `a=rtpmap`.
    pub fn rtpmap(&self) -> String {
        let Format { payload_type, name, clock_rate, channels, .. } = self;
        if *channels > 1 {
            format!("{payload_type} {name}/{clock_rate}/{channels}")
        } else {
            format!("{payload_type} {name}/{clock_rate}")
        }
    }
}
