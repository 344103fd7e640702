//! ICE in session descriptions (RFC 8839).

use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// What a side says of ICE.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Ice {
    /// `a=ice-ufrag`
    pub ufrag: String,
    /// `a=ice-pwd`
    pub pwd: String,
    /// `a=candidate` lines that could be read.
    pub candidates: Vec<Candidate>,
    /// `a=ice-options`, word by word.
    pub options: Vec<String>,
    /// `a=end-of-candidates`
    pub ended: bool,
}

/// The password is a secret; it is not printed.
impl fmt::Debug for Ice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ice")
            .field("ufrag", &self.ufrag)
            .field("candidates", &self.candidates)
            .field("options", &self.options)
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}

/// What kind of address a candidate is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CandidateKind {
    /// `host`
    Host,
    /// `srflx`
    ServerReflexive,
    /// `prflx`
    PeerReflexive,
    /// `relay`
    Relay,
}

impl CandidateKind {
    const ALL: [CandidateKind; 4] = [
        CandidateKind::Host,
        CandidateKind::ServerReflexive,
        CandidateKind::PeerReflexive,
        CandidateKind::Relay,
    ];

    /// As in SDP.
    pub fn name(self) -> &'static str {
        match self {
            CandidateKind::Host => "host",
            CandidateKind::ServerReflexive => "srflx",
            CandidateKind::PeerReflexive => "prflx",
            CandidateKind::Relay => "relay",
        }
    }

    /// RFC 8445 section 5.1.2.2
    fn preference(self) -> u32 {
        match self {
            CandidateKind::Host => 126,
            CandidateKind::PeerReflexive => 110,
            CandidateKind::ServerReflexive => 100,
            CandidateKind::Relay => 0,
        }
    }
}

/// `a=candidate`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Candidates of one kind, base and server share it.
    pub foundation: String,
    /// 1: RTP, 2: RTCP.
    pub component: u8,
    /// `UDP`; others cannot be used here.
    pub udp: bool,
    /// Higher is better.
    pub priority: u32,
    /// Where; `None` for a name (mDNS), which nobody resolves here.
    pub address: Option<SocketAddr>,
    /// What kind of address it is.
    pub kind: CandidateKind,
    /// `raddr` and `rport`.
    pub related: Option<SocketAddr>,
}

/// RFC 8445 section 5.1.2.1. `local_preference` orders addresses of a host, 65535 first.
pub fn priority(kind: CandidateKind, local_preference: u16, component: u8) -> u32 {
    (kind.preference() << 24) + (u32::from(local_preference) << 8) + (256 - u32::from(component.max(1)))
}

impl Candidate {
    /// A candidate of ours on an address of this host.
    pub fn host(address: SocketAddr, component: u8, local_preference: u16) -> Candidate {
        let kind = CandidateKind::Host;
        Candidate {
            // One foundation for each address family is enough for one address each.
            foundation: if address.is_ipv4() { "1".into() } else { "2".into() },
            component,
            udp: true,
            priority: priority(kind, local_preference, component),
            address: Some(address),
            kind,
            related: None,
        }
    }

    /// Reads the value of `a=candidate`. `None` if it is none; RFC 8839 section 5.1 has such lines ignored.
    pub fn parse(value: &str) -> Option<Candidate> {
        let mut words = value.split_ascii_whitespace();
        let foundation = words.next().filter(|f| f.len() <= 32)?.to_owned();
        let component = words.next()?.parse().ok().filter(|c| *c > 0)?;
        let udp = words.next()?.eq_ignore_ascii_case("udp");
        let priority = words.next()?.parse().ok()?;
        let (host, port) = (words.next()?, words.next()?.parse::<u16>().ok()?);
        let address = host.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, port));
        if words.next()? != "typ" {
            return None;
        }
        let name = words.next()?;
        let kind = CandidateKind::ALL.into_iter().find(|kind| kind.name() == name)?;
        let (mut related_ip, mut related_port) = (None, None);
        while let (Some(key), Some(value)) = (words.next(), words.next()) {
            match key {
                "raddr" => related_ip = value.parse::<IpAddr>().ok(),
                "rport" => related_port = value.parse::<u16>().ok(),
                _ => {}
            }
        }
        let related = related_ip.zip(related_port).map(|(ip, port)| SocketAddr::new(ip, port));
        Some(Candidate { foundation, component, udp, priority, address, kind, related })
    }
}

/// The value of `a=candidate`.
impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Candidate { foundation, component, priority, kind, .. } = self;
        let protocol = if self.udp { "UDP" } else { "TCP" };
        write!(f, "{foundation} {component} {protocol} {priority} ")?;
        match self.address {
            Some(address) => write!(f, "{} {}", address.ip(), address.port())?,
            None => f.write_str("0.0.0.0 9")?,
        }
        write!(f, " typ {}", kind.name())?;
        match self.related {
            Some(related) => write!(f, " raddr {} rport {}", related.ip(), related.port()),
            None => Ok(()),
        }
    }
}
