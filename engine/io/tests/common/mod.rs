//! Shared by the tests on loopback sockets.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use kaname_io::{KernelUdp, PacketIo, Slots, UdpConfig};
use kaname_wire::path::Path;

/// How long a test waits for loopback before it calls it a failure.
const PATIENCE: Duration = Duration::from_secs(20);

/// Sockets on these addresses, any port.
pub(crate) fn open(bind: &[&str], tcp: bool, receive_buffer: usize) -> KernelUdp {
    let bind = bind.iter().map(|ip| ip.parse::<IpAddr>().expect("an address")).collect();
    open_as(UdpConfig { bind, tcp, receive_buffer, ..UdpConfig::default() })
}

/// The same with every choice.
pub(crate) fn open_as(config: UdpConfig) -> KernelUdp {
    KernelUdp::new(&config).expect("the addresses are there")
}

/// Waits and receives until `done` is content with all that came.
pub(crate) fn receive(io: &mut KernelUdp, done: impl Fn(&[(Path, Vec<u8>)]) -> bool) -> Vec<(Path, Vec<u8>)> {
    let mut all = Vec::new();
    let mut since = Instant::now();
    while !done(&all) {
        let batch = io.recv().expect("receives");
        let empty = batch.is_empty();
        all.extend(batch.iter().map(|(path, bytes)| (path, bytes.to_vec())));
        if empty && !done(&all) {
            patiently(io, since);
        } else {
            since = Instant::now();
        }
    }
    all
}

/// Takes a slot and fills it.
pub(crate) fn put(io: &mut KernelUdp, to: Path, bytes: &[u8]) {
    io.tx().take(&to, bytes.len()).expect("room").copy_from_slice(bytes);
}

/// Waits for something to happen, and fails when nothing has since then.
pub(crate) fn patiently(io: &mut KernelUdp, since: Instant) {
    assert!(since.elapsed() < PATIENCE, "nothing happened: {:?}", io.counters());
    io.wait(Some(PATIENCE)).expect("waits");
}
