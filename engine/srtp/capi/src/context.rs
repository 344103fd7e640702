//! A session as C holds it.

use std::ffi::c_void;
use std::ptr::null_mut;

use kaname_srtp::policy::{Notice, Session};
use kaname_srtp::{Backend, limits::MAX_PACKET};
use zeroize::Zeroizing;

use crate::global;
use crate::status::{self, srtp_err_status_bad_param, srtp_err_status_t};
use crate::types::srtp_t;

/// What `srtp_t` points to. C knows only its name.
#[allow(non_camel_case_types, reason = "the name is that of the C header")]
pub struct srtp_ctx_t {
    pub(crate) session: Session,
    pub(crate) user_data: *mut c_void,
    /// Where packets are made before they replace what they were made from.
    scratch: Zeroizing<Vec<u8>>,
}

/// What a call does to a packet: reads it from the first, writes it to the second, and gives its length.
pub(crate) type Work<'a> =
    &'a mut dyn FnMut(&mut Session, &[u8], &mut [u8]) -> Result<usize, kaname_srtp::SrtpError>;

/// Room that scratch has beyond the packet: longest tag, longest MKI, SRTCP index.
pub(crate) const GROWTH: usize = 16 + 128 + 4;

impl srtp_ctx_t {
    pub(crate) fn new() -> srtp_ctx_t {
        let session = Session::new(Backend::best());
        srtp_ctx_t { session, user_data: null_mut(), scratch: Zeroizing::new(Vec::new()) }
    }

    /// Does `work` to `packet`; the result stands in the slice that is given back.
    pub(crate) fn work(&mut self, packet: &[u8], work: Work<'_>) -> Result<&[u8], srtp_err_status_t> {
        if packet.len() > MAX_PACKET {
            return Err(srtp_err_status_bad_param);
        }
        let room = packet.len() + GROWTH;
        if self.scratch.len() < room {
            // Growing leaves nothing behind: what was there is wiped first.
            self.scratch = Zeroizing::new(vec![0; room.next_power_of_two()]);
        }
        let len = work(&mut self.session, packet, &mut self.scratch[..room]).map_err(status::of)?;
        Ok(&self.scratch[..len])
    }
}

/// Tells the event handler what the session noticed. The handler may call back into the library with the same session, so
/// nothing of it is borrowed here.
pub(crate) fn tell(session: srtp_t, notice: Option<(u32, Notice)>) {
    if let Some((ssrc, notice)) = notice {
        let event = match notice {
            Notice::Collision => global::EVENT_SSRC_COLLISION,
            Notice::KeyNearlyExhausted => global::EVENT_KEY_SOFT_LIMIT,
            Notice::KeyExhausted => global::EVENT_KEY_HARD_LIMIT,
        };
        global::report(session, ssrc, event);
    }
}
