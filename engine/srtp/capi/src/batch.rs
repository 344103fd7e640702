//! Many packets of many sessions in one call (`kaname_srtp.h`).
#![allow(non_camel_case_types, reason = "the names are those of the C header")]

use std::ffi::c_uchar;

use kaname_srtp::policy::{Receiving, Sending};
use kaname_srtp::{SrtpError, limits::BATCH, protect_batch, unprotect_batch};

use crate::boundary::{bytes, call, unique};
use crate::context::tell;
use crate::status::{
    self, srtp_err_status_bad_param, srtp_err_status_fail, srtp_err_status_ok, srtp_err_status_t,
};
use crate::types::srtp_t;

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

/// Runs `work` over the jobs in pieces that the kernels take in one go, then tells the sessions' events.
///
/// # Safety
/// `jobs` is null or has `count` jobs, whose sessions are null or sessions.
unsafe fn in_batches(
    jobs: *mut kaname_srtp_job_t,
    count: usize,
    work: impl Fn(&mut [kaname_srtp_job_t]),
) -> srtp_err_status_t {
    let mut notices = Vec::new();
    let status = call(|| {
        if jobs.is_null() || count > isize::MAX as usize / size_of::<kaname_srtp_job_t>() {
            return Err(srtp_err_status_bad_param);
        }
        // SAFETY: not null, and by the caller.
        let jobs = unsafe { std::slice::from_raw_parts_mut(jobs, count) };
        for job in jobs.iter_mut() {
            done(job, Err(srtp_err_status_fail));
        }
        jobs.chunks_mut(BATCH).for_each(work);
        for job in jobs.iter() {
            // SAFETY: by the caller; the borrow ends ahead of the handlers, which may do anything to the sessions.
            let notice =
                unsafe { unique(job.session) }.ok().and_then(|context| context.session.take_notice());
            notices.extend(notice.map(|notice| (job.session, notice)));
        }
        jobs.iter().all(|job| job.status == srtp_err_status_ok).then_some(()).ok_or(srtp_err_status_fail)
    });
    for (session, notice) in notices {
        tell(session, Some(notice));
    }
    status
}

fn protect_piece(jobs: &mut [kaname_srtp_job_t]) {
    let mut ready: Vec<(usize, Sending, Parts<'_>)> = Vec::with_capacity(jobs.len());
    for (at, job) in jobs.iter_mut().enumerate() {
        let begin = || {
            // SAFETY: by the caller of the batch.
            let (context, parts) = unsafe { (unique(job.session)?, parts(job)?) };
            let sending =
                context.session.begin_protect(parts.packet, parts.out.len(), None).map_err(status::of)?;
            Ok((sending, parts))
        };
        match begin() {
            Ok((sending, parts)) => ready.push((at, sending, parts)),
            Err(status) => done(job, Err(status)),
        }
    }
    let mut together = Vec::with_capacity(ready.len());
    let mut alone = Vec::new();
    let mut done_together = Vec::with_capacity(ready.len());
    for (at, sending, parts) in &mut ready {
        let len = sending.protected_len();
        match sending.job(parts.packet, &mut parts.out[..len]) {
            Some(Ok(job)) => {
                together.push(job);
                done_together.push((*at, Ok(len)));
            }
            Some(Err(error)) => done_together.push((*at, Err(status::of(error)))),
            None => alone.push(*at),
        }
    }
    protect_batch(&mut together);
    drop(together);
    for (at, result) in done_together {
        done(&mut jobs[at], result);
    }
    for (at, sending, parts) in ready {
        if alone.binary_search(&at).is_ok() {
            // SAFETY: by the caller of the batch.
            let result = unsafe { unique(jobs[at].session) }.and_then(|context| {
                context.session.end_protect(sending, parts.packet, parts.out).map_err(status::of)
            });
            done(&mut jobs[at], result);
        }
    }
}

fn unprotect_piece(jobs: &mut [kaname_srtp_job_t]) {
    let mut ready: Vec<(usize, Receiving, Parts<'_>)> = Vec::with_capacity(jobs.len());
    for (at, job) in jobs.iter_mut().enumerate() {
        let begin = || {
            // SAFETY: by the caller of the batch.
            let (context, parts) = unsafe { (unique(job.session)?, parts(job)?) };
            let receiving = context.session.begin_unprotect(parts.packet, false).map_err(status::of)?;
            if receiving.plain_len() > parts.out.len() {
                return Err(status::of(SrtpError::Output));
            }
            Ok((receiving, parts))
        };
        match begin() {
            Ok((receiving, parts)) => ready.push((at, receiving, parts)),
            Err(status) => done(job, Err(status)),
        }
    }
    let mut together = Vec::with_capacity(ready.len());
    let mut alone = Vec::new();
    for (at, receiving, parts) in &mut ready {
        match receiving.job(parts.packet, parts.out) {
            Some(job) => together.extend(job.map(|job| (*at, job))),
            None => alone.push(*at),
        }
    }
    let (places, mut kernel_jobs): (Vec<_>, Vec<_>) = together.into_iter().unzip();
    unprotect_batch(&mut kernel_jobs);
    let proofs: Vec<_> = kernel_jobs.into_iter().map(|job| job.finish()).collect();
    let mut proofs = places.into_iter().zip(proofs).peekable();
    for (at, receiving, parts) in ready {
        let proof = proofs.next_if(|(place, _)| *place == at);
        // SAFETY: by the caller of the batch.
        let result = unsafe { unique(jobs[at].session) }.and_then(|context| {
            match proof {
                Some((_, Ok(proof))) => context.session.commit(&receiving, proof).inspect_err(|_| {
                    // A second copy in the same batch: what it left behind is not to be seen.
                    parts.out[..receiving.plain_len()].fill(0);
                }),
                Some((_, Err(error))) => Err(error),
                None => context.session.unprotect_rtp(parts.packet, parts.out, false),
            }
            .map_err(status::of)
        });
        done(&mut jobs[at], result);
    }
}

/// Protects many RTP packets of any sessions. Each job's status says how it went; the call's is ok if all are.
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

/// Unprotects many SRTP packets of any sessions.
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
