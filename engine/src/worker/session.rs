//! One leg's security: waits for a ClientHello, shakes hands, then carries data channels.

use std::collections::VecDeque;
use std::time::Instant;

use kaname_core::Command;

use super::channels::{ChannelNews, Channels};
use super::dtls::{Association, Broken, Keys, News};
use super::identity::Identity;
use crate::counters::{WorkerCounters, count};
use crate::limits::{HANDSHAKE_TIME, MAX_ATTEMPTS, MAX_HALF_OPEN};
use crate::port::{LegKey, Message, ShardPort, Sink};
use crate::{DtlsParams, EngineEvent, SecureError, ShardId};

/// What a session may use while it acts.
pub(super) struct Context<'a> {
    pub(super) now: Instant,
    pub(super) key: LegKey,
    pub(super) identity: &'a Identity,
    pub(super) port: &'a ShardPort,
    pub(super) sink: &'a Sink,
    pub(super) kept: &'a mut VecDeque<(ShardId, Command)>,
    /// Unfinished handshakes of this worker.
    pub(super) half_open: usize,
}

impl Context<'_> {
    fn counters(&self) -> &WorkerCounters {
        &self.port.workers
    }

    fn emit(&self, event: EngineEvent) {
        (self.sink)(self.key.shard, event);
    }

    /// A record of ours: lost when there is no room, as on any network.
    fn send(&self, data: Box<[u8]>) {
        let command = Command::SendDatagram { leg: self.key.leg, path: None, data };
        if self.port.push_lane(command).is_err() {
            count(&self.counters().dtls_send_dropped);
        }
    }

    /// What must not be lost.
    fn keep(&mut self, command: Command) {
        let waiting = self.kept.iter().any(|(shard, _)| *shard == self.key.shard);
        let refused = if waiting { Some(command) } else { self.port.push_lane(command).err() };
        if let Some(command) = refused {
            self.kept.push_back((self.key.shard, command));
        }
    }
}

enum State {
    /// No handshake. Datagrams but a ClientHello are dropped.
    Waiting,
    Handshaking(Box<Association>),
    Secured(Box<Association>),
    /// Final: until the leg is secured anew, all is dropped.
    Over,
}

/// One leg on its worker.
pub(super) struct Session {
    state: State,
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
    /// Where it stands in the worker's timers.
    pub(super) timer: Option<Instant>,
}

impl Session {
    pub(super) fn new() -> Session {
        Session {
            state: State::Waiting,
            params: None,
            random: None,
            began: None,
            attempts: 0,
            broke: false,
            channels: None,
            timer: None,
        }
    }

    pub(super) fn is_half_open(&self) -> bool {
        matches!(self.state, State::Handshaking(_))
    }

    #[cfg(test)]
    pub(super) fn has_channels(&self) -> bool {
        self.channels.is_some()
    }

    /// When it wants to be called.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let (of_dtls, of_handshake) = match &self.state {
            State::Over => return None,
            State::Waiting => (None, self.began),
            State::Handshaking(association) => (association.deadline(), self.began),
            State::Secured(association) => (association.deadline(), None),
        };
        let of_channels = self.channels.as_ref().and_then(Channels::deadline);
        let of_handshake = of_handshake.map(|began| began + HANDSHAKE_TIME);
        [of_dtls, of_handshake, of_channels].into_iter().flatten().min()
    }

    /// The same fingerprint again changes only what goes with it.
    pub(super) fn secure(&mut self, params: DtlsParams) {
        let same = self.params.as_ref().is_some_and(|p| p.remote_fingerprint == params.remote_fingerprint);
        if !same || matches!(self.state, State::Over) {
            *self = Session { timer: self.timer, ..Session::new() };
        }
        if self.channels.is_none() && matches!(self.state, State::Secured(_)) && params.data_channels {
            self.channels = Some(Channels::new(&params));
        }
        self.params = Some(params);
    }

    pub(super) fn datagram(&mut self, datagram: &[u8], context: &mut Context<'_>) {
        if let Some(hello) = client_hello(datagram) {
            self.maybe_begin(hello, context);
        }
        let (State::Handshaking(association) | State::Secured(association)) = &mut self.state else {
            count(&context.counters().dtls_dropped_no_handshake);
            return;
        };
        let mut news = Vec::new();
        let result = association.datagram(datagram, context.now, &mut news);
        self.settle(result, news, context);
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
        let association = Association::new(context.identity, params.remote_fingerprint.clone(), context.now);
        self.state = State::Handshaking(Box::new(association));
    }

    pub(super) fn timeout(&mut self, context: &mut Context<'_>) {
        let late = self.began.is_some_and(|began| context.now >= began + HANDSHAKE_TIME);
        if late && matches!(self.state, State::Waiting | State::Handshaking(_)) {
            let reason = if self.broke { SecureError::Handshake } else { SecureError::Timeout };
            self.fail(reason, context);
            return;
        }
        let (State::Handshaking(association) | State::Secured(association)) = &mut self.state else { return };
        let mut news = Vec::new();
        let mut result = Ok(());
        if association.deadline().is_some_and(|at| at <= context.now) {
            result = association.timeout(context.now, &mut news);
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
        if let State::Handshaking(association) | State::Secured(association) = &mut self.state {
            let mut news = Vec::new();
            association.close(&mut news);
            for item in news {
                if let News::Packet(packet) = item {
                    context.send(packet);
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
                result = result.and_then(|()| association.send(&packet, &mut news));
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
            News::Packet(packet) => context.send(packet),
            News::Keys(keys) => self.secured(*keys, context),
            News::Data(data) => {
                if let Some(channels) = &mut self.channels {
                    channels.packet(data, context.now, context.counters());
                }
            }
            News::Closed => {
                self.end_channels(context);
                self.state = State::Over;
                context.emit(EngineEvent::LegClosed { leg: context.key.leg });
            }
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
        context.keep(Command::SetKeys { leg, inbound, outbound });
        context.emit(EngineEvent::Secured { leg, profile, dtls });
        if let Some(params) = self.params.as_ref().filter(|p| p.data_channels) {
            self.channels = Some(Channels::new(params));
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
                context.emit(EngineEvent::LegClosed { leg: context.key.leg });
            }
            (Broken::Protocol, _) => {}
            (Broken::Refused(reason), _) => self.fail(reason, context),
        }
    }

    fn fail(&mut self, reason: SecureError, context: &mut Context<'_>) {
        self.state = State::Over;
        count(&context.counters().dtls_failed);
        context.emit(EngineEvent::SecureFailed { leg: context.key.leg, reason });
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

/// Bytes of a ClientHello's random.
const RANDOM: usize = 32;

/// A fragment of a ClientHello.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hello {
    /// The first, with the client's random.
    First([u8; RANDOM]),
    /// Any other: datagrams may change places on the way.
    Later,
}

impl Hello {
    fn random(self) -> Option<[u8; RANDOM]> {
        match self {
            Hello::First(random) => Some(random),
            Hello::Later => None,
        }
    }
}

/// What fragment of a ClientHello in the clear the datagram begins with: record header 13 bytes (RFC 6347 section
/// 4.1), handshake header 12 bytes (section 4.2.2), version 2 bytes, random.
fn client_hello(datagram: &[u8]) -> Option<Hello> {
    const HANDSHAKE: u8 = 22;
    const CLIENT_HELLO: u8 = 1;
    let (record, rest) = datagram.split_first_chunk::<13>()?;
    let (handshake, rest) = rest.split_first_chunk::<12>()?;
    if record[0] != HANDSHAKE || record[3..5] != [0; 2] || handshake[0] != CLIENT_HELLO {
        return None;
    }
    if handshake[6..9] != [0; 3] {
        return Some(Hello::Later);
    }
    Some(Hello::First(rest.get(2..2 + RANDOM)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fragments_of_a_client_hello_are_told_apart() {
        let mut hello = vec![22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 80];
        hello.extend([1, 0, 0, 60, 0, 0, 0, 0, 0, 0, 0, 60, 254, 253]);
        hello.extend([7; RANDOM]);
        hello.extend([0; 26]);
        assert_eq!(client_hello(&hello), Some(Hello::First([7; RANDOM])));
        for cut in 0..13 + 12 + 2 + RANDOM {
            assert_eq!(client_hello(&hello[..cut]), None);
        }
        for (at, what) in [(0, "content type"), (4, "epoch"), (13, "message type")] {
            let mut other = hello.clone();
            other[at] ^= 2;
            assert_eq!(client_hello(&other), None, "{what}");
        }
        hello[21] = 30;
        assert_eq!(client_hello(&hello), Some(Hello::Later));
    }
}
