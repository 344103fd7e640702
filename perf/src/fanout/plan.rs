//! Which cells there are, and who competes in each.

use std::io;

use kaname_io::xdp::{AfXdp, XdpConfig, XdpMode};
use kaname_io::{KernelUdp, UdpConfig};
use kaname_srtp::Profile;

use super::net::{Kind, Link, Net};
use super::node::{Node, Setting};
use super::raw::{self, Receive, Receiving, Sending};
use super::turns::{Contestant, Linked, Name, Pair};
use crate::case::SUITES;
use crate::room::{Shape, Sizes};

/// Authentication without encryption: the least that a leg can have.
const NULL: (Profile, &str) = (Profile::NullSha1_80, "NULL_HMAC_SHA1_80");

const AF_XDP: &str = "af_xdp";

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

/// The links that all share; AF_XDP needs one each.
pub struct Field<'a> {
    net: &'a Net,
    offload: Link,
    software: Link,
}

impl Field<'_> {
    /// Makes them.
    ///
    /// # Errors
    /// Those of the system.
    pub fn new(net: &Net) -> io::Result<Field<'_>> {
        Ok(Field { net, offload: net.link(Kind::Offload)?, software: net.link(Kind::Software)? })
    }
}

type All = Vec<Box<dyn Contestant>>;

/// Who receives.
///
/// # Errors
/// Those of the system.
pub fn receivers(field: &Field<'_>, shape: &Shape, wanted: &Wanted) -> io::Result<All> {
    let mut all = All::new();
    for receiving in Receiving::ALL {
        all.push(Box::new(Receive::new(receiving, field.net, &field.offload, shape)?));
    }
    all.retain(|it| wanted.takes(&it.name(), shape));
    Ok(all)
}

/// Who sends: the kernel alone in all ways, and the node with every packet io and suite. Each node has proved that its
/// subscribers can read what it sends.
///
/// # Errors
/// Those of the system; what a subscriber found wrong.
pub fn senders(field: &Field<'_>, shape: &Shape, wanted: &Wanted) -> io::Result<All> {
    let mut all = All::new();
    for sending in [Sending::OneByOne, Sending::Batches, Sending::Segments] {
        let links = [&field.offload, &field.software];
        for link in links.into_iter().filter(|link| link.kind == Kind::Offload || cuts(sending, shape)) {
            let raw = raw::Send::new(sending, link, shape)?;
            if wanted.takes(&raw.name(), shape) {
                all.push(Box::new(raw));
            }
            for (setting, shards) in settings(sending.name(), link.kind, shape, wanted) {
                let open = |first| Node::proved(kernel(link, sending)?, (field.net, link), setting, first);
                all.push(alone_or_paired(open, shape, shards)?);
            }
        }
    }
    let raw = Name { path: "raw", io: AF_XDP, suite: "none", shards: 1, offload: true };
    if wanted.takes(&raw, shape) {
        let link = field.net.link(Kind::Xdp)?;
        let io = af_xdp(&link)?;
        all.push(Box::new(Linked(raw::Unprotected::new(io, raw, &link, shape), link)));
    }
    for (setting, shards) in settings(AF_XDP, Kind::Xdp, shape, wanted) {
        let open = |first| {
            let link = field.net.link(Kind::Xdp)?;
            let node = Node::proved(af_xdp(&link)?, (field.net, &link), setting, first)?;
            Ok(Linked(node, link))
        };
        all.push(alone_or_paired(open, shape, shards)?);
    }
    Ok(all)
}

/// Whether it matters who cuts runs into segments, and whether the goals' room is meant.
fn cuts(sending: Sending, shape: &Shape) -> bool {
    sending == Sending::Segments && shape.frame > 1 && shape.destinations == MIDDLE
}

/// The node with every suite, and on how many shards.
fn settings(io: &'static str, link: Kind, shape: &Shape, wanted: &Wanted) -> Vec<(Setting, usize)> {
    let [cm, gcm, gcm_256] = SUITES;
    let suites = if wanted.quick { vec![gcm, cm] } else { vec![NULL, cm, gcm, gcm_256] };
    let shards = if shape.destinations == MIDDLE { 1..=2 } else { 1..=1 };
    let settings = suites.into_iter().map(|suite| Setting { io, suite, shape: *shape, link });
    let all = settings.flat_map(|setting| shards.clone().map(move |shards| (setting, shards)));
    all.filter(|(setting, shards)| wanted.takes(&setting.named(*shards), shape)).collect()
}

fn kernel(link: &Link, sending: Sending) -> io::Result<KernelUdp> {
    let send = match sending {
        Sending::OneByOne => kaname_io::Sending::OneByOne,
        Sending::Batches => kaname_io::Sending::Batches,
        Sending::Segments => kaname_io::Sending::Segments,
    };
    KernelUdp::new(&UdpConfig { send, ..udp(link) }).map_err(io::Error::other)
}

fn af_xdp(link: &Link) -> io::Result<AfXdp> {
    let config = XdpConfig { interface: link.interface(), mode: XdpMode::Auto, udp: udp(link) };
    AfXdp::open(&config).map_err(io::Error::other)
}

fn udp(link: &Link) -> UdpConfig {
    UdpConfig { bind: vec![link.node()], tcp: false, ..UdpConfig::default() }
}

/// One shard, or two that share nothing, the second with destinations of its own.
fn alone_or_paired<C: Contestant + Send + 'static>(
    open: impl Fn(usize) -> io::Result<C>,
    shape: &Shape,
    shards: usize,
) -> io::Result<Box<dyn Contestant>> {
    let one = open(0)?;
    if shards == 1 {
        return Ok(Box::new(one));
    }
    Ok(Box::new(Pair([one, open(shape.destinations)?])))
}
