//! Batches of policy sessions: each packet gets what the calls for single packets would give it in the same order.

use proptest::prelude::*;

use super::{PROFILES, header, on_every_backend};
use crate::error::SrtpError;
use crate::keying::Profile;
use crate::policy::{Begun, MasterKey, Notice, Policy, Receiving, Scope, Session};
use crate::{Backend, UnprotectJob, protect_batch, unprotect_batch};

/// What stands where nothing was written.
const UNTOUCHED: u8 = 0xee;

/// A packet of a batch.
#[derive(Clone, Debug)]
struct Job {
    session: usize,
    packet: Vec<u8>,
    room: usize,
    /// The master key, if there is an MKI.
    named: Option<usize>,
}

/// What became of it.
#[derive(Debug)]
struct Outcome {
    result: Result<usize, SrtpError>,
    out: Vec<u8>,
    notice: Option<(u32, Notice)>,
}

impl Outcome {
    /// The result with its bytes. Behind them, and of a refused packet everywhere, is what was there; a batch may leave zeros.
    fn bytes(&self, zeros: bool) -> Result<&[u8], SrtpError> {
        let (bytes, rest) = self.out.split_at(self.result.unwrap_or(0));
        let wiped = zeros && self.result.is_err();
        assert!(rest.iter().all(|&byte| byte == UNTOUCHED || (wiped && byte == 0)), "{self:?}");
        self.result.map(|_| bytes)
    }
}

type Call = fn(&mut Session, &[u8], &mut [u8], Option<usize>) -> Result<usize, SrtpError>;

fn one_by_one(sessions: &mut [Session], jobs: &[Job], call: Call) -> Vec<Outcome> {
    let each = |job: &Job| {
        let session = &mut sessions[job.session];
        let mut out = vec![UNTOUCHED; job.room];
        let result = call(session, &job.packet, &mut out, job.named);
        Outcome { result, out, notice: session.take_notice() }
    };
    jobs.iter().map(each).collect()
}

fn protect_together(sessions: &mut [Session], jobs: &[Job]) -> Vec<Outcome> {
    let mut outs: Vec<_> = jobs.iter().map(|job| vec![UNTOUCHED; job.room]).collect();
    let (mut results, mut ready) = (Vec::new(), Vec::new());
    for (job, out) in jobs.iter().zip(&mut outs) {
        let session = &mut sessions[job.session];
        let begun = session.begin_protect(&job.packet, out, job.named);
        let result = begun.map(|begun| match begun {
            Begun::Done(len) => len,
            Begun::Ready(sending) => {
                let len = sending.protected_len();
                ready.push((job.session, sending));
                len
            }
        });
        results.push((result, session.take_notice()));
    }
    let ready = ready.into_iter().map(|(session, sending)| sessions[session].protect_job(sending).unwrap());
    protect_batch(&mut ready.collect::<Vec<_>>());
    let outcome = |((result, notice), out)| Outcome { result, out, notice };
    results.into_iter().zip(outs).map(outcome).collect()
}

fn unprotect_together(sessions: &mut [Session], jobs: &[Job]) -> Vec<Outcome> {
    let mut outs: Vec<_> = jobs.iter().map(|job| vec![UNTOUCHED; job.room]).collect();
    let (mut receiving, mut together): (Vec<Option<Receiving>>, Vec<UnprotectJob<'_>>) = Default::default();
    for (job, out) in jobs.iter().zip(&mut outs) {
        let begun = sessions[job.session].begin_unprotect(&job.packet, out, job.named.is_some());
        receiving.push(begun.map(|(receiving, job)| {
            together.push(job);
            receiving
        }));
    }
    unprotect_batch(&mut together);
    for (receiving, job) in receiving.iter_mut().flatten().zip(&together) {
        receiving.learn(job);
    }
    let end = |((job, receiving), mut out): ((&Job, Option<Receiving>), Vec<u8>)| {
        let (session, mki) = (&mut sessions[job.session], job.named.is_some());
        let result = match receiving {
            Some(receiving) => session.end_unprotect(&receiving, &job.packet, &mut out, mki),
            None => session.unprotect_rtp(&job.packet, &mut out, mki),
        };
        Outcome { result, out, notice: session.take_notice() }
    };
    jobs.iter().zip(receiving).zip(outs).map(end).collect()
}

/// What can be asked of a session, under keys that differ for each `seed`, and whether its keys have MKIs.
fn policies(seed: u8) -> Vec<(Policy, bool)> {
    let master = |other: u8| MasterKey::new(&[seed ^ other; 32], &[seed ^ 9; 14]).unwrap();
    let policy = |profile| Policy { window: 64, ..Policy::new(profile, master(0)) };
    let named = vec![master(0).with_mki(&[1, 2]).unwrap(), master(128).with_mki(&[3]).unwrap()];
    let by_lifetime = vec![master(0).with_lifetime(0, 65_520), master(128).with_lifetime(65_521, 65_560)];
    let mut policies: Vec<_> = PROFILES.into_iter().map(|profile| (policy(profile), false)).collect();
    for plain in [policy(Profile::Aes128CmSha1_80), policy(Profile::AeadAes128Gcm)] {
        policies.push((Policy { masters: named.clone(), ..plain.clone() }, true));
        let others = [
            Policy { masters: by_lifetime.clone(), ..plain.clone() },
            Policy { derivation_rate: 16, ..plain.clone() },
            Policy { cryptex: true, ..plain.clone() },
            Policy { encrypted_extensions: vec![1, 2], ..plain.clone() },
            Policy { allow_repeat: true, ..plain },
        ];
        policies.extend(others.map(|policy| (policy, false)));
    }
    policies
}

/// One of them.
fn policy(kind: usize, seed: u8) -> Policy {
    policies(seed).swap_remove(kind).0
}

/// What happens between batches, and the packets of the next one.
#[derive(Clone, Debug)]
enum Step {
    /// Session, SSRC, sequence number's step, payload, MKI, whether there is room.
    Send(Vec<(usize, u32, i32, usize, Option<usize>, bool)>),
    /// Which of the packets under way, what is done to it, whether there is room.
    Receive(Vec<(prop::sample::Index, Damage, bool)>),
    Rekey {
        session: usize,
        seed: u8,
        overlap: bool,
    },
    EndOverlap {
        session: usize,
    },
    SetRoc {
        session: usize,
        ssrc: u32,
        roc: u32,
    },
    Remove {
        session: usize,
        ssrc: u32,
    },
}

#[derive(Clone, Copy, Debug)]
enum Damage {
    None,
    Bit(prop::sample::Index),
    Cut(prop::sample::Index),
    OtherMki,
}

const SESSIONS: usize = 4;

fn step() -> impl Strategy<Value = Step> {
    let (session, ssrc) = (0..SESSIONS, 1u32..5);
    let seq = prop_oneof![20 => Just(1), 6 => -5i32..70, 1 => 20_000i32..40_000, 1 => Just(65_000)];
    let named = prop_oneof![3 => Just(None), 2 => (0usize..3).prop_map(Some)];
    let room = prop::bool::weighted(0.95);
    let send = (session.clone(), ssrc.clone(), seq, 0usize..200, named, room);
    let damage = prop_oneof![
        12 => Just(Damage::None),
        2 => any::<prop::sample::Index>().prop_map(Damage::Bit),
        1 => any::<prop::sample::Index>().prop_map(Damage::Cut),
        1 => Just(Damage::OtherMki),
    ];
    prop_oneof![
        8 => prop::collection::vec(send, 1..40).prop_map(Step::Send),
        8 => prop::collection::vec((any::<prop::sample::Index>(), damage, room), 1..60).prop_map(Step::Receive),
        2 => (session.clone(), 2u8..5, any::<bool>())
            .prop_map(|(session, seed, overlap)| Step::Rekey { session, seed, overlap }),
        1 => session.clone().prop_map(|session| Step::EndOverlap { session }),
        1 => (session.clone(), ssrc.clone(), 0u32..3)
            .prop_map(|(session, ssrc, roc)| Step::SetRoc { session, ssrc, roc }),
        1 => (session, ssrc).prop_map(|(session, ssrc)| Step::Remove { session, ssrc }),
    ]
}

/// Sessions in pairs: what one does in batches, its twin does packet by packet.
struct Twins {
    batch: Vec<Session>,
    single: Vec<Session>,
}

impl Twins {
    fn new(backend: Backend, kinds: &[usize]) -> Twins {
        let session = |kind: &usize| {
            let mut session = session(backend, &policy(*kind, 1));
            session.add(Scope::Ssrc(1), policy(*kind, 77)).unwrap();
            session
        };
        let sessions = || kinds.iter().map(session).collect();
        Twins { batch: sessions(), single: sessions() }
    }

    fn both<T: PartialEq + std::fmt::Debug>(&mut self, session: usize, change: impl Fn(&mut Session) -> T) {
        assert_eq!(change(&mut self.batch[session]), change(&mut self.single[session]));
    }

    fn agree(&self, batch: &[Outcome], single: &[Outcome]) {
        assert_eq!(batch.len(), single.len());
        for (batch, single) in batch.iter().zip(single) {
            assert_eq!((batch.bytes(true), batch.notice), (single.bytes(false), single.notice));
        }
        for (batch, single) in self.batch.iter().zip(&self.single) {
            for ssrc in 1..5 {
                assert_eq!(batch.roc(ssrc), single.roc(ssrc));
            }
        }
    }
}

fn history(backend: Backend, kinds: &[usize], steps: Vec<Step>) {
    let (mut senders, mut receivers) = (Twins::new(backend, kinds), Twins::new(backend, kinds));
    let mut seqs = [[65_500u16; 5]; SESSIONS];
    let mut under_way: Vec<Job> = Vec::new();
    for step in steps {
        match step {
            Step::Send(packets) => {
                let job = |(session, ssrc, by, len, named, room): (usize, u32, i32, usize, _, bool)| {
                    let seq: &mut u16 = &mut seqs[session][ssrc as usize];
                    *seq = seq.wrapping_add(by as u16);
                    let words = (len % 3 == 0).then_some(2);
                    let packet = [header(ssrc, *seq, (len % 2) as u8, words), vec![len as u8; len]].concat();
                    let room = packet.len() + if room { 40 } else { 3 };
                    Job { session, packet, room, named }
                };
                let jobs: Vec<_> = packets.into_iter().map(job).collect();
                let single = one_by_one(&mut senders.single, &jobs, Session::protect_rtp);
                let batch = protect_together(&mut senders.batch, &jobs);
                senders.agree(&batch, &single);
                under_way.extend(jobs.into_iter().zip(&batch).filter_map(|(job, outcome)| {
                    let packet = outcome.bytes(true).ok()?.to_vec();
                    Some(Job { room: 0, packet, ..job })
                }));
            }
            Step::Receive(picks) if !under_way.is_empty() => {
                let job = |(pick, damage, room): (prop::sample::Index, _, _)| {
                    // Mostly what came last.
                    let recent = under_way.len().saturating_sub(60);
                    let mut job = pick.get(&under_way[recent..]).clone();
                    job.room = if room { job.packet.len() } else { 20 };
                    match damage {
                        Damage::None => {}
                        Damage::Bit(bit) => {
                            let bit = bit.index(job.packet.len() * 8);
                            job.packet[bit / 8] ^= 1 << (bit % 8);
                        }
                        Damage::Cut(len) => job.packet.truncate(len.index(job.packet.len())),
                        Damage::OtherMki => job.named = job.named.xor(Some(0)),
                    }
                    job
                };
                let jobs: Vec<_> = picks.into_iter().map(job).collect();
                let single = one_by_one(&mut receivers.single, &jobs, |session, packet, out, named| {
                    session.unprotect_rtp(packet, out, named.is_some())
                });
                let batch = unprotect_together(&mut receivers.batch, &jobs);
                receivers.agree(&batch, &single);
            }
            Step::Receive(_) => {}
            Step::Rekey { session, seed, overlap } => {
                let policy = policy(kinds[session], seed);
                let change = |session: &mut Session| {
                    let any = session.update(Scope::Any, policy.clone(), overlap);
                    (any, session.update(Scope::Ssrc(1), policy.clone(), overlap))
                };
                senders.both(session, change);
                receivers.both(session, change);
            }
            Step::EndOverlap { session } => receivers.both(session, Session::end_overlap),
            Step::SetRoc { session, ssrc, roc } => {
                senders.both(session, |session| session.set_roc(ssrc, roc));
                receivers.both(session, |session| session.set_roc(ssrc, roc));
            }
            Step::Remove { session, ssrc } => {
                senders.both(session, |session| session.remove(ssrc));
                receivers.both(session, |session| session.remove(ssrc));
            }
        }
    }
}

proptest! {
    #[test]
    fn a_batch_gives_what_single_calls_give(
        kinds in prop::collection::vec(0..policies(1).len(), SESSIONS),
        steps in prop::collection::vec(step(), 1..40),
    ) {
        history(Backend::best(), &kinds, steps);
    }
}

fn packet(ssrc: u32, seq: u16) -> Vec<u8> {
    [header(ssrc, seq, 0, None), vec![7; 50]].concat()
}

fn session(backend: Backend, policy: &Policy) -> Session {
    let mut session = Session::new(backend);
    session.add(Scope::Any, policy.clone()).unwrap();
    session
}

on_every_backend! {
    fn what_the_kernels_know_goes_through_them_together(backend) {
        for (policy, has_mki) in policies(1) {
            let named = has_mki.then_some(0);
            let (mut sender, mut receiver) = (session(backend, &policy), session(backend, &policy));
            let mut wire = [0; 128];
            let len = sender.protect_rtp(&packet(5, 0), &mut wire, named).unwrap();
            receiver.unprotect_rtp(&wire[..len], &mut [0; 128], named.is_some()).unwrap();
            let plain = !policy.cryptex && policy.encrypted_extensions.is_empty();
            let known = plain && (named.is_none() || policy.rtp.cipher.is_gcm());
            let next = packet(5, 1);
            let begun = sender.begin_protect(&next, &mut wire, named).unwrap();
            assert_eq!(matches!(begun, Begun::Ready(_)), known, "{policy:?}");
            let len = match begun {
                Begun::Done(len) => len,
                Begun::Ready(sending) => {
                    let len = sending.protected_len();
                    protect_batch(&mut [sender.protect_job(sending).unwrap()]);
                    len
                }
            };
            let mut out = [0; 128];
            assert_eq!(receiver.begin_unprotect(&wire[..len], &mut out, named.is_some()).is_some(), known);
            assert_eq!(receiver.unprotect_rtp(&wire[..len], &mut out, named.is_some()), Ok(next.len()));
            assert_eq!(out[..next.len()], next);
        }
    }
}

on_every_backend! {
    fn packets_under_way_at_a_change_of_keys_come_through(backend) {
        for profile in PROFILES {
            let policy = |seed| Policy::new(profile, MasterKey::new(&[seed; 32], &[2; 14]).unwrap());
            let (old, new) = (policy(1), policy(3));
            let (mut sender, mut receiver) = (session(backend, &old), session(backend, &old));
            let send = |sender: &mut Session, seq| {
                let mut wire = vec![0; 128];
                let len = sender.protect_rtp(&packet(5, seq), &mut wire, None).unwrap();
                wire.truncate(len);
                Job { session: 0, packet: wire, room: 128, named: None }
            };
            let first = send(&mut sender, 0);
            receiver.unprotect_rtp(&first.packet, &mut [0; 128], false).unwrap();
            let mut jobs: Vec<_> = (1..10).map(|seq| send(&mut sender, seq)).collect();
            sender.update(Scope::Any, new.clone(), false).unwrap();
            receiver.update(Scope::Any, new, true).unwrap();
            jobs.extend((10..20).map(|seq| send(&mut sender, seq)));
            let mut bad = send(&mut sender, 20);
            *bad.packet.last_mut().unwrap() ^= 1;
            jobs.insert(4, bad);
            for (at, outcome) in unprotect_together(&mut [receiver], &jobs).iter().enumerate() {
                assert_eq!(outcome.bytes(true).err(), (at == 4).then_some(SrtpError::Tag), "{at}");
            }
        }
    }
}

on_every_backend! {
    fn steps_that_do_not_belong_together_are_refused(backend) {
        let policy = |seed| Policy::new(Profile::AeadAes128Gcm, MasterKey::new(&[seed; 32], &[2; 14]).unwrap());
        let (mut sender, mut receiver) = (session(backend, &policy(1)), session(backend, &policy(1)));
        let wires: Vec<_> = (0..3)
            .map(|seq| {
                let mut wire = [0; 78];
                sender.protect_rtp(&packet(5, seq), &mut wire, None).unwrap();
                wire
            })
            .collect();
        let mut outs = [[UNTOUCHED; 78]; 3];
        receiver.unprotect_rtp(&wires[0], &mut outs[0], false).unwrap();
        let [_, one, other] = &mut outs;
        let (mut first, job) = receiver.begin_unprotect(&wires[1], one, false).unwrap();
        let (mut second, other_job) = receiver.begin_unprotect(&wires[2], other, false).unwrap();
        // A job that never ran says nothing, and neither does one of another packet.
        first.learn(&other_job);
        let mut jobs = [job];
        unprotect_batch(&mut jobs);
        second.learn(&jobs[0]);
        assert_eq!(receiver.end_unprotect(&second, &wires[2], other, false), Err(SrtpError::Tag));
        assert_eq!(receiver.end_unprotect(&first, &wires[1], one, false), Err(SrtpError::Tag));
        assert_eq!(receiver.unprotect_rtp(&wires[1], one, false), Ok(62));

        // A stream that is gone, or has other keys, does not protect with what it had.
        let (next, mut out) = (packet(5, 7), [0; 128]);
        let Ok(Begun::Ready(sending)) = sender.begin_protect(&next, &mut out, None) else { panic!() };
        sender.update(Scope::Any, policy(3), true).unwrap();
        assert!(matches!(sender.protect_job(sending), Err(SrtpError::WrongSession)));
        let next = packet(5, 8);
        let Ok(Begun::Ready(sending)) = sender.begin_protect(&next, &mut out, None) else { panic!() };
        sender.remove(5).unwrap();
        assert!(matches!(sender.protect_job(sending), Err(SrtpError::WrongSession)));
    }
}
