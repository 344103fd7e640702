//! Packets, one at a time and in place.

use std::ffi::{c_int, c_uint, c_void};

use kaname_srtp::SrtpError;
use kaname_srtp::limits::MAX_PACKET;

use crate::boundary::{bytes, call, unique};
use crate::context::{Work, tell};
use crate::status::{self, srtp_err_status_bad_param, srtp_err_status_parse_err, srtp_err_status_t};
use crate::types::srtp_t;

/// Bytes of a fixed RTP header.
const RTP_FIXED: usize = 12;

/// Does `work` to the packet at `packet`, which has `*len` bytes, and puts the result in its place.
///
/// # Safety
/// `session` is null or a session; `packet` is null or has `*len` bytes and room for what the work adds; `len` is null or can be
/// written to.
unsafe fn in_place(
    session: srtp_t,
    packet: *mut c_void,
    len: *mut c_int,
    work: Work<'_>,
) -> srtp_err_status_t {
    let mut notice = None;
    let status = call(|| {
        // SAFETY: by the caller.
        let (context, len) = unsafe { (unique(session)?, unique(len)?) };
        let before = usize::try_from(*len).map_err(|_| srtp_err_status_bad_param)?;
        if before > MAX_PACKET {
            return Err(srtp_err_status_bad_param);
        }
        // SAFETY: by the caller. The slice ends before anything is written there.
        let result = context.work(unsafe { bytes(packet.cast(), before) }?, work);
        if let Ok(done) = result {
            // SAFETY: by the caller there is room for the result, which stands in memory of our own.
            unsafe { packet.cast::<u8>().copy_from_nonoverlapping(done.as_ptr(), done.len()) };
            *len = done.len() as c_int;
        }
        let result = result.map(|_| ());
        notice = context.session.take_notice();
        result
    });
    tell(session, notice);
    status
}

/// The master key that an MKI's number names, if packets have one.
pub(crate) fn named(use_mki: c_uint, mki_index: c_uint) -> Option<usize> {
    (use_mki != 0).then_some(mki_index as usize)
}

/// Protects an RTP packet.
///
/// # Safety
/// `session` is null or a session; `packet` is null or has `*len` bytes and `SRTP_MAX_TRAILER_LEN` bytes of room behind them; `len`
/// is null or can be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn srtp_protect(
    session: srtp_t,
    packet: *mut c_void,
    len: *mut c_int,
) -> srtp_err_status_t {
    // SAFETY: by the caller.
    unsafe { srtp_protect_mki(session, packet, len, 0, 0) }
}

/// Protects an RTP packet under a named master key, whose MKI goes with it.
///
/// # Safety
/// As for `srtp_protect`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn srtp_protect_mki(
    session: srtp_t,
    packet: *mut c_void,
    len: *mut c_int,
    use_mki: c_uint,
    mki_index: c_uint,
) -> srtp_err_status_t {
    // SAFETY: by the caller.
    unsafe {
        in_place(session, packet, len, &mut |session, packet, out| {
            session.protect_rtp(packet, out, named(use_mki, mki_index))
        })
    }
}

/// Checks and decrypts an SRTP packet.
///
/// # Safety
/// `session` is null or a session; `packet` is null or has `*len` bytes; `len` is null or can be written to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn srtp_unprotect(
    session: srtp_t,
    packet: *mut c_void,
    len: *mut c_int,
) -> srtp_err_status_t {
    // SAFETY: by the caller.
    unsafe { srtp_unprotect_mki(session, packet, len, 0) }
}

/// Checks and decrypts an SRTP packet that has an MKI.
///
/// # Safety
/// As for `srtp_unprotect`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn srtp_unprotect_mki(
    session: srtp_t,
    packet: *mut c_void,
    len: *mut c_int,
    use_mki: c_uint,
) -> srtp_err_status_t {
    let mut refused = None;
    // SAFETY: by the caller.
    let status = unsafe {
        in_place(session, packet, len, &mut |session, packet, out| {
            let result = session.unprotect_rtp(packet, out, use_mki != 0);
            refused = result.err().map(|error| unprotect_status(error, packet.len()));
            result
        })
    };
    refused.unwrap_or(status)
}

/// The code that says why an SRTP packet of so many bytes was refused.
pub(crate) fn unprotect_status(error: SrtpError, len: usize) -> srtp_err_status_t {
    match error {
        // A header that is whole, with nothing to hold the tag, is a parse error in libsrtp2.
        SrtpError::Length if (RTP_FIXED..=MAX_PACKET).contains(&len) => srtp_err_status_parse_err,
        error => status::of(error),
    }
}

/// Protects an RTCP packet.
///
/// # Safety
/// As for `srtp_protect`, with four bytes of room more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn srtp_protect_rtcp(
    session: srtp_t,
    packet: *mut c_void,
    len: *mut c_int,
) -> srtp_err_status_t {
    // SAFETY: by the caller.
    unsafe { srtp_protect_rtcp_mki(session, packet, len, 0, 0) }
}

/// Protects an RTCP packet under a named master key, whose MKI goes with it.
///
/// # Safety
/// As for `srtp_protect_rtcp`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn srtp_protect_rtcp_mki(
    session: srtp_t,
    packet: *mut c_void,
    len: *mut c_int,
    use_mki: c_uint,
    mki_index: c_uint,
) -> srtp_err_status_t {
    // SAFETY: by the caller.
    unsafe {
        in_place(session, packet, len, &mut |session, packet, out| {
            session.protect_rtcp(packet, out, named(use_mki, mki_index))
        })
    }
}

/// Checks and decrypts an SRTCP packet.
///
/// # Safety
/// As for `srtp_unprotect`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn srtp_unprotect_rtcp(
    session: srtp_t,
    packet: *mut c_void,
    len: *mut c_int,
) -> srtp_err_status_t {
    // SAFETY: by the caller.
    unsafe { srtp_unprotect_rtcp_mki(session, packet, len, 0) }
}

/// Checks and decrypts an SRTCP packet that has an MKI.
///
/// # Safety
/// As for `srtp_unprotect`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn srtp_unprotect_rtcp_mki(
    session: srtp_t,
    packet: *mut c_void,
    len: *mut c_int,
    use_mki: c_uint,
) -> srtp_err_status_t {
    // SAFETY: by the caller.
    unsafe {
        in_place(session, packet, len, &mut |session, packet, out| {
            session.unprotect_rtcp(packet, out, use_mki != 0)
        })
    }
}
