//! Which packet io the shards run on, and how datagrams find their shard there.

use std::sync::Arc;

use kaname_io::xdp::{AfXdp, Interface, XdpMode};
use kaname_io::{KernelUdp, PacketIo, Portable, UdpConfig, steer};

use crate::steering::{Kernel, SteeringChoice, SteeringMode};
use crate::{EngineConfig, StartError};

/// What carries the packets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum IoChoice {
    /// The best that changes nothing for others on the machine: the kernel's UDP.
    #[default]
    Auto,
    /// The kernel's UDP, in runs of packets where it can (UDP_SEGMENT, UDP_GRO).
    KernelUdp,
    /// AF_XDP on this interface, and the kernel's UDP for all else. Where it is not possible the engine starts on the
    /// kernel's UDP and says why ([`crate::Engine::io_notice`]).
    AfXdp {
        /// Such as `eth0`.
        interface: String,
        /// How the interface gives and takes frames.
        mode: XdpMode,
    },
    /// quinn-udp: for comparison, and for systems other than Linux.
    Portable,
}

/// The packet io of one shard.
pub(crate) enum Backend {
    Kernel(Box<KernelUdp>),
    AfXdp(Box<AfXdp>),
    Portable(Box<Portable>),
}

/// What was opened for all shards.
pub(crate) struct Opened {
    pub(crate) backends: Vec<Backend>,
    pub(crate) kernel: Option<Arc<Kernel>>,
    pub(crate) steering: SteeringMode,
    /// Why something that was asked for is not in use.
    pub(crate) notice: Option<String>,
}

/// Binds all sockets, or none.
pub(crate) fn open(config: &EngineConfig) -> Result<Opened, StartError> {
    let udp = UdpConfig {
        bind: config.bind.clone(),
        port: config.port,
        tcp: config.tcp,
        receive_buffer: config.receive_buffer,
        ..UdpConfig::default()
    };
    if config.io == IoChoice::Portable {
        let backends = Portable::group(&udp, config.shards)?
            .into_iter()
            .map(|io| Backend::Portable(Box::new(io)))
            .collect();
        let steering = without_kernel(config)?;
        return Ok(Opened { backends, kernel: None, steering, notice: None });
    }
    let group = KernelUdp::group(&udp, config.shards)?;
    let (kernel, steering) = choose_steering(config.steering, &group)?;
    let (backends, notice) = match &config.io {
        IoChoice::AfXdp { interface, mode } => put_on_xdp(group, interface, *mode),
        _ => (group.into_iter().map(Backend::kernel).collect(), None),
    };
    Ok(Opened { backends, kernel, steering, notice })
}

/// Puts every shard on AF_XDP that can be; says why the others cannot.
fn put_on_xdp(group: Vec<KernelUdp>, interface: &str, mode: XdpMode) -> (Vec<Backend>, Option<String>) {
    let interface = match Interface::attach(interface, mode, group.len()) {
        Ok(interface) => interface,
        Err(error) => return (group.into_iter().map(Backend::kernel).collect(), Some(error.to_string())),
    };
    let mut notice = None;
    let wrapped = group.into_iter().enumerate().map(|(shard, kernel)| {
        AfXdp::wrap(kernel, &interface, shard).map_or_else(
            |refusal| {
                notice = Some(refusal.error.to_string());
                Backend::kernel(refusal.kernel)
            },
            |io| Backend::AfXdp(Box::new(io)),
        )
    });
    (wrapped.collect(), notice)
}

fn without_kernel(config: &EngineConfig) -> Result<SteeringMode, StartError> {
    let why = "the portable packet io has no steering";
    match config.steering {
        _ if config.shards < 2 => Ok(SteeringMode::Single),
        SteeringChoice::Ebpf => Err(StartError::Steering(why.to_owned())),
        SteeringChoice::Auto => Ok(SteeringMode::HandOver(Some(why.to_owned()))),
        SteeringChoice::HandOver => Ok(SteeringMode::HandOver(None)),
    }
}

/// Puts steering into the kernel where that is wished for and allowed.
fn choose_steering(
    choice: SteeringChoice,
    group: &[KernelUdp],
) -> Result<(Option<Arc<Kernel>>, SteeringMode), StartError> {
    if group.len() < 2 {
        return Ok((None, SteeringMode::Single));
    }
    if choice == SteeringChoice::HandOver {
        return Ok((None, SteeringMode::HandOver(None)));
    }
    match steer::Steering::attach(group).map_err(|error| error.to_string()) {
        Ok(kernel) => Ok((Some(Arc::new(kernel)), SteeringMode::Ebpf)),
        Err(why) if choice == SteeringChoice::Ebpf => Err(StartError::Steering(why)),
        Err(why) => Ok((None, SteeringMode::HandOver(Some(why)))),
    }
}

impl Backend {
    fn kernel(io: KernelUdp) -> Backend {
        Backend::Kernel(Box::new(io))
    }

    /// For what all of them have in common.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Backend::Kernel(io) => io.name(),
            Backend::AfXdp(io) => io.name(),
            Backend::Portable(io) => io.name(),
        }
    }

    pub(crate) fn waker(&self) -> kaname_io::Waker {
        match self {
            Backend::Kernel(io) => io.waker(),
            Backend::AfXdp(io) => io.waker(),
            Backend::Portable(io) => io.waker(),
        }
    }

    pub(crate) fn door(&self) -> kaname_io::Door {
        match self {
            Backend::Kernel(io) => io.door(),
            Backend::AfXdp(io) => io.door(),
            Backend::Portable(io) => io.door(),
        }
    }

    pub(crate) fn locals(&self) -> &[std::net::SocketAddr] {
        match self {
            Backend::Kernel(io) => io.locals(),
            Backend::AfXdp(io) => io.locals(),
            Backend::Portable(io) => io.locals(),
        }
    }
}
