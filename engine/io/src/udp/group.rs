//! The sockets of one shard, or of several on one port: a socket for each shard and local address, in SO_REUSEPORT
//! groups.

#[cfg(target_os = "linux")]
use std::os::fd::{AsFd, BorrowedFd};

use crate::error::BindError;
use crate::socket::{self, Bound, Wishes};
use crate::{KernelUdp, UdpConfig, locals};

/// Binds every address of the configuration.
pub(super) fn bind(config: &UdpConfig) -> Result<Vec<Bound>, BindError> {
    let addresses = locals::expand(&config.bind)?;
    addresses.into_iter().map(|ip| socket::bind(ip, config.port, wishes(config))).collect()
}

fn wishes(config: &UdpConfig) -> Wishes {
    Wishes {
        tcp: config.tcp,
        receive_buffer: config.receive_buffer,
        send_buffer: config.send_buffer,
        joining: config.coalesce,
        ecn: config.ecn,
        arrival_time: config.arrival_time,
    }
}

/// Binds every address for every shard.
pub(crate) fn bind_group(config: &UdpConfig, shards: usize) -> Result<Vec<Vec<Bound>>, BindError> {
    let first = bind(config)?;
    let addresses: Vec<_> = first.iter().map(|bound| bound.address).collect();
    if shards > 1 {
        first.iter().try_for_each(socket::share)?;
    }
    let mut group = vec![first];
    for _ in 1..shards {
        let more = addresses.iter().map(|address| socket::join(*address, wishes(config)));
        group.push(more.collect::<Result<_, _>>()?);
    }
    Ok(group)
}

impl KernelUdp {
    /// Binds the same addresses and ports for `shards` shards, all or none. What each receives is the kernel's choice
    /// (a hash of the addresses) unless [`crate::steer::Steering`] makes it.
    pub fn group(config: &UdpConfig, shards: usize) -> Result<Vec<KernelUdp>, BindError> {
        let bound = bind_group(config, shards)?;
        bound.into_iter().map(|bound| KernelUdp::over(config, bound)).collect()
    }

    /// The UDP socket of a local address.
    #[cfg(target_os = "linux")]
    pub(crate) fn socket(&self, local: usize) -> Option<BorrowedFd<'_>> {
        self.sockets.get(local).map(|local| local.udp.as_fd())
    }
}
