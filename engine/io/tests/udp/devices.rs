//! Devices that will not: without offloads, with a small MTU, with a full queue, or gone. Each test has a network of its
//! own, which ends with it.

use std::ffi::{c_char, c_int};
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::process::Command;
use std::thread;

use kaname_io::{KernelUdp, PacketIo, UdpConfig};
use kaname_wire::path::Path;

use crate::common::{open_as, put};

const NEAR: &str = "10.77.0.1";
const FAR: [&str; 2] = ["10.77.0.2", "10.77.0.3"];

/// Runs a test in a network namespace of its own thread, where the veth device `near` has the address [`NEAR`]; with
/// sockets on [`FAR`] in another namespace behind it. Where the machine does not allow that, it says so.
fn in_a_network(test: fn(&[UdpSocket; 2])) {
    let body = move || match alone() {
        Ok(()) => {
            // SAFETY: it has no arguments and cannot fail.
            let near = unsafe { libc::gettid() };
            let far = thread::spawn(move || far_end(near)).join().expect("no panic");
            ip("link set lo up");
            ip(&format!("address add {NEAR}/24 dev near"));
            ip("link set near up");
            test(&far);
        }
        Err(why) => skipped(&why),
    };
    thread::spawn(body).join().expect("no panic");
}

#[expect(clippy::print_stderr, reason = "whoever reads the test's output must know that nothing was proved")]
fn skipped(why: &std::io::Error) {
    eprintln!("skipped: no network namespace: {why}");
}

/// Gives this thread a network namespace of its own, which ends with its last thread and socket.
fn alone() -> std::io::Result<()> {
    // SAFETY: changes what this thread's sockets belong to, and no memory.
    let result = unsafe { libc::unshare(libc::CLONE_NEWNET) };
    if result == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}

/// Makes the pair of devices, one of them in the namespace of the thread `near`. The sockets keep this one alive.
fn far_end(near: c_int) -> [UdpSocket; 2] {
    alone().expect("the first one worked");
    ip(&format!("link add far type veth peer name near netns {near}"));
    for address in FAR {
        ip(&format!("address add {address}/24 dev far"));
    }
    ip("link set far up");
    FAR.map(|address| {
        let socket = UdpSocket::bind((address, 0)).expect("the device has it");
        socket.set_nonblocking(true).expect("an option");
        socket
    })
}

/// A child of this thread, and so in its network.
fn run(program: &str, arguments: &str) {
    let output = Command::new(program).args(arguments.split(' ')).output().expect("iproute2 is there");
    assert!(output.status.success(), "{program} {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

fn ip(arguments: &str) {
    run("ip", arguments);
}

/// Switches an offload of the device `near` off, as `ethtool -K` does (linux/ethtool.h).
fn without(command: u32) {
    const SIOCETHTOOL: libc::c_ulong = 0x8946;
    #[repr(C)]
    struct Value {
        command: u32,
        data: u32,
    }
    let mut value = Value { command, data: 0 };
    // SAFETY: an all-zero ifreq is valid.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(b"near") {
        *to = *from as c_char;
    }
    request.ifr_ifru.ifru_data = (&raw mut value).cast();
    let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback");
    // SAFETY: the request names a device and points to the value that its command reads; both live on this frame.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), SIOCETHTOOL as _, &raw mut request) };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
}

fn near(send_buffer: usize) -> KernelUdp {
    let bind = vec![NEAR.parse().expect("an address")];
    open_as(UdpConfig { bind, tcp: false, send_buffer, ..UdpConfig::default() })
}

fn path(far: &UdpSocket) -> Path {
    Path::udp(0, far.local_addr().expect("bound"))
}

fn put_frame(io: &mut KernelUdp, far: &UdpSocket, len: usize) {
    (0..7).for_each(|number| put(io, path(far), &vec![number; len]));
}

/// veth delivers within the call of the sender, or a moment later.
fn hear_frame(far: &UdpSocket, len: usize) {
    far.set_nonblocking(false).expect("an option");
    let mut buffer = [0; 2000];
    for number in 0..7 {
        assert_eq!(far.recv(&mut buffer).expect("sent"), len);
        assert!(buffer[..len].iter().all(|byte| *byte == number), "{number}");
    }
}

#[test]
fn a_device_without_offloads_gets_every_packet() {
    in_a_network(|far| {
        const ETHTOOL_STXCSUM: u32 = 0x17;
        const ETHTOOL_SGSO: u32 = 0x24;
        [ETHTOOL_SGSO, ETHTOOL_STXCSUM].into_iter().for_each(without);
        let mut io = near(1 << 20);
        for round in 1..=3 {
            put_frame(&mut io, &far[0], 1200);
            assert_eq!(io.flush().expect("flushes").sent, 7);
            hear_frame(&far[0], 1200);
            // Kernels before 6.11 refuse (EIO); later ones do in software what the device does not.
            let counters = io.counters();
            let cut = counters.runs_sent + counters.runs_refused_device + counters.runs_not_tried;
            assert_eq!(cut, round, "{counters:?}");
        }
    });
}

#[test]
fn a_path_too_narrow_for_runs_gets_fragments_and_the_others_their_runs() {
    in_a_network(|far| {
        ip(&format!("route add {} dev near mtu 1000", FAR[0]));
        let mut io = near(1 << 20);
        for round in 1..=3 {
            put_frame(&mut io, &far[0], 1200);
            put_frame(&mut io, &far[1], 1200);
            assert_eq!(io.flush().expect("flushes").sent, 14);
            far.iter().for_each(|far| hear_frame(far, 1200));
            let counters = io.counters();
            assert_eq!((counters.runs_sent, counters.packets_resent), (round, 7));
            assert_eq!(counters.runs_refused_too_long + counters.runs_refused_invalid, 1);
            assert_eq!(counters.runs_not_tried, round - 1);
        }
        // From the second time on all of it is one call.
        let before = io.counters().send_calls;
        put_frame(&mut io, &far[0], 1200);
        put_frame(&mut io, &far[1], 1200);
        assert_eq!(io.flush().expect("flushes").sent, 14);
        assert_eq!(io.counters().send_calls, before + 1);
    });
}

#[test]
fn a_full_send_buffer_loses_only_what_is_counted() {
    in_a_network(|far| {
        run("tc", "qdisc add dev near root tbf rate 8mbit burst 20k limit 4m");
        let mut io = near(1);
        let (mut sent, mut dropped) = (0, 0);
        for _ in 0..10 {
            (0..5).for_each(|_| put_frame(&mut io, &far[0], 1200));
            let report = io.flush().expect("flushes");
            sent += report.sent;
            dropped += report.dropped;
        }
        assert_eq!(sent + dropped, 350);
        assert!(dropped > 0, "the smallest buffer that the kernel has");
        let counters = *io.counters();
        assert_eq!(counters.send_no_buffers, dropped as u64);
        assert!(counters.send_waits > 0);
        far[0].set_nonblocking(false).expect("an option");
        let mut buffer = [0; 2000];
        (0..sent).for_each(|_| assert_eq!(far[0].recv(&mut buffer).expect("sent"), 1200));
    });
}

#[test]
fn a_device_that_goes_and_comes_back() {
    in_a_network(|far| {
        let mut io = near(1 << 20);
        let here = UdpSocket::bind((NEAR, 0)).expect("the device has it");
        ip("link set near down");
        put_frame(&mut io, &far[0], 1200);
        put_frame(&mut io, &here, 1200);
        let report = io.flush().expect("flushes");
        assert_eq!((report.sent, report.dropped), (7, 7));
        hear_frame(&here, 1200);
        assert_eq!(io.counters().send_unreachable, 7);
        ip("link set near up");
        put_frame(&mut io, &far[0], 1200);
        assert_eq!(io.flush().expect("flushes").sent, 7);
        hear_frame(&far[0], 1200);
        assert_eq!(io.counters().runs_sent, 2, "and it is not remembered as one that refuses runs");
        ip("link delete near");
        put_frame(&mut io, &far[0], 1200);
        put_frame(&mut io, &here, 1200);
        assert_eq!(io.flush().expect("flushes").sent + io.counters().send_unreachable as usize, 7 + 14);
    });
}
