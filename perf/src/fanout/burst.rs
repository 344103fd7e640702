//! What a shard must survive: thirty publishers whose key frames of a hundred packets arrive at once.

use std::io;

use kaname_io::{KernelUdp, PacketIo as _, UdpConfig};

use super::net::{Kind, Net};
use super::node::{Node, Setting};
use crate::case::SUITES;
use crate::room::Shape;

const PUBLISHERS: usize = 30;
const KEY_FRAME: usize = 100;
/// Everybody's copies; the copies of a call of thirty would be half as many again.
const SUBSCRIBERS: usize = 20;

/// What became of the burst.
#[derive(Clone, Copy, Debug)]
pub struct Burst {
    /// Packets that arrived at once.
    pub packets: u64,
    /// Copies that were to leave.
    pub copies: u64,
    /// Copies that did not reach the sink.
    pub lost: u64,
    /// Packets that the kernel dropped ahead of the node.
    pub kernel_drops: u64,
}

/// All key frames wait in the socket before the shard looks; its copies are counted at the sink.
///
/// # Errors
/// Those of the system.
pub fn run(net: &Net) -> io::Result<Burst> {
    let shape = Shape::even(1200, KEY_FRAME, SUBSCRIBERS);
    let (link, sink) = (net.link(Kind::Offload)?, net.sink());
    let config = UdpConfig { bind: vec![link.node()], tcp: false, ..UdpConfig::default() };
    let io = KernelUdp::new(&config).map_err(io::Error::other)?;
    let setting = Setting { io: io.name(), suite: SUITES[1], shape, link: link.kind };
    let mut node = Node::new(io, (net, &link), setting, PUBLISHERS, 0)?;
    let before = sink.count()?;
    let spent = node.frame()?;
    let arrived = sink.wait_for(before.packets + spent.sent)? - before.packets;
    Ok(Burst {
        packets: (PUBLISHERS * KEY_FRAME) as u64,
        copies: (PUBLISHERS * shape.copies()) as u64,
        lost: spent.missing + spent.sent.saturating_sub(arrived),
        kernel_drops: node.io().counters().kernel_drops,
    })
}
