//! Open media ports: from the ranges, through the engine, and back.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use kaname_engine::{EngineBusy, PortError, ShardId};

use super::Interface;
use super::engine::CallEngine;
use super::error::CallError;
use super::outbox::Outbox;
use super::random::Random;
use super::range::Range;

/// Pairs that are tried when the system refuses some: others use ports of the range too.
const TRIES: usize = 16;

/// How often, and how long each time, a full queue is waited for: 2 ms at most, as long as a request may take.
const PATIENCE: usize = 10;
const MOMENT: Duration = Duration::from_micros(200);

/// A pair of open ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OwnPorts {
    /// Of which interface.
    interface: usize,
    /// What session descriptions say.
    pub(super) address: IpAddr,
    /// The even one, for RTP; RTCP has the next.
    pub(super) port: u16,
    /// As the engine names it.
    pub(super) rtp: u32,
    /// The same for RTCP.
    pub(super) rtcp: u32,
}

/// Where ports are opened.
pub(super) struct Shard<'a> {
    pub(super) engine: &'a Arc<dyn CallEngine>,
    pub(super) outbox: &'a mut Outbox,
    pub(super) id: ShardId,
}

/// All ports of calls.
#[derive(Debug)]
pub(super) struct PortBook {
    interfaces: Vec<(Interface, Range)>,
    /// Where the next port of a name is looked for, so that addresses of one name are taken in turn.
    turn: usize,
}

impl PortBook {
    pub(super) fn new(
        interfaces: &[Interface],
        ports: (u16, u16),
        rest: Duration,
        random: &mut Random,
    ) -> PortBook {
        let mut below = |bound: usize| random.number() as usize % bound.max(1);
        let range = |each: &Interface| (each.clone(), Range::new(each.local, ports, rest, &mut below));
        PortBook { interfaces: interfaces.iter().map(range).collect(), turn: 0 }
    }

    /// The first name: what counts where a request says none.
    pub(super) fn default_name(&self) -> &str {
        self.interfaces.first().map_or("", |(interface, _)| &interface.name)
    }

    /// Whether there is an interface of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.interfaces.iter().any(|(interface, _)| interface.name == name)
    }

    /// Opens a pair on an interface, of a family if one is wished for and to be had.
    pub(super) fn open(
        &mut self,
        now: Instant,
        shard: &mut Shard<'_>,
        name: &str,
        v4: Option<bool>,
        tos: u8,
    ) -> Result<OwnPorts, CallError> {
        let of_name = |each: &&usize| self.interfaces[**each].0.name == name;
        let all: Vec<usize> = (0..self.interfaces.len()).collect();
        let named: Vec<usize> = all.iter().filter(of_name).copied().collect();
        if named.is_empty() {
            return Err(CallError::UnknownInterface(name.chars().take(64).collect()));
        }
        let of_family = |each: &&usize| v4.is_none_or(|v4| self.interfaces[**each].0.local.is_ipv4() == v4);
        let fit: Vec<usize> = named.iter().filter(of_family).copied().collect();
        if fit.is_empty() {
            return Err(CallError::NoFamily(name.to_owned()));
        }
        self.turn = self.turn.wrapping_add(1);
        // Without a wish the first address's family counts, in turn with others of that family.
        let family = self.interfaces[fit[0]].0.local.is_ipv4();
        let among: Vec<usize> =
            fit.into_iter().filter(|each| self.interfaces[*each].0.local.is_ipv4() == family).collect();
        let mut fault = None;
        for step in 0..among.len() {
            let index = among[(self.turn + step) % among.len()];
            match self.open_on(now, shard, index, tos) {
                Ok(ports) => return Ok(ports),
                Err(error) => fault = Some(error),
            }
        }
        Err(fault.unwrap_or(CallError::NoFamily(name.to_owned())))
    }

    fn open_on(
        &mut self,
        now: Instant,
        shard: &mut Shard<'_>,
        index: usize,
        tos: u8,
    ) -> Result<OwnPorts, CallError> {
        let (interface, range) = &mut self.interfaces[index];
        let local = range.local();
        let mut fault = CallError::NoPorts(local);
        for _ in 0..TRIES {
            let Some(port) = range.take(now) else { return Err(fault) };
            match open_pair(shard, local, port) {
                Ok((rtp, rtcp)) => {
                    if tos > 0 {
                        shard.engine.set_port_tos(shard.id, rtp, tos);
                        shard.engine.set_port_tos(shard.id, rtcp, tos);
                    }
                    return Ok(OwnPorts { interface: index, address: interface.advertised, port, rtp, rtcp });
                }
                Err(error) => {
                    range.set_aside(port);
                    if matches!(error, PortError::Busy { why: EngineBusy::Full, .. }) {
                        return Err(CallError::LoadLimit("the packet threads are behind"));
                    }
                    fault = CallError::Port(error.to_string());
                    // Another number would not help.
                    if !matches!(error, PortError::Bind(_)) {
                        return Err(fault);
                    }
                }
            }
        }
        Err(fault)
    }

    /// Closes a pair, behind all that was told of it so far.
    pub(super) fn close(&mut self, now: Instant, outbox: &mut Outbox, shard: ShardId, ports: OwnPorts) {
        outbox.close(shard, ports.rtp);
        outbox.close(shard, ports.rtcp);
        if let Some((_, range)) = self.interfaces.get_mut(ports.interface) {
            range.give_back(now, ports.port);
        }
    }

    /// Ports that are open, and ports that rest.
    pub(super) fn counts(&self) -> (u64, u64) {
        let pairs = self.interfaces.iter().map(|(_, range)| range.counts());
        pairs.fold((0, 0), |(open, resting), (o, r)| (open + 2 * o as u64, resting + 2 * r as u64))
    }
}

fn open_pair(shard: &mut Shard<'_>, local: IpAddr, port: u16) -> Result<(u32, u32), PortError> {
    let rtp = open_port(shard.engine, shard.id, SocketAddr::new(local, port))?;
    match open_port(shard.engine, shard.id, SocketAddr::new(local, port.saturating_add(1))) {
        Ok(rtcp) => Ok((rtp, rtcp)),
        Err(error) => {
            shard.outbox.close(shard.id, rtp);
            Err(error)
        }
    }
}

/// Opens a port; where the shard's queue is full, waits a moment: it is emptied with each batch of packets.
fn open_port(engine: &Arc<dyn CallEngine>, shard: ShardId, address: SocketAddr) -> Result<u32, PortError> {
    for _ in 0..PATIENCE {
        match engine.open_port(shard, address) {
            Err(PortError::Busy { why: EngineBusy::Full, .. }) => std::thread::sleep(MOMENT),
            outcome => return outcome,
        }
    }
    engine.open_port(shard, address)
}
