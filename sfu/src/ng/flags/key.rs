//! What each key means.

mod codec;
mod flag;
mod list;
mod other;

use super::reader::{choice, ip, number, text, texts};
use super::{
    All, AudioPlayer, DtlsMode, EndpointLearning, Family, FlagError, Flags, IceLite, IceMode, MediaEcho,
    PinWish, Secret, Traffic, word,
};
use crate::ng::value::Value;
use crate::sdp::Quoted;

/// A day: nothing is waited for longer.
const DAY_S: u32 = 86_400;
/// RFC 3551 section 4.2 has 20; packets beyond 200 ms no codec here makes.
const PTIME_MS_MAX: u32 = 1_000;
/// Audio is kept in memory for so long.
const DELAY_MS_MAX: u32 = 10_000;

/// Reads one key, by its plain name; false if nobody knows it.
pub(super) fn read(flags: &mut Flags, name: &str, value: &Value) -> Result<bool, FlagError> {
    Ok(identity(flags, name, value)?
        || media(flags, name, value)?
        || list::read(flags, name, value)?
        || other::read(flags, name, value)?)
}

/// Who and where.
fn identity(flags: &mut Flags, name: &str, value: &Value) -> Result<bool, FlagError> {
    match name {
        "call-id" => flags.call_id = text("call-id", value)?.unwrap_or_default(),
        "from-tag" => flags.from_tag = text("from-tag", value)?,
        "to-tag" => flags.to_tag = text("to-tag", value)?,
        "via-branch" => flags.via_branch(text("via-branch", value)?),
        "from-tags" => flags.from_tags = texts("from-tags", value)?,
        "label" | "from-label" => flags.label = text("label", value)?,
        "to-label" => flags.to_label = text("to-label", value)?,
        "set-label" => flags.set_label = text("set-label", value)?,
        "address" => flags.address = text("address", value)?.map(|t| ip("address", &t)).transpose()?,
        "sdp" => {
            let expected = "a session description in UTF-8";
            let text = value.text().ok_or(FlagError::Type { key: "sdp", expected })?;
            flags.sdp = (!text.is_empty()).then(|| Secret::new(text));
        }
        "all" => {
            const CHOICES: [(&str, All); 5] = [
                ("none", All::None),
                ("all", All::All),
                ("offer-answer", All::OfferAnswer),
                ("except-offer-answer", All::ExceptOfferAnswer),
                ("flows", All::Flows),
            ];
            flags.all =
                choice("all", value, "none, all, offer-answer, except-offer-answer or flows", &CHOICES)?;
        }
        "room" => flags.room = text("room", value)?,
        "display-name" => flags.display_name = text("display-name", value)?,
        "pin" => {
            let choices = [("ask", PinWish::Ask), ("require", PinWish::Require), ("skip", PinWish::Skip)];
            flags.pin = choice("pin", value, "ask, require or skip", &choices)?;
        }
        "from-number" => flags.from_number = text("from-number", value)?,
        _ => return Ok(false),
    }
    Ok(true)
}

/// How media flows.
fn media(flags: &mut Flags, name: &str, value: &Value) -> Result<bool, FlagError> {
    match name {
        "direction" => flags.direction = texts("direction", value)?,
        "interface" => flags.direction = texts("interface", value)?,
        "received-from" => flags.received_from = received_from(value)?,
        "media-address" => {
            flags.media_address =
                text("media-address", value)?.map(|t| ip("media-address", &t)).transpose()?;
        }
        "address-family" => {
            let choices =
                [("IP4", Family::Ip4), ("inet", Family::Ip4), ("IP6", Family::Ip6), ("inet6", Family::Ip6)];
            flags.address_family = Some(choice("address-family", value, "IP4 or IP6", &choices)?);
        }
        "ice" => {
            const CHOICES: [(&str, IceMode); 5] = [
                ("default", IceMode::Default),
                ("remove", IceMode::Remove),
                ("force", IceMode::Force),
                ("force-relay", IceMode::ForceRelay),
                ("optional", IceMode::Optional),
            ];
            flags.ice = choice("ICE", value, "remove, force, force-relay, optional or default", &CHOICES)?;
        }
        "ice-lite" => {
            const CHOICES: [(&str, IceLite); 5] = [
                ("forward", IceLite::Forward),
                ("backward", IceLite::Backward),
                ("backwards", IceLite::Backward),
                ("both", IceLite::Both),
                ("off", IceLite::Off),
            ];
            flags.ice_lite = Some(choice("ICE-lite", value, "forward, backward, both or off", &CHOICES)?);
        }
        "transport-protocol" => flags.transport(&text("transport-protocol", value)?.unwrap_or_default())?,
        "dtls" => {
            flags.dtls = dtls("DTLS", value)?;
            flags.security.no_dtls = flags.dtls == DtlsMode::Off;
        }
        "dtls-reverse" => flags.dtls_reverse = dtls("DTLS-reverse", value)?,
        "ptime" => flags.ptime_ms = ptime("ptime", value)?,
        "ptime-reverse" => flags.ptime_reverse_ms = ptime("ptime-reverse", value)?,
        "repacketize" => flags.repacketize_ms = ptime("repacketize", value)?,
        "media-echo" => {
            const CHOICES: [(&str, MediaEcho); 6] = [
                ("blackhole", MediaEcho::Blackhole),
                ("sinkhole", MediaEcho::Blackhole),
                ("forward", MediaEcho::Forward),
                ("backward", MediaEcho::Backwards),
                ("backwards", MediaEcho::Backwards),
                ("both", MediaEcho::Both),
            ];
            let expected = "blackhole, sinkhole, forward, backwards or both";
            flags.media_echo = Some(choice("media-echo", value, expected, &CHOICES)?);
        }
        "drop-traffic" => {
            let choices = [("start", Traffic::Drop), ("stop", Traffic::Pass)];
            flags.traffic = Some(choice("drop-traffic", value, "start or stop", &choices)?);
        }
        "audio-player" => {
            const CHOICES: [(&str, AudioPlayer); 4] = [
                ("default", AudioPlayer::Default),
                ("transcoding", AudioPlayer::Transcoding),
                ("off", AudioPlayer::Off),
                ("always", AudioPlayer::Always),
            ];
            flags.audio_player =
                choice("audio-player", value, "default, transcoding, off or always", &CHOICES)?;
        }
        "endpoint-learning" => {
            const CHOICES: [(&str, EndpointLearning); 4] = [
                ("off", EndpointLearning::Off),
                ("immediate", EndpointLearning::Immediate),
                ("delayed", EndpointLearning::Delayed),
                ("heuristic", EndpointLearning::Heuristic),
            ];
            let expected = "off, immediate, delayed or heuristic";
            flags.endpoint_learning = Some(choice("endpoint-learning", value, expected, &CHOICES)?);
        }
        "tos" => flags.tos = tos(value)?,
        "delay-buffer" => flags.delay_buffer_ms = Some(number("delay-buffer", value, DELAY_MS_MAX)?),
        "delete-delay" => flags.delete_delay_s = Some(number("delete-delay", value, DAY_S)?),
        _ => return Ok(false),
    }
    Ok(true)
}

fn dtls(key: &'static str, value: &Value) -> Result<DtlsMode, FlagError> {
    const CHOICES: [(&str, DtlsMode); 5] = [
        ("off", DtlsMode::Off),
        ("no", DtlsMode::Off),
        ("disable", DtlsMode::Off),
        ("passive", DtlsMode::Passive),
        ("active", DtlsMode::Active),
    ];
    choice(key, value, "off, passive or active", &CHOICES)
}

/// 0 means nothing.
fn ptime(key: &'static str, value: &Value) -> Result<Option<u32>, FlagError> {
    Ok(Some(number(key, value, PTIME_MS_MAX)?).filter(|ms| *ms > 0))
}

/// Negative: as it is. 256 and more: the default.
fn tos(value: &Value) -> Result<Option<Option<u8>>, FlagError> {
    let number =
        value.number().ok_or(FlagError::Type { key: "TOS", expected: "a whole number, -1 to 255" })?;
    Ok(if number < 0 { Some(None) } else { u8::try_from(number).ok().map(Some) })
}

/// `["IP4", "192.0.2.1"]`, or the address alone.
fn received_from(value: &Value) -> Result<Option<std::net::IpAddr>, FlagError> {
    const KEY: &str = "received-from";
    let words = texts(KEY, value)?;
    match words.as_slice() {
        [] => Ok(None),
        [address] => ip(KEY, address).map(Some),
        [family, address] => {
            let parsed = ip(KEY, address)?;
            let fits = word::same(family, if parsed.is_ipv4() { "IP4" } else { "IP6" });
            let value = || Quoted::new(&words.join(" "));
            let expected = "IP4 or IP6 with an address of that family";
            if fits { Ok(Some(parsed)) } else { Err(FlagError::Value { key: KEY, value: value(), expected }) }
        }
        _ => Err(FlagError::Type { key: KEY, expected: "a list of family and address" }),
    }
}

impl Flags {
    /// Words by which proxies choose a branch are no branch.
    fn via_branch(&mut self, branch: Option<String>) {
        const MODES: [&str; 7] = ["auto", "auto-extra", "auto-next", "extra", "next", "1", "2"];
        match branch {
            Some(mode) if MODES.contains(&mode.as_str()) => self.note_unknown(&format!("via-branch={mode}")),
            branch => self.via_branch = branch,
        }
    }
}
