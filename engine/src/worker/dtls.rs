//! One DTLS association (RFC 6347, RFC 9147). Keys come out only behind the signalled certificate.

use std::time::Instant;

use dimpl::{Dtls, KeyingMaterial, Output, ProtocolVersion, SrtpProfile};
use kaname_srtp::{Keying, Profile};

use super::hello::asks_for_proof;
use super::identity::Identity;
use crate::limits::HANDSHAKE_BYTES;
use crate::{Fingerprint, SecureError};

/// Room for what comes out of an association: one for all of a worker. It grows when a peer's certificate is longer.
pub(super) struct Room(Vec<u8>);

impl Room {
    pub(super) fn new() -> Room {
        Room(vec![0; 2048])
    }
}

/// The longest certificate that is looked at. Browsers' are some 300 bytes; a chain of RSA ones is a few thousand.
const MAX_BUFFER: usize = HANDSHAKE_BYTES;

/// What comes out of an association.
#[derive(Debug)]
pub(super) enum News {
    /// To the peer.
    Packet(Box<[u8]>),
    /// The handshake is done and the certificate is the signalled one.
    Keys(Box<Keys>),
    /// Plaintext of the peer.
    Data(Vec<u8>),
    /// The peer said goodbye.
    Closed,
}

/// What both sides protect with.
#[derive(Debug)]
pub(super) struct Keys {
    pub(super) profile: Profile,
    pub(super) inbound: Keying,
    pub(super) outbound: Keying,
    pub(super) version: &'static str,
}

/// Why an association is over. It must be thrown away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// Something in the protocol: whoever sent it need not be the peer, so a new handshake may follow.
    Protocol,
    /// Final, with its reason: this peer gets no keys.
    Refused(SecureError),
}

/// How an association begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The peer begins; ICE has shown that it is where it says.
    Server,
    /// The peer begins, and must first show that it is where it says.
    DoubtingServer,
    /// We begin.
    Client,
}

pub(super) struct Association {
    dtls: Dtls,
    part: Part,
    /// The peer was asked to show that it is where it says, and has not.
    in_doubt: bool,
    fingerprint: Fingerprint,
    received: usize,
    certified: bool,
    material: Option<(KeyingMaterial, SrtpProfile)>,
    connected: bool,
    handed_out: bool,
    deadline: Option<Instant>,
}

impl Association {
    pub(super) fn new(
        identity: &Identity,
        part: Part,
        fingerprint: Fingerprint,
        now: Instant,
    ) -> Association {
        let config = if part == Part::DoubtingServer { &identity.doubting } else { &identity.config };
        let mut dtls = Dtls::new_auto(config.clone(), identity.certificate.clone(), now);
        dtls.set_active(part == Part::Client);
        Association {
            dtls,
            part,
            in_doubt: false,
            fingerprint,
            received: 0,
            certified: false,
            material: None,
            connected: false,
            handed_out: false,
            deadline: None,
        }
    }

    /// Whether its latest datagram only asked the peer to show that it is where it says.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.in_doubt
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Of one that we began: the other side has answered, so its version is known.
    pub(super) fn is_answered(&self) -> bool {
        self.dtls.protocol_version().is_some()
    }

    pub(super) fn datagram(
        &mut self,
        datagram: &[u8],
        now: Instant,
        room: &mut Room,
        news: &mut Vec<News>,
    ) -> Result<(), Broken> {
        if !self.connected {
            // What a handshake keeps is never more than what came in.
            self.received += datagram.len();
            if self.received > HANDSHAKE_BYTES {
                return Err(Broken::Protocol);
            }
        }
        // Of a question that waits for its answer the library would send a repetition ahead of what follows the answer, in
        // one datagram with it: its clock stands still meanwhile.
        let clock = if self.in_doubt { Ok(()) } else { self.dtls.handle_timeout(now) };
        let result = clock.and_then(|()| self.dtls.handle_packet(datagram));
        // An alert may tell the peer why.
        self.poll(room, news)?;
        result.map_err(|_| Broken::Protocol)
    }

    pub(super) fn timeout(
        &mut self,
        now: Instant,
        room: &mut Room,
        news: &mut Vec<News>,
    ) -> Result<(), Broken> {
        let result = self.dtls.handle_timeout(now);
        self.poll(room, news)?;
        result.map_err(|_| Broken::Protocol)
    }

    /// One record of plaintext to the peer.
    pub(super) fn send(
        &mut self,
        plaintext: &[u8],
        room: &mut Room,
        news: &mut Vec<News>,
    ) -> Result<(), Broken> {
        let result = self.dtls.send_application_data(plaintext);
        self.poll(room, news)?;
        result.map(|_| ()).map_err(|_| Broken::Protocol)
    }

    /// Says goodbye.
    pub(super) fn close(&mut self, room: &mut Room, news: &mut Vec<News>) {
        // Whether it works or not, the association is over.
        let _ = self.dtls.close();
        let _ = self.poll(room, news);
    }

    fn poll(&mut self, room: &mut Room, news: &mut Vec<News>) -> Result<(), Broken> {
        let from = news.len();
        loop {
            match self.dtls.poll_output(&mut room.0) {
                Output::Packet(packet) => {
                    self.in_doubt = asks_for_proof(packet);
                    news.push(News::Packet(packet.into()));
                }
                Output::BufferTooSmall { needed } if needed <= MAX_BUFFER => room.0.resize(needed, 0),
                Output::BufferTooSmall { .. } => return Err(Broken::Protocol),
                Output::Timeout(at) => {
                    self.deadline = Some(at);
                    break;
                }
                Output::PeerCert(der) => {
                    if !self.fingerprint.matches(der) {
                        return Err(Broken::Refused(SecureError::Fingerprint));
                    }
                    self.certified = true;
                }
                Output::KeyingMaterial(material, profile) => self.material = Some((material, profile)),
                Output::Connected => self.connected = true,
                // Plaintext of whoever has not shown the signalled certificate is nobody's.
                Output::ApplicationData(data) if self.certified => news.push(News::Data(data.to_vec())),
                Output::CloseNotify => news.push(News::Closed),
                _ => {}
            }
        }
        self.hand_out_keys(news, from)
    }

    /// RFC 5763 section 5: the certificate must be the one of the session description before anything is used.
    fn hand_out_keys(&mut self, news: &mut Vec<News>, from: usize) -> Result<(), Broken> {
        if !self.connected {
            return Ok(());
        }
        if !self.certified {
            return Err(Broken::Refused(SecureError::Fingerprint));
        }
        if let Some((material, profile)) = self.material.take() {
            let version = self.version();
            let keys = split(&material, profile, self.part, version)
                .ok_or(Broken::Refused(SecureError::Internal))?;
            self.handed_out = true;
            // Ahead of the records of this step: media may follow the peer's last flight at once.
            news.insert(from, News::Keys(Box::new(keys)));
        }
        if self.handed_out { Ok(()) } else { Err(Broken::Refused(SecureError::NoProfile)) }
    }

    fn version(&self) -> &'static str {
        match self.dtls.protocol_version() {
            Some(ProtocolVersion::DTLS1_2) => "DTLS 1.2",
            Some(ProtocolVersion::DTLS1_3) => "DTLS 1.3",
            _ => "DTLS",
        }
    }
}

/// RFC 5764 section 4.2: client key, server key, client salt, server salt. The client protects with the first of each.
fn split(material: &[u8], profile: SrtpProfile, part: Part, version: &'static str) -> Option<Keys> {
    let profile = match profile {
        SrtpProfile::AES128_CM_SHA1_80 => Profile::Aes128CmSha1_80,
        SrtpProfile::AEAD_AES_128_GCM => Profile::AeadAes128Gcm,
        SrtpProfile::AEAD_AES_256_GCM => Profile::AeadAes256Gcm,
        _ => return None,
    };
    let (client_key, rest) = material.split_at_checked(profile.key_len())?;
    let (server_key, rest) = rest.split_at_checked(profile.key_len())?;
    let (client_salt, server_salt) = rest.split_at_checked(profile.salt_len())?;
    let of_client = Keying::new(profile, client_key, client_salt)?;
    let of_server = Keying::new(profile, server_key, server_salt)?;
    let (inbound, outbound) = match part {
        Part::Client => (of_server, of_client),
        Part::Server | Part::DoubtingServer => (of_client, of_server),
    };
    Some(Keys { profile, inbound, outbound, version })
}
