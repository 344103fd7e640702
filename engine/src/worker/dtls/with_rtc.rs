//! DTLS 1.2 with certificates of RSA and of elliptic curves, by rtc-dtls.
//!
//! The library takes what comes in the peer's name as it comes, so what cannot be the peer's is kept from it
//! ([`super::super::records`]), and what it may keep is bounded here.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use kaname_srtp::Profile;
use rtc_dtls::config::HandshakeConfig;
use rtc_dtls::endpoint::{Endpoint, EndpointEvent};
use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use x509_parser::public_key::PublicKey;

use super::{Broken, Part, Step};
use crate::limits::{
    FLIGHT_PAUSE_MAX, FLIGHT_TIME, HANDSHAKE_BYTES, HANDSHAKE_FRAGMENTS, RSA_BITS, STALL_TIME,
};
use crate::worker::hello::{asks_for_proof, client_hello, is_first_hello, is_server_hello};
use crate::worker::identity::Identity;
use crate::worker::records::fragments;
use crate::{Fingerprint, SecureError};

/// The library keeps associations by address. This one has a single peer, whose address is the leg's business.
const PEER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 1);

/// RFC 5764 section 4.2.
const EXPORTER: &str = "EXTRACTOR-dtls_srtp";

pub(super) struct WithRtc {
    endpoint: Endpoint,
    /// Of one that we have yet to begin.
    unbegun: Option<Arc<HandshakeConfig>>,
    is_client: bool,
    events: Vec<EndpointEvent>,
    answered: bool,
    done: bool,
    closed: bool,
    /// Handshake fragments that came, and the bytes of what had them.
    fragments: usize,
    bytes: usize,
    /// Datagrams that the peer is to be sent.
    out: Vec<Box<[u8]>>,
    /// Our latest flight, and when it is repeated. The library would fall silent once a part of the peer's next came, and repeats
    /// at a steady pace where RFC 6347 section 4.2.4.1 wants growing pauses. A record that came is not read twice.
    flight: Vec<Box<[u8]>>,
    repeat: Option<Instant>,
    pause: Duration,
    /// Since then the other side, having said something, owes us the rest or what follows.
    owed: Option<Instant>,
}

impl WithRtc {
    pub(super) fn new(identity: &Identity, part: Part) -> WithRtc {
        let is_client = part == Part::Client;
        let server = (!is_client).then(|| identity.any_server.clone());
        WithRtc {
            endpoint: Endpoint::new(PEER, Default::default(), server),
            unbegun: is_client.then(|| identity.any_client.clone()),
            is_client,
            events: Vec::new(),
            answered: false,
            done: false,
            closed: false,
            fragments: 0,
            bytes: 0,
            out: Vec::new(),
            flight: Vec::new(),
            repeat: None,
            pause: FLIGHT_TIME,
            owed: None,
        }
    }

    pub(super) fn is_answered(&self) -> bool {
        self.answered
    }

    /// Whether a datagram may go in. One that could only have been forged is nobody's, and there is an end to what is
    /// taken: the library keeps fragments of messages that it has no use for.
    pub(super) fn admits(&mut self, datagram: &[u8]) -> bool {
        let Some(count) = fragments(datagram, !self.is_client).filter(|_| !self.closed) else { return false };
        if count > 0 {
            self.fragments += count;
            self.bytes += datagram.len();
        }
        count == 0 || (self.fragments <= HANDSHAKE_FRAGMENTS && self.bytes <= HANDSHAKE_BYTES)
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        [self.repeat, self.stalls()].into_iter().flatten().min()
    }

    /// Where we begin: what came may have been forged, and keeps the library from reading what the peer says. A server's
    /// candidates have an end of their own.
    fn stalls(&self) -> Option<Instant> {
        self.owed.filter(|_| self.is_client && !self.done).map(|since| since + STALL_TIME)
    }

    pub(super) fn datagram(
        &mut self,
        datagram: &[u8],
        expected: &Fingerprint,
        now: Instant,
    ) -> Result<(), Broken> {
        if self.asks() && is_first_hello(datagram) && client_hello(datagram).is_some() {
            // The question was lost. Some repeat a hello record for record, which the library takes for a replay.
            self.out.extend_from_slice(&self.flight);
            return Ok(());
        }
        self.answered |= is_server_hello(datagram) && !asks_for_proof(datagram);
        self.owed.get_or_insert(now);
        let result = self.endpoint.read(now, PEER, None, BytesMut::from(datagram));
        for event in result.as_ref().into_iter().flatten() {
            self.done |= matches!(event, EndpointEvent::HandshakeComplete);
            self.closed |= matches!(event, EndpointEvent::PeerClosed);
        }
        self.collect(now);
        self.events.extend(result.map_err(|_| self.why_broken(expected))?);
        Ok(())
    }

    /// Its latest flight asked the peer to show that it is where it says.
    fn asks(&self) -> bool {
        self.flight.first().is_some_and(|first| asks_for_proof(first))
    }

    /// Takes what the library wants sent.
    fn collect(&mut self, now: Instant) {
        let fresh: Vec<Box<[u8]>> =
            std::iter::from_fn(|| self.endpoint.poll_transmit()).map(|it| it.message[..].into()).collect();
        if self.done {
            (self.flight, self.repeat) = (Vec::new(), None);
        } else if !fresh.is_empty() {
            self.flight.clone_from(&fresh);
            // It is for the peer to repeat what led to a question.
            self.repeat = (!self.asks()).then_some(now + FLIGHT_TIME);
            self.pause = FLIGHT_TIME;
            self.owed = Some(now);
        }
        self.out.extend(fresh);
    }

    /// A weak key breaks the handshake. That it is the signalled certificate's is known whoever sent it.
    fn why_broken(&self, expected: &Fingerprint) -> Broken {
        let state = self.endpoint.get_connection_state(PEER);
        match state.and_then(|state| state.peer_certificates.first()) {
            Some(der) if expected.matches(der) && !has_accepted_key(der) => {
                Broken::Refused(SecureError::WeakCertificate)
            }
            _ => Broken::Protocol,
        }
    }

    pub(super) fn timeout(&mut self, now: Instant) -> Result<(), Broken> {
        if let Some(config) = self.unbegun.take() {
            let begun = self.endpoint.connect(now, PEER, config, None);
            self.collect(now);
            self.owed = None;
            return begun.map_err(|_| Broken::Refused(SecureError::Internal));
        }
        if self.stalls().is_some_and(|at| at <= now) {
            return Err(Broken::Protocol);
        }
        if self.repeat.is_some_and(|at| at <= now) {
            self.pause = (2 * self.pause).min(FLIGHT_PAUSE_MAX);
            self.repeat = Some(now + self.pause);
            self.out.extend_from_slice(&self.flight);
        }
        Ok(())
    }

    pub(super) fn send(&mut self, plaintext: &[u8], now: Instant) -> Result<(), Broken> {
        let result = self.endpoint.write(now, PEER, plaintext);
        self.collect(now);
        result.map_err(|_| Broken::Protocol)
    }

    pub(super) fn close(&mut self, now: Instant) {
        self.closed = true;
        self.endpoint.stop(now, PEER);
        self.collect(now);
    }

    pub(super) fn poll(
        &mut self,
        take: &mut dyn FnMut(Step<'_>) -> Result<(), Broken>,
    ) -> Result<(), Broken> {
        for event in std::mem::take(&mut self.events) {
            match event {
                EndpointEvent::HandshakeComplete => self.complete(take)?,
                EndpointEvent::ApplicationData(data) => take(Step::Data(&data))?,
                EndpointEvent::PeerClosed => take(Step::Closed)?,
                _ => {}
            }
        }
        self.out.drain(..).try_for_each(|packet| take(Step::Packet(&packet)))
    }

    /// The certificate's signature over the handshake is verified by now (RFC 5246 sections 7.4.3 and 7.4.8).
    fn complete(&self, take: &mut dyn FnMut(Step<'_>) -> Result<(), Broken>) -> Result<(), Broken> {
        let state = self.endpoint.get_connection_state(PEER).ok_or(Broken::Protocol)?;
        let der = state.peer_certificates.first().ok_or(Broken::Refused(SecureError::Fingerprint))?;
        take(Step::Certificate(der))?;
        if !has_accepted_key(der) {
            return Err(Broken::Refused(SecureError::WeakCertificate));
        }
        if let Some(profile) = profile_of(state.srtp_protection_profile()) {
            let len = 2 * (profile.key_len() + profile.salt_len());
            let exported = state.export_keying_material(EXPORTER, &[], len);
            let material = exported.map_err(|_| Broken::Refused(SecureError::Internal))?;
            let profile = Some(profile);
            take(Step::Material { material: material.as_ref(), profile, version: "DTLS 1.2" })?;
        }
        take(Step::Connected)
    }
}

fn profile_of(profile: SrtpProtectionProfile) -> Option<Profile> {
    match profile {
        SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80 => Some(Profile::Aes128CmSha1_80),
        SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm => Some(Profile::AeadAes128Gcm),
        SrtpProtectionProfile::Srtp_Aead_Aes_256_Gcm => Some(Profile::AeadAes256Gcm),
        _ => None,
    }
}

/// Whether a certificate's key is strong enough (RFC 9325 section 4.5), and of a kind that can be verified.
fn has_accepted_key(der: &[u8]) -> bool {
    let Ok((_, certificate)) = x509_parser::parse_x509_certificate(der) else { return false };
    match certificate.public_key().parsed() {
        Ok(PublicKey::RSA(key)) => bits(key.modulus) >= RSA_BITS,
        Ok(PublicKey::EC(point)) => matches!(point.key_size(), 256 | 384),
        _ => false,
    }
}

/// Of a number, the highest byte first.
fn bits(number: &[u8]) -> usize {
    let leading = number.iter().take_while(|byte| **byte == 0).count();
    let zeros = number.get(leading).map_or(0, |byte| byte.leading_zeros() as usize);
    8 * (number.len() - leading) - zeros
}
