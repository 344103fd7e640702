//! Rights of this thread (capabilities(7)).

/// A right by its number in linux/capability.h.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Capability {
    /// Interfaces, routes, and buffers beyond the limit.
    NetAdmin = 12,
    /// Frames as they are.
    NetRaw = 13,
    /// Locked memory without a limit.
    IpcLock = 14,
    /// Nearly everything.
    SysAdmin = 21,
    /// eBPF.
    Bpf = 39,
}

impl Capability {
    /// Whether the calling thread has it in effect.
    pub fn held(self) -> bool {
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
        let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
        let effective = effective.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok());
        effective.is_some_and(|set| set >> self as u32 & 1 == 1)
    }
}
