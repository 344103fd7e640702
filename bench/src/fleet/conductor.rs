//! The course of a scenario: publishers join, subscribers join, media is counted, the last packets come, all leave.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::client::State;
use super::foreign::{Foreign, Shared};
use super::limits::{CONNECT_NS, DRAIN_NS, LANES, LEAVE_NS, SETTLE_NS};
use super::outcome::{Joins, NodeFigures, Sample};
use super::process::{self, Look};
use super::receive::Receive;
use super::scenario::{Arrival, Scenario};
use super::sdp::{Answer, Author, Kind, offer};
use super::signal::{Call, Signal};
use super::tally::Span;
use super::target::{LegTarget, NodeTarget, Target};
use super::wheel::Wheel;
use super::{FleetError, Observer, trace};
use crate::stamp::clock_ns;

const SECOND_NS: u64 = 1_000_000_000;

/// Someone who is to join.
#[derive(Clone, Copy, Debug)]
pub(super) enum Joiner {
    Publisher(u32),
    Subscriber(u32),
    /// Number, room.
    Foreign(u32, u32),
}

/// Everything of a run.
pub(super) struct Conductor {
    pub(super) scenario: Scenario,
    pub(super) target: Target,
    pub(super) wheel: Wheel,
    signal: Option<Signal>,
    /// Where the node is, for choosing local addresses.
    towards: IpAddr,
    pub(super) publishers: Vec<u32>,
    pub(super) subscribers: Vec<u32>,
    pub(super) shared: Option<Arc<Shared>>,
    pub(super) foreign_clients: u32,
    stop_foreign: watch::Sender<bool>,
    waiting: VecDeque<Joiner>,
    /// Between two joins, and when the next may be.
    interval_ns: u64,
    next_join_ns: u64,
    /// Clients that go at a time, in order.
    leaving: VecDeque<(u64, u32)>,
    open_calls: usize,
    pub(super) joins: Joins,
    /// Why clients failed, the first few.
    pub(super) failures: Vec<String>,
    pub(super) counting: bool,
    begin_ns: u64,
    pub(super) samples: Vec<Sample>,
    last: Seen,
    pub(super) node: NodeFigures,
}

/// What the last sample saw.
#[derive(Default)]
struct Seen {
    at_ns: u64,
    sent: u64,
    received: u64,
    bytes: u64,
    node: Option<Look>,
    own: Option<Look>,
}

impl Conductor {
    pub(super) fn new(scenario: Scenario, target: Target) -> Result<Conductor, FleetError> {
        let mut wheel = Wheel::new()?;
        wheel.loss_per_mille = scenario.loss_per_mille.into();
        let lanes = match scenario.arrival {
            Arrival::Storm { at_once } => at_once,
            _ => LANES,
        };
        let (signal, towards) = match &target {
            Target::Node(node) => (Some(Signal::start(node, lanes, wheel.waker()?)?), node.address()?.ip()),
            Target::Legs(_) => (None, IpAddr::from([127, 0, 0, 1])),
        };
        let joins_per_second = match scenario.arrival {
            Arrival::Steady { joins_per_second } | Arrival::Churn { joins_per_second, .. } => {
                joins_per_second
            }
            Arrival::Storm { .. } => u32::MAX,
            Arrival::Trace { .. } => 200,
        };
        let now_ns = clock_ns();
        Ok(Conductor {
            scenario,
            target,
            wheel,
            signal,
            towards,
            publishers: Vec::new(),
            subscribers: Vec::new(),
            shared: None,
            foreign_clients: 0,
            stop_foreign: watch::Sender::new(false),
            waiting: VecDeque::new(),
            interval_ns: SECOND_NS / u64::from(joins_per_second.max(1)),
            next_join_ns: 0,
            leaving: VecDeque::new(),
            open_calls: 0,
            joins: Joins::default(),
            failures: Vec::new(),
            counting: false,
            begin_ns: now_ns,
            samples: Vec::new(),
            last: Seen { at_ns: now_ns, ..Seen::default() },
            node: NodeFigures::default(),
        })
    }

    fn pid(&self) -> Option<u32> {
        match &self.target {
            Target::Node(node) => node.pid,
            Target::Legs(legs) => legs.pid,
        }
    }

    pub(super) fn look(&self) -> Option<Look> {
        Look::at(self.pid()?, clock_ns())
    }

    /// Who publishes is there and sends before anyone subscribes.
    pub(super) fn connect(&mut self, observer: &mut dyn Observer) -> Result<(), FleetError> {
        match self.target.clone() {
            Target::Legs(legs) => self.connect_legs(&legs),
            Target::Node(_) => self.connect_node(observer),
        }
    }

    fn connect_legs(&mut self, legs: &LegTarget) -> Result<(), FleetError> {
        let now_ns = clock_ns();
        let (senders, receivers, _) = self.scenario.load();
        if legs.send.len() as u64 != senders || legs.receive.len() as u64 != receivers {
            return Err(FleetError::Scenario("the target has other legs than the scenario needs".into()));
        }
        for leg in &legs.receive {
            let number = self.wheel.add_client_at(0, leg.at)?;
            let client = &mut self.wheel.clients[number as usize];
            client.receives.push(Receive::new(self.scenario.sources[0].kind(), None, None));
            client.keyed(leg.keys.as_ref(), None, now_ns);
            self.subscribers.push(number);
        }
        for leg in &legs.send {
            let number = self.wheel.add_client_at(0, leg.from)?;
            let client = &mut self.wheel.clients[number as usize];
            client.route.remote = leg.to;
            client.keyed(None, leg.keys.as_ref(), now_ns);
            let stream = self.wheel.add_stream(number, self.scenario.sources[0]);
            let stream = &mut self.wheel.streams[stream as usize];
            (stream.ssrc, stream.payload_type) = (leg.ssrc, leg.payload_type);
            self.publishers.push(number);
            self.wheel.begin(number, now_ns);
        }
        Ok(())
    }

    fn connect_node(&mut self, observer: &mut dyn Observer) -> Result<(), FleetError> {
        if let Arrival::Trace { .. } = self.scenario.arrival {
            return Ok(());
        }
        observer.phase("publishers join");
        let (senders, receivers, _) = self.scenario.shape.counts();
        for room in 0..self.scenario.rooms {
            for _ in 0..senders {
                let number = self.add_publisher(room)?;
                self.waiting.push_back(Joiner::Publisher(number));
            }
        }
        let all = self.publishers.len();
        self.pump(observer, CONNECT_NS, |c| c.settled(&c.publishers) == all)?;
        self.complain_unless_connected(&self.publishers.clone())?;

        observer.phase("subscribers join");
        let spans: Vec<Arc<Span>> = self.wheel.streams.iter().map(|s| Arc::clone(&s.span)).collect();
        self.shared = Some(Arc::new(Shared::new(self.wheel.run, spans)));
        let everyone = receivers * self.scenario.rooms;
        let foreign = foreign_share(everyone, self.scenario.foreign_per_mille);
        let before = (self.look(), self.pid().and_then(process::pss));
        let step = everyone / foreign.max(1);
        for at in 0..everyone {
            let room = at % self.scenario.rooms;
            if foreign > 0 && at % step == step / 2 && self.foreign_clients < foreign {
                self.waiting.push_back(Joiner::Foreign(self.foreign_clients, room));
                self.foreign_clients += 1;
            } else {
                let number = self.add_subscriber(room, None)?;
                self.waiting.push_back(Joiner::Subscriber(number));
            }
        }
        let lines = self.lines(None).len();
        let all = self.subscribers.len();
        self.pump(observer, CONNECT_NS, |c| {
            let foreign = c.shared.as_ref().map_or(0, |s| s.receiving(lines) + s.failures().len());
            c.first_media(&c.subscribers) == all && foreign >= c.foreign_clients as usize
        })?;
        let connected = (self.connected(&self.subscribers) as u64 + u64::from(self.foreign_clients)).max(1);
        self.note_joins();
        // Handshakes are over for good when nothing of them is kept: the node frees some of it a moment later.
        self.pump(observer, SETTLE_NS, |_| false)?;
        let after = (self.look(), self.pid().and_then(process::pss));
        if let (Some(before), Some(after)) = (&before.0, &after.0) {
            self.node.rss_per_client = Some(after.rss.saturating_sub(before.rss) / connected);
            self.node.cpu_us_per_join = Some(after.since(before).cpu_ns as f64 / 1e3 / connected as f64);
        }
        if let (Some(before), Some(after)) = (before.1, after.1) {
            self.node.pss_per_client = Some(after.saturating_sub(before) / connected);
        }
        self.complain_unless_connected(&self.subscribers.clone())
    }

    fn complain_unless_connected(&self, whose: &[u32]) -> Result<(), FleetError> {
        if self.connected(whose) > 0 {
            return Ok(());
        }
        let why =
            self.failures.first().map_or("no answer to connectivity checks or handshake", String::as_str);
        Err(FleetError::Target(format!("none of {} clients got through: {why}", whose.len())))
    }

    pub(super) fn add_publisher(&mut self, room: u32) -> Result<u32, FleetError> {
        let number = self.wheel.add_client(room, self.towards)?;
        for source in self.scenario.sources.clone() {
            let stream = self.wheel.add_stream(number, source);
            if self.counting {
                self.wheel.streams[stream as usize].span.open(0);
            }
        }
        self.publishers.push(number);
        Ok(number)
    }

    /// A subscriber of so many publishers (`None`: as the shape says).
    pub(super) fn add_subscriber(&mut self, room: u32, heard: Option<u32>) -> Result<u32, FleetError> {
        let number = self.wheel.add_client(room, self.towards)?;
        let lines = self.lines(heard);
        let client = &mut self.wheel.clients[number as usize];
        client.receives = lines.into_iter().map(|kind| Receive::new(kind, None, None)).collect();
        self.subscribers.push(number);
        Ok(number)
    }

    /// The m-lines of a subscriber.
    fn lines(&self, heard: Option<u32>) -> Vec<Kind> {
        let heard = heard.unwrap_or_else(|| self.scenario.shape.counts().2);
        (0..heard).flat_map(|_| self.scenario.sources.iter().map(|s| s.kind())).collect()
    }

    pub(super) fn wait_to_join(&mut self, joiner: Joiner) {
        self.waiting.push_back(joiner);
    }

    /// A client will leave a little later; what is sent from now on is not due at it.
    pub(super) fn leave_soon(&mut self, number: u32) {
        let Wheel { clients, streams, .. } = &mut self.wheel;
        for receive in &mut clients[number as usize].receives {
            if let Some(stream) = receive.stream {
                receive.tally.expect_until(streams[stream as usize].sent);
            }
        }
        self.leaving.push_back((clock_ns() + LEAVE_NS, number));
    }

    fn join(&mut self, joiner: Joiner) {
        let Some(signal) = &self.signal else { return };
        let identity = &self.wheel.identity;
        match joiner {
            Joiner::Publisher(number) | Joiner::Subscriber(number) => {
                let publish = matches!(joiner, Joiner::Publisher(_));
                let client = &self.wheel.clients[number as usize];
                let author = Author {
                    ufrag: &client.ufrag,
                    password: &client.password,
                    fingerprint: &identity.fingerprint,
                };
                let lines: Vec<(Kind, Option<(u32, u32)>)> = if publish {
                    let streams = client.streams.iter().map(|s| &self.wheel.streams[*s as usize]);
                    streams.map(|s| (s.plan.kind(), Some((s.ssrc, s.rtx_ssrc)))).collect()
                } else {
                    client.receives.iter().map(|r| (r.kind, None)).collect()
                };
                let (sdp, room) = (offer(&author, &lines), room_name(self.wheel.run, client.room));
                signal.call(Call::Offer { client: number, publish, room, sdp });
                self.open_calls += 1;
                self.joins.asked += u32::from(!publish);
            }
            Joiner::Foreign(number, room) => {
                if let Some(shared) = &self.shared {
                    signal.call(Call::Foreign(Box::new(Foreign {
                        number,
                        room: room_name(self.wheel.run, room),
                        lines: self.lines(None),
                        shared: Arc::clone(shared),
                        stop: self.stop_foreign.subscribe(),
                    })));
                }
            }
        }
    }

    /// Lets everything run until `done` or the time is over; whether it was done.
    pub(super) fn pump(
        &mut self,
        observer: &mut dyn Observer,
        for_ns: u64,
        done: impl Fn(&Conductor) -> bool,
    ) -> Result<bool, FleetError> {
        let until_ns = clock_ns() + for_ns;
        let mut looks = 0u32;
        loop {
            let now_ns = clock_ns();
            self.wheel.turn(Duration::from_millis(5))?;
            self.take_replies();
            self.let_join(now_ns);
            self.let_leave(now_ns);
            if now_ns >= self.last.at_ns + SECOND_NS {
                self.sample(now_ns, observer);
            }
            looks += 1;
            if looks.is_multiple_of(16) && done(self) {
                return Ok(true);
            }
            if now_ns >= until_ns || observer.stop() {
                return Ok(false);
            }
        }
    }

    fn take_replies(&mut self) {
        while let Some(reply) = self.signal.as_ref().and_then(Signal::reply) {
            self.open_calls -= 1;
            let client = &mut self.wheel.clients[reply.client as usize];
            match reply.result {
                Ok(Some((sdp, location))) => {
                    client.called_ns = reply.called_ns;
                    client.resource = Some(location);
                    match Answer::parse(&sdp) {
                        Some(answer) => self.wheel.answered(reply.client, &answer),
                        None => {
                            client.fail();
                            self.failures.push(format!("an answer that cannot be used: {sdp}"));
                        }
                    }
                }
                Ok(None) => self.joins.left += 1,
                Err(why) => {
                    if client.state == State::Offered {
                        client.fail();
                    }
                    if self.failures.len() < 16 {
                        self.failures.push(why);
                    }
                }
            }
        }
    }

    fn let_join(&mut self, now_ns: u64) {
        while self.next_join_ns <= now_ns {
            let Some(joiner) = self.waiting.pop_front() else { return };
            self.join(joiner);
            self.next_join_ns =
                self.next_join_ns.max(now_ns.saturating_sub(50 * self.interval_ns)) + self.interval_ns;
        }
    }

    fn let_leave(&mut self, now_ns: u64) {
        while let Some(&(_, number)) = self.leaving.front().filter(|(at, _)| *at <= now_ns) {
            self.leaving.pop_front();
            self.leave(number);
        }
    }

    fn leave(&mut self, number: u32) {
        let run = self.wheel.run;
        let client = &mut self.wheel.clients[number as usize];
        if let (Some(resource), Some(signal)) = (client.resource.take(), &self.signal) {
            signal.call(Call::Leave { client: number, resource, room: room_name(run, client.room) });
            self.open_calls += 1;
        }
        if client.state != State::Failed {
            client.state = State::Gone;
        }
        client.end();
    }

    /// All leave; the node may take its time, within bounds.
    pub(super) fn leave_all(&mut self, observer: &mut dyn Observer) -> Result<(), FleetError> {
        self.waiting.clear();
        let _ = self.stop_foreign.send(true);
        for number in self.subscribers.iter().chain(&self.publishers).copied().collect::<Vec<_>>() {
            self.leave(number);
        }
        self.pump(observer, CONNECT_NS, |c| c.open_calls == 0).map(drop)
    }

    pub(super) fn connected(&self, whose: &[u32]) -> usize {
        whose.iter().filter(|n| self.wheel.clients[**n as usize].connected_ns.is_some()).count()
    }

    /// Clients that connected or failed.
    fn settled(&self, whose: &[u32]) -> usize {
        let settled =
            |n: &&u32| matches!(self.wheel.clients[**n as usize].state, State::Connected | State::Failed);
        whose.iter().filter(settled).count()
    }

    /// Clients that receive, or failed.
    fn first_media(&self, whose: &[u32]) -> usize {
        let settled = |n: &&u32| {
            let client = &self.wheel.clients[**n as usize];
            client.state == State::Failed || client.receives.iter().all(|r| r.tally.has_begun())
        };
        whose.iter().filter(settled).count()
    }

    /// Those who came later included.
    pub(super) fn count_joins(&mut self) {
        self.joins.connected = self.connected(&self.subscribers) as u32;
        self.joins.failed = self.joins.asked.saturating_sub(self.joins.connected);
    }

    fn note_joins(&mut self) {
        let clients = || self.subscribers.iter().map(|n| &self.wheel.clients[*n as usize]);
        let mut connected: Vec<u64> = Vec::new();
        let mut media: Vec<u64> = Vec::new();
        for client in clients() {
            connected.extend(client.connected_ns.map(|at| at.saturating_sub(client.called_ns) / 1000));
            media.extend(client.first_media_ns.map(|at| at.saturating_sub(client.called_ns) / 1000));
        }
        let first = clients().map(|c| c.called_ns).filter(|at| *at > 0).min().unwrap_or(0);
        let last = clients().filter_map(|c| c.connected_ns).max().unwrap_or(first);
        self.count_joins();
        self.joins.per_second = connected.len() as f64 / ((last - first).max(1) as f64 / 1e9);
        self.joins.connected_us = (quantile(&mut connected, 0.5), quantile(&mut connected, 0.99));
        self.joins.first_media_us = (quantile(&mut media, 0.5), quantile(&mut media, 0.99));
    }

    /// Counts what is sent from now on.
    pub(super) fn open(&mut self) {
        let Wheel { clients, streams, figures, .. } = &mut self.wheel;
        for stream in streams.iter() {
            stream.span.open(stream.sent);
        }
        for client in clients.iter_mut() {
            for receive in &mut client.receives {
                if let Some(stream) = receive.stream {
                    receive.tally.expect_from(streams[stream as usize].sent);
                }
            }
        }
        if let Some(shared) = &self.shared {
            shared.expect(|stream| streams.get(stream as usize).map_or(0, |s| s.sent));
        }
        figures.begin();
        self.wheel.nap(true);
        self.counting = true;
    }

    /// Counts nothing that is sent from now on.
    pub(super) fn close(&mut self) {
        for stream in &self.wheel.streams {
            stream.span.close(stream.sent);
        }
        self.counting = false;
    }

    /// Packets due that have not come.
    pub(super) fn missing(&self) -> u64 {
        self.packets().lost
    }

    /// Waits for the last packets. Media goes on meanwhile, so that receivers notice what is missing.
    pub(super) fn drain(&mut self, observer: &mut dyn Observer) -> Result<(), FleetError> {
        observer.phase("draining");
        self.count_joins();
        self.pump(observer, DRAIN_NS, |c| c.missing() == 0).map(drop)?;
        self.wheel.nap(false);
        Ok(())
    }

    fn sample(&mut self, now_ns: u64, observer: &mut dyn Observer) {
        let (node, own) = (self.look(), Look::at(std::process::id(), now_ns));
        let cores =
            |now: &Option<Look>, before: &Option<Look>| Some(now.as_ref()?.since(before.as_ref()?).cores());
        let figures = &mut self.wheel.figures;
        let sample = Sample {
            at: (now_ns - self.begin_ns) as f64 / 1e9,
            sent: figures.sent - self.last.sent,
            received: figures.received - self.last.received,
            bytes: figures.bytes - self.last.bytes,
            delay_us: figures.take_second(),
            node_cpu: cores(&node, &self.last.node),
            node_rss: node.as_ref().map(|look| look.rss),
            harness_cpu: cores(&own, &self.last.own).unwrap_or(0.0),
            connected: 0,
            missing: 0,
        };
        let (sent, received, bytes) = (figures.sent, figures.received, figures.bytes);
        self.last = Seen { at_ns: now_ns, sent, received, bytes, node, own };
        let present = |n: &&u32| self.wheel.clients[**n as usize].state == State::Connected;
        let connected = self.subscribers.iter().chain(&self.publishers).filter(present).count() as u32;
        let sample = Sample { connected, missing: self.missing(), ..sample };
        self.samples.push(sample);
        observer.sample(&sample);
    }

    /// Media is counted, while clients come and go as the scenario says.
    pub(super) fn count(&mut self, observer: &mut dyn Observer) -> Result<(), FleetError> {
        let seconds = u64::from(self.scenario.seconds);
        match self.scenario.arrival.clone() {
            Arrival::Churn { changes_per_second, .. } if changes_per_second > 0 => {
                let interval_ns = SECOND_NS / u64::from(changes_per_second);
                let end_ns = clock_ns() + seconds * SECOND_NS;
                let mut oldest = 0;
                while clock_ns() < end_ns && !observer.stop() {
                    self.pump(observer, interval_ns, |_| false)?;
                    // The longest-served one goes and another comes into its room.
                    if let Some(&number) = self.subscribers.get(oldest) {
                        oldest += 1;
                        let room = self.wheel.clients[number as usize].room;
                        self.leave_soon(number);
                        let new = self.add_subscriber(room, None)?;
                        self.waiting.push_back(Joiner::Subscriber(new));
                    }
                }
                Ok(())
            }
            Arrival::Trace { path, speed } => {
                trace::play(self, &path, speed, observer)?;
                self.note_joins();
                Ok(())
            }
            _ => self.pump(observer, seconds * SECOND_NS, |_| false).map(drop),
        }
    }
}

pub(super) fn quantile(values: &mut [u64], q: f64) -> u64 {
    values.sort_unstable();
    let at = (values.len() as f64 * q) as usize;
    values.get(at.min(values.len().saturating_sub(1))).copied().unwrap_or(0)
}

fn room_name(run: u32, room: u32) -> String {
    format!("bench-{run:08x}-{room}")
}

impl NodeTarget {
    /// The node's HTTP address.
    pub(super) fn address(&self) -> Result<SocketAddr, FleetError> {
        let bad = || {
            FleetError::Scenario(format!("{} is no URL of a node, such as http://127.0.0.1:7800", self.url))
        };
        let uri: hyper::Uri = self.url.parse().map_err(|_| bad())?;
        uri.scheme_str().filter(|scheme| matches!(*scheme, "http" | "https")).ok_or_else(bad)?;
        let host = uri.host().ok_or_else(bad)?.trim_start_matches('[').trim_end_matches(']');
        let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
        (host, port).to_socket_addrs()?.next().ok_or_else(bad)
    }
}

/// How many of all subscribers are foreign clients: one at least, where any are wanted, and never all, as delays are
/// taken at light ones.
fn foreign_share(everyone: u32, per_mille: u32) -> u32 {
    if per_mille == 0 {
        return 0;
    }
    let share = u64::from(everyone) * u64::from(per_mille) / 1000;
    (share as u32).max(1).min(everyone.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_are_foreign_and_some_are_not() {
        assert_eq!(foreign_share(1000, 20), 20);
        assert_eq!(foreign_share(10, 20), 1);
        assert_eq!(foreign_share(1, 20), 0);
        assert_eq!(foreign_share(10, 1000), 9);
        assert_eq!(foreign_share(1000, 0), 0);
    }
}
