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
pub(crate) fn context(keys: &Keys) -> Result<Context, RivalError> {
    let profile = match keys.suite {
        Suite::Cm => ProtectionProfile::Aes128CmHmacSha1_80,
        Suite::Gcm128 => ProtectionProfile::AeadAes128Gcm,
    };
    // Without its replay window: what comes twice has to be seen and counted here.
    Context::new(&keys.key, &keys.salt, profile, None, None, &AwsLcRsCrypto)
        .map_err(|error| RivalError::Setup(format!("SRTP keys: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::scenario::Traffic;

    const SSRC: u32 = 7;

    /// A sink with one receiver, and what a system in front of it would send from and with.
    struct World {
        plan: Plan,
        sink: Sink,
        system: UdpSocket,
        protect: Context,
    }

    impl World {
        fn new(suite: Suite) -> World {
            let plan = Plan::new(Traffic::Voice, std::time::Duration::from_secs(1));
            let (key, salt) = suite.lengths();
            let keys = Keys { suite, key: vec![1; key], salt: vec![2; salt] };
            let tap = UdpSocket::bind("127.0.0.1:0").unwrap();
            let system = UdpSocket::bind("127.0.0.1:0").unwrap();
            system.connect(tap.local_addr().unwrap()).unwrap();
            let remote = system.local_addr().unwrap();
            let protect = context(&keys).unwrap();
            let tap = Tap { socket: tap, keys, feed: 0, keepalive: Vec::new(), remote };
            let mut sink = Sink::new(vec![tap], &plan).unwrap();
            sink.count(0..10);
            World { plan, sink, system, protect }
        }

        fn packet(&mut self, number: usize, payload: &[u8]) -> Vec<u8> {
            let mut packet = vec![0x80, 0];
            packet.extend_from_slice(&(number as u16).to_be_bytes());
            packet.extend_from_slice(&[0; 4]);
            packet.extend_from_slice(&SSRC.to_be_bytes());
            packet.extend_from_slice(payload);
            self.protect.encrypt_rtp(&packet).unwrap().to_vec()
        }

        fn good(&mut self, number: usize) -> Vec<u8> {
            let mut payload = Vec::new();
            self.plan.payload(0, number, &mut payload);
            self.packet(number, &payload)
        }

        /// What the sink counts of these datagrams: came, repeated, unauthentic, unequal.
        fn counts(&mut self, datagrams: &[Vec<u8>]) -> [u64; 4] {
            for datagram in datagrams {
                self.system.send(datagram).unwrap();
            }
            self.sink.take(&self.plan, &[vec![1; 50]]).unwrap();
            let Tally { came, repeated, unauthentic, unequal, .. } = self.sink.tally;
            [came, repeated, unauthentic, unequal]
        }
    }

    #[test]
    fn what_was_sent_counts_once() {
        for suite in [Suite::Cm, Suite::Gcm128] {
            let mut world = World::new(suite);
            let packets: Vec<Vec<u8>> = (0..12).map(|number| world.good(number)).collect();
            assert_eq!(world.counts(&packets), [10, 0, 0, 0], "two are beyond what is counted");
            assert_eq!(world.sink.tally.lost(), 0);
            assert_eq!(world.counts(&packets[..3]), [10, 3, 0, 0]);
            assert_eq!(world.sink.tally.delay.len(), 10);
        }
    }

    #[test]
    fn a_changed_packet_is_never_taken_for_a_good_one() {
        for suite in [Suite::Cm, Suite::Gcm128] {
            let mut world = World::new(suite);
            let good = world.good(0);
            for at in [2, 8, 12, 100, good.len() - 1] {
                let mut bad = good.clone();
                bad[at] ^= 1;
                let before = world.sink.tally.unauthentic;
                assert_eq!(world.counts(&[bad]), [0, 0, before + 1, 0], "byte {at}");
            }
            // In clear, as a system does that ignores its keys.
            let mut plain = good[..12].to_vec();
            world.plan.payload(0, 0, &mut plain);
            assert_eq!(world.counts(&[plain]), [0, 0, 6, 0]);
        }
    }

    #[test]
    fn an_authentic_packet_of_other_content_is_seen() {
        let mut world = World::new(Suite::Gcm128);
        let mut payload = Vec::new();
        world.plan.payload(0, 3, &mut payload);
        payload[159] ^= 1;
        let changed = world.packet(3, &payload);
        payload.truncate(100);
        let shortened = world.packet(4, &payload);
        let empty = world.packet(5, &[]);
        let mut foreign = Vec::new();
        world.plan.payload(1, 6, &mut foreign);
        let foreign = world.packet(6, &foreign);
        assert_eq!(world.counts(&[changed, shortened, empty, foreign]), [0, 0, 0, 4]);
    }

    #[test]
    fn what_is_no_media_is_left_aside() {
        let mut world = World::new(Suite::Cm);
        let (stun, dtls, rtcp) = (vec![0, 1, 0, 0], vec![22, 254, 253], vec![0x80, 200, 0, 6, 0, 0, 0, 0]);
        assert_eq!(world.counts(&[stun, dtls, rtcp, vec![0x80], vec![]]), [0, 0, 0, 0]);
    }
}
