//! A small loader for eBPF over bpf(2): programs written with [`Assembler`], and the maps they share with user
//! space. Programs here are a few dozen instructions; a compiler for them would be the larger dependency.

mod assembler;
mod map;
#[cfg(test)]
mod tests;

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use crate::capability::Capability;

pub use assembler::{Assembler, Condition, Helper, Insn, Label, Operation, Register, Width};
pub use map::{Map, MapKind};

/// Bytes of the verifier's words that an error carries: its verdict stands at the end of some hundred lines.
const LOG_BYTES: usize = 64 * 1024;
/// The last lines of the log, of which the verdict is one.
const LOG_LINES: usize = 12;

/// What may go wrong with a program or a map.
#[derive(Debug, thiserror::Error)]
pub enum BpfError {
    /// The kernel does not let us.
    #[error("no right to use eBPF: grant CAP_BPF (with CAP_NET_ADMIN for XDP), or run as root")]
    Forbidden,
    /// Kernels before 5.11 count maps as locked memory.
    #[error("too little locked memory for eBPF: raise `ulimit -l` (LimitMEMLOCK= in systemd)")]
    LockedMemory,
    /// The kernel is built without it, or too old.
    #[error("this kernel has no eBPF of this kind: Linux 5.3 or later with CONFIG_BPF_SYSCALL is needed")]
    Unsupported,
    /// The verifier refused the program: a fault of ours, or a kernel that knows less.
    #[error("the kernel's verifier refused the program {name}: {log}")]
    Refused {
        /// The program.
        name: &'static str,
        /// The verifier's last lines.
        log: String,
    },
    /// A label was used and never placed, or lies too far away.
    #[error("the eBPF program has a jump to nowhere")]
    Label,
    /// The system's words.
    #[error("bpf({command}): {source}")]
    System {
        /// What was asked for.
        command: &'static str,
        /// Why not.
        source: io::Error,
    },
}

impl BpfError {
    fn last(command: &'static str) -> BpfError {
        let source = io::Error::last_os_error();
        match source.raw_os_error() {
            Some(libc::EPERM | libc::EACCES) if command == "map_create" && locked_memory_is_short() => {
                BpfError::LockedMemory
            }
            Some(libc::EPERM | libc::EACCES) => BpfError::Forbidden,
            Some(libc::ENOSYS) => BpfError::Unsupported,
            _ => BpfError::System { command, source },
        }
    }
}

/// Who has the rights (maps of sockets want both) and is refused a map meets the limit of an old kernel, nothing else.
/// Root alone says little: in a container it lacks them.
fn locked_memory_is_short() -> bool {
    Capability::SysAdmin.held() || (Capability::Bpf.held() && Capability::NetAdmin.held())
}

/// What a program is for (`enum bpf_prog_type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum ProgramKind {
    /// Sees each packet of an interface ahead of the network stack, and says what becomes of it.
    Classifier = 3,
    /// Sees each frame of an interface first.
    Xdp = 6,
    /// Chooses the socket of a SO_REUSEPORT group.
    SkReuseport = 21,
}

/// A program in the kernel, gone with the last descriptor or attachment that holds it.
#[derive(Debug)]
pub struct Program {
    fd: OwnedFd,
}

impl Program {
    /// Verifies and loads. The name is for bpftool, at most 15 letters, digits or underscores.
    pub fn load(kind: ProgramKind, instructions: &[Insn], name: &'static str) -> Result<Program, BpfError> {
        // Without a log first: filling one costs more than verifying.
        match load(kind, instructions, name, &mut []) {
            Ok(fd) => Ok(Program { fd }),
            Err(BpfError::System { source, .. })
                if matches!(source.raw_os_error(), Some(libc::EINVAL | libc::E2BIG)) =>
            {
                Err(refused(kind, instructions, name))
            }
            // The verifier says EACCES for a program that reaches too far; only with a log is that told from
            // a missing right, which writes none.
            Err(BpfError::Forbidden) => match refused(kind, instructions, name) {
                BpfError::Refused { log, .. } if log.is_empty() => Err(BpfError::Forbidden),
                refused => Err(refused),
            },
            Err(error) => Err(error),
        }
    }
}

impl AsFd for Program {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn refused(kind: ProgramKind, instructions: &[Insn], name: &'static str) -> BpfError {
    let mut log = vec![0; LOG_BYTES];
    // Whatever the second try returns, the log says why the first failed.
    let _ = load(kind, instructions, name, &mut log);
    let end = log.iter().position(|byte| *byte == 0).unwrap_or(log.len());
    let text = String::from_utf8_lossy(&log[..end]);
    let lines: Vec<&str> = text.lines().collect();
    BpfError::Refused { name, log: lines[lines.len().saturating_sub(LOG_LINES)..].join("; ") }
}

/// `BPF_PROG_LOAD`'s part of `union bpf_attr`, as far as we fill it.
#[repr(C)]
#[derive(Default)]
struct LoadAttr {
    kind: u32,
    count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
    kernel_version: u32,
    flags: u32,
    name: [u8; 16],
}

fn load(
    kind: ProgramKind,
    instructions: &[Insn],
    name: &'static str,
    log: &mut [u8],
) -> Result<OwnedFd, BpfError> {
    // Some helpers are for programs under the GPL only; ours may be had under it by anyone who takes MIT.
    let license = c"Dual MIT/GPL";
    let mut attr = LoadAttr {
        kind: kind as u32,
        count: instructions.len() as u32,
        instructions: instructions.as_ptr() as u64,
        license: license.as_ptr() as u64,
        name: object_name(name),
        ..LoadAttr::default()
    };
    if !log.is_empty() {
        (attr.log_level, attr.log_size, attr.log) = (1, log.len() as u32, log.as_mut_ptr() as u64);
    }
    // SAFETY: the attribute's pointers are to the instructions, the licence and the log with their true sizes; all
    // of them outlive the call.
    let fd = unsafe { bpf(Call::ProgramLoad, &mut attr) }?;
    // SAFETY: the kernel has just made this descriptor for us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn object_name(name: &str) -> [u8; 16] {
    let mut bytes = [0; 16];
    let len = name.len().min(15);
    bytes[..len].copy_from_slice(&name.as_bytes()[..len]);
    bytes
}

/// `BPF_LINK_CREATE`'s part of `union bpf_attr`.
#[repr(C)]
#[derive(Default)]
struct LinkAttr {
    program: u32,
    target: u32,
    attach_type: u32,
    flags: u32,
}

/// A program on an interface; it comes off when this is dropped, or when the process dies.
#[derive(Debug)]
pub struct Link {
    _fd: OwnedFd,
}

impl Link {
    /// Puts an XDP program on the interface of this index. The flags are those of `XDP_FLAGS_*`.
    pub fn xdp(program: &Program, interface: u32, flags: u32) -> Result<Link, BpfError> {
        const BPF_XDP: u32 = 37;
        Link::create(program, interface, BPF_XDP, flags)
    }

    /// Puts a classifier on what the interface of this index receives (Linux 6.6).
    pub fn ingress(program: &Program, interface: u32) -> Result<Link, BpfError> {
        const BPF_TCX_INGRESS: u32 = 46;
        Link::create(program, interface, BPF_TCX_INGRESS, 0)
    }

    fn create(program: &Program, target: u32, attach_type: u32, flags: u32) -> Result<Link, BpfError> {
        let program = program.fd.as_raw_fd() as u32;
        let mut attr = LinkAttr { program, target, attach_type, flags };
        // SAFETY: the attribute holds numbers only.
        let fd = unsafe { bpf(Call::LinkCreate, &mut attr) }?;
        // SAFETY: the kernel has just made this descriptor for us alone.
        Ok(Link { _fd: unsafe { OwnedFd::from_raw_fd(fd) } })
    }
}

/// `enum bpf_cmd`.
#[derive(Clone, Copy)]
#[repr(u32)]
enum Call {
    MapCreate = 0,
    MapLookup = 1,
    MapUpdate = 2,
    MapDelete = 3,
    ProgramLoad = 5,
    LinkCreate = 28,
}

impl Call {
    fn name(self) -> &'static str {
        match self {
            Call::MapCreate => "map_create",
            Call::MapLookup => "map_lookup_elem",
            Call::MapUpdate => "map_update_elem",
            Call::MapDelete => "map_delete_elem",
            Call::ProgramLoad => "prog_load",
            Call::LinkCreate => "link_create",
        }
    }
}

/// bpf(2) with an attribute shorter than the kernel's union, which takes the rest for zero.
///
/// # Safety
/// Every pointer within the attribute is valid, for the length that the attribute states, until the call returns.
unsafe fn bpf<A>(call: Call, attr: &mut A) -> Result<RawFd, BpfError> {
    // SAFETY: the attribute is exclusively ours and its size is stated; what it points to, the caller vouches for.
    let result = unsafe {
        libc::syscall(libc::SYS_bpf, call as libc::c_long, std::ptr::from_mut(attr), size_of::<A>())
    };
    if result < 0 { Err(BpfError::last(call.name())) } else { Ok(result as RawFd) }
}
