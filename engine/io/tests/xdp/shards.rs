//! Several queues, several shards.

use std::collections::HashSet;

use kaname_io::KernelUdp;
use kaname_io::xdp::Interface;

use super::*;

/// Two shards with a port each, on an interface of two queues: whichever queue a packet comes by, its shard gets it,
/// in a frame or by the kernel.
#[test]
fn two_shards_share_an_interface() {
    let (Some(near), Some(far)) = (Namespace::new(), Namespace::new()) else { return };
    near.join("kn0", &far, "kn1", 2);
    near.ip("addr add 192.0.2.1/24 dev kn0");
    far.ip("addr add 192.0.2.2/24 dev kn1");
    let opened = near.run(|| {
        let interface = Interface::attach("kn0", XdpMode::Auto, 2)?;
        let open = |shard| {
            let kernel = KernelUdp::new(&addresses(&["192.0.2.1"])).expect("an address of ours");
            AfXdp::wrap(kernel, &interface, shard).map_err(|refusal| refusal.error)
        };
        Ok([open(0)?, open(1)?])
    });
    let mut shards: [AfXdp; 2] = match opened {
        Ok(shards) => shards,
        Err(XdpError::Forbidden | XdpError::Unsupported) => {
            eprintln!("skipped: AF_XDP is not allowed here");
            return;
        }
        Err(error) => panic!("{error}"),
    };
    // Sixty-four flows to each: they hash to both queues.
    let sockets: Vec<UdpSocket> =
        far.run(|| (0..64).map(|_| UdpSocket::bind("192.0.2.2:0").expect("bound")).collect());
    for io in &mut shards {
        let here = io.locals()[0];
        let mut missing = HashSet::new();
        for socket in &sockets {
            socket.send_to(b"flow", here).expect("sends");
            missing.insert(socket.local_addr().expect("bound"));
        }
        while !missing.is_empty() {
            for (path, bytes) in receive(io) {
                assert_eq!(bytes, b"flow");
                assert!(missing.remove(&path.remote), "twice, or a stranger: {path:?}");
            }
        }
        let counters = io.counters();
        assert_eq!(counters.packets_received, 64);
        assert!(counters.xdp_received > 0, "{counters:?}");
        for socket in &sockets[..4] {
            socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
            warm(io, Path::udp(0, socket.local_addr().expect("bound")), socket);
        }
    }
    assert!(shards.iter().any(|io| io.counters().xdp_received < 64), "one of 64 comes by the other's queue");
}

/// One shard with both queues of an interface.
#[test]
fn one_shard_serves_all_queues() {
    let (Some(near), Some(far)) = (Namespace::new(), Namespace::new()) else { return };
    near.join("kn0", &far, "kn1", 2);
    near.ip("addr add 192.0.2.1/24 dev kn0");
    far.ip("addr add 192.0.2.2/24 dev kn1");
    let Some(mut io) = open_on(&Pair { near, far }, &["192.0.2.1"], XdpMode::Auto) else { return };
    drop(io.recv());
}
