//! Kaname's own engine: the whole path of a session, index and replay included.

use kaname_srtp::{Backend, Inbound, Outbound, ProtectJob, UnprotectJob, protect_batch, unprotect_batch};

use super::{Operation, Sealed, System};
use crate::case::{Case, Plain, STRIDE};

/// Packets that go through the kernels together, as in a shard's batch.
const TOGETHER: usize = 256;

/// Sessions with their buffers.
struct Sessions {
    case: Case,
    outbound: Vec<Outbound>,
    inbound: Vec<Inbound>,
    buffers: Vec<u8>,
    lengths: Vec<usize>,
    sealed: Option<Sealed>,
}

impl Sessions {
    fn new(case: &Case) -> Sessions {
        Sessions {
            case: *case,
            outbound: Vec::new(),
            inbound: Vec::new(),
            buffers: vec![0; case.sessions * STRIDE],
            lengths: vec![0; case.sessions],
            sealed: None,
        }
    }

    fn reset(&mut self, operation: Operation) {
        let (case, backend) = (self.case, Backend::best());
        let keyings = (0..case.sessions).map(|i| case.keying(i));
        match operation {
            Operation::Protect => self.outbound = keyings.map(|k| Outbound::new(backend, &k)).collect(),
            Operation::Unprotect => {
                self.inbound = keyings.map(|k| Inbound::new(backend, &k)).collect();
                self.sealed.get_or_insert_with(|| Sealed::new(&case));
            }
        }
    }

    fn output(&self, session: usize) -> &[u8] {
        &self.buffers[session * STRIDE..][..self.lengths[session]]
    }
}

/// The throughput path: one packet of each session, all in one batch.
pub struct Kaname(Sessions);

impl Kaname {
    /// Sessions are made by `reset`.
    pub fn new(case: &Case) -> Kaname {
        Kaname(Sessions::new(case))
    }

    fn protect(&mut self, round: usize, plain: &Plain) {
        let Sessions { case, outbound, buffers, lengths, .. } = &mut self.0;
        let len = case.wire_len();
        let mut buffers = buffers.chunks_exact_mut(STRIDE);
        for (chunk, sessions) in outbound.chunks_mut(TOGETHER).enumerate() {
            let mut jobs = Vec::with_capacity(sessions.len());
            for (index, (session, buffer)) in sessions.iter_mut().zip(&mut buffers).enumerate() {
                let index = chunk * TOGETHER + index;
                let taken = session.take_rtp(case.ssrc(index), case.sequence(round)).expect("a fresh index");
                let header = plain.header(round, index);
                let job = ProtectJob::new(session.keys(), taken, header, &plain.payload, &mut buffer[..len]);
                jobs.push(job.expect("its own header"));
            }
            protect_batch(&mut jobs);
        }
        lengths.fill(len);
    }

    fn unprotect(&mut self, round: usize) {
        let Sessions { case, inbound, buffers, lengths, sealed, .. } = &mut self.0;
        let sealed = sealed.as_ref().expect("made by reset");
        let mut buffers = buffers.chunks_exact_mut(STRIDE);
        for (chunk, sessions) in inbound.chunks_mut(TOGETHER).enumerate() {
            let mut jobs = Vec::with_capacity(sessions.len());
            for (index, (session, buffer)) in sessions.iter().zip(&mut buffers).enumerate() {
                let packet = sealed.packet(round, chunk * TOGETHER + index);
                let ticket = session.prepare_rtp(packet).expect("a new packet");
                jobs.push(UnprotectJob::new(session.keys(), ticket, packet, buffer).expect("room"));
            }
            unprotect_batch(&mut jobs);
            let mut authentic = Vec::with_capacity(jobs.len());
            authentic.extend(jobs.into_iter().map(|job| job.finish().expect("a good tag")));
            for (session, authentic) in sessions.iter_mut().zip(authentic) {
                session.commit_rtp(authentic).expect("no replay");
            }
        }
        lengths.fill(case.header + case.payload);
    }
}

impl System for Kaname {
    fn name(&self) -> &'static str {
        "kaname"
    }

    fn reset(&mut self, operation: Operation) {
        self.0.reset(operation);
    }

    fn run(&mut self, operation: Operation, round: usize, plain: &Plain) {
        match operation {
            Operation::Protect => self.protect(round, plain),
            Operation::Unprotect => self.unprotect(round),
        }
    }

    fn output(&self, session: usize) -> &[u8] {
        self.0.output(session)
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

    fn run(&mut self, operation: Operation, round: usize, plain: &Plain) {
        let Sessions { case, outbound, inbound, buffers, lengths, sealed } = &mut self.0;
        for (index, buffer) in buffers.chunks_exact_mut(STRIDE).enumerate() {
            let result = match operation {
                Operation::Protect => outbound[index].protect_rtp(
                    plain.header(round, index),
                    &plain.payload,
                    &mut buffer[..case.wire_len()],
                ),
                Operation::Unprotect => {
                    let sealed = sealed.as_ref().expect("made by reset");
                    inbound[index].unprotect_rtp(sealed.packet(round, index), buffer)
                }
            };
            lengths[index] = result.expect("its own packet");
        }
    }

    fn output(&self, session: usize) -> &[u8] {
        self.0.output(session)
    }
}
