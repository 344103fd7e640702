//! libsrtp2's C interface (2.5.0, `srtp2/srtp.h`) over kaname-srtp, as `libsrtp2.so.1`: programs that are linked to libsrtp2 run on it
//! unchanged, found through `LD_LIBRARY_PATH`. `include/kaname_srtp.h` adds calls for many packets at once.
//!
//! # What every call promises
//! - Null pointers, negative, short and overflowing lengths give an error code; nothing is written then and nothing changes.
//! - A packet is written only after it was authenticated, and never beyond the length that is given back.
//! - No panic crosses the boundary: it becomes `srtp_err_status_fail`.
//!
//! # What the caller promises, as to libsrtp2
//! - A packet to be protected has `SRTP_MAX_TRAILER_LEN + 4` bytes of room behind it. The interface has no way to say less.
//! - A session is used by one thread at a time, and by none once it is deallocated.
//!
//! # Exceptions: where libsrtp2 2.5.0 does otherwise
//! - RTP and RTCP packets that are not version 2 are refused; libsrtp2 does not look.
//! - GCM SRTCP whose E flag is not what the policy says is refused (`srtp_err_status_cant_check`), as libsrtp2 does without GCM.
//! - `srtp_set_stream_roc` is for the next packet; libsrtp2 keeps it until the index leaps.
//! - An SSRC that sent, was removed and comes back under the same key goes on after its last index; libsrtp2 sends the same
//!   indices again.
//! - `srtp_update` keeps the replay window; libsrtp2 begins a new one, so that what was received once is taken again.
//! - SRTCP with MKI is understood where SRTP has another tag length; libsrtp2 looks for the MKI in the wrong place.
//! - Padding between the elements of an encrypted header extension takes keystream (RFC 6904 section 3.1); libsrtp2 gives it none.
//! - Replay windows are taken up to the next power of two.
//! - A policy with null authentication, a tag length and no GCM is refused; libsrtp2 appends bytes that nobody has set.
//! - Only the public interface is there; libsrtp2's shared object also shows its insides (`srtp_crypto_kernel_*`, `srtp_rdbx_*` and so on).

mod batch;
mod boundary;
mod context;
mod global;
mod packets;
mod policies;
mod status;
mod streams;
mod types;

pub use batch::*;
pub use context::srtp_ctx_t;
pub use global::*;
pub use packets::*;
pub use policies::*;
pub use status::*;
pub use streams::*;
pub use types::*;
