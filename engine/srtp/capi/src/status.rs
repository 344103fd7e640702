//! Status codes.
#![allow(non_camel_case_types, non_upper_case_globals, reason = "the names are those of the C header")]

use std::ffi::c_int;

use kaname_srtp::SrtpError;

/// `srtp_err_status_t`.
pub type srtp_err_status_t = c_int;

/// Nothing to report.
pub const srtp_err_status_ok: srtp_err_status_t = 0;
/// Unspecified failure.
pub const srtp_err_status_fail: srtp_err_status_t = 1;
/// Unsupported parameter.
pub const srtp_err_status_bad_param: srtp_err_status_t = 2;
/// No room for more streams.
pub const srtp_err_status_alloc_fail: srtp_err_status_t = 3;
/// The tag is wrong.
pub const srtp_err_status_auth_fail: srtp_err_status_t = 7;
/// The index was seen before.
pub const srtp_err_status_replay_fail: srtp_err_status_t = 9;
/// The index lies behind the window.
pub const srtp_err_status_replay_old: srtp_err_status_t = 10;
/// There is no stream for the SSRC.
pub const srtp_err_status_no_ctx: srtp_err_status_t = 13;
/// The packet is not protected as the policy says.
pub const srtp_err_status_cant_check: srtp_err_status_t = 14;
/// The key has done its work.
pub const srtp_err_status_key_expired: srtp_err_status_t = 15;
/// The packet is malformed.
pub const srtp_err_status_parse_err: srtp_err_status_t = 21;
/// The MKI is unknown.
pub const srtp_err_status_bad_mki: srtp_err_status_t = 25;

/// The code that says what went wrong with a packet.
pub(crate) fn of(error: SrtpError) -> srtp_err_status_t {
    match error {
        SrtpError::Length | SrtpError::Header | SrtpError::Policy | SrtpError::Output => {
            srtp_err_status_bad_param
        }
        SrtpError::Tag => srtp_err_status_auth_fail,
        SrtpError::Replayed | SrtpError::IndexTaken => srtp_err_status_replay_fail,
        SrtpError::TooOld => srtp_err_status_replay_old,
        SrtpError::Unencrypted | SrtpError::Encrypted => srtp_err_status_cant_check,
        SrtpError::Mki => srtp_err_status_bad_mki,
        SrtpError::NoStream => srtp_err_status_no_ctx,
        SrtpError::Extension => srtp_err_status_parse_err,
        SrtpError::TooManyStreams => srtp_err_status_alloc_fail,
        SrtpError::KeyExhausted | SrtpError::Retired => srtp_err_status_key_expired,
        _ => srtp_err_status_fail,
    }
}

/// A result as C wants it.
pub(crate) fn code(result: Result<(), srtp_err_status_t>) -> srtp_err_status_t {
    result.err().unwrap_or(srtp_err_status_ok)
}
