//! A publisher's socket among the peers.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;

use crate::fanout::net::{Link, Net};
use crate::room::Publisher;

/// Bytes of a run that the kernel takes at once.
const LONGEST: usize = 60_000;

/// Sends frames to the node, each in one piece per run of packets of one size: they arrive together, as from a network
/// card that coalesces.
pub struct Feed {
    socket: UdpSocket,
}

impl Feed {
    /// A socket in the peers' namespace that sends there.
    ///
    /// # Errors
    /// Those of the system.
    pub fn new(net: &Net, link: &Link, to: SocketAddr) -> io::Result<Feed> {
        let socket = net.among_peers(|| UdpSocket::bind((link.peers(), 0)))?;
        socket.connect(to)?;
        Ok(Feed { socket })
    }

    /// Where its packets come from.
    ///
    /// # Errors
    /// Those of the system.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Sends the publisher's latest frame.
    ///
    /// # Errors
    /// Those of the system.
    pub fn send_runs(&self, publisher: &Publisher) -> io::Result<()> {
        let mut rest = publisher.wire();
        let mut lens = publisher.packets().map(<[u8]>::len).peekable();
        while let Some(len) = lens.next() {
            let mut run = len;
            while run + len <= LONGEST && lens.next_if_eq(&len).is_some() {
                run += len;
            }
            let (now, later) = rest.split_at(run);
            self.send(now, len)?;
            rest = later;
        }
        Ok(())
    }

    /// Sends a run of packets of `segment` bytes.
    ///
    /// # Errors
    /// Those of the system.
    pub fn send(&self, run: &[u8], segment: usize) -> io::Result<()> {
        let size = segment as libc::c_int;
        super::super::tap::set(&self.socket, libc::SOL_UDP, libc::UDP_SEGMENT, size)?;
        // SAFETY: the kernel reads the run.
        let sent = unsafe { libc::send(self.socket.as_raw_fd(), run.as_ptr().cast(), run.len(), 0) };
        if usize::try_from(sent) == Ok(run.len()) { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}
