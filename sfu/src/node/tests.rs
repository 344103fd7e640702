//! Tests of the node against a fake engine: no socket, no clock, all randomness from one seed.

mod actor;
mod announcer;
mod data;
mod endings;
mod fake;
mod layers;
mod limits;
mod muting;
mod negotiation;
mod phones;
mod pins;
mod random;
mod sounds;
mod spanning;
mod subscribing;
mod whip;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use kaname_engine::core::command::{LegId, StreamId};
use kaname_engine::core::{Event, Time};
use kaname_engine::srtp::Profile;
use kaname_engine::{EngineEvent, ShardId};
use tokio::sync::{mpsc, oneshot};

use super::api::*;
use super::error::NodeError;
use super::handle::NodeConfig;
use super::limits::NodeLimits;
use super::names::Random;
use super::phone_sound::SoundWish;
use super::plan::Wish;
use super::state::State;
use crate::sdp::Offer;
use fake::FakeEngine;

/// A node and all it talks to.
struct World {
    state: State,
    engine: Arc<FakeEngine>,
    now: Time,
}

/// Someone in a room.
struct Member {
    id: PeerId,
    notices: mpsc::Receiver<Notice>,
}

fn everything() -> Grants {
    Grants { room: "lobby".into(), join: true, publish: true, subscribe: true, data: true, admin: false }
}

impl World {
    fn new() -> World {
        World::with(1, NodeLimits::default())
    }

    fn with(shards: usize, limits: NodeLimits) -> World {
        let engine = Arc::new(FakeEngine::new(shards));
        let config = NodeConfig { limits, advertise: Vec::new(), tcp: true };
        let state = State::new(engine.clone(), config, fake::random()).expect("a node");
        World { state, engine, now: Time::from_nanos(1_000_000_000) }
    }

    fn try_join(&mut self, room: &str, name: &str, grants: Grants) -> Result<Member, NodeError> {
        let request =
            JoinRequest { room: room.into(), identity: None, name: name.into(), grants, news: true };
        let joined = self.state.join(self.now, request)?;
        Ok(Member { id: joined.peer.id, notices: joined.notices })
    }

    fn join(&mut self, name: &str) -> Member {
        self.try_join("lobby", name, everything()).expect("joined")
    }

    fn sound(&mut self, wish: SoundWish) -> Result<(), NodeError> {
        self.state.sound(self.now, wish)
    }

    fn negotiate(
        &mut self,
        peer: &Member,
        offer: &fake::OfferText,
        publish: &[(&str, Source)],
        subscribe: &[(&str, &TrackId)],
    ) -> Result<Answer, NodeError> {
        let wish = Negotiation {
            sdp: offer.text(),
            publish: publish.iter().map(|(mid, source)| (mid.to_string(), *source)).collect(),
            subscribe: subscribe.iter().map(|(mid, track)| (mid.to_string(), (*track).clone())).collect(),
        };
        self.state.negotiate(self.now, &peer.id, Wish::read(wish))
    }

    /// Someone who publishes microphone (mid 0) and camera (mid 1) over a connection that is up.
    fn publisher(&mut self, name: &str) -> (Member, BTreeMap<String, TrackId>) {
        let member = self.join(name);
        let offer = fake::OfferText::new(name).audio("0", "sendonly").video("1", "sendonly").data("2");
        let wish = [("0", Source::Microphone), ("1", Source::Camera)];
        let answer = self.negotiate(&member, &offer, &wish, &[]).expect("answered");
        self.connect(&member);
        (member, answer.publish)
    }

    /// Someone with a connection that is up and carries data only.
    fn listener(&mut self, name: &str) -> Member {
        let member = self.join(name);
        self.negotiate(&member, &fake::OfferText::new(name).data("0"), &[], &[]).expect("answered");
        self.connect(&member);
        member
    }

    fn leg(&self, peer: &Member) -> LegId {
        self.state.peers[&peer.id].leg.as_ref().expect("a leg").id
    }

    fn shard(&self, peer: &Member) -> ShardId {
        self.state.peers[&peer.id].shard
    }

    fn stream(&self, peer: &Member, mid: &str) -> StreamId {
        let tracks = &self.state.peers[&peer.id].tracks;
        tracks.iter().find(|t| t.mid == mid).expect("a track").stream()
    }

    fn connect(&mut self, peer: &Member) {
        let leg = self.leg(peer);
        let profile = Profile::AeadAes128Gcm;
        self.event(peer, EngineEvent::Secured { leg, profile, dtls: "DTLS 1.3" });
    }

    fn event(&mut self, peer: &Member, event: EngineEvent) {
        let shard = self.shard(peer);
        self.state.event(self.now, shard, event);
    }

    fn core(&mut self, peer: &Member, event: Event) {
        self.event(peer, EngineEvent::Core(event));
    }

    /// Time passes, a tick each 100 ms.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.now = self.now + Duration::from_millis(100);
            self.state.tick(self.now);
        }
    }

    /// What the engine was told since the last time.
    fn told(&self) -> Vec<String> {
        self.engine.take()
    }

    /// Nothing is left of anyone: no ghosts.
    fn assert_empty(&self) {
        let state = &self.state;
        assert!(state.peers.is_empty() && state.tracks.is_empty() && state.rooms.is_empty());
        for shard in &state.shards {
            assert!(shard.legs.is_empty() && shard.streams.is_empty() && shard.peers == 0);
        }
        assert_eq!(state.numbers.in_use(), 0);
    }
}

impl Member {
    /// The notices since the last time, as JSON of the WebSocket.
    fn heard(&mut self) -> Vec<String> {
        let mut heard = Vec::new();
        while let Ok(notice) = self.notices.try_recv() {
            heard.push(serde_json::to_string(&notice).expect("JSON"));
        }
        heard
    }
}
