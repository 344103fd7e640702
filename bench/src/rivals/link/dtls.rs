//! DTLS 1.2 as the client, by rtc-dtls: it can be told which SRTP profile to offer.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Instant;

use bytes::BytesMut;
use rtc_crypto::providers::AwsLcRsProvider;
use rtc_crypto::{HashAlgorithm, RTCCryptoProvider};
use rtc_dtls::config::{ConfigBuilder, HandshakeConfig};
use rtc_dtls::crypto::Certificate;
use rtc_dtls::endpoint::{Endpoint, EndpointEvent};
use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use rtc_dtls::state::State;

use crate::rivals::{Keys, RivalError, Suite};

/// RFC 5764 section 4.2.
const EXPORTER: &str = "EXTRACTOR-dtls_srtp";
/// Content types of DTLS records (RFC 7983).
const RECORDS: std::ops::RangeInclusive<u8> = 20..=63;

/// The certificate that all links of a process share.
pub(crate) struct Identity {
    certificate: Certificate,
    provider: Arc<AwsLcRsProvider>,
    /// SHA-256 of it, as SDP has it.
    pub(crate) fingerprint: String,
}

impl Identity {
    /// A fresh self-signed one.
    pub(crate) fn new() -> Result<Identity, RivalError> {
        let provider = Arc::new(AwsLcRsProvider::default());
        let certificate =
            Certificate::generate_self_signed(vec!["bench".to_owned()], provider.crypto()).map_err(failed)?;
        let der = certificate.certificate.first().ok_or_else(|| failed("no certificate was made"))?;
        let fingerprint = fingerprint(&provider, der)?;
        Ok(Identity { certificate, provider, fingerprint })
    }

    fn config(&self, suite: Suite) -> Result<HandshakeConfig, RivalError> {
        let profile = match suite {
            Suite::Cm => SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80,
            Suite::Gcm128 => SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm,
        };
        ConfigBuilder::default()
            .with_crypto_provider(self.provider.clone())
            .with_certificates(vec![self.certificate.clone()])
            .with_srtp_protection_profiles(vec![profile])
            // No authority signs these certificates: the fingerprint in the SDP vouches (RFC 8842), and is compared below.
            .with_insecure_skip_verify(true)
            .build(true, None)
            .map_err(failed)
    }
}

/// Keys to send with and keys to receive with, from whoever is at `remote` and has the certificate of `expected`.
/// Datagrams that are no DTLS go to `other`.
pub(crate) fn handshake(
    socket: &UdpSocket,
    identity: &Identity,
    (remote, expected): (SocketAddr, &str),
    suite: Suite,
    until: Instant,
    other: impl Fn(&[u8]),
) -> Result<(Keys, Keys), RivalError> {
    let mut endpoint = Endpoint::new(socket.local_addr()?, Default::default(), None);
    let config = Arc::new(identity.config(suite)?);
    endpoint.connect(Instant::now(), remote, config, None).map_err(failed)?;
    let mut buffer = [0; 2048];
    while Instant::now() < until {
        transmit(&mut endpoint, socket, remote)?;
        let Ok((len, from)) = socket.recv_from(&mut buffer) else {
            endpoint.handle_timeout(remote, Instant::now()).map_err(failed)?;
            continue;
        };
        if from != remote {
            continue;
        }
        if !RECORDS.contains(&buffer[0]) {
            other(&buffer[..len]);
            continue;
        }
        let record = BytesMut::from(&buffer[..len]);
        let events = endpoint.read(Instant::now(), remote, None, record).map_err(failed)?;
        transmit(&mut endpoint, socket, remote)?;
        if events.iter().any(|event| matches!(event, EndpointEvent::HandshakeComplete)) {
            let state = endpoint.get_connection_state(remote).ok_or_else(|| failed("the session is gone"))?;
            let seen = state
                .peer_certificates
                .first()
                .map(|der| fingerprint(&identity.provider, der))
                .transpose()?;
            if seen.as_deref() != Some(expected) {
                return Err(failed(format!("the certificate is not {expected}")));
            }
            return keys(state, suite);
        }
    }
    Err(failed("no answer"))
}

fn transmit(endpoint: &mut Endpoint, socket: &UdpSocket, remote: SocketAddr) -> Result<(), RivalError> {
    while let Some(out) = endpoint.poll_transmit() {
        socket.send_to(&out.message, remote)?;
    }
    Ok(())
}

/// RFC 5764 section 4.2: client's key, server's key, client's salt, server's salt.
fn keys(state: &State, suite: Suite) -> Result<(Keys, Keys), RivalError> {
    let (key, salt) = suite.lengths();
    let material = state.export_keying_material(EXPORTER, &[], 2 * (key + salt)).map_err(failed)?;
    let material = material.as_ref();
    let part = |at: usize, len: usize| material[at..at + len].to_vec();
    let of =
        |index: usize| Keys { suite, key: part(index * key, key), salt: part(2 * key + index * salt, salt) };
    Ok((of(0), of(1)))
}

/// SHA-256 as SDP writes it (RFC 8122 section 5).
fn fingerprint(provider: &AwsLcRsProvider, der: &[u8]) -> Result<String, RivalError> {
    let hash = provider.crypto().hash(HashAlgorithm::Sha256, der).map_err(failed)?;
    let pairs: Vec<String> = hash.iter().map(|byte| format!("{byte:02X}")).collect();
    Ok(pairs.join(":"))
}

fn failed(error: impl std::fmt::Display) -> RivalError {
    RivalError::Setup(format!("DTLS: {error}"))
}
