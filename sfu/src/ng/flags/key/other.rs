//! Recording, DTMF, playing and what is left.

use crate::ng::flags::reader::{choice, ip, number, on_off, text, texts};
use crate::ng::flags::{Command, DtmfBlocking, FlagError, Flags, Switch};
use crate::ng::value::Value;
use crate::sdp::Quoted;
use kaname_engine::HashAlgorithm;

/// An hour, for times of keys and triggers.
const HOUR_MS: u32 = 3_600_000;

pub(super) fn read(flags: &mut Flags, name: &str, value: &Value) -> Result<bool, FlagError> {
    match name {
        "record-call" => flags.record_call = Some(on_off("record-call", value)?),
        "generate-rtcp" => flags.generate_rtcp = Some(on_off("generate-RTCP", value)?),
        "metadata" => flags.metadata = text("metadata", value)?,
        "output-destination" => flags.output_destination = text("output-destination", value)?,
        "xmlrpc-callback" => {
            let address = text("xmlrpc-callback", value)?;
            flags.xmlrpc_callback = address.map(|address| ip("xmlrpc-callback", &address)).transpose()?;
        }
        "limit" => flags.limit = Some(number("limit", value, u32::MAX)?),
        "dtls-fingerprint" => {
            let name = text("DTLS-fingerprint", value)?.unwrap_or_default();
            fingerprint(flags, &name);
        }
        // `stop recording` with it pauses; beside a key to press it is the time between keys.
        "pause" if flags.command == Command::StopRecording => {
            if on_off("pause", value)? {
                flags.switches.add(Switch::Pause);
            }
        }
        _ => return Ok(dtmf(flags, name, value)? || play(flags, name, value)?),
    }
    Ok(true)
}

/// SHA-1 and SHA-224 are not made here; the default is then used.
fn fingerprint(flags: &mut Flags, name: &str) {
    let known = [HashAlgorithm::Sha256, HashAlgorithm::Sha384, HashAlgorithm::Sha512];
    flags.dtls_fingerprint = known.into_iter().find(|hash| hash.name().eq_ignore_ascii_case(name));
    if flags.dtls_fingerprint.is_none() && !name.is_empty() {
        flags.note_unknown(&format!("DTLS-fingerprint={name}"));
    }
}

fn dtmf(flags: &mut Flags, name: &str, value: &Value) -> Result<bool, FlagError> {
    match name {
        "dtmf-security" => flags.dtmf.blocking = Some(blocking("DTMF-security", value)?),
        "dtmf-security-trigger" => {
            flags.dtmf.trigger_blocking = Some(blocking("DTMF-security-trigger", value)?);
        }
        "dtmf-security-trigger-end" => {
            flags.dtmf.trigger_end_blocking = Some(blocking("DTMF-security-trigger-end", value)?);
        }
        "trigger" => flags.dtmf.trigger = keys("trigger", value)?,
        "trigger-end" | "end-trigger" => flags.dtmf.trigger_end = keys("trigger-end", value)?,
        "trigger-end-time" => {
            flags.dtmf.trigger_end_ms = Some(number("trigger-end-time", value, HOUR_MS)?);
        }
        "trigger-end-digits" => {
            flags.dtmf.trigger_end_digits = Some(number("trigger-end-digits", value, 1_000)?);
        }
        "dtmf-delay" => flags.dtmf.delay_ms = Some(number("DTMF-delay", value, 10_000)?),
        "dtmf-log-dest" => {
            let address = text("DTMF-log-dest", value)?;
            let parse = |text: String| {
                let expected = "an address with a port";
                let value = Quoted::new(&text);
                text.parse().map_err(|_| FlagError::Value { key: "DTMF-log-dest", value, expected })
            };
            flags.dtmf.log_to = address.map(parse).transpose()?;
        }
        "frequency" | "frequencies" => {
            let words = texts("frequency", value)?;
            let all = words.iter().flat_map(|word| word.split(',')).map(str::trim);
            let parse = |word: &str| number("frequency", &Value::from(word), 4_000);
            flags.dtmf.frequencies_hz = all.map(parse).collect::<Result<_, _>>()?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn blocking(key: &'static str, value: &Value) -> Result<DtmfBlocking, FlagError> {
    const CHOICES: [(&str, DtmfBlocking); 7] = [
        ("drop", DtmfBlocking::Drop),
        ("silence", DtmfBlocking::Silence),
        ("tone", DtmfBlocking::Tone),
        ("random", DtmfBlocking::Random),
        ("zero", DtmfBlocking::Zero),
        ("DTMF", DtmfBlocking::Key),
        ("off", DtmfBlocking::Off),
    ];
    choice(key, value, "drop, silence, tone, random, zero, DTMF or off", &CHOICES)
}

/// Keys of a telephone in a row.
fn keys(key: &'static str, value: &Value) -> Result<Option<String>, FlagError> {
    let keys = text(key, value)?;
    let is_key = |c: char| event(&c.to_string()).is_some();
    match keys {
        Some(keys) if keys.len() > 64 || !keys.chars().all(is_key) => Err(FlagError::Value {
            key,
            value: Quoted::new(&keys),
            expected: "at most 64 of 0 to 9, *, # and A to D",
        }),
        keys => Ok(keys),
    }
}

/// The event of a key (RFC 4733 section 3.2), also when it is written as that number.
fn event(text: &str) -> Option<u8> {
    const KEYS: &str = "0123456789*#ABCD";
    match text.as_bytes() {
        [key] => KEYS.find(char::from(key.to_ascii_uppercase())).and_then(|at| u8::try_from(at).ok()),
        _ => text.parse().ok().filter(|number| *number < 16),
    }
}

fn play(flags: &mut Flags, name: &str, value: &Value) -> Result<bool, FlagError> {
    match name {
        "file" => flags.play.file = text("file", value)?,
        "blob" => match value {
            Value::Bytes(bytes) => flags.play.blob = Some(bytes.clone()),
            _ => return Err(FlagError::Type { key: "blob", expected: "the bytes of a file" }),
        },
        "db-id" => {
            let id = value.number().ok_or(FlagError::Type { key: "db-id", expected: "a whole number" })?;
            flags.play.db_id = Some(id);
        }
        "repeat-times" => flags.play.repeat_times = Some(number("repeat-times", value, u32::MAX)?),
        "start-pos" => flags.play.start_pos = Some(number("start-pos", value, u32::MAX)?),
        "code" | "digit" => {
            let text = text("code", value)?.unwrap_or_default();
            let expected = "0 to 15, or one of 0 to 9, *, # and A to D";
            let event = event(&text);
            let refused = || FlagError::Value { key: "code", value: Quoted::new(&text), expected };
            flags.play.key = Some(event.ok_or_else(refused)?);
        }
        "duration" => flags.play.duration_ms = Some(number("duration", value, u32::MAX)?.clamp(100, 5_000)),
        "pause" => flags.play.pause_ms = Some(number("pause", value, u32::MAX)?.clamp(100, 5_000)),
        "volume" => {
            let expected = "decibels, 0 to -63";
            let number = value.number().ok_or(FlagError::Type { key: "volume", expected })?;
            let quiet = u8::try_from(number.unsigned_abs()).unwrap_or(u8::MAX).min(63);
            flags.play.volume = Some(quiet);
        }
        _ => return Ok(false),
    }
    Ok(true)
}
