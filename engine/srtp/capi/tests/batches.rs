//! The calls for many packets beside the calls for one: whatever packets come in whatever order, both give the same bytes and
//! statuses, and leave the sessions the same.

use std::ffi::{c_int, c_ulong};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicU64, Ordering};

use kaname_srtp_capi::*;
use proptest::prelude::*;

/// What stands where nothing was written.
const UNTOUCHED: u8 = 0xee;

/// Bytes of room that every packet has behind it.
const TRAILER: usize = 16 + 128 + 4;

const KINDS: usize = 7;

const SESSIONS: usize = 4;

/// A session of a kind, under keys that differ for each `seed`: one of its own for SSRC 1, and one for all others.
struct Session(srtp_t);

impl Session {
    fn new(kind: usize, seed: u8) -> Session {
        let mut session = null_mut();
        // SAFETY: `policies` gives policies that outlive their use.
        policies(kind, seed, |policy| unsafe {
            assert_eq!(srtp_create(&mut session, policy), srtp_err_status_ok);
        });
        Session(session)
    }

    fn update(&self, kind: usize, seed: u8) -> srtp_err_status_t {
        let mut status = srtp_err_status_fail;
        // SAFETY: as above.
        policies(kind, seed, |policy| unsafe { status = srtp_update(self.0, policy) });
        status
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // SAFETY: made by `srtp_create`, ended once.
        unsafe { srtp_dealloc(self.0) };
    }
}

fn policies(kind: usize, seed: u8, mut work: impl FnMut(*const srtp_policy_t)) {
    let mut keys = [[seed; 46], [seed ^ 128; 46]];
    let mut mkis = [[1, 2, 3, 4], [4, 3, 2, 1]];
    let mut masters: [_; 2] = std::array::from_fn(|at| srtp_master_key_t {
        key: keys[at].as_mut_ptr(),
        mki_id: mkis[at].as_mut_ptr(),
        mki_size: 4,
    });
    let mut masters = masters.each_mut().map(|master| &raw mut *master);
    let mut ids: [c_int; 2] = [1, 2];
    let gcm = matches!(kind, 1 | 3 | 6);
    let half = srtp_crypto_policy_t {
        cipher_type: if gcm { AES_GCM_128 } else { AES_ICM_128 },
        cipher_key_len: if gcm { 28 } else { 30 },
        auth_type: if gcm { NULL_AUTH } else { HMAC_SHA1 },
        auth_key_len: 20,
        auth_tag_len: if gcm { 16 } else { 10 },
        sec_serv: SEC_SERV_CONF_AND_AUTH,
    };
    let named = matches!(kind, 2 | 3);
    let mut own = keys[1];
    let policy = srtp_policy_t {
        ssrc: srtp_ssrc_t { type_: SSRC_ANY_OUTBOUND, value: 0 },
        rtp: half,
        rtcp: half,
        key: if named { null_mut() } else { keys[0].as_mut_ptr() },
        keys: masters.as_mut_ptr(),
        num_master_keys: 2,
        deprecated_ekt: null_mut(),
        window_size: 64 as c_ulong,
        allow_repeat_tx: c_int::from(kind == 5),
        enc_xtn_hdr: if kind == 4 { ids.as_mut_ptr() } else { null_mut() },
        enc_xtn_hdr_count: 2,
        next: null_mut(),
    };
    let mut one = policy;
    one.ssrc = srtp_ssrc_t { type_: SSRC_SPECIFIC, value: 1 };
    one.key = if named { null_mut() } else { own.as_mut_ptr() };
    let list = srtp_policy_t { next: &mut one, ..policy };
    work(&list);
}

/// A packet of a batch.
#[derive(Clone, Debug)]
struct Job {
    session: usize,
    packet: Vec<u8>,
    use_mki: u32,
    mki_index: u32,
}

type Outcome = (srtp_err_status_t, Vec<u8>);

/// Statuses and bytes; nothing is written where nothing is to be.
fn together(sessions: &[Session], jobs: &[Job], protect: bool) -> Vec<Outcome> {
    let mut outs: Vec<_> = jobs.iter().map(|job| vec![UNTOUCHED; job.packet.len() + TRAILER]).collect();
    let mut calls: Vec<_> = jobs
        .iter()
        .zip(&mut outs)
        .map(|(job, out)| kaname_srtp_job_t {
            session: sessions[job.session].0,
            input: job.packet.as_ptr(),
            input_len: job.packet.len(),
            output: out.as_mut_ptr(),
            output_room: out.len(),
            output_len: 77,
            status: 77,
            use_mki: job.use_mki,
            mki_index: job.mki_index,
        })
        .collect();
    let call = if protect { kaname_srtp_protect_batch } else { kaname_srtp_unprotect_batch };
    // SAFETY: sessions are sessions, and lengths are those of what the pointers point to.
    let status = unsafe { call(calls.as_mut_ptr(), calls.len()) };
    let done: Vec<_> = calls.iter().map(|call| (call.status, call.output_len)).collect();
    assert_eq!(status == srtp_err_status_ok, done.iter().all(|done| done.0 == srtp_err_status_ok));
    let outcome = |((status, len), mut out): ((_, usize), Vec<u8>)| {
        assert!(status == srtp_err_status_ok || len == 0);
        let wiped = |byte| byte == 0 && status != srtp_err_status_ok && !protect;
        assert!(out[len..].iter().all(|&byte| byte == UNTOUCHED || wiped(byte)), "{status}: {out:?}");
        out.truncate(len);
        (status, out)
    };
    done.into_iter().zip(outs).map(outcome).collect()
}

fn one_by_one(sessions: &[Session], jobs: &[Job], protect: bool) -> Vec<Outcome> {
    let each = |job: &Job| {
        let mut packet = job.packet.clone();
        packet.resize(job.packet.len() + TRAILER, UNTOUCHED);
        let (session, at, mut len) =
            (sessions[job.session].0, packet.as_mut_ptr().cast(), job.packet.len() as c_int);
        // SAFETY: the session is one, and the packet has its room.
        let status = unsafe {
            match protect {
                true => srtp_protect_mki(session, at, &mut len, job.use_mki, job.mki_index),
                false => srtp_unprotect_mki(session, at, &mut len, job.use_mki),
            }
        };
        packet.truncate(if status == srtp_err_status_ok { len as usize } else { 0 });
        (status, packet)
    };
    jobs.iter().map(each).collect()
}

/// What happens between batches, and the packets of the next one.
#[derive(Clone, Debug)]
enum Step {
    /// Session, SSRC, sequence number's step, payload, MKI, its number.
    Send(Vec<(usize, u32, i32, usize, u32, u32)>),
    /// Which of the packets under way, and the bit of it that changes.
    Receive(Vec<(prop::sample::Index, Option<prop::sample::Index>)>),
    Update {
        session: usize,
        seed: u8,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let seq = prop_oneof![20 => Just(1), 6 => -5i32..70, 1 => 20_000i32..40_000];
    let use_mki = prop_oneof![3 => Just(0), 2 => Just(1u32)];
    let send = (0..SESSIONS, 1u32..5, seq, 0usize..200, use_mki, 0u32..3);
    let bit = prop::option::weighted(0.1, any::<prop::sample::Index>());
    prop_oneof![
        4 => prop::collection::vec(send, 1..150).prop_map(Step::Send),
        4 => prop::collection::vec((any::<prop::sample::Index>(), bit), 1..150).prop_map(Step::Receive),
        1 => (0..SESSIONS, 1u8..4).prop_map(|(session, seed)| Step::Update { session, seed }),
    ]
}

/// An RTP packet, some with a header extension and a CSRC.
fn rtp(ssrc: u32, seq: u16, len: usize) -> Vec<u8> {
    let csrc = (len % 2) as u8;
    let mut packet = vec![0x80 | csrc, 96];
    packet.extend(seq.to_be_bytes());
    packet.extend([0; 4]);
    packet.extend(ssrc.to_be_bytes());
    packet.extend(&[9; 4][..4 * usize::from(csrc)]);
    if len.is_multiple_of(3) {
        packet[0] |= 0x10;
        packet.extend([0xbe, 0xde, 0, 2, 0x10, 7, 0x21, 1, 2, 0, 0, 0]);
    }
    packet.resize(packet.len() + len, len as u8);
    packet
}

/// Sessions in pairs: what one does in batches, its twin does packet by packet.
struct Twins([Vec<Session>; 2]);

impl Twins {
    fn new(kinds: &[usize]) -> Twins {
        Twins([(); 2].map(|()| kinds.iter().map(|kind| Session::new(*kind, 1)).collect()))
    }

    fn work(&self, jobs: &[Job], protect: bool) -> Vec<Outcome> {
        let Twins([batch, single]) = self;
        let outcomes = together(batch, jobs, protect);
        assert_eq!(outcomes, one_by_one(single, jobs, protect));
        for (batch, single) in batch.iter().zip(single) {
            assert_eq!(rocs(batch), rocs(single));
        }
        outcomes
    }

    fn update(&self, session: usize, kind: usize, seed: u8) {
        let Twins([batch, single]) = self;
        assert_eq!(batch[session].update(kind, seed), single[session].update(kind, seed));
    }
}

/// The roll-over counters of the SSRCs that are used.
fn rocs(session: &Session) -> [Option<u32>; 4] {
    [1, 2, 3, 4].map(|ssrc| {
        let mut roc = 0;
        // SAFETY: a session, and a number to write to.
        let status = unsafe { srtp_get_stream_roc(session.0, ssrc, &mut roc) };
        (status == srtp_err_status_ok).then_some(roc)
    })
}

proptest! {
    #[test]
    fn a_batch_gives_what_single_calls_give(
        kinds in prop::collection::vec(0..KINDS, SESSIONS),
        steps in prop::collection::vec(step(), 1..16),
    ) {
        let (senders, receivers) = (Twins::new(&kinds), Twins::new(&kinds));
        let mut seqs = [[65_500u16; 5]; SESSIONS];
        let mut under_way: Vec<Job> = Vec::new();
        for step in steps {
            match step {
                Step::Send(packets) => {
                    let job = |(session, ssrc, by, len, use_mki, mki_index): (usize, u32, i32, usize, u32, u32)| {
                        let seq = &mut seqs[session][ssrc as usize];
                        *seq = seq.wrapping_add(by as u16);
                        Job { session, packet: rtp(ssrc, *seq, len), use_mki, mki_index }
                    };
                    let jobs: Vec<_> = packets.into_iter().map(job).collect();
                    let outcomes = senders.work(&jobs, true);
                    let sent = jobs.into_iter().zip(outcomes).filter(|(_, (status, _))| *status == srtp_err_status_ok);
                    under_way.extend(sent.map(|(job, (_, packet))| Job { packet, ..job }));
                }
                Step::Receive(picks) if !under_way.is_empty() => {
                    let recent = &under_way[under_way.len().saturating_sub(150)..];
                    let job = |(pick, bit): (prop::sample::Index, Option<prop::sample::Index>)| {
                        let mut job = pick.get(recent).clone();
                        if let Some(bit) = bit.map(|bit| bit.index(job.packet.len() * 8)) {
                            job.packet[bit / 8] ^= 1 << (bit % 8);
                        }
                        job
                    };
                    receivers.work(&picks.into_iter().map(job).collect::<Vec<_>>(), false);
                }
                Step::Receive(_) => {}
                Step::Update { session, seed } => {
                    senders.update(session, kinds[session], seed);
                    receivers.update(session, kinds[session], seed);
                }
            }
        }
    }
}

#[test]
fn what_cannot_be_a_job_harms_no_other() {
    let sessions = [Session::new(1, 1)];
    let packets: Vec<_> = (0..5).map(|seq| rtp(7, seq, 20)).collect();
    let mut outs = vec![vec![UNTOUCHED; 200]; 5];
    let mut jobs: Vec<_> = packets
        .iter()
        .zip(&mut outs)
        .map(|(packet, out)| kaname_srtp_job_t {
            session: sessions[0].0,
            input: packet.as_ptr(),
            input_len: packet.len(),
            output: out.as_mut_ptr(),
            output_room: out.len(),
            output_len: 77,
            status: 77,
            use_mki: 0,
            mki_index: 0,
        })
        .collect();
    jobs[0].session = null_mut();
    jobs[1].output_room = packets[1].len() + 15;
    jobs[2].input = null_mut();
    // Bytes that overlap those of the packet.
    jobs[3].output = jobs[3].input.cast_mut();
    // SAFETY: what the pointers point to has its length, or is refused.
    unsafe {
        assert_eq!(kaname_srtp_protect_batch(jobs.as_mut_ptr(), jobs.len()), srtp_err_status_fail);
        let statuses: Vec<_> = jobs.iter().map(|job| job.status).collect();
        let bad = srtp_err_status_bad_param;
        assert_eq!(statuses, [bad, bad, bad, bad, srtp_err_status_ok]);
        assert_eq!(kaname_srtp_unprotect_batch(jobs.as_mut_ptr(), 4), srtp_err_status_fail);
        assert_eq!(kaname_srtp_protect_batch(null_mut(), 1), srtp_err_status_bad_param);
        assert_eq!(kaname_srtp_protect_batch(jobs.as_mut_ptr(), usize::MAX), srtp_err_status_bad_param);
    }
    assert!(outs[..4].iter().flatten().all(|&byte| byte == UNTOUCHED));
}

/// The SSRCs of the events told so far, a decimal digit each. Handlers have no data of their own.
static TOLD: AtomicU64 = AtomicU64::new(0);

unsafe extern "C" fn on_event(data: *mut srtp_event_data_t) {
    // SAFETY: the library gives what it says; for as long as the call.
    let event = unsafe { &*data };
    assert_eq!(event.event, 0, "event_ssrc_collision");
    TOLD.store(TOLD.load(Ordering::Relaxed) * 10 + u64::from(event.ssrc), Ordering::Relaxed);
}

#[test]
fn events_are_told_as_by_single_calls() {
    let (ours, theirs) = ([Session::new(1, 1)], [Session::new(1, 1)]);
    let job = |ssrc, seq| Job { session: 0, packet: rtp(ssrc, seq, 9), use_mki: 0, mki_index: 0 };
    let sent = together(&theirs, &[job(7, 1), job(8, 1)], true);
    let back: Vec<_> = sent.into_iter().map(|(_, packet)| Job { packet, ..job(0, 0) }).collect();
    together(&ours, &back, false);
    srtp_install_event_handler(Some(on_event));
    // Both were received: to send them, too, is a collision.
    let outcomes = together(&ours, &[job(7, 2), job(9, 1), job(8, 2), job(7, 3)], true);
    assert!(outcomes.iter().all(|outcome| outcome.0 == srtp_err_status_ok));
    srtp_install_event_handler(None);
    assert_eq!(TOLD.load(Ordering::Relaxed), 787);
}
