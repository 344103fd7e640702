//! What belongs to no session: start and end, version, handlers.

use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering};

use kaname_srtp::Backend;

use crate::boundary;
use crate::status::{srtp_err_status_bad_param, srtp_err_status_fail, srtp_err_status_ok, srtp_err_status_t};
use crate::types::{srtp_event_data_t, srtp_event_handler_func_t, srtp_log_handler_func_t, srtp_t};

/// `event_ssrc_collision`.
pub(crate) const EVENT_SSRC_COLLISION: c_uint = 0;
/// `event_key_soft_limit`.
pub(crate) const EVENT_KEY_SOFT_LIMIT: c_uint = 1;
/// `event_key_hard_limit`.
pub(crate) const EVENT_KEY_HARD_LIMIT: c_uint = 2;

/// `srtp_log_level_warning`.
const LOG_WARNING: c_uint = 1;

/// `srtp_log_level_info`.
const LOG_INFO: c_uint = 2;

/// The version whose interface this is.
const VERSION: &CStr = c"libsrtp2 2.5.0";

/// The same in one number: major, minor, and 16 bits of micro.
const VERSION_NUMBER: c_uint = 2 << 24 | 5 << 16;

/// Names that `srtp_set_debug_module` knows. There are no traces behind them: a packet's way has none.
const MODULES: [&CStr; 9] = [
    c"srtp",
    c"cipher",
    c"auth func",
    c"aes icm",
    c"aes gcm",
    c"hmac sha-1",
    c"alloc",
    c"crypto kernel",
    c"stat test",
];

/// A log handler and what it wants to be given.
struct Log {
    handler: srtp_log_handler_func_t,
    data: *mut c_void,
}

/// What is installed, and what was before: a handler that is replaced stays in memory, for another thread may be about to
/// call it.
struct Installed<T> {
    handler: Option<T>,
    _before: *mut Installed<T>,
}

static EVENT: AtomicPtr<Installed<srtp_event_handler_func_t>> = AtomicPtr::new(null_mut());
static LOG: AtomicPtr<Installed<Log>> = AtomicPtr::new(null_mut());

fn install<T>(place: &AtomicPtr<Installed<T>>, handler: Option<T>) {
    let before = place.load(Ordering::Acquire);
    place.store(Box::into_raw(Box::new(Installed { handler, _before: before })), Ordering::Release);
}

fn installed<T>(place: &'static AtomicPtr<Installed<T>>) -> Option<&'static T> {
    // SAFETY: null, or from a box that is never freed and never changed.
    unsafe { place.load(Ordering::Acquire).as_ref() }?.handler.as_ref()
}

fn log(level: c_uint, text: &CStr) {
    if let Some(Log { handler, data }) = installed(&LOG) {
        // SAFETY: the handler was installed as one, with this data.
        unsafe { handler(level, text.as_ptr(), *data) };
    }
}

/// Tells whoever listens what happened in a session.
pub(crate) fn report(session: srtp_t, ssrc: u32, event: c_uint) {
    if let Some(handler) = installed(&EVENT) {
        let mut data = srtp_event_data_t { session, ssrc, event };
        // SAFETY: the handler was installed as one, and nothing of the session is borrowed.
        return unsafe { handler(&mut data) };
    }
    // libsrtp2's own handler writes to the log.
    let text = match event {
        EVENT_SSRC_COLLISION => c"srtp: SSRC collision",
        EVENT_KEY_SOFT_LIMIT => c"srtp: key usage soft limit reached",
        _ => c"srtp: key usage hard limit reached",
    };
    log(LOG_WARNING, text);
}

/// Looks for what the processor can do. Sessions can be made without it, too.
#[unsafe(no_mangle)]
pub extern "C" fn srtp_init() -> srtp_err_status_t {
    boundary::call(|| {
        Backend::best();
        Ok(())
    })
}

/// There is nothing to shut down.
#[unsafe(no_mangle)]
pub extern "C" fn srtp_shutdown() -> srtp_err_status_t {
    srtp_err_status_ok
}

/// Name and version.
#[unsafe(no_mangle)]
pub extern "C" fn srtp_get_version_string() -> *const c_char {
    VERSION.as_ptr()
}

/// The version as a number.
#[unsafe(no_mangle)]
pub extern "C" fn srtp_get_version() -> c_uint {
    VERSION_NUMBER
}

/// Installs what is called on events; null takes it away.
#[unsafe(no_mangle)]
pub extern "C" fn srtp_install_event_handler(
    handler: Option<srtp_event_handler_func_t>,
) -> srtp_err_status_t {
    boundary::call(|| {
        install(&EVENT, handler);
        Ok(())
    })
}

/// Installs what is called with messages; null takes it away.
#[unsafe(no_mangle)]
pub extern "C" fn srtp_install_log_handler(
    handler: Option<srtp_log_handler_func_t>,
    data: *mut c_void,
) -> srtp_err_status_t {
    boundary::call(|| {
        install(&LOG, handler.map(|handler| Log { handler, data }));
        Ok(())
    })
}

/// Accepts the names of libsrtp2's modules.
///
/// # Safety
/// `name` is null or a string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn srtp_set_debug_module(name: *const c_char, _on: c_int) -> srtp_err_status_t {
    boundary::call(|| {
        if name.is_null() {
            return Err(srtp_err_status_bad_param);
        }
        // SAFETY: not null, and by the caller.
        let name = unsafe { CStr::from_ptr(name) };
        if MODULES.contains(&name) { Ok(()) } else { Err(srtp_err_status_fail) }
    })
}

/// Names the modules in the log.
#[unsafe(no_mangle)]
pub extern "C" fn srtp_list_debug_modules() -> srtp_err_status_t {
    boundary::call(|| {
        MODULES.into_iter().for_each(|name| log(LOG_INFO, name));
        Ok(())
    })
}
