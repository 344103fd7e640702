//! The stages of the way, one a file.

pub(crate) mod admit;
pub(crate) mod bridge;
pub(crate) mod classify;
pub(crate) mod cross;
pub(crate) mod dtls;
pub(crate) mod fan_out;
pub(crate) mod inspect;
pub(crate) mod lookup;
pub(crate) mod outbox;
pub(crate) mod protect;
pub(crate) mod repair;
pub(crate) mod rewrite;
pub(crate) mod route;
pub(crate) mod rtcp;
pub(crate) mod stun;
pub(crate) mod unprotect;
