//! A call: its parties, and what is between each of them and us.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::time::Instant;

use kaname_engine::ShardId;
use kaname_engine::audio::{KeyMask, TapConfig};
use kaname_engine::core::command::Learn;
use kaname_engine::core::event::LegStats;

use super::actor::Now;
use super::forwarding::Forwarded;
use super::limits::LOOK_INTERVAL;
use super::plan::{Home, Manner, Security, SideKey, Sound, Told};
use super::ports::OwnPorts;
use super::random::Random;
use super::recording::Recording;
use super::room::Seat;
use crate::ng::flags::{DtlsMode, Flags, Switch};
use crate::ng::sdp::codecs::{CodecOffer, CodecRules};
use crate::ng::sdp::crypto::{CryptoLine, CryptoPair};
use crate::ng::sdp::dtls::Setup;
use crate::ng::sdp::ice::Ice;
use crate::ng::sdp::mux::{MuxOffer, MuxRules};
use crate::ng::sdp::security::{SecurityOffer, SecurityRules};
use crate::ng::sdp::{Format, MediaView, OriginKeeper};

/// A call.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) id: String,
    pub(super) created: Now,
    pub(super) last_signal: Now,
    /// When anybody was last known to send, or the call began.
    pub(super) last_media: Instant,
    /// When the first answer came.
    pub(super) answered: Option<Now>,
    pub(super) parties: Vec<Party>,
    pub(super) told: Told,
    /// Its audio worker.
    pub(super) worker: usize,
    pub(super) learn: Learn,
    pub(super) tos: u8,
    /// When it ends, though nobody asks again.
    pub(super) ends: Option<Instant>,
    /// Nothing is forwarded (`drop-traffic`).
    pub(super) dropped: bool,
    /// What all parties' senders are called in RTCP.
    pub(super) cname: String,
    /// When its legs are asked for figures again.
    pub(super) next_look: Instant,
    pub(super) recording: Option<Recording>,
    /// Streams to the receiver, by whose sound they are.
    pub(super) forwarded: BTreeMap<SideKey, Forwarded>,
    /// What was said about it last (`metadata`).
    pub(super) metadata: Option<String>,
    /// Keys are looked for, as tones too, and logged (`detect-DTMF`).
    pub(super) detect_keys: bool,
    /// What was asked for all parties at once.
    pub(super) orders: Orders,
    /// Who is played something, by the playing's name.
    pub(super) playing: HashMap<u64, usize>,
    /// One end of it is a room.
    pub(super) seat: Option<Seat>,
}

/// One side of a call, by the tag of its end of the SIP dialogue.
#[derive(Debug, Default)]
pub(super) struct Party {
    /// The tag; empty while nobody answered.
    pub(super) tag: String,
    /// Earlier tags of the same branch: a proxy behind us forked, and each fork answered.
    pub(super) other_tags: Vec<String>,
    /// `via-branch`
    pub(super) branch: Option<String>,
    pub(super) label: Option<String>,
    /// Seconds since 1970.
    pub(super) created: u64,
    /// Whom it talks with.
    pub(super) peer: Option<usize>,
    /// The name of its interface.
    pub(super) interface: String,
    pub(super) medias: Vec<Media>,
    /// What it was offered and may still answer.
    pub(super) pending: Option<Pending>,
    /// What it saw of `o=` and `s=`.
    pub(super) origin: OriginKeeper,
    /// It left; its place is kept, so that the others keep theirs.
    pub(super) gone: bool,
    /// It has no leg: the audience of a publisher, or the source of a subscriber's copy.
    pub(super) hidden: bool,
    /// What its m-lines hear, if it is a subscriber.
    pub(super) subscribed: Vec<SideKey>,
    /// What was asked for besides offers and answers.
    pub(super) orders: Orders,
    /// What it hears goes through a worker, so that sounds and keys can be put into it.
    pub(super) worked: bool,
    /// Keys were pressed towards it, and more may be: the worker stays.
    pub(super) pressed: bool,
    /// How many keys a worker heard it press.
    pub(super) keys_heard: u64,
    /// What was said about it in particular (`metadata`).
    pub(super) metadata: Option<String>,
    /// Its sound went to the receiver, at any time of the call.
    pub(super) forwarded: bool,
}

/// What commands asked of a party's sound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Orders {
    /// Its keys are nobody's business.
    pub(super) keys: Option<KeyBlock>,
    /// Nothing of it but keys goes anywhere.
    pub(super) block_media: bool,
    /// Silence goes out in place of what it says.
    pub(super) silence_media: bool,
    /// What it says goes to the receiver too.
    pub(super) forward: bool,
}

/// What becomes of keys that are blocked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyBlock {
    /// Events go nowhere. Tones in the audio are not looked for.
    Drop,
    /// Something stands for events and for tones.
    Mask(KeyMask),
}

impl KeyBlock {
    pub(super) fn mask(self) -> Option<KeyMask> {
        match self {
            KeyBlock::Drop => None,
            KeyBlock::Mask(mask) => Some(mask),
        }
    }
}

impl Orders {
    /// What holds when both were asked for: of a party, and of the call. Of masks the party's own counts.
    pub(super) fn and(self, other: Orders) -> Orders {
        Orders {
            keys: self.keys.or(other.keys),
            block_media: self.block_media || other.block_media,
            silence_media: self.silence_media || other.silence_media,
            forward: self.forward || other.forward,
        }
    }
}

/// One m-line of a party.
#[derive(Debug, Default)]
pub(super) struct Media {
    pub(super) kind: String,
    /// What it says of itself, as far as it is agreed.
    pub(super) theirs: Option<MediaView>,
    pub(super) ports: Option<OwnPorts>,
    /// Our ICE credentials towards it.
    pub(super) ice: Option<Ice>,
    /// Its user name fragment when ours were made.
    pub(super) ice_for: String,
    /// The keys that it was offered.
    pub(super) crypto_offered: Vec<CryptoLine>,
    /// The keys that are agreed.
    pub(super) crypto: Option<CryptoPair>,
    /// What is agreed: `None`, nothing flows.
    pub(super) agreed: Option<Agreed>,
    /// The latest figures.
    pub(super) stats: Option<Box<LegStats>>,
    /// What it sends under.
    pub(super) heard_ssrc: Option<u32>,
}

/// What offer and answer settled about an m-line, as one side sees it.
#[derive(Clone, Debug)]
pub(super) struct Agreed {
    pub(super) security: Security,
    pub(super) mux: bool,
    /// Its user name fragment, where checks are to come.
    pub(super) ice: Option<String>,
    pub(super) remote: Signalled,
    pub(super) sound: Sound,
    /// What may be sent to it, in its words; the first is what it likes best.
    pub(super) formats: Vec<Format>,
    /// How its peer's sound gets to it.
    pub(super) flow: Manner,
    /// The same through a worker, where only that can do what is asked for.
    pub(super) worked: Option<Manner>,
    /// What it is sent when nobody speaks to it, but something is played.
    pub(super) solo: Option<Manner>,
    /// How a worker listens to it, if it can.
    pub(super) tap: Option<TapConfig>,
    pub(super) sends: bool,
    pub(super) receives: bool,
    pub(super) video: bool,
    /// The protocol of its m-line.
    pub(super) protocol: String,
}

/// Where a side said it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Signalled {
    pub(super) rtp: Option<std::net::SocketAddr>,
    pub(super) rtcp: Option<std::net::SocketAddr>,
    /// It held by address zero.
    pub(super) held: bool,
}

/// An offer that waits for an answer.
#[derive(Debug)]
pub(super) struct Pending {
    /// Whose.
    pub(super) offerer: usize,
    pub(super) medias: Vec<PendingMedia>,
    /// The offerer is ICE-lite, as we are: nobody would check.
    pub(super) ice_lite: bool,
    /// The flags of the offer.
    pub(super) wishes: Wishes,
}

/// One m-line of it.
#[derive(Debug)]
pub(super) enum PendingMedia {
    /// Refused or ended by the offerer.
    Off,
    /// Not ours to relay: it goes through as it is.
    Foreign,
    /// T.38 over UDPTL: its datagrams are relayed as they are.
    Fax(Box<MediaView>),
    /// RTP.
    Rtp(Box<PendingRtp>),
}

/// What was offered.
#[derive(Debug)]
pub(super) struct PendingRtp {
    pub(super) theirs: MediaView,
    pub(super) codecs: CodecOffer,
    pub(super) security: SecurityOffer,
    pub(super) mux: MuxOffer,
    pub(super) ice: bool,
    pub(super) setup: Setup,
}

/// What flags of an offer are needed when its answer comes.
#[derive(Clone, Debug, Default)]
pub(super) struct Wishes {
    pub(super) codecs: CodecRules,
    pub(super) security: SecurityRules,
    pub(super) mux: MuxRules,
    pub(super) dtls_reverse: DtlsMode,
    pub(super) ptime_reverse_ms: Option<u32>,
    pub(super) ptime_ms: Option<u32>,
    pub(super) reject_ice: bool,
    /// Where the offerer is said to be in place of its own words.
    pub(super) address: Option<IpAddr>,
}

impl Wishes {
    pub(super) fn of(flags: &Flags) -> Wishes {
        Wishes {
            codecs: flags.codecs.clone(),
            security: flags.security.clone(),
            mux: flags.rtcp_mux,
            dtls_reverse: flags.dtls_reverse,
            ptime_reverse_ms: flags.ptime_reverse_ms,
            ptime_ms: flags.ptime_ms,
            reject_ice: flags.has(Switch::RejectIce),
            address: address_of(flags),
        }
    }
}

/// Where a sender of a message is, in place of what its description says.
pub(super) fn address_of(flags: &Flags) -> Option<IpAddr> {
    let by_source = flags.has(Switch::SipSourceAddress) && !flags.has(Switch::TrustAddress);
    flags.media_address.or(flags.received_from.filter(|_| by_source))
}

impl Party {
    /// Whom one of its m-lines hears: that of its peer, or what it subscribed to.
    pub(super) fn source(&self, media: usize) -> Option<SideKey> {
        match self.subscribed.get(media) {
            Some(source) => Some(*source),
            None => Some(SideKey { party: self.peer?, media }),
        }
    }
}

impl Call {
    pub(super) fn new(now: Now, id: &str, home: Home, worker: usize, tos: u8, random: &mut Random) -> Call {
        Call {
            id: id.to_owned(),
            created: now,
            last_signal: now,
            last_media: now.at,
            answered: None,
            parties: Vec::new(),
            told: Told::new(home),
            worker,
            learn: Learn::Window,
            tos,
            ends: None,
            dropped: false,
            cname: random.letters(16),
            next_look: now.at + LOOK_INTERVAL,
            recording: None,
            forwarded: BTreeMap::new(),
            metadata: None,
            detect_keys: false,
            orders: Orders::default(),
            playing: HashMap::new(),
            seat: None,
        }
    }

    pub(super) fn shard(&self) -> ShardId {
        self.told.home().shard
    }

    /// The party with this tag, now or before.
    pub(super) fn by_tag(&self, tag: &str) -> Option<usize> {
        let has = |party: &Party| !party.gone && party.tag == tag;
        let had = |party: &Party| !party.gone && party.other_tags.iter().any(|other| other == tag);
        self.parties.iter().position(has).or_else(|| self.parties.iter().position(had))
    }

    /// One m-line of a party.
    pub(super) fn line_mut(&mut self, side: SideKey) -> Option<&mut Media> {
        self.parties.get_mut(side.party)?.medias.get_mut(side.media)
    }

    /// Who is still there.
    pub(super) fn live(&self) -> impl Iterator<Item = (usize, &Party)> {
        self.parties.iter().enumerate().filter(|(_, party)| !party.gone)
    }

    /// Somebody does not listen, so silence is no fault.
    pub(super) fn is_held(&self) -> bool {
        let agreed =
            || self.live().flat_map(|(_, party)| &party.medias).filter_map(|media| media.agreed.as_ref());
        agreed().next().is_some() && agreed().all(|agreed| !(agreed.sends && agreed.receives))
            || agreed().any(|agreed| agreed.remote.held)
    }
}
