//! Why AF_XDP cannot be used, in words for whoever runs the node.

use std::io;

use crate::bpf::BpfError;
use crate::error::BindError;

/// AF_XDP cannot be used. The text says why and what to change; a node goes on with the kernel's UDP.
#[derive(Debug, thiserror::Error)]
pub enum XdpError {
    /// There is no such interface.
    #[error("there is no interface {0}; `ip link` lists those of this machine")]
    NoInterface(String),
    /// Not Ethernet.
    #[error(
        "{0} is no Ethernet interface (loopback and tunnels are not): name the one that packets leave by"
    )]
    NotEthernet(String),
    /// It is down.
    #[error("{0} is down; `ip link set {0} up` first")]
    Down(String),
    /// A right is missing.
    #[error(
        "no right to use AF_XDP: grant CAP_NET_ADMIN, CAP_NET_RAW and CAP_BPF (AmbientCapabilities= in systemd), or run as root"
    )]
    Forbidden,
    /// The kernel has none.
    #[error("this kernel has no AF_XDP (CONFIG_XDP_SOCKETS): Linux 5.10 or later is needed")]
    Unsupported,
    /// The memory of the packets may not be locked.
    #[error(
        "{needed} KiB of locked memory are needed a packet thread and {allowed}: raise `ulimit -l` (LimitMEMLOCK= in systemd), or grant CAP_IPC_LOCK"
    )]
    LockedMemory {
        /// For packets, in KiB.
        needed: usize,
        /// The limit, in words.
        allowed: String,
    },
    /// Another program has the interface's XDP hook.
    #[error(
        "another XDP program is attached to {0}; `ip link show {0}` names it and `ip link set {0} xdp off` takes it off, or choose another interface"
    )]
    Occupied(String),
    /// Another process receives from the queue.
    #[error(
        "queue {queue} of {interface} is in use by another AF_XDP socket; stop that process, or choose another interface"
    )]
    QueueInUse {
        /// Interface.
        interface: String,
        /// Queue.
        queue: u32,
    },
    /// There are more shards than queues.
    #[error(
        "{interface} has {queues} queue(s) for {shards} packet threads: `ethtool -L {interface} combined {shards}` makes more if the device has them, or lower media.shards"
    )]
    TooFewQueues {
        /// Interface.
        interface: String,
        /// That it has.
        queues: u32,
        /// That each want one.
        shards: usize,
    },
    /// No mode that was asked for is possible.
    #[error(
        "the driver of {interface} cannot do it in the mode asked for ({mode}): {source}; let media.xdp_mode be `auto`"
    )]
    Mode {
        /// Interface.
        interface: String,
        /// Word for the mode.
        mode: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The kernel's sockets could not be made.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// eBPF failed.
    #[error(transparent)]
    Bpf(#[from] BpfError),
    /// The system's words.
    #[error("{what}: {source}")]
    System {
        /// What was tried.
        what: &'static str,
        /// Why not.
        source: io::Error,
    },
}
