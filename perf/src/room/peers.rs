//! How peers are described to the shard, and what a subscriber makes of what it gets.

use std::net::SocketAddr;

use kaname_core::command::{
    Codec, ExtensionIds, IceCredentials, LegConfig, LegId, MediaKind, PayloadType, SenderConfig,
    StreamConfig, Transport,
};
use kaname_srtp::{Inbound, Keying};
use kaname_wire::rtp::RtpView;
use stun_types::attribute::{AttributeType, RawAttribute, Username};
use stun_types::message::{
    BINDING, IntegrityAlgorithm, Message, MessageIntegrityCredentials, MessageWrite, MessageWriteExt,
    MessageWriteVec, ShortTermCredentials,
};

use super::{Plan, Shape};

/// Of everything that is sent.
pub(super) const PAYLOAD_TYPE: u8 = 96;
/// Of what each publisher sends.
pub(super) const SSRC: u32 = 0x4b41_0001;
/// Of what a subscriber gets from the first publisher; from the others it counts up.
const FIRST_SSRC: u32 = 0x5355_0000;

/// What browsers negotiate.
pub(super) const EXTENSIONS: ExtensionIds = ExtensionIds {
    mid: Some(4),
    rid: None,
    repaired_rid: None,
    audio_level: Some(1),
    abs_send_time: Some(2),
    transport_cc: Some(3),
    video_orientation: None,
    playout_delay: None,
    dependency_descriptor: None,
};

fn ice(number: u32) -> IceCredentials {
    IceCredentials {
        local_ufrag: format!("node{number}"),
        local_pwd: format!("passwordOf22Characters{number}"),
        remote_ufrag: format!("peer{number}"),
    }
}

pub(super) fn leg(number: u32) -> LegConfig {
    LegConfig { leg: LegId(number), transport: Transport::Ice(ice(number)), extensions: EXTENSIONS }
}

/// A connectivity check that nominates its path, as browsers send it (RFC 8445 section 7.1).
pub(super) fn check(number: u32) -> Vec<u8> {
    const USE_CANDIDATE: u16 = 0x0025;
    let ice = ice(number);
    let mut message = Message::builder_request(BINDING, MessageWriteVec::new());
    let user = format!("{}:{}", ice.local_ufrag, ice.remote_ufrag);
    let fits = "a check of one user name and three attributes";
    message.add_attribute(&Username::new(&user).expect(fits)).expect(fits);
    let priority_and_role: [(u16, &[u8]); 3] =
        [(0x0024, &[110, 0, 1, 255]), (0x802a, &[1; 8]), (USE_CANDIDATE, &[])];
    for (kind, value) in priority_and_role {
        message.add_attribute(&RawAttribute::new(AttributeType::new(kind), value)).expect(fits);
    }
    let credentials = MessageIntegrityCredentials::from(ShortTermCredentials::new(ice.local_pwd));
    message.add_message_integrity(&credentials, IntegrityAlgorithm::Sha1).expect(fits);
    message.add_fingerprint().expect(fits);
    message.finish()
}

fn kind(shape: &Shape) -> MediaKind {
    if shape.is_voice() { MediaKind::Audio } else { MediaKind::Video }
}

pub(super) fn stream(shape: &Shape) -> StreamConfig {
    let (codec, clock_rate) = if shape.is_voice() { (Codec::Opus, 48_000) } else { (Codec::Vp8, 90_000) };
    StreamConfig {
        kind: kind(shape),
        mid: Some("0".into()),
        rid: None,
        ssrc: Some(SSRC),
        rtx_ssrc: None,
        payload_types: vec![PayloadType { number: PAYLOAD_TYPE, rtx: None, codec, clock_rate }],
        nack: !shape.is_voice(),
        pli: !shape.is_voice(),
        fir: false,
        transport_cc: true,
    }
}

pub(super) fn sender(shape: &Shape, publisher: u32) -> SenderConfig {
    SenderConfig {
        kind: kind(shape),
        ssrc: FIRST_SSRC + publisher,
        rtx_ssrc: None,
        cname: "room".into(),
        mid: Some("0".into()),
    }
}

/// One that reads what was sent to it.
pub struct Subscriber {
    /// Where it is.
    pub address: SocketAddr,
    inbound: Inbound,
    /// The latest sequence number from each publisher.
    last: Vec<Option<u16>>,
}

impl Subscriber {
    pub(super) fn new(plan: &Plan<'_>, keying: &Keying, address: SocketAddr) -> Subscriber {
        let inbound = Inbound::new(plan.backend, keying);
        Subscriber { address, inbound, last: vec![None; plan.publishers.len()] }
    }

    /// Decrypts a packet; its payload, if it is the one that comes next.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn open(&mut self, packet: &[u8]) -> Result<Vec<u8>, String> {
        let mut plain = vec![0; packet.len()];
        let len = self.inbound.unprotect_rtp(packet, &mut plain).map_err(|e| e.to_string())?;
        let view = RtpView::parse(&plain[..len]).map_err(|e| e.to_string())?;
        let publisher = view.ssrc().wrapping_sub(FIRST_SSRC) as usize;
        let last = self.last.get_mut(publisher).ok_or_else(|| format!("SSRC {:08x}", view.ssrc()))?;
        match (last.replace(view.sequence()), view.sequence()) {
            (Some(last), now) if last.wrapping_add(1) != now => Err(format!("{now} behind {last}")),
            _ => Ok(view.payload().to_vec()),
        }
    }
}
