//! The sampled share of a fleet: receivers on a foreign WebRTC stack, beside the light ones and in the same tallies. What
//! harness and node might get wrong together, they do not.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use str0m::Event;
use str0m::media::{Direction, MediaKind};
use tokio::sync::watch;

use super::outcome::Packets;
use super::sdp::Kind;
use super::stamp::Stamp;
use super::tally::{Came, Span, Tally};
use super::target::NodeTarget;
use crate::client::session::{Session, SessionOptions};
use crate::client::{ClientError, web};

/// What all foreign clients of a run share.
pub(super) struct Shared {
    /// Number of the run.
    pub(super) run: u32,
    /// Spans of the run's streams, by number.
    pub(super) spans: Vec<Arc<Span>>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// By client and stream.
    tallies: HashMap<(u32, u32), Tally>,
    receiving: HashMap<u32, usize>,
    foreign: u64,
    failures: Vec<String>,
}

/// One foreign client to be.
pub(super) struct Foreign {
    pub(super) number: u32,
    pub(super) room: String,
    pub(super) lines: Vec<Kind>,
    pub(super) shared: Arc<Shared>,
    /// `true` ends it.
    pub(super) stop: watch::Receiver<bool>,
}

impl Shared {
    pub(super) fn new(run: u32, spans: Vec<Arc<Span>>) -> Shared {
        Shared { run, spans, seen: Mutex::default() }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        // A panic elsewhere leaves at worst one packet half entered: the counts are still worth reading.
        self.seen.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Clients that receive at least so many streams.
    pub(super) fn receiving(&self, streams: usize) -> usize {
        self.seen().receiving.values().filter(|count| **count >= streams).count()
    }

    /// Every stream that anyone receives is due from its `next` packet on.
    pub(super) fn expect(&self, next: impl Fn(u32) -> u64) {
        for ((_, stream), tally) in &mut self.seen().tallies {
            tally.expect_from(next(*stream));
        }
    }

    /// What all of them saw; `sent` says how many packets a stream has sent.
    pub(super) fn packets(&self, sent: impl Fn(u32) -> u64) -> Packets {
        let seen = self.seen();
        let mut packets = Packets { foreign: seen.foreign, ..Packets::default() };
        for ((_, stream), tally) in &seen.tallies {
            if let Some(span) = self.spans.get(*stream as usize) {
                packets.add(&tally.counts(span, sent(*stream)));
            }
        }
        packets
    }

    /// Why clients failed.
    pub(super) fn failures(&self) -> Vec<String> {
        self.seen().failures.clone()
    }

    fn note(&self, client: u32, payload: &[u8], sequence: u16, arrived_ns: u64) {
        let mut seen = self.seen();
        let stamp = Stamp::read(payload).filter(|stamp| stamp.run == self.run);
        let Some((stamp, span)) = stamp.and_then(|s| Some((s, self.spans.get(s.stream as usize)?))) else {
            seen.foreign += 1;
            return;
        };
        let tally = seen.tallies.entry((client, stamp.stream)).or_default();
        let begins = !tally.has_begun();
        // str0m hands out repairs as if they had come in order, and so keeps to itself which ones were.
        let came = Came { index: stamp.index, sequence, repair: true, sent_ns: stamp.sent_ns, arrived_ns };
        tally.note(came, span);
        if begins {
            *seen.receiving.entry(client).or_default() += 1;
        }
    }
}

/// Runs one foreign client until it is told to stop.
pub(super) async fn run(foreign: Foreign, target: Arc<NodeTarget>) {
    if let Err(error) = receive(&foreign, &target).await {
        foreign.shared.seen().failures.push(error.to_string());
    }
}

async fn receive(foreign: &Foreign, target: &NodeTarget) -> Result<(), ClientError> {
    let mut session = Session::new(&SessionOptions::default()).await?;
    let mut api = session.rtc.sdp_api();
    for kind in &foreign.lines {
        let kind = if *kind == Kind::Audio { MediaKind::Audio } else { MediaKind::Video };
        api.add_media(kind, Direction::RecvOnly, None, None, None);
    }
    let Some((offer, pending)) = api.apply() else { return Err(ClientError::Rtc("nothing to offer".into())) };
    let url = format!("{}/whep/{}", target.url.trim_end_matches('/'), foreign.room);
    let bearer = format!("Bearer {}", (target.token)(&foreign.room));
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/sdp")];
    let answer = web::request("POST", &url, &headers, offer.to_sdp_string(), &target.trust).await?;
    if answer.status != 201 {
        return Err(ClientError::Refused { code: answer.status.to_string(), message: answer.body });
    }
    session.accept(pending, &answer.body)?;
    let mut stop = foreign.stop.clone();
    loop {
        tokio::select! {
            done = session.wait() => done?,
            _ = stop.wait_for(|stop| *stop) => break,
        }
        while let Some(happened) = session.next_event() {
            if let Event::RtpPacket(packet) = happened.event {
                let sequence = *packet.seq_no as u16;
                foreign.shared.note(foreign.number, &packet.payload, sequence, happened.at_ns);
            }
        }
    }
    if let Some(location) = answer.header("location") {
        let resource = crate::client::whip::resolve(&url, location);
        web::request("DELETE", &resource, &headers[..1], "", &target.trust).await?;
    }
    Ok(())
}
