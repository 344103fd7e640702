//! Header extensions (RFC 8285): which ones the node understands, and their numbers on a bundle.

use kaname_engine::core::command::ExtensionIds;

use super::error::{Place, SdpError};
use super::section::{Direction, Section};

/// One offered header extension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    /// 1 to 255.
    pub id: u8,
    /// From the offerer's view.
    pub direction: Direction,
    /// What it means.
    pub uri: String,
}

/// The one-byte form has identifiers 1 to 14 (RFC 8285 section 4.2); the node writes only that form.
const LARGEST_ID: u8 = 14;

/// URIs that others ask for by name.
pub mod uri {
    /// RFC 9143
    pub const MID: &str = "urn:ietf:params:rtp-hdrext:sdes:mid";
    /// RFC 8852
    pub const RID: &str = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id";
    /// draft-holmer-rmcat-transport-wide-cc-extensions-01
    pub const TRANSPORT_CC: &str =
        "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";
}

type Slot = fn(&mut ExtensionIds) -> &mut Option<u8>;

/// What the core knows, by URI.
const KNOWN: [(&str, Slot); 9] = [
    (uri::MID, |e| &mut e.mid),
    (uri::RID, |e| &mut e.rid),
    ("urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id", |e| &mut e.repaired_rid),
    ("urn:ietf:params:rtp-hdrext:ssrc-audio-level", |e| &mut e.audio_level),
    ("http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time", |e| &mut e.abs_send_time),
    (uri::TRANSPORT_CC, |e| &mut e.transport_cc),
    ("urn:3gpp:video-orientation", |e| &mut e.video_orientation),
    ("http://www.webrtc.org/experiments/rtp-hdrext/playout-delay", |e| &mut e.playout_delay),
    ("https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension", |e| {
        &mut e.dependency_descriptor
    }),
];

fn slot(uri: &str) -> Option<Slot> {
    KNOWN.iter().find(|(known, _)| *known == uri).map(|(_, slot)| *slot)
}

/// The extensions of the section that both sides understand, in the order of the offer.
pub(super) fn accepted(section: &Section) -> impl Iterator<Item = &Extension> {
    section.extensions.iter().filter(|e| e.id <= LARGEST_ID && slot(&e.uri).is_some())
}

/// RFC 8843 section 9.2: within a bundle an identifier means the same everywhere.
pub(super) fn check_bundle(sections: &[Section]) -> Result<(), SdpError> {
    let mut meaning: [Option<&str>; 256] = [None; 256];
    for (index, section) in sections.iter().enumerate().filter(|(_, s)| s.bundled) {
        for extension in &section.extensions {
            let known = meaning[usize::from(extension.id)].get_or_insert(&extension.uri);
            if *known != extension.uri {
                return Err(SdpError::ExtensionConflict { place: Place::Section(index), id: extension.id });
            }
        }
    }
    Ok(())
}

/// The node writes packets of all m-lines alike, so an extension has one number in the bundle: the first. Where
/// it has another one, it is declined.
pub(super) fn keep_first_numbers(sections: &mut [Section]) {
    let mut first = ExtensionIds::default();
    for section in sections.iter_mut().filter(|s| s.bundled) {
        section.extensions.retain(|e| match slot(&e.uri) {
            Some(slot) if e.id <= LARGEST_ID => *slot(&mut first).get_or_insert(e.id) == e.id,
            _ => true,
        });
    }
}

/// The identifiers of a leg: what the given sections together accept. The first number of a URI counts.
pub(super) fn identifiers<'a>(sections: impl Iterator<Item = &'a Section>) -> ExtensionIds {
    let mut ids = ExtensionIds::default();
    for section in sections {
        for extension in accepted(section) {
            if let Some(slot) = slot(&extension.uri) {
                slot(&mut ids).get_or_insert(extension.id);
            }
        }
    }
    ids
}
