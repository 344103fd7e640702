//! Embedding the engine: starts it, announces one leg, and prints what happens for some seconds.
//!
//! `cargo run -p kaname-engine --example one_leg -- "sha-256 AB:CD:.." UFRAG 30`
//!
//! The arguments are what the peer's session description says in `a=fingerprint` and `a=ice-ufrag`, and for how
//! many seconds to listen. What is printed first is what ours must say; with that, any WebRTC client connects:
//! it sends connectivity checks, the engine answers; it shakes hands, and once its certificate has the
//! fingerprint, the keys are set and `Secured` is printed.
#![allow(clippy::print_stdout, reason = "an example talks to whoever tries it")]

use std::time::{Duration, Instant};

use kaname_engine::core::Command;
use kaname_engine::core::command::{ExtensionIds, IceCredentials, LegConfig, LegId, Transport};
use kaname_engine::{DtlsParams, Engine, EngineConfig, Fingerprint, HashAlgorithm, ShardId};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let remote_fingerprint: Fingerprint = match arguments.next() {
        Some(text) => text.parse()?,
        // Nobody has this certificate: the engine will answer checks and refuse the handshake.
        None => Fingerprint::of(HashAlgorithm::Sha256, b"nobody"),
    };
    let remote_ufrag = arguments.next().unwrap_or_else(|| "peer".into());
    let seconds = arguments.next().map_or(Ok(5), |text| text.parse())?;

    // The closure runs on the engine's threads. A real embedder hands the event on to its own; printing is as
    // much as one may do here.
    let engine = Engine::start(EngineConfig::default(), |shard, event| {
        println!("shard {}: {event:?}", shard.0);
    })?;

    // A leg is a transport and all that runs on it. Rooms and calls are the embedder's: it compiles them into
    // legs, streams, senders and routes between them.
    let (shard, leg) = (ShardId(0), LegId(1));
    let ice = IceCredentials {
        local_ufrag: "example".into(),
        local_pwd: "AnExamplePassword+Of22".into(),
        remote_ufrag,
    };
    for address in engine.addresses(shard) {
        println!("a=candidate:1 1 udp 2130706431 {} {} typ host", address.ip(), address.port());
    }
    println!("a=ice-lite\na=setup:passive\na=fingerprint:{}", engine.fingerprint());
    println!("a=ice-ufrag:{}\na=ice-pwd:{}", ice.local_ufrag, ice.local_pwd);
    println!("io {}, srtp {}", engine.io_backend(), engine.srtp_backend());

    // First the handshake, then the leg: from then on its peer may come.
    engine.secure(shard, leg, DtlsParams::new(remote_fingerprint))?;
    engine.command(
        shard,
        Command::AddLeg(Box::new(LegConfig {
            leg,
            transport: Transport::Ice(ice),
            extensions: ExtensionIds::default(),
        })),
    )?;

    let end = Instant::now() + Duration::from_secs(seconds);
    while let Some(left) = end.checked_duration_since(Instant::now()) {
        std::thread::park_timeout(left);
    }
    for (name, value) in engine.counters(shard).values.iter().filter(|(_, value)| *value > 0) {
        println!("{name} {value}");
    }
    // The peer is told; then all threads end.
    engine.close(shard, leg)?;
    engine.shutdown();
    Ok(())
}
