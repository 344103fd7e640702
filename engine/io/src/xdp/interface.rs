//! An interface with our program on it. The shards of a node share it; each has its own queues.

use std::io;
use std::sync::Arc;

use super::config::XdpMode;
use super::device::{Device, Looker};
use super::error::XdpError;
use super::filter::Filter;
use super::frame::ETHERNET;
use super::limits::{FRAME, LONG_FRAME, OPEN_PAUSE, OPEN_TRIES, RX_HEAD_ROOM};
use crate::bpf::{BpfError, Link};

/// An interface whose frames for the node go to its shards. The program comes off with the last of them, or when
/// the process ends.
#[derive(Debug)]
pub struct Interface {
    pub(super) name: String,
    pub(super) device: Device,
    pub(super) queues: u32,
    pub(super) shards: usize,
    pub(super) filter: Filter,
    /// Try the driver's own access to our memory.
    pub(super) zero_copy: bool,
    /// And refuse anything else.
    pub(super) zero_copy_only: bool,
    pub(super) frame: usize,
    generic: bool,
    _link: Link,
}

/// `XDP_FLAGS_SKB_MODE` and `XDP_FLAGS_DRV_MODE`
const GENERIC: u32 = 1 << 1;
const DRIVER: u32 = 1 << 2;

impl Interface {
    /// Puts the program on an interface, for so many shards.
    pub fn attach(name: &str, mode: XdpMode, shards: usize) -> Result<Arc<Interface>, XdpError> {
        let looker = Looker::new(name)?;
        let running = || match looker.look()? {
            device if device.running => Ok(device),
            _ => Err(XdpError::Down(name.to_owned())),
        };
        let device = patiently(running, |error| matches!(error, XdpError::Down(_)))?;
        let queues = looker.queues();
        let frame =
            if device.mtu as usize + ETHERNET + VLAN <= FRAME - RX_HEAD_ROOM { FRAME } else { LONG_FRAME };
        let filter = Filter::load(shards * queues as usize, frame - RX_HEAD_ROOM, shards)?;
        let (link, generic) = attach(&filter, name, device.index, mode)?;
        let zero_copy = !generic && matches!(mode, XdpMode::Auto | XdpMode::ZeroCopy);
        Ok(Arc::new(Interface {
            name: name.to_owned(),
            device,
            queues,
            shards,
            filter,
            zero_copy,
            zero_copy_only: mode == XdpMode::ZeroCopy,
            frame,
            generic,
            _link: link,
        }))
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The program runs above the driver, where the kernel may have joined datagrams already.
    pub(super) fn is_generic(&self) -> bool {
        self.generic
    }
}

/// Bytes of a VLAN tag, which a driver may count in.
const VLAN: usize = 4;

/// In the driver if it can, else above it; says which.
fn attach(filter: &Filter, name: &str, index: u32, mode: XdpMode) -> Result<(Link, bool), XdpError> {
    let modes: &[(u32, bool)] = match mode {
        XdpMode::Auto => &[(DRIVER, false), (GENERIC, true)],
        XdpMode::Driver | XdpMode::ZeroCopy => &[(DRIVER, false)],
        XdpMode::Generic => &[(GENERIC, true)],
    };
    let mut refused = io::Error::from_raw_os_error(libc::EOPNOTSUPP);
    for (flags, generic) in modes {
        match patiently(|| filter.attach(index, *flags), is_taken) {
            Ok(link) => return Ok((link, *generic)),
            Err(error) if is_taken(&error) => return Err(XdpError::Occupied(name.to_owned())),
            Err(BpfError::System { source, .. }) => refused = source,
            Err(error) => return Err(error.into()),
        }
    }
    Err(XdpError::Mode { interface: name.to_owned(), mode: mode.word(), source: refused })
}

fn is_taken(error: &BpfError) -> bool {
    let BpfError::System { source, .. } = error else { return false };
    matches!(source.raw_os_error(), Some(libc::EBUSY | libc::EEXIST))
}

/// Tries again for a while when something is still taken.
#[expect(clippy::disallowed_methods, reason = "at the start: no shard runs yet")]
pub(super) fn patiently<T, E>(
    mut attempt: impl FnMut() -> Result<T, E>,
    is_taken: impl Fn(&E) -> bool,
) -> Result<T, E> {
    for _ in 1..OPEN_TRIES {
        match attempt() {
            Err(error) if is_taken(&error) => std::thread::sleep(OPEN_PAUSE),
            done => return done,
        }
    }
    attempt()
}
