//! The node's whole path: receive, unprotect, route, rewrite, protect, send, on the thread of one shard. The control
//! plane is left out; what a shard's thread does for a packet is all here.

mod feed;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use kaname_core::{Drained, TxSlots};
use kaname_io::{PacketIo, Slots, thread_cpu_time};
use kaname_srtp::{Backend, Profile};
use kaname_wire::path::Path;

pub use feed::Feed;

use super::net::{Kind, Link, Net};
use super::plan::label;
use super::tap::Tap;
use super::turns::{Contestant, Name, Spent};
use crate::allocations;
use crate::room::{Plan, Room, Shape, Subscriber};

/// What is measured, apart from the packet io.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The io's name in rows.
    pub io: &'static str,
    /// The suite, and its name.
    pub suite: (Profile, &'static str),
    /// What is sent.
    pub shape: Shape,
    /// Through what kind of link.
    pub link: Kind,
}

impl Setting {
    /// As it is called in rows.
    pub fn named(&self, shards: usize) -> Name {
        let Setting { io, suite: (_, suite), link, .. } = *self;
        Name { path: "node", io, suite, shards, offload: link != Kind::Software }
    }
}

/// One shard with its packet io, and publishers that feed it.
pub struct Node<I> {
    io: I,
    room: Room,
    feeds: Vec<Feed>,
    setting: Setting,
}

/// The core's view of the backend's slots.
struct CoreSlots<S>(S);

impl<'a, S: Slots<'a>> TxSlots<'a> for CoreSlots<S> {
    fn take(&mut self, to: &Path, len: usize) -> Option<&'a mut [u8]> {
        self.0.take(to, len)
    }
}

impl<I: PacketIo> Node<I> {
    /// Everybody has joined: so many publishers, and as subscribers the link's destinations from `first` on.
    ///
    /// # Errors
    /// Those of the system.
    pub fn new(
        io: I,
        (net, link): (&Net, &Link),
        setting: Setting,
        publishers: usize,
        first: usize,
    ) -> io::Result<Node<I>> {
        let local = *io.locals().first().ok_or_else(|| io::Error::other("no local address"))?;
        let feeds = (0..publishers).map(|_| Feed::new(net, link, local));
        let feeds: Vec<Feed> = feeds.collect::<io::Result<_>>()?;
        let paths = feeds.iter().map(|feed| Ok(Path::udp(0, feed.address()?)));
        let count = setting.shape.destinations;
        let subscribers: Vec<SocketAddr> = link.destinations(first + count).split_off(first);
        let room = Room::new(&Plan {
            profile: setting.suite.0,
            shape: setting.shape,
            publishers: &paths.collect::<io::Result<Vec<Path>>>()?,
            subscribers: &subscribers,
            backend: Backend::best(),
        });
        Ok(Node { io, room, feeds, setting })
    }

    /// The same with one publisher, after every subscriber has read what it got.
    ///
    /// # Errors
    /// Those of the system, and what a subscriber found wrong.
    pub fn proved(io: I, (net, link): (&Net, &Link), setting: Setting, first: usize) -> io::Result<Node<I>> {
        let mut tap = Tap::new(net, link)?;
        let mut node = Node::new(io, (net, link), setting, 1, first)?;
        node.check(&mut tap)?;
        drop(tap);
        Ok(node)
    }

    /// Two frames, read by every subscriber.
    fn check(&mut self, tap: &mut Tap) -> io::Result<()> {
        for frame in 0..2 {
            self.frame()?;
            let mut seen = tap.read()?;
            let payloads = self.room.publishers[0].payloads();
            for subscriber in &mut self.room.subscribers {
                let packets = seen.remove(&subscriber.address).unwrap_or_default();
                read(subscriber, &packets, payloads).map_err(|why| {
                    let who = label(&self.setting.named(1), &self.setting.shape);
                    io::Error::other(format!("{who}, frame {frame}: {} got {why}", subscriber.address))
                })?;
            }
        }
        Ok(())
    }

    /// Its packet io.
    pub fn io(&self) -> &I {
        &self.io
    }

    /// One frame of each publisher, from their sends to the last copy's; the shard's part of it is timed.
    ///
    /// # Errors
    /// Those of the system.
    pub fn frame(&mut self) -> io::Result<Spent> {
        self.room.next_frame();
        for (feed, publisher) in self.feeds.iter().zip(&self.room.publishers) {
            feed.send_runs(publisher)?;
        }
        let (before, allocated) = (self.figures(), allocations::count());
        let by_kernel = self.io.counters().xdp_by_kernel;
        let start = thread_cpu_time();
        self.shard_turn()?;
        let cpu = thread_cpu_time() - start;
        let by_kernel = self.io.counters().xdp_by_kernel - by_kernel;
        let (after, copies) = (self.figures(), (self.feeds.len() * self.setting.shape.copies()) as u64);
        let sent = after.sent - before.sent;
        Ok(Spent {
            cpu,
            packets: sent,
            sent,
            missing: copies.saturating_sub(after.forwarded - before.forwarded),
            allocations: allocations::count() - allocated,
            detoured: by_kernel,
        })
    }

    /// What a shard's thread does: `engine/src/shard.rs` without commands, workers and metrics.
    fn shard_turn(&mut self) -> io::Result<()> {
        let Node { io, room, setting, feeds } = self;
        let mut waiting = feeds.len() * setting.shape.frame;
        let mut patience = PATIENCE;
        while waiting > 0 && patience > 0 {
            let received = io.recv()?;
            if received.is_empty() {
                patience -= 1;
            } else {
                waiting = waiting.saturating_sub(room.ingest(received.iter()));
                drain(io, room)?;
                io.flush()?;
            }
            if room.tick() {
                drain(io, room)?;
            }
            io.flush()?;
            io.wait(Some(Duration::ZERO))?;
        }
        Ok(())
    }

    fn figures(&self) -> Figures {
        let counters = self.room.shard.counters();
        Figures { sent: counters.packets_out, forwarded: counters.forwarded }
    }
}

/// Looks for packets that never come, before they count as missing.
const PATIENCE: usize = 100_000;

struct Figures {
    sent: u64,
    forwarded: u64,
}

fn drain<I: PacketIo>(io: &mut I, room: &mut Room) -> io::Result<()> {
    while room.drain(&mut CoreSlots(io.tx())) == Drained::Full {
        io.flush()?;
    }
    Ok(())
}

/// Whether these are the frame's packets, in order, under the subscriber's keys.
fn read(subscriber: &mut Subscriber, packets: &[Vec<u8>], payloads: &[Vec<u8>]) -> Result<(), String> {
    // RFC 5761: reports of ours may stand among them.
    let media = packets.iter().filter(|packet| !packet.get(1).is_some_and(|kind| (192..=223).contains(kind)));
    let opened: Vec<Vec<u8>> = media.map(|packet| subscriber.open(packet)).collect::<Result<_, _>>()?;
    if opened == payloads { Ok(()) } else { Err(format!("{} of {} packets", opened.len(), payloads.len())) }
}

/// Frames ahead of the timed ones, so that each turn begins with warm caches: packets of them, at least.
const WARM_UP: usize = 300;

impl<I: PacketIo> Node<I> {
    fn frames(&mut self, frames: usize) -> io::Result<Spent> {
        let mut spent = Spent::default();
        let shape = self.setting.shape;
        let enough = WARM_UP.div_ceil(shape.copies());
        // AF_XDP asks for a few routes at a time, and forgets them when a link is added.
        for done in 1..=enough + shape.destinations {
            let Spent { sent, missing, detoured, .. } = self.frame()?;
            spent += Spent { sent, missing, ..Spent::default() };
            if done >= enough && detoured == 0 {
                break;
            }
        }
        for _ in 0..frames {
            spent += self.frame()?;
        }
        Ok(spent)
    }
}

impl<I: PacketIo> Contestant for Node<I> {
    fn name(&self) -> Name {
        self.setting.named(1)
    }

    fn shape(&self) -> Shape {
        self.setting.shape
    }

    fn turn(&mut self, frames: usize) -> io::Result<Spent> {
        self.frames(frames)
    }
}
