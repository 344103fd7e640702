//! What flags say of codecs.

use crate::ng::sdp::format::Format;

/// A codec as flags name it: `opus`, `opus/48000/2`, `opus/48000/2/32000`, `iLBC/8000/1///mode=30`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CodecSpec {
    /// The encoding name.
    pub name: String,
    /// Ticks a second.
    pub clock_rate: Option<u32>,
    /// Channels.
    pub channels: Option<u8>,
    /// Bits a second of the encoder.
    pub bitrate: Option<u32>,
    /// Packet time in milliseconds.
    pub ptime: Option<u32>,
    /// Parameters for `a=fmtp`.
    pub fmtp: Option<String>,
    /// Options of the encoder.
    pub options: Option<String>,
}

/// One entry of a list of codecs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CodecMatch {
    /// `all`: every codec, but those that `transcode` names may be restored.
    All,
    /// `full`: every codec.
    Full,
    /// `any`, in `accept` of `publish`: what cannot be transcoded too.
    Any,
    /// A payload type.
    Number(u8),
    /// A codec.
    Spec(CodecSpec),
}

/// The `codec` dictionary with the flags beside it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CodecRules {
    /// Removed as if never offered.
    pub strip: Vec<CodecMatch>,
    /// Not offered on, but used towards the offerer.
    pub mask: Vec<CodecMatch>,
    /// As `mask`, and transcoding is on.
    pub consume: Vec<CodecMatch>,
    /// Offered on, and accepted from the offerer even if the answerer refuses.
    pub accept: Vec<CodecMatch>,
    /// Not stripped or masked by `all` and `full`.
    pub except: Vec<CodecMatch>,
    /// As `except`, and moved to the front in this order.
    pub offer: Vec<CodecMatch>,
    /// Added, if not there.
    pub transcode: Vec<CodecSpec>,
    /// Encoder settings of codecs that come into play unnamed.
    pub set: Vec<CodecSpec>,
    /// `single-codec`: answers name one codec.
    pub single: bool,
    /// `reuse-codecs`: a re-offer changes no codec that can stay.
    pub reuse: bool,
}

impl CodecSpec {
    /// Reads it; `None` for an empty name, a rate or number of channels that is none, or characters that would break a
    /// line. `--` stands for `=`, as flags that may not hold one write it.
    pub fn parse(text: &str) -> Option<CodecSpec> {
        let text = text.replace("--", "=");
        let mut parts = text.split('/');
        let name = parts.next().filter(|name| is_token(name))?.to_owned();
        let mut spec = CodecSpec { name, ..CodecSpec::default() };
        let number =
            |part: Option<&str>| part.filter(|p| !p.is_empty()).map(str::parse::<u32>).transpose().ok();
        spec.clock_rate = number(parts.next())?.filter(|rate| *rate > 0);
        spec.channels = number(parts.next())?.map(u8::try_from).transpose().ok()?.filter(|n| *n > 0);
        spec.bitrate = number(parts.next())?;
        spec.ptime = number(parts.next())?;
        spec.fmtp = parts.next().filter(|fmtp| !fmtp.is_empty()).map(str::to_owned);
        let options = parts.collect::<Vec<_>>().join("/");
        spec.options = (!options.is_empty()).then_some(options);
        text.bytes().all(|b| b >= b' ').then_some(spec)
    }

    /// Whether a format is this codec, as far as the entry says more than the name.
    pub fn matches(&self, format: &Format) -> bool {
        format.is_named(&self.name)
            && self.clock_rate.is_none_or(|rate| rate == format.clock_rate)
            && self.channels.is_none_or(|channels| channels == format.channels)
            && self.fmtp.as_deref().is_none_or(|fmtp| has_parameters(format, fmtp))
    }
}

/// RFC 4855 section 3: names of encodings are tokens.
fn is_token(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._+!#$%&'*^`{|}~".contains(&b))
}

/// Every parameter that is asked for is there.
fn has_parameters(format: &Format, wanted: &str) -> bool {
    format.fmtp.as_deref() == Some(wanted)
        || wanted.split(';').all(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            format.parameter(key.trim()) == Some(value.trim())
        })
}

impl CodecMatch {
    /// Reads it; `None` as for [`CodecSpec::parse`].
    pub fn parse(text: &str) -> Option<CodecMatch> {
        Some(match text {
            "all" => CodecMatch::All,
            "full" => CodecMatch::Full,
            "any" => CodecMatch::Any,
            _ => match text.parse::<u8>() {
                Ok(number) => CodecMatch::Number(Some(number).filter(|n| *n < 128)?),
                Err(_) => CodecMatch::Spec(CodecSpec::parse(text)?),
            },
        })
    }

    /// Whether it names this format; the words for all name none by themselves.
    pub fn names(&self, format: &Format) -> bool {
        match self {
            CodecMatch::All | CodecMatch::Full | CodecMatch::Any => false,
            CodecMatch::Number(number) => *number == format.payload_type,
            CodecMatch::Spec(spec) => spec.matches(format),
        }
    }

    /// `all` or `full`.
    pub(super) fn is_all(&self) -> bool {
        matches!(self, CodecMatch::All | CodecMatch::Full)
    }
}

/// Whether a list names a format.
pub(super) fn names(list: &[CodecMatch], format: &Format) -> bool {
    list.iter().any(|entry| entry.names(format))
}

impl CodecRules {
    /// Something here needs the transcoder.
    pub fn may_transcode(&self) -> bool {
        !(self.transcode.is_empty() && self.consume.is_empty() && self.accept.is_empty())
    }

    /// The encoder's settings for a format: of the `transcode` entry that brought it, or of `set`.
    pub fn settings(&self, format: &Format) -> Option<&CodecSpec> {
        let mut entries = self.transcode.iter().chain(&self.set);
        entries.find(|spec| spec.matches(format) && (spec.bitrate.is_some() || spec.options.is_some()))
    }
}
