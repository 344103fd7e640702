//! Kaname's own engine: the whole path of a session, index and replay included.

use kaname_srtp::{
    Authentic, Backend, Inbound, Outbound, ProtectJob, UnprotectJob, protect_batch, unprotect_batch,
};

use super::{Operation, Sealed, System, slot, slots};
use crate::case::{Burst, Case, Plain, STRIDE, TOGETHER};

/// Sessions with their buffers.
struct Sessions {
    case: Case,
    outbound: Vec<Outbound>,
    inbound: Vec<Inbound>,
    received: Vec<u8>,
    buffers: Vec<u8>,
    len: usize,
    sealed: Option<Sealed>,
}

impl Sessions {
    fn new(case: &Case) -> Sessions {
        Sessions {
            case: *case,
            outbound: Vec::new(),
            inbound: Vec::new(),
            received: slots(),
            buffers: slots(),
            len: 0,
            sealed: None,
        }
    }

    fn reset(&mut self, operation: Operation) {
        let (case, backend) = (self.case, Backend::best());
        let keyings = (0..case.sessions).map(|i| case.keying(i));
        match operation {
            Operation::Protect => {
                self.outbound = keyings.map(|k| Outbound::new(backend, &k)).collect();
                self.len = case.wire_len();
            }
            Operation::Unprotect => {
                self.inbound = keyings.map(|k| Inbound::new(backend, &k)).collect();
                self.sealed.get_or_insert_with(|| Sealed::new(&case));
                self.len = case.header + case.payload;
            }
        }
    }

    fn arrive(&mut self, burst: &Burst) {
        self.sealed.as_ref().expect("made by reset").copy_to(&mut self.received, burst);
    }

    fn output(&self, slot: usize) -> &[u8] {
        &self.buffers[slot * STRIDE..][..self.len]
    }
}

/// The throughput path: the packets of a round in one batch.
pub struct Kaname(Sessions);

impl Kaname {
    /// Sessions are made by `reset`.
    pub fn new(case: &Case) -> Kaname {
        Kaname(Sessions::new(case))
    }

    fn protect(&mut self, burst: &Burst, plain: &Plain) {
        let Sessions { case, outbound, buffers, len, .. } = &mut self.0;
        let mut buffers = buffers.chunks_exact_mut(STRIDE);
        for round in burst.rounds.clone() {
            let mut jobs = Vec::with_capacity(TOGETHER);
            let sessions = outbound[burst.sessions.clone()].iter_mut().zip(burst.sessions.clone());
            for ((session, index), buffer) in sessions.zip(&mut buffers) {
                let taken = session.take_rtp(case.ssrc(index), case.sequence(round)).expect("a fresh index");
                let header = plain.header(round, index);
                let job = ProtectJob::new(session.keys(), taken, header, &plain.payload, &mut buffer[..*len]);
                jobs.push(job.expect("its own header"));
            }
            protect_batch(&mut jobs);
        }
    }

    fn unprotect(&mut self, burst: &Burst) {
        let Sessions { case, inbound, received, buffers, .. } = &mut self.0;
        let len = case.wire_len();
        let mut slots = received.chunks_exact(STRIDE).zip(buffers.chunks_exact_mut(STRIDE));
        let mut authentic: Vec<Authentic> = Vec::with_capacity(TOGETHER);
        for _ in burst.rounds.clone() {
            let mut jobs = Vec::with_capacity(TOGETHER);
            let sessions = &mut inbound[burst.sessions.clone()];
            for (session, (packet, buffer)) in sessions.iter().zip(&mut slots) {
                let packet = &packet[..len];
                let ticket = session.prepare_rtp(packet).expect("a new packet");
                jobs.push(UnprotectJob::new(session.keys(), ticket, packet, buffer).expect("room"));
            }
            unprotect_batch(&mut jobs);
            authentic.extend(jobs.into_iter().map(|job| job.finish().expect("a good tag")));
            for (session, authentic) in sessions.iter_mut().zip(authentic.drain(..)) {
                session.commit_rtp(authentic).expect("no replay");
            }
        }
    }
}

impl System for Kaname {
    fn name(&self) -> &'static str {
        "kaname"
    }

    fn reset(&mut self, operation: Operation) {
        self.0.reset(operation);
    }

    fn arrive(&mut self, burst: &Burst) {
        self.0.arrive(burst);
    }

    fn run(&mut self, operation: Operation, burst: &Burst, plain: &Plain) {
        match operation {
            Operation::Protect => self.protect(burst, plain),
            Operation::Unprotect => self.unprotect(burst),
        }
    }

    fn output(&self, slot: usize) -> &[u8] {
        self.0.output(slot)
    }
}

/// The latency path: one packet a call.
pub struct KanameSingle(Sessions);

impl KanameSingle {
    /// Sessions are made by `reset`.
    pub fn new(case: &Case) -> KanameSingle {
        KanameSingle(Sessions::new(case))
    }
}

impl System for KanameSingle {
    fn name(&self) -> &'static str {
        "kaname"
    }

    fn reset(&mut self, operation: Operation) {
        self.0.reset(operation);
    }

    fn arrive(&mut self, burst: &Burst) {
        self.0.arrive(burst);
    }

    fn run(&mut self, operation: Operation, burst: &Burst, plain: &Plain) {
        let Sessions { case, outbound, inbound, received, buffers, len, .. } = &mut self.0;
        for (at, round, index) in burst.packets() {
            let buffer = slot(buffers, at);
            let result = match operation {
                Operation::Protect => {
                    let header = plain.header(round, index);
                    outbound[index].protect_rtp(header, &plain.payload, buffer)
                }
                Operation::Unprotect => {
                    inbound[index].unprotect_rtp(&slot(received, at)[..case.wire_len()], buffer)
                }
            };
            assert_eq!(result, Ok(*len), "its own packet");
        }
    }

    fn output(&self, slot: usize) -> &[u8] {
        self.0.output(slot)
    }
}
