//! DTLS 1.2 and 1.3 with certificates of elliptic curves, by dimpl.

use std::time::Instant;

use dimpl::{Dtls, Output, ProtocolVersion, SrtpProfile};
use kaname_srtp::Profile;

use super::{Broken, Part, Room, Step};
use crate::limits::HANDSHAKE_BYTES;
use crate::worker::identity::Identity;

/// The longest certificate that is looked at. Browsers' are some 300 bytes; a chain of RSA ones is a few thousand.
const MAX_BUFFER: usize = HANDSHAKE_BYTES;

pub(super) struct WithDimpl {
    dtls: Dtls,
    deadline: Option<Instant>,
}

impl WithDimpl {
    pub(super) fn new(identity: &Identity, part: Part, now: Instant) -> WithDimpl {
        let config = if part == Part::DoubtingServer { &identity.doubting } else { &identity.config };
        let mut dtls = Dtls::new_auto(config.clone(), identity.certificate.clone(), now);
        dtls.set_active(part == Part::Client);
        WithDimpl { dtls, deadline: None }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    pub(super) fn is_answered(&self) -> bool {
        self.dtls.protocol_version().is_some()
    }

    pub(super) fn datagram(&mut self, datagram: &[u8], in_doubt: bool, now: Instant) -> Result<(), Broken> {
        // Of a question that waits for its answer the library would send a repetition ahead of what follows the answer, in
        // one datagram with it: its clock stands still meanwhile.
        let clock = if in_doubt { Ok(()) } else { self.dtls.handle_timeout(now) };
        clock.and_then(|()| self.dtls.handle_packet(datagram)).map_err(|_| Broken::Protocol)
    }

    pub(super) fn timeout(&mut self, now: Instant) -> Result<(), Broken> {
        self.dtls.handle_timeout(now).map_err(|_| Broken::Protocol)
    }

    pub(super) fn send(&mut self, plaintext: &[u8]) -> Result<(), Broken> {
        self.dtls.send_application_data(plaintext).map(|_| ()).map_err(|_| Broken::Protocol)
    }

    pub(super) fn close(&mut self) {
        // Whether it works or not, the association is over.
        let _ = self.dtls.close();
    }

    pub(super) fn poll(
        &mut self,
        room: &mut Room,
        take: &mut dyn FnMut(Step<'_>) -> Result<(), Broken>,
    ) -> Result<(), Broken> {
        loop {
            let step = match self.dtls.poll_output(&mut room.0) {
                Output::Packet(packet) => Step::Packet(packet),
                Output::BufferTooSmall { needed } if needed <= MAX_BUFFER => {
                    room.0.resize(needed, 0);
                    continue;
                }
                Output::BufferTooSmall { .. } => return Err(Broken::Protocol),
                Output::Timeout(at) => {
                    self.deadline = Some(at);
                    return Ok(());
                }
                Output::PeerCert(der) => Step::Certificate(der),
                Output::KeyingMaterial(material, profile) => {
                    let version = version(self.dtls.protocol_version());
                    take(Step::Material { material: &material, profile: profile_of(profile), version })?;
                    continue;
                }
                Output::Connected => Step::Connected,
                Output::ApplicationData(data) => Step::Data(data),
                Output::CloseNotify => Step::Closed,
                _ => continue,
            };
            take(step)?;
        }
    }
}

fn version(version: Option<ProtocolVersion>) -> &'static str {
    match version {
        Some(ProtocolVersion::DTLS1_2) => "DTLS 1.2",
        Some(ProtocolVersion::DTLS1_3) => "DTLS 1.3",
        _ => "DTLS",
    }
}

fn profile_of(profile: SrtpProfile) -> Option<Profile> {
    match profile {
        SrtpProfile::AES128_CM_SHA1_80 => Some(Profile::Aes128CmSha1_80),
        SrtpProfile::AEAD_AES_128_GCM => Some(Profile::AeadAes128Gcm),
        SrtpProfile::AEAD_AES_256_GCM => Some(Profile::AeadAes256Gcm),
        _ => None,
    }
}
