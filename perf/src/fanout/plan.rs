//! Which cells there are, and who competes in each.

use std::io;

use kaname_io::{KernelUdp, UdpConfig};
use kaname_srtp::Profile;

use super::net::{Link, Net};
use super::node::{Node, Pair, Setting};
use super::raw::{Receive, Receiving, Send, Sending};
use super::tap::Tap;
use super::turns::{Contestant, Name};
use crate::case::SUITES;
use crate::room::{Shape, Sizes};

/// Authentication without encryption: the least that a leg can have.
const NULL: (Profile, &str) = (Profile::NullSha1_80, "NULL_HMAC_SHA1_80");

/// Where goals compare one shard with two, and links that segment with links that do not.
const MIDDLE: usize = 500;

/// Which cells are wanted.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Only the shapes and suites that goals need.
    pub quick: bool,
    /// Only cells whose label has all of these in it.
    pub filters: Vec<String>,
}

impl Wanted {
    fn takes(&self, name: &Name, shape: &Shape) -> bool {
        let label = label(name, shape);
        self.filters.iter().all(|filter| label.contains(filter.as_str()))
    }
}

/// A cell in one word, such as `node/gso/AEAD_AES_128_GCM/1200x7/even/to500/shards1/offload`.
pub fn label(name: &Name, shape: &Shape) -> String {
    let Name { path, io, suite, shards, offload } = name;
    let Shape { payload, frame, sizes, destinations } = shape;
    let device = if *offload { "offload" } else { "software" };
    format!("{path}/{io}/{suite}/{payload}x{frame}/{}/to{destinations}/shards{shards}/{device}", sizes.name())
}

/// Shapes that are sent, those together that differ in the number of destinations alone.
pub fn families(quick: bool) -> Vec<Vec<Shape>> {
    let destinations: &[usize] = if quick { &[100, MIDDLE, 1000] } else { &[50, 100, MIDDLE, 1000] };
    let real = Shape { sizes: Sizes::LibWebRtc, ..Shape::even(1200, 7, 0) };
    let mut families = vec![Shape::even(172, 1, 0), Shape::even(1200, 7, 0), real];
    if !quick {
        families.extend([Shape::even(172, 7, 0), Shape::even(1200, 1, 0)]);
    }
    let with = |shape: Shape| {
        // Where sizes are real, the goals ask for one room.
        let some = if quick && shape == real { &[MIDDLE] } else { destinations };
        some.iter().map(|to| Shape { destinations: *to, ..shape }).collect()
    };
    families.into_iter().map(with).collect()
}

/// Shapes that are received.
pub fn received(quick: bool) -> Vec<Shape> {
    let shapes = [(1200, 7), (172, 7), (1200, 36), (172, 36), (1200, 1), (172, 1)];
    let count = if quick { 1 } else { shapes.len() };
    shapes[..count].iter().map(|(payload, frame)| Shape::even(*payload, *frame, 1)).collect()
}

/// Who receives.
///
/// # Errors
/// Those of the system.
pub fn receivers(net: &Net, shape: &Shape, wanted: &Wanted) -> io::Result<Vec<Box<dyn Contestant>>> {
    let mut all: Vec<Box<dyn Contestant>> = Vec::new();
    for receiving in Receiving::ALL {
        all.push(Box::new(Receive::new(receiving, net, shape)?));
    }
    all.retain(|it| wanted.takes(&it.name(), shape));
    Ok(all)
}

/// The node's packet io.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Io {
    Kernel(kaname_io::Sending),
}

impl Io {
    const ALL: [Io; 3] = [
        Io::Kernel(kaname_io::Sending::OneByOne),
        Io::Kernel(kaname_io::Sending::Batches),
        Io::Kernel(kaname_io::Sending::Segments),
    ];

    fn name(self) -> &'static str {
        match self {
            Io::Kernel(kaname_io::Sending::OneByOne) => "sendto",
            Io::Kernel(kaname_io::Sending::Batches) => "sendmmsg",
            Io::Kernel(kaname_io::Sending::Segments) => "gso",
        }
    }
}

/// Who sends: the kernel alone in all ways, and the node with every packet io and suite. Each node has proved that its
/// subscribers can read what it sends.
///
/// # Errors
/// Those of the system; what a subscriber found wrong.
pub fn senders(net: &Net, shape: &Shape, wanted: &Wanted) -> io::Result<Vec<Box<dyn Contestant>>> {
    let mut all: Vec<Box<dyn Contestant>> = Vec::new();
    let links = if shape.frame > 1 && shape.destinations == MIDDLE {
        &[Link::Offload, Link::Software][..]
    } else {
        &[Link::Offload]
    };
    for link in links {
        let ways = [Sending::OneByOne, Sending::Batches, Sending::Segments];
        for sending in ways.into_iter().filter(|way| *link == Link::Offload || *way == Sending::Segments) {
            let send = Send::new(sending, *link, shape)?;
            if wanted.takes(&send.name(), shape) {
                all.push(Box::new(send));
            }
        }
    }
    let [cm, gcm, gcm_256] = SUITES;
    let suites = if wanted.quick { vec![gcm, cm] } else { vec![NULL, cm, gcm, gcm_256] };
    for io in Io::ALL {
        for suite in &suites {
            for shards in if shape.destinations == MIDDLE { &[1, 2][..] } else { &[1] } {
                for link in links.iter().filter(|link| **link == Link::Offload || io.name() == "gso") {
                    let setting = Setting { io: io.name(), suite: *suite, shape: *shape, link: *link };
                    if wanted.takes(&setting.named(*shards), shape) {
                        all.push(node(net, io, setting, *shards)?);
                    }
                }
            }
        }
    }
    Ok(all)
}

fn node(net: &Net, io: Io, setting: Setting, shards: usize) -> io::Result<Box<dyn Contestant>> {
    let mut tap = Tap::new(net, setting.link)?;
    let mut open = |first: usize| {
        let Io::Kernel(send) = io;
        let config = UdpConfig { bind: vec![setting.link.node()], tcp: false, send, ..UdpConfig::default() };
        let io = KernelUdp::new(&config).map_err(io::Error::other)?;
        let mut node = Node::new(io, net, setting, 1, first)?;
        node.check(&mut tap)?;
        Ok::<_, io::Error>(node)
    };
    let one = open(0)?;
    if shards == 1 {
        return Ok(Box::new(one));
    }
    Ok(Box::new(Pair([one, open(setting.shape.destinations)?])))
}
