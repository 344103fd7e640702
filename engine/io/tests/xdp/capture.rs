//! Sees frames as they are on the wire (packet(7)), and puts some on it.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use super::PATIENCE;
use super::netns::Namespace;

/// A packet socket on one interface.
pub(super) struct Capture(std::fs::File);

/// A UDP datagram as it was on the wire.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) frame: Vec<u8>,
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) payload: Vec<u8>,
    /// The IPv4 header's and UDP's.
    pub(super) sums_good: bool,
}

impl Capture {
    pub(super) fn open(namespace: &Namespace, interface: &str) -> Capture {
        let name = std::ffi::CString::new(interface).expect("a name");
        namespace.run(|| {
            // SAFETY: makes a new descriptor, or fails.
            let fd = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW, i32::from(ALL)) };
            assert!(fd >= 0, "a packet socket: {}", std::io::Error::last_os_error());
            // SAFETY: the kernel has just made this descriptor for us alone.
            let fd = unsafe { OwnedFd::from_raw_fd(fd) };
            // SAFETY: all-zero is a valid address; the name ends with a zero byte.
            let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
            address.sll_family = libc::AF_PACKET as u16;
            address.sll_protocol = ALL;
            // SAFETY: as above.
            address.sll_ifindex = unsafe { libc::if_nametoindex(name.as_ptr()) } as i32;
            let time = libc::timeval { tv_sec: PATIENCE.as_secs() as libc::time_t, tv_usec: 0 };
            // SAFETY: one address and one timeval, with their sizes.
            let results = unsafe {
                let size = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
                let bound = libc::bind(fd.as_raw_fd(), (&raw const address).cast(), size);
                let size = size_of::<libc::timeval>() as libc::socklen_t;
                let option = (libc::SOL_SOCKET, libc::SO_RCVTIMEO);
                let timed =
                    libc::setsockopt(fd.as_raw_fd(), option.0, option.1, (&raw const time).cast(), size);
                (bound, timed)
            };
            assert_eq!(results, (0, 0), "{}", std::io::Error::last_os_error());
            Capture(fd.into())
        })
    }

    /// The next UDP datagram on the wire, whichever way.
    pub(super) fn next_udp(&mut self) -> Seen {
        loop {
            let mut frame = vec![0; 65_536];
            let len = self.0.read(&mut frame).expect("a frame in time");
            frame.truncate(len);
            if let Some(seen) = understand(frame) {
                return seen;
            }
        }
    }

    /// Puts a frame on the wire.
    pub(super) fn inject(&mut self, frame: &[u8]) {
        self.0.write_all(frame).expect("room");
    }
}

/// `ETH_P_ALL` as the wire has it.
const ALL: u16 = (libc::ETH_P_ALL as u16).to_be();

impl Seen {
    /// The same frame from its receiver to its sender. Exchanging words leaves the sums as they are.
    pub(super) fn turned_round(mut self) -> Vec<u8> {
        for (one, other, len) in [(0, 6, 6), (26, 30, 4), (34, 36, 2)] {
            for i in 0..len {
                self.frame.swap(one + i, other + i);
            }
        }
        self.frame
    }
}

fn understand(frame: Vec<u8>) -> Option<Seen> {
    let word = |at: usize| u16::from_be_bytes([frame[at], frame[at + 1]]);
    let (head, addresses, is_udp, head_good) = match word(12) {
        0x0800 => (20, 26..34, frame[23] == 17, sum(&[&frame[14..34]]) == 0xffff),
        0x86dd => (40, 22..54, frame[20] == 17, true),
        _ => return None,
    };
    if !is_udp {
        return None;
    }
    let begin = 14 + head;
    let end = begin + usize::from(word(begin + 4));
    let half = addresses.start + addresses.len() / 2;
    let ip = |bytes: &[u8]| match bytes.len() {
        4 => IpAddr::from(<[u8; 4]>::try_from(bytes).expect("four")),
        _ => IpAddr::from(<[u8; 16]>::try_from(bytes).expect("sixteen")),
    };
    let udp = &frame[begin..end];
    // RFC 768: a pseudo header of addresses, protocol and length.
    let pseudo = [&[0, 17], &udp[4..6]].concat();
    let udp_good = udp[6..8] != [0, 0] && sum(&[&frame[addresses.clone()], &pseudo, udp]) == 0xffff;
    Some(Seen {
        from: SocketAddr::new(ip(&frame[addresses.start..half]), word(begin)),
        to: SocketAddr::new(ip(&frame[half..addresses.end]), word(begin + 2)),
        payload: udp[8..].to_vec(),
        sums_good: head_good && udp_good,
        frame,
    })
}

/// RFC 1071, word by word; all ones if the checksum among the words is good.
fn sum(pieces: &[&[u8]]) -> u16 {
    let mut sum = 0_u32;
    for pair in pieces.concat().chunks(2) {
        sum += u32::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]));
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}
