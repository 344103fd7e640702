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
    /// For peers that ICE has validated: a cookie would only cost a round trip.
    pub(super) config: Arc<Config>,
    /// For peers that first have to show that they are where they say (RFC 6347 section 4.2.1).
    pub(super) doubting: Arc<Config>,
    fingerprint: Fingerprint,
}

impl Identity {
    pub(crate) fn generate() -> Result<Identity, StartError> {
        let certificate = dimpl::certificate::generate_self_signed_certificate()
            .map_err(|error| StartError::Certificate(error.to_string()))?;
        let fingerprint = Fingerprint::of(HashAlgorithm::Sha256, &certificate.certificate);
        Ok(Identity { certificate, config: configure(false)?, doubting: configure(true)?, fingerprint })
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
