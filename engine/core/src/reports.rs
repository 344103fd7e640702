//! Regular reports (RFC 3550 section 6.4): receiver reports to publishers, and to subscribers the publishers'
//! sender reports translated into our senders' numbers, so that sound and picture stay together.

use std::time::Duration;

use arrayvec::ArrayVec;
use kaname_wire::ntp::{NtpTime, short_from_nanos};
use kaname_wire::rtcp::write;
use kaname_wire::rtcp::{ReportBlock, SenderInfo};

use crate::counters::DropReason;
use crate::limits::{REPORT_INTERVAL, RTCP_OUT_LEN};
use crate::outbox::Way;
use crate::sender::Sender;
use crate::state::State;
use crate::stream::Stream;
use crate::{Time, limits};

/// Report blocks a datagram: with names they stay below its length.
const BLOCKS: usize = 24;
/// A sender report and its name.
const ENTRY_LEN: usize = 28 + 12 + limits::CNAME_LEN + 4;

type Compound = ArrayVec<u8, RTCP_OUT_LEN>;

impl State {
    /// Sends the reports of a leg if they are due, and says when the next are.
    pub(crate) fn report(&mut self, index: u32, now: Time) {
        let Some(leg) = self.legs.get_mut(index) else { return };
        if leg.report_due > now {
            return;
        }
        // RFC 3550 section 6.2: between half and one and a half intervals, so that reports do not fall in step.
        let interval = REPORT_INTERVAL.as_nanos() as u64;
        let jittered = interval / 2 + self.random.u64() % interval;
        leg.report_due = now + Duration::from_nanos(jittered);
        if !leg.can_send() {
            return;
        }
        let mut compound = Compound::new();
        self.receiver_reports(index, &mut compound, now);
        self.sender_reports(index, &mut compound, now);
        self.post_compound(index, &mut compound);
    }

    fn post_compound(&mut self, leg: u32, compound: &mut Compound) {
        if !compound.is_empty() {
            self.post(leg, Way::Rtcp, compound);
            compound.clear();
        }
    }

    fn receiver_reports(&mut self, index: u32, compound: &mut Compound, now: Time) {
        let State { legs, streams, outbox, counters, .. } = self;
        let Some(leg) = legs.get(index) else { return };
        let mut blocks = ArrayVec::<ReportBlock, BLOCKS>::new();
        let mut flush = |blocks: &mut ArrayVec<ReportBlock, BLOCKS>, compound: &mut Compound| {
            if blocks.is_empty() {
                return;
            }
            if !compound.is_empty() {
                if !outbox.push(index, Way::Rtcp, compound) {
                    counters.drop(DropReason::OutboxFull);
                }
                compound.clear();
            }
            append(compound, |out| write::receiver_report(out, leg.own_ssrc, blocks));
            append(compound, |out| write::sdes(out, &[(leg.own_ssrc, leg.cname.as_str())]));
            blocks.clear();
        };
        for &stream in &leg.streams {
            if let Some(block) = streams.get_mut(stream).and_then(|stream| report_block(stream, now)) {
                blocks.push(block);
            }
            if blocks.is_full() {
                flush(&mut blocks, compound);
            }
        }
        flush(&mut blocks, compound);
    }

    fn sender_reports(&mut self, index: u32, compound: &mut Compound, now: Time) {
        let State { legs, streams, senders, outbox, counters, .. } = self;
        let Some(leg) = legs.get(index) else { return };
        for &sender in &leg.senders {
            let Some(sender) = senders.get_mut(sender) else { continue };
            let stream = sender.route.as_ref().and_then(|route| streams.get(route.stream));
            let own_clock = leg.ports.is_some();
            let info = stream.and_then(|stream| sender_info(stream, sender, own_clock, now));
            let Some(info) = info else { continue };
            if compound.remaining_capacity() < ENTRY_LEN {
                if !outbox.push(index, Way::Rtcp, compound) {
                    counters.drop(DropReason::OutboxFull);
                }
                compound.clear();
            }
            sender.reported(info.ntp.middle(), now);
            append(compound, |out| write::sender_report(out, sender.ssrc, &info, &[]));
            append(compound, |out| write::sdes(out, &[(sender.ssrc, sender.cname.as_str())]));
        }
    }
}

/// Writes a packet behind those that are there; one that finds no room is left out.
fn append(compound: &mut Compound, write: impl FnOnce(&mut [u8]) -> Result<usize, write::WriteError>) {
    let mut bytes = [0; RTCP_OUT_LEN];
    let room = compound.remaining_capacity();
    let written = write(&mut bytes[..room]);
    debug_assert!(written.is_ok());
    if let Ok(len) = written {
        compound.extend(bytes[..len].iter().copied());
    }
}

fn report_block(stream: &mut Stream, now: Time) -> Option<ReportBlock> {
    let ssrc = stream.ssrc.filter(|_| stream.started)?;
    let mut block = stream.reception.report(ssrc, stream.sequence_offset);
    if let Some(report) = stream.remote_report {
        block.last_sr = report.ntp.middle();
        block.delay_since_last_sr = short_from_nanos(now.since(report.arrival).as_nanos() as u64);
    }
    Some(block)
}

/// The publisher's clocks as the subscriber sees them: the same NTP time, and the timestamp that our sender would
/// give that moment. Where the publisher tells none, a phone that sends no RTCP or an audio worker, they are ours.
fn sender_info(stream: &Stream, sender: &Sender, own_clock: bool, now: Time) -> Option<SenderInfo> {
    let offset = sender.mapping.offset(stream.id)?;
    let report = stream.remote_report.map(|report| report.at(now, stream.clock_rate));
    let own_clock = own_clock || stream.import.as_ref().is_some_and(|import| import.is_without_clocks(now));
    let (ntp, rtp_timestamp) = match report {
        Some(report) => (report.ntp, report.timestamp.wrapping_add(offset)),
        // RFC 3550 section 6.4.1: without a wall clock, the time that passed since some beginning.
        None if own_clock => {
            let ntp = NtpTime::from_nanos(now.as_nanos(), 0);
            (ntp, sender.mapping.timestamp_at(now, stream.clock_rate)?)
        }
        None => return None,
    };
    Some(SenderInfo { ntp, rtp_timestamp, packets: sender.packets as u32, octets: sender.bytes as u32 })
}
