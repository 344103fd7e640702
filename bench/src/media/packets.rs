//! H.264 in RTP packets (RFC 6184, packetization mode 1), out and back.

use std::collections::BTreeMap;

/// The largest payload: an Ethernet frame less IPv6, UDP, RTP with extensions, SRTP and RTX headers.
const PAYLOAD_MAX: usize = 1150;
/// Packets held for a gap before it is given up. A repair takes a few round trips, not seconds.
const REORDER_MAX: usize = 256;
/// NAL unit type of a fragment (RFC 6184 section 5.8) and of an aggregate (section 5.7.1).
const FU_A: u8 = 28;
const STAP_A: u8 = 24;

/// The NAL units of an Annex B byte stream, without start codes.
pub fn nal_units(stream: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = stream;
    std::iter::from_fn(move || {
        loop {
            let start = find_start_code(rest)? + 3;
            let after = &rest[start..];
            let end = find_start_code(after).unwrap_or(after.len());
            rest = &after[end..];
            // A four-byte start code leaves its first zero behind the unit before.
            let unit = after[..end].strip_suffix(&[0]).unwrap_or(&after[..end]);
            if !unit.is_empty() {
                return Some(unit);
            }
        }
    })
}

fn find_start_code(bytes: &[u8]) -> Option<usize> {
    bytes.windows(3).position(|w| w == [0, 0, 1])
}

/// The RTP payloads of an access unit, in order. The last one carries the marker.
pub fn packetize(access_unit: &[u8]) -> Vec<Vec<u8>> {
    let mut payloads = Vec::new();
    for nal in nal_units(access_unit) {
        if nal.len() <= PAYLOAD_MAX {
            payloads.push(nal.to_vec());
            continue;
        }
        // Equal fragments rather than full ones and a crumb.
        let body = &nal[1..];
        let pieces = body.len().div_ceil(PAYLOAD_MAX - 2);
        let size = body.len().div_ceil(pieces);
        for (index, piece) in body.chunks(size).enumerate() {
            let start = u8::from(index == 0) << 7;
            let end = u8::from(index == pieces - 1) << 6;
            let mut payload = vec![nal[0] & 0xe0 | FU_A, start | end | nal[0] & 0x1f];
            payload.extend_from_slice(piece);
            payloads.push(payload);
        }
    }
    payloads
}

/// One RTP packet as the assembler sees it.
struct Held {
    timestamp: u32,
    marker: bool,
    payload: Vec<u8>,
}

/// Puts packets in order and access units together.
#[derive(Default)]
pub struct Assembler {
    held: BTreeMap<u64, Held>,
    next: Option<u64>,
    unit: Vec<u8>,
    unit_timestamp: Option<u32>,
    /// The unit in the making has a hole.
    torn: bool,
    gaps: u64,
}

impl Assembler {
    /// Takes a packet by its extended sequence number and returns the access units that it completes.
    pub fn push(&mut self, sequence: u64, timestamp: u32, marker: bool, payload: &[u8]) -> Vec<Vec<u8>> {
        let next = *self.next.get_or_insert(sequence);
        if sequence >= next {
            self.held.insert(sequence, Held { timestamp, marker, payload: payload.to_vec() });
        }
        let mut units = Vec::new();
        while let Some((&first, _)) = self.held.first_key_value() {
            let next = self.next.unwrap_or(first);
            if first != next {
                if self.held.len() < REORDER_MAX {
                    break;
                }
                self.gaps += first - next;
                self.torn = true;
            }
            if let Some(held) = self.held.remove(&first) {
                self.next = Some(first + 1);
                units.extend(self.append(&held));
            }
        }
        units
    }

    /// Packets given up so far.
    pub fn gaps(&self) -> u64 {
        self.gaps
    }

    fn append(&mut self, packet: &Held) -> Option<Vec<u8>> {
        if self.unit_timestamp.is_some_and(|t| t != packet.timestamp) {
            // The marker was lost with its packet: begin anew.
            self.unit.clear();
        }
        self.unit_timestamp = Some(packet.timestamp);
        append_nal(&mut self.unit, &packet.payload);
        if !packet.marker {
            return None;
        }
        self.unit_timestamp = None;
        let unit = std::mem::take(&mut self.unit);
        let torn = std::mem::take(&mut self.torn);
        (!torn && !unit.is_empty()).then_some(unit)
    }
}

fn append_nal(unit: &mut Vec<u8>, payload: &[u8]) {
    const START_CODE: [u8; 4] = [0, 0, 0, 1];
    match payload {
        [indicator, header, body @ ..] if indicator & 0x1f == FU_A => {
            if header & 0x80 != 0 {
                unit.extend_from_slice(&START_CODE);
                unit.push(indicator & 0xe0 | header & 0x1f);
            }
            unit.extend_from_slice(body);
        }
        [indicator, body @ ..] if indicator & 0x1f == STAP_A => {
            let mut rest = body;
            while let [high, low, tail @ ..] = rest {
                let size = usize::from(u16::from_be_bytes([*high, *low]));
                let Some((nal, after)) = tail.split_at_checked(size) else { return };
                unit.extend_from_slice(&START_CODE);
                unit.extend_from_slice(nal);
                rest = after;
            }
        }
        [] => {}
        nal => {
            unit.extend_from_slice(&START_CODE);
            unit.extend_from_slice(nal);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(sizes: &[usize]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (index, size) in sizes.iter().enumerate() {
            bytes.extend_from_slice(&[0, 0, 0, 1, 0x65]);
            bytes.extend((0..*size).map(|i| 1 + ((i + index) % 250) as u8));
        }
        bytes
    }

    #[test]
    fn units_come_back_whole() {
        let sent = stream(&[10, 5000, 1149]);
        let payloads = packetize(&sent);
        assert!(payloads.iter().all(|p| p.len() <= PAYLOAD_MAX));
        let mut assembler = Assembler::default();
        let mut got = Vec::new();
        for (i, payload) in payloads.iter().enumerate() {
            got.extend(assembler.push(100 + i as u64, 9000, i + 1 == payloads.len(), payload));
        }
        assert_eq!(got, [sent]);
    }

    #[test]
    fn disorder_is_put_right_and_a_hole_drops_the_unit() {
        let sent = stream(&[3000]);
        let payloads = packetize(&sent);
        let last = payloads.len() - 1;
        let mut assembler = Assembler::default();
        assert!(assembler.push(0, 1, true, &[0x65, 1]).len() == 1);
        for i in (0..=last).rev() {
            let done = assembler.push(1 + i as u64, 2, i == last, &payloads[i]);
            assert_eq!(done.len(), usize::from(i == 0));
        }
        // Sequence number `last + 2` never comes.
        let from = last as u64 + 3;
        let units: usize =
            (0..400).map(|i| assembler.push(from + i, 10 + i as u32, true, &[0x65, 1]).len()).sum();
        assert_eq!(assembler.gaps(), 1);
        // The unit right behind the hole is not trusted.
        assert_eq!(units, 399);
    }

    #[test]
    fn nothing_panics_on_crumbs() {
        let mut assembler = Assembler::default();
        for (i, payload) in [&[][..], &[28], &[24, 0], &[24, 0, 9, 1], &[28, 0x80]].iter().enumerate() {
            assembler.push(i as u64, 1, i % 2 == 0, payload);
        }
        assert_eq!(nal_units(&[0, 0, 1]).count(), 0);
        assert_eq!(
            nal_units(&[0, 0, 0, 1, 0x67, 9, 0, 0, 1, 0x68]).collect::<Vec<_>>(),
            [&[0x67, 9][..], &[0x68]]
        );
    }
}
