//! Many packets of many sessions in one call (`kaname_srtp.h`).
//!
//! A call gives each packet the verdict, and each session the state, that the calls for single packets would give them in the same
//! order. Between its first and its last step a packet changes nothing of its session; where the packets ahead of it changed what
//! it looks like, it is done again by itself.
#![allow(non_camel_case_types, reason = "the names are those of the C header")]

use std::ffi::{c_uchar, c_uint};

use arrayvec::ArrayVec;
use kaname_srtp::policy::{Begun, Notice, Receiving, Sending};
use kaname_srtp::{ProtectJob, UnprotectJob, protect_batch, unprotect_batch};

use crate::boundary::{bytes, call, shared, unique};
use crate::context::tell;
use crate::packets::{named, unprotect_status};
use crate::status::{
    self, srtp_err_status_bad_param, srtp_err_status_fail, srtp_err_status_ok, srtp_err_status_t,
};
use crate::types::srtp_t;

/// Jobs that go through the kernels together: whole passes of sixteen, and what is known of each meanwhile fits into the nearest
/// cache and onto the stack of a small thread.
const PIECE: usize = 64;

/// One packet: read from `in`, written to `out`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct kaname_srtp_job_t {
    /// Whose packet it is.
    pub session: srtp_t,
    /// The packet.
    pub input: *const c_uchar,
    /// Its bytes.
    pub input_len: usize,
    /// Where the result goes. It must not overlap any job's packet or result.
    pub output: *mut c_uchar,
    /// Bytes of room there.
    pub output_room: usize,
    /// Bytes written; 0 if the status is not ok.
    pub output_len: usize,
    /// How it went.
    pub status: srtp_err_status_t,
    /// Whether the packet has an MKI, or gets one.
    pub use_mki: c_uint,
    /// The number of the master key that protects, if `use_mki` is not 0.
    pub mki_index: c_uint,
}

/// The parts of a job as Rust sees them.
struct Parts<'a> {
    packet: &'a [u8],
    out: &'a mut [u8],
}

/// # Safety
/// The job's pointers are null, or its packet has `input_len` bytes and its output room for `output_room`, for the whole of `'a`.
unsafe fn parts<'a>(job: &kaname_srtp_job_t) -> Result<Parts<'a>, srtp_err_status_t> {
    if job.output.is_null() || job.output_room > isize::MAX as usize {
        return Err(srtp_err_status_bad_param);
    }
    let (from, to) = (job.input as usize, job.output as usize);
    if from < to.saturating_add(job.output_room) && to < from.saturating_add(job.input_len) {
        return Err(srtp_err_status_bad_param);
    }
    // SAFETY: neither is null, they do not overlap, and by the caller they are as long as they say.
    unsafe {
        let packet = bytes(job.input, job.input_len)?;
        Ok(Parts { packet, out: std::slice::from_raw_parts_mut(job.output, job.output_room) })
    }
}

/// Notes how a job went.
fn done(job: &mut kaname_srtp_job_t, result: Result<usize, srtp_err_status_t>) {
    job.output_len = *result.as_ref().unwrap_or(&0);
    job.status = result.err().unwrap_or(srtp_err_status_ok);
}

/// What sessions noticed, to be told when no session is borrowed any more: handlers may do anything to them. It takes memory only
/// if there is something to tell.
type Notices = Vec<(srtp_t, (u32, Notice))>;

/// Runs `work` over the jobs in pieces that the kernels take in one go, then tells the sessions' events.
///
/// # Safety
/// `jobs` is null or has `count` jobs, whose sessions are null or sessions.
unsafe fn in_batches(
    jobs: *mut kaname_srtp_job_t,
    count: usize,
    work: impl Fn(&mut [kaname_srtp_job_t], &mut Notices),
) -> srtp_err_status_t {
    let mut notices = Notices::new();
    let status = call(|| {
        if jobs.is_null() || count > isize::MAX as usize / size_of::<kaname_srtp_job_t>() {
            return Err(srtp_err_status_bad_param);
        }
        // SAFETY: not null, and by the caller.
        let jobs = unsafe { std::slice::from_raw_parts_mut(jobs, count) };
        for job in jobs.iter_mut() {
            done(job, Err(srtp_err_status_fail));
        }
        jobs.chunks_mut(PIECE).for_each(|piece| work(piece, &mut notices));
        jobs.iter().all(|job| job.status == srtp_err_status_ok).then_some(()).ok_or(srtp_err_status_fail)
    });
    for (session, notice) in notices {
        tell(session, Some(notice));
    }
    status
}

fn protect_piece(jobs: &mut [kaname_srtp_job_t], notices: &mut Notices) {
    let mut ready: ArrayVec<(usize, Sending<'_>), PIECE> = ArrayVec::new();
    for (at, job) in jobs.iter_mut().enumerate() {
        let mut begin = || {
            // SAFETY: by the caller of the batch.
            let (context, Parts { packet, out }) = unsafe { (unique(job.session)?, parts(job)?) };
            let begun = context.session.begin_protect(packet, out, named(job.use_mki, job.mki_index));
            notices.extend(context.session.take_notice().map(|notice| (job.session, notice)));
            begun.map_err(status::of)
        };
        let len = begin().map(|begun| match begun {
            Begun::Done(len) => len,
            Begun::Ready(sending) => {
                let len = sending.protected_len();
                ready.push((at, sending));
                len
            }
        });
        done(job, len);
    }
    let mut together: ArrayVec<ProtectJob<'_>, PIECE> = ArrayVec::new();
    for (at, sending) in ready {
        // SAFETY: by the caller of the batch; from here on nothing of this piece changes a session.
        let job = unsafe { shared(jobs[at].session) }
            .and_then(|context| context.session.protect_job(sending).map_err(status::of));
        match job {
            Ok(job) => together.push(job),
            Err(status) => done(&mut jobs[at], Err(status)),
        }
    }
    protect_batch(&mut together);
}

fn unprotect_piece(jobs: &mut [kaname_srtp_job_t], notices: &mut Notices) {
    let mut received: ArrayVec<Option<Receiving>, PIECE> = ArrayVec::new();
    let mut together: ArrayVec<UnprotectJob<'_>, PIECE> = ArrayVec::new();
    for job in jobs.iter() {
        // SAFETY: by the caller of the batch; until the kernels are done nothing of this piece changes a session.
        let begun = unsafe { shared(job.session).and_then(|context| Ok((context, parts(job)?))) };
        let begun = begun.ok().and_then(|(context, Parts { packet, out })| {
            context.session.begin_unprotect(packet, out, job.use_mki != 0)
        });
        received.push(begun.map(|(receiving, job)| {
            together.push(job);
            receiving
        }));
    }
    unprotect_batch(&mut together);
    for (receiving, job) in received.iter_mut().flatten().zip(&together) {
        receiving.learn(job);
    }
    // With the jobs ends what they hold of sessions, packets and rooms.
    drop(together);
    for (job, receiving) in jobs.iter_mut().zip(&received) {
        let mut end = || {
            // SAFETY: by the caller of the batch.
            let (context, Parts { packet, out }) = unsafe { (unique(job.session)?, parts(job)?) };
            let (session, mki) = (&mut context.session, job.use_mki != 0);
            let result = match receiving {
                Some(receiving) => session.end_unprotect(receiving, packet, out, mki),
                None => session.unprotect_rtp(packet, out, mki),
            };
            notices.extend(session.take_notice().map(|notice| (job.session, notice)));
            result.map_err(|error| unprotect_status(error, packet.len()))
        };
        let result = end();
        done(job, result);
    }
}

/// Protects many RTP packets of any sessions. Each job's status says how it went, and is what `srtp_protect_mki` would have
/// given; the call's is ok if all are.
///
/// # Safety
/// `jobs` is null or has `count` jobs; their sessions are null or sessions, their pointers null or as long as they say, and
/// nothing that is written overlaps anything else.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kaname_srtp_protect_batch(
    jobs: *mut kaname_srtp_job_t,
    count: usize,
) -> srtp_err_status_t {
    // SAFETY: by the caller.
    unsafe { in_batches(jobs, count, protect_piece) }
}

/// Unprotects many SRTP packets of any sessions. A refused packet leaves in its output what was there, or zeros.
///
/// # Safety
/// As for `kaname_srtp_protect_batch`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kaname_srtp_unprotect_batch(
    jobs: *mut kaname_srtp_job_t,
    count: usize,
) -> srtp_err_status_t {
    // SAFETY: by the caller.
    unsafe { in_batches(jobs, count, unprotect_piece) }
}

/// The name of what does the work on this machine, for logs: "vaes512" and so on.
#[unsafe(no_mangle)]
pub extern "C" fn kaname_srtp_backend() -> *const std::ffi::c_char {
    match kaname_srtp::Backend::best().name() {
        "vaes512" => c"vaes512",
        "vaes256" => c"vaes256",
        "aesni" => c"aesni",
        _ => c"portable",
    }
    .as_ptr()
}
