//! What stands between C and us: no panic goes out, no pointer comes in unchecked.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::status::{self, srtp_err_status_bad_param, srtp_err_status_fail, srtp_err_status_t};

/// Runs the body of a call. A panic becomes `srtp_err_status_fail`.
pub(crate) fn call(body: impl FnOnce() -> Result<(), srtp_err_status_t>) -> srtp_err_status_t {
    // A session is left consistent by unwinding: its state changes last, and in one step.
    catch_unwind(AssertUnwindSafe(|| status::code(body()))).unwrap_or(srtp_err_status_fail)
}

/// What a pointer points to.
///
/// # Safety
/// The pointer is null, or aligned and valid for reads for the whole of `'a`, and nothing writes there meanwhile.
pub(crate) unsafe fn shared<'a, T>(pointer: *const T) -> Result<&'a T, srtp_err_status_t> {
    // SAFETY: by the caller.
    unsafe { pointer.as_ref() }.ok_or(srtp_err_status_bad_param)
}

/// The same to be changed.
///
/// # Safety
/// The pointer is null, or aligned and valid for reads and writes for the whole of `'a`, and nobody else uses it meanwhile.
pub(crate) unsafe fn unique<'a, T>(pointer: *mut T) -> Result<&'a mut T, srtp_err_status_t> {
    // SAFETY: by the caller.
    unsafe { pointer.as_mut() }.ok_or(srtp_err_status_bad_param)
}

/// `len` bytes from `pointer` on.
///
/// # Safety
/// The pointer is null, or `len` bytes can be read there for the whole of `'a`, and nothing writes there meanwhile.
pub(crate) unsafe fn bytes<'a>(pointer: *const u8, len: usize) -> Result<&'a [u8], srtp_err_status_t> {
    if pointer.is_null() || len > isize::MAX as usize {
        return Err(srtp_err_status_bad_param);
    }
    // SAFETY: not null, and by the caller.
    Ok(unsafe { std::slice::from_raw_parts(pointer, len) })
}
