//! One end of a call: its two sockets, its SRTP, where it sends to.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::socket::{setsockopt, sockopt};
use rtc_srtp::context::Context;

use super::CallError;
use super::case::Side;
use super::limits::{DATAGRAM, PORTS};
use super::sdp::Types;
use crate::client::transport::receive_stamped;
use crate::compare::sink::context;
use crate::rivals::Keys;

/// Hands out pairs of ports, an even one and the next (RFC 3550 section 11).
pub(super) struct Ports {
    host: IpAddr,
    next: u16,
}

impl Ports {
    pub(super) fn new(host: IpAddr) -> Ports {
        Ports { host, next: PORTS.start }
    }

    /// A pair that is free; each is asked for once before the first is tried again.
    pub(super) fn pair(&mut self) -> io::Result<(UdpSocket, UdpSocket)> {
        for _ in 0..PORTS.len() / 2 {
            let port = self.next;
            self.next = if port + 2 < PORTS.end { port + 2 } else { PORTS.start };
            let open = |port| UdpSocket::bind(SocketAddr::new(self.host, port));
            if let (Ok(rtp), Ok(rtcp)) = (open(port), open(port + 1)) {
                return Ok((rtp, rtcp));
            }
        }
        Err(io::Error::new(
            io::ErrorKind::AddrInUse,
            format!("no two ports side by side are free at {} from {} on", self.host, PORTS.start),
        ))
    }
}

/// An end that is connected.
pub(super) struct End {
    rtp: UdpSocket,
    rtcp: UdpSocket,
    pub(super) side: Side,
    /// Payload types that it sends with.
    pub(super) sends: Types,
    /// Payload types that it gets.
    pub(super) gets: Types,
    remote: SocketAddr,
    protect: Option<Context>,
    unprotect: Option<Context>,
}

/// What came to an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Came {
    /// RTP, decrypted, of this length in the buffer.
    Rtp { len: usize, at_ns: u64 },
    /// Something that did not authenticate, or is none of what ends speak.
    Bad,
    /// Handshakes, connectivity checks, reports.
    Other,
}

/// What it takes to make an end.
pub(super) struct Connected {
    pub(super) sockets: (UdpSocket, UdpSocket),
    pub(super) side: Side,
    pub(super) sends: Types,
    pub(super) gets: Types,
    pub(super) remote: SocketAddr,
    /// To protect with and to unprotect with.
    pub(super) keys: Option<(Keys, Keys)>,
}

impl End {
    pub(super) fn new(connected: Connected) -> Result<End, CallError> {
        let Connected { sockets: (rtp, rtcp), side, sends, gets, remote, keys } = connected;
        for socket in [&rtp, &rtcp] {
            socket.set_nonblocking(true)?;
        }
        setsockopt(&rtp, sockopt::ReceiveTimestampns, &true).map_err(io::Error::from)?;
        let (protect, unprotect) = match &keys {
            Some((own, theirs)) => (Some(context(own)?), Some(context(theirs)?)),
            None => (None, None),
        };
        Ok(End { rtp, rtcp, side, sends, gets, remote, protect, unprotect })
    }

    pub(super) fn rtp_readiness(&self) -> BorrowedFd<'_> {
        self.rtp.as_fd()
    }

    pub(super) fn rtcp_readiness(&self) -> BorrowedFd<'_> {
        self.rtcp.as_fd()
    }

    /// Sends a packet, protected where that was agreed. False: the kernel had no room, or nobody listens; it is lost.
    pub(super) fn send(&mut self, packet: &[u8]) -> Result<bool, CallError> {
        let sent = match &mut self.protect {
            Some(context) => {
                let sealed = context
                    .encrypt_rtp(packet)
                    .map_err(|error| CallError::Setup(format!("a packet cannot be protected: {error}")))?;
                self.rtp.send_to(&sealed, self.remote)
            }
            None => self.rtp.send_to(packet, self.remote),
        };
        match sent {
            Ok(_) => Ok(true),
            Err(error)
                if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::ConnectionRefused) =>
            {
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Takes one datagram; `None` when there is none.
    pub(super) fn take(&mut self, buffer: &mut [u8; DATAGRAM]) -> Option<Came> {
        let arrival = match receive_stamped(&self.rtp, buffer) {
            Ok(arrival) => arrival,
            // An error about something sent earlier says nothing about what waits.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => return Some(Came::Other),
            Err(_) => return None,
        };
        let datagram = &buffer[..arrival.len];
        // RFC 7983: RTP begins with 128 to 191; RFC 5761 section 4 tells RTCP from it.
        let is_rtp = datagram.len() >= 12 && (128..192).contains(&datagram[0]);
        if !is_rtp || (192..=223).contains(&datagram[1]) {
            return Some(Came::Other);
        }
        let Some(context) = &mut self.unprotect else {
            return Some(Came::Rtp { len: arrival.len, at_ns: arrival.at_ns });
        };
        match context.decrypt_rtp(datagram) {
            Ok(plain) => {
                buffer[..plain.len()].copy_from_slice(&plain);
                Some(Came::Rtp { len: plain.len(), at_ns: arrival.at_ns })
            }
            Err(_) => Some(Came::Bad),
        }
    }

    /// Takes in and forgets a report.
    pub(super) fn take_report(&self, buffer: &mut [u8; DATAGRAM]) -> bool {
        self.rtcp.recv(buffer).is_ok()
    }
}
