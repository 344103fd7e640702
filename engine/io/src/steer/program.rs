//! The program that chooses a shard's socket for each datagram. One for each local address, since a program chooses
//! within one group.

use super::{ATTRIBUTES, HEADER_LEN, KEY_LEN, MAGIC, USERNAME};
use crate::bpf::Register::{R0, R1, R2, R3, R4, R5, R6, R7, R8, R10};
use crate::bpf::{Assembler, BpfError, Condition, Helper, Insn, Label, Map, Operation, Register, Width};

/// What a program does with a datagram (`enum sk_action`): deliver it.
const SK_PASS: i32 = 1;
/// Offsets count from the UDP header.
const UDP_HEADER_LEN: i32 = 8;
/// `BPF_HDR_START_NET`
const FROM_NETWORK_HEADER: i32 = 1;
/// Where the source address stands in the network header, and its length.
const SOURCE_V4: (i32, i32) = (12, 4);
const SOURCE_V6: (i32, i32) = (8, 16);

/// The stack: the key, the shard, and what was read of the datagram.
const KEY: i16 = -(KEY_LEN as i16);
const SHARD: i16 = KEY - 4;
const READ: i16 = SHARD - 24;

/// Writes the program of local socket `local`.
pub(super) fn write(local: u8, is_v4: bool, addresses: &Map, sockets: &Map) -> Result<Vec<Insn>, BpfError> {
    let mut code = Assembler::new();
    let (by_name, select, pass) = (code.label(), code.label(), code.label());
    code.alu_register(Operation::Set, R6, R1);
    by_address(&mut code, (local, is_v4), addresses, by_name, select);
    code.place(by_name);
    name(&mut code, select, pass);
    // The shard's socket; if that is gone, or there is no such shard, the kernel's hash decides.
    code.place(select).alu_register(Operation::Set, R1, R6).load_map(R2, sockets);
    stack(&mut code, R3, SHARD);
    code.alu(Operation::Set, R4, 0)
        .call(Helper::SelectReuseport)
        .place(pass)
        .alu(Operation::Set, R0, SK_PASS)
        .exit();
    code.finish()
}

/// Looks the source up: whoever was heard before stays where it is.
fn by_address(
    code: &mut Assembler,
    (local, is_v4): (u8, bool),
    addresses: &Map,
    unknown: Label,
    select: Label,
) {
    for at in (0..KEY_LEN as i16).step_by(4) {
        code.store_value(Width::Word, R10, KEY + at, 0);
    }
    let ((offset, len), at) = if is_v4 { (SOURCE_V4, 12) } else { (SOURCE_V6, 0) };
    code.alu_register(Operation::Set, R1, R6).alu(Operation::Set, R2, offset);
    stack(code, R3, KEY + at);
    code.alu(Operation::Set, R4, len)
        .alu(Operation::Set, R5, FROM_NETWORK_HEADER)
        .call(Helper::LoadBytesRelative)
        .jump_if(R0, Condition::NotEqual, 0, unknown);
    read(code, Offset::At(0), KEY + 16, 2, unknown);
    code.store_value(Width::Byte, R10, KEY + 18, i32::from(local)).load_map(R1, addresses);
    stack(code, R2, KEY);
    code.call(Helper::MapLookup)
        .jump_if(R0, Condition::Equal, 0, unknown)
        .load(Width::Word, R1, R0, 0)
        .store(Width::Word, R10, SHARD, R1)
        .jump(select);
}

/// Finds the user name of a connectivity check, whose first letter names the shard.
fn name(code: &mut Assembler, select: Label, pass: Label) {
    let (next, found) = (code.label(), code.label());
    read(code, Offset::At(UDP_HEADER_LEN), READ, HEADER_LEN as i32, pass);
    let magic = i32::from_ne_bytes(MAGIC);
    let request = i32::from(u16::from_ne_bytes(super::BINDING_REQUEST));
    code.load(Width::Half, R1, R10, READ)
        .jump_if(R1, Condition::NotEqual, request, pass)
        .load(Width::Word, R1, R10, READ + 4)
        .jump_if(R1, Condition::NotEqual, magic, pass)
        .alu(Operation::Set, R7, UDP_HEADER_LEN + HEADER_LEN as i32)
        .alu(Operation::Set, R8, 0)
        .place(next);
    // Kind, length, and the first byte of the value.
    read(code, Offset::In(R7), READ, 5, pass);
    code.load(Width::Half, R1, R10, READ)
        .to_big_endian(R1, 16)
        .jump_if(R1, Condition::Equal, i32::from(USERNAME), found)
        .load(Width::Half, R1, R10, READ + 2)
        .to_big_endian(R1, 16)
        .alu(Operation::Add, R1, 4 + 3)
        .alu(Operation::And, R1, !3)
        .alu_register(Operation::Add, R7, R1)
        .alu(Operation::Add, R8, 1)
        .jump_if(R8, Condition::Less, ATTRIBUTES as i32, next)
        .jump(pass)
        .place(found)
        .load(Width::Byte, R1, R10, READ + 4);
    number(code, pass);
    code.store(Width::Word, R10, SHARD, R1).jump(select);
}

/// The letter in R1 becomes the shard's number.
fn number(code: &mut Assembler, pass: Label) {
    let done = code.label();
    // Each range of the alphabet, the highest first: what its first letter stands for.
    for (first, last, number) in
        [(b'a', b'z', 26), (b'A', b'Z', 0), (b'0', b'9', 52), (b'+', b'+', 62), (b'/', b'/', 63)]
    {
        let below = code.label();
        code.jump_if(R1, Condition::Less, i32::from(first), below)
            .jump_if(R1, Condition::Greater, i32::from(last), below)
            .alu(Operation::Add, R1, number - i32::from(first))
            .jump(done)
            .place(below);
    }
    code.jump(pass).place(done);
}

enum Offset {
    At(i32),
    In(Register),
}

/// Copies bytes of the datagram to the stack, or goes to `short` when there are not as many.
fn read(code: &mut Assembler, from: Offset, to: i16, len: i32, short: Label) {
    code.alu_register(Operation::Set, R1, R6);
    match from {
        Offset::At(offset) => code.alu(Operation::Set, R2, offset),
        Offset::In(register) => code.alu_register(Operation::Set, R2, register),
    };
    stack(code, R3, to);
    code.alu(Operation::Set, R4, len).call(Helper::LoadBytes).jump_if(R0, Condition::NotEqual, 0, short);
}

/// A register points to a place of the stack.
fn stack(code: &mut Assembler, register: Register, at: i16) {
    code.alu_register(Operation::Set, register, R10).alu(Operation::Add, register, i32::from(at));
}
