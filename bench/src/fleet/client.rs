//! One light client: checks, handshake, keys, and the feedback it gives.

use std::time::Instant;

use kaname_srtp::{Backend, Inbound, InboundOptions, Keying, Outbound};
use kaname_wire::ntp::{NtpTime, UNIX_EPOCH_S};
use kaname_wire::rtcp::write::{self, CompoundWriter};
use kaname_wire::rtcp::{MAX_COUNT, Pli, ReportBlock, SenderInfo};

use super::dtls::{Handshake, Identity, Keys};
use super::ice::{self, Checks};
use super::limits::{ARRIVALS, FEEDBACK_NS, PACKET_LEN, REPORT_NS};
use super::receive::Receive;
use super::sdp::Answer;
use super::socket::Route;

/// How far a client has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Its offer is on its way.
    Offered,
    /// Connectivity checks and handshake.
    Connecting,
    /// Keys are there.
    Connected,
    /// It has been told to go.
    Gone,
    /// It was refused, or never got through.
    Failed,
}

/// One light client.
pub(super) struct Client {
    pub(super) state: State,
    pub(super) socket: usize,
    pub(super) route: Route,
    pub(super) room: u32,
    pub(super) ufrag: String,
    pub(super) password: String,
    /// The session's URL, to delete.
    pub(super) resource: Option<String>,
    pub(super) receives: Vec<Receive>,
    /// Streams that it sends, by number in the run.
    pub(super) streams: Vec<u32>,
    pub(super) inbound: Option<Inbound>,
    pub(super) outbound: Option<Outbound>,
    /// Whether packets are protected at all.
    pub(super) plain: bool,
    pub(super) called_ns: u64,
    pub(super) connected_ns: Option<u64>,
    pub(super) first_media_ns: Option<u64>,
    /// When its timer is set, in the wheel.
    pub(super) timer_ns: u64,
    /// Transport-wide sequence number of the next packet it sends.
    pub(super) transport_sequence: u16,
    checks: Option<Checks>,
    handshake: Option<Box<Handshake>>,
    /// SSRC of its own reports.
    reporter: u32,
    report_ns: u64,
    arrivals: Arrivals,
}

/// Packets with a transport-wide number that no feedback told of yet.
#[derive(Default)]
struct Arrivals {
    came: Vec<(u16, u64)>,
    due_ns: Option<u64>,
    count: u8,
}

/// Sends a datagram of the client as it is.
pub(super) type Send<'a> = dyn FnMut(&[u8]) + 'a;

impl Client {
    pub(super) fn new(number: u32, room: u32, socket: usize, route: Route, random: u64) -> Client {
        Client {
            state: State::Offered,
            socket,
            route,
            room,
            ufrag: format!("f{number:07}"),
            password: format!("{random:016x}{:016x}", random.rotate_left(23) ^ u64::from(number)),
            resource: None,
            receives: Vec::new(),
            streams: Vec::new(),
            inbound: None,
            outbound: None,
            plain: false,
            called_ns: 0,
            connected_ns: None,
            first_media_ns: None,
            timer_ns: u64::MAX,
            transport_sequence: 0,
            checks: None,
            handshake: None,
            reporter: (random >> 32) as u32 | 1,
            report_ns: u64::MAX,
            arrivals: Arrivals::default(),
        }
    }

    /// Takes the node's answer; `false` if it cannot be used.
    pub(super) fn answered(
        &mut self,
        answer: &Answer,
        identity: &Identity,
        now_ns: u64,
        now: Instant,
    ) -> bool {
        let (Some(remote), Ok(fingerprint)) = (answer.candidate, answer.fingerprint.parse()) else {
            return false;
        };
        self.route.remote = remote;
        let tie_breaker = u64::from(self.reporter) << 20;
        self.checks = Checks::new(&self.ufrag, &answer.ufrag, &answer.password, tie_breaker, now_ns);
        self.handshake = Some(Box::new(Handshake::new(identity, fingerprint, now)));
        self.state = State::Connecting;
        let lines = answer.sends.iter().flatten();
        for (receive, (ssrc, rtx)) in self.receives.iter_mut().zip(lines) {
            receive.ssrc = Some(*ssrc);
            receive.rtx = *rtx;
        }
        self.checks.is_some()
    }

    /// Takes keys that the caller agreed on; `None` for plain RTP.
    pub(super) fn keyed(&mut self, inbound: Option<&Keying>, outbound: Option<&Keying>, now_ns: u64) {
        self.plain = inbound.is_none() && outbound.is_none();
        let backend = Backend::best();
        let options =
            InboundOptions { max_streams: 2 * self.receives.len() + 8, ..InboundOptions::default() };
        self.inbound = inbound.map(|keying| Inbound::with_options(backend, keying, options));
        self.outbound = outbound.map(|keying| Outbound::new(backend, keying));
        self.state = State::Connected;
        self.connected_ns = Some(now_ns);
        // Spread over the interval by a number that is as good as random.
        self.report_ns = now_ns + u64::from(self.reporter) * 7919 % REPORT_NS;
    }

    /// A STUN message. The handshake begins with the first good answer.
    pub(super) fn stun(&mut self, bytes: &[u8], now_ns: u64, now: Instant, send: &mut Send<'_>) {
        let Some(checks) = &mut self.checks else { return };
        match checks.answer(bytes, self.route.local) {
            ice::Answer::Connected => {
                checks.spread(now_ns, u64::from(self.reporter) << 12);
                self.dtls(None, now_ns, now, send);
            }
            ice::Answer::Renewed | ice::Answer::Ignored => {}
        }
    }

    /// A DTLS record, or the clock. `true`: the keys have just come.
    pub(super) fn dtls(
        &mut self,
        bytes: Option<&[u8]>,
        now_ns: u64,
        now: Instant,
        send: &mut Send<'_>,
    ) -> Option<Keys> {
        let handshake = self.handshake.as_mut()?;
        match handshake.step(bytes, now, |packet| send(packet)) {
            Ok(Some(keys)) => {
                self.handshake = None;
                self.keyed(Some(&keys.inbound), Some(&keys.outbound), now_ns);
                Some(keys)
            }
            Ok(None) => None,
            Err(_) => {
                self.fail();
                None
            }
        }
    }

    pub(super) fn fail(&mut self) {
        self.state = State::Failed;
        self.end();
    }

    /// Says nothing more.
    pub(super) fn end(&mut self) {
        (self.checks, self.handshake) = (None, None);
        (self.inbound, self.outbound) = (None, None);
        self.report_ns = u64::MAX;
        self.arrivals = Arrivals::default();
    }

    /// When [`Client::tick`] is due, nanoseconds since 1970.
    pub(super) fn due_ns(&self, now_ns: u64, now: Instant) -> u64 {
        if matches!(self.state, State::Offered | State::Failed | State::Gone) {
            return u64::MAX;
        }
        let checks = self.checks.as_ref().map(Checks::due_ns);
        let begun = self.checks.as_ref().is_some_and(Checks::is_connected);
        let handshake = self.handshake.as_ref().filter(|_| begun).map(|h| {
            now_ns
                + u64::try_from(h.deadline().saturating_duration_since(now).as_nanos())
                    .unwrap_or(u64::MAX / 2)
        });
        let receives =
            self.receives.iter().filter_map(Receive::due_ns).min().filter(|_| self.outbound.is_some());
        // Who has no keys to send with has nothing to say.
        let report = self.outbound.is_some().then_some(self.report_ns);
        let feedback = self.arrivals.due_ns.filter(|_| self.outbound.is_some());
        [checks, handshake, receives, feedback, report].into_iter().flatten().min().unwrap_or(u64::MAX)
    }

    /// Does what is due.
    pub(super) fn tick(
        &mut self,
        now_ns: u64,
        now: Instant,
        sent: &[(u32, SenderInfo)],
        send: &mut Send<'_>,
    ) -> Option<Keys> {
        if let Some(checks) = self.checks.as_mut().filter(|c| c.due_ns() <= now_ns) {
            if checks.has_failed() {
                self.fail();
                return None;
            }
            if let Some(check) = checks.check(now_ns) {
                send(&check);
            }
        }
        let begun = self.checks.as_ref().is_some_and(Checks::is_connected);
        if begun && self.handshake.as_ref().is_some_and(|h| h.deadline() <= now) {
            let keys = self.dtls(None, now_ns, now, send);
            if keys.is_some() {
                return keys;
            }
        }
        if self.outbound.is_some() {
            self.feedback(now_ns, send);
            if self.report_ns <= now_ns {
                self.report(now_ns, sent, send);
                self.report_ns = now_ns + REPORT_NS;
            }
        }
        None
    }

    /// Reports (RFC 3550 section 6.4) of all that comes and goes, in as few packets as hold them.
    fn report(&mut self, now_ns: u64, sent: &[(u32, SenderInfo)], send: &mut Send<'_>) {
        let blocks: Vec<ReportBlock> = self.receives.iter_mut().filter_map(|r| r.report(now_ns)).collect();
        for (ssrc, info) in sent {
            self.rtcp(send, |out| {
                out.add(|room| write::sender_report(room, *ssrc, info, &[]))?;
                out.add(|room| write::sdes(room, &[(*ssrc, "fleet")]))
            });
        }
        let reporter = self.reporter;
        for some in blocks.chunks(MAX_COUNT) {
            self.rtcp(send, |out| {
                out.add(|room| write::receiver_report(room, reporter, some))?;
                out.add(|room| write::sdes(room, &[(reporter, "fleet")]))
            });
        }
    }

    /// NACK (RFC 4585 section 6.2.1), PLI (section 6.3.1) and transport-wide feedback, in reduced-size RTCP (RFC 5506).
    fn feedback(&mut self, now_ns: u64, send: &mut Send<'_>) {
        let reporter = self.reporter;
        for at in 0..self.receives.len() {
            let receive = &mut self.receives[at];
            let Some(media) = receive.ssrc.filter(|_| receive.due_ns().is_some_and(|due| due <= now_ns))
            else {
                continue;
            };
            let wanted = receive.wanted(now_ns);
            let key_frame = receive.take_key_frame_wish();
            if !wanted.is_empty() {
                self.rtcp(send, |out| {
                    out.add(|room| write::nack(room, reporter, media, &wanted).map(|w| w.len))
                });
            }
            if key_frame {
                let pli = Pli { sender_ssrc: reporter, media_ssrc: media };
                self.rtcp(send, |out| out.add(|room| write::pli(room, pli)));
            }
        }
        if self.arrivals.due_ns.is_some_and(|due| due <= now_ns) {
            let (base, list, count) = self.arrivals.take();
            let media = self.receives.iter().find_map(|r| r.ssrc).unwrap_or_default();
            self.rtcp(send, |out| {
                out.add(|room| {
                    write::transport_feedback(room, reporter, media, base, count, &list).map(|w| w.len)
                })
            });
        }
    }

    fn rtcp(
        &mut self,
        send: &mut Send<'_>,
        fill: impl FnOnce(&mut CompoundWriter<'_>) -> Result<(), write::WriteError>,
    ) {
        let (mut plain, mut out) = ([0; PACKET_LEN - 100], [0; PACKET_LEN]);
        let mut compound = CompoundWriter::new(&mut plain);
        if fill(&mut compound).is_err() || compound.is_empty() {
            return;
        }
        let len = compound.len();
        let Some(outbound) = &mut self.outbound else { return };
        if let Ok(len) = outbound.protect_rtcp(&plain[..len], &mut out) {
            send(&out[..len]);
        }
    }

    /// Notes a packet with a transport-wide number.
    pub(super) fn arrived(&mut self, sequence: u16, at_ns: u64, now_ns: u64) {
        if self.arrivals.came.len() < ARRIVALS {
            self.arrivals.came.push((sequence, at_ns));
        }
        self.arrivals.due_ns.get_or_insert(now_ns + FEEDBACK_NS);
    }
}

impl Arrivals {
    /// Base number, times of arrival from there on, and the count of this feedback.
    fn take(&mut self) -> (u16, Vec<Option<u64>>, u8) {
        self.due_ns = None;
        let came = std::mem::take(&mut self.came);
        let Some(&(first, _)) = came.first() else { return (0, Vec::new(), 0) };
        let base = came.iter().map(|(s, _)| s.wrapping_sub(first) as i16).min().unwrap_or(0);
        let base = first.wrapping_add(base as u16);
        let mut list = Vec::new();
        for (sequence, at_ns) in came {
            let at = usize::from(sequence.wrapping_sub(base));
            if at < 2 * ARRIVALS {
                if list.len() <= at {
                    list.resize(at + 1, None);
                }
                list[at] = Some(at_ns);
            }
        }
        self.count = self.count.wrapping_add(1);
        (base, list, self.count)
    }
}

/// What a sender report says of a stream.
pub(super) fn sender_info(now_ns: u64, rtp_timestamp: u32, packets: u64, octets: u64) -> SenderInfo {
    SenderInfo {
        ntp: NtpTime::from_nanos(now_ns, UNIX_EPOCH_S),
        rtp_timestamp,
        packets: packets as u32,
        octets: octets as u32,
    }
}
