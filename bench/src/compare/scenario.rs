//! What is compared.

/// Receivers that a scenario may ask for: sockets and keys of more do not fit one thread's time.
const RECEIVERS_MAX: usize = 2000;
/// RTP payload of a voice packet: 172 bytes with its header, 20 ms of G.711 or of good Opus.
pub const VOICE_PAYLOAD: usize = 160;

/// Who sends to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// One publisher, everyone else receives it.
    OneToMany {
        /// Receivers.
        receivers: usize,
    },
    /// Many at once, one sender and one receiver each.
    Pairs {
        /// Pairs.
        pairs: usize,
    },
}

/// What a publisher sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Traffic {
    /// A packet of [`VOICE_PAYLOAD`] bytes each 20 ms.
    Voice,
    /// 1.5 Mb/s of VP8, 30 frames a second, split into packets as libwebrtc does.
    Video,
}

/// A scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// Such as `voice-500`.
    pub name: String,
    /// Who sends to whom.
    pub shape: Shape,
    /// What.
    pub traffic: Traffic,
}

/// What is compared unless something else is asked for.
pub const SCENARIOS: [&str; 4] = ["voice-500", "voice-1000", "video-100", "rtp-srtp-500"];

impl Scenario {
    /// `voice-N`, `video-N` or `rtp-srtp-N`.
    ///
    /// # Errors
    /// Says which names there are.
    pub fn named(name: &str) -> Result<Scenario, String> {
        let unknown = || {
            format!(
                "no scenario `{name}`: voice-N, video-N or rtp-srtp-N, N from 1 to {RECEIVERS_MAX}, such as voice-500"
            )
        };
        let (kind, number) = name.rsplit_once('-').ok_or_else(unknown)?;
        let number: usize =
            number.parse().ok().filter(|n| (1..=RECEIVERS_MAX).contains(n)).ok_or_else(unknown)?;
        let (shape, traffic) = match kind {
            "voice" => (Shape::OneToMany { receivers: number }, Traffic::Voice),
            "video" => (Shape::OneToMany { receivers: number }, Traffic::Video),
            "rtp-srtp" => (Shape::Pairs { pairs: number }, Traffic::Voice),
            _ => return Err(unknown()),
        };
        Ok(Scenario { name: name.to_owned(), shape, traffic })
    }

    /// Whether it sends video.
    pub fn is_video(&self) -> bool {
        self.traffic == Traffic::Video
    }

    /// Who receives.
    pub fn receivers(&self) -> usize {
        match self.shape {
            Shape::OneToMany { receivers } => receivers,
            Shape::Pairs { pairs } => pairs,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_all() {
        for name in SCENARIOS {
            assert_eq!(Scenario::named(name).unwrap().name, name);
        }
        assert_eq!(Scenario::named("rtp-srtp-7").unwrap().shape, Shape::Pairs { pairs: 7 });
        assert!(Scenario::named("video-100").unwrap().is_video());
        for bad in ["", "voice", "voice-", "voice-0", "voice-2001", "voice-x", "screen-5", "-5"] {
            let error = Scenario::named(bad).unwrap_err();
            assert!(error.contains("voice-N"), "{error}");
        }
    }
}
