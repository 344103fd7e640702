//! The machine's own addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::config::{Config, Mode};

/// Every address of the machine's interfaces that others could reach, IPv4 first. Empty when the system does not say.
pub fn addresses() -> Vec<IpAddr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let mut found: Vec<IpAddr> = interfaces
        .into_iter()
        .filter(|each| !each.is_loopback())
        .map(|each| each.ip())
        .filter(is_usable)
        .collect();
    found.sort();
    found.dedup();
    found
}

/// Link-local IPv6 needs a scope, which neither a candidate nor a certificate can carry.
fn is_usable(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !address.is_unspecified(),
        IpAddr::V6(address) => !address.is_unicast_link_local() && !address.is_unspecified(),
    }
}

/// Where media is received: as set, or every address of the machine; loopback too in development, and when there is no other.
pub fn media_addresses(config: &Config) -> Vec<IpAddr> {
    if !config.media.bind.is_empty() {
        return config.media.bind.clone();
    }
    let mut found = addresses();
    if config.mode == Mode::Development || found.is_empty() {
        found.insert(0, Ipv4Addr::LOCALHOST.into());
        if has_ipv6() {
            found.push(Ipv6Addr::LOCALHOST.into());
        }
    }
    found
}

/// Whether the machine speaks IPv6, at least to itself.
pub fn has_ipv6() -> bool {
    std::net::UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).is_ok()
}
