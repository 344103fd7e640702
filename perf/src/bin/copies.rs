//! Nanoseconds of the core alone for each copy of a packet that comes in and leaves for many, without packet io: one JSON
//! object a row. How they grow with the destinations is what memory costs.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use kaname_core::Drained;
use kaname_perf::case::SUITES;
use kaname_perf::room::{Memory, Plan, Room, Shape};
use kaname_srtp::{Backend, Profile};
use kaname_wire::path::Path;
use serde_json::json;

/// Copies that a row is made of, in rounds of one frame each.
const COPIES: usize = 400_000;

/// Rounds ahead of those that count.
const WARM_UP: usize = 20;

fn main() -> io::Result<()> {
    let [cm, gcm, _] = SUITES;
    for (profile, suite) in [cm, gcm] {
        for (payload, frame) in [(172, 1), (1200, 7)] {
            for destinations in [10, 100, 1000, 4000] {
                let mut times = measure(profile, payload, frame, destinations);
                times.sort_unstable();
                let each = |time: Duration| time.as_nanos() as f64 / (frame * destinations) as f64;
                let row = json!({
                    "suite": suite, "payload": payload, "frame": frame, "destinations": destinations,
                    "ns_best": (each(times[times.len() / 20]) * 10.0).round() / 10.0,
                    "ns_median": (each(times[times.len() / 2]) * 10.0).round() / 10.0,
                });
                writeln!(io::stdout(), "{row}")?;
            }
        }
    }
    Ok(())
}

/// The time of each round.
fn measure(profile: Profile, payload: usize, frame: usize, destinations: usize) -> Vec<Duration> {
    let to = |number: usize| SocketAddr::from(([10, 1, (number >> 8) as u8, number as u8], 1000));
    let subscribers: Vec<SocketAddr> = (0..destinations).map(to).collect();
    let path = Path::udp(0, SocketAddr::from(([10, 2, 0, 1], 1000)));
    let mut room = Room::new(&Plan {
        profile,
        shape: Shape::even(payload, frame, destinations),
        publishers: &[path],
        subscribers: &subscribers,
        backend: Backend::best(),
    });
    let mut memory = Memory::new();
    let rounds = WARM_UP + (COPIES / (frame * destinations)).max(40);
    let round = |round: usize| {
        room.next_frame();
        let packets: Vec<Vec<u8>> = room.publishers[0].packets().map(<[u8]>::to_vec).collect();
        let start = Instant::now();
        room.ingest(packets.iter().map(|packet| (path, packet.as_slice())));
        while room.drain(&mut memory.slots()) == Drained::Full {}
        let time = start.elapsed();
        if room.tick() {
            while room.drain(&mut memory.slots()) == Drained::Full {}
        }
        (round >= WARM_UP).then_some(time)
    };
    (0..rounds).filter_map(round).collect()
}
