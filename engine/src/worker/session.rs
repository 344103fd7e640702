//! One leg's security: waits for a ClientHello, shakes hands, then carries data channels.

use std::net::SocketAddr;
use std::time::Instant;

use kaname_core::Command;
use kaname_core::command::{Keyed, Remote};
use kaname_wire::path::Path;

use super::channels::{ChannelNews, Channels};
use super::contest::{Contest, Outcome};
use super::context::Context;
use super::dtls::{Association, Broken, Keys, News, Part};
use super::hello::{Hello, RANDOM, client_hello};
use crate::counters::count;
use crate::limits::{HANDSHAKE_TIME, LINGER_TIME, MAX_ATTEMPTS, MAX_HALF_OPEN};
use crate::port::Message;
use crate::{DtlsParams, DtlsPeer, EngineEvent, SecureError};

enum State {
    /// No handshake. Datagrams but a ClientHello are dropped.
    Waiting,
    Handshaking(Box<Association>),
    /// Several may try, or we begin.
    Contested(Box<Contest>),
    Secured(Box<Association>),
    /// The keys are with the shard, and nothing else is needed of the association.
    Settled,
    /// Final: until the leg is secured anew, all is dropped.
    Over,
}

/// One leg on its worker.
pub(super) struct Session {
    state: State,
    /// The handshake on RTCP's own port.
    rtcp: Option<Box<Session>>,
    /// It is that.
    is_rtcp: bool,
    params: Option<DtlsParams>,
    /// The client's random of the handshake in progress, once its first fragment came: tells repetitions from
    /// another's ClientHello.
    random: Option<[u8; RANDOM]>,
    /// The first ClientHello came then.
    began: Option<Instant>,
    attempts: u32,
    /// A handshake broke, and none has ended well since.
    broke: bool,
    channels: Option<Channels>,
    /// Where its records come from and go to; `None`: whatever path ICE has validated.
    path: Option<Path>,
    /// When the association is done with, if it is at all before the leg ends.
    settles: Option<Instant>,
    /// Where it stands in the worker's timers.
    pub(super) timer: Option<Instant>,
}

impl Session {
    pub(super) fn new() -> Session {
        Session {
            state: State::Waiting,
            rtcp: None,
            is_rtcp: false,
            params: None,
            random: None,
            began: None,
            attempts: 0,
            broke: false,
            channels: None,
            path: None,
            settles: None,
            timer: None,
        }
    }

    pub(super) fn is_half_open(&self) -> bool {
        matches!(self.state, State::Handshaking(_))
    }

    /// Unfinished handshakes, and those that have yet to show that their sender is where it says.
    pub(super) fn open(&self) -> (usize, usize) {
        let (half_open, unproven) = match &self.state {
            State::Contested(contest) => contest.open(),
            _ => (usize::from(self.is_half_open()), 0),
        };
        let (of_rtcp, unproven_of_rtcp) = self.rtcp.as_ref().map_or((0, 0), |rtcp| rtcp.open());
        (half_open + of_rtcp, unproven + unproven_of_rtcp)
    }

    #[cfg(test)]
    pub(super) fn has_channels(&self) -> bool {
        self.channels.is_some()
    }

    /// When it wants to be called.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let of_rtcp = self.rtcp.as_ref().and_then(|rtcp| rtcp.deadline());
        [self.own_deadline(), of_rtcp].into_iter().flatten().min()
    }

    fn own_deadline(&self) -> Option<Instant> {
        let (of_dtls, of_handshake) = match &self.state {
            State::Over | State::Settled => return None,
            State::Contested(contest) => return contest.deadline(),
            State::Waiting => (None, self.ends()),
            State::Handshaking(association) => (association.deadline(), self.ends()),
            State::Secured(association) => (association.deadline(), self.settles),
        };
        let of_channels = self.channels.as_ref().and_then(Channels::deadline);
        [of_dtls, of_handshake, of_channels].into_iter().flatten().min()
    }

    /// When a handshake that has begun must be done.
    fn ends(&self) -> Option<Instant> {
        self.began.map(|began| began + HANDSHAKE_TIME)
    }

    /// The same fingerprint again changes only what goes with it.
    pub(super) fn secure(&mut self, params: DtlsParams, context: &Context<'_>) {
        let before = self.rtcp.take();
        let rtcp = of_rtcp_port(&params).map(|params| {
            let mut rtcp = before.unwrap_or_else(|| Box::new(Session { is_rtcp: true, ..Session::new() }));
            rtcp.secure_own(params, context);
            rtcp
        });
        self.secure_own(params, context);
        self.rtcp = rtcp;
    }

    fn secure_own(&mut self, params: DtlsParams, context: &Context<'_>) {
        let same = self.params.as_ref().is_some_and(|p| p.remote_fingerprint == params.remote_fingerprint);
        // Who may try is no longer the same.
        let elsewhere = matches!(self.state, State::Contested(_)) && self.params.as_ref() != Some(&params);
        if !same || elsewhere || matches!(self.state, State::Over) {
            *self = Session { timer: self.timer, is_rtcp: self.is_rtcp, ..Session::new() };
        }
        if matches!(self.state, State::Waiting)
            && let Some(contest) = Contest::new(&params, context.now)
        {
            self.state = State::Contested(Box::new(contest));
        }
        if self.channels.is_none() && matches!(self.state, State::Secured(_)) && params.data_channels {
            self.channels = Some(Channels::new(&params));
        }
        self.params = Some(params);
    }

    /// Of a contest.
    fn decide(&mut self, outcome: Outcome, context: &mut Context<'_>) {
        match outcome {
            Outcome::Open => {}
            Outcome::Lost(reason) => self.fail(reason, context),
            Outcome::Won { association, path, news } => {
                self.state = State::Secured(association);
                self.path = path;
                self.move_to_peer(context);
                let carries = self.params.as_ref().is_some_and(|params| params.data_channels);
                self.settles = (path.is_some() && !carries).then(|| context.now + LINGER_TIME);
                self.settle(Ok(()), news, context);
            }
        }
    }

    /// Media goes to where the peer has shown to be.
    fn move_to_peer(&self, context: &mut Context<'_>) {
        // Where reports come from, the core learns from those that are authentic.
        if self.is_rtcp {
            return;
        }
        let Some(DtlsPeer::Signalled { remote, .. }) = self.params.as_ref().map(|params| params.peer) else {
            return;
        };
        let Some(path) = self.path.filter(|path| remote.rtp != Some(path.remote)) else { return };
        let remote = Remote { rtp: Some(path.remote), rtcp: None, learn: remote.learn };
        context.keep(Command::SetRemote { leg: context.key.leg, remote });
    }

    pub(super) fn datagram(&mut self, path: Path, datagram: &[u8], context: &mut Context<'_>) {
        if let Some(rtcp) = self.rtcp.as_mut().filter(|rtcp| rtcp.is_on(path.local)) {
            return rtcp.datagram(path, datagram, context);
        }
        if let State::Contested(contest) = &mut self.state {
            let outcome = contest.datagram(path, datagram, context);
            return self.decide(outcome, context);
        }
        if self.path.is_some_and(|own| own != path) {
            count(&context.counters().dtls_dropped_stranger);
            return;
        }
        if let Some(hello) = client_hello(datagram) {
            self.maybe_begin(hello, context);
        }
        let (State::Handshaking(association) | State::Secured(association)) = &mut self.state else {
            count(&context.counters().dtls_dropped_no_handshake);
            return;
        };
        if !association.admits(datagram) {
            count(&context.counters().dtls_dropped_no_handshake);
            return;
        }
        let mut news = Vec::new();
        let result = association.datagram(datagram, context.now, context.room, &mut news);
        self.settle(result, news, context);
    }

    /// Whether the local port is its own.
    fn is_on(&self, port: u32) -> bool {
        let peer = self.params.as_ref().map(|params| params.peer);
        matches!(peer, Some(DtlsPeer::Signalled { local, .. }) if local == port)
    }

    /// A ClientHello begins a handshake; another's, while none has ended well, begins it anew: whoever forged the
    /// first cannot finish it, and must not keep the peer out.
    fn maybe_begin(&mut self, hello: Hello, context: &Context<'_>) {
        let counters = context.counters();
        match (&self.state, hello, self.random) {
            (State::Waiting, ..) => {}
            (State::Handshaking(_), Hello::First(random), None) => return self.random = Some(random),
            (State::Handshaking(_), Hello::First(random), Some(known)) if random != known => {
                count(&counters.dtls_restarted);
            }
            _ => return,
        }
        let Some(params) = &self.params else { return };
        if self.attempts == MAX_ATTEMPTS {
            count(&counters.dtls_dropped_attempts);
            return;
        }
        if !self.is_half_open() && context.half_open >= MAX_HALF_OPEN {
            count(&counters.dtls_dropped_half_open);
            return;
        }
        count(&counters.dtls_started);
        self.attempts += 1;
        self.random = hello.random();
        self.began.get_or_insert(context.now);
        let association = Association::new(context.identity, Part::Server, params.into(), context.now);
        self.state = State::Handshaking(Box::new(association));
    }

    pub(super) fn timeout(&mut self, context: &mut Context<'_>) {
        if let Some(rtcp) = &mut self.rtcp {
            rtcp.timeout(context);
        }
        if let State::Contested(contest) = &mut self.state {
            let outcome = contest.timeout(context);
            return self.decide(outcome, context);
        }
        if self.settles.is_some_and(|at| context.now >= at) && matches!(self.state, State::Secured(_)) {
            self.state = State::Settled;
            return;
        }
        let late = self.ends().is_some_and(|at| context.now >= at);
        if late && matches!(self.state, State::Waiting | State::Handshaking(_)) {
            let reason = if self.broke { SecureError::Handshake } else { SecureError::Timeout };
            self.fail(reason, context);
            return;
        }
        let (State::Handshaking(association) | State::Secured(association)) = &mut self.state else { return };
        let mut news = Vec::new();
        let mut result = Ok(());
        if association.deadline().is_some_and(|at| at <= context.now) {
            result = association.timeout(context.now, context.room, &mut news);
        }
        if let Some(channels) = &mut self.channels {
            channels.timeout(context.now, context.counters());
        }
        self.settle(result, news, context);
    }

    /// A message for a channel.
    pub(super) fn send(&mut self, message: &Message, context: &mut Context<'_>) {
        let Some(channels) = &mut self.channels else {
            count(&context.counters().data_dropped_no_channel);
            return;
        };
        channels.send(message.channel, message.kind, &message.data, context.counters());
        self.settle(Ok(()), Vec::new(), context);
    }

    pub(super) fn close(&mut self, context: &mut Context<'_>) {
        if let Some(rtcp) = &mut self.rtcp {
            rtcp.close(context);
        }
        if let State::Handshaking(association) | State::Secured(association) = &mut self.state {
            let mut news = Vec::new();
            association.close(context.now, context.room, &mut news);
            for item in news {
                if let News::Packet(packet) = item {
                    context.send(None, packet);
                }
            }
        }
        self.state = State::Over;
    }

    /// Carries out what came of a step, and what comes of that, until nothing is left.
    fn settle(&mut self, mut result: Result<(), Broken>, mut news: Vec<News>, context: &mut Context<'_>) {
        loop {
            for item in news.drain(..) {
                self.tell(item, context);
            }
            if let Err(broken) = result {
                self.broken(broken, context);
                return;
            }
            let (State::Secured(association), Some(channels)) = (&mut self.state, &mut self.channels) else {
                return;
            };
            let mut quiet = true;
            while let Some(packet) = channels.transmit(context.now) {
                quiet = false;
                result =
                    result.and_then(|()| association.send(&packet, context.now, context.room, &mut news));
            }
            for item in channels.news() {
                quiet = false;
                tell_channel(item, context);
            }
            if quiet {
                return;
            }
        }
    }

    fn tell(&mut self, news: News, context: &mut Context<'_>) {
        match news {
            News::Packet(packet) => context.send(self.path, packet),
            News::Keys(keys) => self.secured(*keys, context),
            News::Data(data) => {
                if let Some(channels) = &mut self.channels {
                    channels.packet(data, context.now, context.counters());
                }
            }
            News::Closed => {
                self.end_channels(context);
                self.state = State::Over;
                self.gone(context);
            }
        }
    }

    /// The peer is.
    fn gone(&self, context: &Context<'_>) {
        if !self.is_rtcp {
            context.emit(EngineEvent::LegClosed { leg: context.key.leg });
        }
    }

    fn secured(&mut self, keys: Keys, context: &mut Context<'_>) {
        self.state = match std::mem::replace(&mut self.state, State::Over) {
            State::Handshaking(association) => State::Secured(association),
            other => other,
        };
        self.broke = false;
        count(&context.counters().dtls_secured);
        let leg = context.key.leg;
        let (profile, dtls) = (keys.profile, keys.version);
        let (inbound, outbound) = (Box::new(keys.inbound), Box::new(keys.outbound));
        context.keep(match self.keyed() {
            None => Command::SetKeys { leg, inbound, outbound },
            Some(of) => Command::SetKeysOf { leg, of, inbound, outbound },
        });
        if !self.is_rtcp {
            context.emit(EngineEvent::Secured { leg, profile, dtls });
        }
        if let Some(params) = self.params.as_ref().filter(|p| p.data_channels) {
            self.channels = Some(Channels::new(params));
        }
    }

    /// What its keys are for; `None`: both.
    fn keyed(&self) -> Option<Keyed> {
        match (self.is_rtcp, &self.rtcp) {
            (true, _) => Some(Keyed::Rtcp),
            (false, Some(_)) => Some(Keyed::Rtp),
            (false, None) => None,
        }
    }

    fn broken(&mut self, broken: Broken, context: &mut Context<'_>) {
        match (broken, &self.state) {
            // What came may be forged as long as nothing is authenticated: the peer may still come through.
            (Broken::Protocol, State::Handshaking(_)) => {
                self.broke = true;
                self.state = State::Waiting;
            }
            // Authenticated: a fatal alert, or our own failure. The peer is gone either way.
            (Broken::Protocol, State::Secured(_)) => {
                self.end_channels(context);
                self.state = State::Over;
                self.gone(context);
            }
            (Broken::Protocol, _) => {}
            (Broken::Refused(reason), _) => self.fail(reason, context),
        }
    }

    fn fail(&mut self, reason: SecureError, context: &mut Context<'_>) {
        self.state = State::Over;
        count(&context.counters().dtls_failed);
        let leg = context.key.leg;
        context.emit(match self.is_rtcp {
            false => EngineEvent::SecureFailed { leg, reason },
            true => EngineEvent::RtcpSecureFailed { leg, reason },
        });
    }

    fn end_channels(&mut self, context: &mut Context<'_>) {
        if let Some(mut channels) = self.channels.take() {
            channels.end();
            for item in channels.news() {
                tell_channel(item, context);
            }
        }
    }
}

/// What the handshake on RTCP's own port needs to know, if there is to be one.
fn of_rtcp_port(params: &DtlsParams) -> Option<DtlsParams> {
    let DtlsPeer::Signalled { rtcp: Some(local), remote, .. } = params.peer else { return None };
    // RFC 3550 section 11: the next higher port, unless another was named.
    let above = |rtp: SocketAddr| Some(SocketAddr::new(rtp.ip(), rtp.port().checked_add(1)?));
    let at = remote.rtcp.or_else(|| remote.rtp.and_then(above));
    let remote = Remote { rtp: at, rtcp: None, learn: remote.learn };
    let peer = DtlsPeer::Signalled { local, rtcp: None, remote };
    Some(DtlsParams { peer, data_channels: false, ..params.clone() })
}

fn tell_channel(news: ChannelNews, context: &Context<'_>) {
    let leg = context.key.leg;
    context.emit(match news {
        ChannelNews::Opened { channel, label, protocol } => {
            EngineEvent::ChannelOpened { leg, channel, label, protocol }
        }
        ChannelNews::Message { channel, kind, data } => {
            count(&context.counters().data_messages_in);
            EngineEvent::ChannelMessage { leg, channel, kind, data }
        }
        ChannelNews::Closed { channel } => EngineEvent::ChannelClosed { leg, channel },
    });
}
