//! Rooms with a PIN: who comes in, and how often it may be guessed.

use zeroize::Zeroizing;

use super::super::phones::PhoneRequest;
use super::super::pins::{Entry, Pin};
use super::phones::line;
use super::*;

struct Door {
    world: World,
    calls: u32,
}

impl Door {
    fn new(limits: NodeLimits) -> Door {
        let mut world = World::with(1, limits);
        for room in ["lobby", "attic"] {
            let settings = RoomSettings { pin: Some(Pin::parse("4711").expect("a PIN")), tones: false };
            world.state.create_room(room, settings).expect("created");
        }
        world.state.create_room("open", RoomSettings::default()).expect("created");
        Door { world, calls: 0 }
    }

    fn knock(&mut self, room: &str, caller: Option<&str>, entry: Entry) -> Result<Joined, NodeError> {
        self.calls += 1;
        let request = PhoneRequest {
            room: room.into(),
            identity: None,
            name: "telephone".into(),
            caller: caller.map(str::to_owned),
            entry,
            line: line(0, self.calls),
        };
        self.world.state.join_phone(self.world.now, request)
    }

    fn typed(&mut self, room: &str, caller: &str, typed: &str) -> Result<(), NodeError> {
        let entry = Entry::Caller { strict: false, typed: Some(Zeroizing::new(typed.into())) };
        self.knock(room, Some(caller), entry).map(|_| ())
    }

    fn outcomes(&self) -> Vec<(&'static str, u64)> {
        self.world.state.counters().pins_total.into_iter().collect()
    }
}

fn asks(strict: bool) -> Entry {
    Entry::Caller { strict, typed: None }
}

#[test]
fn callers_are_asked_where_there_is_a_pin_and_others_come_in() {
    let mut door = Door::new(NodeLimits::default());
    assert_eq!(door.knock("lobby", None, asks(false)).expect_err("asked"), NodeError::PinNeeded);
    assert!(door.world.state.room("lobby", None).expect("a room").peers.is_empty());
    assert_eq!(door.typed("lobby", "ada", "4712"), Err(NodeError::WrongPin));
    assert_eq!(door.typed("lobby", "ada", "47110"), Err(NodeError::WrongPin));
    door.typed("lobby", "ada", "4711").expect("right");
    door.knock("lobby", None, Entry::Trusted).expect("vouched for");
    door.knock("open", None, asks(false)).expect("open");
    assert_eq!(door.knock("open", None, asks(true)).expect_err("strict"), NodeError::NoPin);
    assert_eq!(door.knock("nowhere", None, asks(true)).expect_err("strict"), NodeError::NoPin);
    assert_eq!(door.world.state.room("lobby", None).expect("a room").peers.len(), 2);
    assert_eq!(door.typed("nowhere", "ada", "4711"), Err(NodeError::NoPin), "the room ended meanwhile");
    assert_eq!(door.outcomes(), [("right", 1), ("wrong", 2)], "a question is no attempt");
    let rooms = door.world.state.rooms();
    assert!(rooms.iter().all(|room| room.pin == (room.name != "open")));
}

#[test]
fn a_caller_who_guesses_is_shut_out_of_all_rooms_for_an_hour() {
    let limits = NodeLimits { pin_wrong_per_caller: 3, ..NodeLimits::default() };
    let mut door = Door::new(limits);
    for (guess, room) in ["lobby", "attic", "lobby"].into_iter().enumerate() {
        assert_eq!(door.typed(room, "mallory", &format!("000{guess}")), Err(NodeError::WrongPin));
    }
    assert_eq!(door.typed("attic", "mallory", "4711"), Err(NodeError::PinBlocked), "not even looked at");
    let again = door.knock("lobby", Some("mallory"), asks(false)).expect_err("shut out");
    assert_eq!(again, NodeError::PinBlocked, "not even asked");
    door.typed("attic", "ada", "4711").expect("others come in");
    door.world.now = door.world.now + Duration::from_secs(3_599);
    assert_eq!(door.typed("attic", "mallory", "4711"), Err(NodeError::PinBlocked));
    door.world.now = door.world.now + Duration::from_secs(1);
    door.typed("attic", "mallory", "4711").expect("forgotten");
    assert_eq!(door.outcomes(), [("blocked", 3), ("right", 2), ("wrong", 3)]);
}

#[test]
fn a_room_that_is_guessed_at_by_many_shuts_its_door_alone() {
    let limits = NodeLimits { pin_wrong_per_room: 4, ..NodeLimits::default() };
    let mut door = Door::new(limits);
    for guess in 0..4 {
        assert_eq!(door.typed("lobby", &format!("+49{guess}"), "0000"), Err(NodeError::WrongPin));
    }
    assert_eq!(door.typed("lobby", "ada", "4711"), Err(NodeError::PinBlocked));
    door.knock("lobby", Some("ada"), Entry::Trusted).expect("who is vouched for comes in");
    door.typed("attic", "ada", "4711").expect("another room is open");
}
