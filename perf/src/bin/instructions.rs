//! Instructions a packet of SRTP, and of the whole way of a packet through the core, of the backend that `KANAME_CPU_DISABLE` leaves: one JSON object a row. Exact, where the clock of a
//! shared machine is not, so that a regression of a few instructions is seen.

use std::io::{self, Write as _};
use std::net::SocketAddr;

use kaname_core::Drained;
use kaname_perf::case::{Burst, Case, Plain, SUITES};
use kaname_perf::room::{Memory, Plan, Room, Shape};
use kaname_perf::steps;
use kaname_perf::systems::{Kaname, Operation, System as _};
use kaname_srtp::Profile;
use kaname_wire::path::Path;
use serde_json::json;

/// Sessions of a batch: two whole passes of the widest kernel.
const SESSIONS: usize = 32;

fn main() -> io::Result<()> {
    let backend = kaname_srtp::Backend::best().name();
    for (profile, suite) in SUITES {
        for operation in [Operation::Protect, Operation::Unprotect] {
            for payload in [20, 160, 1100] {
                let case = Case::new(profile, 12, payload, SESSIONS);
                let plain = Plain::new(&case);
                let mut system = Kaname::new(&case);
                system.reset(operation);
                let [first, second] =
                    [0, 1].map(|round| Burst { rounds: round..round + 1, sessions: 0..SESSIONS });
                if operation == Operation::Unprotect {
                    system.arrive(&first);
                }
                system.run(operation, &first, &plain);
                if operation == Operation::Unprotect {
                    system.arrive(&second);
                }
                let steps = steps::count(|| system.run(operation, &second, &plain))?;
                let row = json!({
                    "backend": backend, "suite": suite, "op": operation.name(), "payload": payload,
                    "instructions": steps / SESSIONS as u64,
                });
                writeln!(io::stdout(), "{row}")?;
            }
        }
        for payload in [172, 1200] {
            let instructions = forward(profile, payload)?;
            let row = json!({
                "backend": backend, "suite": suite, "op": "forward", "payload": payload, "instructions": instructions,
            });
            writeln!(io::stdout(), "{row}")?;
        }
    }
    Ok(())
}

/// Destinations of the forwarded packet.
const DESTINATIONS: u16 = 50;

/// Packets ahead of the one that is counted: every table is warm, and no report is due.
const WARM_UP: usize = 20;

/// Instructions for each copy of one packet that comes in and leaves for all destinations, arrival included.
fn forward(profile: Profile, payload: usize) -> io::Result<u64> {
    let subscribers: Vec<SocketAddr> =
        (0..DESTINATIONS).map(|n| SocketAddr::from(([10, 1, 0, 2], 1000 + n))).collect();
    let path = Path::udp(0, SocketAddr::from(([10, 1, 0, 1], 1000)));
    let mut room = Room::new(&Plan {
        profile,
        shape: Shape::even(payload, 1, subscribers.len()),
        publishers: &[path],
        subscribers: &subscribers,
        backend: kaname_srtp::Backend::best(),
    });
    let mut memory = Memory::new();
    for _ in 0..WARM_UP {
        room.next_frame();
        carry(&mut room, &mut memory);
        if room.tick() {
            while room.drain(&mut memory.slots()) == Drained::Full {}
        }
    }
    room.next_frame();
    let steps = steps::count(|| carry(&mut room, &mut memory))?;
    Ok(steps / u64::from(DESTINATIONS))
}

/// The publisher's latest packet, in and out.
fn carry(room: &mut Room, memory: &mut Memory) {
    let packet = room.publishers[0].wire().to_vec();
    let path = room.publishers[0].path;
    room.ingest(std::iter::once((path, packet.as_slice())));
    while room.drain(&mut memory.slots()) == Drained::Full {}
}
