//! Sending through a packet io, with nothing to encrypt: what AF_XDP itself takes.

use std::io;

use kaname_io::{PacketIo, Slots as _, thread_cpu_time};
use kaname_wire::path::Path;

use crate::fanout::net::Link;
use crate::fanout::turns::{Contestant, Name, Spent};
use crate::room::Shape;

/// A packet io, and slots that are taken and left as they are.
pub struct Unprotected<I> {
    io: I,
    name: Name,
    shape: Shape,
    destinations: Vec<Path>,
}

impl<I: PacketIo> Unprotected<I> {
    /// Nothing is sent yet.
    pub fn new(io: I, name: Name, link: &Link, shape: &Shape) -> Unprotected<I> {
        let destinations = link.destinations(shape.destinations).into_iter().map(|to| Path::udp(0, to));
        Unprotected { io, name, shape: *shape, destinations: destinations.collect() }
    }

    /// Frames until every destination's route is known: routes are asked for a few at a time. Gives how many.
    fn warm_up(&mut self) -> io::Result<u64> {
        for done in 1..=self.shape.destinations as u64 {
            let by_kernel = self.io.counters().xdp_by_kernel;
            self.frame()?;
            if self.io.counters().xdp_by_kernel == by_kernel {
                return Ok(done);
            }
        }
        Ok(self.shape.destinations as u64)
    }

    fn frame(&mut self) -> io::Result<()> {
        for to in &self.destinations {
            for place in 0..self.shape.frame {
                let len = self.shape.len(place);
                if self.io.tx().take(to, len).is_none() {
                    self.io.flush()?;
                    self.io.tx().take(to, len).ok_or_else(|| io::Error::other("no slot after a flush"))?;
                }
            }
        }
        self.io.flush()?;
        self.io.wait(Some(std::time::Duration::ZERO)).map(drop)
    }
}

impl<I: PacketIo> Contestant for Unprotected<I> {
    fn name(&self) -> Name {
        self.name
    }

    fn shape(&self) -> Shape {
        self.shape
    }

    fn turn(&mut self, frames: usize) -> io::Result<Spent> {
        let ahead = self.warm_up()?;
        let by_kernel = self.io.counters().xdp_by_kernel;
        let start = thread_cpu_time();
        for _ in 0..frames {
            self.frame()?;
        }
        let cpu = thread_cpu_time() - start;
        let copies = self.shape.copies() as u64;
        let packets = frames as u64 * copies;
        let detoured = self.io.counters().xdp_by_kernel - by_kernel;
        Ok(Spent { cpu, packets, sent: packets + ahead * copies, detoured, ..Spent::default() })
    }
}
