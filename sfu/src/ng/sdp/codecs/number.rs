//! Payload types for codecs that are added.

use super::rules::CodecSpec;
use crate::ng::sdp::format::Format;

/// What codecs are when only their name is given: clock rate, channels, parameters.
const DEFAULTS: [(&str, u32, u8, Option<&str>); 15] = [
    ("PCMU", 8_000, 1, None),
    ("PCMA", 8_000, 1, None),
    ("G722", 8_000, 1, None),
    // RFC 7587 section 7: always 48000 and 2, whatever is encoded.
    ("opus", 48_000, 2, Some("useinbandfec=1")),
    ("G729", 8_000, 1, None),
    // RFC 4856 section 2.1.9: annex B is meant unless said otherwise; this name is how proxies ask to have it off.
    ("G729a", 8_000, 1, Some("annexb=no")),
    ("G723", 8_000, 1, None),
    ("GSM", 8_000, 1, None),
    ("iLBC", 8_000, 1, None),
    ("AMR", 8_000, 1, None),
    ("AMR-WB", 16_000, 1, None),
    ("speex", 16_000, 1, None),
    ("L16", 8_000, 1, None),
    ("telephone-event", 8_000, 1, Some("0-15")),
    ("CN", 8_000, 1, None),
];

/// The format that an entry asks for, without a number yet (0).
pub(super) fn wanted(spec: &CodecSpec) -> Format {
    let defaults = DEFAULTS.into_iter().find(|row| row.0.eq_ignore_ascii_case(&spec.name));
    let (name, rate, channels, fmtp) = defaults.unwrap_or((&spec.name, 8_000, 1, None));
    let name = if name == "G729a" { "G729" } else { name };
    let rate = spec.clock_rate.unwrap_or(rate);
    // Opus coded with one channel is announced with two nevertheless.
    let channels = if name == "opus" { 2 } else { spec.channels.unwrap_or(channels) };
    let mut format = Format::new(0, name, rate, channels);
    format.fmtp = spec.fmtp.clone().or(fmtp.map(str::to_owned));
    format
}

/// A number for a new format that none of the `taken` has: the static one, or a dynamic one. The range 64 to 95 is left
/// out, since RTCP looks like it on a common port (RFC 5761 section 4).
pub(super) fn number(format: &Format, taken: impl Fn(u8) -> bool) -> Option<u8> {
    let fixed = Format::fixed_number(&format.name, format.clock_rate, format.channels);
    let dynamic = (96..=127).chain(35..=63);
    fixed.into_iter().chain(dynamic).find(|number| !taken(*number))
}

/// A number for a telephone-event: 101 by custom.
pub(super) fn event_number(taken: impl Fn(u8) -> bool) -> Option<u8> {
    [101].into_iter().chain(96..=127).chain(35..=63).find(|number| !taken(*number))
}
