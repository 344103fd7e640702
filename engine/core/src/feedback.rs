//! What publishers are told: missing packets, wanted key frames, arrivals (RFC 4585, RFC 5104, transport-wide
//! feedback).
//!
//! Each datagram begins with an empty receiver report, as RFC 3550 section 6.1 wants a compound to begin with a
//! report; it has no SDES, which the regular reports carry.

use arrayvec::ArrayVec;
use kaname_wire::rtcp::write::{self, CompoundWriter, WriteError};
use kaname_wire::rtcp::{FirEntry, Pli};

use crate::crossing::Body;
use crate::limits::RTCP_OUT_LEN;
use crate::outbox::Way;
use crate::state::State;
use crate::{Time, limits};

impl State {
    /// Someone waits for a key frame of the stream; `new_route`: because its sender is new to it.
    pub(crate) fn want_key_frame(&mut self, index: u32, new_route: bool, now: Time) {
        let Some(stream) = self.streams.get_mut(index) else { return };
        if stream.kind == crate::command::MediaKind::Audio || !(stream.pli || stream.fir) {
            return;
        }
        if let Some(import) = &mut stream.import {
            if !std::mem::replace(&mut import.wished[usize::from(new_route)], true) {
                self.crossings.tell(import.from, import.link, Body::KeyFrame { new_route });
            }
            return;
        }
        if new_route {
            stream.key_frames.want_for_route(now);
        } else {
            stream.key_frames.want(now);
        }
        self.ask_for_key_frame(index, now);
    }

    /// Sends the request for a key frame if it is due; wakes the leg for the next.
    pub(crate) fn ask_for_key_frame(&mut self, index: u32, now: Time) {
        let Some(stream) = self.streams.get_mut(index) else { return };
        let leg_index = stream.leg;
        let Some(leg) = self.legs.get(leg_index) else { return };
        let Some(due) = stream.key_frames.due() else { return };
        let Some(ssrc) = stream.ssrc.filter(|_| leg.can_send()) else {
            // Nobody to ask yet: the first packet or the keys bring it up again, and so does the timer.
            return self.agenda.wake(leg_index, due.max(now + limits::KEY_FRAME_INTERVAL));
        };
        let (sender_ssrc, pli) = (leg.own_ssrc, stream.pli);
        let asked = stream.key_frames.ask(now);
        let due = stream.key_frames.due();
        if let Some(sequence) = asked {
            self.counters.key_frame_requests += 1;
            self.post_feedback(leg_index, sender_ssrc, |out| match pli {
                true => write::pli(out, Pli { sender_ssrc, media_ssrc: ssrc }),
                false => write::fir(out, sender_ssrc, &[FirEntry { ssrc, sequence }]),
            });
        }
        self.wake(leg_index, due);
    }

    /// Asks for what the stream misses.
    pub(crate) fn ask_for_missing(&mut self, index: u32, now: Time) {
        let Some(stream) = self.streams.get_mut(index) else { return };
        if stream.missing.due().is_none_or(|due| due > now) {
            return;
        }
        let leg_index = stream.leg;
        let Some(leg) = self.legs.get(leg_index).filter(|leg| leg.can_send()) else { return };
        let Some(media_ssrc) = stream.ssrc else { return };
        let mut ask = stream.missing.ask(now, leg.round_trip);
        let offset = stream.sequence_offset;
        ask.sequences.iter_mut().for_each(|it| *it = it.wrapping_sub(offset));
        let count = ask.sequences.len() as u64;
        stream.nacks += count;
        self.counters.nacks_sent += count;
        let (sender_ssrc, watched) = (leg.own_ssrc, stream.is_watched());
        if !ask.sequences.is_empty() {
            self.post_feedback(leg_index, sender_ssrc, |out| {
                write::nack(out, sender_ssrc, media_ssrc, &ask.sequences).map(|written| written.len)
            });
        }
        if ask.gave_up && watched {
            self.want_key_frame(index, false, now);
        }
    }

    /// Tells the leg when its packets arrived.
    pub(crate) fn report_arrivals(&mut self, leg_index: u32, now: Time) {
        let Some(leg) = self.legs.get_mut(leg_index) else { return };
        let media_ssrc = leg.streams.iter().find_map(|stream| self.streams.get(*stream)?.ssrc).unwrap_or(0);
        let (sender_ssrc, can_send) = (leg.own_ssrc, leg.can_send());
        let Some(arrivals) = &mut leg.arrivals else { return };
        if arrivals.due().is_none_or(|due| due > now) {
            return;
        }
        let mut bytes = [0; RTCP_OUT_LEN];
        while let Some(base) = arrivals.pending(&mut self.arrivals) {
            let count = arrivals.feedback_count;
            let mut compound = CompoundWriter::new(&mut bytes);
            let mut taken = 0;
            let written = compound.add(|out| write::receiver_report(out, sender_ssrc, &[])).and_then(|()| {
                compound.add(|out| {
                    let all = &self.arrivals;
                    let it = write::transport_feedback(out, sender_ssrc, media_ssrc, base, count, all)?;
                    taken = it.taken;
                    Ok(it.len)
                })
            });
            let len = compound.len();
            if written.is_err() || !can_send {
                arrivals.clear();
                return;
            }
            arrivals.told(taken);
            if !self.outbox.push(leg_index, Way::Rtcp, &bytes[..len]) {
                self.counters.drop(crate::DropReason::OutboxFull);
            }
        }
    }

    /// Posts a compound of an empty report and one feedback packet.
    fn post_feedback(
        &mut self,
        leg: u32,
        sender_ssrc: u32,
        feedback: impl FnOnce(&mut [u8]) -> Result<usize, WriteError>,
    ) {
        let mut bytes = [0; RTCP_OUT_LEN];
        let mut compound = CompoundWriter::new(&mut bytes);
        let written = compound
            .add(|out| write::receiver_report(out, sender_ssrc, &[]))
            .and_then(|()| compound.add(feedback));
        let len = compound.len();
        debug_assert!(written.is_ok());
        if written.is_ok() {
            self.post(leg, Way::Rtcp, &bytes[..len]);
        }
    }

    /// The goodbye of SSRCs that a leg sent (RFC 3550 section 6.6).
    pub(crate) fn goodbye(&self, leg: u32, ssrcs: &[u32]) -> Option<ArrayVec<u8, RTCP_OUT_LEN>> {
        let leg = self.legs.get(leg)?;
        let mut bytes = [0; RTCP_OUT_LEN];
        let mut compound = CompoundWriter::new(&mut bytes);
        compound.add(|out| write::receiver_report(out, leg.own_ssrc, &[])).ok()?;
        compound.add(|out| write::sdes(out, &[(leg.own_ssrc, leg.cname.as_str())])).ok()?;
        for some in ssrcs.chunks(kaname_wire::rtcp::MAX_COUNT) {
            // What finds no room is noticed by its silence.
            compound.add(|out| write::bye(out, some, "")).ok()?;
        }
        let len = compound.len();
        Some(bytes[..len].iter().copied().collect())
    }
}
