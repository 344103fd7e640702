//! Where every packet of every system ends: authenticated and decrypted by rtc-srtp, and compared with what was sent.

use std::net::UdpSocket;
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::socket::{setsockopt, sockopt};
use rtc_crypto::providers::AwsLcRsCrypto;
use rtc_srtp::context::Context;
use rtc_srtp::protection_profile::ProtectionProfile;
use rtp_types::RtpPacket;

use super::plan::Plan;
use super::tally::{Tally, enter};
use crate::client::transport::receive_stamped;
use crate::rivals::{Keys, RivalError, Suite, Tap};

/// The largest datagram that comes.
const DATAGRAM_MAX: usize = 2048;
/// Events taken at one look.
const EVENTS: usize = 1024;

/// One receiver.
struct Receiver {
    socket: UdpSocket,
    unprotect: Context,
    feed: usize,
    /// By number.
    came: Vec<bool>,
}

/// All of them.
pub(super) struct Sink {
    readiness: Epoll,
    events: Vec<EpollEvent>,
    receivers: Vec<Receiver>,
    /// Numbers that count.
    pub(super) counted: Range<usize>,
    /// What came so far.
    pub(super) tally: Tally,
    /// Packets that came, counted or not.
    pub(super) came_total: u64,
    buffer: Box<[u8; DATAGRAM_MAX]>,
    expected: Vec<u8>,
}

impl Sink {
    pub(super) fn new(taps: Vec<Tap>, plan: &Plan) -> Result<Sink, RivalError> {
        let readiness = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(std::io::Error::from)?;
        let mut receivers = Vec::with_capacity(taps.len());
        for (index, tap) in taps.into_iter().enumerate() {
            if !tap.keepalive.is_empty() {
                tap.socket.send_to(&tap.keepalive, tap.remote)?;
            }
            tap.socket.set_nonblocking(true)?;
            setsockopt(&tap.socket, sockopt::ReceiveTimestampns, &true).map_err(std::io::Error::from)?;
            let event = EpollEvent::new(EpollFlags::EPOLLIN, index as u64);
            readiness.add(&tap.socket, event).map_err(std::io::Error::from)?;
            let (unprotect, came) = (context(&tap.keys)?, vec![false; plan.packets.len()]);
            receivers.push(Receiver { socket: tap.socket, unprotect, feed: tap.feed, came });
        }
        Ok(Sink {
            readiness,
            events: vec![EpollEvent::empty(); EVENTS],
            receivers,
            counted: 0..0,
            tally: Tally::default(),
            came_total: 0,
            buffer: Box::new([0; DATAGRAM_MAX]),
            expected: Vec::with_capacity(DATAGRAM_MAX),
        })
    }

    /// Counted packets of `numbers` are due from now on.
    pub(super) fn count(&mut self, numbers: Range<usize>) {
        self.tally.due = (numbers.len() * self.receivers.len()) as u64;
        self.counted = numbers;
    }

    /// Takes everything that is there now. `sent_ns` says by feed and number when a packet was sent.
    pub(super) fn take(&mut self, plan: &Plan, sent_ns: &[Vec<u64>]) -> Result<(), RivalError> {
        let ready =
            self.readiness.wait(&mut self.events, EpollTimeout::ZERO).map_err(std::io::Error::from)?;
        for event in 0..ready {
            let index = self.events[event].data() as usize;
            while let Ok(arrival) = receive_stamped(&self.receivers[index].socket, &mut self.buffer[..]) {
                self.datagram(index, arrival.len, arrival.at_ns, plan, sent_ns);
            }
        }
        Ok(())
    }

    /// Readable when there is something to take.
    pub(super) fn readiness(&self) -> BorrowedFd<'_> {
        self.readiness.0.as_fd()
    }

    fn datagram(&mut self, index: usize, len: usize, at_ns: u64, plan: &Plan, sent_ns: &[Vec<u64>]) {
        let datagram = &self.buffer[..len];
        if !is_srtp(datagram) {
            return;
        }
        let receiver = &mut self.receivers[index];
        let Ok(plain) = receiver.unprotect.decrypt_rtp(datagram) else {
            self.tally.unauthentic += 1;
            return;
        };
        let rtp = RtpPacket::parse(&plain).ok();
        let Some((payload, number)) =
            rtp.as_ref().and_then(|rtp| Some((rtp.payload(), plan.number(rtp.payload())?)))
        else {
            self.tally.unequal += 1;
            return;
        };
        self.expected.clear();
        plan.payload(receiver.feed, number, &mut self.expected);
        let sent = sent_ns[receiver.feed].get(number).copied();
        let Some(sent) = sent.filter(|_| payload == self.expected) else {
            self.tally.unequal += 1;
            return;
        };
        if std::mem::replace(&mut receiver.came[number], true) {
            self.tally.repeated += 1;
            return;
        }
        self.came_total += 1;
        if self.counted.contains(&number) {
            self.tally.came += 1;
            enter(&mut self.tally.delay, at_ns.saturating_sub(sent));
        }
    }
}

/// RFC 7983 and RFC 5761: not STUN, not DTLS, not RTCP.
fn is_srtp(datagram: &[u8]) -> bool {
    matches!(datagram, [128..=191, kind, ..] if !(64..96).contains(&(kind & 0x7f)))
}

/// An SRTP context of the foreign library.
pub(super) fn context(keys: &Keys) -> Result<Context, RivalError> {
    let profile = match keys.suite {
        Suite::Cm => ProtectionProfile::Aes128CmHmacSha1_80,
        Suite::Gcm128 => ProtectionProfile::AeadAes128Gcm,
    };
    // Without its replay window: what comes twice has to be seen and counted here.
    Context::new(&keys.key, &keys.salt, profile, None, None, &AwsLcRsCrypto)
        .map_err(|error| RivalError::Setup(format!("SRTP keys: {error}")))
}
