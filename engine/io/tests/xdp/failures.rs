//! What may be missing or go away, and what the node says then.

use kaname_io::xdp::Interface;

use super::*;

fn refusal(pair: &Pair, config: &XdpConfig) -> String {
    pair.near.run(|| AfXdp::open(config).map(drop)).expect_err("refused").to_string()
}

#[test]
fn interfaces_that_cannot_serve_are_named_with_what_to_do() {
    let Some(pair) = pair() else { return };
    let on =
        |interface: &str| XdpConfig { interface: interface.into(), ..config(&["192.0.2.1"], XdpMode::Auto) };
    let text = refusal(&pair, &on("kn9"));
    assert!(text.contains("kn9") && text.contains("ip link"), "{text}");
    let text = refusal(&pair, &on("lo"));
    assert!(text.contains("lo is no Ethernet"), "{text}");
    let Some(_io) = open(&pair) else { return };
    let text = refusal(&pair, &on("kn0"));
    assert!(text.contains("another XDP program") && text.contains("xdp off"), "{text}");
    pair.near.ip("link set kn0 down");
    let text = refusal(&pair, &on("kn0"));
    assert!(text.contains("ip link set kn0 up"), "{text}");
}

#[test]
fn zero_copy_is_refused_where_the_driver_has_none() {
    let Some(pair) = pair() else { return };
    if open(&pair).is_none() {
        return;
    }
    let text = refusal(&pair, &config(&["192.0.2.1"], XdpMode::ZeroCopy));
    assert!(text.contains("zero-copy") && text.contains("auto"), "{text}");
}

#[test]
fn more_shards_than_queues_are_refused_with_the_sockets_given_back() {
    let Some(pair) = pair() else { return };
    if open(&pair).is_none() {
        return;
    }
    pair.near.run(|| {
        let interface = Interface::attach("kn0", XdpMode::Auto, 2).expect("attached");
        let udp = || kaname_io::KernelUdp::new(&addresses(&["192.0.2.1"])).expect("an address of ours");
        let first = AfXdp::wrap(udp(), &interface, 0).map_err(|refusal| refusal.error);
        assert_eq!(first.expect("it has one queue").name(), "af_xdp");
        let refusal = AfXdp::wrap(udp(), &interface, 1).map(drop).expect_err("no second queue");
        let text = refusal.error.to_string();
        assert!(text.contains("1 queue(s) for 2 packet threads") && text.contains("media.shards"), "{text}");
        assert_eq!(refusal.kernel.name(), "gso");
    });
}

/// Takes rights from this thread alone; the other threads of the process keep theirs.
fn without(capabilities: &[u32]) {
    // linux/capability.h: version 3, two words of each set.
    let header = [0x2008_0522_u32, 0];
    let mut sets = [[0_u32; 3]; 2];
    // SAFETY: the header and the sets have the layout of that version.
    let read = unsafe { libc::syscall(libc::SYS_capget, &header, &mut sets) };
    assert_eq!(read, 0, "{}", std::io::Error::last_os_error());
    for capability in capabilities {
        let word = &mut sets[(capability / 32) as usize];
        word[0] &= !(1 << (capability % 32));
        word[1] &= !(1 << (capability % 32));
    }
    // SAFETY: as above.
    let written = unsafe { libc::syscall(libc::SYS_capset, &header, &sets) };
    assert_eq!(written, 0, "{}", std::io::Error::last_os_error());
}

const NET_ADMIN: u32 = 12;
const NET_RAW: u32 = 13;
const IPC_LOCK: u32 = 14;
const SYS_ADMIN: u32 = 21;
const SYS_RESOURCE: u32 = 24;
const BPF: u32 = 39;

#[test]
fn a_missing_right_is_named() {
    let Some(pair) = pair() else { return };
    if open(&pair).is_none() {
        return;
    }
    for rights in [&[BPF, SYS_ADMIN][..], &[NET_ADMIN, SYS_ADMIN], &[NET_RAW]] {
        let text = pair.near.run(|| {
            without(rights);
            AfXdp::open(&config(&["192.0.2.1"], XdpMode::Auto)).map(drop).expect_err("refused").to_string()
        });
        assert!(text.contains("no right") && text.contains("CAP_"), "{rights:?}: {text}");
    }
}

#[test]
fn too_little_locked_memory_is_named_with_the_figure() {
    let Some(pair) = pair() else { return };
    if open(&pair).is_none() {
        return;
    }
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the kernel writes one rlimit.
    unsafe { libc::getrlimit(libc::RLIMIT_MEMLOCK, &mut limit) };
    if limit.rlim_max > 12 << 20 {
        eprintln!("skipped: the limit of locked memory is too high here to be met");
        return;
    }
    let text = pair.near.run(|| {
        without(&[IPC_LOCK, SYS_RESOURCE]);
        AfXdp::open(&config(&["192.0.2.1"], XdpMode::Auto)).map(drop).expect_err("refused").to_string()
    });
    assert!(text.contains("12288 KiB") && text.contains("LimitMEMLOCK"), "{text}");
}

#[test]
fn the_node_lives_on_when_the_interface_goes() {
    let Some(pair) = pair() else { return };
    let Some(mut io) = open_on(&pair, &["192.0.2.1", "127.0.0.1"], XdpMode::Auto) else { return };
    let far = far_socket(&pair, "192.0.2.2:0");
    let there = Path::udp(0, far.local_addr().expect("bound"));
    warm(&mut io, there, &far);
    assert_eq!(io.notice(), None);
    pair.near.ip("link del kn0");
    // In the middle of sending.
    for _ in 0..300 {
        if let Some(slot) = io.tx().take(&there, 100) {
            slot.fill(1);
        }
    }
    let report = io.flush().expect("flushes");
    assert!(report.dropped > 0, "{report:?}");
    let since = Instant::now();
    let notice = loop {
        if let Some(notice) = io.notice() {
            break notice;
        }
        assert!(since.elapsed() < PATIENCE, "no word of it");
        io.wait(Some(PATIENCE)).expect("waits");
    };
    assert!(notice.contains("kn0") && notice.contains("start the node anew"), "{notice}");
    assert_eq!(io.notice(), None, "said once");
    assert_eq!(io.name(), "gso");
    let here = pair.near.run(|| UdpSocket::bind("127.0.0.1:0").expect("loopback"));
    here.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let to = Path::udp(1, here.local_addr().expect("bound"));
    send(&mut io, to, b"still here");
    assert_eq!(receive_from(&here).0, b"still here");
    here.send_to(b"so am I", io.locals()[1]).expect("sends");
    assert_eq!(receive(&mut io), vec![(to, b"so am I".to_vec())]);
}

#[test]
fn a_link_that_is_down_drops_with_a_count_and_comes_back() {
    let Some(pair) = pair() else { return };
    let Some(mut io) = open(&pair) else { return };
    let far = far_socket(&pair, "192.0.2.2:0");
    let to = Path::udp(0, far.local_addr().expect("bound"));
    warm(&mut io, to, &far);
    pair.far.ip("link set kn1 down");
    let before = *io.counters();
    for _ in 0..200 {
        io.tx().take(&to, 100).expect("room").fill(2);
    }
    let report = io.flush().expect("flushes");
    let after = *io.counters();
    // What was handed over as frames is dropped by the device, until word of the link has come.
    assert_eq!(report.dropped as u64, after.xdp_device_drops - before.xdp_device_drops, "{after:?}");
    assert_eq!(report.sent + report.dropped, 200);
    assert!(report.dropped > 0, "{after:?}");
    assert_eq!(after.xdp_frames_free, before.xdp_frames_free);
    io.wait(Some(PATIENCE)).expect("word of it");
    pair.far.ip("link set kn1 up");
    warm(&mut io, to, &far);
    assert_eq!(io.name(), "af_xdp");
}
