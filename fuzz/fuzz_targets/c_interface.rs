//! The C interface: a policy of any numbers, then packets of any bytes and lengths.
#![no_main]

use std::ffi::c_int;
use std::ptr::null_mut;

use kaname_srtp_capi::*;
use libfuzzer_sys::fuzz_target;

/// Numbers taken off the input; zero when it is used up.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        first
    }

    /// Mostly `usual`, sometimes anything.
    fn int(&mut self, usual: c_int) -> c_int {
        match self.byte() {
            0..200 => usual,
            _ => c_int::from_be_bytes([self.byte(), self.byte(), self.byte(), self.byte()]),
        }
    }
}

fn half(input: &mut Input<'_>) -> srtp_crypto_policy_t {
    const CIPHERS: [(u32, c_int); 6] = [(0, 30), (1, 30), (4, 38), (5, 46), (6, 28), (7, 44)];
    let (cipher, len) = CIPHERS[usize::from(input.byte()) % 6];
    let hmac = cipher < 6;
    srtp_crypto_policy_t {
        cipher_type: input.int(cipher as c_int) as u32,
        cipher_key_len: input.int(len),
        auth_type: input.int(if hmac { 3 } else { 0 }) as u32,
        auth_key_len: input.int(20),
        auth_tag_len: input.int(if hmac { 10 } else { 16 }),
        sec_serv: input.int(3) as u32,
    }
}

/// The same packet twice in one call.
///
/// # Safety
/// `session` is one.
unsafe fn together(session: srtp_t, call: u8, packet: &[u8]) {
    let room = packet.len() + usize::from(call >> 1 & 31);
    let mut outs = [vec![0xee; room], vec![0xee; room]];
    let mut jobs = outs.each_mut().map(|out| kaname_srtp_job_t {
        session,
        input: packet.as_ptr(),
        input_len: packet.len(),
        output: out.as_mut_ptr(),
        output_room: room,
        output_len: 0,
        status: srtp_err_status_ok,
    });
    // SAFETY: the jobs' pointers are to packets and rooms of the lengths that they say.
    let status = unsafe {
        match call & 1 {
            0 => kaname_srtp_protect_batch(jobs.as_mut_ptr(), jobs.len()),
            _ => kaname_srtp_unprotect_batch(jobs.as_mut_ptr(), jobs.len()),
        }
    };
    assert_eq!(status == srtp_err_status_ok, jobs.iter().all(|job| job.status == srtp_err_status_ok));
    for (job, out) in jobs.iter().zip(&outs) {
        assert!(job.output_len <= room && out[job.output_len..].iter().all(|&byte| matches!(byte, 0xee | 0)));
        assert!(job.status == srtp_err_status_ok || job.output_len == 0);
    }
}

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let mut key = [7u8; 46];
    let mut mki = [1u8; 128];
    let mut master =
        srtp_master_key_t { key: key.as_mut_ptr(), mki_id: mki.as_mut_ptr(), mki_size: input.int(4) as u32 };
    let mut masters: [*mut srtp_master_key_t; 2] = [&mut master, null_mut()];
    let mut ids: [c_int; 3] = [1, input.int(4), input.int(5)];
    let policy = srtp_policy_t {
        ssrc: srtp_ssrc_t { type_: input.int(2) as u32, value: 5 },
        rtp: half(&mut input),
        rtcp: half(&mut input),
        key: if input.byte() & 1 == 0 { key.as_mut_ptr() } else { null_mut() },
        keys: masters.as_mut_ptr(),
        num_master_keys: u64::from(input.byte() % 3),
        deprecated_ekt: null_mut(),
        window_size: input.int(0) as u64,
        allow_repeat_tx: input.int(1),
        enc_xtn_hdr: ids.as_mut_ptr(),
        enc_xtn_hdr_count: c_int::from(input.byte() % 4),
        next: null_mut(),
    };
    let mut session = null_mut();
    // SAFETY: every pointer is null or to something of the length that goes with it; packets have their room.
    unsafe {
        if srtp_create(&mut session, &policy) != srtp_err_status_ok {
            assert!(session.is_null());
            return;
        }
        while !input.0.is_empty() {
            let (call, len) = (input.byte(), usize::from(input.byte()));
            let len = len.min(input.0.len());
            let (bytes, rest) = input.0.split_at(len);
            input.0 = rest;
            if call & 128 != 0 {
                together(session, call, bytes);
                continue;
            }
            // Exactly the room that is needed, so that one byte too far is found.
            let mut packet = bytes.to_vec();
            let unprotects = call & 1 != 0;
            packet.resize(len + if unprotects { 0 } else { 16 + 128 + 4 }, 0xee);
            let before = packet.clone();
            let mut n = if call & 64 == 0 { len as c_int } else { -c_int::from(call) };
            let given = n;
            let at = packet.as_mut_ptr().cast();
            let (use_mki, index) = (u32::from(call >> 1 & 1), u32::from(call >> 3 & 3));
            let status = match call >> 5 & 1 {
                0 if unprotects => srtp_unprotect_mki(session, at, &mut n, use_mki),
                0 => srtp_protect_mki(session, at, &mut n, use_mki, index),
                _ if unprotects => srtp_unprotect_rtcp_mki(session, at, &mut n, use_mki),
                _ => srtp_protect_rtcp_mki(session, at, &mut n, use_mki, index),
            };
            if status == srtp_err_status_ok {
                assert!(n >= 0 && n as usize <= packet.len());
                assert_eq!(packet[n as usize..], before[n as usize..]);
            } else {
                assert_eq!((n, &packet), (given, &before));
            }
        }
        assert_eq!(srtp_dealloc(session), srtp_err_status_ok);
    }
});
