//! One DTLS association (RFC 6347, RFC 9147). Keys come out only behind the signalled certificate.

mod with_dimpl;
mod with_rtc;

use std::time::Instant;

use kaname_srtp::{Keying, Profile};

use super::hello::asks_for_proof;
use super::identity::Identity;
use crate::limits::HANDSHAKE_BYTES;
use crate::{Certificates, DtlsParams, Fingerprint, SecureError};

use with_dimpl::WithDimpl;
use with_rtc::WithRtc;

/// Room for what comes out of an association: one for all of a worker. It grows when a peer's certificate is longer.
pub(super) struct Room(Vec<u8>);

impl Room {
    pub(super) fn new() -> Room {
        Room(vec![0; 2048])
    }
}

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

/// What is known of the peer.
#[derive(Clone)]
pub(super) struct Expected {
    fingerprint: Fingerprint,
    certificates: Certificates,
}

impl From<&DtlsParams> for Expected {
    fn from(params: &DtlsParams) -> Expected {
        Expected { fingerprint: params.remote_fingerprint.clone(), certificates: params.certificates }
    }
}

/// What a library has to tell.
enum Step<'a> {
    /// To the peer.
    Packet(&'a [u8]),
    /// The peer's certificate, in DER.
    Certificate(&'a [u8]),
    /// What SRTP's keys are cut from; without a profile there are none.
    Material { material: &'a [u8], profile: Option<Profile>, version: &'static str },
    /// The handshake is done.
    Connected,
    /// Plaintext of the peer.
    Data(&'a [u8]),
    /// The peer said goodbye.
    Closed,
}

enum Library {
    Dimpl(Box<WithDimpl>),
    Rtc(Box<WithRtc>),
}

pub(super) struct Association {
    library: Library,
    progress: Progress,
}

/// How far an association is, whichever library carries it.
struct Progress {
    part: Part,
    /// The peer was asked to show that it is where it says, and has not.
    in_doubt: bool,
    fingerprint: Fingerprint,
    received: usize,
    certified: bool,
    keys: Option<Box<Keys>>,
    connected: bool,
    handed_out: bool,
}

impl Association {
    pub(super) fn new(identity: &Identity, part: Part, expected: Expected, now: Instant) -> Association {
        let library = match expected.certificates {
            Certificates::Elliptic => Library::Dimpl(Box::new(WithDimpl::new(identity, part, now))),
            Certificates::Any => Library::Rtc(Box::new(WithRtc::new(identity, part))),
        };
        let progress = Progress {
            part,
            in_doubt: false,
            fingerprint: expected.fingerprint,
            received: 0,
            certified: false,
            keys: None,
            connected: false,
            handed_out: false,
        };
        Association { library, progress }
    }

    /// Whether its latest datagram only asked the peer to show that it is where it says.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.progress.in_doubt
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        match &self.library {
            Library::Dimpl(library) => library.deadline(),
            Library::Rtc(library) => library.deadline(),
        }
    }

    /// Of one that we began: the other side has answered, so its version is known.
    pub(super) fn is_answered(&self) -> bool {
        match &self.library {
            Library::Dimpl(library) => library.is_answered(),
            Library::Rtc(library) => library.is_answered(),
        }
    }

    /// Whether a datagram is looked at; if not, it is to be dropped.
    pub(super) fn admits(&mut self, datagram: &[u8]) -> bool {
        match &mut self.library {
            Library::Dimpl(_) => true,
            Library::Rtc(library) => library.admits(datagram),
        }
    }

    pub(super) fn datagram(
        &mut self,
        datagram: &[u8],
        now: Instant,
        room: &mut Room,
        news: &mut Vec<News>,
    ) -> Result<(), Broken> {
        let progress = &mut self.progress;
        if !progress.connected {
            // What a handshake keeps is never more than what came in.
            progress.received += datagram.len();
            if progress.received > HANDSHAKE_BYTES {
                return Err(Broken::Protocol);
            }
        }
        let result = match &mut self.library {
            Library::Dimpl(library) => library.datagram(datagram, progress.in_doubt, now),
            Library::Rtc(library) => library.datagram(datagram, &progress.fingerprint, now),
        };
        // An alert may tell the peer why.
        self.poll(room, news)?;
        result
    }

    pub(super) fn timeout(
        &mut self,
        now: Instant,
        room: &mut Room,
        news: &mut Vec<News>,
    ) -> Result<(), Broken> {
        let result = match &mut self.library {
            Library::Dimpl(library) => library.timeout(now),
            Library::Rtc(library) => library.timeout(now),
        };
        self.poll(room, news)?;
        result
    }

    /// One record of plaintext to the peer.
    pub(super) fn send(
        &mut self,
        plaintext: &[u8],
        now: Instant,
        room: &mut Room,
        news: &mut Vec<News>,
    ) -> Result<(), Broken> {
        let result = match &mut self.library {
            Library::Dimpl(library) => library.send(plaintext),
            Library::Rtc(library) => library.send(plaintext, now),
        };
        self.poll(room, news)?;
        result
    }

    /// Says goodbye.
    pub(super) fn close(&mut self, now: Instant, room: &mut Room, news: &mut Vec<News>) {
        match &mut self.library {
            Library::Dimpl(library) => library.close(),
            Library::Rtc(library) => library.close(now),
        }
        // Whether it works or not, the association is over.
        let _ = self.poll(room, news);
    }

    fn poll(&mut self, room: &mut Room, news: &mut Vec<News>) -> Result<(), Broken> {
        let from = news.len();
        let Association { library, progress } = self;
        let mut take = |step: Step<'_>| progress.take(step, news);
        match library {
            Library::Dimpl(library) => library.poll(room, &mut take)?,
            Library::Rtc(library) => library.poll(&mut take)?,
        }
        progress.hand_out_keys(news, from)
    }
}

impl Progress {
    fn take(&mut self, step: Step<'_>, news: &mut Vec<News>) -> Result<(), Broken> {
        match step {
            Step::Packet(packet) => {
                self.in_doubt = asks_for_proof(packet);
                news.push(News::Packet(packet.into()));
            }
            Step::Certificate(der) => {
                if !self.fingerprint.matches(der) {
                    return Err(Broken::Refused(SecureError::Fingerprint));
                }
                self.certified = true;
            }
            Step::Material { material, profile, version } => {
                let keys = profile.and_then(|profile| split(material, profile, self.part, version));
                self.keys = Some(Box::new(keys.ok_or(Broken::Refused(SecureError::Internal))?));
            }
            Step::Connected => self.connected = true,
            // Plaintext of whoever has not shown the signalled certificate is nobody's.
            Step::Data(data) if self.certified => news.push(News::Data(data.to_vec())),
            Step::Data(_) => {}
            Step::Closed => news.push(News::Closed),
        }
        Ok(())
    }

    /// RFC 5763 section 5: the certificate must be the one of the session description before anything is used.
    fn hand_out_keys(&mut self, news: &mut Vec<News>, from: usize) -> Result<(), Broken> {
        if !self.connected {
            return Ok(());
        }
        if !self.certified {
            return Err(Broken::Refused(SecureError::Fingerprint));
        }
        if let Some(keys) = self.keys.take() {
            self.handed_out = true;
            // Ahead of the records of this step: media may follow the peer's last flight at once.
            news.insert(from, News::Keys(keys));
        }
        if self.handed_out { Ok(()) } else { Err(Broken::Refused(SecureError::NoProfile)) }
    }
}

/// RFC 5764 section 4.2: client key, server key, client salt, server salt. The client protects with the first of each.
fn split(material: &[u8], profile: Profile, part: Part, version: &'static str) -> Option<Keys> {
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
