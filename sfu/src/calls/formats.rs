//! Formats of session descriptions in the words of the engine.

use kaname_engine::audio::{
    AmrConfig, AmrPacking, Codec, Codecs, OpusConfig, Rate, Receives, SendFormat, SendKeys, Start,
    StreamFormat, TapConfig, TranscoderConfig,
};
use kaname_engine::core::command::{Codec as CoreCodec, PayloadMap, PayloadType};

use super::plan::{Effects, Manner, Sound};
use super::random::Random;
use crate::ng::sdp::Format;
use crate::ng::sdp::codecs::{Carry, CodecRules, Flow, Route};

/// Milliseconds of audio in a packet when nobody says more.
const PTIME_MS: u32 = 20;

/// The codec that a format stands for, if it is one that could be coded.
pub(super) fn codec(format: &Format) -> Option<Codec> {
    let is = |name: &str, clock_rate: u32| format.is_named(name) && format.clock_rate == clock_rate;
    let mono = format.channels == 1;
    let packing = match format.parameter("octet-align") {
        Some("1") => AmrPacking::OctetAligned,
        _ => AmrPacking::BandwidthEfficient,
    };
    // Interleaving, checksums and robust sorting (RFC 4867 section 4.4) nobody uses.
    let plain_amr =
        ["crc", "robust-sorting"].iter().all(|key| format.parameter(key).is_none_or(|v| v == "0"))
            && format.parameter("interleaving").is_none();
    Some(match format {
        _ if is("PCMA", 8_000) && mono => Codec::Pcma,
        _ if is("PCMU", 8_000) && mono => Codec::Pcmu,
        _ if is("G722", 8_000) && mono => Codec::G722,
        _ if is("opus", 48_000) => Codec::Opus(opus(format, None)),
        _ if is("G729", 8_000) && mono => Codec::G729 { annex_b: format.parameter("annexb") != Some("no") },
        _ if format.is_named("L16") && mono => Codec::L16(Rate::from_hz(format.clock_rate)?),
        _ if is("AMR", 8_000) && mono && plain_amr => Codec::Amr(AmrConfig { packing, mode: 7, dtx: false }),
        _ if is("AMR-WB", 16_000) && mono && plain_amr => {
            Codec::AmrWb(AmrConfig { packing, mode: 8, dtx: false })
        }
        _ => return None,
    })
}

/// How Opus is sent to who asked for this format (RFC 7587 section 6.1).
fn opus(format: &Format, bitrate: Option<u32>) -> OpusConfig {
    let default = OpusConfig::default();
    let most = format.parameter("maxaveragebitrate").and_then(|text| text.parse::<u32>().ok());
    let bitrate = bitrate.unwrap_or(default.bitrate).min(most.unwrap_or(u32::MAX)).clamp(6_000, 510_000);
    OpusConfig {
        bitrate,
        fec: format.parameter("useinbandfec") == Some("1"),
        dtx: format.parameter("usedtx") == Some("1"),
        ..default
    }
}

/// What may come by a flow.
pub(super) fn sound(flow: &Flow, feedback: bool) -> Sound {
    let rtx_of = |main: u8| {
        let is_of = |format: &&Format| format.is_named("rtx") && apt(format) == Some(main);
        flow.routes.iter().map(|route| &route.format).find(is_of).map(|format| format.payload_type)
    };
    let kind = |format: &Format| PayloadType {
        number: format.payload_type,
        rtx: rtx_of(format.payload_type),
        codec: core_codec(format),
        clock_rate: if format.clock_rate == 0 { 8_000 } else { format.clock_rate },
    };
    let media = flow.routes.iter().map(|route| &route.format).filter(|format| !format.is_named("rtx"));
    Sound { formats: media.map(kind).collect(), feedback }
}

fn apt(format: &Format) -> Option<u8> {
    format.parameter("apt")?.parse().ok()
}

fn core_codec(format: &Format) -> CoreCodec {
    let codecs = [
        ("opus", CoreCodec::Opus),
        ("red", CoreCodec::Red),
        ("telephone-event", CoreCodec::TelephoneEvent),
        ("VP8", CoreCodec::Vp8),
        ("VP9", CoreCodec::Vp9),
        ("H264", CoreCodec::H264),
        ("H265", CoreCodec::H265),
        ("AV1", CoreCodec::Av1),
    ];
    codecs.iter().find(|(name, _)| format.is_named(name)).map_or(CoreCodec::Other, |(_, codec)| *codec)
}

/// How long packets to a side are to be, and what its encoder is set to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Towards<'a> {
    pub(super) ptime_ms: Option<u32>,
    pub(super) rules: &'a CodecRules,
}

/// How a flow's packets get to the other side.
pub(super) fn manner(flow: &Flow, towards: Towards<'_>, random: &mut Random) -> Manner {
    if flow.transcodes()
        && let Some(config) = transcoder(flow, towards, random)
    {
        return Manner::Transcode { config: Box::new(config), effects: Effects::default() };
    }
    let passes = flow.routes.iter().filter_map(|route| match route.carry {
        Carry::Pass(to) if !route.format.is_named("rtx") => Some((&route.format, to)),
        _ => None,
    });
    let rtx_to = |main: u8| {
        let of_main = flow
            .routes
            .iter()
            .find(|route| route.format.is_named("rtx") && apt(&route.format) == Some(main))?;
        match of_main.carry {
            Carry::Pass(to) => Some(to),
            Carry::Transcode => None,
        }
    };
    let map = |(format, to): (&Format, u8)| PayloadMap {
        from: format.payload_type,
        to,
        rtx: rtx_to(format.payload_type),
    };
    Manner::Pass(passes.map(map).collect())
}

/// The same through a worker, whether it has to or not; `None` where the codecs are not ours to code.
pub(super) fn transcoder(flow: &Flow, towards: Towards<'_>, random: &mut Random) -> Option<TranscoderConfig> {
    let receives: Vec<StreamFormat> =
        flow.routes.iter().filter_map(|route| receives(&route.format)).collect();
    let has = |wanted: fn(&Receives) -> bool| receives.iter().any(|format| wanted(&format.receives));
    if !has(|receives| matches!(receives, Receives::Audio(_))) {
        return None;
    }
    let sends = flow.sends.as_ref()?;
    let settings = towards.rules.settings(sends);
    let codec = match codec(sends)? {
        Codec::Opus(_) => Codec::Opus(opus(sends, settings.and_then(|spec| spec.bitrate))),
        other => other,
    };
    let ptime_ms = settings.and_then(|spec| spec.ptime).or(towards.ptime_ms);
    let ptime_ms = ptime_ms.filter(|ms| codec.takes_ptime(*ms)).unwrap_or(PTIME_MS);
    // Telephones with Opus often name keys at 8 kHz only: they get them under that type, on the clock of the audio.
    let events = flow.events.as_ref();
    let comes_as_events = has(|receives| matches!(receives, Receives::Events));
    let keys = match events {
        Some(events) => SendKeys::Events(events.payload_type),
        None if comes_as_events => SendKeys::Tones,
        None => SendKeys::Never,
    };
    Some(TranscoderConfig {
        receives,
        sends: SendFormat { codec, payload_type: sends.payload_type, ptime_ms },
        noise_type: flow
            .noise
            .as_ref()
            .filter(|noise| noise.clock_rate == codec.clock_hz())
            .map(|n| n.payload_type),
        detect_tones: events.is_some() && !comes_as_events,
        keys,
        auto_level: false,
        delay_ms_min: 0,
        start: Start { sequence: random.number() as u16, timestamp: random.number() },
    })
}

/// A worker that plays to who takes these formats, and hears nobody.
pub(super) fn solo(
    formats: &[Format],
    towards: Towards<'_>,
    random: &mut Random,
) -> Option<TranscoderConfig> {
    let audio = formats.iter().find(|format| codec(format).is_some())?;
    let events = formats.iter().find(|format| format.is_event() && format.clock_rate == audio.clock_rate);
    let flow = Flow {
        // What never comes has to be named all the same.
        routes: vec![Route { format: audio.clone(), carry: Carry::Transcode }],
        sends: Some(audio.clone()),
        events: events.cloned(),
        noise: None,
    };
    transcoder(&flow, towards, random)
}

/// Without what the machine has no codec for; `None` if nothing is left to do.
pub(super) fn codable(mut config: TranscoderConfig, codecs: &Codecs) -> Option<TranscoderConfig> {
    config.receives.retain(|format| is_codable(format, codecs));
    let hears = config.receives.iter().any(|format| matches!(format.receives, Receives::Audio(_)));
    (hears && codecs.has(config.sends.codec)).then_some(config)
}

fn is_codable(format: &StreamFormat, codecs: &Codecs) -> bool {
    match format.receives {
        Receives::Audio(codec) => codecs.has(codec),
        Receives::ComfortNoise | Receives::Events | Receives::Redundant => true,
    }
}

/// A worker that listens to who sends these formats.
pub(super) fn tap(formats: &[Format], codecs: &Codecs) -> Option<TapConfig> {
    let known = formats.iter().filter_map(receives).filter(|format| is_codable(format, codecs));
    let receives: Vec<StreamFormat> = known.collect();
    let is_audio = |format: &StreamFormat| matches!(format.receives, Receives::Audio(_));
    receives.iter().any(is_audio).then_some(TapConfig { receives, detect_tones: false, delay_ms_min: 0 })
}

/// What a worker makes of a format; `None`: nothing, it is not named to it.
pub(super) fn receives(format: &Format) -> Option<StreamFormat> {
    let receives = match format {
        _ if format.is_event() => Receives::Events,
        _ if format.is_noise() => Receives::ComfortNoise,
        _ => Receives::Audio(codec(format)?),
    };
    Some(StreamFormat { payload_type: format.payload_type, receives })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn random() -> Random {
        Random(Box::new(|bytes| bytes.fill(7)))
    }

    fn towards(rules: &CodecRules) -> Towards<'_> {
        Towards { ptime_ms: None, rules }
    }

    #[test]
    fn formats_are_known_by_name_rate_and_channels() {
        for (name, rate, channels, expected) in [
            ("pcma", 8_000, 1, Some(Codec::Pcma)),
            ("PCMA", 16_000, 1, None),
            ("PCMU", 8_000, 2, None),
            ("G722", 8_000, 1, Some(Codec::G722)),
            ("L16", 16_000, 1, Some(Codec::L16(Rate::K16))),
            ("L16", 44_100, 1, None),
            ("iLBC", 8_000, 1, None),
        ] {
            assert_eq!(codec(&Format::new(96, name, rate, channels)), expected, "{name}/{rate}/{channels}");
        }
        let capped = Format::new(96, "opus", 48_000, 2).with_fmtp("useinbandfec=1;maxaveragebitrate=16000");
        let Some(Codec::Opus(config)) = codec(&capped) else { panic!("opus") };
        assert!(config.fec && !config.dtx && config.bitrate == 16_000);
    }

    #[test]
    fn what_passes_is_renumbered_with_its_retransmissions() {
        let pass = |number, name: &str, fmtp: &str, to| Route {
            format: Format::new(number, name, 90_000, 1).with_fmtp(fmtp),
            carry: Carry::Pass(to),
        };
        let routes = vec![pass(96, "VP8", "", 100), pass(97, "rtx", "apt=96", 101)];
        let flow = Flow { routes, ..Flow::default() };
        let rules = CodecRules::default();
        let Manner::Pass(map) = manner(&flow, towards(&rules), &mut random()) else { panic!("passes") };
        assert_eq!(map, [PayloadMap { from: 96, to: 100, rtx: Some(101) }]);
        let sound = sound(&flow, true);
        assert_eq!(sound.formats.len(), 1);
        assert_eq!((sound.formats[0].rtx, sound.formats[0].codec), (Some(97), CoreCodec::Vp8));
    }

    #[test]
    fn a_transcoder_takes_all_that_may_come_and_sends_what_is_liked_best() {
        let work = |format: Format| Route { format, carry: Carry::Transcode };
        let flow = Flow {
            routes: vec![work(Format::fixed(8)), work(Format::new(101, "telephone-event", 8_000, 1))],
            sends: Some(Format::new(111, "opus", 48_000, 2)),
            events: Some(Format::new(110, "telephone-event", 48_000, 1)),
            noise: None,
        };
        let rules = CodecRules::default();
        let Manner::Transcode { config, effects: Effects { silent: false, mask: None } } =
            manner(&flow, towards(&rules), &mut random())
        else {
            panic!("transcodes")
        };
        assert_eq!(config.receives.len(), 2);
        assert_eq!((config.sends.payload_type, config.sends.ptime_ms), (111, 20));
        assert_eq!(config.keys, SendKeys::Events(110));
        let toneless = Flow { events: None, ..flow };
        let Manner::Transcode { config, .. } = manner(&toneless, towards(&rules), &mut random()) else {
            panic!()
        };
        assert_eq!(config.keys, SendKeys::Tones, "who takes no events hears tones");
    }
}
