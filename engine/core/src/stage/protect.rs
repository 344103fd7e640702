//! Takes a send index for each copy and encrypts many of them together, out of the arena straight into the transmit
//! slots. What leaves in the clear is written there at once.
//!
//! Next: the io backend sends.
//! Drops: `Removed`, `LegNotReady`, `IndexTaken`, `KeyExhausted`, `DoesNotFit`.

use arrayvec::ArrayVec;
use kaname_srtp::{ProtectJob, SessionKeys, SrtpError, protect_batch};
use kaname_wire::path::Path;

use crate::TxSlots;
use crate::arena::Arena;
use crate::batch::{Departing, Header, Outgoing, Payload, Scratch};
use crate::counters::{Counters, DropReason};
use crate::event::Event;
use crate::leg::{Leg, Sending};
use crate::limits::PROTECT_BATCH;
use crate::sender::Sender;
use crate::stage::admit::reason;
use crate::state::State;

/// A copy with its slot.
struct Ready<'a> {
    /// Its place among the departing.
    at: usize,
    out: &'a mut [u8],
}

/// False: the slots are full, and what is left of the departing waits.
pub(crate) fn run<'a>(state: &mut State, departing: &mut Departing, tx: &mut impl TxSlots<'a>) -> bool {
    let mut has_room = true;
    while has_room && departing.done < departing.packets.len() {
        let mut ready = ArrayVec::<Ready<'a>, PROTECT_BATCH>::new();
        let begin = departing.done;
        let end = departing.packets.len().min(begin + PROTECT_BATCH);
        while has_room && departing.done < end {
            let group = group(&departing.packets[departing.done..end]);
            let done = reserve(state, departing, group, tx, &mut ready);
            departing.done += done;
            has_room = done == group;
        }
        encrypt(state, departing, ready);
        for packet in &departing.packets[begin..departing.done] {
            state.arena.release(packet.slot);
        }
    }
    if has_room {
        departing.clear();
    }
    has_room
}

/// How many of the first packets are of one sender.
fn group(packets: &[Outgoing]) -> usize {
    let of = |packet: &Outgoing| (packet.sender, packet.leg);
    packets.iter().take_while(|packet| of(packet) == of(&packets[0])).count()
}

/// Takes indices and slots of the next copies, so many of one sender. Gives how many are done with: fewer than all if
/// there is no slot for the next one, whose index is kept then.
fn reserve<'a>(
    state: &mut State,
    departing: &mut Departing,
    all: usize,
    tx: &mut impl TxSlots<'a>,
    ready: &mut ArrayVec<Ready<'a>, PROTECT_BATCH>,
) -> usize {
    let State { legs, senders, arena, counters, events, .. } = state;
    let Departing { packets, headers, scratch, done: at, .. } = departing;
    let (at, packets) = (*at, &mut packets[*at..*at + all]);
    let (Some(sender), Some(leg)) = (senders.get_mut(packets[0].sender), legs.get_mut(packets[0].leg)) else {
        counters.drop_many(DropReason::Removed, all as u64);
        return all;
    };
    let mut taken = Taken::default();
    let (path, outbound) = match (leg.path(), &mut leg.outbound) {
        (Some(path), Sending::Secure(outbound)) if !leg.exhausted => (path, outbound),
        (Some(path), Sending::Plain) => {
            let done = write((packets, &headers[at..], scratch), arena, &path, tx, &mut taken);
            taken.add_to(leg, sender, counters);
            return done;
        }
        _ => {
            counters.drop_many(DropReason::LegNotReady, all as u64);
            return all;
        }
    };
    let overhead = outbound.rtp_overhead();
    let mut done = 0;
    for packet in packets {
        if packet.index.is_none() {
            match outbound.take_rtp(packet.ssrc, packet.sequence) {
                Ok(index) => packet.index = Some(index),
                Err(error) => {
                    counters.drop(reason(error));
                    done += 1;
                    if error == SrtpError::KeyExhausted {
                        leg.exhausted = true;
                        events.push_back(Event::KeyExhausted { leg: leg.id });
                        counters.drop_many(DropReason::LegNotReady, (all - done) as u64);
                        done = all;
                        break;
                    }
                    continue;
                }
            }
        }
        let payload_len = match packet.payload {
            Payload::Shared => arena.meta(packet.slot).payload_len(),
            Payload::Scratch { len, .. } => usize::from(len),
        };
        let len = usize::from(packet.header_len) + payload_len + overhead;
        let Some(out) = tx.take(&path, len) else { break };
        ready.push(Ready { at: at + done, out });
        taken.count(packet, payload_len, len);
        done += 1;
    }
    taken.add_to(leg, sender, counters);
    done
}

/// Writes copies of one sender in the clear; gives how many found a slot.
fn write<'a>(
    (packets, headers, scratch): (&[Outgoing], &[Header], &[Scratch]),
    arena: &Arena,
    path: &Path,
    tx: &mut impl TxSlots<'a>,
    taken: &mut Taken,
) -> usize {
    for (at, (packet, header)) in packets.iter().zip(headers).enumerate() {
        let header = &header[..usize::from(packet.header_len)];
        let payload = match packet.payload {
            Payload::Shared => arena.payload(packet.slot),
            Payload::Scratch { at, len } => &scratch[usize::from(at)][..usize::from(len)],
        };
        let len = header.len() + payload.len();
        let Some(out) = tx.take(path, len) else { return at };
        let (front, back) = out.split_at_mut(header.len());
        front.copy_from_slice(header);
        back.copy_from_slice(payload);
        taken.count(packet, payload.len(), len);
    }
    packets.len()
}

/// What copies of one sender count for.
#[derive(Default)]
struct Taken {
    forwarded: u64,
    payload_bytes: u64,
    forwarded_bytes: u64,
    repaired: u64,
    repaired_bytes: u64,
}

impl Taken {
    fn count(&mut self, packet: &Outgoing, payload_len: usize, len: usize) {
        if packet.payload == Payload::Shared {
            self.forwarded += 1;
            self.payload_bytes += payload_len as u64;
            self.forwarded_bytes += len as u64;
        } else {
            self.repaired += 1;
            self.repaired_bytes += len as u64;
        }
    }

    fn add_to(&self, leg: &mut Leg, sender: &mut Sender, counters: &mut Counters) {
        let packets = self.forwarded + self.repaired;
        let bytes = self.forwarded_bytes + self.repaired_bytes;
        leg.packets_out += packets;
        leg.bytes_out += bytes;
        counters.packets_out += packets;
        counters.bytes_out += bytes;
        counters.forwarded += self.forwarded;
        counters.repaired += self.repaired;
        sender.packets += self.forwarded;
        sender.bytes += self.payload_bytes;
        sender.retransmitted += self.repaired;
        if sender.rtx_ssrc.is_some() {
            sender.repairs.earn(self.forwarded_bytes as usize);
        }
    }
}

fn encrypt(state: &mut State, departing: &mut Departing, ready: ArrayVec<Ready<'_>, PROTECT_BATCH>) {
    let State { legs, arena, counters, .. } = state;
    let Departing { packets, headers, scratch, .. } = departing;
    let mut jobs = ArrayVec::<ProtectJob<'_>, PROTECT_BATCH>::new();
    let mut latest: Option<(u32, &SessionKeys)> = None;
    for Ready { at, out } in ready {
        let packet = &mut packets[at];
        if latest.is_none_or(|(leg, _)| leg != packet.leg) {
            let outbound = legs.get(packet.leg).and_then(|leg| leg.outbound.session());
            latest = outbound.map(|outbound| (packet.leg, outbound.keys()));
        }
        let (Some((_, keys)), Some(index)) = (latest, packet.index.take()) else { continue };
        let header = &headers[at][..usize::from(packet.header_len)];
        let payload = match packet.payload {
            Payload::Shared => arena.payload(packet.slot),
            Payload::Scratch { at, len } => &scratch[usize::from(at)][..usize::from(len)],
        };
        match ProtectJob::new(keys, index, header, payload, out) {
            Ok(job) => jobs.push(job),
            Err(error) => counters.drop(reason(error)),
        }
    }
    protect_batch(&mut jobs);
}
