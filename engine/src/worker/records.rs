//! What of a datagram's records may be the other side's. In the clear anyone can speak in the peer's name: what no peer
//! would say is told here, ahead of a library that would end the association for it.

use super::hello::may_come;
use crate::limits::HANDSHAKE_BYTES;

/// Records in the clear that a handshake may number: some tens, each repeated a few times. Beyond, a forged number would push the
/// peer's own out of the replay window.
pub(super) const CLEAR_RECORDS: u64 = 1024;

const CHANGE_CIPHER_SPEC: u8 = 20;
const HANDSHAKE: u8 = 22;

/// How many fragments of handshake messages a datagram has, protected ones counting as one a record. `None`: it has a record
/// that the other side would not send, or is malformed.
pub(super) fn fragments(datagram: &[u8], other_is_client: bool) -> Option<usize> {
    let mut rest = datagram;
    let mut count = 0;
    while !rest.is_empty() {
        // RFC 6347 section 4.1: type, version, epoch, sequence number, length.
        let (header, behind) = rest.split_first_chunk::<13>()?;
        let len = usize::from(u16::from_be_bytes([header[11], header[12]]));
        let (body, behind) = behind.split_at_checked(len).filter(|(body, _)| !body.is_empty())?;
        rest = behind;
        if header[3..5] != [0; 2] {
            count += usize::from(header[0] == HANDSHAKE);
            continue;
        }
        if u64::from_be_bytes([0, 0, header[5], header[6], header[7], header[8], header[9], header[10]])
            >= CLEAR_RECORDS
        {
            return None;
        }
        match header[0] {
            HANDSHAKE => count += messages(body, other_is_client)?,
            CHANGE_CIPHER_SPEC if body == [1] => {}
            _ => return None,
        }
    }
    Some(count)
}

/// Fragments of a record in the clear (RFC 6347 section 4.2.2: type, length, number, offset, length of the fragment).
fn messages(record: &[u8], other_is_client: bool) -> Option<usize> {
    let mut rest = record;
    let mut count = 0;
    while !rest.is_empty() {
        let (header, behind) = rest.split_first_chunk::<12>()?;
        let number = |at: usize| u32::from_be_bytes([0, header[at], header[at + 1], header[at + 2]]) as usize;
        let (len, offset, of_fragment) = (number(1), number(6), number(9));
        // Several messages may share a record, whole ones.
        let is_alone = count == 0 && behind.len() == of_fragment;
        let is_whole = offset == 0 && of_fragment == len;
        let fits = offset + of_fragment <= len && len <= HANDSHAKE_BYTES;
        if !fits || !(is_alone || is_whole) || !may_come(header[0], other_is_client) {
            return None;
        }
        rest = behind.get(of_fragment..)?;
        count += 1;
    }
    Some(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: u8, epoch: u8, number: u16, body: &[u8]) -> Vec<u8> {
        let mut record = vec![kind, 254, 253, 0, epoch, 0, 0, 0, 0];
        record.extend(number.to_be_bytes());
        record.extend((body.len() as u16).to_be_bytes());
        record.extend(body);
        record
    }

    fn message(kind: u8, len: u8, offset: u8, body: &[u8]) -> Vec<u8> {
        let mut message = vec![kind, 0, 0, len, 0, 1, 0, 0, offset, 0, 0, body.len() as u8];
        message.extend(body);
        message
    }

    #[test]
    fn a_flight_is_counted() {
        let whole = message(11, 20, 0, &[7; 20]);
        let mut flight = record(22, 0, 3, &[whole.clone(), message(16, 4, 0, &[1; 4])].concat());
        flight.extend(record(22, 0, 4, &message(15, 20, 8, &[1; 8])));
        flight.extend(record(20, 0, 5, &[1]));
        flight.extend(record(22, 1, 0, &[9; 40]));
        assert_eq!(fragments(&flight, true), Some(4));
        assert_eq!(fragments(&record(23, 1, 9, &[9; 40]), true), Some(0));
        for cut in 1..flight.len() {
            // Where a record ends, what is left is a flight too.
            let whole_records = [13 + 48, 13 + 48 + 13 + 20, 13 + 48 + 13 + 20 + 14];
            assert_eq!(fragments(&flight[..cut], true).is_some(), whole_records.contains(&cut), "{cut}");
        }
        assert_eq!(fragments(&record(22, 0, 0, &whole), false), Some(1));
    }

    #[test]
    fn what_no_peer_sends_is_refused() {
        let whole = message(11, 20, 0, &[7; 20]);
        let bad = [
            ("an alert in the clear", record(21, 0, 0, &[2, 40])),
            ("data in the clear", record(23, 0, 0, &[0; 40])),
            ("an unknown type", record(99, 0, 0, &[0; 40])),
            ("an empty record", record(22, 0, 0, &[])),
            ("a change of ciphers that says something else", record(20, 0, 0, &[1, 1])),
            ("a number out of reach", record(22, 0, CLEAR_RECORDS as u16, &whole)),
            ("a message of our own", record(22, 0, 0, &message(14, 20, 0, &[7; 20]))),
            ("a fragment past its message", record(22, 0, 0, &message(11, 20, 8, &[7; 20]))),
            ("fragments that share a record", record(22, 0, 0, &message(11, 40, 0, &[7; 20]).repeat(2))),
            ("half a header", record(22, 0, 0, &whole[..8])),
        ];
        for (what, datagram) in bad {
            assert_eq!(fragments(&datagram, true), None, "{what}");
        }
    }
}
