//! Many packets: none lost, none twice, every frame back.

use std::sync::atomic::{AtomicU64, Ordering};

use kaname_io::KernelUdp;

use super::*;

/// Under way at once: fewer than the 256 that a veth device with a program on it holds.
const WINDOW: u64 = 200;

fn count() -> u64 {
    if std::env::var_os("KANAME_FULL").is_some() { 1_000_000 } else { 100_000 }
}

/// Sends numbered packets, never more than the window ahead of who counts them.
fn send_numbered<I: PacketIo>(io: &mut I, to: Path, count: u64, seen: &AtomicU64) {
    let mut next = 0;
    let mut since = Instant::now();
    while next < count {
        let credit = (seen.load(Ordering::Acquire) + WINDOW).min(count);
        if next == credit {
            assert!(
                since.elapsed() < PATIENCE,
                "{next} sent, {} seen: {:?}",
                seen.load(Ordering::Acquire),
                io.counters()
            );
            io.wait(Some(Duration::ZERO)).expect("looks");
            std::thread::yield_now();
            continue;
        }
        since = Instant::now();
        {
            let mut tx = io.tx();
            while next < credit {
                let Some(slot) = tx.take(&to, 172) else { break };
                slot.fill(next as u8);
                slot[..8].copy_from_slice(&next.to_be_bytes());
                next += 1;
            }
        }
        let report = io.flush().expect("flushes");
        assert_eq!(report.dropped, 0, "{:?}", io.counters());
    }
}

/// Each number once and in order.
fn receive_numbered<I: PacketIo>(io: &mut I, count: u64, seen: &AtomicU64) {
    let mut next = 0_u64;
    let mut since = Instant::now();
    while next < count {
        let batch = io.recv().expect("receives");
        for (_, bytes) in batch.iter().filter(|(_, bytes)| bytes.len() == 172) {
            assert_eq!(bytes[..8], next.to_be_bytes());
            assert_eq!(bytes[171], next as u8);
            next += 1;
        }
        seen.store(next, Ordering::Release);
        if batch.is_empty() {
            assert!(since.elapsed() < PATIENCE, "{next} came: {:?}", io.counters());
            io.wait(Some(PATIENCE)).expect("waits");
        } else {
            since = Instant::now();
        }
    }
}

#[test]
fn nothing_is_lost_and_every_frame_comes_back() {
    let Some(pair) = pair() else { return };
    let count = count();
    for (mine, theirs) in [("192.0.2.1", "192.0.2.2"), ("2001:db8::1", "2001:db8::2")] {
        let Some(mut io) = open_on(&pair, &[mine], XdpMode::Auto) else { return };
        let frames = io.counters().xdp_frames_free;
        let mut far = pair.far.run(|| KernelUdp::new(&addresses(&[theirs]))).expect("an address of theirs");
        let (here, there) = (io.locals()[0], far.locals()[0]);
        let probe = pair.far.run(|| UdpSocket::bind((theirs, 0)).expect("an address of theirs"));
        probe.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        warm(&mut io, Path::udp(0, probe.local_addr().expect("bound")), &probe);

        let seen = AtomicU64::new(0);
        std::thread::scope(|scope| {
            scope.spawn(|| receive_numbered(&mut far, count, &seen));
            send_numbered(&mut io, Path::udp(0, there), count, &seen);
        });
        let seen = AtomicU64::new(0);
        std::thread::scope(|scope| {
            scope.spawn(|| send_numbered(&mut far, Path::udp(0, here), count, &seen));
            receive_numbered(&mut io, count, &seen);
        });

        // The figures that the kernel keeps are read once a second.
        let since = Instant::now();
        while io.counters().xdp_frames_free != frames {
            assert!(since.elapsed() < PATIENCE, "{:?}", io.counters());
            io.wait(Some(Duration::from_secs(1))).expect("waits");
        }
        let counters = *io.counters();
        assert_eq!(counters.xdp_received, count, "{counters:?}");
        assert!(counters.xdp_sent >= count, "{counters:?}");
        let faults = [
            counters.xdp_no_frame,
            counters.xdp_ring_full,
            counters.xdp_device_drops,
            counters.xdp_malformed,
            counters.xdp_receive_drops,
            counters.xdp_receive_ring_full,
            counters.xdp_fill_ring_empty,
            counters.xdp_bad_descriptors,
        ];
        assert_eq!(faults, [0; 8], "{counters:?}");
    }
}
