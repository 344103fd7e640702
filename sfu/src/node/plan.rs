//! What a negotiation will change, found out without changing anything, so that a refused offer leaves all as it
//! was.

use std::collections::{BTreeMap, HashSet};

use super::api::*;
use super::error::NodeError;
use super::model::{Peer, Shape, Track};
use super::state::State;
use crate::sdp::{Chosen, Offer, Place, Quoted, SdpError, Section, SectionKind, matching, uri};

/// SSRCs that one connection may have been sent: the core remembers each for as long as its keys live, so that
/// none begins anew (1024 at most). Hundreds of changes of what is watched.
const SENT_SSRCS: usize = 1_000;

/// A wish whose offer has been read.
pub(super) struct Wish {
    pub(super) offer: Offer,
    pub(super) publish: BTreeMap<String, Source>,
    pub(super) subscribe: BTreeMap<String, TrackId>,
}

impl Wish {
    /// Reads the offer.
    pub(super) fn read(wish: Negotiation) -> Result<Wish, SdpError> {
        let offer = Offer::parse(&wish.sdp)?;
        Ok(Wish { offer, publish: wish.publish, subscribe: wish.subscribe })
    }
}

/// What becomes of one m-line.
pub(super) enum Intent {
    /// Port 0.
    Reject,
    /// Kept for later use.
    Rest(Box<Chosen>),
    /// Data channels.
    Data,
    /// The peer publishes here.
    Publish(Box<Shape>),
    /// The peer is sent this track here.
    Subscribe(TrackId, Box<Chosen>),
}

impl State {
    /// One [`Intent`] for each m-line.
    pub(super) fn plan(&self, peer: &Peer, wish: &Wish) -> Result<Vec<Intent>, NodeError> {
        self.check_wish(peer, wish)?;
        let mut intents = Vec::with_capacity(wish.offer.sections.len());
        for (index, section) in wish.offer.sections.iter().enumerate() {
            intents.push(self.intent(peer, wish, index, section)?);
        }
        check_ssrcs(&intents)?;
        check_senders(peer, wish, &intents)?;
        if intents.iter().all(|i| matches!(i, Intent::Reject)) {
            return Err(self.nothing_left(peer, wish));
        }
        Ok(intents)
    }

    fn check_wish(&self, peer: &Peer, wish: &Wish) -> Result<(), NodeError> {
        let limits = &self.config.limits;
        if !wish.publish.is_empty() && !peer.grants.publish {
            return Err(NodeError::Forbidden { action: "publish" });
        }
        if !wish.subscribe.is_empty() && !peer.grants.subscribe {
            return Err(NodeError::Forbidden { action: "subscribe" });
        }
        if wish.publish.len() > limits.tracks_per_peer {
            let (limit, hint) = (limits.tracks_per_peer, "publish fewer");
            return Err(NodeError::AtCapacity { what: "peer", limit, unit: "published tracks", hint });
        }
        if wish.subscribe.len() > limits.subscriptions_per_peer {
            let (limit, hint) = (limits.subscriptions_per_peer, "unsubscribe from some");
            return Err(NodeError::AtCapacity { what: "peer", limit, unit: "subscriptions", hint });
        }
        let mids = wish.publish.keys().chain(wish.subscribe.keys());
        for mid in mids {
            if wish.offer.section(mid).is_none() {
                return Err(bad_wish(mid, "the offer has no such m-line; take the mids from the offer"));
            }
        }
        match wish.publish.keys().find(|mid| wish.subscribe.contains_key(*mid)) {
            Some(mid) => Err(bad_wish(mid, "it is to publish and to subscribe; use one m-line for each")),
            None => Ok(()),
        }
    }

    fn intent(&self, peer: &Peer, wish: &Wish, index: usize, section: &Section) -> Result<Intent, NodeError> {
        let publish = wish.publish.get(&section.mid);
        let subscribe = wish.subscribe.get(&section.mid);
        let usable = section.bundled && !section.off;
        if !usable && (publish.is_some() || subscribe.is_some()) {
            return Err(bad_wish(&section.mid, "it is switched off or not in the BUNDLE group"));
        }
        match section.kind {
            _ if !usable => Ok(Intent::Reject),
            SectionKind::Audio | SectionKind::Video => {
                if let Some(source) = publish {
                    return self.publish(index, section, *source, &wish.offer);
                }
                if let Some(track) = subscribe {
                    return self.subscribe(peer, section, track, &wish.offer, index);
                }
                Ok(rest(&wish.offer, index))
            }
            _ if publish.is_some() || subscribe.is_some() => {
                Err(bad_wish(&section.mid, "it is neither audio nor video"))
            }
            SectionKind::Data if peer.grants.data => Ok(Intent::Data),
            _ => Ok(Intent::Reject),
        }
    }

    fn publish(
        &self,
        index: usize,
        section: &Section,
        source: Source,
        offer: &Offer,
    ) -> Result<Intent, NodeError> {
        if !section.direction.sends() {
            return Err(bad_wish(&section.mid, "it is to publish but does not send; make it sendonly"));
        }
        let chosen = offer.choose(index)?;
        let rids = layers(section, &chosen);
        let limit = self.config.limits.layers_per_track;
        if rids.len() > limit {
            let hint = "send fewer encodings";
            return Err(NodeError::AtCapacity { what: "track", limit, unit: "simulcast layers", hint });
        }
        let (ssrc, rtx_ssrc) = if rids.is_empty() { section.ssrc() } else { (None, None) };
        let kind = if section.kind == SectionKind::Audio { TrackKind::Audio } else { TrackKind::Video };
        let transport_cc = chosen.main.feedback.transport_cc && section.has_extension(uri::TRANSPORT_CC);
        let shape = Shape { kind, source, chosen, ssrc, rtx_ssrc, rids, transport_cc };
        Ok(Intent::Publish(Box::new(shape)))
    }

    fn subscribe(
        &self,
        peer: &Peer,
        section: &Section,
        track: &TrackId,
        offer: &Offer,
        index: usize,
    ) -> Result<Intent, NodeError> {
        if !section.direction.receives() {
            return Err(bad_wish(&section.mid, "it is to subscribe but does not receive; make it recvonly"));
        }
        // The track may have gone while the offer was on its way: that is nobody's fault.
        let Some((publisher, track)) = self.track(track).filter(|(p, _)| p.room == peer.room) else {
            return Ok(rest(offer, index));
        };
        if publisher.id == peer.id {
            return Err(bad_wish(&section.mid, "it is to subscribe to the peer's own track"));
        }
        let same = match track.shape.kind {
            TrackKind::Audio => section.kind == SectionKind::Audio,
            TrackKind::Video => section.kind == SectionKind::Video,
        };
        if !same {
            return Err(bad_wish(&section.mid, "it is audio and the track is video, or the other way round"));
        }
        match matching(section, &track.shape.chosen) {
            Some(chosen) => Ok(Intent::Subscribe(track.id.clone(), Box::new(chosen))),
            None => {
                let codec = track.shape.chosen.describe();
                Err(NodeError::CodecUnsupported { track: track.id.clone(), codec })
            }
        }
    }

    /// Why an offer of which no m-line can be accepted is refused.
    fn nothing_left(&self, peer: &Peer, wish: &Wish) -> NodeError {
        let data = wish.offer.sections.iter().any(|s| s.kind == SectionKind::Data);
        if data && !peer.grants.data {
            return NodeError::Forbidden { action: "use data channels" };
        }
        let codec = wish.offer.sections.iter().enumerate().find_map(|(i, s)| match s.kind {
            SectionKind::Audio | SectionKind::Video => wish.offer.choose(i).err(),
            _ => None,
        });
        codec.map_or(NodeError::Sdp(SdpError::NoMedia), NodeError::Sdp)
    }

    /// WHIP: everything that sends is published.
    pub(super) fn ingest_wish(&self, offer: Offer) -> Result<Wish, NodeError> {
        let mut publish = BTreeMap::new();
        for section in offer.sections.iter().filter(|s| s.bundled && !s.off && s.direction.sends()) {
            let source = match section.kind {
                SectionKind::Audio => Source::Microphone,
                SectionKind::Video => Source::Camera,
                _ => continue,
            };
            publish.insert(section.mid.clone(), source);
        }
        if publish.is_empty() {
            return Err(bad_wish("", "no m-line of the offer sends audio or video"));
        }
        Ok(Wish { offer, publish, subscribe: BTreeMap::new() })
    }

    /// WHEP: everything that receives is subscribed to what is chosen; of several peers, to the one who joined
    /// first, then to the next. What the viewer already watches, it goes on watching, unless it chooses otherwise.
    pub(super) fn watch_wish(&self, peer: &Peer, offer: Offer, choice: &Choice) -> Result<Wish, NodeError> {
        let candidates = self.candidates(peer, choice)?;
        let mut subscribe = BTreeMap::new();
        let mut lacking = None;
        let mut receives = false;
        for section in offer.sections.iter().filter(|s| s.bundled && !s.off && s.direction.receives()) {
            let kind = match section.kind {
                SectionKind::Audio => TrackKind::Audio,
                SectionKind::Video => TrackKind::Video,
                _ => continue,
            };
            receives = true;
            let old = peer.subscriptions.iter().find(|s| s.mid == section.mid).map(|s| &s.track);
            let old = old.filter(|old| candidates.iter().any(|t| t.id == **old)).cloned();
            let same_kind = candidates.iter().copied().filter(|t| t.shape.kind == kind);
            if let Some(track) = old.or_else(|| first_match(same_kind, section, &subscribe, &mut lacking)) {
                subscribe.insert(section.mid.clone(), track);
            }
        }
        if !subscribe.is_empty() {
            return Ok(Wish { offer, publish: BTreeMap::new(), subscribe });
        }
        Err(match (choice, lacking) {
            _ if !receives => bad_wish("", "no m-line of the offer receives audio or video"),
            (_, Some(error)) => error,
            // Waiting would not help: a track keeps its kind.
            (Choice::Track(_), None) => bad_wish(
                "",
                "the chosen track is audio and the offer receives only video, or the other way round",
            ),
            _ => NodeError::NothingPublished,
        })
    }

    /// The tracks among which a viewer has chosen, in the order in which they are given out.
    fn candidates(&self, viewer: &Peer, choice: &Choice) -> Result<Vec<&Track>, NodeError> {
        if let Choice::Track(id) = choice {
            let found = self.track(id).filter(|(p, _)| p.room == viewer.room && p.id != viewer.id);
            return found.map(|(_, track)| vec![track]).ok_or(NodeError::NoSuchTrack);
        }
        if let Choice::Peer(id) = choice {
            let chosen = self.peers.get(id).filter(|peer| peer.room == viewer.room && peer.id != viewer.id);
            return chosen.map(|peer| peer.tracks.iter().collect()).ok_or(NodeError::NoSuchPeer);
        }
        let Some(room) = self.rooms.get(&viewer.room) else { return Ok(Vec::new()) };
        let others = room.publishers.values().filter(|id| **id != viewer.id);
        Ok(others.filter_map(|id| self.peers.get(id)).flat_map(|peer| &peer.tracks).collect())
    }
}

/// The first of the tracks that is not taken and whose codec the m-line can receive.
fn first_match<'a>(
    tracks: impl Iterator<Item = &'a Track>,
    section: &Section,
    taken: &BTreeMap<String, TrackId>,
    lacking: &mut Option<NodeError>,
) -> Option<TrackId> {
    for track in tracks.filter(|t| !taken.values().any(|id| *id == t.id)) {
        if matching(section, &track.shape.chosen).is_some() {
            return Some(track.id.clone());
        }
        let codec = track.shape.chosen.describe();
        lacking.get_or_insert(NodeError::CodecUnsupported { track: track.id.clone(), codec });
    }
    None
}

fn bad_wish(mid: &str, what: &str) -> NodeError {
    NodeError::BadWish { mid: Quoted::new(mid), what: what.to_owned() }
}

/// An m-line that nobody uses now: kept if it could be used, so that it can be used later.
fn rest(offer: &Offer, index: usize) -> Intent {
    match offer.choose(index) {
        Ok(chosen) => Intent::Rest(Box::new(chosen)),
        Err(_) => Intent::Reject,
    }
}

/// The layers of a simulcast m-line, best first. Without the header extensions that name them, packets of
/// different layers cannot be told apart, so the offer's simulcast is then declined.
fn layers(section: &Section, chosen: &Chosen) -> Vec<String> {
    if !section.has_extension(uri::MID) || !section.has_extension(uri::RID) {
        return Vec::new();
    }
    let fits = |pts: &[u8]| pts.is_empty() || pts.contains(&chosen.main.number);
    let rids = section.layers.iter().filter(|r| fits(&r.payload_types));
    let mut rids: Vec<String> = rids.map(|r| r.id.clone()).collect();
    by_quality(&mut rids);
    rids
}

/// The names that clients give to layers say which is best; RFC 8853 section 5.2 has the first one preferred,
/// but browsers keep the order of the application, which is often the reverse.
fn by_quality(rids: &mut [String]) {
    const SCALES: [&[&str]; 5] = [
        &["f", "h", "q"],
        &["h", "m", "l"],
        &["hi", "mid", "lo"],
        &["high", "medium", "low"],
        &["full", "half", "quarter"],
    ];
    let place = |scale: &[&str], rid: &str| scale.iter().position(|name| name.eq_ignore_ascii_case(rid));
    if let Some(scale) = SCALES.iter().find(|scale| rids.iter().all(|rid| place(scale, rid).is_some())) {
        rids.sort_by_key(|rid| place(scale, rid));
        return;
    }
    // r0, r1, r2 or 0, 1, 2: more is better.
    let number = |rid: &str| rid.trim_start_matches(|c: char| !c.is_ascii_digit()).parse::<u64>().ok();
    if rids.iter().all(|rid| number(rid).is_some()) {
        rids.sort_by_key(|rid| std::cmp::Reverse(number(rid)));
    }
}

/// RFC 8843 section 9.2: within a bundle an SSRC belongs to one m-line.
fn check_ssrcs(intents: &[Intent]) -> Result<(), NodeError> {
    let mut seen = HashSet::new();
    for (index, intent) in intents.iter().enumerate() {
        let Intent::Publish(shape) = intent else { continue };
        for ssrc in [shape.ssrc, shape.rtx_ssrc].into_iter().flatten() {
            if !seen.insert(ssrc) {
                let value = Quoted::new(&ssrc.to_string());
                return Err(SdpError::Twice { place: Place::Section(index), what: "SSRC", value }.into());
            }
        }
    }
    Ok(())
}

/// Whether the connection has SSRCs left for what it will newly be sent.
fn check_senders(peer: &Peer, wish: &Wish, intents: &[Intent]) -> Result<(), NodeError> {
    let sections = wish.offer.sections.iter().zip(intents);
    let new = sections.filter(|(section, intent)| match intent {
        Intent::Subscribe(track, chosen) => {
            !peer.subscriptions.iter().any(|s| s.is(&section.mid, track, chosen))
        }
        _ => false,
    });
    let used = peer.leg.as_ref().map_or(0, |leg| leg.ssrcs.count());
    if used + 2 * new.count() <= SENT_SSRCS {
        return Ok(());
    }
    let hint = "leave and join again to watch anything new";
    Err(NodeError::AtCapacity { what: "connection", limit: SENT_SSRCS, unit: "SSRCs", hint })
}

#[cfg(test)]
mod tests {
    use super::by_quality;

    #[test]
    fn the_best_layer_is_found_by_name() {
        for (offered, best) in [
            (["q", "h", "f"], ["f", "h", "q"]),
            (["l", "m", "h"], ["h", "m", "l"]),
            (["r0", "r1", "r2"], ["r2", "r1", "r0"]),
            (["lo", "mid", "hi"], ["hi", "mid", "lo"]),
            (["x", "y", "z"], ["x", "y", "z"]),
        ] {
            let mut rids = offered.map(str::to_owned);
            by_quality(&mut rids);
            assert_eq!(rids, best);
        }
    }
}
