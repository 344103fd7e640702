//! Looks at what reaches the sink, ahead of its classifier: what is measured is first read by those it was sent to.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::AsRawFd;

use socket2::{Domain, Protocol, Socket, Type};

use super::net::{Link, Net, interface_index};

/// Room for a large room's frames while nobody reads.
const BUFFER: usize = 256 << 20;
/// Longest run of segments.
const LONGEST: usize = 1 << 17;

/// `struct virtio_net_hdr`, and Ethernet behind it.
const OFFLOAD_HEADER: usize = 10;
const ETHERNET_HEADER: usize = 14;
const UDP_HEADER: usize = 8;

/// A socket that sees every frame of a link.
pub struct Tap {
    socket: Socket,
    buffer: Vec<u8>,
}

impl Tap {
    /// Opens it on the peers' side.
    ///
    /// # Errors
    /// Those of the system.
    pub fn new(net: &Net, link: &Link) -> io::Result<Tap> {
        let socket = net.among_peers(|| {
            let protocol = (libc::ETH_P_ALL as u16).to_be();
            let socket = Socket::new(Domain::PACKET, Type::RAW, Some(Protocol::from(i32::from(protocol))))?;
            bind(&socket, protocol, interface_index(&link.interface())?)?;
            Ok(socket)
        })?;
        set(&socket, libc::SOL_PACKET, libc::PACKET_VNET_HDR, 1)?;
        set(&socket, libc::SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)?;
        set(&socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, BUFFER as libc::c_int)?;
        socket.set_nonblocking(true)?;
        Ok(Tap { socket, buffer: vec![0; LONGEST] })
    }

    /// All UDP payloads that have arrived, by destination, segments one by one.
    ///
    /// # Errors
    /// Those of the system.
    pub fn read(&mut self) -> io::Result<HashMap<SocketAddr, Vec<Vec<u8>>>> {
        let mut seen: HashMap<SocketAddr, Vec<Vec<u8>>> = HashMap::new();
        loop {
            match io::Read::read(&mut &self.socket, &mut self.buffer) {
                Ok(len) => {
                    if let Some((to, segment, payload)) = parse(&self.buffer[..len]) {
                        let packets = payload.chunks(segment).map(<[u8]>::to_vec);
                        seen.entry(to).or_default().extend(packets);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(seen),
                Err(error) => return Err(error),
            }
        }
    }
}

/// Missing in libc.
const PACKET_IGNORE_OUTGOING: libc::c_int = 23;

fn bind(socket: &Socket, protocol: u16, interface: u32) -> io::Result<()> {
    // SAFETY: an all-zero sockaddr_ll is valid.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = protocol;
    address.sll_ifindex = interface as i32;
    let len = size_of_val(&address) as libc::socklen_t;
    // SAFETY: the address is of that length.
    let result = unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), len) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Sets an option that is one number.
pub(super) fn set(
    socket: &impl AsRawFd,
    level: libc::c_int,
    option: libc::c_int,
    value: libc::c_int,
) -> io::Result<()> {
    let len = size_of_val(&value) as libc::socklen_t;
    // SAFETY: the kernel reads one c_int.
    let result =
        unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, (&raw const value).cast(), len) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Destination, bytes a segment, and payload of an IPv4 UDP frame.
fn parse(frame: &[u8]) -> Option<(SocketAddr, usize, &[u8])> {
    let (offload, frame) = frame.split_at_checked(OFFLOAD_HEADER)?;
    let ip = frame.get(ETHERNET_HEADER..)?;
    let header = usize::from(ip.first()? & 15) * 4;
    if ip[0] >> 4 != 4 || *ip.get(9)? != libc::IPPROTO_UDP as u8 {
        return None;
    }
    let total = usize::from(u16::from_be_bytes(ip.get(2..4)?.try_into().ok()?));
    let to: [u8; 4] = ip.get(16..20)?.try_into().ok()?;
    let udp = ip.get(header..)?;
    let port = u16::from_be_bytes(udp.get(2..4)?.try_into().ok()?);
    // A run of segments carries its true length in the frame alone.
    let segment = usize::from(u16::from_ne_bytes(offload[4..6].try_into().ok()?));
    let end = if segment == 0 { total - header } else { udp.len() };
    let payload = udp.get(UDP_HEADER..end)?;
    let segment = if segment == 0 { payload.len().max(1) } else { segment };
    Some((SocketAddr::new(Ipv4Addr::from(to).into(), port), segment, payload))
}
