//! Who we are in every handshake of this run: one certificate, made at the start.

use std::sync::Arc;

use dimpl::{Config, DtlsCertificate};
use rtc_dtls::cipher_suite::CipherSuiteId;
use rtc_dtls::config::{ClientAuthType, ConfigBuilder, ExtendedMasterSecretType, HandshakeConfig};
use rtc_dtls::crypto::Certificate;
use rtc_dtls::crypto_provider::providers::AwsLcRsProvider;
use rtc_dtls::crypto_provider::{RTCCryptoProvider, SignatureScheme as KeyScheme};
use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use rtc_dtls::signature_hash_algorithm::SignatureScheme;

use super::records::CLEAR_RECORDS;
use crate::limits::{DTLS_MTU, FLIGHT_RETRIES, FLIGHT_TIME, HANDSHAKE_TIME};
use crate::{Fingerprint, HashAlgorithm, StartError};

/// Datagrams that a handshake keeps while it waits for earlier ones.
const QUEUED_DATAGRAMS: usize = 30;

/// The certificate and how we shake hands.
pub(crate) struct Identity {
    pub(super) certificate: DtlsCertificate,
    /// For peers that ICE has validated: a cookie would only cost a round trip.
    pub(super) config: Arc<Config>,
    /// For peers that first have to show that they are where they say (RFC 6347 section 4.2.1).
    pub(super) doubting: Arc<Config>,
    /// For peers whose certificates may be of RSA. The server always asks for the proof.
    pub(super) any_server: Arc<HandshakeConfig>,
    pub(super) any_client: Arc<HandshakeConfig>,
    fingerprint: Fingerprint,
}

impl Identity {
    pub(crate) fn generate() -> Result<Identity, StartError> {
        let certificate = dimpl::certificate::generate_self_signed_certificate()
            .map_err(|error| StartError::Certificate(error.to_string()))?;
        let fingerprint = Fingerprint::of(HashAlgorithm::Sha256, &certificate.certificate);
        Ok(Identity {
            config: configure(false)?,
            doubting: configure(true)?,
            any_server: configure_any(&certificate, false)?,
            any_client: configure_any(&certificate, true)?,
            certificate,
            fingerprint,
        })
    }

    pub(crate) fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }
}

fn configure(cookie: bool) -> Result<Arc<Config>, StartError> {
    let config = Config::builder()
        .mtu(DTLS_MTU)
        .max_queue_rx(QUEUED_DATAGRAMS)
        .require_client_certificate(true)
        .use_server_cookie(cookie)
        .flight_start_rto(FLIGHT_TIME)
        .flight_retries(FLIGHT_RETRIES)
        .handshake_timeout(HANDSHAKE_TIME)
        .build();
    config.map(Arc::new).map_err(|error| StartError::Certificate(error.to_string()))
}

/// The same certificate for both libraries: a description names it once.
fn configure_any(ours: &DtlsCertificate, is_client: bool) -> Result<Arc<HandshakeConfig>, StartError> {
    let provider = Arc::new(AwsLcRsProvider::new());
    let key = provider.crypto().import_signing_key(KeyScheme::EcdsaP256Sha256, &ours.private_key);
    let key = key.map_err(|error| StartError::Certificate(error.to_string()))?;
    let certificate = Certificate::from_signing_key(vec![ours.certificate.clone().into()], key);
    let config = ConfigBuilder::default()
        .with_crypto_provider(provider)
        .with_certificates(vec![certificate])
        // A server offers what its own certificate can sign; a client takes either kind.
        .with_cipher_suites(vec![
            CipherSuiteId::Tls_Ecdhe_Ecdsa_With_Aes_128_Gcm_Sha256,
            CipherSuiteId::Tls_Ecdhe_Rsa_With_Aes_128_Gcm_Sha256,
            CipherSuiteId::Tls_Ecdhe_Ecdsa_With_ChaCha20_Poly1305_Sha256,
            CipherSuiteId::Tls_Ecdhe_Rsa_With_ChaCha20_Poly1305_Sha256,
        ])
        .with_signature_schemes(vec![
            SignatureScheme::EcdsaWithP256AndSha256,
            SignatureScheme::EcdsaWithP384AndSha384,
            SignatureScheme::Pkcs1WithSha256,
            SignatureScheme::Pkcs1WithSha384,
            SignatureScheme::Pkcs1WithSha512,
        ])
        .with_srtp_protection_profiles(vec![
            SrtpProtectionProfile::Srtp_Aead_Aes_256_Gcm,
            SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm,
            SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80,
        ])
        .with_client_auth(ClientAuthType::RequireAnyClientCert)
        // RFC 7627: without it two handshakes can be made to share their keys.
        .with_extended_master_secret(ExtendedMasterSecretType::Require)
        // No authority signs these certificates: the fingerprint vouches for them (RFC 8122), and is compared before keys are
        // handed out.
        .with_insecure_skip_verify(true)
        .with_server_name("kaname".to_owned())
        .with_mtu(DTLS_MTU)
        .with_flight_interval(FLIGHT_TIME)
        .with_replay_protection_window(CLEAR_RECORDS as usize)
        .build(is_client, None);
    config.map(Arc::new).map_err(|error| StartError::Certificate(error.to_string()))
}
