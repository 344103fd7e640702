//! H.265 (RFC 7798): single NAL units, aggregation packets and fragmentation units, without decoding order
//! numbers (`sprop-max-don-diff` 0, as WebRTC negotiates it).

use super::{PayloadError, Starts, aggregate_starts};

/// Slice segments of pictures that need no other (ITU-T H.265 table 7-1): BLA, IDR, CRA.
const IRAP: std::ops::RangeInclusive<u8> = 16..=23;
const LAST_SLICE: u8 = 31;
const VPS: u8 = 32;
const SPS: u8 = 33;
const PPS: u8 = 34;
const ACCESS_UNIT_DELIMITER: u8 = 35;
const PREFIX_SEI: u8 = 39;
const LAST_SINGLE: u8 = 47;
const AGGREGATION: u8 = 48;
const FRAGMENTATION: u8 = 49;

/// What begins in a packet with this payload.
///
/// A key frame begins at a video or sequence parameter set, or at the first slice segment of an intra random
/// access picture; so, with parameter sets in a packet of their own, twice with one timestamp.
///
/// # Errors
/// [`PayloadError::Truncated`], [`PayloadError::Length`] for a broken aggregate,
/// [`PayloadError::Unsupported`] for PACI packets and reserved ones.
#[inline]
pub fn starts(payload: &[u8]) -> Result<Starts, PayloadError> {
    // Section 1.1.4: the NAL unit header is two bytes, F, six bits of type, layer, temporal identifier.
    let &[first, _, ref rest @ ..] = payload else { return Err(PayloadError::Truncated) };
    match first >> 1 & 0x3f {
        0..=LAST_SINGLE => Ok(unit_starts(payload)),
        AGGREGATION => aggregate_starts(rest, unit_starts),
        FRAGMENTATION => {
            let (&header, fragment) = rest.split_first().ok_or(PayloadError::Truncated)?;
            // Section 4.4.3: S marks the first fragment; its data follows the NAL unit's own header bytes.
            if header & 0x80 == 0 {
                return Ok(Starts::default());
            }
            Ok(segment_starts(header & 0x3f, fragment.first().copied()))
        }
        _ => Err(PayloadError::Unsupported),
    }
}

fn unit_starts(unit: &[u8]) -> Starts {
    match unit {
        [first, _, rest @ ..] => segment_starts(first >> 1 & 0x3f, rest.first().copied()),
        _ => Starts::default(),
    }
}

/// `segment_header`: the byte behind the NAL unit header.
fn segment_starts(kind: u8, segment_header: Option<u8>) -> Starts {
    // ITU-T H.265 section 7.3.6.1: a slice segment header begins with first_slice_segment_in_pic_flag.
    let first_segment = segment_header.is_some_and(|byte| byte & 0x80 != 0);
    match kind {
        VPS | SPS => Starts { frame: true, key_frame: true },
        PPS | ACCESS_UNIT_DELIMITER | PREFIX_SEI => Starts { frame: true, key_frame: false },
        0..=LAST_SLICE => Starts { frame: first_segment, key_frame: first_segment && IRAP.contains(&kind) },
        _ => Starts::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: Result<Starts, PayloadError> = Ok(Starts { frame: true, key_frame: true });
    const FRAME: Result<Starts, PayloadError> = Ok(Starts { frame: true, key_frame: false });
    const NOTHING: Result<Starts, PayloadError> = Ok(Starts { frame: false, key_frame: false });

    #[test]
    fn single_units() {
        assert_eq!(starts(&[0x40, 1, 0x0c]), KEY); // VPS
        assert_eq!(starts(&[0x42, 1, 0x01]), KEY); // SPS
        assert_eq!(starts(&[0x44, 1, 0xc1]), FRAME); // PPS
        assert_eq!(starts(&[0x26, 1, 0xaf]), KEY); // IDR_W_RADL
        assert_eq!(starts(&[0x2a, 1, 0xaf]), KEY); // CRA
        assert_eq!(starts(&[0x26, 1, 0x2f]), NOTHING);
        assert_eq!(starts(&[0x02, 1, 0xd0]), FRAME); // TRAIL_R
        assert_eq!(starts(&[0x02, 1, 0x50]), NOTHING);
        assert_eq!(starts(&[0x02, 1]), NOTHING);
    }

    #[test]
    fn aggregates_and_fragments() {
        assert_eq!(starts(&[0x60, 1, 0, 3, 0x40, 1, 0x0c, 0, 3, 0x44, 1, 0xc1]), KEY);
        assert_eq!(starts(&[0x60, 1, 0, 3, 0x02, 1, 0xd0]), FRAME);
        assert_eq!(starts(&[0x60, 1, 0, 9, 0x02, 1, 0xd0]), Err(PayloadError::Length));
        assert_eq!(starts(&[0x60, 1]), Err(PayloadError::Truncated));
        assert_eq!(starts(&[0x62, 1, 0x93, 0xaf]), KEY);
        assert_eq!(starts(&[0x62, 1, 0x13, 0xaf]), NOTHING);
        assert_eq!(starts(&[0x62, 1, 0x81, 0xd0]), FRAME);
        assert_eq!(starts(&[0x62, 1]), Err(PayloadError::Truncated));
    }

    #[test]
    fn what_nobody_negotiates() {
        for kind in 50..64u8 {
            assert_eq!(starts(&[kind << 1, 1, 0x80]), Err(PayloadError::Unsupported));
        }
        assert_eq!(starts(&[]), Err(PayloadError::Truncated));
        assert_eq!(starts(&[0x40]), Err(PayloadError::Truncated));
    }
}
