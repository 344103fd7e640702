//! The XDP program: what goes to our sockets, and what stays with the kernel.
//!
//! A frame is ours when it is UDP, over IPv4 without options or fragments or over IPv6 without extension headers, to an
//! address and port of the node, on a queue of which that port's shard has a socket. Everything else passes: VLAN
//! tags, fragments, TCP, other ports, other addresses (a frame that is routed on, or of a VLAN whose tag the device
//! took off), and whatever is too long for a frame of ours.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, BorrowedFd};

use crate::bpf::{
    Assembler, BpfError, Condition, Helper, Link, Map, MapKind, Operation, Program, ProgramKind, Register,
    Width,
};
use crate::limits::MAX_LOCALS;
use Register::{R0, R1, R2, R3, R6, R7, R8, R10};

/// `enum xdp_action`
const PASS: i32 = 2;
/// `struct xdp_md`
const DATA: i16 = 0;
const DATA_END: i16 = 4;
const QUEUE: i16 = 16;

const KEY_BYTES: usize = 20;
/// The key on the stack: address, port, family.
const KEY: i16 = -24;
const KEY_PORT: i16 = KEY + 16;
const KEY_FAMILY: i16 = KEY + 18;

/// The program with its tables, not on an interface yet.
#[derive(Debug)]
pub(super) struct Filter {
    program: Program,
    /// Address and port of the node -> the first socket of its shard.
    locals: Map,
    /// That plus the queue -> socket.
    sockets: Map,
}

impl Filter {
    /// For `sockets` sockets; longer frames than `longest` pass.
    pub(super) fn load(sockets: usize, longest: usize, shards: usize) -> Result<Filter, BpfError> {
        let locals = Map::create(MapKind::Hash, KEY_BYTES, 4, MAX_LOCALS * shards, "kn_xdp_locals")?;
        let sockets = Map::create(MapKind::Xsk, 4, 4, sockets, "kn_xdp_sockets")?;
        let code = program(&locals, &sockets, longest)?;
        let program = Program::load(ProgramKind::Xdp, &code, "kn_xdp")?;
        Ok(Filter { program, locals, sockets })
    }

    /// On the interface, until the link is dropped or the process ends.
    pub(super) fn attach(&self, interface: u32, flags: u32) -> Result<Link, BpfError> {
        Link::xdp(&self.program, interface, flags)
    }

    /// The number from which the sockets for `local` count, if it is entered.
    pub(super) fn holder(&self, local: SocketAddr) -> Result<Option<u32>, BpfError> {
        let mut value = [0; 4];
        let found = self.locals.lookup(&key(local), &mut value)?;
        Ok(found.then_some(u32::from_ne_bytes(value)))
    }

    /// What comes to `local` on queue `q` goes to socket `first + q`.
    pub(super) fn add_local(&self, local: SocketAddr, first: u32) -> Result<(), BpfError> {
        self.locals.update(&key(local), &first.to_ne_bytes())
    }

    pub(super) fn remove_local(&self, local: SocketAddr) -> Result<bool, BpfError> {
        self.locals.delete(&key(local))
    }

    pub(super) fn set_socket(&self, number: u32, socket: BorrowedFd<'_>) -> Result<(), BpfError> {
        self.sockets.update(&number.to_ne_bytes(), &socket.as_raw_fd().to_ne_bytes())
    }

    pub(super) fn remove_socket(&self, number: u32) -> Result<bool, BpfError> {
        self.sockets.delete(&number.to_ne_bytes())
    }
}

fn key(local: SocketAddr) -> [u8; KEY_BYTES] {
    let mut key = [0; KEY_BYTES];
    match local.ip() {
        IpAddr::V4(v4) => key[..4].copy_from_slice(&v4.octets()),
        IpAddr::V6(v6) => key[..16].copy_from_slice(&v6.octets()),
    }
    key[16..18].copy_from_slice(&local.port().to_be_bytes());
    key[18] = if local.is_ipv4() { 4 } else { 6 };
    key
}

/// Two bytes of the packet, as a load reads them here.
fn wire(value: u16) -> i32 {
    i32::from(value.to_be())
}

fn program(locals: &Map, sockets: &Map, longest: usize) -> Result<Vec<crate::bpf::Insn>, BpfError> {
    let mut code = Assembler::new();
    let (pass, ipv6, look) = (code.label(), code.label(), code.label());
    code.alu_register(Operation::Set, R6, R1)
        .load(Width::Word, R7, R6, DATA)
        .load(Width::Word, R8, R6, DATA_END)
        .alu_register(Operation::Set, R2, R8)
        .alu_register(Operation::Subtract, R2, R7)
        .jump_if(R2, Condition::Greater, longest as i32, pass);
    // Ethernet, IPv4, UDP: the shortest that can be ours.
    reach(&mut code, 14 + 20 + 8, pass);
    code.store_value(Width::Double, R10, KEY, 0)
        .store_value(Width::Double, R10, KEY + 8, 0)
        .load(Width::Half, R3, R7, 12)
        .jump_if(R3, Condition::Equal, wire(0x86dd), ipv6)
        .jump_if(R3, Condition::NotEqual, wire(0x0800), pass)
        // Version 4 and no options; neither "more fragments" nor an offset.
        .load(Width::Byte, R3, R7, 14)
        .jump_if(R3, Condition::NotEqual, 0x45, pass)
        .load(Width::Half, R3, R7, 20)
        .alu(Operation::And, R3, wire(0x3fff))
        .jump_if(R3, Condition::NotEqual, 0, pass)
        .load(Width::Byte, R3, R7, 23)
        .jump_if(R3, Condition::NotEqual, libc::IPPROTO_UDP, pass)
        .load(Width::Word, R3, R7, 30)
        .store(Width::Word, R10, KEY, R3)
        .load(Width::Half, R3, R7, 36)
        .store(Width::Half, R10, KEY_PORT, R3)
        .store_value(Width::Half, R10, KEY_FAMILY, wire_family(4))
        .jump(look)
        .place(ipv6);
    reach(&mut code, 14 + 40 + 8, pass);
    code.load(Width::Byte, R3, R7, 20).jump_if(R3, Condition::NotEqual, libc::IPPROTO_UDP, pass);
    for word in 0..4 {
        code.load(Width::Word, R3, R7, 38 + 4 * word).store(Width::Word, R10, KEY + 4 * word, R3);
    }
    code.load(Width::Half, R3, R7, 56)
        .store(Width::Half, R10, KEY_PORT, R3)
        .store_value(Width::Half, R10, KEY_FAMILY, wire_family(6))
        .place(look)
        .load_map(R1, locals)
        .alu_register(Operation::Set, R2, R10)
        .alu(Operation::Add, R2, i32::from(KEY))
        .call(Helper::MapLookup)
        .jump_if(R0, Condition::Equal, 0, pass)
        .load(Width::Word, R2, R0, 0)
        .load(Width::Word, R3, R6, QUEUE)
        .alu_register(Operation::Add, R2, R3)
        .load_map(R1, sockets)
        // No socket there: pass.
        .alu(Operation::Set, R3, PASS)
        .call(Helper::RedirectMap)
        .exit()
        .place(pass)
        .alu(Operation::Set, R0, PASS)
        .exit();
    code.finish()
}

/// The family's half word, whose first byte in memory is the number.
fn wire_family(number: u8) -> i32 {
    i32::from(u16::from_ne_bytes([number, 0]))
}

/// Proves to the verifier that the frame has so many bytes.
fn reach(code: &mut Assembler, bytes: i32, pass: crate::bpf::Label) {
    code.alu_register(Operation::Set, R2, R7).alu(Operation::Add, R2, bytes).jump_if_register(
        R2,
        Condition::Greater,
        R8,
        pass,
    );
}
