//! Whole calls over the packet io that is not the default: AF_XDP between two namespaces, and the portable one.

use kaname_engine::io::xdp::XdpMode;
use kaname_engine::{EngineConfig, EngineEvent, IoChoice};

use crate::client::Wire;
use crate::media::{exchange, two_legs};
use crate::netns::Namespace;
use crate::world::{SHARD, World};

#[test]
fn a_call_over_the_portable_backend() {
    let config = EngineConfig { io: IoChoice::Portable, pin: false, ..EngineConfig::default() };
    let world = World::new(config);
    assert_eq!(world.engine.io_backend(), "portable");
    let tcp = Wire { tcp: true, ..Wire::PLAIN };
    exchange(&mut two_legs(world, Wire::PLAIN, tcp));
}

fn on_xdp(address: &str, interface: &str) -> EngineConfig {
    let io = IoChoice::AfXdp { interface: interface.into(), mode: XdpMode::Auto };
    EngineConfig {
        bind: vec![address.parse().expect("an address")],
        io,
        pin: false,
        ..EngineConfig::default()
    }
}

#[test]
fn a_call_over_af_xdp_that_outlives_it() {
    for (near_address, far_address, bits) in
        [("192.0.2.1", "192.0.2.2", 24), ("2001:db8::1", "2001:db8::2", 64)]
    {
        let (Some(near), Some(far)) = (Namespace::new(), Namespace::new()) else { return };
        near.join("kn0", &far, "kn1", 1);
        let detection = if bits == 64 { " nodad" } else { "" };
        near.ip(&format!("addr add {near_address}/{bits} dev kn0{detection}"));
        far.ip(&format!("addr add {far_address}/{bits} dev kn1{detection}"));
        // The engine's threads stay where they were begun; the clients are elsewhere.
        near.enter();
        let world = World::new(on_xdp(near_address, "kn0"));
        if world.engine.io_notice().is_some_and(|why| why.contains("no right")) {
            eprintln!("skipped: AF_XDP is not allowed here");
            return;
        }
        assert_eq!(world.engine.io_notice(), None);
        assert_eq!(world.engine.io_backend(), "af_xdp");
        far.enter();
        let mut world = two_legs(world, Wire::PLAIN, Wire::PLAIN);
        exchange(&mut world);
        // The figures are published once a second.
        world.until("figures", |world| world.engine.counters(SHARD).get("io_xdp_sent") >= 400);
        let counters = world.engine.counters(SHARD);
        assert!(counters.get("io_xdp_received") >= 400, "{counters:?}");
        near.ip("link del kn0");
        let told = |event: &EngineEvent| matches!(event, EngineEvent::IoChanged { message } if message.contains("kn0"));
        world.until("word of it", |world| world.count(told) == 1);
    }
}

#[test]
fn without_its_interface_the_engine_starts_on_the_kernels_udp_and_says_why() {
    let world = World::new(on_xdp("127.0.0.1", "lo"));
    let why = world.engine.io_notice().expect("loopback is no Ethernet").to_owned();
    assert!(why.contains("lo is no Ethernet"), "{why}");
    assert_eq!(world.engine.io_backend(), "gso");
    exchange(&mut two_legs(world, Wire::PLAIN, Wire::PLAIN));
}
