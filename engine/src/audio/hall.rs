//! A room with the ways in and out of those in it.

use std::cell::RefCell;

use kaname_core::command::LinkId;
use kaname_media::jitter::{Inserted, Packet};
use kaname_media::mixer::{Audience, ParticipantConfig, ParticipantId, Room, RoomError, RoomEvent};

use super::item::Around;
use super::outlet::Outlets;
use super::record::Point;
use super::{AudioEvent, AudioId, Side};

/// About how long a participant's part of a turn takes, beside a transcoder's.
pub(super) const WEIGHT: u64 = 300;

pub(super) struct Hall {
    pub(super) room: Room,
    /// By the place that the room gave them.
    members: Vec<Option<Member>>,
    outlets: Vec<Outlets>,
    /// Recorders of the mix.
    pub(super) points: Vec<(Side, Point)>,
}

/// Somebody in a room.
pub(super) struct Member {
    pub(super) id: AudioId,
    pub(super) place: ParticipantId,
    pub(super) input: Option<LinkId>,
    /// Payload type of what it is sent, whose timestamps are now.
    live: Option<u8>,
    pub(super) listens: bool,
    pub(super) points: Vec<(Side, Point)>,
}

impl Hall {
    pub(super) fn new(room: Room) -> Hall {
        Hall { room, members: Vec::new(), outlets: Vec::new(), points: Vec::new() }
    }

    pub(super) fn join(
        &mut self,
        id: AudioId,
        input: Option<LinkId>,
        outlets: Outlets,
        config: &ParticipantConfig,
    ) -> Result<ParticipantId, RoomError> {
        let place = self.room.join(config)?;
        let index = place.index();
        if self.members.len() <= index {
            self.members.resize_with(index + 1, || None);
            self.outlets.resize_with(index + 1, Outlets::default);
        }
        let live = config.sends.map(|sends| sends.payload_type);
        self.members[index] = Some(Member { id, place, input, live, listens: true, points: Vec::new() });
        self.outlets[index] = outlets;
        self.settle(place);
        Ok(place)
    }

    pub(super) fn change(
        &mut self,
        place: ParticipantId,
        config: &ParticipantConfig,
    ) -> Result<(), RoomError> {
        self.room.change(place, config)?;
        if let Some(member) = self.member(place) {
            member.live = config.sends.map(|sends| sends.payload_type);
        }
        self.outlets(place).map(Outlets::tell_clocks);
        Ok(())
    }

    /// Takes somebody out.
    pub(super) fn leave(&mut self, place: ParticipantId) -> Option<(Member, Outlets)> {
        let member = self.members.get_mut(place.index())?.take_if(|member| member.place == place)?;
        // It was there: the room knows it.
        let _ = self.room.leave(place);
        Some((member, std::mem::take(&mut self.outlets[place.index()])))
    }

    pub(super) fn member(&mut self, place: ParticipantId) -> Option<&mut Member> {
        self.members.get_mut(place.index())?.as_mut().filter(|member| member.place == place)
    }

    pub(super) fn outlets(&mut self, place: ParticipantId) -> Option<&mut Outlets> {
        self.outlets.get_mut(place.index())
    }

    pub(super) fn places(&self) -> Vec<ParticipantId> {
        self.members.iter().flatten().map(|member| member.place).collect()
    }

    /// Nothing is encoded that nobody hears, and nothing kept that nobody records.
    pub(super) fn settle(&mut self, place: ParticipantId) {
        let wanted = self.outlets(place).is_some_and(|outlets| outlets.is_wanted());
        let listens = self.member(place).is_some_and(|member| member.listens);
        // It may have gone.
        let _ = self.room.set_listens(place, listens && wanted);
        self.room.set_record(!self.points.is_empty());
    }

    pub(super) fn receive(
        &mut self,
        place: ParticipantId,
        packet: &Packet<'_>,
        tell: &dyn Fn(AudioEvent),
    ) -> Inserted {
        let Some(id) = self.member(place).map(|member| member.id) else { return Inserted::UnknownType };
        let inserted = self.room.receive(place, packet, &mut |event| {
            if let RoomEvent::Key(_, event) = event {
                tell(AudioEvent::Key { id, event });
            }
        });
        inserted.unwrap_or(Inserted::UnknownType)
    }

    pub(super) fn tick(&mut self, room_id: AudioId, around: &mut Around<'_, '_>) {
        let Hall { room, members, outlets, points } = self;
        let (now, tell) = (around.now, around.tell);
        let of = |place: ParticipantId| members.get(place.index()).and_then(Option::as_ref);
        let out = RefCell::new(around);
        room.tick(
            now.as_nanos(),
            &mut |place, packet| {
                let live = of(place).is_some_and(|member| member.live == Some(packet.payload_type));
                if let Some(outlets) = outlets.get_mut(place.index()) {
                    outlets.send(packet, live, &mut out.borrow_mut());
                }
            },
            &mut |event| {
                if let Some(event) = translate(event, room_id, |place| of(place).map(|member| member.id)) {
                    tell(event);
                }
            },
        );
        let around = out.into_inner();
        for (_, point) in &*points {
            around.recorders.sound(*point, room.rate(), room.mix(), now, around.figures);
        }
        record_voices(room, members, around);
    }
}

/// Gives each recorder of a participant its voice, or silence.
fn record_voices(room: &Room, members: &[Option<Member>], around: &mut Around<'_, '_>) {
    if members.iter().flatten().all(|member| member.points.is_empty()) {
        return;
    }
    let samples = room.rate().samples(room.tick_ms());
    for member in members.iter().flatten().filter(|member| !member.points.is_empty()) {
        let voice = room.voices().find(|(place, _)| *place == member.place).map(|(_, frame)| frame);
        let frame = voice.unwrap_or(&SILENCE[..samples]);
        for (_, point) in &member.points {
            around.recorders.sound(*point, room.rate(), frame, around.now, around.figures);
        }
    }
}

/// The longest tick of a room.
static SILENCE: [i16; 960] = [0; 960];

fn translate(
    event: RoomEvent,
    room: AudioId,
    name: impl Fn(ParticipantId) -> Option<AudioId>,
) -> Option<AudioEvent> {
    Some(match event {
        RoomEvent::Key(place, event) => AudioEvent::Key { id: name(place)?, event },
        RoomEvent::Speaks(place) => AudioEvent::Speaking { room, id: name(place)?, on: true },
        RoomEvent::Silent(place) => AudioEvent::Speaking { room, id: name(place)?, on: false },
        // The room's own tones were nobody's wish.
        RoomEvent::PromptOver(_, Room::TONE) => return None,
        RoomEvent::PromptOver(Audience::Room, token) => {
            AudioEvent::PlayEnded { id: room, token, stopped: false }
        }
        RoomEvent::PromptOver(Audience::One(place), token) => {
            AudioEvent::PlayEnded { id: name(place)?, token, stopped: false }
        }
    })
}
