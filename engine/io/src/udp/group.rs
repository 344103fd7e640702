//! Several shards on one port: a socket for each shard and local address, in SO_REUSEPORT groups.

use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};

use crate::error::BindError;
use crate::tcp::Handed;
use crate::{KernelUdp, UdpConfig, socket};

impl KernelUdp {
    /// Binds the same addresses and ports for `shards` shards, all or none. What each receives is the kernel's choice
    /// (a hash of the addresses) unless [`crate::steer::Steering`] makes it.
    pub fn group(config: &UdpConfig, shards: usize) -> Result<Vec<KernelUdp>, BindError> {
        let first = KernelUdp::new(config)?;
        let addresses = first.locals.clone();
        if shards > 1 {
            for (index, (local, address)) in first.sockets.iter().zip(&addresses).enumerate() {
                socket::share(&local.udp, first.tcp.listener(index), *address)?;
            }
        }
        let mut group = vec![first];
        for _ in 1..shards {
            group.push(KernelUdp::join(config, &addresses)?);
        }
        Ok(group)
    }

    fn join(config: &UdpConfig, addresses: &[SocketAddr]) -> Result<KernelUdp, BindError> {
        let mut io = KernelUdp::unbound()?;
        for address in addresses {
            io.add(socket::join(*address, config.tcp, config.receive_buffer)?)?;
        }
        Ok(io)
    }

    /// The UDP socket of a local address.
    #[cfg(target_os = "linux")]
    pub(crate) fn socket(&self, local: usize) -> Option<BorrowedFd<'_>> {
        self.sockets.get(local).map(|local| local.udp.as_fd())
    }

    pub(super) fn take_connection(&mut self, number: u32, frame: &[u8]) -> Option<Handed> {
        self.tcp.hand_over(number, frame, self.poll.registry(), &mut self.counters)
    }

    pub(super) fn adopt_connection(&mut self, handed: Handed) {
        self.tcp.adopt(handed, self.poll.registry(), &mut self.counters);
    }
}
