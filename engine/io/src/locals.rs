//! Which addresses to bind. Sockets are always bound to one concrete address: an answer then leaves from the
//! address that the packet came to, with no control message per packet, and candidates are concrete anyway.

use std::ffi::c_int;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ptr;

use crate::error::BindError;
use crate::limits::MAX_LOCALS;

/// Replaces wildcards by the addresses that the machine has now; keeps the order and drops repetitions.
pub(crate) fn expand(bind: &[IpAddr]) -> Result<Vec<IpAddr>, BindError> {
    let mut addresses = Vec::new();
    for &wish in bind {
        if wish.is_unspecified() {
            let here = interface_addresses().map_err(BindError::Interfaces)?;
            addresses.extend(here.into_iter().filter(|a| a.is_ipv4() == wish.is_ipv4()));
        } else {
            addresses.push(wish);
        }
    }
    let mut unique = Vec::with_capacity(addresses.len());
    for address in addresses {
        if !unique.contains(&address) {
            unique.push(address);
        }
    }
    match unique.len() {
        0 => Err(BindError::NoAddress),
        found if found > MAX_LOCALS => Err(BindError::TooMany { found, limit: MAX_LOCALS }),
        _ => Ok(unique),
    }
}

/// Addresses of all interfaces that are up. Link-local IPv6 is left out: it means nothing without a scope.
fn interface_addresses() -> io::Result<Vec<IpAddr>> {
    let mut list: *mut libc::ifaddrs = ptr::null_mut();
    // SAFETY: getifaddrs writes one pointer, to a list that belongs to us until freeifaddrs.
    if unsafe { libc::getifaddrs(&mut list) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let mut addresses = Vec::new();
    let mut next = list;
    while !next.is_null() {
        // SAFETY: `next` is a node of the list, which is freed only after this loop.
        let node = unsafe { &*next };
        if node.ifa_flags & libc::IFF_UP as u32 != 0 {
            // SAFETY: `ifa_addr` is null or points to a sockaddr of the size that its family says.
            addresses.extend(unsafe { address_of(node.ifa_addr) });
        }
        next = node.ifa_next;
    }
    // SAFETY: the list came from getifaddrs, is freed once, and no reference into it is left.
    unsafe { libc::freeifaddrs(list) };
    Ok(addresses)
}

/// # Safety
/// `address` is null or points to a sockaddr of the size that its family says.
unsafe fn address_of(address: *const libc::sockaddr) -> Option<IpAddr> {
    if address.is_null() {
        return None;
    }
    // SAFETY: not null, so by the caller's word there is a sockaddr, and one of its family's size.
    unsafe {
        match c_int::from((*address).sa_family) {
            libc::AF_INET => {
                let v4 = ptr::read_unaligned(address.cast::<libc::sockaddr_in>());
                Some(IpAddr::V4(Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr))))
            }
            libc::AF_INET6 => {
                let v6 = ptr::read_unaligned(address.cast::<libc::sockaddr_in6>());
                let ip = Ipv6Addr::from(v6.sin6_addr.s6_addr);
                (!ip.is_unicast_link_local()).then_some(IpAddr::V6(ip))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_stands_for_concrete_addresses_of_its_family() {
        let v4 = expand(&[IpAddr::V4(Ipv4Addr::UNSPECIFIED)]).expect("there is loopback");
        assert!(v4.contains(&IpAddr::V4(Ipv4Addr::LOCALHOST)));
        assert!(v4.iter().all(|a| a.is_ipv4() && !a.is_unspecified()));
    }

    #[test]
    fn repetitions_and_nothing() {
        let one = IpAddr::V4(Ipv4Addr::LOCALHOST);
        assert_eq!(expand(&[one, one]).expect("fine"), vec![one]);
        assert!(matches!(expand(&[]), Err(BindError::NoAddress)));
        let many: Vec<IpAddr> = (0..=MAX_LOCALS as u8).map(|i| IpAddr::from([127, 0, 0, i + 1])).collect();
        assert!(matches!(expand(&many), Err(BindError::TooMany { .. })));
    }
}
