//! What the ends of a call say of themselves, and what they read of the node.

use std::net::{IpAddr, SocketAddr};

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::case::{Guard, Side, Sound};
use crate::rivals::{Keys, Suite};

/// Padding is optional in `inline:` keys: some nodes leave it out.
const KEYS: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
/// Payload type of telephone events in offers.
const KEYS_TYPE: u8 = 101;

/// Payload types of a side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Types {
    /// Of its sound.
    pub(super) sound: u8,
    /// Of telephone events and their clock.
    pub(super) keys: Option<(u8, u32)>,
}

impl Types {
    /// Those of an offer.
    pub(super) fn offered(sound: Sound) -> Types {
        Types { sound: sound.payload_type(), keys: Some((KEYS_TYPE, sound.clock_hz())) }
    }
}

/// An end that describes itself.
pub(super) struct Own<'a> {
    pub(super) at: SocketAddr,
    pub(super) side: Side,
    pub(super) types: Types,
    /// What it protects with, and the tag of its line; of SDES.
    pub(super) keys: Option<(&'a str, &'a Keys)>,
    /// Of DTLS.
    pub(super) fingerprint: &'a str,
    /// `actpass` in offers, `active` in answers.
    pub(super) setup: &'a str,
}

impl Own<'_> {
    /// The session.
    pub(super) fn sdp(&self) -> String {
        let (ip, port) = (self.at.ip(), self.at.port());
        let family = if ip.is_ipv4() { "IP4" } else { "IP6" };
        let Types { sound, keys } = self.types;
        let formats = keys.map_or_else(|| sound.to_string(), |(keys, _)| format!("{sound} {keys}"));
        let mut lines = vec![
            "v=0".to_owned(),
            format!("o=- {port} 1 IN {family} {ip}"),
            "s=-".into(),
            format!("c=IN {family} {ip}"),
            "t=0 0".into(),
            format!("m=audio {port} {} {formats}", self.side.guard.protocol()),
            format!("a=rtpmap:{sound} {}", self.side.sound.rtpmap()),
        ];
        if self.side.sound == Sound::Opus {
            lines.push(format!("a=fmtp:{sound} useinbandfec=0"));
        }
        if let Some((keys, clock)) = keys {
            lines.push(format!("a=rtpmap:{keys} telephone-event/{clock}"));
            lines.push(format!("a=fmtp:{keys} 0-15"));
        }
        match (self.side.guard, self.keys) {
            (Guard::Sdes, Some((tag, keys))) => {
                let inline = KEYS.encode([keys.key.as_slice(), &keys.salt].concat());
                lines.push(format!("a=crypto:{tag} {} inline:{inline}", keys.suite.name()));
            }
            (Guard::Dtls, _) => {
                lines.push(format!("a=fingerprint:sha-256 {}", self.fingerprint));
                lines.push(format!("a=setup:{}", self.setup));
            }
            _ => {}
        }
        lines.push("a=ptime:20".into());
        lines.push("a=sendrecv".into());
        lines.join("\r\n") + "\r\n"
    }
}

/// What the node says to an end.
#[derive(Debug)]
pub(super) struct Node {
    text: String,
}

impl Node {
    pub(super) fn new(text: String) -> Node {
        Node { text }
    }

    /// Where it takes RTP.
    pub(super) fn address(&self) -> Result<SocketAddr, String> {
        let media = self.words("m=audio ").ok_or_else(|| self.lacks("an audio line"))?;
        let port: u16 = media.first().and_then(|port| port.parse().ok()).unwrap_or(0);
        // The media's own line counts ahead of the session's.
        let connections = self.lines().filter_map(|line| line.strip_prefix("c=IN "));
        let ip: Option<IpAddr> = connections.last().and_then(|c| c.split(' ').nth(1)?.parse().ok());
        match ip {
            Some(ip) if port != 0 => Ok(SocketAddr::new(ip, port)),
            _ => Err(self.lacks("an address and a port")),
        }
    }

    /// Payload types of a codec and of telephone events that go with it.
    pub(super) fn types(&self, sound: Sound) -> Result<Types, String> {
        let formats: Vec<u8> = self
            .words("m=audio ")
            .map(|words| words.iter().skip(2).filter_map(|word| word.parse().ok()).collect())
            .unwrap_or_default();
        let named = |wanted: &str| {
            let wanted = wanted.to_lowercase();
            formats.iter().copied().find(|format| {
                self.lines().any(|line| {
                    line.strip_prefix("a=rtpmap:").is_some_and(|map| {
                        map.split_once(' ').is_some_and(|(number, name)| {
                            number.parse() == Ok(*format) && {
                                let name = name.to_lowercase();
                                name == wanted || name.strip_suffix("/1") == Some(&wanted)
                            }
                        })
                    })
                })
            })
        };
        let fixed = sound.payload_type();
        let unnamed = (fixed < 96 && formats.contains(&fixed)).then_some(fixed);
        let found = named(&sound.rtpmap()).or(unnamed);
        let own = sound.clock_hz();
        // Events run on the clock of their sound; some nodes know only that of the telephone.
        let keys = [own, 8_000]
            .into_iter()
            .find_map(|clock| named(&format!("telephone-event/{clock}")).map(|keys| (keys, clock)));
        Ok(Types { sound: found.ok_or_else(|| self.lacks(&sound.rtpmap()))?, keys })
    }

    /// The protocol of its m-line.
    pub(super) fn protocol(&self) -> Option<&str> {
        self.words("m=audio ")?.get(1).copied()
    }

    /// The tag and what it protects with (RFC 4568 section 6.1).
    pub(super) fn keys(&self, suite: Suite) -> Result<(String, Keys), String> {
        let lack = || self.lacks(&format!("a key for {}", suite.name()));
        let (tag, inline) = self
            .lines()
            .find_map(|line| {
                let mut words = line.strip_prefix("a=crypto:")?.split(' ');
                let (tag, name, inline) = (words.next()?, words.next()?, words.next()?);
                (name == suite.name()).then(|| Some((tag, inline.strip_prefix("inline:")?))).flatten()
            })
            .ok_or_else(lack)?;
        let decoded = KEYS.decode(inline.split('|').next().unwrap_or_default()).map_err(|_| lack())?;
        let (key, salt) = suite.lengths();
        if decoded.len() != key + salt {
            return Err(lack());
        }
        let keys = Keys { suite, key: decoded[..key].to_vec(), salt: decoded[key..].to_vec() };
        Ok((tag.to_owned(), keys))
    }

    /// SHA-256 of its certificate, upper case with colons.
    pub(super) fn fingerprint(&self) -> Result<String, String> {
        let found = self.lines().find_map(|line| {
            let (hash, value) = line.strip_prefix("a=fingerprint:")?.split_once(' ')?;
            hash.eq_ignore_ascii_case("sha-256").then(|| value.trim().to_uppercase())
        });
        found.ok_or_else(|| self.lacks("a=fingerprint:sha-256"))
    }

    fn lines(&self) -> impl Iterator<Item = &str> {
        self.text.lines().map(str::trim_end)
    }

    fn words(&self, prefix: &str) -> Option<Vec<&str>> {
        let line = self.lines().find_map(|line| line.strip_prefix(prefix))?;
        Some(line.split(' ').collect())
    }

    fn lacks(&self, what: &str) -> String {
        format!("the node's SDP lacks {what}:\n{}", self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(side: Side, keys: Option<(&str, &Keys)>) -> String {
        Own {
            at: "127.0.0.1:4000".parse().unwrap(),
            side,
            types: Types::offered(side.sound),
            keys,
            fingerprint: "AB:CD",
            setup: "active",
        }
        .sdp()
    }

    #[test]
    fn what_is_written_is_read() {
        for suite in [Suite::Cm, Suite::Gcm128] {
            let (key, salt) = suite.lengths();
            let keys = Keys { suite, key: vec![1; key], salt: vec![2; salt] };
            let side = Side { sound: Sound::Opus, guard: Guard::Sdes };
            let node = Node::new(own(side, Some(("3", &keys))));
            assert_eq!(node.address().unwrap().to_string(), "127.0.0.1:4000");
            assert_eq!(node.types(Sound::Opus).unwrap(), Types { sound: 111, keys: Some((101, 48_000)) });
            assert_eq!(node.keys(suite).unwrap(), ("3".to_owned(), keys));
            assert_eq!(node.protocol(), Some("RTP/SAVP"));
        }
        let dtls = Node::new(own(Side { sound: Sound::Pcma, guard: Guard::Dtls }, None));
        assert_eq!(dtls.fingerprint().unwrap(), "AB:CD");
        assert!(dtls.keys(Suite::Cm).is_err());
        assert!(dtls.types(Sound::Opus).is_err());
    }

    #[test]
    fn nodes_may_say_it_otherwise() {
        let node = Node::new(
            "v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 30000 RTP/AVP 0 96 97 98\r\nc=IN IP4 192.0.2.2\r\n\
             a=rtpmap:96 OPUS/48000/2\r\na=rtpmap:98 telephone-event/8000\r\na=rtpmap:5 G722/8000\r\n"
                .into(),
        );
        assert_eq!(node.address().unwrap().to_string(), "192.0.2.2:30000");
        assert_eq!(node.types(Sound::Opus).unwrap(), Types { sound: 96, keys: Some((98, 8_000)) });
        // Well-known payload types need no map; and a map of a format that is not in the line counts for nothing.
        assert_eq!(node.types(Sound::Pcmu).unwrap().sound, 0);
        assert!(node.types(Sound::G722).is_err());
    }

    #[test]
    fn refused_media_is_no_address() {
        let node = Node::new("v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 0 RTP/AVP 0\r\n".into());
        assert!(node.address().unwrap_err().contains("an address"));
        assert!(Node::new("v=0\r\n".into()).address().unwrap_err().contains("audio"));
    }
}
