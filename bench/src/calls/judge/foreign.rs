//! A decoder that is not ours: ffmpeg's own G.711, G.722 and Opus.

use std::fs;
use std::process::{Command, Stdio};

use ogg::{PacketWriteEndInfo, PacketWriter};
use tempfile::TempDir;

use super::align::Reference;
use super::compare;
use super::hear::{Heard, Kept};
use crate::calls::case::Sound;
use crate::calls::sound::Voice;

/// Samples of Opus's clock in a packet.
const OPUS_TICKS: u64 = 960;

/// The decoder, if it is installed.
pub(in crate::calls) struct Foreign {
    folder: TempDir,
}

impl Foreign {
    /// `None` without ffmpeg.
    pub(in crate::calls) fn find() -> Option<Foreign> {
        let asked =
            Command::new("ffmpeg").arg("-version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        let folder = tempfile::Builder::new().prefix("kaname-calls-").tempdir().ok()?;
        asked.is_ok_and(|status| status.success()).then_some(Foreign { folder })
    }

    /// Decodes packets up to the first that is missing, at the judge's rate.
    pub(super) fn decode(&self, packets: &[&Kept], sound: Sound) -> Option<Vec<i16>> {
        let whole = packets.windows(2).take_while(|pair| pair[1].number == pair[0].number + 1).count() + 1;
        let payloads: Vec<&[u8]> = packets.iter().take(whole).map(|p| p.payload.as_slice()).collect();
        self.payloads(&payloads, sound)
    }

    fn payloads(&self, payloads: &[&[u8]], sound: Sound) -> Option<Vec<i16>> {
        let (input, output) = (self.folder.path().join("in"), self.folder.path().join("out"));
        let raw = |name: &'static str| vec!["-f", name, "-ar", "8000", "-ac", "1"];
        let (bytes, from) = match sound {
            Sound::Pcma => (payloads.concat(), raw("alaw")),
            Sound::Pcmu => (payloads.concat(), raw("mulaw")),
            Sound::G722 => (payloads.concat(), vec!["-f", "g722"]),
            Sound::Opus => (ogg(payloads)?, vec!["-f", "ogg", "-c:a", "opus"]),
        };
        fs::write(&input, bytes).ok()?;
        let rate = sound.judged_at().hz().to_string();
        let done = Command::new("ffmpeg")
            .args(["-y", "-nostdin", "-loglevel", "error"])
            .args(from)
            .arg("-i")
            .arg(&input)
            .args(["-ar", &rate, "-ac", "1", "-f", "s16le"])
            .arg(&output)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        let bytes = done.is_ok_and(|status| status.success()).then(|| fs::read(&output).ok())??;
        Some(bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect())
    }
}

/// RFC 7845: a header, a comment, the packets.
fn ogg(payloads: &[&[u8]]) -> Option<Vec<u8>> {
    // RFC 6716 section 3.1: bit 2 of the first byte says stereo.
    let channels = 1 + (payloads.first()?.first()? >> 2 & 1);
    let head = [&b"OpusHead"[..], &[1, channels, 0, 0, 0x80, 0xbb, 0, 0, 0, 0, 0]].concat();
    let tags = [&b"OpusTags"[..], &[5, 0, 0, 0], b"bench", &[0; 4]].concat();
    let mut writer = PacketWriter::new(Vec::new());
    let serial = 1;
    writer.write_packet(head, serial, PacketWriteEndInfo::EndPage, 0).ok()?;
    writer.write_packet(tags, serial, PacketWriteEndInfo::EndPage, 0).ok()?;
    for (payload, number) in payloads.iter().zip(1..) {
        let last = number == payloads.len() as u64;
        let end = if last { PacketWriteEndInfo::EndStream } else { PacketWriteEndInfo::NormalPacket };
        writer.write_packet(payload.to_vec(), serial, end, number * OPUS_TICKS).ok()?;
    }
    Some(writer.into_inner())
}

/// How much of a voice a foreign decoder hears in our own encoding of it: with it stands or falls every judgement of a
/// node's decoder.
pub(in crate::calls) fn source_likeness(foreign: &Foreign, voice: &Voice) -> Option<f64> {
    let payloads: Vec<&[u8]> = voice.payloads.iter().map(Vec::as_slice).collect();
    let samples = foreign.payloads(&payloads, voice.sound)?;
    let heard = Heard::whole(&samples);
    Some(compare(&Reference::new(voice, voice.sound.judged_at(), 0), &heard, 0).quality)
}
