//! Questions to the kernel about routes and neighbours, and its word of changes (rtnetlink(7)). Never waits.

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd};

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState,
};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteMessage, RouteMetric, RouteType, RouteVia,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

use super::frame::Mac;
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
    /// Routes have changed.
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
    socket: Socket,
    interface: u32,
    sequence: u32,
    /// Questions under way: the kernel answers while it is asked, so these are a few.
    asked: Vec<(u32, Asked)>,
    buffer: Vec<u8>,
}

/// What the kernel may say at once.
const BUFFER: usize = 32 * 1024;
/// A neighbour's link address.
const MAC_BYTES: usize = 6;
/// Questions that are remembered; the kernel answers each at once.
const MAX_ASKED: usize = 64;
/// Messages read in one turn, so that a machine that changes its routes all the time still forwards.
const MESSAGES_A_TURN: usize = 64;

impl Netlink {
    /// For the interface of this index.
    pub(super) fn open(interface: u32) -> io::Result<Netlink> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        let groups =
            libc::RTMGRP_LINK | libc::RTMGRP_NEIGH | libc::RTMGRP_IPV4_ROUTE | libc::RTMGRP_IPV6_ROUTE;
        socket.bind(&SocketAddr::new(0, groups as u32))?;
        socket.set_non_blocking(true)?;
        let asked = Vec::with_capacity(MAX_ASKED);
        Ok(Netlink { socket, interface, sequence: 0, asked, buffer: Vec::with_capacity(BUFFER) })
    }

    /// Where would the kernel send from `from` to the destination?
    pub(super) fn ask_route(&mut self, from: IpAddr, destination: Destination) -> io::Result<()> {
        let mut message = RouteMessage::default();
        message.header.address_family = family(destination.to);
        message.header.destination_prefix_length = prefix(destination.to);
        message.header.source_prefix_length = prefix(from);
        message.attributes = vec![
            RouteAttribute::Destination(RouteAddress::from(destination.to)),
            RouteAttribute::Source(RouteAddress::from(from)),
        ];
        self.send(RouteNetlinkMessage::GetRoute(message), 0, Some(Asked::Route(destination)))
    }

    /// What does the kernel know of a neighbour?
    pub(super) fn ask_neighbour(&mut self, address: IpAddr) -> io::Result<()> {
        let message = self.neighbour(address);
        self.send(RouteNetlinkMessage::GetNeighbour(message), 0, Some(Asked::Neighbour(address)))
    }

    /// The kernel shall look for a neighbour, or confirm it, as if it had a packet for it.
    pub(super) fn resolve(&mut self, address: IpAddr) -> io::Result<()> {
        let mut message = self.neighbour(address);
        message.header.flags = NeighbourFlags::Use;
        self.send(RouteNetlinkMessage::NewNeighbour(message), NLM_F_CREATE, None)
    }

    fn neighbour(&self, address: IpAddr) -> NeighbourMessage {
        let mut message = NeighbourMessage::default();
        message.header.family = family(address);
        message.header.ifindex = self.interface;
        message.header.state = NeighbourState::None;
        message.attributes = vec![NeighbourAttribute::Destination(NeighbourAddress::from(address))];
        message
    }

    fn send(&mut self, message: RouteNetlinkMessage, flags: u16, asked: Option<Asked>) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | flags | if asked.is_some() { NLM_F_ACK } else { 0 };
        header.sequence_number = self.sequence;
        let mut message = NetlinkMessage::new(header, NetlinkPayload::from(message));
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        if let Some(asked) = asked {
            if self.asked.len() == MAX_ASKED {
                // Its answer was lost.
                self.asked.remove(0);
            }
            self.asked.push((self.sequence, asked));
        }
        self.socket.send_to(&bytes, &SocketAddr::new(0, 0), 0).map(drop)
    }

    /// Reads what is there, within its share of time; false: there may be more.
    pub(super) fn read(&mut self, mut each: impl FnMut(News)) -> bool {
        for _ in 0..MESSAGES_A_TURN {
            self.buffer.clear();
            match self.socket.recv_from(&mut self.buffer, libc::MSG_DONTWAIT) {
                Ok((_, from)) if from.port_number() == 0 => {}
                // Only the kernel is believed.
                Ok(_) => continue,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {
                    each(News::Lost);
                    continue;
                }
                Err(_) => return true,
            }
            self.split(&mut each);
        }
        false
    }

    /// The messages of one datagram.
    fn split(&mut self, each: &mut impl FnMut(News)) {
        let buffer = std::mem::take(&mut self.buffer);
        let mut rest = buffer.as_slice();
        while let Some(len) = rest.first_chunk::<4>().map(|len| u32::from_ne_bytes(*len) as usize) {
            let Some(bytes) = rest.get(..len).filter(|bytes| bytes.len() >= HEADER) else { break };
            match NetlinkMessage::deserialize(bytes) {
                Ok(message) => self.understand(message, each),
                // A kernel that says more than the crate knows: look at everything again.
                Err(_) => each(News::Links),
            }
            rest = rest.get(len.next_multiple_of(4)..).unwrap_or_default();
        }
        self.buffer = buffer;
    }

    fn understand(&mut self, message: NetlinkMessage<RouteNetlinkMessage>, each: &mut impl FnMut(News)) {
        let (header, payload) = message.into_parts();
        match payload {
            NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewRoute(route)) => {
                match self.asked_by(header.sequence_number, header.port_number) {
                    Some(Asked::Route(destination)) => {
                        each(News::Answer(destination, self.next_hop(destination, &route)))
                    }
                    _ => each(News::Routes),
                }
            }
            NetlinkPayload::InnerMessage(RouteNetlinkMessage::DelRoute(_)) => each(News::Routes),
            NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewNeighbour(message)) => {
                self.asked_by(header.sequence_number, header.port_number);
                self.neighbour_news(&message, false).into_iter().for_each(each);
            }
            NetlinkPayload::InnerMessage(RouteNetlinkMessage::DelNeighbour(message)) => {
                self.neighbour_news(&message, true).into_iter().for_each(each);
            }
            NetlinkPayload::InnerMessage(
                RouteNetlinkMessage::NewLink(_) | RouteNetlinkMessage::DelLink(_),
            ) => each(News::Links),
            NetlinkPayload::Error(_) => match self.asked_by(header.sequence_number, header.port_number) {
                // No route: the kernel's socket will say so for each packet.
                Some(Asked::Route(destination)) => each(News::Answer(destination, NextHop::Elsewhere)),
                Some(Asked::Neighbour(address)) => each(News::NoNeighbour(address)),
                None => {}
            },
            _ => {}
        }
    }

    /// Takes the question that a message answers; word of changes answers none.
    fn asked_by(&mut self, sequence: u32, port: u32) -> Option<Asked> {
        let at = self.asked.iter().position(|(asked, _)| *asked == sequence && port != 0)?;
        Some(self.asked.remove(at).1)
    }

    fn next_hop(&self, destination: Destination, route: &RouteMessage) -> NextHop {
        let mut hop = destination.to;
        let (mut ours, mut mtu) = (false, None);
        for attribute in &route.attributes {
            match attribute {
                RouteAttribute::Oif(index) => ours = *index == self.interface,
                RouteAttribute::Gateway(RouteAddress::Inet(v4)) => hop = IpAddr::V4(*v4),
                RouteAttribute::Gateway(RouteAddress::Inet6(v6)) => hop = IpAddr::V6(*v6),
                RouteAttribute::Via(RouteVia::Inet(v4)) => hop = IpAddr::V4(*v4),
                RouteAttribute::Via(RouteVia::Inet6(v6)) => hop = IpAddr::V6(*v6),
                // A tunnel's head is the kernel's to write.
                RouteAttribute::Encap(_) | RouteAttribute::EncapType(_) => return NextHop::Elsewhere,
                RouteAttribute::Metrics(metrics) => {
                    mtu = metrics.iter().find_map(|metric| match metric {
                        RouteMetric::Mtu(mtu) if *mtu > 0 => Some(*mtu),
                        _ => None,
                    });
                }
                _ => {}
            }
        }
        if ours && route.header.kind == RouteType::Unicast {
            NextHop::Neighbour { address: hop, mtu }
        } else {
            NextHop::Elsewhere
        }
    }

    fn neighbour_news(&self, message: &NeighbourMessage, gone: bool) -> Option<News> {
        if message.header.ifindex != self.interface {
            return None;
        }
        let address = message.attributes.iter().find_map(|attribute| match attribute {
            NeighbourAttribute::Destination(NeighbourAddress::Inet(v4)) => Some(IpAddr::V4(*v4)),
            NeighbourAttribute::Destination(NeighbourAddress::Inet6(v6)) => Some(IpAddr::V6(*v6)),
            _ => None,
        })?;
        use NeighbourState::{Delay, Noarp, Permanent, Probe, Reachable, Stale};
        let valid = matches!(message.header.state, Reachable | Stale | Delay | Probe | Permanent | Noarp);
        let mac = message.attributes.iter().find_map(|attribute| match attribute {
            NeighbourAttribute::LinkLayerAddress(bytes) if bytes.len() == MAC_BYTES => {
                bytes.as_slice().try_into().ok()
            }
            _ => None,
        });
        let mac = mac.filter(|_| valid && !gone);
        Some(News::Neighbour { address, mac, stale: message.header.state == Stale })
    }
}

/// Bytes of a message's head.
const HEADER: usize = 16;

fn family(address: IpAddr) -> AddressFamily {
    if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 }
}

fn prefix(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
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
