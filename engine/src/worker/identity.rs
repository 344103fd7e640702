//! Who we are in every handshake of this run: one certificate, made at the start.

use std::sync::Arc;

use dimpl::{Config, DtlsCertificate};

use crate::limits::{DTLS_MTU, FLIGHT_RETRIES, FLIGHT_TIME, HANDSHAKE_TIME};
use crate::{Fingerprint, HashAlgorithm, StartError};

/// Datagrams that a handshake keeps while it waits for earlier ones.
const QUEUED_DATAGRAMS: usize = 30;

/// The certificate and how we shake hands.
pub(crate) struct Identity {
    pub(super) certificate: DtlsCertificate,
    pub(super) config: Arc<Config>,
    fingerprint: Fingerprint,
}

impl Identity {
    pub(crate) fn generate() -> Result<Identity, StartError> {
        let certificate = dimpl::certificate::generate_self_signed_certificate()
            .map_err(|error| StartError::Certificate(error.to_string()))?;
        let config = Config::builder()
            .mtu(DTLS_MTU)
            .max_queue_rx(QUEUED_DATAGRAMS)
            .require_client_certificate(true)
            // ICE has shown that the peer is where it says: a cookie would only cost a round trip.
            .use_server_cookie(false)
            .flight_start_rto(FLIGHT_TIME)
            .flight_retries(FLIGHT_RETRIES)
            .handshake_timeout(HANDSHAKE_TIME)
            .build()
            .map_err(|error| StartError::Certificate(error.to_string()))?;
        let fingerprint = Fingerprint::of(HashAlgorithm::Sha256, &certificate.certificate);
        Ok(Identity { certificate, config: Arc::new(config), fingerprint })
    }

    pub(crate) fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }
}
