//! A client: dimpl in the active role, for records as a browser would send them.

use std::sync::Arc;
use std::time::Instant;

use dimpl::certificate::generate_self_signed_certificate;
use dimpl::{Config, Dtls, DtlsCertificate, Output, SrtpProfile};

use crate::{Certificates, DtlsParams, Fingerprint, HashAlgorithm};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    V12,
    V13,
    Auto,
    /// 1.2, and both, where the worker takes certificates of any kind.
    AnyV12,
    AnyAuto,
}

pub(super) const VERSIONS: [Version; 5] =
    [Version::V12, Version::V13, Version::Auto, Version::AnyV12, Version::AnyAuto];

/// One for each of our libraries.
pub(super) const LIBRARIES: [Version; 2] = [Version::V12, Version::AnyV12];

impl Version {
    /// What the two agree on.
    pub(super) fn agreed(self) -> &'static str {
        if matches!(self, Version::V13 | Version::Auto) { "DTLS 1.3" } else { "DTLS 1.2" }
    }
}

pub(super) struct Peer {
    dtls: Dtls,
    version: Version,
    certificate: DtlsCertificate,
    pub(super) connected: bool,
    pub(super) closed: bool,
    pub(super) failed: bool,
    pub(super) keys: Option<(Vec<u8>, SrtpProfile)>,
    pub(super) plaintext: Vec<Vec<u8>>,
    pub(super) deadline: Option<Instant>,
    packets: Vec<Vec<u8>>,
}

impl Peer {
    /// Datagrams of at most `mtu` bytes: a small one spreads the ClientHello over several.
    pub(super) fn new(version: Version, mtu: usize, now: Instant) -> Peer {
        Peer::in_role(version, mtu, now, true, make_certificate())
    }

    /// A server: it waits for our ClientHello.
    pub(super) fn passive(version: Version, now: Instant) -> Peer {
        Peer::in_role(version, 1400, now, false, make_certificate())
    }

    /// Another of the same certificate.
    pub(super) fn twin(&self, now: Instant, active: bool) -> Peer {
        Peer::in_role(self.version, 1400, now, active, self.certificate.clone())
    }

    fn in_role(
        version: Version,
        mtu: usize,
        now: Instant,
        active: bool,
        certificate: DtlsCertificate,
    ) -> Peer {
        let config = Arc::new(Config::builder().mtu(mtu).build().expect("a configuration"));
        let make = match version {
            Version::V12 | Version::AnyV12 => Dtls::new_12,
            Version::V13 => Dtls::new_13,
            Version::Auto | Version::AnyAuto => Dtls::new_auto,
        };
        let mut dtls = make(config, certificate.clone(), now);
        dtls.set_active(active);
        dtls.handle_timeout(now).expect("begins");
        let mut peer = Peer {
            dtls,
            version,
            certificate,
            connected: false,
            closed: false,
            failed: false,
            keys: None,
            plaintext: Vec::new(),
            deadline: None,
            packets: Vec::new(),
        };
        peer.poll();
        peer
    }

    pub(super) fn params(&self) -> DtlsParams {
        let any = matches!(self.version, Version::AnyV12 | Version::AnyAuto);
        let certificates = if any { Certificates::Any } else { Certificates::Elliptic };
        DtlsParams { certificates, ..DtlsParams::new(self.fingerprint(HashAlgorithm::Sha256)) }
    }

    pub(super) fn fingerprint(&self, algorithm: HashAlgorithm) -> Fingerprint {
        Fingerprint::of(algorithm, &self.certificate.certificate)
    }

    pub(super) fn datagram(&mut self, datagram: &[u8], now: Instant) {
        let result = self.dtls.handle_timeout(now).and_then(|()| self.dtls.handle_packet(datagram));
        self.failed |= result.is_err();
        self.poll();
    }

    pub(super) fn send(&mut self, plaintext: &[u8]) {
        self.dtls.send_application_data(plaintext).expect("connected");
        self.poll();
    }

    pub(super) fn close(&mut self) {
        self.dtls.close().expect("open");
        self.poll();
    }

    /// What it wants to send by now.
    pub(super) fn transmits(&mut self, now: Instant) -> Vec<Vec<u8>> {
        if self.deadline.is_some_and(|at| at <= now) {
            self.failed |= self.dtls.handle_timeout(now).is_err();
            self.poll();
        }
        std::mem::take(&mut self.packets)
    }

    fn poll(&mut self) {
        let mut buffer = vec![0; 4096];
        loop {
            match self.dtls.poll_output(&mut buffer) {
                Output::Packet(packet) => self.packets.push(packet.to_vec()),
                Output::Timeout(at) => {
                    self.deadline = Some(at);
                    return;
                }
                Output::Connected => self.connected = true,
                Output::KeyingMaterial(material, profile) => self.keys = Some((material.to_vec(), profile)),
                Output::ApplicationData(data) => self.plaintext.push(data.to_vec()),
                Output::CloseNotify => self.closed = true,
                _ => {}
            }
        }
    }
}

fn make_certificate() -> DtlsCertificate {
    generate_self_signed_certificate().expect("a certificate")
}
