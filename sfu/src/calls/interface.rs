//! Networks that calls have a side in, by name.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// An address that media ports are opened on, under the name by which requests pick it (`direction`, `interface`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Several may have the same: an IPv4 and an IPv6 address, or more of one family, which are taken in turn.
    pub name: String,
    /// An address of this machine.
    pub local: IpAddr,
    /// What session descriptions say instead, behind address translation.
    pub advertised: IpAddr,
}

/// Not an interface.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an interface such as 192.0.2.7, external/192.0.2.7 or external/10.0.0.7!192.0.2.7")]
pub struct InterfaceParseError;

/// The name of an interface that is given without one.
pub const DEFAULT_INTERFACE: &str = "default";

impl FromStr for Interface {
    type Err = InterfaceParseError;

    fn from_str(text: &str) -> Result<Interface, InterfaceParseError> {
        let (name, addresses) = text.split_once('/').unwrap_or((DEFAULT_INTERFACE, text));
        let (local, advertised) = addresses.split_once('!').unwrap_or((addresses, addresses));
        let local: IpAddr = local.trim().parse().map_err(|_| InterfaceParseError)?;
        let advertised: IpAddr = advertised.trim().parse().map_err(|_| InterfaceParseError)?;
        let is_name = (1..=64).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        if !is_name || local.is_unspecified() || local.is_ipv4() != advertised.is_ipv4() {
            return Err(InterfaceParseError);
        }
        Ok(Interface { name: name.to_owned(), local, advertised })
    }
}

impl fmt::Display for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.name, self.local)?;
        if self.advertised != self.local { write!(f, "!{}", self.advertised) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interfaces_read_as_they_are_written() {
        for text in ["default/192.0.2.7", "external/10.0.0.7!192.0.2.7", "v6/2001:db8::7"] {
            assert_eq!(text.parse::<Interface>().unwrap().to_string(), text);
        }
        assert_eq!("192.0.2.7".parse::<Interface>().unwrap().name, DEFAULT_INTERFACE);
    }

    #[test]
    fn what_no_port_could_be_opened_on_is_refused() {
        for bad in
            ["", "a/", "a/0.0.0.0", "::", "a b/192.0.2.7", "/192.0.2.7", "a/192.0.2.7!2001:db8::1", "a/x"]
        {
            assert_eq!(bad.parse::<Interface>(), Err(InterfaceParseError), "{bad}");
        }
    }
}
