//! Two network namespaces with pairs of virtual Ethernet between them: the node's side, and the side of its peers.
//!
//! The namespaces have no names: they live as long as this process has them open, so that they go with it however it
//! ends, and two runs beside each other never meet.

use std::cell::Cell;
use std::fs::{self, File};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::process::{Command, id};

use kaname_io::bpf::Link as Attached;

use super::sink::Sink;

/// What a link is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Takes runs of segments whole, as a network card with UDP segmentation offload does.
    Offload,
    /// Leaves segmentation to the kernel's software.
    Software,
    /// For one AF_XDP socket, whose program would make the other links dearer.
    Xdp,
}

/// A pair of interfaces of one name, one on each side; gone when this is dropped.
pub struct Link {
    /// What it is for.
    pub kind: Kind,
    number: u8,
    _sink: Attached,
}

impl Link {
    /// The node's address on this link.
    pub fn node(&self) -> IpAddr {
        Ipv4Addr::new(10, self.number, 0, 1).into()
    }

    /// The peers' address on it, which is also the gateway to all destinations.
    pub fn peers(&self) -> IpAddr {
        Ipv4Addr::new(10, self.number, 0, 2).into()
    }

    /// The interface, of the same name on both sides.
    pub fn interface(&self) -> String {
        interface(self.number)
    }

    /// So many subscribers, each with an address of its own, behind the gateway.
    pub fn destinations(&self, count: usize) -> Vec<SocketAddr> {
        (0..count as u16)
            .map(|n| {
                let [high, low] = n.to_be_bytes();
                SocketAddr::new(Ipv4Addr::new(10, self.number, 128 + high, low).into(), 20_000 + n)
            })
            .collect()
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // If it stays, it goes with its namespace.
        let _ = ip(&format!("link del {}", self.interface()));
    }
}

/// Both namespaces. The thread that makes it stays in the node's.
pub struct Net {
    node: File,
    peers: File,
    sink: Sink,
    links: Cell<u8>,
}

impl Net {
    /// Makes the namespaces.
    ///
    /// # Errors
    /// What is missing, with what to do about it.
    pub fn new() -> io::Result<Net> {
        let peers = unshare()?;
        quiet()?;
        let node = unshare()?;
        quiet()?;
        let net = Net { node, peers, sink: Sink::new()?, links: Cell::new(0) };
        ip("link set lo up")?;
        net.among_peers(|| ip("link set lo up"))?;
        Ok(net)
    }

    /// Where all links end.
    pub fn sink(&self) -> &Sink {
        &self.sink
    }

    /// A new link with its sink.
    ///
    /// # Errors
    /// Those of the system.
    pub fn link(&self, kind: Kind) -> io::Result<Link> {
        let number =
            self.links.get().checked_add(1).ok_or_else(|| io::Error::other("more than 255 links"))?;
        self.links.set(number);
        self.connect(kind, number)?;
        let sink = self.among_peers(|| self.sink.attach(interface_index(&interface(number))?))?;
        Ok(Link { kind, number, _sink: sink })
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

    fn connect(&self, kind: Kind, number: u8) -> io::Result<()> {
        let name = interface(number);
        let namespace = format!("/proc/{}/fd/{}", id(), self.peers.as_raw_fd());
        let mac = |side: u8| format!("02:00:00:00:{number:02x}:{side:02x}");
        let (node, peers) = (mac(1), mac(2));
        ip(&format!(
            "link add {name} address {node} type veth peer name {name} address {peers} netns {namespace}"
        ))?;
        let side = |own: u8, other: u8, other_mac: &str| {
            ip(&format!("addr add 10.{number}.0.{own}/24 dev {name}"))?;
            ip(&format!("link set {name} up"))?;
            ip(&format!("neigh add 10.{number}.0.{other} lladdr {other_mac} dev {name} nud permanent"))
        };
        side(1, 2, &peers)?;
        ip(&format!("route add 10.{number}.128.0/17 via 10.{number}.0.2"))?;
        if kind == Kind::Software {
            // Whatever has more segments than one is cut up ahead of the device.
            ip(&format!("link set {name} gso_max_segs 1"))?;
        }
        // To look at a link brings its state up to date, which else takes the kernel up to a second.
        let look = || ip(&format!("link show dev {name}"));
        self.among_peers(|| side(2, 1, &node).and_then(|()| look()))?;
        look()
    }
}

fn interface(number: u8) -> String {
    format!("kn{number}")
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
