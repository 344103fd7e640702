//! Instructions of eBPF (RFC 9669), as far as our programs need them.

use std::os::fd::{AsFd, AsRawFd};

use super::{BpfError, Map};

/// One instruction as the kernel takes it (RFC 9669 section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Insn {
    code: u8,
    registers: u8,
    offset: i16,
    immediate: i32,
}

/// R0 holds results, R1 to R5 are arguments and lost in a call, R6 to R9 stay, R10 is the end of the 512 byte stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[expect(missing_docs, reason = "they are registers, told together above")]
pub enum Register {
    R0,
    R1,
    R2,
    R3,
    R4,
    R5,
    R6,
    R7,
    R8,
    R9,
    R10,
}

/// Of a load or a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Width {
    /// 32 bits.
    Word = 0x00,
    /// 16 bits.
    Half = 0x08,
    /// 8 bits.
    Byte = 0x10,
    /// 64 bits.
    Double = 0x18,
}

/// When to jump; numbers count as unsigned, on 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Condition {
    /// `==`
    Equal = 0x10,
    /// `>`
    Greater = 0x20,
    /// `>=`
    AtLeast = 0x30,
    /// `&`
    AnyBit = 0x40,
    /// `!=`
    NotEqual = 0x50,
    /// `<`
    Less = 0xa0,
    /// `<=`
    AtMost = 0xb0,
}

/// What to do with a register, on 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Operation {
    /// `+=`
    Add = 0x00,
    /// `-=`
    Subtract = 0x10,
    /// `*=`
    Multiply = 0x20,
    /// `|=`
    Or = 0x40,
    /// `&=`
    And = 0x50,
    /// `<<=`
    ShiftLeft = 0x60,
    /// `>>=`
    ShiftRight = 0x70,
    /// `%=`
    Remainder = 0x90,
    /// `=`
    Set = 0xb0,
}

/// The kernel's functions that our programs call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Helper {
    /// `(map, key) -> pointer or null`
    MapLookup = 1,
    /// `() -> number of the processor`
    ProcessorNumber = 8,
    /// `(context, offset, to, length) -> 0 or an error`, from the transport header.
    LoadBytes = 26,
    /// `(map, key, flags) -> action`
    RedirectMap = 51,
    /// `(context, offset, to, length, from) -> 0 or an error`; from 0: the link's header, 1: the network's.
    LoadBytesRelative = 68,
    /// `(context, sockets, key, flags) -> 0 or an error`
    SelectReuseport = 82,
}

/// A place to jump to.
#[derive(Clone, Copy, Debug)]
pub struct Label(usize);

/// Writes a program from top to bottom. Jumps go to labels, which are placed before or after.
#[derive(Debug, Default)]
pub struct Assembler {
    instructions: Vec<Insn>,
    /// Where each label stands, once placed.
    labels: Vec<Option<usize>>,
    /// Instructions to complete, and the labels they jump to.
    jumps: Vec<(usize, Label)>,
}

const CLASS_LDX: u8 = 0x01;
const CLASS_ST: u8 = 0x02;
const CLASS_STX: u8 = 0x03;
const CLASS_JMP: u8 = 0x05;
const CLASS_ALU64: u8 = 0x07;
const MODE_MEM: u8 = 0x60;
const SOURCE_REGISTER: u8 = 0x08;
const LOAD_IMMEDIATE_64: u8 = 0x18;
const SOURCE_IS_MAP: u8 = 1;
const TO_BIG_ENDIAN: u8 = 0xdc;
const CALL: u8 = 0x85;
const EXIT: u8 = 0x95;

impl Assembler {
    /// An empty program.
    pub fn new() -> Assembler {
        Assembler::default()
    }

    /// `to operation= value`
    pub fn alu(&mut self, operation: Operation, to: Register, value: i32) -> &mut Self {
        self.emit(CLASS_ALU64 | operation as u8, to as u8, 0, 0, value)
    }

    /// `to operation= from`
    pub fn alu_register(&mut self, operation: Operation, to: Register, from: Register) -> &mut Self {
        self.emit(CLASS_ALU64 | operation as u8 | SOURCE_REGISTER, to as u8, from as u8, 0, 0)
    }

    /// Swaps a number of 16, 32 or 64 bits between the network's order and ours, and clears the bits above.
    pub fn to_big_endian(&mut self, register: Register, bits: i32) -> &mut Self {
        self.emit(TO_BIG_ENDIAN, register as u8, 0, 0, bits)
    }

    /// `to = *(from + offset)`
    pub fn load(&mut self, width: Width, to: Register, from: Register, offset: i16) -> &mut Self {
        self.emit(CLASS_LDX | MODE_MEM | width as u8, to as u8, from as u8, offset, 0)
    }

    /// `*(to + offset) = from`
    pub fn store(&mut self, width: Width, to: Register, offset: i16, from: Register) -> &mut Self {
        self.emit(CLASS_STX | MODE_MEM | width as u8, to as u8, from as u8, offset, 0)
    }

    /// `*(to + offset) = value`
    pub fn store_value(&mut self, width: Width, to: Register, offset: i16, value: i32) -> &mut Self {
        self.emit(CLASS_ST | MODE_MEM | width as u8, to as u8, 0, offset, value)
    }

    /// `to =` the map, as helpers take it. The program keeps the map alive.
    pub fn load_map(&mut self, to: Register, map: &Map) -> &mut Self {
        let fd = map.as_fd().as_raw_fd();
        self.emit(LOAD_IMMEDIATE_64, to as u8, SOURCE_IS_MAP, 0, fd).emit(0, 0, 0, 0, 0)
    }

    /// Calls with R1 to R5; the result is in R0.
    pub fn call(&mut self, helper: Helper) -> &mut Self {
        self.emit(CALL, 0, 0, 0, helper as i32)
    }

    /// Ends with R0.
    pub fn exit(&mut self) -> &mut Self {
        self.emit(EXIT, 0, 0, 0, 0)
    }

    /// A label, to be placed once.
    pub fn label(&mut self) -> Label {
        self.labels.push(None);
        Label(self.labels.len() - 1)
    }

    /// The label stands here.
    pub fn place(&mut self, label: Label) -> &mut Self {
        self.labels[label.0] = Some(self.instructions.len());
        self
    }

    /// Goes on at the label.
    pub fn jump(&mut self, label: Label) -> &mut Self {
        self.jumps.push((self.instructions.len(), label));
        self.emit(CLASS_JMP, 0, 0, 0, 0)
    }

    /// `if left condition value` goes on at the label. The value is sign-extended.
    pub fn jump_if(&mut self, left: Register, condition: Condition, value: i32, label: Label) -> &mut Self {
        self.jumps.push((self.instructions.len(), label));
        self.emit(CLASS_JMP | condition as u8, left as u8, 0, 0, value)
    }

    /// `if left condition right` goes on at the label.
    pub fn jump_if_register(
        &mut self,
        left: Register,
        condition: Condition,
        right: Register,
        label: Label,
    ) -> &mut Self {
        self.jumps.push((self.instructions.len(), label));
        self.emit(CLASS_JMP | condition as u8 | SOURCE_REGISTER, left as u8, right as u8, 0, 0)
    }

    /// The program, its jumps filled in.
    pub fn finish(mut self) -> Result<Vec<Insn>, BpfError> {
        for (at, label) in self.jumps {
            let target = self.labels[label.0].ok_or(BpfError::Label)?;
            // Counted from the instruction behind the jump (RFC 9669 section 4.3).
            let distance = target as isize - at as isize - 1;
            self.instructions[at].offset = i16::try_from(distance).map_err(|_| BpfError::Label)?;
        }
        Ok(self.instructions)
    }

    fn emit(&mut self, code: u8, to: u8, from: u8, offset: i16, immediate: i32) -> &mut Self {
        // The fields' order is the machine's (RFC 9669 section 3.1).
        let registers = if cfg!(target_endian = "little") { from << 4 | to } else { to << 4 | from };
        self.instructions.push(Insn { code, registers, offset, immediate });
        self
    }
}
