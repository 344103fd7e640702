//! Nothing is allocated for a packet by the calls for one or for many, refused packets included.
//!
//! A binary of its own with a single test, since the allocator counts for the whole process.

#[path = "../../tests/counting/mod.rs"]
mod counting;

use std::ffi::c_int;
use std::ptr::null_mut;

use counting::{allocations, sees_allocations};
use kaname_srtp_capi::*;

/// Sessions of a call: more than go through the kernels in one go.
const SESSIONS: usize = 70;

const ROOM: usize = 256;

fn session(cipher: u32, key: &mut [u8; 46], mki: bool) -> srtp_t {
    let gcm = cipher == AES_GCM_128;
    let half = srtp_crypto_policy_t {
        cipher_type: cipher,
        cipher_key_len: if gcm { 28 } else { 30 },
        auth_type: if gcm { NULL_AUTH } else { HMAC_SHA1 },
        auth_key_len: 20,
        auth_tag_len: if gcm { 16 } else { 10 },
        sec_serv: SEC_SERV_CONF_AND_AUTH,
    };
    let mut id = [1, 2, 3, 4];
    let mut master =
        srtp_master_key_t { key: key.as_mut_ptr(), mki_id: id.as_mut_ptr(), mki_size: id.len() as u32 };
    let mut masters: [*mut srtp_master_key_t; 1] = [&mut master];
    let policy = srtp_policy_t {
        ssrc: srtp_ssrc_t { type_: SSRC_ANY_OUTBOUND, value: 0 },
        rtp: half,
        rtcp: half,
        key: if mki { null_mut() } else { key.as_mut_ptr() },
        keys: masters.as_mut_ptr(),
        num_master_keys: 1,
        deprecated_ekt: null_mut(),
        window_size: 128,
        allow_repeat_tx: 0,
        enc_xtn_hdr: null_mut(),
        enc_xtn_hdr_count: 0,
        next: null_mut(),
    };
    let mut session = null_mut();
    // SAFETY: what the policy points to is as long as it says.
    assert_eq!(unsafe { srtp_create(&mut session, &policy) }, srtp_err_status_ok);
    session
}

fn under(cipher: u32, mki: bool) {
    let use_mki = u32::from(mki);
    let mut key = [7; 46];
    let mut sessions =
        [(); 4].map(|()| (0..SESSIONS).map(|_| session(cipher, &mut key, mki)).collect::<Vec<_>>());
    let [senders, receivers, singles, single_receivers] = &mut sessions;
    let mut packet = [0; 120];
    packet[..12].copy_from_slice(&[0x80, 96, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9]);
    let mut wires = vec![[0; ROOM]; SESSIONS];
    let mut plains = vec![[0; ROOM]; SESSIONS];
    let mut job = |session: srtp_t, out: &mut [u8; ROOM]| kaname_srtp_job_t {
        session,
        input: packet.as_mut_ptr(),
        input_len: packet.len(),
        output: out.as_mut_ptr(),
        output_room: ROOM,
        output_len: 0,
        status: 0,
        use_mki,
        mki_index: 0,
    };
    let mut protects: Vec<_> = senders.iter().zip(&mut wires).map(|(s, out)| job(*s, out)).collect();
    let mut unprotects: Vec<_> = receivers.iter().zip(&mut plains).map(|(s, out)| job(*s, out)).collect();
    let mut wire = [0; ROOM];
    let count = allocations(|seq| {
        // SAFETY: sessions are sessions, and lengths those of what pointers point to; what the jobs read and write is not
        // borrowed while they are worked on.
        unsafe {
            protects[0].input.cast_mut().add(2).copy_from(seq.to_be_bytes().as_ptr(), 2);
            assert_eq!(kaname_srtp_protect_batch(protects.as_mut_ptr(), SESSIONS), srtp_err_status_ok);
            for (unprotect, protect) in unprotects.iter_mut().zip(&protects) {
                (unprotect.input, unprotect.input_len) = (protect.output, protect.output_len);
            }
            *unprotects[3].input.cast_mut().add(100) ^= 1;
            kaname_srtp_unprotect_batch(unprotects.as_mut_ptr(), SESSIONS);
            assert!(
                unprotects
                    .iter()
                    .enumerate()
                    .all(|(at, job)| (job.status == srtp_err_status_ok) == (at != 3))
            );
            *unprotects[3].input.cast_mut().add(100) ^= 1;
            // All but one are replays now.
            kaname_srtp_unprotect_batch(unprotects.as_mut_ptr(), SESSIONS);
            assert!(
                unprotects
                    .iter()
                    .enumerate()
                    .all(|(at, job)| (job.status == srtp_err_status_ok) == (at == 3))
            );

            let mut len = 120 as c_int;
            wire.as_mut_ptr().copy_from(protects[0].input, 120);
            let at = wire.as_mut_ptr().cast();
            assert_eq!(srtp_protect_mki(singles[0], at, &mut len, use_mki, 0), srtp_err_status_ok);
            assert_eq!(srtp_unprotect_mki(single_receivers[0], at, &mut len, use_mki), srtp_err_status_ok);
        }
    });
    assert_eq!(count, 0, "cipher {cipher}, MKI {mki}");
    // SAFETY: made by `srtp_create`, ended once.
    sessions.iter().flatten().for_each(|session| _ = unsafe { srtp_dealloc(*session) });
}

#[test]
fn no_allocation_for_a_packet() {
    sees_allocations();
    for mki in [false, true] {
        under(AES_ICM_128, mki);
        under(AES_GCM_128, mki);
    }
}
