//! A process as the system sees it: CPU, memory, context switches, drops at its sockets. And this one's own threads.

use std::collections::{BTreeMap, HashSet};
use std::fs;

/// A look at a process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Look {
    /// CPU time of each thread in nanoseconds, by thread.
    threads: BTreeMap<u32, u64>,
    /// Voluntary and involuntary context switches of all threads.
    switches: (u64, u64),
    /// Resident set in bytes.
    pub(crate) rss: u64,
    /// Datagrams dropped at its UDP sockets.
    drops: u64,
    /// When, nanoseconds since 1970.
    at_ns: u64,
}

/// What happened between two looks.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Between {
    /// Wall-clock seconds.
    pub(crate) seconds: f64,
    /// CPU nanoseconds of all threads.
    pub(crate) cpu_ns: u64,
    /// The busiest thread's share of a core.
    pub(crate) busiest: f64,
    /// Voluntary and involuntary context switches.
    pub(crate) switches: (u64, u64),
    /// Datagrams dropped.
    pub(crate) drops: u64,
}

impl Look {
    /// `None` when there is no such process, or the kernel does not say.
    pub(crate) fn at(pid: u32, now_ns: u64) -> Option<Look> {
        let mut look = Look { at_ns: now_ns, ..Look::default() };
        for task in fs::read_dir(format!("/proc/{pid}/task")).ok()? {
            let task = task.ok()?;
            let Some(id) = task.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            // A thread may end between the listing and the reading.
            let Ok(stat) = fs::read_to_string(task.path().join("schedstat")) else { continue };
            look.threads.insert(id, stat.split_whitespace().next()?.parse().ok()?);
            let status = fs::read_to_string(task.path().join("status")).unwrap_or_default();
            look.switches.0 += field(&status, "voluntary_ctxt_switches:").unwrap_or(0);
            look.switches.1 += field(&status, "nonvoluntary_ctxt_switches:").unwrap_or(0);
        }
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        look.rss = field(&status, "VmRSS:")? * 1024;
        look.drops = drops(pid).unwrap_or(0);
        Some(look)
    }

    pub(crate) fn since(&self, before: &Look) -> Between {
        let wall_ns = self.at_ns.saturating_sub(before.at_ns).max(1);
        let used = |(id, ns): (&u32, &u64)| ns.saturating_sub(before.threads.get(id).copied().unwrap_or(0));
        let busiest = self.threads.iter().map(used).max().unwrap_or(0);
        Between {
            seconds: wall_ns as f64 / 1e9,
            cpu_ns: self.threads.iter().map(used).sum(),
            busiest: busiest as f64 / wall_ns as f64,
            switches: (
                self.switches.0.saturating_sub(before.switches.0),
                self.switches.1.saturating_sub(before.switches.1),
            ),
            drops: self.drops.saturating_sub(before.drops),
        }
    }
}

impl Between {
    /// Cores' worth of CPU.
    pub(crate) fn cores(&self) -> f64 {
        self.cpu_ns as f64 / 1e9 / self.seconds
    }
}

/// Proportional set in bytes: dear to read, so it is asked for by itself.
pub(crate) fn pss(pid: u32) -> Option<u64> {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    Some(field(&rollup, "Pss:")? * 1024)
}

fn field(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok())
}

/// The last column of /proc/PID/net/udp and udp6, for the sockets that the process has open.
fn drops(pid: u32) -> Option<u64> {
    let own: HashSet<u64> = fs::read_dir(format!("/proc/{pid}/fd"))
        .ok()?
        .filter_map(|entry| {
            let target = fs::read_link(entry.ok()?.path()).ok()?;
            target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
        })
        .collect();
    let mut total = 0;
    for table in ["udp", "udp6"] {
        let Ok(text) = fs::read_to_string(format!("/proc/{pid}/net/{table}")) else { continue };
        for line in text.lines().skip(1) {
            let columns: Vec<&str> = line.split_whitespace().collect();
            let inode = columns.get(9).and_then(|c| c.parse().ok());
            if inode.is_some_and(|inode: u64| own.contains(&inode)) {
                total += columns.last().and_then(|c| c.parse::<u64>().ok()).unwrap_or(0);
            }
        }
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;
    use crate::stamp::clock_ns;

    #[test]
    fn own_work_is_seen() {
        let pid = std::process::id();
        let before = Look::at(pid, clock_ns()).unwrap();
        let mut x = 1u64;
        let after = loop {
            (0..100_000).for_each(|_| x = std::hint::black_box(x.wrapping_mul(3)));
            let after = Look::at(pid, clock_ns()).unwrap();
            if after.since(&before).cpu_ns > 1_000_000 {
                break after;
            }
        };
        let between = after.since(&before);
        assert!(between.busiest > 0.0 && between.cores() >= between.busiest / 2.0, "{between:?}");
        assert!(after.rss > 1 << 20 && pss(pid).is_some_and(|pss| pss > 1 << 19));
        assert_eq!(Look::at(u32::MAX, 0), None);
    }

    #[test]
    fn a_full_socket_is_seen() {
        let pid = std::process::id();
        let deaf = UdpSocket::bind("127.0.0.1:0").unwrap();
        let before = Look::at(pid, clock_ns()).unwrap();
        let loud = UdpSocket::bind("127.0.0.1:0").unwrap();
        for _ in 0..2000 {
            loud.send_to(&[0; 1200], deaf.local_addr().unwrap()).unwrap();
        }
        let between = Look::at(pid, clock_ns()).unwrap().since(&before);
        assert!((1..2000).contains(&between.drops), "{between:?}");
    }
}
