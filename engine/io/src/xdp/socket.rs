//! One AF_XDP socket on one queue of an interface, with its four rings.

use std::io;
use std::mem;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use super::limits::{COMPLETION_RING, FILL_RING, KICK, RX_RING, TX_RING};
use super::ring::{Consumer, Layout, Mapping, Producer};
use super::umem::Umem;
use crate::limits::SEND_BUFFER;

/// An AF_XDP socket, bound.
#[derive(Debug)]
pub(super) struct Socket {
    pub(super) rx: Consumer<libc::xdp_desc>,
    pub(super) tx: Producer<libc::xdp_desc>,
    pub(super) fill: Producer<u64>,
    pub(super) completion: Consumer<u64>,
    /// The driver sends from and receives into the umem itself.
    pub(super) is_zero_copy: bool,
    fd: OwnedFd,
}

/// Since Linux 6.17: how many packets one call sends in copy mode (32 by default).
const XDP_MAX_TX_SKB_BUDGET: libc::c_int = 9;

/// How a socket is bound.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) interface: u32,
    pub(super) queue: u32,
    pub(super) zero_copy: bool,
}

/// The step that the kernel refused.
#[derive(Debug)]
pub(super) enum Refused {
    /// Making the socket: AF_XDP itself.
    Socket(io::Error),
    /// Registering the memory: locked pages count against a limit.
    Memory(io::Error),
    /// Anything about the rings.
    Rings(io::Error),
    /// Binding to the queue.
    Bind(io::Error),
}

impl Socket {
    /// The umem is registered with this socket, or shared with `other`, which has registered it.
    pub(super) fn open(umem: &Umem, other: Option<&Socket>, place: Place) -> Result<Socket, Refused> {
        // SAFETY: makes a new descriptor, or fails.
        let fd = unsafe { libc::socket(libc::AF_XDP, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) };
        if fd < 0 {
            return Err(Refused::Socket(io::Error::last_os_error()));
        }
        // SAFETY: the kernel has just made this descriptor for us alone.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        if other.is_none() {
            register(&fd, umem).map_err(Refused::Memory)?;
        }
        let mut socket = with_rings(fd).map_err(Refused::Rings)?;
        // Packets under way count against the send buffer; what is granted without the privilege is a smaller one.
        let _ = set(&socket.fd, libc::SOL_SOCKET, libc::SO_SNDBUFFORCE, &(SEND_BUFFER as libc::c_int));
        // Older kernels do not know it, and send 32 a call.
        let _ = set(&socket.fd, libc::SOL_XDP, XDP_MAX_TX_SKB_BUDGET, &KICK);
        socket.bind(other, place).map_err(Refused::Bind)?;
        let options: io::Result<libc::xdp_options> = get(&socket.fd, libc::XDP_OPTIONS);
        socket.is_zero_copy = options.is_ok_and(|options| options.flags & libc::XDP_OPTIONS_ZEROCOPY != 0);
        Ok(socket)
    }

    fn bind(&mut self, other: Option<&Socket>, place: Place) -> io::Result<()> {
        let mode = if place.zero_copy { libc::XDP_ZEROCOPY } else { libc::XDP_COPY };
        let address = libc::sockaddr_xdp {
            sxdp_family: libc::AF_XDP as u16,
            // With a shared umem the mode is the first socket's, and no other flag may be given.
            sxdp_flags: if other.is_some() {
                libc::XDP_SHARED_UMEM
            } else {
                mode | libc::XDP_USE_NEED_WAKEUP
            },
            sxdp_ifindex: place.interface,
            sxdp_queue_id: place.queue,
            sxdp_shared_umem_fd: other.map_or(0, |other| other.fd.as_raw_fd() as u32),
        };
        let len = size_of::<libc::sockaddr_xdp>() as libc::socklen_t;
        // SAFETY: the address is one sockaddr_xdp of the stated size.
        let result = unsafe { libc::bind(self.fd.as_raw_fd(), (&raw const address).cast(), len) };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// Lets the kernel send what was published.
    pub(super) fn kick(&self) -> io::Result<()> {
        // SAFETY: no buffer and no address: the kernel reads the rings alone.
        let result = unsafe {
            libc::sendto(self.fd.as_raw_fd(), std::ptr::null(), 0, libc::MSG_DONTWAIT, std::ptr::null(), 0)
        };
        if result >= 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// Lets the kernel notice what was put into the fill ring.
    pub(super) fn wake_receive(&self) {
        // SAFETY: no buffer and no address, as above. Whether it helped is seen in the rings.
        unsafe {
            libc::recvfrom(
                self.fd.as_raw_fd(),
                std::ptr::null_mut(),
                0,
                libc::MSG_DONTWAIT,
                std::ptr::null_mut(),
                std::ptr::null_mut(),
            )
        };
    }

    /// The kernel's own figures.
    pub(super) fn statistics(&self) -> io::Result<libc::xdp_statistics> {
        get(&self.fd, libc::XDP_STATISTICS)
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn register(fd: &OwnedFd, umem: &Umem) -> io::Result<()> {
    let wish = libc::xdp_umem_reg {
        addr: umem.base() as u64,
        len: umem.len() as u64,
        chunk_size: umem.frame_size() as u32,
        headroom: 0,
        flags: 0,
        tx_metadata_len: 0,
    };
    set(fd, libc::SOL_XDP, libc::XDP_UMEM_REG, &wish)
}

fn with_rings(fd: OwnedFd) -> io::Result<Socket> {
    for (option, size) in [
        (libc::XDP_RX_RING, RX_RING),
        (libc::XDP_TX_RING, TX_RING),
        (libc::XDP_UMEM_FILL_RING, FILL_RING),
        (libc::XDP_UMEM_COMPLETION_RING, COMPLETION_RING),
    ] {
        set(&fd, libc::SOL_XDP, option, &size)?;
    }
    let offsets: libc::xdp_mmap_offsets = get(&fd, libc::XDP_MMAP_OFFSETS)?;
    let map = |offsets: &libc::xdp_ring_offset, entry: usize, size: u32, page: u64| {
        let layout = Layout {
            producer: offsets.producer as usize,
            consumer: offsets.consumer as usize,
            flags: offsets.flags as usize,
            entries: offsets.desc as usize,
        };
        let memory = Mapping::of_socket(fd.as_fd(), layout.entries + entry * size as usize, page)?;
        io::Result::Ok((memory, layout, size))
    };
    let desc = size_of::<libc::xdp_desc>();
    let address = size_of::<u64>();
    let (memory, layout, size) = map(&offsets.rx, desc, RX_RING, libc::XDP_PGOFF_RX_RING as u64)?;
    let rx = Consumer::new(memory, layout, size);
    let (memory, layout, size) = map(&offsets.tx, desc, TX_RING, libc::XDP_PGOFF_TX_RING as u64)?;
    let tx = Producer::new(memory, layout, size);
    let (memory, layout, size) = map(&offsets.fr, address, FILL_RING, libc::XDP_UMEM_PGOFF_FILL_RING)?;
    let fill = Producer::new(memory, layout, size);
    let (memory, layout, size) =
        map(&offsets.cr, address, COMPLETION_RING, libc::XDP_UMEM_PGOFF_COMPLETION_RING)?;
    let completion = Consumer::new(memory, layout, size);
    Ok(Socket { rx, tx, fill, completion, is_zero_copy: false, fd })
}

fn set<T>(fd: &OwnedFd, level: libc::c_int, option: libc::c_int, value: &T) -> io::Result<()> {
    let len = size_of::<T>() as libc::socklen_t;
    // SAFETY: the descriptor is open; the kernel reads at most the stated size of `value`.
    let result =
        unsafe { libc::setsockopt(fd.as_raw_fd(), level, option, std::ptr::from_ref(value).cast(), len) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// An option of AF_XDP whose value is a C struct of integers.
fn get<T>(fd: &OwnedFd, option: libc::c_int) -> io::Result<T> {
    // SAFETY: all-zero is a valid value of a struct of integers.
    let mut value: T = unsafe { mem::zeroed() };
    let mut len = size_of::<T>() as libc::socklen_t;
    // SAFETY: the kernel writes at most the stated size into `value`, and the size into `len`.
    let result = unsafe {
        libc::getsockopt(fd.as_raw_fd(), libc::SOL_XDP, option, (&raw mut value).cast(), &raw mut len)
    };
    if result == 0 { Ok(value) } else { Err(io::Error::last_os_error()) }
}
