//! What the machine has: files, cores, instructions, a clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::Finding;
use crate::config::Config;
use crate::serve;

/// Beside the connections: media sockets, files, the runtime's own.
const OWN_FILES: u64 = 512;

/// Media ports of a call: RTP and RTCP on each of its sides.
pub(super) const PORTS_A_CALL: usize = 4;

/// Peers over TCP that a packet thread takes.
const TCP_A_SHARD: usize = 512;

/// Enough file descriptors for all HTTP connections, and for the peers that come over TCP.
pub(super) fn files(config: &Config) -> Finding {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let Some(soft) = line.and_then(|line| line.split_whitespace().next()) else {
        return Finding::warn("files", "cannot tell how many files may be open", "look at `ulimit -n`");
    };
    // A peer's media needs none, but where it comes over TCP.
    let over_tcp =
        if config.media.tcp { config.limits.peers.min(TCP_A_SHARD * serve::shards(config)) } else { 0 };
    // Each media port of a call is a socket.
    let calls = if config.ng.is_open() { config.calls.max_calls * PORTS_A_CALL } else { 0 };
    let needed = (config.http.max_connections + over_tcp + calls) as u64 + OWN_FILES;
    match soft.parse::<u64>() {
        Ok(soft) if soft < needed => {
            let message = format!(
                "{soft} files may be open; http.max_connections = {}, {over_tcp} peers over TCP and {calls} media ports of calls need {needed}",
                config.http.max_connections
            );
            Finding::warn(
                "files",
                message,
                format!(
                    "ulimit -n {needed} (LimitNOFILE= in a systemd unit), or lower http.max_connections or calls.max_calls"
                ),
            )
        }
        _ => Finding::ok("files", format!("{soft} files may be open")),
    }
}

/// Packet threads against cores.
pub(super) fn cores(config: &Config) -> Finding {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let shards = serve::shards(config);
    if shards > cores {
        return Finding::warn(
            "cores",
            format!("{shards} packet threads on {cores} core(s)"),
            "lower media.shards; more threads than cores only add delay",
        );
    }
    if cores == 1 {
        return Finding::warn(
            "cores",
            "one core, which packets and everything else share",
            "give the node two or more",
        );
    }
    Finding::ok("cores", format!("{cores} cores, {shards} packet thread(s)"))
}

/// The SRTP backend and the instructions behind it.
pub(super) fn processor() -> Finding {
    let backend = kaname_engine::srtp::Backend::best().name();
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let flags = info.lines().find_map(|line| line.strip_prefix("flags")).unwrap_or_default();
    let has = |flag: &&str| flags.split_whitespace().any(|found| found == *flag);
    let found: Vec<&str> = ["aes", "pclmulqdq", "sha_ni", "avx2", "avx512bw", "vaes", "vpclmulqdq"]
        .into_iter()
        .filter(has)
        .collect();
    let message = format!(
        "srtp backend {backend}; instructions: {}",
        if found.is_empty() { "none that help".into() } else { found.join(" ") }
    );
    if backend == "portable" && found.contains(&"aes") && std::env::var_os("KANAME_CPU_DISABLE").is_some() {
        return Finding::warn(
            "processor",
            message,
            "KANAME_CPU_DISABLE keeps faster backends from being used; unset it",
        );
    }
    if backend == "portable" && !found.contains(&"aes") {
        return Finding::warn(
            "processor",
            message,
            "encryption is many times slower than on a processor with AES instructions; choose another machine type",
        );
    }
    Finding::ok("processor", message)
}

/// Tokens and certificates need the right time.
pub(super) fn clock() -> Finding {
    /// 2026-01-01; this version is younger.
    const EARLIEST: Duration = Duration::from_secs(1_767_225_600);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    if now < EARLIEST {
        return Finding::fail(
            "clock",
            format!("the clock stands {} s after 1970, which is long ago", now.as_secs()),
            "set it (`timedatectl set-ntp true`); tokens and certificates need it",
        );
    }
    let source = std::fs::read_to_string("/sys/devices/system/clocksource/clocksource0/current_clocksource")
        .unwrap_or_default();
    let source = source.trim();
    if ["hpet", "acpi_pm", "jiffies", "refined-jiffies"].contains(&source) {
        return Finding::warn(
            "clock",
            format!("the kernel reads its clock from {source}, which is slow"),
            "boot with clocksource=tsc if the machine has a stable one",
        );
    }
    let source = if source.is_empty() { String::new() } else { format!(", read from {source}") };
    Finding::ok("clock", format!("the clock is plausible{source}"))
}
