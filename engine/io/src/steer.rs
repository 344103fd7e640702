//! Which shard of a shared port a datagram belongs to.
//!
//! Whoever was heard before goes to the shard that validated the address. Whoever is new sends a connectivity check
//! (RFC 8445 section 7.2.2), whose user name begins with ours, and ours begins with a [`letter`] for the shard. An
//! eBPF program does this in the kernel where that is allowed; where not, the kernel spreads by hash, and a shard hands
//! over what is not its own.

use std::net::{IpAddr, SocketAddr};

#[cfg(target_os = "linux")]
mod ebpf;
#[cfg(target_os = "linux")]
mod program;

#[cfg(target_os = "linux")]
pub use ebpf::{SteerError, Steering, check};

/// The characters of user name fragments (RFC 8839 section 5.4) by the number of the shard that they name.
const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// What a user name fragment of this shard begins with; there are letters for 64 shards.
pub fn letter(shard: usize) -> char {
    char::from(LETTERS[shard % LETTERS.len()])
}

/// The shard that a user name fragment names.
pub fn named(fragment: &[u8]) -> Option<usize> {
    let first = fragment.first()?;
    LETTERS.iter().position(|letter| letter == first)
}

/// The shard that a connectivity check names, if it is one: looked for as the eBPF program does.
pub fn named_by_check(datagram: &[u8]) -> Option<usize> {
    let (header, mut attributes) = datagram.split_at_checked(HEADER_LEN)?;
    if header[..2] != BINDING_REQUEST || header[4..8] != MAGIC {
        return None;
    }
    for _ in 0..ATTRIBUTES {
        let [kind_high, kind_low, len_high, len_low, ..] = *attributes else { return None };
        let len = usize::from(u16::from_be_bytes([len_high, len_low]));
        if u16::from_be_bytes([kind_high, kind_low]) == USERNAME {
            return named(attributes.get(4..4 + len)?);
        }
        attributes = attributes.get(4 + len.next_multiple_of(4)..)?;
    }
    None
}

/// RFC 8489 section 5.
const HEADER_LEN: usize = 20;
const BINDING_REQUEST: [u8; 2] = [0, 1];
const MAGIC: [u8; 4] = 0x2112_a442_u32.to_be_bytes();
/// RFC 8489 section 14.3.
const USERNAME: u16 = 6;
/// Attributes that are looked at for the user name: browsers put it first.
const ATTRIBUTES: usize = 8;

/// An address as the kernel's table knows it: the local socket's number, the peer's address and port.
fn key(local: u32, remote: SocketAddr) -> [u8; KEY_LEN] {
    let mut key = [0; KEY_LEN];
    match remote.ip() {
        IpAddr::V4(v4) => key[12..16].copy_from_slice(&v4.octets()),
        IpAddr::V6(v6) => key[..16].copy_from_slice(&v6.octets()),
    }
    key[16..18].copy_from_slice(&remote.port().to_be_bytes());
    // One of [`crate::MAX_LOCALS`].
    key[18] = local as u8;
    key
}

/// Address, port, local socket, and room for the machine's alignment.
const KEY_LEN: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let mut check = [&[0, 1, 0, 0], &MAGIC[..], &[7; 12]].concat();
        for (kind, value) in attributes {
            check.extend(kind.to_be_bytes());
            check.extend((value.len() as u16).to_be_bytes());
            check.extend(*value);
            check.resize(check.len().next_multiple_of(4), 0);
        }
        check
    }

    #[test]
    fn every_shard_has_its_letter() {
        for shard in 0..64 {
            let fragment = format!("{}abc", letter(shard));
            assert_eq!(named(fragment.as_bytes()), Some(shard));
        }
        assert_eq!(named(b"-"), None);
        assert_eq!(named(b""), None);
    }

    #[test]
    fn a_check_names_its_shard_wherever_the_name_stands() {
        let name: &[u8] = b"Cxyz:them";
        assert_eq!(named_by_check(&check(&[(6, name)])), Some(2));
        assert_eq!(named_by_check(&check(&[(0x24, &[1; 5]), (0x802a, &[1; 8]), (6, name)])), Some(2));
        assert_eq!(named_by_check(&check(&[(0x24, &[1; 5])])), None);
        let late: Vec<(u16, &[u8])> =
            [(0x24, &[1; 4][..]); ATTRIBUTES].into_iter().chain([(6, name)]).collect();
        assert_eq!(named_by_check(&check(&late)), None);
    }

    #[test]
    fn what_is_no_check_names_none() {
        let mut answer = check(&[(6, b"Cxyz:them")]);
        answer[0] = 1;
        assert_eq!(named_by_check(&answer), None);
        for len in 0..24 {
            assert_eq!(named_by_check(&check(&[(6, b"Cxyz:them")])[..len]), None);
        }
        // A name that claims to be longer than the datagram.
        let mut long = check(&[(6, b"Cxyz")]);
        long[23] = 200;
        assert_eq!(named_by_check(&long), None);
    }
}
