//! Nothing is allocated per packet, on the way in or out.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::net::{Ipv4Addr, UdpSocket};

use kaname_io::{FIRST_PORT, KernelUdp, PacketIo, Slots, UdpConfig};
use kaname_wire::path::Path;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: everything is handed to the system's allocator unchanged; the counter is a thread-local without a
// destructor, so touching it allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's contract is System's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller's contract is System's.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn a_packet_in_and_out_allocates_nothing() {
    const ROUNDS: usize = 20;
    let bind = vec![Ipv4Addr::LOCALHOST.into()];
    let config = UdpConfig { bind, receive_buffer: 1 << 20, ..UdpConfig::default() };
    let mut io = KernelUdp::new(&config).expect("loopback");
    let peer = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback");
    let to = Path::udp(0, peer.local_addr().expect("bound"));
    let own = peer.local_addr().map(|mut address| {
        // One that is free on another address of the loopback network.
        address.set_ip(Ipv4Addr::new(127, 0, 0, 2).into());
        address
    });
    let own = own.expect("bound");
    let socket = io.door().open(FIRST_PORT, own).expect("free there");
    io.open_port(FIRST_PORT, socket);
    let round = |io: &mut KernelUdp| {
        for _ in 0..50 {
            peer.send_to(&[1; 500], io.locals()[0]).expect("sent");
            peer.send_to(&[1; 500], own).expect("sent");
        }
        let mut received = 0;
        while received < 100 {
            io.wait(None).expect("waits");
            received += io.recv().expect("receives").len();
        }
        let mut tx = io.tx();
        while let Some(slot) = tx.take(&to, 200) {
            slot.fill(3);
        }
        io.flush().expect("flushes");
        let to = Path { local: FIRST_PORT, ..to };
        io.tx().take(&to, 200).expect("flushed").fill(4);
        io.flush().expect("flushes");
    };
    round(&mut io);
    let before = ALLOCATIONS.with(Cell::get);
    for _ in 0..ROUNDS {
        round(&mut io);
    }
    assert_eq!(ALLOCATIONS.with(Cell::get) - before, 0);
    drop(vec![0_u8; 9]);
    assert_ne!(ALLOCATIONS.with(Cell::get) - before, 0, "the counter counts");
}
