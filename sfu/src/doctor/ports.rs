//! Ports and socket buffers.

use std::net::{SocketAddr, TcpListener, UdpSocket};

use kaname_engine::io::Capability;
use socket2::SockRef;

use super::Finding;
use crate::config::Config;
use crate::net;

/// Tries every HTTP listener.
pub(super) fn http(config: &Config) -> Vec<Finding> {
    let plain = config.http.listen.iter().map(|address| (*address, "http.listen", "http"));
    let secure = config.https.listen.iter().map(|address| (*address, "https.listen", "https"));
    plain.chain(secure).map(|(address, setting, check)| listener(address, setting, check)).collect()
}

fn listener(address: SocketAddr, setting: &str, check: &'static str) -> Finding {
    match TcpListener::bind(address) {
        Ok(_) => Finding::ok(check, format!("{address} is free")),
        Err(error) => {
            let advice = format!(
                "stop what uses port {} (`ss -ltnp` names it; a running kaname?), or choose another with --{}",
                address.port(),
                setting.replace('.', "-")
            );
            Finding::fail(check, format!("cannot listen on {address}: {error}"), advice)
        }
    }
}

/// Tries the media port, UDP and TCP, on every address.
pub(super) fn media(config: &Config) -> Vec<Finding> {
    let mut fails = Vec::new();
    let port = config.media.port;
    let addresses = net::media_addresses(config);
    for address in &addresses {
        let address = SocketAddr::new(*address, port);
        if let Err(error) = UdpSocket::bind(address) {
            fails.push(taken("udp", address, &error));
        }
        if let (true, Err(error)) = (config.media.tcp, TcpListener::bind(address)) {
            fails.push(taken("tcp", address, &error));
        }
    }
    if !fails.is_empty() {
        return fails;
    }
    let transports = if config.media.tcp { "udp and tcp" } else { "udp" };
    let message = match port {
        0 => format!("{transports}, any free port, on {} address(es)", addresses.len()),
        _ => format!("{transports} port {port} is free on {} address(es)", addresses.len()),
    };
    vec![Finding::ok("media", message)]
}

fn taken(transport: &str, address: SocketAddr, error: &std::io::Error) -> Finding {
    let advice = match error.kind() {
        std::io::ErrorKind::AddrNotAvailable => {
            "this machine has no such address; change media.bind (`ip addr` lists those it has)".to_owned()
        }
        _ => format!(
            "stop what uses port {} (`ss -lunp`, `ss -ltnp`; a running kaname?), or choose another with --media-port",
            address.port()
        ),
    };
    Finding::fail("media", format!("cannot listen on {transport} {address}: {error}"), advice)
}

/// Asks for the receive buffer as a media socket would, and looks at what came of it.
pub(super) fn receive_buffer(config: &Config) -> Finding {
    let wanted = config.media.receive_buffer_bytes;
    let limit = std::fs::read_to_string("/proc/sys/net/core/rmem_max")
        .ok()
        .and_then(|text| text.trim().parse::<usize>().ok());
    if Capability::NetAdmin.held() {
        return Finding::ok(
            "buffer",
            format!("the kernel grants receive buffers of {wanted} bytes (CAP_NET_ADMIN)"),
        );
    }
    let granted = UdpSocket::bind("127.0.0.1:0").ok().and_then(|socket| {
        let socket = SockRef::from(&socket);
        socket.set_recv_buffer_size(wanted).ok()?;
        // Linux reports twice what it grants, for its own book-keeping.
        socket.recv_buffer_size().ok().map(|bytes| bytes / 2)
    });
    match granted {
        Some(granted) if granted < wanted => {
            let message = format!(
                "the kernel grants receive buffers of {granted} bytes, not {wanted}; bursts will be lost under load"
            );
            let limit = limit.map(|limit| format!(" (it is {limit})")).unwrap_or_default();
            Finding::warn(
                "buffer",
                message,
                format!("sysctl -w net.core.rmem_max={wanted}{limit}, or give the node CAP_NET_ADMIN"),
            )
        }
        Some(_) => Finding::ok("buffer", format!("the kernel grants receive buffers of {wanted} bytes")),
        None => Finding::warn(
            "buffer",
            "cannot tell what receive buffer the kernel grants",
            "look at `sysctl net.core.rmem_max`",
        ),
    }
}

/// A full send buffer makes a packet thread wait and then drop.
pub(super) fn send_buffer() -> Finding {
    /// What the engine asks for.
    const WANTED: usize = 16 * 1024 * 1024;
    if Capability::NetAdmin.held() {
        return Finding::ok(
            "sending",
            format!("the kernel grants send buffers of {WANTED} bytes (CAP_NET_ADMIN)"),
        );
    }
    let limit = std::fs::read_to_string("/proc/sys/net/core/wmem_max").unwrap_or_default();
    match limit.trim().parse::<usize>() {
        Ok(limit) if limit >= WANTED => {
            Finding::ok("sending", format!("the kernel grants send buffers of {WANTED} bytes"))
        }
        Ok(limit) => Finding::warn(
            "sending",
            format!(
                "the kernel grants send buffers of {limit} bytes, not {WANTED}; key frames to many subscribers will be lost"
            ),
            format!("sysctl -w net.core.wmem_max={WANTED}, or give the node CAP_NET_ADMIN"),
        ),
        Err(_) => Finding::warn(
            "sending",
            "cannot tell what send buffer the kernel grants",
            "look at `sysctl net.core.wmem_max`",
        ),
    }
}
