//! H.264 (RFC 6184) in the packetisation modes 0 and 1: single NAL units, STAP-A and FU-A.

use super::{PayloadError, Starts, aggregate_starts};

const SLICE: u8 = 1;
const IDR_SLICE: u8 = 5;
const SEI: u8 = 6;
const SPS: u8 = 7;
const PPS: u8 = 8;
const ACCESS_UNIT_DELIMITER: u8 = 9;
const STAP_A: u8 = 24;
const FU_A: u8 = 28;

/// What begins in a packet with this payload.
///
/// A key frame begins at a sequence parameter set, or at the first slice of an IDR picture when the parameter
/// sets travel elsewhere. An encoder that sends both in packets of their own begins its key frame twice, with
/// one timestamp.
///
/// # Errors
/// [`PayloadError::Truncated`], [`PayloadError::Length`] for a broken aggregate,
/// [`PayloadError::Unsupported`] for the packets of packetisation mode 2 and the reserved ones.
#[inline]
pub fn starts(payload: &[u8]) -> Result<Starts, PayloadError> {
    let (&first, rest) = payload.split_first().ok_or(PayloadError::Truncated)?;
    match first & 0x1f {
        1..=23 => Ok(unit_starts(payload)),
        // Section 5.7.1
        STAP_A => aggregate_starts(rest, unit_starts),
        FU_A => {
            let (&header, fragment) = rest.split_first().ok_or(PayloadError::Truncated)?;
            // Section 5.8: S marks the first fragment; its data follows the NAL unit's own header byte.
            if header & 0x80 == 0 {
                return Ok(Starts::default());
            }
            Ok(slice_starts(header & 0x1f, fragment.first().copied()))
        }
        _ => Err(PayloadError::Unsupported),
    }
}

fn unit_starts(unit: &[u8]) -> Starts {
    match unit {
        [header, rest @ ..] => slice_starts(header & 0x1f, rest.first().copied()),
        [] => Starts::default(),
    }
}

/// `slice_header`: the byte behind the NAL unit header.
fn slice_starts(kind: u8, slice_header: Option<u8>) -> Starts {
    // ITU-T H.264 section 7.3.3: a slice header begins with first_mb_in_slice as an Exp-Golomb code, whose
    // zero is the single bit 1.
    let first_slice = slice_header.is_some_and(|byte| byte & 0x80 != 0);
    match kind {
        SPS => Starts { frame: true, key_frame: true },
        SEI | PPS | ACCESS_UNIT_DELIMITER => Starts { frame: true, key_frame: false },
        SLICE..=4 => Starts { frame: first_slice, key_frame: false },
        IDR_SLICE => Starts { frame: first_slice, key_frame: first_slice },
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
        assert_eq!(starts(&[0x67, 0x42]), KEY);
        assert_eq!(starts(&[0x65, 0x88]), KEY);
        assert_eq!(starts(&[0x65, 0x08]), NOTHING);
        assert_eq!(starts(&[0x41, 0x9a]), FRAME);
        assert_eq!(starts(&[0x41, 0x1a]), NOTHING);
        assert_eq!(starts(&[0x68, 0xce]), FRAME);
        assert_eq!(starts(&[0x41]), NOTHING);
        assert_eq!(starts(&[0x0c, 0xff]), NOTHING);
    }

    #[test]
    fn aggregates() {
        assert_eq!(starts(&[0x78, 0, 2, 0x67, 0x42, 0, 1, 0x68]), KEY);
        assert_eq!(starts(&[0x78, 0, 2, 0x41, 0x9a, 0, 2, 0x41, 0x1a]), FRAME);
        assert_eq!(starts(&[0x78, 0, 3, 0x67, 0x42]), Err(PayloadError::Length));
        assert_eq!(starts(&[0x78, 0, 0, 0, 1, 0x67]), Err(PayloadError::Length));
        assert_eq!(starts(&[0x78, 0, 1, 0x67, 0]), Err(PayloadError::Truncated));
        assert_eq!(starts(&[0x78]), Err(PayloadError::Truncated));
    }

    #[test]
    fn fragments() {
        assert_eq!(starts(&[0x7c, 0x85, 0x88]), KEY);
        assert_eq!(starts(&[0x7c, 0x05, 0x88]), NOTHING);
        assert_eq!(starts(&[0x7c, 0x45, 0x88]), NOTHING);
        assert_eq!(starts(&[0x5c, 0x81, 0x9a]), FRAME);
        assert_eq!(starts(&[0x7c]), Err(PayloadError::Truncated));
    }

    #[test]
    fn what_nobody_negotiates() {
        for kind in [0, 25, 26, 27, 29, 30, 31] {
            assert_eq!(starts(&[kind, 0, 0, 0]), Err(PayloadError::Unsupported));
        }
        assert_eq!(starts(&[]), Err(PayloadError::Truncated));
    }
}
