//! What the lines of a text mean.

mod media;
mod read;
mod session;

pub(super) use media::media;
pub(super) use session::session;

use std::net::{IpAddr, SocketAddr};

use kaname_engine::Fingerprint;

use super::crypto::{CryptoLine, CryptoRefused};
use super::dtls::Setup;
use super::format::Format;
use super::ice::Ice;
use super::protocol::Protocol;
use crate::sdp::Direction;

/// Where a side wants media, as a `c=` line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// An address.
    Ip(IpAddr),
    /// A name. Nobody resolves it here: the address is then learned from packets, or the proxy gives it.
    Name(String),
}

impl Host {
    /// The address, if it is one.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Host::Ip(ip) => Some(*ip),
            Host::Name(_) => None,
        }
    }

    /// `0.0.0.0` or `::`: the old way to say that nothing is to be sent here (RFC 3264 section 8.4).
    pub fn is_zero(&self) -> bool {
        self.ip().is_some_and(|ip| ip.is_unspecified())
    }
}

/// `o=`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The user name, often `-`.
    pub username: String,
    /// The session's identifier, as written.
    pub session_id: String,
    /// The version, as written: it may be longer than 64 bits.
    pub version: String,
    /// The address.
    pub host: Host,
}

/// What stands ahead of the first m-line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionView {
    /// `o=`
    pub origin: Origin,
    /// `s=`
    pub name: Option<String>,
    /// `c=`
    pub connection: Option<Host>,
    /// `a=ice-lite`
    pub ice_lite: bool,
    /// The mids of each `a=group:BUNDLE`.
    pub bundles: Vec<Vec<String>>,
    /// Values of the attribute that marks texts which already went through a relay ([`super::LOOP_ATTRIBUTE`]).
    pub loop_marks: Vec<String>,
}

/// Keys by DTLS, as an m-line or the session says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dtls {
    /// `a=fingerprint` of hash functions that are taken. Any one of them suffices (RFC 8122 section 5).
    pub fingerprints: Vec<Fingerprint>,
    /// There are fingerprints, but none of a hash function that is taken (MD5, SHA-1).
    pub only_weak: bool,
    /// `a=setup`
    pub setup: Option<Setup>,
    /// `a=tls-id` (RFC 8842); another one means another association.
    pub tls_id: Option<String>,
}

/// One m-line with its attributes; those of the session count where the m-line says nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaView {
    /// Which m-line, from 0.
    pub index: usize,
    /// `audio`, `video`, `image` and so on, as written.
    pub kind: String,
    /// The port; 0: refused or ended (unless [`MediaView::bundle_only`]).
    pub port: u16,
    /// How many ports, `m=audio 5000/2`; 1 nearly always.
    pub port_count: u16,
    /// The transport protocol.
    pub protocol: Protocol,
    /// The formats as written.
    pub format_words: Vec<String>,
    /// The formats of RTP, in order, each once.
    pub formats: Vec<Format>,
    /// `c=` of the m-line or else of the session.
    pub connection: Option<Host>,
    /// The m-line has a `c=` of its own.
    pub own_connection: bool,
    /// `a=rtcp`: a port and perhaps another address (RFC 3605).
    pub rtcp: Option<(u16, Option<Host>)>,
    /// `a=rtcp-mux` (RFC 5761)
    pub rtcp_mux: bool,
    /// `a=rtcp-mux-only` (RFC 8858)
    pub rtcp_mux_only: bool,
    /// `a=rtcp-rsize` (RFC 5506)
    pub rtcp_rsize: bool,
    /// As written, sendrecv by default. [`MediaView::meant_direction`] takes hold by address into account.
    pub direction: Direction,
    /// `a=ptime` in milliseconds.
    pub ptime: Option<u32>,
    /// `a=maxptime` in milliseconds.
    pub maxptime: Option<u32>,
    /// `a=crypto` lines that were understood, in order.
    pub crypto: Vec<CryptoLine>,
    /// Why others were not.
    pub crypto_refused: Vec<CryptoRefused>,
    /// DTLS, when there is an `a=fingerprint`.
    pub dtls: Option<Dtls>,
    /// ICE, when there are user name fragment and password.
    pub ice: Option<Ice>,
    /// `a=ice-mismatch`: the peer found that candidates and addresses disagree, and does without ICE.
    pub ice_mismatch: bool,
    /// `a=mid`
    pub mid: Option<String>,
    /// `a=bundle-only`
    pub bundle_only: bool,
    /// `a=label`
    pub label: Option<String>,
    /// SSRCs of `a=ssrc` lines, each once.
    pub ssrcs: Vec<u32>,
    /// `a=rtcp-fb` lines are there.
    pub has_feedback_lines: bool,
}

impl MediaView {
    /// The m-line is there but nothing flows: port 0, and not for bundling.
    pub fn is_off(&self) -> bool {
        self.port == 0 && !self.bundle_only
    }

    /// Where RTP goes: the address with the port, unless it is a name, zero, or the port is 0 or 9 (discard, which
    /// stands there until ICE says more).
    pub fn rtp_address(&self) -> Option<SocketAddr> {
        let ip = self.connection.as_ref().filter(|host| !host.is_zero())?.ip()?;
        (self.port != 0 && self.port != DISCARD).then(|| SocketAddr::new(ip, self.port))
    }

    /// Where RTCP goes without mux: `a=rtcp`, or else the next port (RFC 3550 section 11).
    pub fn rtcp_address(&self) -> Option<SocketAddr> {
        let rtp = self.rtp_address()?;
        match &self.rtcp {
            Some((port, host)) => {
                let ip = host.as_ref().map_or(Some(rtp.ip()), Host::ip).filter(|ip| !ip.is_unspecified())?;
                (*port != 0 && *port != DISCARD).then(|| SocketAddr::new(ip, *port))
            }
            None => rtp.port().checked_add(1).map(|port| SocketAddr::new(rtp.ip(), port)),
        }
    }

    /// Held the old way: address zero.
    pub fn is_zero(&self) -> bool {
        self.connection.as_ref().is_some_and(Host::is_zero)
    }

    /// The direction with the old way of holding: whose address is zero does not receive. A port of 9 with ICE
    /// (trickle) has a zero address too and means nothing by it (RFC 8840 section 4.1.3).
    pub fn meant_direction(&self) -> Direction {
        if !self.is_zero() || self.port == DISCARD && self.ice.is_some() {
            return self.direction;
        }
        if self.direction.sends() { Direction::SendOnly } else { Direction::Inactive }
    }

    /// Keys may come by SDES or DTLS though the protocol does not ask for encryption (RFC 8643).
    pub fn is_osrtp(&self) -> bool {
        self.protocol.is_rtp()
            && !self.protocol.is_secure()
            && (!self.crypto.is_empty() || self.dtls.is_some())
    }

    /// T.38 fax over UDPTL.
    pub fn is_t38(&self) -> bool {
        self.kind.eq_ignore_ascii_case("image")
            && self.protocol == Protocol::Udptl
            && self.format_words.iter().any(|word| word.eq_ignore_ascii_case("t38"))
    }
}

/// RFC 8840 section 4.1.1: the port of an m-line whose candidates are still to come.
const DISCARD: u16 = 9;
