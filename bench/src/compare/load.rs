//! Sources: each feed's packets, at their time, protected where the system wants them so.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use rtc_srtp::context::Context;

use super::plan::Plan;
use super::sink::context;
use super::tally::{enter, histogram};
use crate::rivals::{Feed, RivalError};
use crate::stamp::clock_ns;

/// Packets sent at one go before the sink gets its turn.
const BURST: usize = 32;
/// The first sequence number: the counter wraps in no run.
const FIRST_SEQUENCE: u16 = 1000;

/// One source.
struct Source {
    feed: Feed,
    protect: Option<Context>,
    /// Number of its next packet.
    next: usize,
    /// When its first packet is due.
    begin: Instant,
}

/// All of them.
pub(super) struct Load {
    sources: Vec<Source>,
    /// When each source sends next.
    agenda: BinaryHeap<Reverse<(Instant, usize)>>,
    /// By feed and number.
    pub(super) sent_ns: Vec<Vec<u64>>,
    /// How late packets were sent.
    pub(super) late: Histogram<u64>,
    /// Packets sent.
    pub(super) sent: u64,
    packet: Vec<u8>,
}

impl Load {
    /// Feeds begin spread over one interval, so that many of them make an even load.
    pub(super) fn new(feeds: Vec<Feed>, interval: Duration, begin: Instant) -> Result<Load, RivalError> {
        let count = feeds.len() as u32;
        let mut sources = Vec::with_capacity(feeds.len());
        let mut agenda = BinaryHeap::with_capacity(feeds.len());
        for (index, feed) in feeds.into_iter().enumerate() {
            if !feed.keepalive.is_empty() {
                feed.socket.send_to(&feed.keepalive, feed.to)?;
            }
            let protect = feed.keys.as_ref().map(context).transpose()?;
            let begin = begin + interval * index as u32 / count;
            agenda.push(Reverse((begin, index)));
            sources.push(Source { feed, protect, next: 0, begin });
        }
        let sent_ns = vec![Vec::new(); sources.len()];
        Ok(Load { sources, agenda, sent_ns, late: histogram(), sent: 0, packet: Vec::new() })
    }

    /// Sends what is due; when to call again, or `None` once all feeds have sent the whole plan.
    pub(super) fn send_due(&mut self, plan: &Plan) -> Result<Option<Instant>, RivalError> {
        for _ in 0..BURST {
            let Some(&Reverse((at, index))) = self.agenda.peek() else { return Ok(None) };
            let now = Instant::now();
            if at > now {
                return Ok(Some(at));
            }
            enter(&mut self.late, (now - at).as_nanos() as u64);
            self.agenda.pop();
            self.send(index, plan)?;
            let source = &self.sources[index];
            if let Some(packet) = plan.packets.get(source.next) {
                self.agenda.push(Reverse((source.begin + packet.at, index)));
            }
        }
        Ok(Some(Instant::now()))
    }

    fn send(&mut self, index: usize, plan: &Plan) -> Result<(), RivalError> {
        let source = &mut self.sources[index];
        let number = source.next;
        source.next += 1;
        let Some(packet) = plan.packets.get(number) else { return Ok(()) };
        self.packet.clear();
        let marked = u8::from(packet.marker) << 7;
        self.packet.extend_from_slice(&[0x80, marked | source.feed.payload_type]);
        self.packet.extend_from_slice(&FIRST_SEQUENCE.wrapping_add(number as u16).to_be_bytes());
        self.packet.extend_from_slice(&packet.timestamp.to_be_bytes());
        self.packet.extend_from_slice(&source.feed.ssrc.to_be_bytes());
        plan.payload(index, number, &mut self.packet);
        let sealed = match &mut source.protect {
            Some(context) => context.encrypt_rtp(&self.packet),
            None => Ok(self.packet.as_slice().into()),
        };
        let sealed =
            sealed.map_err(|error| RivalError::Setup(format!("a packet cannot be protected: {error}")))?;
        self.sent_ns[index].push(clock_ns());
        source.feed.socket.send_to(&sealed, source.feed.to)?;
        self.sent += 1;
        Ok(())
    }
}
