//! Packets of media as they come in, for many clients at once: unprotected together, then entered where they belong.

use kaname_srtp::{Authentic, SrtpError, UnprotectJob, unprotect_batch};
use kaname_wire::demux::{Class, classify};
use kaname_wire::extension::read_transport_sequence;
use kaname_wire::payload::rtx;
use kaname_wire::rtcp::{Compound, Message};
use kaname_wire::rtp::RtpView;

use super::limits::PACKET_LEN;
use super::sdp::{EXT_TRANSPORT_CC, PT_RTX};
use super::socket::Datagram;
use super::stamp::Stamp;
use super::tally::{Came, Noted};
use super::wheel::Wheel;

/// What a receive call brought, sorted.
pub(super) struct Incoming {
    /// Client, and place among the datagrams.
    media: Vec<(u32, usize)>,
    reports: Vec<(u32, usize)>,
    control: Vec<(u32, usize)>,
    /// Clients whose timers may have changed.
    touched: Vec<u32>,
    plain: Vec<u8>,
}

/// Packets unprotected together: what the kernels take at once.
const BATCH: usize = 256;

impl Incoming {
    pub(super) fn new() -> Incoming {
        Incoming { plain: vec![0; BATCH * PACKET_LEN], ..Incoming::empty() }
    }

    /// One that stands in while another is worked on.
    pub(super) fn empty() -> Incoming {
        let (media, reports, control) = (Vec::new(), Vec::new(), Vec::new());
        Incoming { media, reports, control, touched: Vec::new(), plain: Vec::new() }
    }

    /// Puts a datagram where it belongs.
    pub(super) fn sort(&mut self, client: u32, at: usize, bytes: &[u8]) {
        match classify(bytes) {
            Ok(Class::Rtp) if bytes.len() <= PACKET_LEN => self.media.push((client, at)),
            Ok(Class::Rtcp) if bytes.len() <= PACKET_LEN => self.reports.push((client, at)),
            Ok(Class::Stun | Class::Dtls) => self.control.push((client, at)),
            _ => {}
        }
    }

    pub(super) fn take_control(&mut self) -> Vec<(u32, usize)> {
        std::mem::take(&mut self.control)
    }

    pub(super) fn take_touched(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.touched)
    }

    /// Unprotects and enters all packets of media, then reads the reports.
    pub(super) fn unprotect(&mut self, wheel: &mut Wheel, datagrams: &[Datagram]) {
        let media = std::mem::take(&mut self.media);
        for some in media.chunks(BATCH) {
            self.batch(wheel, datagrams, some);
        }
        self.media = media;
        self.media.clear();
        for (client, at) in std::mem::take(&mut self.reports) {
            self.report(wheel, client, &datagrams[at]);
        }
    }

    fn batch(&mut self, wheel: &mut Wheel, datagrams: &[Datagram], some: &[(u32, usize)]) {
        let mut jobs = Vec::with_capacity(some.len());
        let mut whose = Vec::with_capacity(some.len());
        let (mut foreign, mut replayed) = (0, 0);
        for (slot, ((client, at), out)) in
            some.iter().zip(self.plain.chunks_exact_mut(PACKET_LEN)).enumerate()
        {
            let of = &wheel.clients[*client as usize];
            let packet = wheel.bytes(&datagrams[*at]);
            if of.plain {
                out[..packet.len()].copy_from_slice(packet);
                whose.push((*client, *at, slot, Some(packet.len())));
                continue;
            }
            let Some(inbound) = &of.inbound else { continue };
            let job =
                inbound.prepare_rtp(packet).and_then(|t| UnprotectJob::new(inbound.keys(), t, packet, out));
            match job {
                Ok(job) => {
                    jobs.push(job);
                    whose.push((*client, *at, slot, None));
                }
                Err(SrtpError::Replayed | SrtpError::TooOld) => replayed += 1,
                Err(_) => foreign += 1,
            }
        }
        unprotect_batch(&mut jobs);
        let mut results: Vec<Result<Authentic, SrtpError>> =
            jobs.into_iter().map(UnprotectJob::finish).collect();
        let mut results = results.drain(..);
        wheel.figures.foreign += foreign;
        wheel.figures.replayed += replayed;
        for (client, at, slot, plain) in whose {
            let len = match plain {
                Some(len) => len,
                None => match results.next() {
                    Some(Ok(authentic)) => {
                        let len = authentic.plain_len();
                        let inbound = wheel.clients[client as usize].inbound.as_mut();
                        if inbound.is_none_or(|inbound| inbound.commit_rtp(authentic).is_err()) {
                            wheel.figures.replayed += 1;
                            continue;
                        }
                        len
                    }
                    _ => {
                        wheel.figures.foreign += 1;
                        continue;
                    }
                },
            };
            let bytes = &self.plain[slot * PACKET_LEN..][..len];
            let touched = enter(wheel, client, bytes, datagrams[at].at_ns);
            if touched && self.touched.last() != Some(&client) {
                self.touched.push(client);
            }
        }
    }

    fn report(&mut self, wheel: &mut Wheel, client: u32, datagram: &Datagram) {
        let mut plain = [0; PACKET_LEN];
        let packet = wheel.bytes(datagram).to_vec();
        let of = &mut wheel.clients[client as usize];
        let Some(Ok(len)) = of.inbound.as_mut().map(|inbound| inbound.unprotect_rtcp(&packet, &mut plain))
        else {
            return;
        };
        let Ok(compound) = Compound::parse(&plain[..len]) else { return };
        for packet in compound.packets() {
            match packet.message() {
                Ok(Message::SenderReport(report)) => {
                    let of = &mut wheel.clients[client as usize];
                    if let Some(receive) = of.receives.iter_mut().find(|r| r.ssrc == Some(report.ssrc)) {
                        receive.sender_report(report.info.ntp.middle(), datagram.at_ns);
                    }
                }
                Ok(Message::Pli(pli)) => key_frame(wheel, pli.media_ssrc),
                Ok(Message::Fir(fir)) => fir.entries().for_each(|entry| key_frame(wheel, entry.ssrc)),
                // A socket that fails shows at the next packet that is sent.
                Ok(Message::Nack(nack)) => drop(wheel.repair(nack.media_ssrc, nack.sequences())),
                _ => {}
            }
        }
    }
}

fn key_frame(wheel: &mut Wheel, ssrc: u32) {
    wheel.figures.key_frames += 1;
    if let Some(stream) = wheel.streams.iter_mut().find(|s| s.ssrc == ssrc) {
        stream.plan.want_key_frame();
    }
}

/// Enters one packet in clear; `true` if the client may have something to say to it.
fn enter(wheel: &mut Wheel, number: u32, bytes: &[u8], at_ns: u64) -> bool {
    let Wheel { clients, streams, figures, run, .. } = wheel;
    let client = &mut clients[number as usize];
    let Ok(view) = RtpView::parse(bytes) else {
        figures.foreign += 1;
        return false;
    };
    figures.received += 1;
    figures.bytes += bytes.len() as u64;
    let mut touched = false;
    if let Some(sequence) = view.extension(EXT_TRANSPORT_CC).and_then(read_transport_sequence) {
        client.arrived(sequence, at_ns, at_ns);
        touched = true;
    }
    let ssrc = view.ssrc();
    let known = client.receives.iter().position(|r| r.ssrc == Some(ssrc) || r.rtx == Some(ssrc));
    let Some(at) = known.or_else(|| client.receives.iter().position(|r| r.ssrc.is_none())) else {
        figures.foreign += 1;
        return touched;
    };
    let receive = &mut client.receives[at];
    receive.ssrc.get_or_insert(ssrc);
    let repair = receive.rtx == Some(ssrc) && view.payload_type() == PT_RTX;
    let (sequence, payload) = match (repair, view.payload()) {
        (true, payload) => match rtx::strip(payload) {
            Some(original) => original,
            // Padding alone: a probe for bandwidth.
            None => return touched,
        },
        (false, payload) => (view.sequence(), payload),
    };
    let stamp = Stamp::read(payload).filter(|stamp| stamp.run == *run);
    let Some((stamp, stream)) = stamp.and_then(|stamp| Some((stamp, streams.get(stamp.stream as usize)?)))
    else {
        figures.foreign += 1;
        return touched;
    };
    if *receive.stream.get_or_insert(stamp.stream) != stamp.stream {
        figures.foreign += 1;
        return touched;
    }
    client.first_media_ns.get_or_insert(at_ns);
    receive.came(sequence, repair, at_ns);
    let came = Came { index: stamp.index, sequence, repair, sent_ns: stamp.sent_ns, arrived_ns: at_ns };
    if receive.tally.note(came, &stream.span) == Noted::Counted {
        figures.delay(at_ns.saturating_sub(stamp.sent_ns));
    }
    touched || receive.due_ns().is_some()
}
