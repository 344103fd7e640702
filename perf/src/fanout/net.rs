//! Two network namespaces with pairs of virtual Ethernet between them: the node's side, and the side of its peers.
//!
//! The namespaces have no names: they live as long as this process has them open, so that they go with it however it
//! ends, and two runs beside each other never meet.

use std::fs::{self, File};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::process::{Command, id};

/// What a link does with segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// Takes runs of segments whole, as a network card with UDP segmentation offload does.
    Offload,
    /// Leaves segmentation to the kernel's software.
    Software,
    /// For AF_XDP, whose program would make the other links dearer.
    Xdp,
}

impl Link {
    /// All of them.
    pub const ALL: [Link; 3] = [Link::Offload, Link::Software, Link::Xdp];

    /// The node's address on this link.
    pub fn node(self) -> IpAddr {
        Ipv4Addr::new(10, 90 + self as u8, 0, 1).into()
    }

    /// The peers' address on it, which is also the gateway to all destinations.
    pub fn peers(self) -> IpAddr {
        Ipv4Addr::new(10, 90 + self as u8, 0, 2).into()
    }

    /// The interface, of the same name on both sides.
    pub fn interface(self) -> String {
        format!("kn{}", self as u8)
    }

    /// So many subscribers, each with an address of its own, behind the gateway.
    pub fn destinations(self, count: usize) -> Vec<SocketAddr> {
        (0..count as u16)
            .map(|n| {
                let [high, low] = n.to_be_bytes();
                SocketAddr::new(Ipv4Addr::new(10, 190 + self as u8, high, low).into(), 20_000 + n)
            })
            .collect()
    }
}

/// Both namespaces. The thread that makes it stays in the node's.
pub struct Net {
    node: File,
    peers: File,
}

impl Net {
    /// Makes the namespaces and their links.
    ///
    /// # Errors
    /// What is missing, with what to do about it.
    pub fn new() -> io::Result<Net> {
        let peers = unshare()?;
        quiet()?;
        let node = unshare()?;
        quiet()?;
        let net = Net { node, peers };
        ip("link set lo up")?;
        net.among_peers(|| ip("link set lo up"))?;
        Link::ALL.into_iter().try_for_each(|link| net.connect(link))?;
        Ok(net)
    }

    /// Runs something in the peers' namespace. Sockets that it makes stay there.
    ///
    /// # Errors
    /// Those of `run`, and of the system.
    pub fn among_peers<T>(&self, run: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        enter(self.peers.as_fd())?;
        let result = run();
        enter(self.node.as_fd())?;
        result
    }

    fn connect(&self, link: Link) -> io::Result<()> {
        let (name, number) = (link.interface(), link as u8);
        let peers = format!("/proc/{}/fd/{}", id(), self.peers.as_raw_fd());
        let address = |side: u8| format!("02:00:00:00:{number:02x}:{side:02x}");
        ip(&format!(
            "link add {name} address {} type veth peer name {name} address {} netns {peers}",
            address(1),
            address(2)
        ))?;
        let side = |own: IpAddr, other: IpAddr, other_address: &str| {
            ip(&format!("addr add {own}/24 dev {name}"))?;
            ip(&format!("link set {name} up"))?;
            ip(&format!("neigh add {other} lladdr {other_address} dev {name} nud permanent"))
        };
        side(link.node(), link.peers(), &address(2))?;
        ip(&format!("route add 10.{}.0.0/16 via {}", 190 + number, link.peers()))?;
        if link == Link::Software {
            // Longer ones than this are segmented ahead of the device.
            ip(&format!("link set {name} gso_max_size 1500"))?;
        }
        self.among_peers(|| side(link.peers(), link.node(), &address(1)))
    }
}

/// Moves this thread to a new network namespace.
fn unshare() -> io::Result<File> {
    // SAFETY: a plain system call.
    if unsafe { libc::unshare(libc::CLONE_NEWNET) } != 0 {
        let why = io::Error::last_os_error();
        let hint = "run as root, or with CAP_SYS_ADMIN, CAP_NET_ADMIN, CAP_NET_RAW and CAP_BPF";
        return Err(io::Error::new(why.kind(), format!("cannot make a network namespace ({why}): {hint}")));
    }
    File::open("/proc/thread-self/ns/net")
}

fn enter(namespace: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: a plain system call on a descriptor that is open.
    let result = unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// No IPv6 on the new namespace's links: its own packets would be counted.
fn quiet() -> io::Result<()> {
    ["all", "default"].into_iter().try_for_each(|which| {
        match fs::write(format!("/proc/sys/net/ipv6/conf/{which}/disable_ipv6"), "1") {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    })
}

fn ip(arguments: &str) -> io::Result<()> {
    let run = Command::new("ip").args(arguments.split(' ')).output();
    let output = run.map_err(|why| io::Error::new(why.kind(), format!("ip (package iproute2): {why}")))?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!("ip {arguments}: {}", text.trim())))
}

/// The index of an interface in this thread's namespace.
///
/// # Errors
/// If there is no such interface.
pub fn interface_index(name: &str) -> io::Result<u32> {
    let name = std::ffi::CString::new(name)?;
    // SAFETY: a string that ends in zero.
    match unsafe { libc::if_nametoindex(name.as_ptr()) } {
        0 => Err(io::Error::last_os_error()),
        index => Ok(index),
    }
}
