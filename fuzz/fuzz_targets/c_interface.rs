//! The C interface: a policy of any numbers, then packets of any bytes and lengths. Two sessions do the same, one of them in
//! batches where the other does packet by packet, and they must agree; a third one makes packets that are authentic.
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

/// Bytes by which a packet grows at most.
const GROWTH: usize = 16 + 128 + 4;

/// A call for single packets.
#[derive(Clone, Copy)]
struct Single {
    unprotects: bool,
    rtcp: bool,
    use_mki: u32,
    index: u32,
}

impl Single {
    /// # Safety
    /// `session` is one; the packet has `len` bytes, if that is not less than 0, and its room.
    unsafe fn call(self, session: srtp_t, packet: *mut u8, len: &mut c_int) -> c_int {
        let Single { unprotects, rtcp, use_mki, index } = self;
        let packet = packet.cast();
        // SAFETY: by the caller.
        unsafe {
            match (rtcp, unprotects) {
                (false, true) => srtp_unprotect_mki(session, packet, len, use_mki),
                (false, false) => srtp_protect_mki(session, packet, len, use_mki, index),
                (true, true) => srtp_unprotect_rtcp_mki(session, packet, len, use_mki),
                (true, false) => srtp_protect_rtcp_mki(session, packet, len, use_mki, index),
            }
        }
    }
}

/// Does a call to a packet with room behind it, and gives what it says and the packet.
///
/// # Safety
/// `session` is one.
unsafe fn alone(session: srtp_t, single: Single, packet: &[u8]) -> (c_int, Vec<u8>) {
    let mut bytes = packet.to_vec();
    bytes.resize(packet.len() + GROWTH, 0xee);
    let mut len = packet.len() as c_int;
    // SAFETY: by the caller, and the packet has its room.
    let status = unsafe { single.call(session, bytes.as_mut_ptr(), &mut len) };
    bytes.truncate(if status == srtp_err_status_ok { len as usize } else { 0 });
    (status, bytes)
}

/// Some packets in one call, and the same ones by one call each of the twin.
///
/// # Safety
/// All three are sessions.
unsafe fn together([session, twin, peer]: [srtp_t; 3], call: u8, input: &mut Input<'_>) {
    let unprotects = call & 1 != 0;
    let mut packets: Vec<(Vec<u8>, usize, Single)> = Vec::new();
    for _ in 0..=(call >> 1 & 15) {
        let (kind, len) = (input.byte(), usize::from(input.byte()));
        let (bytes, rest) = input.0.split_at(len.min(input.0.len()));
        input.0 = rest;
        let (use_mki, index) = (u32::from(kind >> 1 & 1), u32::from(kind >> 2 & 3));
        let single = Single { unprotects, rtcp: false, use_mki, index };
        let packet = match kind >> 5 & 3 {
            // SAFETY: by the caller.
            0 if unprotects => unsafe { alone(peer, Single { unprotects: false, ..single }, bytes) }.1,
            1 if let Some((packet, ..)) = packets.last() => packet.clone(),
            _ => bytes.to_vec(),
        };
        let room = packet.len() + if kind & 16 == 0 { GROWTH } else { usize::from(kind & 15) };
        packets.push((packet, room, single));
    }
    let mut outs: Vec<_> = packets.iter().map(|(_, room, ..)| vec![0xee; *room]).collect();
    let jobs = packets.iter().zip(&mut outs).map(|((packet, room, single), out)| kaname_srtp_job_t {
        session,
        input: packet.as_ptr(),
        input_len: packet.len(),
        output: out.as_mut_ptr(),
        output_room: *room,
        output_len: 0,
        status: srtp_err_status_ok,
        use_mki: single.use_mki,
        mki_index: single.index,
    });
    let mut jobs: Vec<_> = jobs.collect();
    // SAFETY: the jobs' pointers are to packets and rooms of the lengths that they say.
    let status = unsafe {
        match unprotects {
            true => kaname_srtp_unprotect_batch(jobs.as_mut_ptr(), jobs.len()),
            false => kaname_srtp_protect_batch(jobs.as_mut_ptr(), jobs.len()),
        }
    };
    assert_eq!(status == srtp_err_status_ok, jobs.iter().all(|job| job.status == srtp_err_status_ok));
    for ((job, out), (packet, room, single)) in jobs.iter().zip(&outs).zip(&packets) {
        let good = job.status == srtp_err_status_ok;
        assert!(good || job.output_len == 0);
        let (bytes, rest) = out.split_at(job.output_len);
        assert!(rest.iter().all(|&byte| byte == 0xee || (byte == 0 && !good && unprotects)));
        // The other call cannot be told of a lack of room; what has none changes nothing.
        if good || *room >= packet.len() + GROWTH {
            // SAFETY: by the caller.
            let expected = unsafe { alone(twin, *single, packet) };
            assert_eq!((job.status, bytes), (expected.0, &expected.1[..]));
        }
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
    let (mut session, mut twin, mut peer) = (null_mut(), null_mut(), null_mut());
    // SAFETY: every pointer is null or to something of the length that goes with it; packets have their room.
    unsafe {
        if srtp_create(&mut session, &policy) != srtp_err_status_ok {
            assert!(session.is_null());
            return;
        }
        assert_eq!(srtp_create(&mut twin, &policy), srtp_err_status_ok);
        assert_eq!(srtp_create(&mut peer, &policy), srtp_err_status_ok);
        while !input.0.is_empty() {
            let call = input.byte();
            if call & 128 != 0 {
                together([session, twin, peer], call, &mut input);
                continue;
            }
            let len = usize::from(input.byte());
            let len = len.min(input.0.len());
            let (bytes, rest) = input.0.split_at(len);
            input.0 = rest;
            // Exactly the room that is needed, so that one byte too far is found.
            let mut packet = bytes.to_vec();
            let unprotects = call & 1 != 0;
            packet.resize(len + if unprotects { 0 } else { GROWTH }, 0xee);
            let before = packet.clone();
            let mut n = if call & 64 == 0 { len as c_int } else { -c_int::from(call) };
            let given = n;
            let (use_mki, index) = (u32::from(call >> 1 & 1), u32::from(call >> 3 & 3));
            let single = Single { unprotects, rtcp: call & 32 != 0, use_mki, index };
            let status = single.call(session, packet.as_mut_ptr(), &mut n);
            if status == srtp_err_status_ok {
                assert!(n >= 0 && n as usize <= packet.len());
                assert_eq!(packet[n as usize..], before[n as usize..]);
            } else {
                assert_eq!((n, &packet), (given, &before));
            }
            if given >= 0 {
                let ours = if status == srtp_err_status_ok { &packet[..n as usize] } else { &[] };
                let (theirs, result) = alone(twin, single, bytes);
                assert_eq!((status, ours), (theirs, &result[..]));
            }
        }
        for session in [session, twin, peer] {
            assert_eq!(srtp_dealloc(session), srtp_err_status_ok);
        }
    }
});
