//! Carries out a planned negotiation: compiles the difference between what is and what shall be into commands of
//! the core, and writes the answer.

use std::collections::BTreeMap;

use kaname_engine::core::command::{
    ExtensionIds, IceCredentials, LegConfig, LegId, PayloadMap, PayloadType, SenderConfig, SenderId,
    StreamConfig, StreamId, Transport,
};
use kaname_engine::core::{Command, Time};
use kaname_engine::{DtlsParams, ShardId};

use super::api::*;
use super::error::NodeError;
use super::model::{Layer, Leg, Peer, PeerKind, Shape, Subscription, Track};
use super::names::Ssrcs;
use super::plan::{Intent, Wish};
use super::state::State;
use crate::sdp::{
    self, AnswerMedia, AnswerSection, AnswerSpec, Chosen, Fragment, Ice, Offer, Place, SdpError, SectionKind,
    SendIdentity,
};

impl State {
    /// The offer was read by the asker's own task, so that a large one costs nobody else.
    pub(super) fn negotiate(
        &mut self,
        now: Time,
        id: &PeerId,
        wish: Result<Wish, SdpError>,
    ) -> Result<Answer, NodeError> {
        self.peer(id)?;
        self.answer(now, id, wish?)
    }

    pub(super) fn ingest(
        &mut self,
        now: Time,
        id: &PeerId,
        offer: Result<Offer, SdpError>,
    ) -> Result<Answer, NodeError> {
        self.peer(id)?;
        let wish = self.ingest_wish(offer?)?;
        self.answer(now, id, wish)
    }

    pub(super) fn watch(
        &mut self,
        now: Time,
        id: &PeerId,
        offer: Result<Offer, SdpError>,
        choice: &Choice,
    ) -> Result<Answer, NodeError> {
        let wish = self.watch_wish(self.peer(id)?, offer?, choice)?;
        self.answer(now, id, wish)
    }

    fn answer(&mut self, now: Time, id: &PeerId, wish: Wish) -> Result<Answer, NodeError> {
        if self.closing {
            return Err(NodeError::ShuttingDown);
        }
        let peer = self.peer(id)?;
        self.check_shard(peer.shard)?;
        check_leg(peer.leg.as_ref(), &wish.offer)?;
        let intents = self.plan(peer, &wish)?;
        let extensions = wish.offer.extensions(|index| !matches!(intents[index], Intent::Reject));
        self.connect(now, id, &wish.offer, extensions)?;
        // From here on nothing can fail.
        self.retire(id, &wish.offer, &intents);
        for (section, intent) in wish.offer.sections.iter().zip(&intents) {
            match intent {
                Intent::Publish(shape) => self.publish_track(id, &section.mid, shape),
                Intent::Subscribe(track, chosen) => self.subscribe_track(id, &section.mid, track, chosen),
                _ => {}
            }
        }
        self.counters.answers_total += 1;
        self.write_answer(id, &wish.offer, &intents)
    }

    /// The leg: new, with other ICE credentials, or with other header extensions.
    fn connect(
        &mut self,
        now: Time,
        id: &PeerId,
        offer: &Offer,
        extensions: ExtensionIds,
    ) -> Result<(), NodeError> {
        let peer = self.peer(id)?;
        let shard = peer.shard;
        let Some(leg) = &peer.leg else { return self.add_leg(now, id, offer, extensions) };
        let (leg_id, restart) = (leg.id, leg.remote != offer.ice);
        let dtls = dtls_params(peer, offer);
        if leg.dtls != dtls {
            self.engine.secure(shard, leg_id, dtls.clone()).map_err(|_| NodeError::Busy)?;
        }
        if restart {
            self.restart_ice(id, offer.ice.clone());
        }
        let Some(leg) = self.peers.get_mut(id).and_then(|p| p.leg.as_mut()) else { return Ok(()) };
        leg.version += 1;
        leg.dtls = dtls;
        leg.sections = offer.sections.len();
        leg.tagged = tagged(offer);
        if std::mem::replace(&mut leg.extensions, extensions) != extensions {
            self.command(shard, Command::SetExtensions { leg: leg_id, extensions });
        }
        Ok(())
    }

    fn add_leg(
        &mut self,
        now: Time,
        id: &PeerId,
        offer: &Offer,
        extensions: ExtensionIds,
    ) -> Result<(), NodeError> {
        let leg_id = LegId(self.numbers.take());
        let local = self.random.ice(self.peer(id)?.shard);
        let session_id = self.random.number() >> 2;
        let ssrcs = Ssrcs::new(&mut self.random);
        let deadline = now + self.config.limits.handshake;
        let Some(peer) = self.peers.get_mut(id) else { return Err(NodeError::NoSuchPeer) };
        let shard = peer.shard;
        let dtls = dtls_params(peer, offer);
        peer.leg = Some(Leg {
            id: leg_id,
            local: local.clone(),
            remote: offer.ice.clone(),
            dtls: dtls.clone(),
            extensions,
            session_id,
            version: 1,
            ssrcs,
            sections: offer.sections.len(),
            tagged: tagged(offer),
            connected: false,
            deadline,
        });
        let config =
            LegConfig { leg: leg_id, transport: Transport::Ice(credentials(&local, &offer.ice)), extensions };
        self.command(shard, Command::AddLeg(Box::new(config)));
        if self.engine.secure(shard, leg_id, dtls).is_err() {
            self.command(shard, Command::RemoveLeg { leg: leg_id });
            self.numbers.free(leg_id.0);
            if let Some(peer) = self.peers.get_mut(id) {
                peer.leg = None;
            }
            return Err(NodeError::Busy);
        }
        self.shards[shard.0].legs.insert(leg_id, id.clone());
        Ok(())
    }

    /// RFC 8445 section 9: both sides get new credentials.
    fn restart_ice(&mut self, id: &PeerId, remote: Ice) {
        let Some(peer) = self.peers.get_mut(id) else { return };
        let local = self.random.ice(peer.shard);
        let (Some(leg), shard) = (&mut peer.leg, peer.shard) else { return };
        leg.local = local;
        leg.remote = remote;
        let command = Command::RestartIce { leg: leg.id, ice: credentials(&leg.local, &leg.remote) };
        self.command(shard, command);
    }

    /// Ends what is not wished any more.
    fn retire(&mut self, id: &PeerId, offer: &Offer, intents: &[Intent]) {
        let intent = |mid: &str| offer.section(mid).and_then(|(index, _)| intents.get(index));
        let Some(peer) = self.peers.get_mut(id) else { return };
        let shard = peer.shard;
        let goes_on = |s: &Subscription| match intent(&s.mid) {
            Some(Intent::Subscribe(track, chosen)) => s.is(&s.mid, track, chosen),
            _ => false,
        };
        let (kept, ended): (Vec<_>, Vec<_>) =
            std::mem::take(&mut peer.subscriptions).into_iter().partition(goes_on);
        peer.subscriptions = kept;
        let lives = |t: &Track| matches!(intent(&t.mid), Some(Intent::Publish(shape)) if **shape == t.shape);
        let gone: Vec<TrackId> = peer.tracks.iter().filter(|t| !lives(t)).map(|t| t.id.clone()).collect();
        for subscription in ended {
            self.command(shard, Command::RemoveSender { sender: subscription.sender });
            self.numbers.free(subscription.sender.0);
            self.unspan(&subscription.track, shard);
        }
        for track in gone {
            self.unpublish(id, &track);
        }
    }

    pub(super) fn unpublish(&mut self, id: &PeerId, track_id: &TrackId) {
        self.mixer_forgets(track_id);
        self.end_subscriptions(track_id);
        self.tracks.remove(track_id);
        let Some(peer) = self.peers.get_mut(id) else { return };
        let Some(index) = peer.tracks.iter().position(|t| t.id == *track_id) else { return };
        let track = peer.tracks.remove(index);
        let (shard, room) = (peer.shard, peer.room.clone());
        for layer in &track.layers {
            self.command(shard, Command::RemoveStream { stream: layer.stream });
            self.shards[shard.0].streams.remove(&layer.stream);
            self.numbers.free(layer.stream.0);
        }
        if let (Some(room), Source::Microphone) = (self.rooms.get_mut(&room), track.shape.source) {
            room.speakers.forget(id);
        }
        let notice = Notice::TrackUnpublished { peer: id.clone(), track: track_id.clone() };
        self.tell_room(&room, Some(id), &notice);
    }

    /// Whoever is sent this track is sent it no more.
    pub(super) fn end_subscriptions(&mut self, track: &TrackId) {
        let Some(publisher) = self.tracks.get(track) else { return };
        let Some(room) = self.peers.get(publisher).and_then(|p| self.rooms.get(&p.room)) else { return };
        for id in room.peers.clone() {
            let Some(peer) = self.peers.get_mut(&id) else { continue };
            let shard = peer.shard;
            let (ended, kept): (Vec<_>, Vec<_>) =
                std::mem::take(&mut peer.subscriptions).into_iter().partition(|s| s.track == *track);
            peer.subscriptions = kept;
            for subscription in ended {
                self.command(shard, Command::RemoveSender { sender: subscription.sender });
                self.numbers.free(subscription.sender.0);
                self.unspan(&subscription.track, shard);
            }
        }
    }

    fn publish_track(&mut self, id: &PeerId, mid: &str, shape: &Shape) {
        let Some(peer) = self.peers.get(id) else { return };
        if peer.tracks.iter().any(|t| t.mid == mid) {
            return;
        }
        let (shard, room) = (peer.shard, peer.room.clone());
        let Some(leg) = peer.leg.as_ref().map(|l| l.id) else { return };
        let mut layers = Vec::new();
        let rids: Vec<Option<&String>> =
            if shape.rids.is_empty() { vec![None] } else { shape.rids.iter().map(Some).collect() };
        for rid in rids {
            let stream = StreamId(self.numbers.take());
            let config = Box::new(stream_config(shape, mid, rid));
            self.command(shard, Command::AddStream { leg, stream, config });
            layers.push(Layer { rid: rid.cloned(), stream, packets: 0, alive: None });
        }
        let track = self.add_track(id, &room, mid, shape.clone(), layers);
        self.mixer_hears(&track);
    }

    /// What a peer publishes is known to the node and to the room from now on.
    pub(super) fn add_track(
        &mut self,
        id: &PeerId,
        room: &str,
        mid: &str,
        shape: Shape,
        layers: Vec<Layer>,
    ) -> TrackId {
        let track_id = TrackId::new(format!("t_{}", self.random.letters(12)));
        let shard = self.peers.get(id).map(|peer| peer.shard.0);
        if let Some(shard) = shard.and_then(|shard| self.shards.get_mut(shard)) {
            let streams = layers.iter().map(|layer| (layer.stream, (id.clone(), track_id.clone())));
            shard.streams.extend(streams);
        }
        let track = Track {
            id: track_id.clone(),
            mid: mid.to_owned(),
            shape,
            muted: false,
            layers,
            best: 0,
            spans: Default::default(),
        };
        let notice = Notice::TrackPublished { peer: id.clone(), track: track.info() };
        self.tracks.insert(track_id.clone(), id.clone());
        if let Some(peer) = self.peers.get_mut(id) {
            peer.tracks.push(track);
            // The announcer is none of the peers, so viewers without a wish are not given its track.
            if let Some(room) = self.rooms.get_mut(room).filter(|_| peer.kind != PeerKind::Announcer) {
                room.publishers.insert(peer.order, id.clone());
            }
        }
        self.tell_room(room, Some(id), &notice);
        track_id
    }

    fn subscribe_track(&mut self, id: &PeerId, mid: &str, track_id: &TrackId, chosen: &Chosen) {
        let Some(peer) = self.peers.get(id) else { return };
        if peer.subscriptions.iter().any(|s| s.mid == mid) {
            return;
        }
        let (Some(leg), shard) = (&peer.leg, peer.shard) else { return };
        let (leg, connected) = (leg.id, leg.connected);
        let Some((publisher, track)) = self.track(track_id) else { return };
        let (from, stream, kind) = (publisher.id.clone(), track.stream(), track.shape.kind);
        let payload_types = payload_map(&track.shape.chosen, chosen);
        let taken = peer.own_ssrcs();
        let Some(ssrcs) = self.peers.get_mut(id).and_then(|p| p.leg.as_mut()).map(|l| &mut l.ssrcs) else {
            return;
        };
        let ssrc = ssrcs.take(&taken);
        let rtx_ssrc = chosen.rtx.as_ref().map(|_| ssrcs.take(&taken));
        let sender = SenderId(self.numbers.take());
        let config = SenderConfig {
            kind: kind.core(),
            ssrc,
            rtx_ssrc,
            cname: from.to_string(),
            mid: Some(mid.to_owned()).filter(|m| !m.is_empty()),
        };
        self.command(shard, Command::AddSender { leg, sender, config: Box::new(config) });
        self.span(track_id, shard);
        self.command(shard, Command::Route { sender, stream, payload_types });
        // Before the handshake is complete the picture would be lost; then it is asked for at its end.
        if kind == TrackKind::Video && connected {
            self.command(shard, Command::RequestKeyFrame { stream });
        }
        let subscription = Subscription {
            mid: mid.to_owned(),
            track: track_id.clone(),
            from,
            sender,
            ssrc,
            rtx_ssrc,
            chosen: chosen.clone(),
        };
        if let Some(peer) = self.peers.get_mut(id) {
            peer.subscriptions.push(subscription);
        }
    }

    /// Another layer of a simulcast track becomes what its subscribers get.
    pub(super) fn switch_layer(&mut self, track_id: &TrackId, best: usize) {
        let Some(publisher) = self.tracks.get(track_id).cloned() else { return };
        let Some(peer) = self.peers.get_mut(&publisher) else { return };
        let room = peer.room.clone();
        let Some(track) = peer.tracks.iter_mut().find(|t| t.id == *track_id) else { return };
        if track.best == best || best >= track.layers.len() {
            return;
        }
        track.best = best;
        let (stream, published) = (track.stream(), track.shape.chosen.clone());
        let Some(room) = self.rooms.get(&room) else { return };
        let routes: Vec<_> = room
            .peers
            .iter()
            .filter_map(|id| self.peers.get(id))
            .flat_map(|p| p.subscriptions.iter().filter(|s| s.track == *track_id).map(|s| (p.shard, s)))
            .map(|(shard, s)| (shard, s.sender, payload_map(&published, &s.chosen)))
            .collect();
        for (shard, sender, payload_types) in routes {
            self.command(shard, Command::Route { sender, stream, payload_types });
        }
    }

    fn write_answer(&self, id: &PeerId, offer: &Offer, intents: &[Intent]) -> Result<Answer, NodeError> {
        let peer = self.peer(id)?;
        let mut sections = Vec::with_capacity(intents.len());
        for (section, intent) in offer.sections.iter().zip(intents) {
            sections.push(self.answer_section(peer, &section.mid, intent));
        }
        let Some(leg) = &peer.leg else { return Err(NodeError::NotNegotiated) };
        let sdp = sdp::build(offer, &self.spec(peer.shard, leg), &sections)?;
        let publish: BTreeMap<_, _> = peer.tracks.iter().map(|t| (t.mid.clone(), t.id.clone())).collect();
        let subscribe = peer.subscriptions.iter().map(|s| (s.mid.clone(), s.track.clone())).collect();
        Ok(Answer { sdp, publish, subscribe })
    }

    fn spec<'a>(&'a self, shard: ShardId, leg: &'a Leg) -> AnswerSpec<'a> {
        AnswerSpec {
            session_id: leg.session_id,
            version: leg.version,
            ice: &leg.local,
            fingerprint: &self.fingerprint,
            addresses: &self.shards[shard.0].addresses,
            tcp: self.config.tcp,
        }
    }

    fn answer_section(&self, peer: &Peer, mid: &str, intent: &Intent) -> AnswerSection {
        let media = |chosen: &Chosen, send, receive, layers| {
            AnswerSection::Media(Box::new(AnswerMedia { chosen: chosen.clone(), send, receive, layers }))
        };
        match intent {
            Intent::Reject => AnswerSection::Rejected,
            Intent::Data => AnswerSection::Data { max_message_size: self.config.limits.message_bytes },
            Intent::Rest(chosen) => media(chosen, None, false, Vec::new()),
            Intent::Publish(shape) => media(&shape.chosen, None, true, shape.rids.clone()),
            Intent::Subscribe(track, chosen) => {
                let subscription = peer.subscriptions.iter().find(|s| s.mid == mid);
                let send = subscription.zip(self.track(track)).map(|(s, (_, track))| SendIdentity {
                    ssrc: s.ssrc,
                    rtx_ssrc: s.rtx_ssrc,
                    cname: s.from.to_string(),
                    stream: track.shape.source.stream_name(&s.from),
                    track: track.id.to_string(),
                });
                media(chosen, send, false, Vec::new())
            }
        }
    }

    /// An ICE fragment: with other credentials than known, a restart.
    pub(super) fn fragment(&mut self, id: &PeerId, text: &str) -> Result<FragmentReply, NodeError> {
        let fragment = Fragment::parse(text)?;
        let peer = self.peer(id)?;
        let shard = peer.shard;
        let leg = peer.leg.as_ref().ok_or(NodeError::NotNegotiated)?;
        match fragment.ice {
            Some(ice) if ice != leg.remote => {
                self.check_shard(shard)?;
                self.restart_ice(id, ice);
                let Some(leg) = &self.peer(id)?.leg else { return Err(NodeError::NotNegotiated) };
                let [media, proto, formats, mid] = &leg.tagged;
                let reply = sdp::restarted(&self.spec(shard, leg), media, proto, formats, mid);
                Ok(FragmentReply::Restarted(reply))
            }
            _ => Ok(FragmentReply::Accepted),
        }
    }
}

/// What must not change between offers of one connection.
fn check_leg(leg: Option<&Leg>, offer: &Offer) -> Result<(), SdpError> {
    let Some(leg) = leg else { return Ok(()) };
    if leg.dtls.remote_fingerprint != offer.fingerprint {
        let index = offer.sections.iter().position(|s| s.bundled && !s.off).unwrap_or_default();
        return Err(SdpError::FingerprintChanged { place: Place::Section(index) });
    }
    let has = offer.sections.len();
    if has < leg.sections { Err(SdpError::Shrunk { had: leg.sections, has }) } else { Ok(()) }
}

/// What the handshake workers need. Without a data m-line, which may still come, the customary values stand.
fn dtls_params(peer: &Peer, offer: &Offer) -> DtlsParams {
    let mut dtls = DtlsParams::new(offer.fingerprint.clone());
    dtls.data_channels = peer.grants.data;
    if let Some(section) = offer.sections.iter().find(|s| s.kind == SectionKind::Data && s.bundled && !s.off)
    {
        dtls.sctp_port = section.sctp_port;
        dtls.max_message_size = section.max_message_size;
    }
    dtls
}

fn tagged(offer: &Offer) -> [String; 4] {
    offer.tagged().map(|words| words.map(str::to_owned)).unwrap_or_default()
}

fn credentials(local: &Ice, remote: &Ice) -> IceCredentials {
    IceCredentials {
        local_ufrag: local.ufrag.clone(),
        local_pwd: local.pwd.clone(),
        remote_ufrag: remote.ufrag.clone(),
    }
}

pub(super) fn stream_config(shape: &Shape, mid: &str, rid: Option<&String>) -> StreamConfig {
    let main = &shape.chosen.main;
    let mut payload_types = vec![PayloadType {
        number: main.number,
        rtx: shape.chosen.rtx.as_ref().map(|p| p.number),
        codec: main.codec,
        clock_rate: main.clock_rate,
    }];
    payload_types.extend(shape.chosen.red.as_ref().map(|red| PayloadType {
        number: red.number,
        rtx: None,
        codec: red.codec,
        clock_rate: red.clock_rate,
    }));
    StreamConfig {
        kind: shape.kind.core(),
        mid: Some(mid.to_owned()).filter(|m| !m.is_empty()),
        rid: rid.cloned(),
        ssrc: shape.ssrc,
        rtx_ssrc: shape.rtx_ssrc,
        payload_types,
        nack: main.feedback.nack,
        pli: main.feedback.pli,
        fir: main.feedback.fir,
        transport_cc: shape.transport_cc,
    }
}

/// The publisher's numbers and what the subscriber calls them.
fn payload_map(published: &Chosen, subscribed: &Chosen) -> Vec<PayloadMap> {
    let rtx = subscribed.rtx.as_ref().map(|p| p.number);
    let mut map = vec![PayloadMap { from: published.main.number, to: subscribed.main.number, rtx }];
    if let (Some(from), Some(to)) = (&published.red, &subscribed.red) {
        map.push(PayloadMap { from: from.number, to: to.number, rtx: None });
    }
    map
}
