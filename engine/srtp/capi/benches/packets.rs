//! The C call for many packets beside the call for one and beside libsrtp2's (Debian's shared library), for 100 sessions with a
//! packet each. All three make the same bytes first, or there is nothing to compare.

use std::ffi::{CStr, c_int, c_void};
use std::ptr::null_mut;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use kaname_srtp_capi::*;

const SESSIONS: usize = 100;

/// Bytes from one packet to the next: room for the longest with its trailer, whole cache lines.
const STRIDE: usize = 1280;

const HEADER: usize = 12;

const LIBSRTP2: &CStr = c"/usr/lib/x86_64-linux-gnu/libsrtp2.so.1";

type Create = unsafe extern "C" fn(*mut srtp_t, *const srtp_policy_t) -> srtp_err_status_t;
type Packet = unsafe extern "C" fn(srtp_t, *mut c_void, *mut c_int) -> srtp_err_status_t;
type Batch = unsafe extern "C" fn(*mut kaname_srtp_job_t, usize) -> srtp_err_status_t;

/// The functions of one library for single packets.
#[derive(Clone, Copy)]
struct Library {
    create: Create,
    protect: Packet,
    unprotect: Packet,
}

const OURS: Library = Library { create: srtp_create, protect: srtp_protect, unprotect: srtp_unprotect };

impl Library {
    fn libsrtp2() -> Library {
        // SAFETY: a library with these functions, of these types by its header; names of ours stay ours.
        unsafe {
            let library =
                libc::dlopen(LIBSRTP2.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL | libc::RTLD_DEEPBIND);
            assert!(!library.is_null(), "Debian's libsrtp2-1 is installed");
            let find = |name: &CStr| {
                let function = libc::dlsym(library, name.as_ptr());
                assert!(!function.is_null(), "{name:?}");
                function
            };
            let init: extern "C" fn() -> srtp_err_status_t = std::mem::transmute(find(c"srtp_init"));
            assert_eq!(init(), srtp_err_status_ok);
            Library {
                create: std::mem::transmute::<*mut c_void, Create>(find(c"srtp_create")),
                protect: std::mem::transmute::<*mut c_void, Packet>(find(c"srtp_protect")),
                unprotect: std::mem::transmute::<*mut c_void, Packet>(find(c"srtp_unprotect")),
            }
        }
    }

    /// Sessions with a key each. They live as long as the program.
    fn sessions(self, gcm: bool) -> Vec<srtp_t> {
        let half = srtp_crypto_policy_t {
            cipher_type: if gcm { AES_GCM_128 } else { AES_ICM_128 },
            cipher_key_len: if gcm { 28 } else { 30 },
            auth_type: if gcm { NULL_AUTH } else { HMAC_SHA1 },
            auth_key_len: if gcm { 0 } else { 20 },
            auth_tag_len: if gcm { 16 } else { 10 },
            sec_serv: SEC_SERV_CONF_AND_AUTH,
        };
        let session = |number: usize| {
            let mut key: [u8; 46] = std::array::from_fn(|at| (at * 7 + number) as u8);
            let policy = srtp_policy_t {
                ssrc: srtp_ssrc_t { type_: SSRC_ANY_OUTBOUND, value: 0 },
                rtp: half,
                rtcp: half,
                key: key.as_mut_ptr(),
                keys: null_mut(),
                num_master_keys: 0,
                deprecated_ekt: null_mut(),
                window_size: 128,
                allow_repeat_tx: 0,
                enc_xtn_hdr: null_mut(),
                enc_xtn_hdr_count: 0,
                next: null_mut(),
            };
            let mut session = null_mut();
            // SAFETY: the key has its length.
            assert_eq!(unsafe { (self.create)(&mut session, &policy) }, srtp_err_status_ok);
            session
        };
        (0..SESSIONS).map(session).collect()
    }
}

/// How packets go through a library.
#[derive(Clone, Copy)]
enum Way {
    Batch,
    Single(Library),
}

/// One way with its sessions and buffers.
struct Side {
    way: Way,
    sessions: Vec<srtp_t>,
    outs: Vec<[u8; STRIDE]>,
    lens: Vec<usize>,
}

impl Side {
    fn new(way: Way, gcm: bool) -> Side {
        let library = if let Way::Single(library) = way { library } else { OURS };
        let outs = vec![[0; STRIDE]; SESSIONS];
        Side { way, sessions: library.sessions(gcm), outs, lens: vec![0; SESSIONS] }
    }

    /// Puts a packet of each session through. What works in place is charged for the copy of a packet that all share, and not
    /// for that of one that has come in.
    fn run<'a>(&mut self, protect: bool, packet: impl Fn(usize) -> &'a [u8]) -> Duration {
        match self.way {
            Way::Batch => self.batch(protect, packet),
            Way::Single(library) => self.single(library, protect, packet),
        }
    }

    fn batch<'a>(&mut self, protect: bool, packet: impl Fn(usize) -> &'a [u8]) -> Duration {
        let job = |(at, out): (usize, &mut [u8; STRIDE])| kaname_srtp_job_t {
            session: self.sessions[at],
            input: packet(at).as_ptr(),
            input_len: packet(at).len(),
            output: out.as_mut_ptr(),
            output_room: STRIDE,
            output_len: 0,
            status: srtp_err_status_fail,
            use_mki: 0,
            mki_index: 0,
        };
        let mut jobs: Vec<_> = self.outs.iter_mut().enumerate().map(job).collect();
        let call: Batch = if protect { kaname_srtp_protect_batch } else { kaname_srtp_unprotect_batch };
        let start = Instant::now();
        // SAFETY: the jobs' sessions are sessions and their lengths are right.
        let status = unsafe { call(jobs.as_mut_ptr(), jobs.len()) };
        let elapsed = start.elapsed();
        assert_eq!(status, srtp_err_status_ok);
        self.lens.iter_mut().zip(&jobs).for_each(|(len, job)| *len = job.output_len);
        elapsed
    }

    fn single<'a>(
        &mut self,
        library: Library,
        protect: bool,
        packet: impl Fn(usize) -> &'a [u8],
    ) -> Duration {
        let copy = |outs: &mut [[u8; STRIDE]], at: usize| {
            outs[at][..packet(at).len()].copy_from_slice(packet(at));
        };
        if !protect {
            (0..SESSIONS).for_each(|at| copy(&mut self.outs, at));
        }
        let call = if protect { library.protect } else { library.unprotect };
        let start = Instant::now();
        for (at, session) in self.sessions.iter().enumerate() {
            if protect {
                copy(&mut self.outs, at);
            }
            let mut len = packet(at).len() as c_int;
            // SAFETY: a session of this library, and a packet with its room.
            let status = unsafe { call(*session, self.outs[at].as_mut_ptr().cast(), &mut len) };
            assert_eq!(status, srtp_err_status_ok);
            self.lens[at] = len as usize;
        }
        start.elapsed()
    }

    fn results(&self) -> Vec<&[u8]> {
        self.outs.iter().zip(&self.lens).map(|(out, len)| &out[..*len]).collect()
    }
}

/// A way in one direction with what it needs: rounds of packets, each one number further.
struct Bench {
    side: Side,
    /// Makes what is unprotected.
    sender: Option<Side>,
    packet: Vec<u8>,
    seq: u16,
}

impl Bench {
    fn new(way: Way, gcm: bool, protect: bool, payload: usize) -> Bench {
        let mut packet: Vec<u8> = (0..HEADER + payload).map(|at| at as u8).collect();
        packet[0] = 0x80;
        let sender = (!protect).then(|| Side::new(Way::Batch, gcm));
        Bench { side: Side::new(way, gcm), sender, packet, seq: 0 }
    }

    fn round(&mut self) -> Duration {
        self.packet[2..4].copy_from_slice(&self.seq.to_be_bytes());
        self.seq = self.seq.wrapping_add(1);
        let Bench { side, sender, packet, .. } = self;
        let Some(sender) = sender else { return side.run(true, |_| packet) };
        sender.run(true, |_| packet);
        let wires = sender.results();
        side.run(false, |at| wires[at])
    }

    /// The time of so many packets. The first of each SSRC was in the round that compared.
    fn packets(&mut self, packets: u64) -> Duration {
        let rounds = packets.div_ceil(SESSIONS as u64);
        let spent: Duration = (0..rounds).map(|_| self.round()).sum();
        spent.mul_f64(packets as f64 / (rounds * SESSIONS as u64) as f64)
    }
}

fn packets(criterion: &mut Criterion) {
    let ways = [
        ("kaname batch", Way::Batch),
        ("kaname single", Way::Single(OURS)),
        ("libsrtp2", Way::Single(Library::libsrtp2())),
    ];
    for (suite, gcm) in [("AEAD_AES_128_GCM", true), ("AES_CM_128_HMAC_SHA1_80", false)] {
        for (operation, protect) in [("protect", true), ("unprotect", false)] {
            for payload in [20, 160, 1100] {
                let mut benches = ways.map(|(name, way)| (name, Bench::new(way, gcm, protect, payload)));
                for _ in 0..3 {
                    benches.iter_mut().for_each(|(_, bench)| _ = bench.round());
                    for (name, bench) in &benches[1..] {
                        let same = bench.side.results() == benches[0].1.side.results();
                        assert!(same, "{name} makes other bytes: {suite}, {operation}, {payload}");
                    }
                }
                let mut group = criterion.benchmark_group(format!("capi/{suite}/{operation}/{payload}"));
                group.throughput(Throughput::Elements(1));
                for (name, bench) in &mut benches {
                    group.bench_function(BenchmarkId::from_parameter(*name), |timer| {
                        timer.iter_custom(|packets| bench.packets(packets));
                    });
                }
                group.finish();
            }
        }
    }
}

criterion_group!(benches, packets);
criterion_main!(benches);
