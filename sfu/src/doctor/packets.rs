//! What the kernel can do for packets: segments, steering, AF_XDP.

use kaname_engine::SteeringChoice;
use kaname_engine::io::xdp::{AfXdp, Interface};
use kaname_engine::io::{KernelUdp, PacketIo, UdpConfig, steer};

use super::Finding;
use crate::config::{Config, MediaIo, Steering};
use crate::serve;

/// Whether the kernel cuts runs into packets and joins datagrams.
pub(super) fn segments() -> Finding {
    // Any port of 127.0.0.1.
    match KernelUdp::new(&UdpConfig { tcp: false, ..UdpConfig::default() }) {
        Ok(io) => {
            let counters = io.counters();
            let missing = match (counters.segments_on, counters.joining_on) {
                (1, 1) => {
                    return Finding::ok(
                        "segments",
                        "the kernel cuts and joins segments (UDP_SEGMENT, UDP_GRO)",
                    );
                }
                (1, _) => "join datagrams (UDP_GRO, Linux 5.0)",
                _ => "cut runs into packets (UDP_SEGMENT, Linux 4.18)",
            };
            Finding::warn(
                "segments",
                format!("this kernel does not {missing}; a packet costs several times as much"),
                "run a newer kernel",
            )
        }
        Err(error) => Finding::warn("segments", error.to_string(), "loopback is needed for this check"),
    }
}

/// Whether datagrams find their packet thread in the kernel; nothing where there is one thread or it is not wished for.
pub(super) fn steering(config: &Config) -> Option<Finding> {
    let choice = serve::engine_config(config).steering;
    if serve::shards(config) < 2 || choice == SteeringChoice::HandOver {
        return None;
    }
    Some(match steer::check() {
        Ok(()) => Finding::ok("steering", "datagrams are steered in the kernel (eBPF)"),
        Err(error) if config.media.steering == Steering::Ebpf => {
            Finding::fail("steering", error.to_string(), "grant it, or set media.steering to auto")
        }
        Err(error) => Finding::warn(
            "steering",
            format!("no steering in the kernel: {error}"),
            "grant it, or set media.steering to hand-over if that is meant",
        ),
    })
}

/// Whether AF_XDP works on the interface, by doing it for a moment; nothing where it is not wished for.
pub(super) fn af_xdp(config: &Config) -> Option<Finding> {
    let interface = config.media.interface.as_deref().filter(|_| config.media.io == MediaIo::AfXdp)?;
    let shards = serve::shards(config);
    let attempt = || {
        let attached = Interface::attach(interface, serve::xdp_mode(config.media.xdp_mode), shards)?;
        let shard = |shard| {
            let beside = KernelUdp::new(&UdpConfig { tcp: false, ..UdpConfig::default() })?;
            AfXdp::wrap(beside, &attached, shard).map_err(|refusal| refusal.error)
        };
        // All at once, as the node has them.
        let all = (0..shards).map(shard).collect::<Result<Vec<_>, _>>()?;
        Ok(all.first().map_or("", AfXdp::manner))
    };
    Some(match attempt().map_err(|error: kaname_engine::io::xdp::XdpError| error.to_string()) {
        Ok(manner) => {
            Finding::ok("af_xdp", format!("{interface} does it, {manner}, for {shards} packet thread(s)"))
        }
        Err(why) => Finding::warn(
            "af_xdp",
            format!("media would go through the kernel's UDP: {why}"),
            "change that, or set media.io to kernel",
        ),
    })
}
