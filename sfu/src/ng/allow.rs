//! Who may ask: networks of source addresses.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// A network, as `192.0.2.0/24` or a single address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

/// Not a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a network such as 192.0.2.0/24, 2001:db8::/32 or 192.0.2.7")]
pub struct NetworkParseError;

impl Network {
    /// Whether the address is in it. An IPv4 address inside of IPv6 counts as itself.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                same(u128::from(network.to_bits()), u128::from(address.to_bits()), 32, self.bits)
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                same(network.to_bits(), address.to_bits(), 128, self.bits)
            }
            _ => false,
        }
    }

    /// Whether it holds nothing but this machine itself.
    pub fn is_loopback(&self) -> bool {
        let whole = match self.address {
            IpAddr::V4(_) => 8,
            IpAddr::V6(_) => 128,
        };
        self.address.is_loopback() && self.bits >= whole
    }
}

/// Whether two addresses of `width` bits begin with the same `bits`.
fn same(one: u128, other: u128, width: u32, bits: u8) -> bool {
    let rest = width.saturating_sub(u32::from(bits));
    (one ^ other).checked_shr(rest).unwrap_or(0) == 0
}

impl FromStr for Network {
    type Err = NetworkParseError;

    fn from_str(text: &str) -> Result<Network, NetworkParseError> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.trim().parse().map_err(|_| NetworkParseError)?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            Some(bits) => bits.trim().parse::<u8>().map_err(|_| NetworkParseError)?,
            None => most,
        };
        if bits > most {
            return Err(NetworkParseError);
        }
        Ok(Network { address, bits })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(network: &str, address: &str) -> bool {
        network.parse::<Network>().unwrap().contains(address.parse().unwrap())
    }

    #[test]
    fn networks_hold_what_begins_alike() {
        for (network, inside, outside) in [
            ("192.0.2.0/24", "192.0.2.255", "192.0.3.0"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.6"),
            ("10.0.0.0/8", "::ffff:10.1.2.3", "11.0.0.0"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"),
            ("0.0.0.0/0", "203.0.113.9", "::1"),
            ("::1", "::1", "::2"),
        ] {
            assert!(contains(network, inside), "{network} {inside}");
            assert!(!contains(network, outside), "{network} {outside}");
        }
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for bad in ["", "x", "192.0.2.0/33", "::/129", "192.0.2.0/", "192.0.2.0/-1", "192.0.2/24"] {
            assert_eq!(bad.parse::<Network>(), Err(NetworkParseError), "{bad}");
        }
        assert!("127.0.0.0/8".parse::<Network>().unwrap().is_loopback());
        assert!(!"0.0.0.0/0".parse::<Network>().unwrap().is_loopback());
    }
}
