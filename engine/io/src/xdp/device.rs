//! What an interface is: its number, address, MTU, state, driver and queues.

use std::ffi::{CStr, CString, c_int};
use std::fmt;
use std::io;
use std::mem;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use super::error::XdpError;
use super::frame::Mac;

/// An interface as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Device {
    pub(super) index: u32,
    pub(super) mac: Mac,
    /// Bytes of IP.
    pub(super) mtu: u32,
    /// Up, with a link.
    pub(super) running: bool,
}

/// Looks at one interface, in the network namespace that it was made in.
pub(super) struct Looker {
    name: String,
    control: Control,
}

impl Looker {
    pub(super) fn new(name: &str) -> Result<Looker, XdpError> {
        let missing = || XdpError::NoInterface(name.to_owned());
        let wire_name = CString::new(name).map_err(|_| missing())?;
        if wire_name.as_bytes_with_nul().len() > libc::IFNAMSIZ {
            return Err(missing());
        }
        let control = Control::new(&wire_name)
            .map_err(|source| XdpError::System { what: "looking at the interface", source })?;
        Ok(Looker { name: name.to_owned(), control })
    }

    /// The interface as it is now.
    pub(super) fn look(&self) -> Result<Device, XdpError> {
        let Looker { name, control } = self;
        let explain = |source: io::Error| match source.raw_os_error() {
            Some(libc::ENODEV | libc::ENXIO) => XdpError::NoInterface(name.clone()),
            _ => XdpError::System { what: "looking at the interface", source },
        };
        let ask = |what: libc::Ioctl| control.ask(what).map_err(explain);
        let hardware = ask(libc::SIOCGIFHWADDR as _)?;
        // SAFETY: the kernel has just filled this member of the union.
        let address = unsafe { hardware.ifr_ifru.ifru_hwaddr };
        if address.sa_family != libc::ARPHRD_ETHER {
            return Err(XdpError::NotEthernet(name.clone()));
        }
        // SAFETY: as above, for each.
        let (index, mtu, flags) = unsafe {
            (
                ask(libc::SIOCGIFINDEX as _)?.ifr_ifru.ifru_ifindex,
                ask(libc::SIOCGIFMTU as _)?.ifr_ifru.ifru_mtu,
                ask(libc::SIOCGIFFLAGS as _)?.ifr_ifru.ifru_flags,
            )
        };
        let wanted = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
        let mut mac = [0; 6];
        for (to, from) in mac.iter_mut().zip(address.sa_data) {
            *to = from as u8;
        }
        let (index, mtu) = (index.unsigned_abs(), mtu.unsigned_abs());
        Ok(Device { index, mac, mtu, running: flags & wanted == wanted })
    }

    /// Queues on which both directions work.
    pub(super) fn queues(&self) -> u32 {
        let mut channels = Channels { command: ETHTOOL_GCHANNELS, ..Channels::default() };
        let mut request = self.control.request();
        request.ifr_ifru.ifru_data = (&raw mut channels).cast();
        // What cannot say has one.
        let asked = self.control.call(libc::SIOCETHTOOL as _, &mut request);
        if asked.is_err() { 1 } else { (channels.combined + channels.rx.min(channels.tx)).max(1) }
    }
}

impl fmt::Debug for Looker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

const ETHTOOL_GCHANNELS: u32 = 0x3c;

/// `struct ethtool_channels`
#[repr(C)]
#[derive(Default)]
struct Channels {
    command: u32,
    /// The most: receive, transmit, other, combined.
    max: [u32; 4],
    rx: u32,
    tx: u32,
    other: u32,
    combined: u32,
}

/// Asks about one interface.
struct Control {
    socket: OwnedFd,
    name: [libc::c_char; libc::IFNAMSIZ],
}

impl Control {
    fn new(name: &CStr) -> io::Result<Control> {
        // SAFETY: makes a new descriptor, or fails.
        let fd = unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel has just made this descriptor for us alone.
        let socket = unsafe { OwnedFd::from_raw_fd(fd) };
        let mut bytes = [0; libc::IFNAMSIZ];
        // The last one stays zero.
        for (to, from) in bytes[..libc::IFNAMSIZ - 1].iter_mut().zip(name.to_bytes()) {
            *to = *from as libc::c_char;
        }
        Ok(Control { socket, name: bytes })
    }

    fn request(&self) -> libc::ifreq {
        // SAFETY: all-zero is a valid ifreq.
        let zero: libc::ifreq = unsafe { mem::zeroed() };
        libc::ifreq { ifr_name: self.name, ..zero }
    }

    fn ask(&self, what: libc::Ioctl) -> io::Result<libc::ifreq> {
        let mut request = self.request();
        self.call(what, &mut request)?;
        Ok(request)
    }

    fn call(&self, what: libc::Ioctl, request: &mut libc::ifreq) -> io::Result<()> {
        // SAFETY: each of these calls reads and writes one ifreq, and for ethtool the structure that it points to.
        let result: c_int =
            unsafe { libc::ioctl(self.socket.as_raw_fd(), what, std::ptr::from_mut(request)) };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_ethernet_interface_is_named() {
        let find = |name: &str| Looker::new(name)?.look();
        let text = find("kn-none").expect_err("no such").to_string();
        assert!(text.contains("kn-none") && text.contains("ip link"), "{text}");
        let text = find("a-name-that-is-too-long").expect_err("no such").to_string();
        assert!(text.contains("a-name-that-is-too-long"), "{text}");
        let text = find("lo").expect_err("loopback").to_string();
        assert!(text.contains("lo is no Ethernet"), "{text}");
    }

    #[test]
    fn loopback_has_a_queue() {
        assert_eq!(Looker::new("lo").expect("a name").queues(), 1);
    }
}
