//! An offer as a whole.

use kaname_engine::Fingerprint;
use kaname_engine::core::command::ExtensionIds;
use sdp_types::{Attribute, ParserError, Session};

use super::attribute::Value;
use super::error::{Place, Quoted, SdpError, bounded, sized};
use super::limits;
use super::section::{self, Direction, Section, SectionKind};
use super::{codec, extension};

/// The offerer's ICE credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ice {
    /// `a=ice-ufrag`
    pub ufrag: String,
    /// `a=ice-pwd`
    pub pwd: String,
}

/// An offer that passed all checks: one bundle with credentials and a certificate's fingerprint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Of the bundle's transport.
    pub ice: Ice,
    /// Of the bundle's transport.
    pub fingerprint: Fingerprint,
    /// `a=extmap-allow-mixed` (RFC 8285 section 6).
    pub allow_mixed: bool,
    /// The offer has `a=group:BUNDLE`; without it there is one m-line.
    pub has_bundle: bool,
    /// The m-lines in order.
    pub sections: Vec<Section>,
}

impl Offer {
    /// Reads an offer. Bounded in time by [`limits`].
    pub fn parse(text: &str) -> Result<Offer, SdpError> {
        let session = lex(text)?;
        let direction = session_direction(&session.attributes);
        let mut sections = Vec::with_capacity(session.medias.len());
        for (index, media) in session.medias.iter().enumerate() {
            sections.push(section::parse(media, index, direction)?);
        }
        if flag(&session.attributes, "ice-lite") {
            return Err(SdpError::BothLite);
        }
        let has_bundle = mark_bundle(&session, &mut sections)?;
        check_mids(&sections)?;
        extension::check_bundle(&sections)?;
        extension::keep_first_numbers(&mut sections);
        let tagged = sections.iter().position(|s| s.bundled && !s.off).ok_or_else(no_bundle)?;
        check_mux(&sections)?;
        let place = Place::Section(tagged);
        let transport = [&session.medias[tagged].attributes, &session.attributes];
        let ice = read_ice(transport, place)?;
        let fingerprint = read_fingerprint(transport, place)?;
        check_setup(transport, place)?;
        for (index, _) in sections.iter().enumerate().filter(|(_, s)| s.bundled && !s.off) {
            same_fingerprint(&session.medias[index].attributes, &fingerprint, index)?;
        }
        let allow_mixed = flag(&session.attributes, "extmap-allow-mixed");
        Ok(Offer { ice, fingerprint, allow_mixed, has_bundle, sections })
    }

    /// The m-line with this mid, with its index.
    pub fn section(&self, mid: &str) -> Option<(usize, &Section)> {
        self.sections.iter().enumerate().find(|(_, s)| s.mid == mid)
    }

    /// The numbers of the header extensions on the bundle, over the m-lines that `accepted` keeps.
    pub fn extensions(&self, accepted: impl Fn(usize) -> bool) -> ExtensionIds {
        let kept = self.sections.iter().enumerate().filter(|(index, _)| accepted(*index));
        extension::identifiers(kept.map(|(_, section)| section))
    }

    /// For a publisher: the codec of the m-line at this index.
    pub fn choose(&self, index: usize) -> Result<codec::Chosen, SdpError> {
        codec::choose(&self.sections[index], index)
    }
}

fn no_bundle() -> SdpError {
    SdpError::Missing {
        place: Place::Session,
        what: "an m-line in use in a=group:BUNDLE",
        hint: "create the connection with bundlePolicy max-bundle",
    }
}

fn lex(text: &str) -> Result<Session, SdpError> {
    sized(text, limits::OFFER_BYTES)?;
    let (mut sections, mut line_number) = (0, 0);
    for line in text.split('\n') {
        line_number += 1;
        if line.len() > limits::LINE_BYTES {
            return Err(SdpError::NotSdp { line: line_number, problem: "the line is too long" });
        }
        sections += usize::from(line.starts_with("m="));
    }
    bounded(sections, limits::SECTIONS, Place::Session, "m-lines")?;
    let session = Session::parse(text.as_bytes()).map_err(not_sdp)?;
    bounded(session.attributes.len(), limits::ATTRIBUTES, Place::Session, "attributes")?;
    if session.medias.is_empty() { Err(SdpError::NoMedia) } else { Ok(session) }
}

fn not_sdp(error: ParserError) -> SdpError {
    let (line, problem) = match error {
        ParserError::InvalidLineFormat(line, problem) => (line, problem),
        ParserError::InvalidFieldEncoding(line, _) => (line, "not UTF-8"),
        ParserError::InvalidFieldFormat(line, field) | ParserError::MissingField(line, field) => {
            (line, field)
        }
        ParserError::FieldTrailingData(line, _) => (line, "too many words"),
        ParserError::InvalidVersion(line, _) => (line, "the version is not 0"),
        ParserError::NoVersion => (1, "the version line v=0 is missing"),
        _ => (0, "a line stands twice or in the wrong place"),
    };
    SdpError::NotSdp { line, problem }
}

fn flag(attributes: &[Attribute], name: &str) -> bool {
    attributes.iter().any(|a| a.attribute == name)
}

fn session_direction(attributes: &[Attribute]) -> Direction {
    attributes.iter().find_map(|a| Direction::parse(&a.attribute)).unwrap_or_default()
}

/// Marks what belongs to the first BUNDLE group (RFC 8843 section 7). A single m-line needs no group.
fn mark_bundle(session: &Session, sections: &mut [Section]) -> Result<bool, SdpError> {
    let groups = session.attributes.iter().filter(|a| a.attribute == "group");
    let mut bundles = groups.filter_map(|a| a.value.as_deref()?.strip_prefix("BUNDLE"));
    let Some(mids) = bundles.next() else {
        if let [only] = sections {
            only.bundled = true;
            return Ok(false);
        }
        return Err(SdpError::Missing {
            place: Place::Session,
            what: "a=group:BUNDLE",
            hint: "create the connection with bundlePolicy max-bundle",
        });
    };
    let mut count = 0;
    for mid in mids.split_ascii_whitespace() {
        count += 1;
        bounded(count, limits::SECTIONS, Place::Session, "mids in a=group:BUNDLE")?;
        match sections.iter_mut().find(|s| s.mid == mid) {
            Some(section) => section.bundled = true,
            None => {
                return Err(SdpError::Invalid {
                    place: Place::Session,
                    attribute: "group",
                    value: Quoted::new(mid),
                    expected: "the a=mid of an m-line",
                });
            }
        }
    }
    Ok(true)
}

fn check_mids(sections: &[Section]) -> Result<(), SdpError> {
    for (index, section) in sections.iter().enumerate() {
        let place = Place::Section(index);
        if section.mid.is_empty() && sections.len() > 1 && !section.off {
            return Err(SdpError::Missing { place, what: "a=mid", hint: "give every m-line its own mid" });
        }
        if !section.mid.is_empty() && sections[..index].iter().any(|s| s.mid == section.mid) {
            return Err(SdpError::Twice { place, what: "mid", value: Quoted::new(&section.mid) });
        }
    }
    Ok(())
}

/// RFC 8834 section 4.5, RFC 8843 section 9.3: bundled RTP is multiplexed with its RTCP.
fn check_mux(sections: &[Section]) -> Result<(), SdpError> {
    let rtp = |s: &Section| matches!(s.kind, SectionKind::Audio | SectionKind::Video);
    match sections.iter().position(|s| s.bundled && !s.off && rtp(s) && !s.rtcp_mux) {
        None => Ok(()),
        Some(index) => Err(SdpError::Missing {
            place: Place::Section(index),
            what: "a=rtcp-mux",
            hint: "create the connection with rtcpMuxPolicy require",
        }),
    }
}

/// The attribute from the m-line, else from the session part.
fn transport<'a>(levels: [&'a Vec<Attribute>; 2], name: &str) -> Option<&'a str> {
    levels.iter().find_map(|attributes| {
        let found = attributes.iter().find(|a| a.attribute == name)?;
        Some(found.value.as_deref().unwrap_or_default())
    })
}

fn read_ice(levels: [&Vec<Attribute>; 2], place: Place) -> Result<Ice, SdpError> {
    let read = |attribute, shortest, expected| {
        let hint = "an offer needs ICE credentials; send it as the browser made it";
        let missing = SdpError::Missing { place, what: attribute, hint };
        let text = transport(levels, attribute).ok_or(missing)?;
        Value { place, attribute, text }.ice(shortest, expected)
    };
    Ok(Ice {
        ufrag: read("ice-ufrag", 4, "4 to 256 letters, digits, + or /")?,
        pwd: read("ice-pwd", 22, "22 to 256 letters, digits, + or /")?,
    })
}

/// Of several (RFC 8122 section 5), the first with a hash that the node accepts.
fn read_fingerprint(levels: [&Vec<Attribute>; 2], place: Place) -> Result<Fingerprint, SdpError> {
    const EXPECTED: &str = "sha-256, sha-384 or sha-512 and the hash in hexadecimal pairs";
    for attributes in levels {
        let texts = || attributes.iter().filter(|a| a.attribute == "fingerprint");
        bounded(texts().count(), limits::FINGERPRINTS, place, "fingerprints")?;
        let Some(first) = texts().next() else { continue };
        let parsed = texts().filter_map(|a| a.value.as_deref()?.parse().ok()).next();
        let text = first.value.as_deref().unwrap_or_default();
        return parsed.ok_or_else(|| Value { place, attribute: "fingerprint", text }.invalid(EXPECTED));
    }
    let hint = "media without DTLS is not accepted; send the offer as the browser made it";
    Err(SdpError::Missing { place, what: "a=fingerprint", hint })
}

/// We are passive, so the offerer must be able to be active (RFC 5763 section 5).
fn check_setup(levels: [&Vec<Attribute>; 2], place: Place) -> Result<(), SdpError> {
    let text = transport(levels, "setup").unwrap_or("actpass").trim();
    if matches!(text, "actpass" | "active") {
        return Ok(());
    }
    Err(Value { place, attribute: "setup", text }.invalid("actpass or active, since the node is passive"))
}

/// RFC 8843 section 9.1: what a bundled m-line says of the certificate is what the bundle's transport says.
fn same_fingerprint(attributes: &[Attribute], transport: &Fingerprint, index: usize) -> Result<(), SdpError> {
    let mut texts = attributes.iter().filter(|a| a.attribute == "fingerprint").peekable();
    let says_nothing = texts.peek().is_none();
    let mut parsed = texts.filter_map(|a| a.value.as_deref()?.parse::<Fingerprint>().ok());
    if says_nothing || parsed.any(|f| f == *transport) {
        return Ok(());
    }
    Err(SdpError::FingerprintChanged { place: Place::Section(index) })
}
