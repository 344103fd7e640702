//! What the engine needs to know to shake hands.

use kaname_core::command::Remote;

use crate::Fingerprint;

/// What [`crate::Engine::secure`] needs to know of the peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DtlsParams {
    /// The hash of the peer's certificate from its session description (`a=fingerprint`, RFC 8122). No keys
    /// are handed out for a certificate with another.
    pub remote_fingerprint: Fingerprint,
    /// What kinds of certificates are taken.
    pub certificates: Certificates,
    /// Who begins.
    pub role: DtlsRole,
    /// Whose records are listened to.
    pub peer: DtlsPeer,
    /// The session description has an `m=application` section: SCTP is answered.
    pub data_channels: bool,
    /// The peer's `a=sctp-port`, also ours (RFC 8841). 5000 by custom.
    pub sctp_port: u16,
    /// The peer's `a=max-message-size` in bytes, 0 for no limit (RFC 8841 section 6); larger messages are refused.
    pub max_message_size: u32,
}

impl DtlsParams {
    /// For a peer that ICE validates and that begins, with data channels on the customary port and message size.
    pub fn new(remote_fingerprint: Fingerprint) -> DtlsParams {
        DtlsParams {
            remote_fingerprint,
            certificates: Certificates::Elliptic,
            role: DtlsRole::Passive,
            peer: DtlsPeer::Validated,
            data_channels: true,
            sctp_port: 5000,
            max_message_size: 65_536,
        }
    }
}

/// What kinds of certificates a peer may have. Its description does not tell: a fingerprint hides the key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Certificates {
    /// ECDSA with P-256 or P-384, as browsers have: DTLS 1.3 (RFC 9147) or 1.2.
    #[default]
    Elliptic,
    /// RSA of 2048 bits or more too, as many telephones have: DTLS 1.2 (RFC 6347).
    Any,
}

/// Who sends the ClientHello (`a=setup`, RFC 4145 and RFC 5763 section 5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DtlsRole {
    /// The peer: our description says `a=setup:passive`.
    #[default]
    Passive,
    /// We, at once, to where the peer is: our description says `a=setup:active`.
    Active,
}

/// Whose records are listened to until the handshake is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DtlsPeer {
    /// Those that ICE has validated; the core hands out no others.
    #[default]
    Validated,
    /// The leg has ports of its own and no ICE: anyone may send. Whoever begins first shows that it is where it says, and
    /// several may try at once; the first with the signalled fingerprint is the peer, and the leg's address is then
    /// its. With [`kaname_core::command::Learn::Never`] only the signalled address may try.
    Signalled {
        /// The leg's port, as [`crate::Engine::open_port`] named it.
        local: u32,
        /// RTCP's port, where it has one of its own: a second handshake is on it, with the same certificates and roles (RFC
        /// 5764 section 4.1). `None`: `local` is of both (RFC 5761).
        rtcp: Option<u32>,
        /// Where the peer is by its description. As the leg's own.
        remote: Remote,
    },
}
