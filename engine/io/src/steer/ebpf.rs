//! Puts the program onto the sockets of a group, and keeps its table of addresses.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use kaname_wire::path::{Carrier, Path};

use super::{KEY_LEN, key, program};
use crate::bpf::{BpfError, Map, MapKind, Program, ProgramKind};
use crate::limits::{FIRST_PORT, STEERED_ADDRESSES};
use crate::{KernelUdp, PacketIo};

/// Why there is no steering in the kernel. The text says what to change.
#[derive(Debug, thiserror::Error)]
pub enum SteerError {
    /// The program or a table of it.
    #[error(transparent)]
    Bpf(#[from] BpfError),
    /// The sockets do not take it.
    #[error(
        "the kernel does not let an eBPF program choose between sockets: {0}; Linux 4.19 or later is needed"
    )]
    Attach(io::Error),
}

/// The kernel's table of who belongs to which shard. The program itself belongs to the sockets.
#[derive(Debug)]
pub struct Steering {
    addresses: Map,
}

impl Steering {
    /// Steers the sockets of a group ([`KernelUdp::group`]); a shard's number is its place in the group.
    pub fn attach(group: &[KernelUdp]) -> Result<Steering, SteerError> {
        let addresses = Map::create(MapKind::LruHash, KEY_LEN, 4, STEERED_ADDRESSES, "kn_addresses")?;
        let locals = group.first().map_or(&[][..], |first| first.locals());
        for (local, address) in locals.iter().enumerate() {
            let sockets: Vec<_> = group.iter().filter_map(|shard| shard.socket(local)).collect();
            steer(local as u8, address.is_ipv4(), &addresses, &sockets)?;
        }
        Ok(Steering { addresses })
    }

    /// From now on this address is the shard's. An address that is not known goes by its check's user name, so a
    /// table that is full costs a hand-over and no packet.
    pub fn learn(&self, path: &Path, shard: usize) -> Result<(), BpfError> {
        match path.carrier {
            Carrier::Udp if path.local < FIRST_PORT => {
                self.addresses.update(&key(path.local, path.remote), &(shard as u32).to_ne_bytes())
            }
            // Nothing is shared there.
            Carrier::Udp | Carrier::Tcp(_) => Ok(()),
        }
    }
}

fn steer(local: u8, is_v4: bool, addresses: &Map, shards: &[BorrowedFd<'_>]) -> Result<(), SteerError> {
    let Some(first) = shards.first() else { return Ok(()) };
    let sockets = Map::create(MapKind::ReuseportSockets, 4, 8, shards.len(), "kn_sockets")?;
    for (shard, socket) in shards.iter().enumerate() {
        let fd = socket.as_raw_fd() as u64;
        sockets.update(&(shard as u32).to_ne_bytes(), &fd.to_ne_bytes())?;
    }
    let code = program::write(local, is_v4, addresses, &sockets)?;
    let program = Program::load(ProgramKind::SkReuseport, &code, "kn_steer")?;
    attach(*first, &program).map_err(SteerError::Attach)
}

fn attach(socket: BorrowedFd<'_>, program: &Program) -> io::Result<()> {
    let fd: libc::c_int = program.as_fd().as_raw_fd();
    // SAFETY: both descriptors are open for the length of the call; the kernel reads one c_int from `fd`.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_REUSEPORT_EBPF,
            (&raw const fd).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Whether steering would work here, found out on sockets of loopback: for a check ahead of time.
pub fn check() -> Result<(), SteerError> {
    let config = crate::UdpConfig { tcp: false, receive_buffer: 65_536, ..crate::UdpConfig::default() };
    let group = KernelUdp::group(&config, 2).map_err(|error| SteerError::Attach(io::Error::other(error)))?;
    Steering::attach(&group).map(drop)
}
