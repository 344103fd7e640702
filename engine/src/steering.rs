//! Datagrams on the port that all shards share: which shard's they are, and how they get there.
//!
//! A shard first asks its own core. What that does not know is handed over: a connectivity check to the shard that its
//! user name names, everything else to the shard that told us of the address. Only a shard that validated an address
//! tells of it, so a forged check steers nothing but itself.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;

use foldhash::quality::FixedState;
use kaname_core::Datagram;
use kaname_io::{FIRST_PORT, PacketIo, steer};
use kaname_wire::path::{Carrier, Path};

use crate::limits::KNOWN_ADDRESSES;
use crate::mesh::Mesh;

/// How datagrams are to find their shard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SteeringChoice {
    /// In the kernel where that is allowed, else by hand-over.
    #[default]
    Auto,
    /// In the kernel, or the engine does not start.
    Ebpf,
    /// By the kernel's hash, and hand-over between the shards: needs no privilege.
    HandOver,
}

/// How datagrams find their shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SteeringMode {
    /// There is one shard.
    Single,
    /// An eBPF program chooses.
    Ebpf,
    /// The kernel's hash chooses, and shards hand over what is not their own. With the reason where another way was
    /// tried.
    HandOver(Option<String>),
}

impl fmt::Display for SteeringMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SteeringMode::Single => "single",
            SteeringMode::Ebpf => "ebpf",
            SteeringMode::HandOver(_) => "hand-over",
        })
    }
}

/// The kernel's table, where it steers.
#[cfg(target_os = "linux")]
pub(crate) type Kernel = steer::Steering;
/// No other kernel steers.
#[cfg(not(target_os = "linux"))]
pub(crate) type Kernel = std::convert::Infallible;

/// What steering counts, of one shard.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SteeringFigures {
    /// Addresses told to the kernel, and those it did not take.
    pub(crate) learned: u64,
    pub(crate) learn_failed: u64,
    /// Datagrams taken from other shards.
    pub(crate) taken: u64,
}

/// One shard's part.
pub(crate) struct Steer {
    me: usize,
    mesh: Arc<Mesh>,
    kernel: Option<Arc<Kernel>>,
    /// Whose an address is that another shard validated, and the addresses in the order of learning.
    known: HashMap<Path, usize, FixedState>,
    order: VecDeque<Path>,
    /// TCP connections to be handed over, each with the frame that named its shard.
    leaving: Vec<(u32, usize, Box<[u8]>)>,
    /// Shards that got something, by bit.
    touched: u64,
    pub(crate) figures: SteeringFigures,
}

impl Steer {
    /// The seed is secret: whoever knows it could make addresses collide.
    pub(crate) fn new(me: usize, mesh: Arc<Mesh>, kernel: Option<Arc<Kernel>>, seed: u64) -> Steer {
        Steer {
            me,
            mesh,
            kernel,
            known: HashMap::with_hasher(FixedState::with_seed(seed)),
            order: VecDeque::new(),
            leaving: Vec::new(),
            touched: 0,
            figures: SteeringFigures::default(),
        }
    }

    /// A leg of this shard validated the path: the kernel shall know.
    pub(crate) fn validated(&mut self, path: &Path) {
        #[cfg(target_os = "linux")]
        if let Some(kernel) = self.kernel.as_ref().filter(|_| path.local < FIRST_PORT) {
            match kernel.learn(path, self.me) {
                Ok(()) => self.figures.learned += 1,
                Err(_) => self.figures.learn_failed += 1,
            }
        }
        #[cfg(not(target_os = "linux"))]
        let _ = path;
    }

    /// Hands a datagram over that is no leg's here; false: it is nobody's.
    pub(crate) fn stray(&mut self, datagram: &Datagram<'_>) -> bool {
        // What comes to a port of a single leg is for no other shard.
        if self.mesh.shards() < 2 || datagram.path.local >= FIRST_PORT {
            return false;
        }
        let named = steer::named_by_check(datagram.bytes);
        let owner = named.or_else(|| self.owner(&datagram.path));
        let Some(owner) = owner.filter(|owner| *owner != self.me) else { return false };
        let Some(inbox) = self.mesh.inbox(owner) else { return false };
        if let Carrier::Tcp(number) = datagram.path.carrier {
            // A connection moves with its first frame, which is a check.
            if !self.leaving.iter().any(|(leaving, ..)| *leaving == number) {
                self.leaving.push((number, owner, datagram.bytes.into()));
            }
            return true;
        }
        self.touched |= 1 << owner;
        inbox.put_stray(self.me, datagram.path, datagram.bytes, named.is_none())
    }

    fn owner(&mut self, path: &Path) -> Option<usize> {
        if let Some(owner) = self.known.get(path) {
            return Some(*owner);
        }
        // Whoever validated it told us before answering, so it is there before the peer can send more.
        self.learn();
        self.known.get(path).copied()
    }

    /// Takes note of addresses that other shards validated.
    pub(crate) fn learn(&mut self) {
        let mesh = self.mesh.clone();
        let Some(inbox) = mesh.inbox(self.me) else { return };
        while let Some((path, owner)) = inbox.learned.pop() {
            if self.known.insert(path, owner).is_none() {
                self.order.push_back(path);
            }
            if self.order.len() > KNOWN_ADDRESSES
                && let Some(oldest) = self.order.pop_front()
            {
                self.known.remove(&oldest);
            }
        }
    }

    /// Tells the shard that received a check for us whose the address is. Lossy: the next check tells again.
    pub(crate) fn tell(&mut self, receiver: usize, path: Path) {
        self.validated(&path);
        if let Some(inbox) = self.mesh.inbox(receiver) {
            let _ = inbox.learned.push((path, self.me));
        }
    }

    /// Moves the connections that turned out to be others', and wakes who got something.
    pub(crate) fn settle<I: PacketIo>(&mut self, io: &mut I) {
        for (number, owner, frame) in self.leaving.drain(..) {
            let Some(inbox) = self.mesh.inbox(owner) else { continue };
            if let Some(handed) = io.hand_over(number, &frame) {
                // One that finds no room is closed: the peer tries again.
                let _ = inbox.connections.push(handed);
                self.touched |= 1 << owner;
            }
        }
        while self.touched != 0 {
            let to = self.touched.trailing_zeros() as usize;
            self.touched &= self.touched - 1;
            if let Some(inbox) = self.mesh.inbox(to) {
                inbox.call();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(port: u16) -> Path {
        Path::udp(0, ([10, 0, 0, 1], port).into())
    }

    fn check(shard: usize) -> Vec<u8> {
        let name = [steer::letter(shard) as u8, b'x', b'y', b'z'];
        [&[0, 1, 0, 8, 0x21, 0x12, 0xa4, 0x42][..], &[7; 12], &[0, 6, 0, 4], &name].concat()
    }

    fn shard(me: usize, mesh: &Arc<Mesh>) -> Steer {
        Steer::new(me, mesh.clone(), None, 1)
    }

    #[test]
    fn a_check_goes_where_its_name_says_and_media_where_the_address_was_validated() {
        let mesh = Arc::new(Mesh::new(3));
        let (mut here, mut there) = (shard(0, &mesh), shard(2, &mesh));
        let (media, other) = (vec![0x80; 40], check(1));
        let stray = |steer: &mut Steer, bytes: &[u8]| steer.stray(&Datagram::new(path(5), bytes));
        assert!(!stray(&mut here, &media), "nobody's");
        assert!(!stray(&mut here, &check(0)), "ours, but no leg's");
        assert!(!stray(&mut here, &check(9)), "there is no such shard");
        assert!(stray(&mut here, &check(2)));
        assert!(!stray(&mut here, &media), "a check alone proves nothing");
        there.tell(0, path(5));
        assert!(stray(&mut here, &media));
        assert!(stray(&mut here, &other), "a check goes by its name all the same");
        let inbox = mesh.inbox(2).expect("there are three");
        assert_eq!(inbox.take_stray().map(|it| it.bytes().to_vec()), Some(check(2)));
        assert_eq!(inbox.take_stray().map(|it| it.bytes().to_vec()), Some(media));
        assert!(inbox.take_stray().is_none());
    }

    #[test]
    fn what_is_known_is_bounded_and_the_oldest_goes() {
        let mesh = Arc::new(Mesh::new(2));
        let (mut here, mut there) = (shard(0, &mesh), shard(1, &mesh));
        let many = |number: usize| {
            let [_, _, _, _, _, a, b, c] = number.to_be_bytes();
            Path::udp(0, ([10, a, b, c], 5).into())
        };
        for number in 0..=KNOWN_ADDRESSES {
            there.tell(0, many(number));
            here.learn();
        }
        assert_eq!((here.known.len(), here.order.len()), (KNOWN_ADDRESSES, KNOWN_ADDRESSES));
        assert!(here.owner(&many(0)).is_none() && here.owner(&many(1)).is_some());
        // The same again is not counted twice.
        there.tell(0, many(1));
        here.learn();
        assert_eq!(here.order.len(), KNOWN_ADDRESSES);
    }
}
