//! The handshake of a light client: DTLS as the client, keys behind the signalled certificate.

use std::sync::Arc;
use std::time::{Duration, Instant};

use dimpl::{Config, Dtls, DtlsCertificate, KeyingMaterial, Output, SrtpProfile};
use kaname_engine::{Fingerprint, HashAlgorithm};
use kaname_srtp::{Keying, Profile};

use super::FleetError;

/// Room for a record; it grows when a certificate is longer.
const BUFFER: usize = 2048;
/// A node with thousands of clients at the door takes its time.
const HANDSHAKE_TIME: Duration = Duration::from_secs(30);

/// One certificate for all clients of a fleet: making thousands would take longer than joining.
pub(super) struct Identity {
    certificate: DtlsCertificate,
    config: Arc<Config>,
    /// `sha-256 AB:CD:…`
    pub(super) fingerprint: String,
}

impl Identity {
    pub(super) fn generate() -> Result<Identity, FleetError> {
        let broken = |error: String| FleetError::Target(format!("no certificate can be made: {error}"));
        let certificate =
            dimpl::certificate::generate_self_signed_certificate().map_err(|e| broken(e.to_string()))?;
        let config = Config::builder()
            .mtu(1200)
            .flight_start_rto(Duration::from_millis(200))
            .handshake_timeout(HANDSHAKE_TIME)
            .build()
            .map_err(|e| broken(e.to_string()))?;
        let fingerprint = Fingerprint::of(HashAlgorithm::Sha256, &certificate.certificate).to_string();
        Ok(Identity { certificate, config: Arc::new(config), fingerprint })
    }
}

/// What both sides protect with.
pub(super) struct Keys {
    pub(super) profile: Profile,
    /// Of the node.
    pub(super) inbound: Keying,
    /// Ours.
    pub(super) outbound: Keying,
}

/// A handshake under way.
pub(super) struct Handshake {
    dtls: Dtls,
    /// The node's, as signalled.
    expected: Fingerprint,
    buffer: Vec<u8>,
    certified: bool,
    connected: bool,
    material: Option<(KeyingMaterial, SrtpProfile)>,
    deadline: Instant,
}

/// Why a handshake is over without keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// The protocol failed.
    Protocol,
    /// Another certificate than the signalled one.
    Certificate,
}

impl Handshake {
    pub(super) fn new(identity: &Identity, expected: Fingerprint, now: Instant) -> Handshake {
        let mut dtls = Dtls::new_12(Arc::clone(&identity.config), identity.certificate.clone(), now);
        dtls.set_active(true);
        Handshake {
            dtls,
            expected,
            buffer: vec![0; BUFFER],
            certified: false,
            connected: false,
            material: None,
            deadline: now,
        }
    }

    pub(super) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Takes a datagram, or lets the clock run; hands out what is to be sent, and at the end the keys.
    pub(super) fn step(
        &mut self,
        datagram: Option<&[u8]>,
        now: Instant,
        mut send: impl FnMut(&[u8]),
    ) -> Result<Option<Keys>, Broken> {
        let mut result = self.dtls.handle_timeout(now);
        if let Some(datagram) = datagram {
            result = result.and_then(|()| self.dtls.handle_packet(datagram));
        }
        loop {
            match self.dtls.poll_output(&mut self.buffer) {
                Output::Packet(packet) => send(packet),
                Output::BufferTooSmall { needed } => self.buffer.resize(needed, 0),
                Output::Timeout(at) => {
                    self.deadline = at;
                    break;
                }
                Output::PeerCert(der) => {
                    if !self.expected.matches(der) {
                        return Err(Broken::Certificate);
                    }
                    self.certified = true;
                }
                Output::KeyingMaterial(material, profile) => self.material = Some((material, profile)),
                Output::Connected => self.connected = true,
                _ => {}
            }
        }
        result.map_err(|_| Broken::Protocol)?;
        if !self.connected {
            return Ok(None);
        }
        match self.material.take() {
            Some(_) if !self.certified => Err(Broken::Certificate),
            Some((material, profile)) => split(&material, profile).map(Some).ok_or(Broken::Protocol),
            None => Ok(None),
        }
    }
}

/// RFC 5764 section 4.2: client key, server key, client salt, server salt. We are the client.
fn split(material: &[u8], profile: SrtpProfile) -> Option<Keys> {
    let profile = match profile {
        SrtpProfile::AES128_CM_SHA1_80 => Profile::Aes128CmSha1_80,
        SrtpProfile::AEAD_AES_128_GCM => Profile::AeadAes128Gcm,
        SrtpProfile::AEAD_AES_256_GCM => Profile::AeadAes256Gcm,
        _ => return None,
    };
    let (client_key, rest) = material.split_at_checked(profile.key_len())?;
    let (server_key, rest) = rest.split_at_checked(profile.key_len())?;
    let (client_salt, server_salt) = rest.split_at_checked(profile.salt_len())?;
    Some(Keys {
        profile,
        inbound: Keying::new(profile, server_key, server_salt)?,
        outbound: Keying::new(profile, client_key, client_salt)?,
    })
}
