//! What kinds of calls there are, and what each may cost.

use std::fmt;

use kaname_media::Rate;
use kaname_media::codec::Codec;
use kaname_media::codec::opus::OpusConfig;

use crate::rivals::Suite;

/// A codec of calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sound {
    /// G.711 A-law.
    Pcma,
    /// G.711 µ-law.
    Pcmu,
    /// G.722 at 64 kbit/s.
    G722,
    /// Opus as browsers send it: mono, 48 kHz, 32 kbit/s.
    Opus,
}

impl Sound {
    /// As `a=rtpmap` and `ng` name it.
    pub fn name(self) -> &'static str {
        match self {
            Sound::Pcma => "PCMA",
            Sound::Pcmu => "PCMU",
            Sound::G722 => "G722",
            Sound::Opus => "opus",
        }
    }

    /// RFC 3551's payload type, or one of the dynamic ones.
    pub fn payload_type(self) -> u8 {
        match self {
            Sound::Pcma => 8,
            Sound::Pcmu => 0,
            Sound::G722 => 9,
            Sound::Opus => 111,
        }
    }

    /// The whole value of `a=rtpmap` behind the payload type.
    pub fn rtpmap(self) -> String {
        let channels = if self == Sound::Opus { "/2" } else { "" };
        format!("{}/{}{channels}", self.name(), self.clock_hz())
    }

    /// Ticks a second of RTP timestamps.
    pub fn clock_hz(self) -> u32 {
        self.codec().clock_hz()
    }

    /// Ticks of a packet of 20 ms.
    pub fn ticks(self) -> u32 {
        self.clock_hz() / super::limits::PACKETS_PER_SECOND
    }

    /// How the generator encodes it.
    pub(super) fn codec(self) -> Codec {
        match self {
            Sound::Pcma => Codec::Pcma,
            Sound::Pcmu => Codec::Pcmu,
            Sound::G722 => Codec::G722,
            Sound::Opus => Codec::Opus(OpusConfig { bitrate: 32_000, complexity: 5, fec: false, dtx: false }),
        }
    }

    /// The rate at which the generator encodes.
    pub(super) fn encoded_at(self) -> Rate {
        match self {
            Sound::Pcma | Sound::Pcmu => Rate::K8,
            Sound::G722 => Rate::K16,
            Sound::Opus => Rate::K48,
        }
    }

    /// The rate at which what comes is decoded and compared.
    pub(super) fn judged_at(self) -> Rate {
        if self == Sound::G722 { Rate::K16 } else { Rate::K8 }
    }

    /// Whether so many bytes can be a packet of 20 ms.
    pub(super) fn takes_len(self, len: usize) -> bool {
        match self {
            Sound::Pcma | Sound::Pcmu | Sound::G722 => len == 160,
            // RFC 6716 section 3.4: a frame has at most 1275 bytes; one byte is silence.
            Sound::Opus => (1..=1275).contains(&len),
        }
    }
}

/// How one side of a call is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Guard {
    /// RTP/AVP.
    Plain,
    /// RTP/SAVP with keys in the SDP (RFC 4568).
    Sdes,
    /// UDP/TLS/RTP/SAVP (RFC 5764); the generator is the client of the handshake.
    Dtls,
}

impl Guard {
    /// The protocol of the m-line.
    pub fn protocol(self) -> &'static str {
        match self {
            Guard::Plain => "RTP/AVP",
            Guard::Sdes => "RTP/SAVP",
            Guard::Dtls => "UDP/TLS/RTP/SAVP",
        }
    }
}

/// One side of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Side {
    /// Its codec.
    pub sound: Sound,
    /// Its protection.
    pub guard: Guard,
}

/// A kind of call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Case {
    /// Such as `pcma-opus`.
    pub name: &'static str,
    /// Who offers.
    pub caller: Side,
    /// Who answers.
    pub callee: Side,
    /// Calls unless asked otherwise: what Debian's rtpengine carries with half a core of a small machine.
    pub calls: u32,
    /// Cost a packet as a share of rtpengine's at most, in hundredths; `None`: no goal is set.
    goal_percent: Option<u32>,
}

/// Every kind of call.
pub const CASES: [Case; 7] = {
    use Guard::{Dtls, Plain, Sdes};
    use Sound::{G722, Opus, Pcma, Pcmu};
    [
        Case::new("rtp-rtp", (Pcma, Plain), (Pcma, Plain), 100, Some(50)),
        Case::new("rtp-srtp", (Pcma, Plain), (Pcma, Sdes), 100, Some(50)),
        Case::new("pcma-pcmu", (Pcma, Plain), (Pcmu, Plain), 60, Some(35)),
        Case::new("pcma-g722", (Pcma, Plain), (G722, Plain), 40, Some(50)),
        Case::new("pcma-opus", (Pcma, Plain), (Opus, Plain), 16, Some(25)),
        Case::new("opus-pcma-srtp", (Opus, Sdes), (Pcma, Plain), 16, None),
        Case::new("dtls", (Pcma, Plain), (Pcma, Dtls), 100, None),
    ]
};

impl Case {
    const fn new(
        name: &'static str,
        caller: (Sound, Guard),
        callee: (Sound, Guard),
        calls: u32,
        goal_percent: Option<u32>,
    ) -> Case {
        let caller = Side { sound: caller.0, guard: caller.1 };
        let callee = Side { sound: callee.0, guard: callee.1 };
        Case { name, caller, callee, calls, goal_percent }
    }

    /// The case of this name.
    ///
    /// # Errors
    /// Names those that there are.
    pub fn named(name: &str) -> Result<Case, String> {
        CASES
            .into_iter()
            .find(|case| case.name == name)
            .ok_or_else(|| format!("no case `{name}`: there are {}", CASES.map(|case| case.name).join(", ")))
    }

    /// Whether the node has to decode and encode.
    pub fn transcodes(&self) -> bool {
        self.caller.sound != self.callee.sound
    }

    /// Whether one side's keys come from a handshake.
    pub fn shakes_hands(&self) -> bool {
        [self.caller, self.callee].iter().any(|side| side.guard == Guard::Dtls)
    }

    /// Cost a packet as a share of rtpengine's at most.
    pub fn goal(&self) -> Option<f64> {
        self.goal_percent.map(|percent| f64::from(percent) / 100.0)
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// The suite of a name or a part of it, such as `GCM`.
///
/// # Errors
/// Names those that there are.
pub(super) fn suite(text: &str) -> Result<Suite, String> {
    let all = [Suite::Cm, Suite::Gcm128];
    let wanted = text.to_uppercase();
    let found = all.into_iter().find(|suite| suite.name().contains(&wanted));
    found.ok_or_else(|| format!("no suite `{text}`: there are {}", all.map(Suite::name).join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_have_the_promised_names_and_goals() {
        let goal = |name: &str| Case::named(name).unwrap().goal();
        assert_eq!(goal("pcma-opus"), Some(0.25));
        assert_eq!(goal("pcma-pcmu"), Some(0.35));
        for name in ["pcma-g722", "rtp-rtp", "rtp-srtp"] {
            assert_eq!(goal(name), Some(0.5), "{name}");
        }
        assert!(!Case::named("dtls").unwrap().transcodes());
        assert!(Case::named("opus-pcma-srtp").unwrap().transcodes());
        assert!(Case::named("pcma").unwrap_err().contains("pcma-g722"));
    }

    #[test]
    fn suites_are_found_by_a_part_of_their_names() {
        assert_eq!(suite("gcm"), Ok(Suite::Gcm128));
        assert_eq!(suite("AES_CM_128_HMAC_SHA1_80"), Ok(Suite::Cm));
        assert!(suite("rot13").is_err());
    }

    #[test]
    fn a_packet_is_twenty_milliseconds() {
        assert_eq!([Sound::Pcma, Sound::G722, Sound::Opus].map(Sound::ticks), [160, 160, 960]);
        assert_eq!(Sound::Opus.rtpmap(), "opus/48000/2");
        assert!(Sound::Pcmu.takes_len(160) && !Sound::Pcmu.takes_len(80) && !Sound::Opus.takes_len(0));
    }
}
