//! Calls into rooms and out of them: one end is a telephone, the other is a room of this node.
//!
//! The room is a party like any other, under a tag that no SIP end can have: it answers what a telephone offers, or
//! offers what it can, and offer and answer are settled as between two telephones. But it has no leg. What comes from the
//! telephone and what goes to it is the room's business: it gets the telephone's line (see [`PhoneLine`]).

use std::path::PathBuf;

use kaname_engine::audio::TranscoderConfig;
use tokio::sync::mpsc;
use zeroize::Zeroizing;

use super::actor::Now;
use super::answer::answer;
use super::api::PhoneState;
use super::door::Menu;
use super::error::CallError;
use super::model::Call;
use super::offer::offer;
use super::plan::{Manner, SideKey};
use super::state::{CallKey, State};
use super::tools::Tools;
use crate::ng::flags::{DtlsMode, Flags, IceMode, PinWish, Secret};
use crate::ng::sdp::mux::MuxRules;
use crate::ng::sdp::protocol::{Protocol, ProtocolWish};
use crate::ng::sdp::{Format, MediaView, SessionText};
use crate::node::{Entry, LeaveReason, NodeError, NodeHandle, PeerId, PhoneLine, PhoneRequest, SoundWish};

/// The room's tag: RFC 3261 allows no blank in a tag.
const TAG: &str = "the room";

/// Where the room is said to be: nothing is ever sent there, as the room has no leg (RFC 863).
const NOWHERE: &str = "127.0.0.1";
const DISCARD: u16 = 9;

/// A telephone's seat in a room.
#[derive(Debug)]
pub(super) struct Seat {
    room: String,
    /// What others see.
    name: String,
    /// Whose wrong PINs are counted, as far as it is known.
    caller: Option<String>,
    /// The room called the telephone.
    calls_out: bool,
    pin: PinWish,
    pub(super) stay: Stay,
    /// The line that the room was told last.
    line: Option<PhoneLine>,
    /// Wrong PINs, and all that it was asked for in vain.
    pub(super) wrong_pins: u32,
    pub(super) tries: u32,
    /// Where it is recorded to.
    pub(super) recorded: Option<PathBuf>,
}

#[derive(Debug)]
pub(super) enum Stay {
    /// The room was not asked yet.
    Outside,
    /// It was, and has not said anything.
    Asked,
    /// It wants a PIN.
    Door(Menu),
    In(PeerId),
}

/// What the rooms are asked for, one after the other.
#[derive(Debug)]
pub(super) enum RoomWish {
    Join(CallKey, PhoneRequest),
    Change(PeerId, PhoneLine),
    Sound(SoundWish),
    Leave(PeerId),
}

/// What the rooms say.
#[derive(Debug)]
pub(super) enum RoomNews {
    Joined(CallKey, PeerId),
    Refused(CallKey, NodeError),
    /// The stay is over: kicked, or the room was deleted.
    Ended(CallKey),
}

/// Asks the rooms, in order, so that a change is never carried out ahead of the join that it follows.
pub(super) fn ask_rooms(
    node: NodeHandle,
) -> (mpsc::UnboundedSender<RoomWish>, mpsc::UnboundedReceiver<RoomNews>) {
    let (wishes, mut wished) = mpsc::unbounded_channel();
    let (news, heard) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(wish) = wished.recv().await {
            match wish {
                RoomWish::Join(key, request) => {
                    let told = match node.join_phone(request).await {
                        Ok(joined) => {
                            let (news, ended) = (news.clone(), joined.ended);
                            tokio::spawn(async move {
                                let _over = ended.await;
                                let _stopped = news.send(RoomNews::Ended(key));
                            });
                            RoomNews::Joined(key, joined.peer.id)
                        }
                        Err(error) => RoomNews::Refused(key, error),
                    };
                    let _stopped = news.send(told);
                }
                RoomWish::Change(peer, line) => {
                    if let Err(error) = node.change_phone(peer.clone(), line).await {
                        tracing::debug!(peer = %peer, %error, "a telephone that changed had left its room");
                    }
                }
                RoomWish::Sound(wish) => {
                    if let Err(error) = node.sound(wish).await {
                        tracing::warn!(%error, "what was asked of a room's sound was not done");
                    }
                }
                RoomWish::Leave(peer) => {
                    // It may have been removed meanwhile.
                    let _gone = node.leave(peer, LeaveReason::Left).await;
                }
            }
        }
    });
    (wishes, heard)
}

impl Seat {
    pub(super) fn new(flags: &Flags, room: &str) -> Seat {
        let name = [&flags.display_name, &flags.from_number].into_iter().flatten().next();
        Seat {
            room: room.to_owned(),
            name: name.map_or("telephone", String::as_str).to_owned(),
            // A number is harder to invent than a name.
            caller: flags.from_number.clone().or_else(|| flags.display_name.clone()),
            calls_out: flags.sdp.is_none(),
            pin: flags.pin,
            stay: Stay::Outside,
            line: None,
            wrong_pins: 0,
            tries: 0,
            recorded: None,
        }
    }

    pub(super) fn room(&self) -> &str {
        &self.room
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Its peer, once it is in the room.
    pub(super) fn peer(&self) -> Option<&PeerId> {
        match &self.stay {
            Stay::In(peer) => Some(peer),
            _ => None,
        }
    }

    pub(super) fn state(&self) -> PhoneState {
        match self.stay {
            Stay::Outside if self.calls_out => PhoneState::Called,
            Stay::Outside | Stay::Asked => PhoneState::Joining,
            Stay::Door(_) => PhoneState::AtDoor,
            Stay::In(_) => PhoneState::InRoom,
        }
    }

    pub(super) fn is_recorded(&self) -> bool {
        self.recorded.is_some()
    }

    /// How it comes in; a telephone that the room calls is known.
    fn entry(&self, typed: Option<Zeroizing<String>>) -> Entry {
        match self.pin {
            _ if self.calls_out => Entry::Trusted,
            PinWish::Skip => Entry::Trusted,
            pin => Entry::Caller { strict: pin == PinWish::Require, typed },
        }
    }
}

/// An offer to a room, answered at once; or a room's own offer, where none came.
pub(super) fn offer_to_room(
    tools: &mut Tools,
    now: Now,
    call: &mut Call,
    flags: &Flags,
) -> Result<String, CallError> {
    let described = match &flags.sdp {
        Some(sdp) => take_offer(tools, now, call, flags, sdp),
        None => make_offer(tools, now, call, flags),
    };
    close_room_ports(tools, now, call);
    described
}

fn take_offer(
    tools: &mut Tools,
    now: Now,
    call: &mut Call,
    flags: &Flags,
    sdp: &Secret,
) -> Result<String, CallError> {
    let text = SessionText::parse(sdp.as_str())?;
    // Towards the room all is plain: there is no way in between.
    let towards_room = Flags {
        to_tag: Some(TAG.to_owned()),
        protocol: ProtocolWish::Exactly(Protocol::Avp),
        ice: IceMode::Remove,
        rtcp_mux: MuxRules::default(),
        ..flags.clone()
    };
    offer(tools, now, call, &towards_room, &text)?;
    let answered = answer_of_room(tools, &text).ok_or(CallError::NoSound)?;
    let towards_phone = Flags { to_tag: Some(TAG.to_owned()), protocol: ProtocolWish::Keep, ..flags.clone() };
    answer(tools, now, call, &towards_phone, &SessionText::parse(&answered)?)
}

fn make_offer(tools: &mut Tools, now: Now, call: &mut Call, flags: &Flags) -> Result<String, CallError> {
    let text = SessionText::parse(&offer_of_room(tools))?;
    let to_tag = flags.to_tag.clone().or_else(|| call.phone().map(|party| call.parties[party].tag.clone()));
    let towards_phone = Flags { from_tag: Some(TAG.to_owned()), to_tag, ..flags.clone() };
    offer(tools, now, call, &towards_phone, &text)
}

/// A telephone's answer to what its room offered.
pub(super) fn answer_to_room(
    tools: &mut Tools,
    now: Now,
    call: &mut Call,
    flags: &Flags,
    text: &SessionText,
) -> Result<String, CallError> {
    let towards_room = Flags {
        from_tag: Some(TAG.to_owned()),
        to_tag: flags.to_tag.clone().or_else(|| flags.from_tag.clone()),
        ice: IceMode::Remove,
        dtls: DtlsMode::default(),
        ..flags.clone()
    };
    let described = answer(tools, now, call, &towards_room, text);
    close_room_ports(tools, now, call);
    described
}

/// The party that is a room has no leg, and needs no ports.
fn close_room_ports(tools: &mut Tools, now: Now, call: &mut Call) {
    let home = call.told.home();
    if let Some(room) = call.parties.iter_mut().find(|party| party.tag == TAG) {
        tools.close_ports(now, home, room);
    }
}

/// What the room answers: the first sound that it can code, and nothing else. `None`: there is no such sound.
fn answer_of_room(tools: &Tools, offer: &SessionText) -> Option<String> {
    let speaks = |view: &&MediaView| view.kind == "audio" && view.protocol.is_rtp() && !view.is_off();
    let chosen = offer.medias().iter().filter(speaks).find_map(|view| {
        let codec = view.formats.iter().find(|format| tools.can(format))?;
        let events = view.formats.iter().find(|it| it.is_event() && it.clock_rate == codec.clock_rate);
        Some((view.index, std::iter::once(codec).chain(events).collect::<Vec<_>>()))
    })?;
    let mut text = head();
    for view in offer.medias() {
        if view.index == chosen.0 {
            line(&mut text, &chosen.1);
        } else {
            let word = view.format_words.first().map_or("0", String::as_str);
            text.push_str(&format!("m={} 0 {} {word}\r\n", view.kind, view.protocol.name()));
        }
    }
    Some(text)
}

/// What a room can offer, the best first.
fn offer_of_room(tools: &Tools) -> String {
    let opus = Format::new(111, "opus", 48_000, 2).with_fmtp("useinbandfec=1");
    let all = [
        opus,
        Format::fixed(9),
        Format::fixed(8),
        Format::fixed(0),
        Format::new(110, "telephone-event", 48_000, 1).with_fmtp("0-16"),
        Format::new(101, "telephone-event", 8_000, 1).with_fmtp("0-16"),
    ];
    let able: Vec<&Format> = all.iter().filter(|format| format.is_event() || tools.can(format)).collect();
    let mut text = head();
    line(&mut text, &able);
    text
}

fn head() -> String {
    format!("v=0\r\no=- 0 0 IN IP4 {NOWHERE}\r\ns=-\r\nc=IN IP4 {NOWHERE}\r\nt=0 0\r\n")
}

fn line(text: &mut String, formats: &[&Format]) {
    let numbers: Vec<String> = formats.iter().map(|format| format.payload_type.to_string()).collect();
    text.push_str(&format!("m=audio {DISCARD} RTP/AVP {}\r\n", numbers.join(" ")));
    for format in formats {
        text.push_str(&format!("a=rtpmap:{}\r\n", format.rtpmap()));
        if let Some(fmtp) = &format.fmtp {
            text.push_str(&format!("a=fmtp:{} {fmtp}\r\n", format.payload_type));
        }
    }
}

impl Call {
    /// Whether this party is a room or hidden, and so has no leg.
    pub(super) fn is_room(&self, party: usize) -> bool {
        self.parties.get(party).is_some_and(|party| party.hidden || party.tag == TAG)
    }

    /// The party at the telephone.
    pub(super) fn phone(&self) -> Option<usize> {
        self.live().find(|(_, party)| party.tag != TAG).map(|(index, _)| index)
    }

    /// The room that is one end of it.
    pub(super) fn room(&self) -> Option<&str> {
        self.seat.as_ref().map(Seat::room)
    }

    /// Whose wrong PINs are counted: a number or name, else where the telephone said it is.
    fn caller(&self) -> Option<String> {
        let said = self.seat.as_ref()?.caller.clone();
        said.or_else(|| {
            let mut medias = self.parties[self.phone()?].medias.iter();
            medias.find_map(|media| Some(media.agreed.as_ref()?.remote.rtp?.ip().to_string()))
        })
    }

    /// Whether it was the room that called.
    pub(super) fn is_of_room(&self) -> bool {
        self.seat.as_ref().is_some_and(|seat| seat.calls_out)
    }

    /// The telephone's line, as it is now.
    fn line(&self) -> Option<PhoneLine> {
        let party = self.phone()?;
        let room = self.parties.iter().find(|party| party.tag == TAG)?;
        let spoken = |media: &&super::model::Media| media.agreed.as_ref().is_some_and(|agreed| !agreed.video);
        let media = self.parties[party].medias.iter().position(|media| spoken(&media))?;
        let to_phone = self.parties[party].medias[media].agreed.as_ref()?;
        let to_room = room.medias.get(media)?.agreed.as_ref()?;
        let (stream, sender) = self.told.line(SideKey { party, media })?;
        Some(PhoneLine {
            shard: self.shard(),
            stream,
            sender,
            receives: worked(to_room)?.receives.clone(),
            sends: worked(to_phone)?.sends,
            held: !to_phone.receives || to_phone.remote.held,
        })
    }
}

/// How sound gets to a side through a worker.
fn worked(agreed: &super::model::Agreed) -> Option<&TranscoderConfig> {
    [Some(&agreed.flow), agreed.worked.as_ref()].into_iter().flatten().find_map(|manner| match manner {
        Manner::Transcode { config, .. } => Some(&**config),
        Manner::Pass(_) | Manner::Solo(_) | Manner::Relay => None,
    })
}

impl State {
    /// Tells the room what its telephone's line is now.
    pub(super) fn settle_seat(&mut self, key: CallKey) {
        let Some(call) = self.calls.get_mut(&key) else { return };
        let line = call.line();
        let (Some(seat), Some(line)) = (&mut call.seat, line) else { return };
        if seat.line.as_ref() == Some(&line) {
            return;
        }
        match &seat.stay {
            Stay::Outside => self.enter(key, None),
            // Told once it is there.
            Stay::Asked => {}
            Stay::Door(_) => {
                seat.line = Some(line);
                self.listen_anew(key);
            }
            Stay::In(peer) => {
                let wish = RoomWish::Change(peer.clone(), line.clone());
                seat.line = Some(line);
                self.tell_rooms(wish);
            }
        }
    }

    /// Asks the room to let its telephone in, with what it typed as its PIN.
    pub(super) fn enter(&mut self, key: CallKey, typed: Option<Zeroizing<String>>) {
        let Some(call) = self.calls.get_mut(&key) else { return };
        let (line, caller, identity) = (call.line(), call.caller(), Some(call.id.clone()));
        let (Some(seat), Some(line)) = (&mut call.seat, line) else { return };
        let was_at_door = matches!(seat.stay, Stay::Door(_));
        seat.stay = Stay::Asked;
        seat.line = Some(line.clone());
        let (room, name, entry) = (seat.room.clone(), seat.name.clone(), seat.entry(typed));
        // The room routes its sound to the telephone, so the door's must have ended.
        if was_at_door {
            self.replan(key, false);
        }
        self.tell_rooms(RoomWish::Join(key, PhoneRequest { room, identity, name, caller, entry, line }));
    }

    pub(super) fn tell_rooms(&self, wish: RoomWish) {
        if let Some(rooms) = &self.rooms {
            let _stopped = rooms.send(wish);
        }
    }

    /// The telephone leaves its room: its call is over.
    pub(super) fn leave_seat(&mut self, call: &Call) {
        if let Some(peer) = call.seat.as_ref().and_then(Seat::peer) {
            self.tell_rooms(RoomWish::Leave(peer.clone()));
        }
    }

    pub(super) fn room_news(&mut self, now: Now, news: RoomNews) {
        match news {
            RoomNews::Joined(key, peer) => {
                match self.calls.get_mut(&key).and_then(|call| call.seat.as_mut()) {
                    Some(seat) => {
                        seat.stay = Stay::In(peer);
                        self.settle_seat(key);
                    }
                    // It hung up while the door was being opened.
                    None => self.tell_rooms(RoomWish::Leave(peer)),
                }
            }
            RoomNews::Refused(key, why) => self.not_let_in(now, key, &why),
            RoomNews::Ended(key) => self.end(now, key, "left the room", None),
        }
    }
}
