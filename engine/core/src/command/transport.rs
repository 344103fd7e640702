//! How a leg reaches its peer: by ICE on the shared port, or on ports of its own.

use std::net::SocketAddr;

use super::{ExtensionIds, LegId};

/// A new leg.
#[derive(Debug, Clone)]
pub struct LegConfig {
    /// Its name.
    pub leg: LegId,
    /// How it reaches its peer.
    pub transport: Transport,
    /// Header extensions negotiated on the bundle.
    pub extensions: ExtensionIds,
}

/// How a leg reaches its peer. Independent of how its media is protected.
#[derive(Debug, Clone)]
pub enum Transport {
    /// ICE-lite (RFC 8445) on the shard's shared port.
    Ice(IceCredentials),
    /// Ports of its own: a leg of a telephone call.
    Ports(Ports),
}

/// Ports that belong to one leg.
#[derive(Debug, Clone)]
pub struct Ports {
    /// The local socket of RTP: its [`kaname_wire::path::Path::local`].
    pub rtp: u32,
    /// The local socket of RTCP; `None`: the same (RFC 5761).
    pub rtcp: Option<u32>,
    /// ICE-lite on these ports: the peer is then where its checks come from, whatever `remote` says.
    pub ice: Option<IceCredentials>,
    /// Where the peer is.
    pub remote: Remote,
}

/// Where the peer is, and whom to believe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remote {
    /// Signalled. `None`, an unspecified address or port 0: not known, or on hold; nothing is sent until an address
    /// is learned.
    pub rtp: Option<SocketAddr>,
    /// Signalled (RFC 3605); `None`: the port above that of RTP where RTCP has a port of its own, else the same.
    pub rtcp: Option<SocketAddr>,
    /// Whom else to believe.
    pub learn: Learn,
}

/// Whom to believe besides the signalled address (RFC 7362). Packets under SRTP are believed once they are
/// authentic; what follows is about packets in the clear unless it says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Learn {
    /// Nobody: the signalled address alone is heard, under SRTP too, and it is where we send.
    Never,
    /// Within [`crate::limits::LEARN_WINDOW`] of the address being set: the first source that sends
    /// [`crate::limits::LEARN_PACKETS`] packets of one SSRC in a row, of the signalled address's family, unless
    /// anything has come from the signalled address. Then it is settled.
    Window,
    /// The same, and later moves are followed too (media handover): under SRTP once a packet from there is authentic,
    /// in the clear only with the same SSRC after the settled source has been silent for
    /// [`crate::limits::HANDOVER_SILENCE`].
    Handover,
}

/// Short-term credentials of a leg (RFC 8445 section 5.3). We are lite: the peer's password is never needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IceCredentials {
    /// Our user name fragment, 4 to 256 characters; unique among the live legs of a shard.
    pub local_ufrag: String,
    /// Our password, at least 22 characters.
    pub local_pwd: String,
    /// The peer's user name fragment.
    pub remote_ufrag: String,
}
