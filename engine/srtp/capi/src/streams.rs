//! Making, changing and ending sessions and their streams.

use std::ffi::{c_uint, c_void};
use std::ptr::null_mut;

use kaname_srtp::SrtpError;

use crate::boundary::{self, call, shared, unique};
use crate::context::srtp_ctx_t;
use crate::packets::named;
use crate::policies;
use crate::status::{self, srtp_err_status_bad_param, srtp_err_status_no_ctx, srtp_err_status_t};
use crate::types::{srtp_policy_t, srtp_t};

/// Most policies in one list: one for each stream a session can have. A list that goes on is a ring.
const MAX_POLICIES: usize = kaname_srtp::limits::MAX_OUT_STREAMS + 1;

/// # Safety
/// `policy` is null or a list of policies.
unsafe fn each(
    mut policy: *const srtp_policy_t,
    mut act: impl FnMut(&srtp_policy_t) -> Result<(), srtp_err_status_t>,
) -> Result<(), srtp_err_status_t> {
    for _ in 0..MAX_POLICIES {
        // SAFETY: by the caller.
        let Some(one) = (unsafe { policy.as_ref() }) else { return Ok(()) };
        act(one)?;
        policy = one.next;
    }
    Err(srtp_err_status_bad_param)
}

fn add(context: &mut srtp_ctx_t, policy: &srtp_policy_t) -> Result<(), srtp_err_status_t> {
    // SAFETY: the callers of this module's functions give policies whose pointers are null or as long as they say.
    let (scope, policy) = unsafe { policies::read(policy) }?;
    context.session.add(scope, policy).map_err(status::of)
}

fn update(context: &mut srtp_ctx_t, policy: &srtp_policy_t) -> Result<(), srtp_err_status_t> {
    // SAFETY: as for `add`.
    let (scope, policy) = unsafe { policies::read(policy) }?;
    context.session.update(scope, policy, false).map_err(|error| match error {
        SrtpError::NoStream => srtp_err_status_bad_param,
        other => status::of(other),
    })
}

/// Makes a session with a stream for each policy of the list, which may be null.
///
/// # Safety
/// `session` is null or can be written to; `policy` is null or a list of policies whose pointers are null or as long as they say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn srtp_create(
    session: *mut srtp_t,
    policy: *const srtp_policy_t,
) -> srtp_err_status_t {
    call(|| {
        if session.is_null() {
            return Err(srtp_err_status_bad_param);
        }
        let mut context = Box::new(srtp_ctx_t::new());
        // SAFETY: by the caller.
        let made = unsafe { each(policy, |policy| add(&mut context, policy)) };
        let pointer = if made.is_ok() { Box::into_raw(context) } else { null_mut() };
        // SAFETY: not null, and by the caller. libsrtp2, too, leaves null behind when it fails.
        unsafe { session.write(pointer) };
        made
    })
}

/// Ends a session.
///
/// # Safety
/// `session` is null or was made by `srtp_create`, and is not used any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn srtp_dealloc(session: srtp_t) -> srtp_err_status_t {
    call(|| {
        if session.is_null() {
            return Err(srtp_err_status_bad_param);
        }
        // SAFETY: by the caller, made by `Box::into_raw` in `srtp_create`, and given back once.
        drop(unsafe { Box::from_raw(session) });
        Ok(())
    })
}

/// Adds a stream.
///
/// # Safety
/// As for `srtp_create`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn srtp_add_stream(session: srtp_t, policy: *const srtp_policy_t) -> srtp_err_status_t {
    // SAFETY: by the caller.
    call(|| unsafe { add(unique(session)?, shared(policy)?) })
}

/// Ends the stream of an SSRC, which is in network order.
///
/// # Safety
/// `session` is null or a session.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn srtp_remove_stream(session: srtp_t, ssrc: c_uint) -> srtp_err_status_t {
    call(|| {
        // SAFETY: by the caller.
        let context = unsafe { unique(session) }?;
        match context.session.remove(u32::from_be(ssrc)).map_err(status::of)? {
            true => Ok(()),
            false => Err(srtp_err_status_no_ctx),
        }
    })
}

/// Gives streams other keys; their indices go on.
///
/// # Safety
/// As for `srtp_create`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn srtp_update(session: srtp_t, policy: *const srtp_policy_t) -> srtp_err_status_t {
    call(|| {
        // SAFETY: by the caller.
        unsafe {
            let context = unique(session)?;
            shared(policy)?;
            each(policy, |policy| update(context, policy))
        }
    })
}

/// The same for one policy.
///
/// # Safety
/// As for `srtp_create`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn srtp_update_stream(
    session: srtp_t,
    policy: *const srtp_policy_t,
) -> srtp_err_status_t {
    // SAFETY: by the caller.
    call(|| unsafe { update(unique(session)?, shared(policy)?) })
}

/// Lets the next packet of a stream have this roll-over counter.
///
/// # Safety
/// `session` is null or a session.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn srtp_set_stream_roc(session: srtp_t, ssrc: u32, roc: u32) -> srtp_err_status_t {
    call(|| {
        // SAFETY: by the caller.
        let context = unsafe { unique(session) }?;
        context.session.set_roc(ssrc, roc).map_err(|_| srtp_err_status_bad_param)
    })
}

/// Tells a stream's roll-over counter.
///
/// # Safety
/// `session` is null or a session, `roc` is null or can be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn srtp_get_stream_roc(session: srtp_t, ssrc: u32, roc: *mut u32) -> srtp_err_status_t {
    call(|| {
        // SAFETY: by the caller.
        let (context, roc) = unsafe { (shared(session)?, unique(roc)?) };
        *roc = context.session.roc(ssrc).ok_or(srtp_err_status_bad_param)?;
        Ok(())
    })
}

/// # Safety
/// `session` is null or a session, `length` is null or can be written to.
unsafe fn trailer(
    session: srtp_t,
    length: *mut u32,
    of: impl FnOnce(&srtp_ctx_t) -> Option<usize>,
) -> srtp_err_status_t {
    call(|| {
        // SAFETY: by the caller.
        let (context, length) = unsafe { (shared(session)?, unique(length)?) };
        *length = of(context).ok_or(srtp_err_status_bad_param)? as u32;
        Ok(())
    })
}

/// Tells by how many bytes an SRTP packet grows at most.
///
/// # Safety
/// `session` is null or a session, `length` is null or can be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn srtp_get_protect_trailer_length(
    session: srtp_t,
    use_mki: u32,
    mki_index: u32,
    length: *mut u32,
) -> srtp_err_status_t {
    // SAFETY: by the caller.
    unsafe { trailer(session, length, |context| context.session.rtp_overhead(named(use_mki, mki_index))) }
}

/// Tells by how many bytes an SRTCP packet grows at most.
///
/// # Safety
/// `session` is null or a session, `length` is null or can be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn srtp_get_protect_rtcp_trailer_length(
    session: srtp_t,
    use_mki: u32,
    mki_index: u32,
    length: *mut u32,
) -> srtp_err_status_t {
    // SAFETY: by the caller.
    unsafe { trailer(session, length, |context| context.session.rtcp_overhead(named(use_mki, mki_index))) }
}

/// Keeps a pointer with the session.
///
/// # Safety
/// `session` is null or a session.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn srtp_set_user_data(session: srtp_t, data: *mut c_void) {
    // SAFETY: by the caller.
    if let Ok(context) = unsafe { boundary::unique(session) } {
        context.user_data = data;
    }
}

/// Gives the pointer back.
///
/// # Safety
/// `session` is null or a session.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn srtp_get_user_data(session: srtp_t) -> *mut c_void {
    // SAFETY: by the caller.
    unsafe { boundary::shared(session) }.map_or(null_mut(), |context| context.user_data)
}
