//! The structures of `srtp2/srtp.h`. Enumerations are plain integers here: C may put any value there.
#![allow(non_camel_case_types, reason = "the names are those of the C header")]

use std::ffi::{c_int, c_uchar, c_uint, c_ulong, c_void};

use crate::context::srtp_ctx_t;

/// A session as C sees it.
pub type srtp_t = *mut srtp_ctx_t;

/// `sec_serv_conf`.
pub const SEC_SERV_CONF: c_uint = 1;
/// `sec_serv_auth`.
pub const SEC_SERV_AUTH: c_uint = 2;
/// `sec_serv_conf_and_auth`.
pub const SEC_SERV_CONF_AND_AUTH: c_uint = 3;

/// `SRTP_NULL_CIPHER`.
pub const NULL_CIPHER: u32 = 0;
/// `SRTP_AES_ICM_128`.
pub const AES_ICM_128: u32 = 1;
/// `SRTP_AES_ICM_192`.
pub const AES_ICM_192: u32 = 4;
/// `SRTP_AES_ICM_256`.
pub const AES_ICM_256: u32 = 5;
/// `SRTP_AES_GCM_128`.
pub const AES_GCM_128: u32 = 6;
/// `SRTP_AES_GCM_256`.
pub const AES_GCM_256: u32 = 7;

/// `SRTP_NULL_AUTH`.
pub const NULL_AUTH: u32 = 0;
/// `SRTP_HMAC_SHA1`.
pub const HMAC_SHA1: u32 = 3;

/// `ssrc_specific`.
pub const SSRC_SPECIFIC: c_uint = 1;
/// `ssrc_any_inbound`.
pub const SSRC_ANY_INBOUND: c_uint = 2;
/// `ssrc_any_outbound`.
pub const SSRC_ANY_OUTBOUND: c_uint = 3;

/// What is done to the packets of one protocol.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct srtp_crypto_policy_t {
    /// The cipher's number.
    pub cipher_type: u32,
    /// Bytes of key and salt.
    pub cipher_key_len: c_int,
    /// The authentication function's number.
    pub auth_type: u32,
    /// Bytes of its key.
    pub auth_key_len: c_int,
    /// Bytes of the tag.
    pub auth_tag_len: c_int,
    /// Services: a `srtp_sec_serv_t`.
    pub sec_serv: c_uint,
}

/// An SSRC, or a wildcard.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct srtp_ssrc_t {
    /// A `srtp_ssrc_type_t`.
    pub type_: c_uint,
    /// The SSRC in host order, if it is one.
    pub value: c_uint,
}

/// A master key with its MKI.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct srtp_master_key_t {
    /// Key and salt.
    pub key: *mut c_uchar,
    /// The MKI.
    pub mki_id: *mut c_uchar,
    /// Its bytes.
    pub mki_size: c_uint,
}

/// What a stream is made of.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct srtp_policy_t {
    /// Which streams.
    pub ssrc: srtp_ssrc_t,
    /// For SRTP.
    pub rtp: srtp_crypto_policy_t,
    /// For SRTCP.
    pub rtcp: srtp_crypto_policy_t,
    /// Key and salt; null if `keys` counts.
    pub key: *mut c_uchar,
    /// Master keys with MKI.
    pub keys: *mut *mut srtp_master_key_t,
    /// How many.
    pub num_master_keys: c_ulong,
    /// Must be null.
    pub deprecated_ekt: *mut c_void,
    /// Replay window in packets; 0 is 128.
    pub window_size: c_ulong,
    /// Whether packets may be protected again.
    pub allow_repeat_tx: c_int,
    /// Header extensions to encrypt.
    pub enc_xtn_hdr: *mut c_int,
    /// How many.
    pub enc_xtn_hdr_count: c_int,
    /// The next policy.
    pub next: *mut srtp_policy_t,
}

/// What an event handler gets.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct srtp_event_data_t {
    /// Where it happened.
    pub session: srtp_t,
    /// The stream, in host order.
    pub ssrc: u32,
    /// A `srtp_event_t`.
    pub event: c_uint,
}

/// `srtp_event_handler_func_t`.
pub type srtp_event_handler_func_t = unsafe extern "C" fn(data: *mut srtp_event_data_t);

/// `srtp_log_handler_func_t`.
pub type srtp_log_handler_func_t =
    unsafe extern "C" fn(level: c_uint, message: *const std::ffi::c_char, data: *mut c_void);
