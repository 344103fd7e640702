//! Scenarios by name, and from files.

use std::path::Path;

use super::FleetError;
use super::scenario::{Arrival, Pattern, Scenario, Shape, Source};

/// Name and meaning of each preset.
pub const PRESETS: [(&str, &str); 9] = [
    ("voice", "one speaker, many listeners (100)"),
    ("video", "one camera of 2.5 Mb/s with key frames of 100 packets, many viewers (50)"),
    ("meeting", "a room in which everyone sends sound and a 500 kb/s camera, and receives everyone (10)"),
    ("rooms", "many rooms at once (50), each with a speaker and 4 listeners"),
    ("storm", "a join storm: listeners (1000) join as fast as the node takes them"),
    ("churn", "one speaker; each second 20 listeners of 200 leave and others come"),
    ("voice-only", "a voice conference: everyone speaks and hears everyone (20)"),
    (
        "simulcast",
        "a stage: three cameras of the sizes of simulcast layers (150, 500, 1700 kb/s), viewers (100)",
    ),
    ("day", "a whole call day from a trace file (--trace FILE)"),
];

const CAMERA: Source = Source::Video {
    bits_per_second: 2_500_000,
    frames: 30,
    key_frame_packets: 100,
    key_frame_seconds: 0,
    pattern: Pattern::Libwebrtc,
};

fn camera(bits_per_second: u32) -> Source {
    Source::Video {
        bits_per_second,
        frames: 30,
        // As much larger than other frames as the big ones are.
        key_frame_packets: (bits_per_second / 25_000) as u16,
        key_frame_seconds: 0,
        pattern: Pattern::Libwebrtc,
    }
}

impl Scenario {
    /// A preset by name, or a TOML file by path.
    ///
    /// # Errors
    /// [`FleetError::Scenario`] with what is wrong.
    pub fn named(name: &str) -> Result<Scenario, FleetError> {
        if name.ends_with(".toml") {
            return Scenario::from_file(Path::new(name));
        }
        let base = Scenario { name: name.to_owned(), ..Scenario::default() };
        let one_to_many = |publishers, subscribers| Shape::OneToMany { publishers, subscribers };
        Ok(match name {
            "voice" => base,
            "video" => Scenario { shape: one_to_many(1, 50), sources: vec![CAMERA], ..base },
            "meeting" => Scenario {
                shape: Shape::Meeting { peers: 10 },
                sources: vec![Source::VOICE, camera(500_000)],
                ..base
            },
            "rooms" => Scenario { rooms: 50, shape: one_to_many(1, 4), ..base },
            "storm" => Scenario {
                shape: one_to_many(1, 1000),
                sources: vec![Source::Voice { payload: 160, rate: 10 }],
                arrival: Arrival::Storm { at_once: 32 },
                seconds: 3,
                ..base
            },
            "churn" => Scenario {
                shape: one_to_many(1, 200),
                arrival: Arrival::Churn { joins_per_second: 200, changes_per_second: 20 },
                ..base
            },
            "voice-only" => Scenario { shape: Shape::Meeting { peers: 20 }, ..base },
            "simulcast" => Scenario {
                shape: one_to_many(1, 100),
                sources: [150_000, 500_000, 1_700_000].map(camera).to_vec(),
                ..base
            },
            "day" => Scenario { arrival: Arrival::Trace { path: String::new(), speed: 1 }, ..base },
            _ => {
                let known: Vec<&str> = PRESETS.iter().map(|(name, _)| *name).collect();
                return Err(FleetError::Scenario(format!(
                    "there is no scenario `{name}`; there are {}, and files that end in .toml",
                    known.join(", ")
                )));
            }
        })
    }

    /// A scenario from a TOML file.
    ///
    /// # Errors
    /// [`FleetError::Scenario`] with the line that is wrong.
    pub fn from_file(path: &Path) -> Result<Scenario, FleetError> {
        let bad = |why: String| FleetError::Scenario(format!("{}: {why}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|e| bad(e.to_string()))?;
        toml::from_str(&text).map_err(|e| bad(e.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_can_be_run() {
        for (name, _) in PRESETS.iter().filter(|(name, _)| *name != "day") {
            assert!(Scenario::named(name).unwrap().check().is_ok(), "{name}");
        }
        assert!(Scenario::named("day").unwrap().check().is_err(), "without a trace");
        let why = Scenario::named("voices").unwrap_err().to_string();
        assert!(why.contains("`voices`") && why.contains("churn"));
    }

    #[test]
    fn every_preset_goes_through_toml() {
        for (name, _) in PRESETS {
            let scenario = Scenario::named(name).unwrap();
            let text = toml::to_string(&scenario).unwrap();
            assert_eq!(toml::from_str::<Scenario>(&text).unwrap(), scenario, "{text}");
        }
        assert!(toml::from_str::<Scenario>("romms = 3").unwrap_err().to_string().contains("romms"));
    }

    #[test]
    fn what_cannot_be_run_is_refused() {
        let refused = |change: fn(&mut Scenario)| {
            let mut scenario = Scenario::default();
            change(&mut scenario);
            scenario.check().is_err()
        };
        assert!(refused(|s| s.rooms = 0));
        assert!(refused(|s| s.seconds = 0));
        assert!(refused(|s| s.seconds = 86_401));
        assert!(refused(|s| s.sources.clear()));
        assert!(refused(|s| s.shape = Shape::OneToMany { publishers: 1, subscribers: 20_000 }));
        assert!(refused(|s| s.shape = Shape::Meeting { peers: 60 }));
        assert!(refused(|s| s.sources = vec![Source::Voice { payload: 20, rate: 50 }]));
        assert!(refused(|s| s.sources = vec![Source::Voice { payload: 160, rate: 5000 }]));
        assert!(refused(|s| s.sources = vec![Source::Voice { payload: 1201, rate: 50 }]));
        assert!(refused(|s| s.foreign_per_mille = 1001));
        assert!(refused(|s| s.arrival = Arrival::Steady { joins_per_second: 0 }));
        assert!(refused(|s| {
            s.seconds = 80_000;
            s.arrival = Arrival::Churn { joins_per_second: 1, changes_per_second: 100 };
        }));
    }
}
