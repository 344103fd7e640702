//! Callers at the door of a room with a PIN.

use std::time::Duration;

use kaname_engine::audio::{AudioEvent, Key, KeyEvent};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::fake::{Bench, about, config, sdp};
use crate::calls::room::{RoomNews, RoomWish};
use crate::calls::state::CallKey;
use crate::node::{Entry, NodeError, PeerId};

/// A caller, and what the rooms are asked for.
struct Caller {
    bench: Bench,
    wishes: UnboundedReceiver<RoomWish>,
    key: CallKey,
}

fn call(pin: &str) -> Caller {
    let mut bench = Bench::new(config());
    let (rooms, wishes) = unbounded_channel();
    bench.state.rooms = Some(rooms);
    let offer = about("offer", "c", "a", "").with("sdp", sdp("203.0.113.1", 4_000, "RTP/AVP 8 101", ""));
    bench.describe(offer.with("room", "lobby").with("pin", pin));
    let key = bench.state.names["c"];
    Caller { bench, wishes, key }
}

impl Caller {
    /// How it wants in, the last time that it did.
    fn entry(&mut self) -> Option<Entry> {
        match self.wishes.try_recv().ok()? {
            RoomWish::Join(_, request) => Some(request.entry),
            other => panic!("{other:?}"),
        }
    }

    fn typed(&mut self) -> Option<String> {
        match self.entry()? {
            Entry::Caller { typed, .. } => typed.map(|typed| typed.as_str().to_owned()),
            Entry::Trusted => None,
        }
    }

    fn told(&mut self, news: NodeError) -> Vec<String> {
        self.bench.told();
        self.bench.state.room_news(self.bench.now, RoomNews::Refused(self.key, news));
        self.bench.told()
    }

    fn press(&mut self, keys: &str) {
        for key in keys.chars() {
            let Some((_, tap)) = self.bench.state.calls[&self.key].told.taps().next() else { return };
            let event = KeyEvent::Down(Key::from_char(key).expect("a key"));
            self.bench.state.audio_event(self.bench.now, AudioEvent::Key { id: tap, event });
        }
    }

    fn ended(&self) -> Vec<&'static str> {
        self.bench.state.counters().ended_total.into_keys().collect()
    }
}

fn has(told: &[String], words: &str) -> bool {
    told.iter().any(|line| line.starts_with(words))
}

#[test]
fn the_key_says_who_is_asked() {
    assert!(matches!(call("skip").entry(), Some(Entry::Trusted)));
    assert!(matches!(call("ask").entry(), Some(Entry::Caller { strict: false, typed: None })));
    assert!(matches!(call("require").entry(), Some(Entry::Caller { strict: true, typed: None })));
}

#[test]
fn digits_end_by_a_key_or_by_a_pause_and_the_door_falls_silent_before_the_room_speaks() {
    let mut caller = call("ask");
    assert!(caller.entry().is_some());
    let told = caller.told(NodeError::PinNeeded);
    for words in ["tap", "transcode to Pcma", "route", "Play"] {
        assert!(has(&told, words), "{words} in {told:#?}");
    }
    caller.press("12");
    assert!(has(&caller.bench.told(), "StopPlaying"), "whoever types has heard enough");
    caller.press("*34#");
    assert_eq!(caller.typed().as_deref(), Some("34"));
    let told = caller.bench.told();
    for words in ["unroute", "end export", "remove worker's"] {
        assert!(has(&told, words), "{words} in {told:#?}");
    }
    caller.press("5");
    assert_eq!(caller.typed(), None, "nobody listens while the room thinks");
    assert!(has(&caller.told(NodeError::WrongPin), "Play"));
    caller.press("4711");
    caller.bench.pass(Duration::from_secs(4));
    assert_eq!(caller.typed(), None);
    caller.bench.pass(Duration::from_secs(1));
    assert_eq!(caller.typed().as_deref(), Some("4711"));
    caller.bench.told();
    let news = RoomNews::Joined(caller.key, PeerId::new("p_1"));
    caller.bench.state.room_news(caller.bench.now, news);
    assert!(caller.bench.told().is_empty(), "what the room routed stays");
    assert_eq!(caller.ended(), [""; 0]);
}

#[test]
fn who_types_nothing_or_only_wrong_pins_is_told_so_and_the_call_ends() {
    let mut caller = call("ask");
    caller.told(NodeError::PinNeeded);
    for _ in 0..2 {
        caller.bench.told();
        caller.bench.pass(Duration::from_secs(17));
        assert!(has(&caller.bench.told(), "Play"), "asked again");
    }
    caller.bench.pass(Duration::from_secs(17));
    assert!(has(&caller.bench.told(), "Play"), "and refused");
    caller.press("1234#");
    assert_eq!(caller.ended(), [""; 0], "it hears that");
    caller.bench.pass(Duration::from_secs(1));
    caller.bench.tell_figures(0);
    assert_eq!(caller.ended(), ["no pin"]);
    let mut caller = call("ask");
    caller.told(NodeError::PinNeeded);
    for _ in 0..3 {
        caller.press("1234#");
        assert!(has(&caller.told(NodeError::WrongPin), "Play"));
    }
    caller.bench.pass(Duration::from_secs(1));
    caller.bench.tell_figures(0);
    assert_eq!(caller.ended(), ["wrong pin"]);
    let mut caller = call("ask");
    assert!(has(&caller.told(NodeError::PinBlocked), "Play"));
    caller.bench.pass(Duration::from_secs(1));
    caller.bench.tell_figures(0);
    assert_eq!(caller.ended(), ["pin blocked"]);
}

#[test]
fn another_codec_at_the_door_is_listened_to_anew() {
    let mut caller = call("ask");
    caller.told(NodeError::PinNeeded);
    let again = about("offer", "c", "a", "").with("sdp", sdp("203.0.113.1", 4_000, "RTP/AVP 0 101", ""));
    caller.bench.describe(again);
    assert!(has(&caller.bench.told(), "tap"));
    caller.press("77#");
    assert!(caller.entry().is_some());
    assert_eq!(caller.typed().as_deref(), Some("77"));
}
