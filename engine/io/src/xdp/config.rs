//! What AF_XDP is started with.

use crate::UdpConfig;

/// How the interface gives and takes frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum XdpMode {
    /// The fastest that the driver has.
    #[default]
    Auto,
    /// In the driver, which reads and writes our memory itself; refused where it cannot.
    ZeroCopy,
    /// In the driver, with a copy by the kernel.
    Driver,
    /// Above the driver, with a copy by the kernel: every driver.
    Generic,
}

impl XdpMode {
    /// As in settings.
    pub fn word(self) -> &'static str {
        match self {
            XdpMode::Auto => "auto",
            XdpMode::ZeroCopy => "zero-copy",
            XdpMode::Driver => "driver",
            XdpMode::Generic => "generic",
        }
    }
}

/// A shard on AF_XDP.
#[derive(Clone, Debug)]
pub struct XdpConfig {
    /// The interface that packets come and go by, such as `eth0`.
    pub interface: String,
    /// See [`XdpMode`].
    pub mode: XdpMode,
    /// The kernel's sockets beside it, for all that AF_XDP does not take.
    pub udp: UdpConfig,
}
