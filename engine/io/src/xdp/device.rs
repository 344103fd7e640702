//! What an interface is: its number, address, MTU, state, driver and queues.

use std::ffi::{CStr, CString, c_int};
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

impl Device {
    /// Looks at an interface by name.
    pub(super) fn find(name: &str) -> Result<Device, XdpError> {
        let missing = || XdpError::NoInterface(name.to_owned());
        let system = |source| XdpError::System { what: "looking at the interface", source };
        let wire_name = CString::new(name).map_err(|_| missing())?;
        if wire_name.as_bytes_with_nul().len() > libc::IFNAMSIZ {
            return Err(missing());
        }
        // SAFETY: the name ends with a zero byte.
        let index = unsafe { libc::if_nametoindex(wire_name.as_ptr()) };
        if index == 0 {
            return Err(missing());
        }
        let control = Control::new(&wire_name).map_err(system)?;
        let hardware = control.ask(libc::SIOCGIFHWADDR as _).map_err(system)?;
        // SAFETY: the kernel has just filled this member of the union.
        let address = unsafe { hardware.ifr_ifru.ifru_hwaddr };
        if address.sa_family != libc::ARPHRD_ETHER {
            return Err(XdpError::NotEthernet(name.to_owned()));
        }
        // SAFETY: as above.
        let mtu = unsafe { control.ask(libc::SIOCGIFMTU as _).map_err(system)?.ifr_ifru.ifru_mtu };
        // SAFETY: as above.
        let flags = unsafe { control.ask(libc::SIOCGIFFLAGS as _).map_err(system)?.ifr_ifru.ifru_flags };
        let wanted = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
        let mut mac = [0; 6];
        for (to, from) in mac.iter_mut().zip(address.sa_data) {
            *to = from as u8;
        }
        Ok(Device { index, mac, mtu: mtu.unsigned_abs(), running: flags & wanted == wanted })
    }
}

/// Queues on which both directions work.
pub(super) fn queues(name: &str) -> u32 {
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
    const ETHTOOL_GCHANNELS: u32 = 0x3c;
    let mut channels = Channels { command: ETHTOOL_GCHANNELS, ..Channels::default() };
    // What cannot say has one.
    let asked = ethtool(name, (&raw mut channels).cast());
    if asked.is_err() { 1 } else { (channels.combined + channels.rx.min(channels.tx)).max(1) }
}

/// ethtool's question; `data` points to the structure of its command.
fn ethtool(name: &str, data: *mut libc::c_char) -> io::Result<()> {
    let name = CString::new(name)?;
    let control = Control::new(&name)?;
    let mut request = control.request;
    request.ifr_ifru.ifru_data = data;
    control.call(libc::SIOCETHTOOL as _, &mut request)
}

/// Asks about one interface.
struct Control {
    socket: OwnedFd,
    request: libc::ifreq,
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
        // SAFETY: all-zero is a valid ifreq.
        let mut request: libc::ifreq = unsafe { mem::zeroed() };
        for (to, from) in request.ifr_name[..libc::IFNAMSIZ - 1].iter_mut().zip(name.to_bytes()) {
            *to = *from as libc::c_char;
        }
        Ok(Control { socket, request })
    }

    fn ask(&self, what: libc::Ioctl) -> io::Result<libc::ifreq> {
        let mut request = self.request;
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
        let text = Device::find("kn-none").expect_err("no such").to_string();
        assert!(text.contains("kn-none") && text.contains("ip link"), "{text}");
        let text = Device::find("a-name-that-is-too-long").expect_err("no such").to_string();
        assert!(text.contains("a-name-that-is-too-long"), "{text}");
        let text = Device::find("lo").expect_err("loopback").to_string();
        assert!(text.contains("lo is no Ethernet"), "{text}");
    }

    #[test]
    fn loopback_has_a_queue() {
        assert_eq!(queues("lo"), 1);
    }
}
