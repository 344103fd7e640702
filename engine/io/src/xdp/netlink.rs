//! Questions to the kernel about routes and neighbours, and its word of changes (rtnetlink(7)). Never waits, and
//! allocates nothing: it works on a shard's thread.

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use super::frame::Mac;
use super::message::{Attributes, Message, Messages, Question};
use super::routes::{Destination, NextHop};

/// What came from the kernel.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum News {
    /// The answer to [`Netlink::ask_route`].
    Answer(Destination, NextHop),
    /// A neighbour on our interface; no address: not reachable now.
    Neighbour { address: IpAddr, mac: Option<Mac>, stale: bool },
    /// The answer to [`Netlink::ask_neighbour`]: the kernel has none.
    NoNeighbour(IpAddr),
    /// Routes have changed, or the rules that choose among them.
    Routes,
    /// An interface has changed, or was added or removed.
    Links,
    /// More has changed than the kernel could tell us.
    Lost,
}

/// What a question was about.
#[derive(Clone, Copy, Debug)]
enum Asked {
    Route(Destination),
    Neighbour(IpAddr),
}

/// A netlink socket that is also told of changes.
pub(super) struct Netlink {
    socket: OwnedFd,
    interface: u32,
    sequence: u32,
    /// Questions under way: the kernel answers while it is asked, so these are a few.
    asked: Vec<(u32, Asked)>,
    buffer: Box<[u8]>,
}

/// What the kernel may say at once.
const BUFFER: usize = 32 * 1024;
/// Questions that are remembered; the kernel answers each at once.
const MAX_ASKED: usize = 64;
/// Messages read in one turn, so that a machine that changes its routes all the time still forwards.
const MESSAGES_A_TURN: usize = 64;

/// What we want to be told (`RTNLGRP_*`): bit `n - 1` for group `n`.
const GROUPS: i32 = libc::RTMGRP_LINK
    | libc::RTMGRP_NEIGH
    | libc::RTMGRP_IPV4_ROUTE
    | libc::RTMGRP_IPV6_ROUTE
    | libc::RTMGRP_IPV4_RULE
    | 1 << (libc::RTNLGRP_IPV6_RULE - 1);

impl Netlink {
    /// For the interface of this index.
    pub(super) fn open(interface: u32) -> io::Result<Netlink> {
        let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        // SAFETY: makes a new descriptor, or fails.
        let fd = unsafe { libc::socket(libc::AF_NETLINK, kind, libc::NETLINK_ROUTE) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel has just made this descriptor for us alone.
        let socket = unsafe { OwnedFd::from_raw_fd(fd) };
        let mut address = kernel();
        address.nl_groups = GROUPS as u32;
        // SAFETY: one address, and its size.
        let result = unsafe { libc::bind(fd, (&raw const address).cast(), ADDRESS_BYTES) };
        if result != 0 {
            return Err(io::Error::last_os_error());
        }
        let asked = Vec::with_capacity(MAX_ASKED);
        Ok(Netlink { socket, interface, sequence: 0, asked, buffer: vec![0; BUFFER].into_boxed_slice() })
    }

    /// Where would the kernel send from `from` to the destination?
    pub(super) fn ask_route(&mut self, from: IpAddr, destination: Destination) -> io::Result<()> {
        let sequence = self.note(Asked::Route(destination));
        self.send(Question::route(sequence, from, destination.to))
    }

    /// What does the kernel know of a neighbour?
    pub(super) fn ask_neighbour(&mut self, address: IpAddr) -> io::Result<()> {
        let sequence = self.note(Asked::Neighbour(address));
        self.send(Question::neighbour(sequence, self.interface, address))
    }

    /// The kernel shall look for a neighbour, or confirm it, as if it had a packet for it.
    pub(super) fn resolve(&mut self, address: IpAddr) -> io::Result<()> {
        self.send(Question::resolve(self.interface, address))
    }

    /// Remembers a question; its number.
    fn note(&mut self, asked: Asked) -> u32 {
        // Zero is for what asks nothing.
        self.sequence = self.sequence.wrapping_add(1).max(1);
        if self.asked.len() == MAX_ASKED {
            // Its answer was lost.
            self.asked.remove(0);
        }
        self.asked.push((self.sequence, asked));
        self.sequence
    }

    fn send(&self, question: Question) -> io::Result<()> {
        let (bytes, to) = (question.bytes(), kernel());
        // SAFETY: the bytes and the address live for the call, with their sizes.
        let sent = unsafe {
            let (base, fd) = (bytes.as_ptr().cast(), self.socket.as_raw_fd());
            libc::sendto(fd, base, bytes.len(), libc::MSG_DONTWAIT, (&raw const to).cast(), ADDRESS_BYTES)
        };
        if sent >= 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// Reads what is there, within its share of time; false: there may be more.
    pub(super) fn read(&mut self, mut each: impl FnMut(News)) -> bool {
        for _ in 0..MESSAGES_A_TURN {
            let mut from = kernel();
            let mut size = ADDRESS_BYTES;
            // SAFETY: buffer, address and its size are ours for the call, with their sizes.
            let len = unsafe {
                let (base, len, fd) = (self.buffer.as_mut_ptr(), self.buffer.len(), self.socket.as_raw_fd());
                libc::recvfrom(
                    fd,
                    base.cast(),
                    len,
                    libc::MSG_DONTWAIT,
                    (&raw mut from).cast(),
                    &raw mut size,
                )
            };
            match usize::try_from(len).map_err(|_| io::Error::last_os_error()) {
                // Only the kernel is believed.
                Ok(len) if from.nl_pid == 0 => self.understand(len, &mut each),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => each(News::Lost),
                Err(_) => return true,
            }
        }
        false
    }

    fn understand(&mut self, len: usize, each: &mut impl FnMut(News)) {
        let Netlink { interface, asked, buffer, .. } = self;
        for message in Messages::new(&buffer[..len.min(buffer.len())]) {
            // Word of changes answers nobody: its number is another's.
            let question = message.answers_us().then(|| take(asked, message.sequence)).flatten();
            match (message.kind, question) {
                (libc::RTM_NEWROUTE, Some(Asked::Route(destination))) => {
                    each(News::Answer(destination, next_hop(*interface, destination.to, &message)));
                }
                (libc::RTM_NEWROUTE | libc::RTM_DELROUTE | libc::RTM_NEWRULE | libc::RTM_DELRULE, _) => {
                    each(News::Routes);
                }
                (libc::RTM_NEWNEIGH | libc::RTM_DELNEIGH, _) => {
                    neighbour(*interface, &message).into_iter().for_each(&mut *each);
                }
                (libc::RTM_NEWLINK | libc::RTM_DELLINK, _) => each(News::Links),
                // No route: the kernel's socket will say so for each packet.
                (ERROR, Some(Asked::Route(destination))) => {
                    each(News::Answer(destination, NextHop::Elsewhere));
                }
                (ERROR, Some(Asked::Neighbour(address))) => each(News::NoNeighbour(address)),
                _ => {}
            }
        }
    }
}

const ERROR: u16 = libc::NLMSG_ERROR as u16;
const ADDRESS_BYTES: libc::socklen_t = size_of::<libc::sockaddr_nl>() as libc::socklen_t;

/// The kernel's address.
fn kernel() -> libc::sockaddr_nl {
    // SAFETY: all-zero is a valid address: the kernel, no group.
    let mut address: libc::sockaddr_nl = unsafe { std::mem::zeroed() };
    address.nl_family = libc::AF_NETLINK as u16;
    address
}

fn take(asked: &mut Vec<(u32, Asked)>, sequence: u32) -> Option<Asked> {
    let at = asked.iter().position(|(number, _)| *number == sequence)?;
    Some(asked.remove(at).1)
}

fn next_hop(interface: u32, to: IpAddr, message: &Message<'_>) -> NextHop {
    let (mut address, mut ours, mut mtu) = (to, false, None);
    for (kind, value) in message.attributes() {
        match kind {
            libc::RTA_OIF => ours = word(value) == Some(interface),
            libc::RTA_GATEWAY => address = ip(value).unwrap_or(address),
            // A gateway of the other family, behind its family's number.
            RTA_VIA => address = value.get(2..).and_then(ip).unwrap_or(address),
            // A tunnel's head is the kernel's to write.
            RTA_ENCAP | RTA_ENCAP_TYPE => return NextHop::Elsewhere,
            libc::RTA_METRICS => {
                let own = Attributes::new(value).find(|(kind, _)| *kind == RTAX_MTU);
                mtu = own.and_then(|(_, value)| word(value)).filter(|mtu| *mtu > 0);
            }
            _ => {}
        }
    }
    let unicast = message.body.get(RTM_TYPE) == Some(&libc::RTN_UNICAST);
    if ours && unicast { NextHop::Neighbour { address, mtu } } else { NextHop::Elsewhere }
}

/// linux/rtnetlink.h, as far as the libc crate lacks it for some C library.
const RTA_VIA: u16 = 18;
const RTA_ENCAP_TYPE: u16 = 21;
const RTA_ENCAP: u16 = 22;
const RTAX_MTU: u16 = 2;
/// Where `struct rtmsg` has the type, `struct ndmsg` the interface and the state.
const RTM_TYPE: usize = 7;
const NDM_INTERFACE: usize = 4;
const NDM_STATE: usize = 8;

fn neighbour(interface: u32, message: &Message<'_>) -> Option<News> {
    if word(message.body.get(NDM_INTERFACE..NDM_STATE)?)? != interface {
        return None;
    }
    let state = u16::from_ne_bytes(message.body.get(NDM_STATE..)?.first_chunk().copied()?);
    let find = |wanted| message.attributes().find(|(kind, _)| *kind == wanted).map(|(_, value)| value);
    let address = ip(find(libc::NDA_DST)?)?;
    const VALID: u16 = libc::NUD_REACHABLE
        | libc::NUD_STALE
        | libc::NUD_DELAY
        | libc::NUD_PROBE
        | libc::NUD_PERMANENT
        | libc::NUD_NOARP;
    let usable = state & VALID != 0 && message.kind == libc::RTM_NEWNEIGH;
    let mac = find(libc::NDA_LLADDR).and_then(|value| Mac::try_from(value).ok()).filter(|_| usable);
    Some(News::Neighbour { address, mac, stale: state & libc::NUD_STALE != 0 })
}

fn word(value: &[u8]) -> Option<u32> {
    value.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes))
}

fn ip(value: &[u8]) -> Option<IpAddr> {
    match value.len() {
        4 => value.first_chunk::<4>().map(|octets| IpAddr::from(*octets)),
        16 => value.first_chunk::<16>().map(|octets| IpAddr::from(*octets)),
        _ => None,
    }
}

impl AsFd for Netlink {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl std::fmt::Debug for Netlink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Netlink").field("interface", &self.interface).finish_non_exhaustive()
    }
}
