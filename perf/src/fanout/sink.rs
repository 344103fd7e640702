//! Where everything ends that is sent: a classifier on the peers' side of each link counts each packet, segments of a
//! run one by one, and drops it ahead of the peers' network stack.
//!
//! A virtual link charges its receiver's work to the sender. What is charged here is the way to the classifier (the same
//! for all), in place of a network card's driver; the receiving stack is not.

use std::io;
use std::time::{Duration, Instant};

use kaname_io::bpf::{
    Assembler, BpfError, Condition, Helper, Insn, Link, Map, MapKind, Operation, Program, ProgramKind,
    Register, Width,
};

/// How long packets may take to the sink behind the end of a turn.
const ARRIVAL: Duration = Duration::from_millis(100);

/// Processors that count apart, a power of two; more share.
const PROCESSORS: usize = 64;

/// What arrived so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Packets, segments one by one.
    pub packets: u64,
    /// What the kernel carried them in: one for a run of segments.
    pub buffers: u64,
}

/// The classifier and its counters.
pub struct Sink {
    map: Map,
    program: Program,
}

impl Sink {
    /// Loads the classifier.
    ///
    /// # Errors
    /// Why the kernel refused.
    pub fn new() -> io::Result<Sink> {
        let map = Map::create(MapKind::Array, 4, 16, PROCESSORS, "kn_sink").map_err(explain)?;
        let code = counting(&map).map_err(explain)?;
        let program = Program::load(ProgramKind::Classifier, &code, "kn_sink").map_err(explain)?;
        Ok(Sink { map, program })
    }

    /// Puts it on what the interface of this index receives.
    ///
    /// # Errors
    /// Why the kernel refused.
    pub fn attach(&self, interface: u32) -> io::Result<Link> {
        Link::ingress(&self.program, interface).map_err(explain)
    }

    /// Waits until so many packets have arrived, but not for long; gives how many have.
    ///
    /// # Errors
    /// Those of the kernel.
    pub fn wait_for(&self, packets: u64) -> io::Result<u64> {
        let end = Instant::now() + ARRIVAL;
        loop {
            let arrived = self.count()?.packets;
            if arrived >= packets || Instant::now() > end {
                return Ok(arrived);
            }
            std::thread::yield_now();
        }
    }

    /// What has arrived.
    ///
    /// # Errors
    /// Those of the kernel.
    pub fn count(&self) -> io::Result<Count> {
        let mut sum = Count::default();
        for processor in 0..PROCESSORS as u32 {
            let mut value = [0; 16];
            self.map.lookup(&processor.to_ne_bytes(), &mut value).map_err(io::Error::other)?;
            let (packets, buffers) = value.split_at(8);
            sum.packets += number(packets);
            sum.buffers += number(buffers);
        }
        Ok(sum)
    }
}

fn explain(error: BpfError) -> io::Error {
    io::Error::other(format!("the sink needs eBPF on Linux 6.6 or later: {error}"))
}

fn number(bytes: &[u8]) -> u64 {
    bytes.try_into().map_or(0, u64::from_ne_bytes)
}

/// Counts IPv4 packets and drops them; lets anything else through.
fn counting(map: &Map) -> Result<Vec<Insn>, BpfError> {
    // Of `struct __sk_buff`, and what a classifier may return.
    const PROTOCOL: i16 = 16;
    const SEGMENTS: i16 = 164;
    const PASS: i32 = 0;
    const DROP: i32 = 2;
    use Register::{R0, R1, R2, R6, R7, R10};

    let mut code = Assembler::new();
    let (pass, several, drop) = (code.label(), code.label(), code.label());
    code.alu_register(Operation::Set, R6, R1)
        .load(Width::Word, R0, R6, PROTOCOL)
        .jump_if(R0, Condition::NotEqual, i32::from((libc::ETH_P_IP as u16).to_be()), pass)
        .load(Width::Word, R7, R6, SEGMENTS)
        .jump_if(R7, Condition::NotEqual, 0, several)
        .alu(Operation::Set, R7, 1)
        .place(several)
        .call(Helper::ProcessorNumber)
        .alu(Operation::And, R0, PROCESSORS as i32 - 1)
        .store(Width::Word, R10, -4, R0)
        .load_map(R1, map)
        .alu_register(Operation::Set, R2, R10)
        .alu(Operation::Add, R2, -4)
        .call(Helper::MapLookup)
        .jump_if(R0, Condition::Equal, 0, drop)
        .load(Width::Double, R1, R0, 0)
        .alu_register(Operation::Add, R1, R7)
        .store(Width::Double, R0, 0, R1)
        .load(Width::Double, R1, R0, 8)
        .alu(Operation::Add, R1, 1)
        .store(Width::Double, R0, 8, R1)
        .place(drop)
        .alu(Operation::Set, R0, DROP)
        .exit()
        .place(pass)
        .alu(Operation::Set, R0, PASS)
        .exit();
    code.finish()
}
