//! Any course of events: the shard is never told of what does not exist, and nothing is left at the end.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::fake::OfferText;
use super::*;

/// What a shard would know from the commands.
#[derive(Default)]
struct Model {
    legs: BTreeSet<u32>,
    streams: BTreeMap<u32, u32>,
    senders: BTreeMap<u32, u32>,
    /// Streams by link: those that go to other shards, and those that come from there.
    exports: BTreeMap<u32, u32>,
    imports: BTreeMap<u32, u32>,
}

/// In place of the leg of a stream that another shard exports.
const IMPORTED: u32 = u32::MAX;

impl Model {
    fn follow(&mut self, line: &str) -> Result<(), TestCaseError> {
        let words: Vec<&str> = line.split(' ').collect();
        let number = |at: usize| words.get(at).and_then(|w| w.parse::<u32>().ok()).expect("a number");
        match (words[0], words[1]) {
            ("add", "leg") => prop_assert!(self.legs.insert(number(2)), "{line}"),
            ("remove" | "close", "leg") => {
                prop_assert!(self.legs.remove(&number(2)), "{line}");
                self.streams.retain(|_, leg| *leg != number(2));
                self.senders.retain(|_, leg| *leg != number(2));
            }
            ("secure" | "restart" | "extensions" | "stats", "leg") => {
                prop_assert!(self.legs.contains(&number(2)), "{line}");
            }
            ("add", kind) => {
                prop_assert!(self.legs.contains(&number(4)), "{line}");
                let known = if kind == "stream" { &mut self.streams } else { &mut self.senders };
                prop_assert!(known.insert(number(2), number(4)).is_none(), "{line}");
            }
            ("export", _) => {
                prop_assert!(self.streams.get(&number(2)).is_some_and(|leg| *leg != IMPORTED), "{line}");
                prop_assert!(self.exports.insert(number(6), number(2)).is_none(), "{line}");
            }
            ("import", _) => {
                prop_assert!(self.streams.insert(number(2), IMPORTED).is_none(), "{line}");
                prop_assert!(self.imports.insert(number(6), number(2)).is_none(), "{line}");
            }
            ("end", _) => prop_assert!(self.exports.remove(&number(2)).is_some(), "{line}"),
            ("remove", kind) => {
                self.imports.retain(|_, stream| kind != "stream" || *stream != number(2));
                let known = if kind == "stream" { &mut self.streams } else { &mut self.senders };
                prop_assert!(known.remove(&number(2)).is_some(), "{line}");
            }
            ("route", _) => {
                prop_assert!(self.streams.contains_key(&number(1)), "{line}");
                prop_assert!(self.senders.contains_key(&number(3)), "{line}");
            }
            ("mute" | "key", _) => prop_assert!(self.streams.contains_key(&number(2)), "{line}"),
            _ => return Err(TestCaseError::fail(format!("unexpected: {line}"))),
        }
        Ok(())
    }
}

/// One step: who (of four), what, and a number to vary it.
type Step = (usize, u8, u8);

const NAMES: [&str; 4] = ["Ada", "Bob2", "Cyd33", "Dora44"];

/// An offer with up to two published and three subscribed m-lines, each in use or not by a bit of `bits`.
fn offer(world: &mut World, member: &Member, name: &str, bits: u8) {
    let direction = |bit: u8, on| if bits & bit != 0 { on } else { "inactive" };
    let mut offer = OfferText::new(name).audio("0", direction(1, "sendonly"));
    offer = if bits & 64 != 0 {
        offer.simulcast("1", &["h", "l"])
    } else {
        offer.video("1", direction(2, "sendonly"))
    };
    for mid in ["2", "3", "4"] {
        offer = offer.video(mid, "recvonly");
    }
    if bits & 128 != 0 {
        offer.ufrag = format!("{name}again");
    }
    let mut publish = Vec::new();
    publish.extend((bits & 1 != 0).then_some(("0", Source::Microphone)));
    publish.extend((bits & 2 != 0 || bits & 64 != 0).then_some(("1", Source::Camera)));
    let mut pictures: Vec<TrackId> = world
        .state
        .tracks
        .iter()
        .filter(|(_, owner)| **owner != member.id)
        .map(|(id, _)| id.clone())
        .filter(|id| world.state.track(id).is_some_and(|(_, t)| t.shape.kind == TrackKind::Video))
        .collect();
    pictures.sort();
    let wanted = ["2", "3", "4"].into_iter().zip(&pictures).zip([4, 8, 16]);
    let subscribe: Vec<_> = wanted.filter(|(_, bit)| bits & bit != 0).map(|(pair, _)| pair).collect();
    world.negotiate(member, &offer, &publish, &subscribe).expect("answered");
}

/// Each shard's model follows its own lines.
fn follow(models: &mut [Model], told: Vec<String>) -> Result<(), TestCaseError> {
    for line in told {
        let (shard, words) = match line.strip_prefix("shard ").and_then(|rest| rest.split_once(": ")) {
            Some((shard, words)) => (shard.parse::<usize>().expect("a number"), words),
            None => (0, line.as_str()),
        };
        models[shard].follow(words)?;
    }
    Ok(())
}

/// Every link has both its ends, or none.
fn links_match(models: &[Model]) -> Result<(), TestCaseError> {
    let all = |of: fn(&Model) -> &BTreeMap<u32, u32>| -> BTreeMap<u32, u32> {
        models.iter().flat_map(|model| of(model).clone()).collect()
    };
    prop_assert_eq!(all(|model| &model.exports), all(|model| &model.imports));
    Ok(())
}

fn take_step(world: &mut World, members: &mut [Option<Member>; 4], (who, what, bits): Step) {
    let Some(member) = &members[who] else {
        members[who] = Some(world.join(NAMES[who]));
        return;
    };
    let leg = world.state.peers[&member.id].leg.as_ref().map(|l| l.id);
    let tracks: Vec<TrackId> = world.state.peers[&member.id].tracks.iter().map(|t| t.id.clone()).collect();
    match (what, leg) {
        (0..=4, _) => offer(world, member, NAMES[who], bits),
        (5, Some(_)) => world.connect(member),
        (6, Some(leg)) => world.core(member, Event::ConsentLost { leg }),
        (7, _) => world.state.leave(&member.id, LeaveReason::Left).expect("left"),
        (8, _) => world.pass(Duration::from_secs(u64::from(bits % 16))),
        (9, _) if !tracks.is_empty() => {
            let track = &tracks[usize::from(bits) % tracks.len()];
            world.state.mute(&member.id, track, bits & 1 == 0).expect("muted");
        }
        (10, Some(_)) if !tracks.is_empty() => {
            let track =
                world.state.peers[&member.id].tracks.iter().find(|t| t.id == tracks[0]).expect("there");
            let stream = track.layers[usize::from(bits) % track.layers.len()].stream;
            let event = if bits & 1 == 0 {
                Event::StreamStarted { stream, ssrc: 1 }
            } else {
                Event::StreamEnded { stream }
            };
            world.core(member, event);
        }
        _ => {}
    }
    for slot in members.iter_mut() {
        slot.take_if(|member| !world.state.peers.contains_key(&member.id));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn any_course_of_events(
        steps in proptest::collection::vec((0..4usize, 0..11u8, any::<u8>()), 1..60),
        shards in 1..4usize,
    ) {
        // A room of four spans as many shards as there are.
        let limits = NodeLimits { room_peers_per_shard: 1, ..NodeLimits::default() };
        let mut world = World::with(shards, limits);
        let mut members = [None, None, None, None];
        let mut models: Vec<Model> = (0..shards).map(|_| Model::default()).collect();
        for step in steps {
            take_step(&mut world, &mut members, step);
            follow(&mut models, world.told())?;
            links_match(&models)?;
            let senders: usize = world.state.peers.values().map(|p| p.subscriptions.len()).sum();
            let layers: usize = world.state.peers.values().flat_map(|p| &p.tracks).map(|t| t.layers.len()).sum();
            let known = models.iter().map(|model| model.senders.len()).sum::<usize>();
            let own = |model: &Model| model.streams.values().filter(|leg| **leg != IMPORTED).count();
            prop_assert_eq!((senders, layers), (known, models.iter().map(own).sum::<usize>()));
        }
        world.state.drain();
        follow(&mut models, world.told())?;
        for model in &models {
            prop_assert!(model.legs.is_empty() && model.streams.is_empty() && model.senders.is_empty());
            prop_assert!(model.exports.is_empty() && model.imports.is_empty());
        }
        world.assert_empty();
    }
}
