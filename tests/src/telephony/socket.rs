//! UDP sockets of everybody in the namespace, as the kernel lists them.

use std::fs;
use std::ops::Range;

use super::lab::address;
use super::relay::PORTS;
use crate::Error;

/// One socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Socket {
    /// Its port.
    pub port: u16,
    /// Datagrams that came when it was full.
    pub drops: u64,
}

impl Socket {
    /// The sockets at a party's address.
    pub fn of(party: &str) -> Result<Vec<Socket>, Error> {
        let table = fs::read_to_string("/proc/thread-self/net/udp")?;
        let wanted = u32::from_ne_bytes(address(party).octets());
        Ok(table.lines().skip(1).filter_map(|line| Socket::parse(line, wanted)).collect())
    }

    /// `sl local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode ref pointer drops`
    fn parse(line: &str, wanted: u32) -> Option<Socket> {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (ip, port) = fields.get(1)?.split_once(':')?;
        if u32::from_str_radix(ip, 16).ok()? != wanted {
            return None;
        }
        Some(Socket { port: u16::from_str_radix(port, 16).ok()?, drops: fields.last()?.parse().ok()? })
    }

    /// The relay's open media ports at a party's address.
    pub fn ports(party: &str) -> Result<Vec<u16>, Error> {
        let range: Range<u16> = PORTS.0..PORTS.1;
        let mut ports: Vec<u16> =
            Socket::of(party)?.iter().map(|socket| socket.port).filter(|port| range.contains(port)).collect();
        ports.sort_unstable();
        Ok(ports)
    }

    /// Whether a party has this port open.
    pub fn is_bound(party: &str, port: u16) -> bool {
        Socket::of(party).is_ok_and(|sockets| sockets.iter().any(|socket| socket.port == port))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_table_reads() {
        let line = "  23: 02004 : 0";
        assert_eq!(Socket::parse(line, 0), None);
        let line = "37: 0200400A:7530 00000000:0000 07 00000000:00000A00 00:00000000 00000000 0 0 123 2 0 5";
        let socket = Socket { port: 30_000, drops: 5 };
        assert_eq!(Socket::parse(line, u32::from_ne_bytes([10, 64, 0, 2])), Some(socket));
        assert_eq!(Socket::parse(line, 7), None);
    }
}
