//! Opening of data channels in band (RFC 8832).

use crate::limits::MAX_LABEL;

/// DATA_CHANNEL_ACK (section 5.2).
pub(super) const ACK: [u8; 1] = [2];

const OPEN: u8 = 3;

/// How what we send on a channel is delivered (section 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reliability {
    Reliable,
    /// At most so many repetitions.
    Retransmits(u32),
    /// For so many milliseconds.
    LifetimeMs(u32),
}

/// DATA_CHANNEL_OPEN (section 5.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Open {
    pub(super) unordered: bool,
    pub(super) reliability: Reliability,
    pub(super) label: String,
    pub(super) protocol: String,
}

/// A message of the opening protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Dcep {
    Open(Open),
    Ack,
}

/// `None`: malformed, or longer than we keep.
pub(super) fn parse(bytes: &[u8]) -> Option<Dcep> {
    if bytes == ACK {
        return Some(Dcep::Ack);
    }
    let (header, rest) = bytes.split_first_chunk::<12>()?;
    let [OPEN, kind, _, _, p0, p1, p2, p3, l0, l1, q0, q1] = *header else { return None };
    let parameter = u32::from_be_bytes([p0, p1, p2, p3]);
    let reliability = match kind & 0x7f {
        0 => Reliability::Reliable,
        1 => Reliability::Retransmits(parameter),
        2 => Reliability::LifetimeMs(parameter),
        _ => return None,
    };
    let (label_len, protocol_len) =
        (usize::from(u16::from_be_bytes([l0, l1])), usize::from(u16::from_be_bytes([q0, q1])));
    if label_len > MAX_LABEL || protocol_len > MAX_LABEL {
        return None;
    }
    let (label, rest) = rest.split_at_checked(label_len)?;
    let (protocol, rest) = rest.split_at_checked(protocol_len)?;
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
    let open =
        Open { unordered: kind & 0x80 != 0, reliability, label: text(label)?, protocol: text(protocol)? };
    rest.is_empty().then_some(Dcep::Open(open))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(kind: u8, label: &str, protocol: &str) -> Vec<u8> {
        let mut bytes = vec![3, kind, 1, 0, 0, 0, 0, 7];
        bytes.extend((label.len() as u16).to_be_bytes());
        bytes.extend((protocol.len() as u16).to_be_bytes());
        bytes.extend(label.as_bytes());
        bytes.extend(protocol.as_bytes());
        bytes
    }

    #[test]
    fn kinds_of_channels() {
        for (kind, unordered, reliability) in [
            (0x00, false, Reliability::Reliable),
            (0x80, true, Reliability::Reliable),
            (0x01, false, Reliability::Retransmits(7)),
            (0x81, true, Reliability::Retransmits(7)),
            (0x02, false, Reliability::LifetimeMs(7)),
            (0x82, true, Reliability::LifetimeMs(7)),
        ] {
            let want = Open { unordered, reliability, label: "chät".into(), protocol: "p".into() };
            assert_eq!(parse(&open(kind, "chät", "p")), Some(Dcep::Open(want)));
        }
        assert_eq!(parse(&open(3, "x", "")), None, "no such kind");
        assert_eq!(parse(&[2]), Some(Dcep::Ack));
    }

    #[test]
    fn malformed_openings() {
        let good = open(0, "label", "proto");
        for cut in 0..good.len() {
            assert_eq!(parse(&good[..cut]), None, "{cut}");
        }
        assert_eq!(parse(&[good.clone(), vec![0]].concat()), None, "a byte too many");
        let mut not_text = good;
        not_text[12] = 0xff;
        assert_eq!(parse(&not_text), None);
        assert!(parse(&open(0, &"x".repeat(MAX_LABEL), "")).is_some());
        assert_eq!(parse(&open(0, &"x".repeat(MAX_LABEL + 1), "")), None);
    }
}
