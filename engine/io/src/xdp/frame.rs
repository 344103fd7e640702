//! Ethernet, IPv4 (RFC 791), IPv6 (RFC 8200) and UDP (RFC 768) headers: written ahead of a packet that leaves, read off
//! a frame that came.

use std::net::{IpAddr, SocketAddr};

use super::checksum::Sum;

/// An Ethernet address.
pub(super) type Mac = [u8; 6];

pub(super) const ETHERNET: usize = 14;
const IPV4: usize = 20;
const IPV6: usize = 40;
const UDP: usize = 8;

/// Room for the longest headers. Packets then begin on a cache line, which is where the ciphers are fastest.
pub(super) const HEAD_ROOM: usize = 64;
const _: () = assert!(ETHERNET + IPV6 + UDP <= HEAD_ROOM, "the headers fit");

const TYPE_IPV4: [u8; 2] = [0x08, 0x00];
const TYPE_IPV6: [u8; 2] = [0x86, 0xdd];
const PROTOCOL_UDP: u8 = 17;
/// As Linux sends by default.
const HOP_LIMIT: u8 = 64;

/// Bytes of IP and UDP headers towards an address.
pub(super) fn overhead(to: IpAddr) -> usize {
    if to.is_ipv4() { IPV4 + UDP } else { IPV6 + UDP }
}

/// Both ends of the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) from: Mac,
    pub(super) to: Mac,
}

/// Completes a frame whose packet lies behind [`HEAD_ROOM`]; returns where the frame begins. `None`: the addresses are of
/// two families, or the packet is too long for its headers.
///
/// The UDP checksum is written for IPv4 too, though RFC 768 lets it be zero there: translators to IPv6 must drop a
/// packet without one or compute it (RFC 7915 section 4.5), and it costs little beside the encryption.
pub(super) fn complete(frame: &mut [u8], link: Link, from: SocketAddr, to: SocketAddr) -> Option<usize> {
    let (head, packet) = frame.split_at_mut_checked(HEAD_ROOM)?;
    let udp_len = u16::try_from(UDP + packet.len()).ok()?;
    let start = HEAD_ROOM - ETHERNET - overhead(to.ip());
    let (ethernet, ip) = head[start..].split_at_mut(ETHERNET);
    ethernet[..6].copy_from_slice(&link.to);
    ethernet[6..12].copy_from_slice(&link.from);
    let (ip, udp) = ip.split_at_mut(ip.len() - UDP);
    udp[..2].copy_from_slice(&from.port().to_be_bytes());
    udp[2..4].copy_from_slice(&to.port().to_be_bytes());
    udp[4..6].copy_from_slice(&udp_len.to_be_bytes());
    udp[6..].fill(0);
    // The pseudo header: addresses, protocol and length (RFC 768, RFC 8200 section 8.1).
    let pseudo = Sum::default().add_u16(u16::from(PROTOCOL_UDP)).add_u16(udp_len);
    let pseudo = match (from.ip(), to.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            ethernet[12..].copy_from_slice(&TYPE_IPV4);
            let total = udp_len.checked_add(IPV4 as u16)?.to_be_bytes();
            // Version and length, no service class; no identification, and "do not fragment" as Linux sets it for
            // UDP (RFC 6864 section 4.1 allows any identification then).
            ip[..4].copy_from_slice(&[0x45, 0, total[0], total[1]]);
            ip[4..12].copy_from_slice(&[0, 0, 0x40, 0, HOP_LIMIT, PROTOCOL_UDP, 0, 0]);
            ip[12..16].copy_from_slice(&from.octets());
            ip[16..].copy_from_slice(&to.octets());
            let sum = Sum::default().add(ip).finish();
            ip[10..12].copy_from_slice(&sum);
            pseudo.add(&ip[12..])
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            ethernet[12..].copy_from_slice(&TYPE_IPV6);
            ip[..4].copy_from_slice(&[0x60, 0, 0, 0]);
            ip[4..6].copy_from_slice(&udp_len.to_be_bytes());
            ip[6..8].copy_from_slice(&[PROTOCOL_UDP, HOP_LIMIT]);
            ip[8..24].copy_from_slice(&from.octets());
            ip[24..].copy_from_slice(&to.octets());
            pseudo.add(&ip[8..])
        }
        _ => return None,
    };
    let sum = pseudo.add(udp).add(packet).finish_udp();
    udp[6..].copy_from_slice(&sum);
    Some(start)
}

/// A UDP datagram in a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Datagram {
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    /// Where its payload begins in the frame, and how long it is.
    pub(super) offset: usize,
    pub(super) len: usize,
    /// The two bits of RFC 3168 section 5.
    pub(super) ecn: u8,
}

/// Reads what the filter lets through: UDP over IPv4 without options or fragments, or over IPv6 without extension
/// headers. `None`: something else, or lengths that contradict each other.
///
/// The UDP checksum is not looked at: a sender on the same host leaves it to a device that is not there, and whatever
/// the shard believes is authenticated. The IPv4 header's own is, since nothing else holds its addresses.
pub(super) fn read(frame: &[u8]) -> Option<Datagram> {
    let (ethernet, ip) = frame.split_at_checked(ETHERNET)?;
    let (from, to, head, udp_len, ecn): (IpAddr, IpAddr, usize, usize, u8) =
        match [ethernet[12], ethernet[13]] {
            TYPE_IPV4 => {
                let head = ip.first_chunk::<IPV4>()?;
                let whole = head[0] == 0x45 && u16::from_be_bytes([head[6], head[7]]) & 0x3fff == 0;
                if !whole || head[9] != PROTOCOL_UDP || Sum::default().add(head).finish() != [0, 0] {
                    return None;
                }
                let total = usize::from(u16::from_be_bytes([head[2], head[3]]));
                let (from, to) = (octets::<4>(head, 12)?, octets::<4>(head, 16)?);
                (from.into(), to.into(), IPV4, total.checked_sub(IPV4)?, head[1] & 3)
            }
            TYPE_IPV6 => {
                let head = ip.first_chunk::<IPV6>()?;
                if head[0] >> 4 != 6 || head[6] != PROTOCOL_UDP {
                    return None;
                }
                let (from, to) = (octets::<16>(head, 8)?, octets::<16>(head, 24)?);
                let len = usize::from(u16::from_be_bytes([head[4], head[5]]));
                // The traffic class lies across two bytes, its last bits high in the second.
                (from.into(), to.into(), IPV6, len, head[1] >> 4 & 3)
            }
            _ => return None,
        };
    // What lies behind the datagram is the link's padding.
    let datagram = ip.get(head..head + udp_len)?;
    let udp = datagram.first_chunk::<UDP>()?;
    let stated = usize::from(u16::from_be_bytes([udp[4], udp[5]]));
    if !(UDP..=udp_len).contains(&stated) {
        return None;
    }
    Some(Datagram {
        from: SocketAddr::new(from, u16::from_be_bytes([udp[0], udp[1]])),
        to: SocketAddr::new(to, u16::from_be_bytes([udp[2], udp[3]])),
        offset: ETHERNET + head + UDP,
        len: stated - UDP,
        ecn,
    })
}

fn octets<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LINK: Link = Link { from: [2, 0, 0, 0, 0, 1], to: [2, 0, 0, 0, 0, 2] };

    fn frame(packet: &[u8], from: &str, to: &str) -> (Vec<u8>, usize) {
        let mut frame = vec![0xee; HEAD_ROOM];
        frame.extend_from_slice(packet);
        let (from, to) = (from.parse().expect("an address"), to.parse().expect("an address"));
        let start = complete(&mut frame, LINK, from, to).expect("one family");
        (frame, start)
    }

    #[test]
    fn an_ipv4_frame_byte_by_byte() {
        let (frame, start) = frame(b"abc", "192.0.2.1:7801", "192.0.2.2:5004");
        // The sums are from another program.
        let expected = [
            2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x08, 0x00, // Ethernet
            0x45, 0, 0, 31, 0, 0, 0x40, 0, 64, 17, 0xb6, 0xca, 192, 0, 2, 1, 192, 0, 2, 2, // IPv4
            0x1e, 0x79, 0x13, 0x8c, 0, 11, 0x85, 0x6c, b'a', b'b', b'c',
        ];
        assert_eq!(&frame[start..], expected);
    }

    #[test]
    fn two_families_make_no_frame() {
        let (from, to) = ("192.0.2.1:1".parse().expect("v4"), "[2001:db8::1]:1".parse().expect("v6"));
        assert_eq!(complete(&mut [0; 100], LINK, from, to), None);
        assert_eq!(complete(&mut [0; 10], LINK, from, from), None, "no head room");
    }

    fn addresses() -> impl Strategy<Value = (SocketAddr, SocketAddr)> {
        let v4 = any::<([u8; 4], [u8; 4], u16, u16)>()
            .prop_map(|(a, b, p, q)| (SocketAddr::from((a, p)), SocketAddr::from((b, q))));
        let v6 = any::<([u8; 16], [u8; 16], u16, u16)>()
            .prop_map(|(a, b, p, q)| (SocketAddr::from((a, p)), SocketAddr::from((b, q))));
        prop_oneof![v4, v6]
    }

    proptest! {
        /// What is written is read back, and its sums are good by the receiver's rule: the sum over everything,
        /// checksum included, is all ones.
        #[test]
        fn written_and_read(
            (from, to) in addresses(),
            packet in proptest::collection::vec(any::<u8>(), 0..1500),
            padding in 0_usize..20,
        ) {
            let mut frame = vec![0; HEAD_ROOM];
            frame.extend_from_slice(&packet);
            let start = complete(&mut frame, LINK, from, to).expect("one family");
            let udp = &frame[HEAD_ROOM - UDP..];
            let ends = match (from.ip(), to.ip()) {
                (IpAddr::V4(from), IpAddr::V4(to)) => [from.octets(), to.octets()].concat(),
                (IpAddr::V6(from), IpAddr::V6(to)) => [from.octets(), to.octets()].concat(),
                _ => unreachable!("of one family"),
            };
            let pseudo = Sum::default().add(&ends).add_u16(17).add_u16(udp.len() as u16);
            prop_assert_eq!(pseudo.add(udp).finish(), [0, 0]);
            prop_assert_ne!(&udp[6..8], &[0, 0]);
            let (offset, len) = (HEAD_ROOM - start, packet.len());
            frame.extend(vec![0xaa; padding]);
            prop_assert_eq!(read(&frame[start..]), Some(Datagram { from, to, offset, len, ecn: 0 }));
        }

        /// No bytes make it panic, and what it finds lies in the frame.
        #[test]
        fn hostile_frames(
            (from, to) in addresses(),
            packet in proptest::collection::vec(any::<u8>(), 0..60),
            changes in proptest::collection::vec((0_usize..124, any::<u8>()), 0..4),
            cut in 0_usize..124,
        ) {
            let mut frame = vec![0; HEAD_ROOM];
            frame.extend_from_slice(&packet);
            let start = complete(&mut frame, LINK, from, to).expect("one family");
            let frame = &mut frame[start..];
            for (at, value) in changes {
                if let Some(byte) = frame.get_mut(at) {
                    *byte = value;
                }
            }
            let frame = &frame[..cut.min(frame.len())];
            if let Some(datagram) = read(frame) {
                prop_assert!(datagram.offset + datagram.len <= frame.len());
            }
        }
    }

    #[test]
    fn what_belongs_to_the_kernel_is_not_read() {
        let (good, start) = frame(b"abc", "192.0.2.1:1", "192.0.2.2:2");
        let good = &good[start..];
        assert!(read(good).is_some());
        for (at, value, what) in [
            (12, 0x81, "a VLAN tag"),
            (14, 0x46, "options"),
            (20, 0x20, "a first fragment"),
            (21, 0x01, "a later fragment"),
            (23, 6, "TCP"),
            (26, 0, "a header that does not match its sum"),
        ] {
            let mut bad = good.to_vec();
            bad[at] = value;
            assert_eq!(read(&bad), None, "{what}");
        }
    }
}
