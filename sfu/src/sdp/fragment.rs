//! `application/trickle-ice-sdpfrag` (RFC 8840 section 9): what a WHIP or WHEP client sends for trickled
//! candidates and ICE restarts (RFC 9725 section 4.3).

use std::fmt::Write as _;

use super::answer::{AnswerSpec, candidates};
use super::attribute::Value;
use super::error::{Place, SdpError, sized};
use super::limits;
use super::offer::{Ice, Offer};

/// The part of a fragment that an ICE-lite node needs: its candidates are not, since the client checks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// The credentials it names, if any.
    pub ice: Option<Ice>,
}

impl Fragment {
    /// Reads a fragment.
    pub fn parse(text: &str) -> Result<Fragment, SdpError> {
        sized(text, limits::FRAGMENT_BYTES)?;
        let (mut ufrag, mut pwd) = (None, None);
        for (index, line) in text.split('\n').enumerate() {
            let line = line.strip_suffix('\r').unwrap_or(line);
            if line.is_empty() {
                continue;
            }
            if !line.starts_with("a=") && !line.starts_with("m=") {
                return Err(SdpError::NotSdp {
                    line: index + 1,
                    problem: "a fragment has only a= and m= lines",
                });
            }
            let value = |attribute, text| Value { place: Place::Session, attribute, text };
            if let Some(text) = line.strip_prefix("a=ice-ufrag:") {
                let expected = "4 to 256 letters, digits, + or /";
                ufrag.get_or_insert(value("ice-ufrag", text).ice(4, expected)?);
            } else if let Some(text) = line.strip_prefix("a=ice-pwd:") {
                let expected = "22 to 256 letters, digits, + or /";
                pwd.get_or_insert(value("ice-pwd", text).ice(22, expected)?);
            }
        }
        match (ufrag, pwd) {
            (Some(ufrag), Some(pwd)) => Ok(Fragment { ice: Some(Ice { ufrag, pwd }) }),
            (None, None) => Ok(Fragment { ice: None }),
            _ => Err(SdpError::Missing {
                place: Place::Session,
                what: "a=ice-ufrag or a=ice-pwd",
                hint: "send both or neither",
            }),
        }
    }
}

/// The fragment that answers an ICE restart.
pub fn restarted(spec: &AnswerSpec<'_>, media: &str, proto: &str, formats: &str, mid: &str) -> String {
    let mut text = format!("a=ice-lite\r\nm={media} 9 {proto} {formats}\r\n");
    if !mid.is_empty() {
        let _ = write!(text, "a=mid:{mid}\r\n");
    }
    let _ = write!(text, "a=ice-ufrag:{}\r\na=ice-pwd:{}\r\n", spec.ice.ufrag, spec.ice.pwd);
    for line in candidates(spec.addresses, spec.tcp) {
        let _ = write!(text, "a=candidate:{line}\r\n");
    }
    text.push_str("a=end-of-candidates\r\n");
    text
}

impl Offer {
    /// The m-line that carries the bundle's transport: media, protocol, formats, mid.
    pub fn tagged(&self) -> Option<[&str; 4]> {
        let section = self.sections.iter().find(|s| s.bundled && !s.off)?;
        Some([&section.media, &section.proto, &section.formats, &section.mid])
    }
}
