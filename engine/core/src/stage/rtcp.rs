//! Authenticates RTCP and does what it asks (RFC 3550 section 6, RFC 4585, RFC 5104). A peer can speak only about
//! the SSRCs that its own leg sends or receives.
//!
//! Next: repair, reports, outbox.
//! Drops: `UnknownPath`, `ForeignSource`, `NoKeys`, `RtcpRate`, `RtcpBadTag`, `RtcpReplayed`, `RtcpMalformed`, `RtcpForeignSsrc`,
//! and those of repairs.

use kaname_srtp::SrtpError;
use kaname_wire::ntp::nanos_from_short;
use kaname_wire::rtcp::{Compound, Message, Nack, ReportBlock, SenderReport};

use crate::batch::Incoming;
use crate::counters::DropReason;
use crate::crossing::Body;
use crate::event::Event;
use crate::leg::{Owner, Receiving};
use crate::state::{Repair, State};
use crate::stream::RemoteReport;
use crate::{Datagram, Stray, Time, limits};

pub(crate) fn run(
    state: &mut State,
    batch: &mut Incoming,
    now: Time,
    datagrams: &[Datagram<'_>],
    stray: &mut Stray<'_>,
) {
    for &at in &batch.rtcp {
        // What was in staging has moved to the arena or is garbage by now.
        let Some(buffer) = batch.staging.first_mut() else { return };
        let datagram = &datagrams[usize::from(at)];
        let now = now - datagram.waited;
        let read = unprotect(state, datagram, now, &mut buffer[..]);
        let done = read.and_then(|(leg, len)| compound(state, leg, &buffer[..len], now));
        if let Err(reason) = done {
            state.give_up(datagram, reason, stray);
        }
    }
}

fn unprotect(
    state: &mut State,
    datagram: &Datagram<'_>,
    now: Time,
    out: &mut [u8],
) -> Result<(u32, usize), DropReason> {
    let (index, by_port) = state.leg_at(&datagram.path).ok_or(DropReason::UnknownPath)?;
    let leg = state.legs.get_mut(index).ok_or(DropReason::UnknownPath)?;
    // Charged after authentication, so that forged packets use up nobody's share.
    if !leg.rtcp.allows(now, limits::RTCP_PER_SECOND, limits::RTCP_PER_SECOND) {
        return Err(DropReason::RtcpRate);
    }
    let ports = leg.ports.as_mut().filter(|_| by_port);
    if let Some(ports) = &ports {
        ports.admits_rtcp(&datagram.path, leg.inbound.is_plain(), now)?;
    }
    let by_rtcp_port = ports.as_ref().is_some_and(|ports| ports.rtcp == Some(datagram.path.local));
    let own_keys = leg.rtcp_keys.as_mut().filter(|_| by_rtcp_port);
    let len = match own_keys.map_or(&mut leg.inbound, |keys| &mut keys.inbound) {
        Receiving::Closed => return Err(DropReason::NoKeys),
        Receiving::Plain => {
            out[..datagram.bytes.len()].copy_from_slice(datagram.bytes);
            datagram.bytes.len()
        }
        Receiving::Secure(inbound) => inbound.unprotect_rtcp(datagram.bytes, out).map_err(reason)?,
    };
    let moved = ports.is_some_and(|ports| ports.hear_rtcp(&datagram.path));
    leg.rtcp.charge();
    leg.count_in(datagram.bytes.len(), now);
    if moved {
        leg.settle();
    }
    Ok((index, len))
}

fn reason(error: SrtpError) -> DropReason {
    match error {
        SrtpError::Tag => DropReason::RtcpBadTag,
        SrtpError::Replayed | SrtpError::TooOld => DropReason::RtcpReplayed,
        _ => DropReason::RtcpMalformed,
    }
}

fn compound(state: &mut State, leg: u32, bytes: &[u8], now: Time) -> Result<(), DropReason> {
    let compound = Compound::parse(bytes).map_err(|_| DropReason::RtcpMalformed)?;
    for packet in compound.packets() {
        // A packet that is malformed, or speaks of others' SSRCs, spoils only itself.
        let done = packet
            .message()
            .map_err(|_| DropReason::RtcpMalformed)
            .and_then(|it| message(state, leg, it, now));
        if let Err(reason) = done {
            state.counters.drop(reason);
        }
    }
    Ok(())
}

fn message(state: &mut State, leg: u32, message: Message<'_>, now: Time) -> Result<(), DropReason> {
    match message {
        Message::SenderReport(report) => {
            report_blocks(state, leg, report.report_blocks(), now);
            sender_report(state, leg, &report, now)
        }
        Message::ReceiverReport(report) => {
            report_blocks(state, leg, report.report_blocks(), now);
            Ok(())
        }
        Message::Bye(bye) => {
            bye.ssrcs().for_each(|ssrc| goodbye(state, leg, ssrc));
            Ok(())
        }
        Message::Nack(request) => nack(state, leg, &request, now),
        Message::Pli(pli) => key_frame_request(state, leg, pli.media_ssrc, None, now),
        Message::Fir(fir) => fir
            .entries()
            .try_for_each(|entry| key_frame_request(state, leg, entry.ssrc, Some(entry.sequence), now)),
        // Estimates of the path to the subscriber: nobody acts on them yet.
        Message::Remb(_) | Message::TransportFeedback(_) => Ok(()),
        Message::Sdes(_) | Message::Other => Ok(()),
    }
}

/// The sender that the leg knows by this SSRC.
fn sink(state: &State, leg: u32, ssrc: u32) -> Result<Owner, DropReason> {
    state.legs.get(leg).and_then(|leg| leg.sinks.get(ssrc)).ok_or(DropReason::RtcpForeignSsrc)
}

fn sender_report(
    state: &mut State,
    leg: u32,
    report: &SenderReport<'_>,
    now: Time,
) -> Result<(), DropReason> {
    let owner = state.legs.get(leg).and_then(|leg| leg.sources.get(report.ssrc));
    let owner = owner.ok_or(DropReason::RtcpForeignSsrc)?;
    if let Some(stream) = state.streams.get_mut(owner.index).filter(|_| !owner.repair) {
        let timestamp = report.info.rtp_timestamp.wrapping_add(stream.timestamp_offset);
        let report = RemoteReport { ntp: report.info.ntp, timestamp, arrival: now };
        stream.remote_report = Some(report);
        for export in stream.exports.iter().filter(|export| export.wanted) {
            state.crossings.tell(export.to, export.link, Body::Report(report));
        }
    }
    Ok(())
}

/// A block about an SSRC that has just gone does not spoil the others.
fn report_blocks(state: &mut State, leg: u32, blocks: impl Iterator<Item = ReportBlock>, now: Time) {
    for block in blocks {
        if let Err(reason) = report_block(state, leg, block, now) {
            state.counters.drop(reason);
        }
    }
}

fn report_block(state: &mut State, leg: u32, block: ReportBlock, now: Time) -> Result<(), DropReason> {
    let owner = sink(state, leg, block.ssrc)?;
    let State { legs, senders, .. } = state;
    let (Some(leg), Some(sender)) = (legs.get_mut(leg), senders.get_mut(owner.index)) else { return Ok(()) };
    if owner.repair {
        return Ok(());
    }
    sender.lost = i64::from(block.cumulative_lost);
    sender.jitter = block.jitter;
    // RFC 3550 section 6.4.1, on our own clock: only a report that we sent counts, so the peer cannot lie its way
    // to a negative or an absurd time.
    if let Some(sent) = sender.report_time(block.last_sr) {
        let held = std::time::Duration::from_nanos(nanos_from_short(block.delay_since_last_sr));
        leg.round_trip = now.since(sent).checked_sub(held).or(leg.round_trip);
    }
    Ok(())
}

fn goodbye(state: &mut State, leg: u32, ssrc: u32) {
    let owner = state.legs.get(leg).and_then(|leg| leg.sources.get(ssrc)).filter(|owner| !owner.repair);
    if let Some(stream) = owner.and_then(|owner| state.streams.get_mut(owner.index))
        && std::mem::take(&mut stream.started)
    {
        stream.key_frames.cancel();
        stream.missing.clear();
        state.events.push_back(Event::StreamEnded { stream: stream.id });
    }
}

fn key_frame_request(
    state: &mut State,
    leg: u32,
    ssrc: u32,
    fir: Option<u8>,
    now: Time,
) -> Result<(), DropReason> {
    let owner = sink(state, leg, ssrc)?;
    let Some(sender) = state.senders.get_mut(owner.index) else { return Ok(()) };
    // RFC 5104 section 4.3.1.2: the same number again is the same request again.
    if fir.is_some() && sender.last_fir == fir {
        return Ok(());
    }
    sender.last_fir = fir.or(sender.last_fir);
    sender.key_frame_requests += 1;
    let route = sender.pending.as_ref().or(sender.route.as_ref());
    if let Some(stream) = route.map(|route| route.stream) {
        state.want_key_frame(stream, false, now);
    }
    Ok(())
}

fn nack(state: &mut State, leg: u32, request: &Nack<'_>, now: Time) -> Result<(), DropReason> {
    let owner = sink(state, leg, request.media_ssrc)?;
    if owner.repair {
        return Ok(());
    }
    for sequence in request.sequences().take(limits::NACK_PER_PACKET) {
        if let Err(reason) = repair(state, owner.index, sequence, now) {
            state.counters.drop(reason);
        }
    }
    Ok(())
}

/// Queues one repair, if the packet is still there and the sender's budget allows it.
fn repair(state: &mut State, index: u32, sequence: u16, now: Time) -> Result<(), DropReason> {
    let State { legs, streams, senders, arena, repairs, crossings, .. } = state;
    let sender = senders.get_mut(index).ok_or(DropReason::RepairUnknown)?;
    let round_trip = legs.get(sender.leg).ok_or(DropReason::RepairUnknown)?.round_trip();
    let origin = sender.mapping.origin(sequence).ok_or(DropReason::RepairUnknown)?;
    let stream = streams.index(origin.stream).and_then(|index| streams.get_mut(index));
    let stream = stream.ok_or(DropReason::RepairUnknown)?;
    let Some(slot) = stream.cache.get(origin.sequence) else {
        // It may have been lost between the shards; then it goes to everybody here as if it came late.
        if let Some(import) = &mut stream.import
            && stream.cache.may_come(origin.sequence)
            && import.ask_again(origin.sequence)
        {
            crossings.tell(import.from, import.link, Body::Again { sequence: origin.sequence });
        }
        return Err(DropReason::RepairUnknown);
    };
    let meta = arena.meta(slot);
    // Without RTX there is no repair: the same index cannot be used twice (RFC 3711 section 9.1).
    let payload = sender.route.as_mut().and_then(|route| route.payload_type(meta.payload_type));
    let payload_type = payload.and_then(|payload| payload.rtx).filter(|_| sender.rtx_ssrc.is_some());
    let payload_type = payload_type.ok_or(DropReason::RepairUnknown)?;
    if repairs.len() >= limits::REPAIRS {
        return Err(DropReason::RepairOverflow);
    }
    sender.repairs.spend(sequence, meta.payload_len(), now, round_trip)?;
    let timestamp = meta.timestamp.wrapping_add(origin.offset);
    arena.retain(slot);
    repairs.push_back(Repair { sender: index, slot, sequence, timestamp, payload_type });
    Ok(())
}
