//! The course of a demo: connect, wait until all see all, send, drain, judge.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::cpu::cpu_time;
use super::{DemoError, DemoOptions, DemoReport, Progress};
use crate::client::{ClientError, Kind, Peer, PeerOptions, PeerState, SessionOptions, Trust};
use crate::stamp::Ledger;

/// How long everybody may take to connect and to see everybody. A handshake takes milliseconds; a host with forty
/// decoders on one core takes longer to get there.
const CONNECT_WITHIN: Duration = Duration::from_secs(30);
/// How long the last packets may take to come, repairs included.
const DRAIN_WITHIN: Duration = Duration::from_secs(3);
/// How often progress is shown and the drain is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Everybody in the room.
struct Fleet {
    publishers: Vec<Peer>,
    subscribers: Vec<Peer>,
    ledger: Arc<Ledger>,
    options: DemoOptions,
}

/// Runs the demo on the caller's tokio runtime. `progress` is called about four times a second.
pub async fn run(
    options: DemoOptions,
    mut progress: impl FnMut(&Progress) + Send,
) -> Result<DemoReport, DemoError> {
    check(&options)?;
    progress(&Progress { phase: "connecting", ..Progress::default() });
    let mut fleet = Fleet {
        publishers: Vec::new(),
        subscribers: Vec::new(),
        ledger: Arc::new(Ledger::new()),
        options: options.clone(),
    };
    fleet.connect(&mut progress).await?;
    fleet.see_each_other(&mut progress).await?;

    let before: Vec<PeerState> = fleet.subscribers.iter().map(Peer::state).collect();
    let cpu_before = options.node_pid.and_then(cpu_time);
    fleet.ledger.count(true);
    fleet.watch("sending", Duration::from_secs(options.seconds.into()), &mut progress, |_| false).await;
    fleet.ledger.count(false);
    let cpu_after = options.node_pid.and_then(cpu_time);
    // Media goes on meanwhile, so that a receiver notices that the last counted packet is missing.
    fleet.watch("draining", DRAIN_WITHIN, &mut progress, |ledger| ledger.totals().missing() == 0).await;
    let cpu = cpu_before.zip(cpu_after).map(|(from, to)| to.saturating_sub(from));
    let report = fleet.judge(&before, cpu);
    fleet.leave().await;
    Ok(report)
}

fn check(options: &DemoOptions) -> Result<(), DemoError> {
    if options.publishers == 0 || options.subscribers == 0 || options.seconds == 0 {
        return Err(DemoError::Options("publishers, subscribers and seconds must be at least 1".into()));
    }
    if options.publishers.saturating_add(options.subscribers) > u32::from(u16::MAX) {
        return Err(DemoError::Options("at most 65535 peers".into()));
    }
    Ok(())
}

impl Fleet {
    fn peer_options(&self, name: &str, number: u32) -> PeerOptions {
        let token = (self.options.token)(&format!("{name}-{number}"));
        let mut peer = PeerOptions::new(&self.options.ws_url, &token, name, number as u16);
        peer.ledger = Arc::clone(&self.ledger);
        peer.trust = if self.options.accept_any_certificate { Trust::Any } else { Trust::Plain };
        peer.session = SessionOptions::default();
        peer
    }

    async fn connect(&mut self, progress: &mut impl FnMut(&Progress)) -> Result<(), DemoError> {
        let publishers = self.options.publishers;
        for number in 0..publishers {
            let mut options = self.peer_options("publisher", number);
            options.publish = vec![Kind::Audio, Kind::Video];
            let peer = join(options).await?;
            peer.set_sending(true).await;
            self.publishers.push(peer);
        }
        for number in publishers..publishers + self.options.subscribers {
            let mut options = self.peer_options("subscriber", number);
            options.subscribe = true;
            self.subscribers.push(join(options).await?);
            progress(&self.look("connecting", 0.0));
        }
        Ok(())
    }

    /// Waits until every subscriber has recognised sound and pictures of every publisher.
    async fn see_each_other(&mut self, progress: &mut impl FnMut(&Progress)) -> Result<(), DemoError> {
        let deadline = Instant::now() + CONNECT_WITHIN;
        let tracks = 2 * self.options.publishers as usize;
        for index in 0..self.subscribers.len() {
            let subscriber = &mut self.subscribers[index];
            let seen = tokio::time::timeout_at(deadline, subscriber.until(|s| s.receives(tracks, 1))).await;
            match seen {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => return Err(DemoError::Connect(error.to_string())),
                Err(_) => return Err(DemoError::NotAllConnected(self.who_misses_what(tracks))),
            }
            progress(&self.look("connecting", 0.0));
        }
        Ok(())
    }

    fn who_misses_what(&self, tracks: usize) -> String {
        let mut lines: Vec<String> = Vec::new();
        for (role, peers) in [("publisher", &self.publishers), ("subscriber", &self.subscribers)] {
            for (index, peer) in peers.iter().enumerate() {
                let s = peer.state();
                if role == "publisher" && s.connected || s.receives(tracks, 1) {
                    continue;
                }
                let tracks: Vec<String> = s
                    .heard
                    .values()
                    .map(|h| {
                        format!(
                            "{:?} of {}: {} packets, {} right, {} wrong",
                            h.kind, h.sender, h.packets, h.right, h.wrong
                        )
                    })
                    .collect();
                let ended = s.ended.unwrap_or_else(|| "running".into());
                lines.push(format!(
                    "{role} {index}: connected {}, {ended}, [{}]",
                    s.connected,
                    tracks.join("; ")
                ));
            }
        }
        lines.join("\n")
    }

    /// Looks on for some time, or until there is no more to see.
    async fn watch(
        &self,
        phase: &'static str,
        time: Duration,
        progress: &mut impl FnMut(&Progress),
        done: impl Fn(&Ledger) -> bool,
    ) {
        let begin = Instant::now();
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        while begin.elapsed() < time && !done(&self.ledger) {
            let left = time.saturating_sub(begin.elapsed());
            // The last stretch may be shorter than a look.
            let _ = timeout(left, ticks.tick()).await;
            progress(&self.look(phase, begin.elapsed().min(time).as_secs_f32()));
        }
    }

    fn look(&self, phase: &'static str, seconds: f32) -> Progress {
        let totals = self.ledger.totals();
        let all = self.publishers.iter().chain(&self.subscribers);
        Progress {
            phase,
            seconds: (seconds, self.options.seconds),
            connected: (
                all.filter(|p| p.state().connected).count() as u32,
                self.options.publishers + self.options.subscribers,
            ),
            sent: self.ledger.sent_total(),
            received: totals.received,
            missing: totals.missing(),
            decoded_frames: self
                .subscribers
                .iter()
                .map(|s| pictures(&s.state()).map(|h| h.0).sum::<u64>())
                .sum(),
            delay_us: self.ledger.delay_us(),
        }
    }

    fn judge(&self, before: &[PeerState], cpu: Option<Duration>) -> DemoReport {
        let totals = self.ledger.totals();
        let mut report = DemoReport {
            peers: self.options.publishers + self.options.subscribers,
            sent: totals.due,
            received: totals.received,
            lost: totals.missing(),
            decoded_frames_min: u64::MAX,
            decoded_sound_min: u64::MAX,
            forward_delay_us: self.ledger.delay_us(),
            srtp_backend: self.options.srtp_backend.clone(),
            io_backend: self.options.io_backend.clone(),
            ..DemoReport::default()
        };
        if totals.received > 0 {
            report.cpu_us_per_packet = cpu.map(|cpu| cpu.as_secs_f64() * 1e6 / totals.received as f64);
        }
        for (subscriber, before) in self.subscribers.iter().zip(before) {
            let now = subscriber.state();
            // One who lost a publisher on the way decoded nothing of it.
            if now.heard.len() < 2 * self.publishers.len() {
                (report.decoded_frames_min, report.decoded_sound_min) = (0, 0);
            }
            for (track, heard) in &now.heard {
                let (right, wrong) = before.heard.get(track).map_or((0, 0), |h| (h.right, h.wrong));
                let right = heard.right - right;
                match heard.kind {
                    Kind::Video => {
                        report.decoded_frames += right;
                        report.decoded_frames_min = report.decoded_frames_min.min(right);
                        report.wrong_frames += heard.wrong - wrong;
                    }
                    Kind::Audio => report.decoded_sound_min = report.decoded_sound_min.min(right),
                }
            }
        }
        report
    }

    async fn leave(self) {
        for peer in self.subscribers.into_iter().chain(self.publishers) {
            peer.leave().await;
        }
    }
}

/// Right and wrong pictures of each video track.
fn pictures(state: &PeerState) -> impl Iterator<Item = (u64, u64)> {
    state.heard.values().filter(|h| h.kind == Kind::Video).map(|h| (h.right, h.wrong))
}

async fn join(options: PeerOptions) -> Result<Peer, DemoError> {
    let name = format!("{}-{}", options.name, options.number);
    let joined = timeout(CONNECT_WITHIN, Peer::join(options)).await;
    let joined = joined.unwrap_or_else(|_| Err(ClientError::Web("no answer in time".into())));
    joined.map_err(|error| DemoError::Connect(format!("{name}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> DemoOptions {
        DemoOptions {
            ws_url: "ws://127.0.0.1:9/ws".into(),
            accept_any_certificate: false,
            token: Arc::new(|_| String::new()),
            seconds: 1,
            publishers: 1,
            subscribers: 1,
            node_pid: None,
            srtp_backend: String::new(),
            io_backend: String::new(),
        }
    }

    #[tokio::test]
    async fn senseless_options_are_refused() {
        for bad in [
            DemoOptions { seconds: 0, ..options() },
            DemoOptions { publishers: 0, ..options() },
            DemoOptions { subscribers: 0, ..options() },
            DemoOptions { subscribers: 70_000, ..options() },
        ] {
            assert!(matches!(run(bad, |_| {}).await, Err(DemoError::Options(_))));
        }
    }

    #[tokio::test]
    async fn a_node_that_is_not_there_is_said_so() {
        // Port 9 of loopback: nobody listens there.
        let Err(DemoError::Connect(why)) = run(options(), |_| {}).await else {
            panic!("connected to nobody")
        };
        assert!(why.contains("publisher-0"), "{why}");
    }
}
