//! Where shards and audio workers meet: an inbox each, which the others fill. Nothing here locks, and nothing is allocated for a packet:
//! parcels go round, out of the inbox's room and back into it.
//!
//! Media is lossy: when the room is empty, the packet is dropped and counted by whoever had it. Notes wait at their
//! origin until there is room.

use std::net::SocketAddr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};

use crossbeam_queue::ArrayQueue;
use kaname_core::{Links, Note, Parcel, Shard, Time};
use kaname_io::{Handed, MAX_RECEIVED, Waker};
use kaname_wire::path::Path;

use crate::limits::{CONNECTIONS, LEARNED, MAX_AUDIO_WORKERS, MAX_SHARDS, NOTES, PARCELS, STRAYS};

/// Of a shard at which nothing waits for a look.
const NOTHING_WAITS: u64 = u64::MAX;

/// The inboxes of all shards of an engine, and behind them those of its audio workers.
#[derive(Debug)]
pub struct Mesh {
    inboxes: Box<[Inbox]>,
    shards: usize,
}

impl Mesh {
    /// For so many shards, at most [`MAX_SHARDS`].
    pub fn new(shards: usize) -> Mesh {
        Mesh::with_audio(shards, 0)
    }

    /// With as many audio workers besides, at most [`MAX_AUDIO_WORKERS`].
    pub fn with_audio(shards: usize, workers: usize) -> Mesh {
        let shards = shards.min(MAX_SHARDS);
        let workers = workers.min(MAX_AUDIO_WORKERS);
        // One shard alone hands nothing over, and what the network brings is for shards only.
        let inbox = |place| Inbox::new(shards + workers > 1, shards > 1 && place < shards);
        Mesh { inboxes: (0..shards + workers).map(inbox).collect(), shards }
    }

    /// Makes the memory for packets that cross to this shard: once, ahead of the first. Until then all are dropped.
    pub fn furnish(&self, to: usize) {
        let Some(inbox) = self.inboxes.get(to) else { return };
        if !inbox.furnished.swap(true, Ordering::AcqRel) {
            for _ in 0..inbox.room.capacity() {
                // There is room for as many as are made.
                let _ = inbox.room.push(Parcel::new());
            }
        }
    }

    /// What a shard's core hands over through. Dropping it wakes those who got something.
    pub fn links(&self) -> MeshLinks<'_> {
        MeshLinks { mesh: self, touched: 0 }
    }

    /// Gives a shard's core what others sent it, at most `max` packets; says whether there was anything. Drain after.
    pub fn deliver(&self, to: usize, shard: &mut Shard, now: Time, max: usize) -> bool {
        let Some(inbox) = self.inboxes.get(to) else { return false };
        let mut any = false;
        for _ in 0..max {
            let Some(mut parcel) = inbox.parcels.pop() else { break };
            shard.ingest_remote(&mut parcel);
            // It came out of this room.
            let _ = inbox.room.push(parcel);
            any = true;
        }
        for _ in 0..max {
            let Some(note) = inbox.notes.pop() else { break };
            shard.heed(now, note);
            any = true;
        }
        any
    }

    pub(crate) fn inbox(&self, shard: usize) -> Option<&Inbox> {
        self.inboxes.get(shard)
    }

    /// Until when shards have handed over all that came for audio workers: of the shard that is furthest behind; `None`: nothing
    /// waits at any for a look.
    pub(crate) fn looked(&self) -> Option<Time> {
        // Behind this, what they handed over until then is seen.
        let looked = self.inboxes[..self.shards].iter().map(|inbox| inbox.looked.load(Ordering::Acquire));
        looked.min().filter(|at| *at != NOTHING_WAITS).map(Time::from_nanos)
    }

    /// Wakes the shards that are behind it with their looks, if they sleep.
    pub(crate) fn call_to_look(&self, enough: Time) {
        for inbox in &self.inboxes[..self.shards] {
            if inbox.looked.load(Ordering::Relaxed) < enough.as_nanos() {
                inbox.call();
            }
        }
    }

    pub(crate) fn shards(&self) -> usize {
        self.shards
    }

    /// Whether there is anybody to hand anything over to.
    pub(crate) fn is_shared(&self) -> bool {
        self.inboxes.len() > 1
    }
}

/// A core's way to all other shards.
#[derive(Debug)]
pub struct MeshLinks<'m> {
    mesh: &'m Mesh,
    /// Who got something, by bit.
    touched: u128,
}

const _: () = assert!(MAX_SHARDS + MAX_AUDIO_WORKERS <= u128::BITS as usize, "each has its bit");

impl Links for MeshLinks<'_> {
    fn room(&mut self, to: usize) -> Option<Parcel> {
        self.mesh.inbox(to)?.room.pop()
    }

    fn send(&mut self, to: usize, parcel: Parcel) {
        if let Some(inbox) = self.mesh.inbox(to) {
            // As many find room as there are.
            let _ = inbox.parcels.push(parcel);
            self.touched |= 1 << to;
        }
    }

    fn note(&mut self, to: usize, note: Note) -> bool {
        // Nobody reads what is sent to a shard that is not there, or no longer.
        let Some(inbox) = self.mesh.inbox(to).filter(|inbox| !inbox.is_down()) else { return true };
        self.touched |= 1 << to;
        inbox.notes.push(note).is_ok()
    }
}

impl Drop for MeshLinks<'_> {
    fn drop(&mut self) {
        while self.touched != 0 {
            let to = self.touched.trailing_zeros() as usize;
            self.touched &= self.touched - 1;
            if let Some(inbox) = self.mesh.inbox(to) {
                inbox.call();
            }
        }
    }
}

/// A datagram that another shard received: the kernel chose wrongly.
pub(crate) struct Stray {
    pub(crate) path: Path,
    /// Who received it.
    pub(crate) from: usize,
    len: usize,
    bytes: Box<[u8; MAX_RECEIVED]>,
}

impl Stray {
    fn new() -> Stray {
        let nobody = SocketAddr::from(([0, 0, 0, 0], 0));
        Stray { path: Path::udp(0, nobody), from: 0, len: 0, bytes: Box::new([0; MAX_RECEIVED]) }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// What waits for one shard.
pub(crate) struct Inbox {
    parcels: ArrayQueue<Parcel>,
    /// Empty parcels.
    room: ArrayQueue<Parcel>,
    furnished: AtomicBool,
    notes: ArrayQueue<Note>,
    strays: ArrayQueue<Stray>,
    stray_room: ArrayQueue<Stray>,
    /// Addresses that other shards' legs validated; we receive what comes from there.
    pub(crate) learned: ArrayQueue<(Path, usize)>,
    pub(crate) connections: ArrayQueue<Handed>,
    /// When its shard last looked at what waits for audio workers' turns, in nanoseconds of the engine's time.
    looked: AtomicU64,
    /// Datagrams for this shard that found no room.
    pub(crate) strays_dropped: AtomicU64,
    waker: OnceLock<Waker>,
    asleep: AtomicBool,
    down: AtomicBool,
}

impl Inbox {
    fn new(media: bool, network: bool) -> Inbox {
        // A queue has room for one at least; where nobody hands over, nobody uses it.
        let of = |used: bool, capacity: usize| if used { capacity } else { 1 };
        let stray_room = ArrayQueue::new(of(network, STRAYS));
        while network && stray_room.push(Stray::new()).is_ok() {}
        Inbox {
            parcels: ArrayQueue::new(of(media, PARCELS)),
            room: ArrayQueue::new(of(media, PARCELS)),
            furnished: AtomicBool::new(false),
            notes: ArrayQueue::new(of(media, NOTES)),
            strays: ArrayQueue::new(of(network, STRAYS)),
            stray_room,
            learned: ArrayQueue::new(of(network, LEARNED)),
            connections: ArrayQueue::new(of(network, CONNECTIONS)),
            looked: AtomicU64::new(NOTHING_WAITS),
            strays_dropped: AtomicU64::new(0),
            waker: OnceLock::new(),
            asleep: AtomicBool::new(false),
            down: AtomicBool::new(false),
        }
    }

    /// How its shard is woken.
    pub(crate) fn attach(&self, waker: Waker) {
        // Set once, at the engine's start.
        let _ = self.waker.set(waker);
    }

    /// All that came to its shard's patient ports until then has been handed over; `None`: nothing waits there.
    pub(crate) fn tell_looked(&self, at: Option<Time>) {
        self.looked.store(at.map_or(NOTHING_WAITS, Time::as_nanos), Ordering::Release);
    }

    /// Its shard will never look again.
    pub(crate) fn close(&self) {
        self.tell_looked(None);
        self.down.store(true, Ordering::Release);
    }

    fn is_down(&self) -> bool {
        self.down.load(Ordering::Acquire)
    }

    /// The next packet; give it back to [`Inbox::return_parcel`].
    pub(crate) fn take_parcel(&self) -> Option<Parcel> {
        self.parcels.pop()
    }

    pub(crate) fn return_parcel(&self, parcel: Parcel) {
        // It came out of this room.
        let _ = self.room.push(parcel);
    }

    pub(crate) fn take_note(&self) -> Option<Note> {
        self.notes.pop()
    }

    /// Takes a copy of a datagram in; false, and counted, when there is no room. Half of the room is for those from
    /// addresses that a leg has validated, so that a flood of forged checks does not displace them.
    pub(crate) fn put_stray(&self, from: usize, path: Path, bytes: &[u8], is_proven: bool) -> bool {
        let may_enter = !self.is_down()
            && bytes.len() <= MAX_RECEIVED
            && (is_proven || self.stray_room.len() > STRAYS / 2);
        let Some(mut stray) = may_enter.then(|| self.stray_room.pop()).flatten() else {
            self.strays_dropped.fetch_add(1, Ordering::Relaxed);
            return false;
        };
        stray.bytes[..bytes.len()].copy_from_slice(bytes);
        (stray.path, stray.from, stray.len) = (path, from, bytes.len());
        // As many find room as there are.
        let _ = self.strays.push(stray);
        true
    }

    pub(crate) fn take_stray(&self) -> Option<Stray> {
        self.strays.pop()
    }

    pub(crate) fn return_stray(&self, stray: Stray) {
        let _ = self.stray_room.push(stray);
    }

    /// Whether there is anything for its shard.
    pub(crate) fn has_mail(&self) -> bool {
        !(self.parcels.is_empty()
            && self.strays.is_empty()
            && self.notes.is_empty()
            && self.connections.is_empty()
            && self.learned.is_empty())
    }

    /// Its shard is about to sleep; false: it must not, something has come.
    pub(crate) fn lie_down(&self) -> bool {
        self.asleep.store(true, Ordering::SeqCst);
        // Either we see what was put in, or whoever put it in sees that we sleep.
        fence(Ordering::SeqCst);
        let may_sleep = !self.has_mail();
        if !may_sleep {
            self.get_up();
        }
        may_sleep
    }

    pub(crate) fn get_up(&self) {
        self.asleep.store(false, Ordering::SeqCst);
    }

    /// Wakes its shard if it sleeps: costs a system call only then.
    pub(crate) fn call(&self) {
        fence(Ordering::SeqCst);
        if self.asleep.load(Ordering::SeqCst)
            && self.asleep.swap(false, Ordering::SeqCst)
            && let Some(waker) = self.waker.get()
        {
            waker.wake();
        }
    }
}

impl std::fmt::Debug for Inbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inbox").field("parcels", &self.parcels.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path() -> Path {
        Path::udp(0, ([127, 0, 0, 1], 9).into())
    }

    #[test]
    fn strays_go_round_and_those_without_room_are_counted() {
        let mesh = Mesh::new(2);
        let inbox = mesh.inbox(1).expect("there are two");
        for round in 0..3_u8 {
            let taken = (0..=STRAYS).filter(|_| inbox.put_stray(0, path(), &[round; 40], true)).count();
            assert_eq!(taken, STRAYS);
            assert_eq!(inbox.strays_dropped.load(Ordering::Relaxed), u64::from(round) + 1);
            while let Some(stray) = inbox.take_stray() {
                assert_eq!((stray.path, stray.from, stray.bytes()), (path(), 0, &[round; 40][..]));
                inbox.return_stray(stray);
            }
        }
        assert!(!inbox.put_stray(0, path(), &[0; MAX_RECEIVED + 1], true), "longer than any datagram");
        let unproven = (0..STRAYS).filter(|_| inbox.put_stray(0, path(), &[0; 40], false)).count();
        assert_eq!(unproven, STRAYS / 2, "half is for those who proved themselves");
        inbox.close();
        assert!(!inbox.put_stray(0, path(), &[0; 40], true), "nobody would look");
    }

    #[test]
    fn the_shard_that_is_furthest_behind_says_how_far_looks_are() {
        let mesh = Mesh::with_audio(2, 1);
        let at = |ms: u64| Some(Time::from_nanos(ms * 1_000_000));
        let tell = |shard: usize, looked| mesh.inbox(shard).expect("there are two").tell_looked(looked);
        assert_eq!(mesh.looked(), None, "nobody has anything that waits");
        tell(1, at(7));
        assert_eq!(mesh.looked(), at(7));
        tell(0, at(5));
        assert_eq!(mesh.looked(), at(5));
        tell(0, None);
        assert_eq!(mesh.looked(), at(7));
        mesh.inbox(1).expect("there are two").close();
        assert_eq!(mesh.looked(), None, "one that is down looks at nothing");
    }

    #[test]
    fn room_for_packets_is_made_once() {
        let mesh = Mesh::new(2);
        let mut links = mesh.links();
        assert!(links.room(1).is_none(), "not furnished");
        mesh.furnish(1);
        mesh.furnish(1);
        let parcels: Vec<_> = std::iter::from_fn(|| links.room(1)).collect();
        assert_eq!(parcels.len(), PARCELS);
        assert!(links.room(2).is_none(), "no such shard");
    }

    #[test]
    fn whoever_lies_down_sees_the_mail_or_is_called() {
        let mesh = Mesh::new(2);
        let inbox = mesh.inbox(0).expect("there are two");
        assert!(inbox.lie_down());
        assert!(inbox.asleep.load(Ordering::SeqCst));
        inbox.put_stray(1, path(), &[1], true);
        inbox.call();
        assert!(!inbox.asleep.load(Ordering::SeqCst), "called");
        assert!(!inbox.lie_down(), "there is mail");
    }
}
