//! Ogg Opus (RFC 7845).

use std::io::{Cursor, Write};

use kaname_wire::payload::opus::Toc;
use ogg::{PacketReader, PacketWriteEndInfo, PacketWriter};

use super::{FileError, to_prompt};
use crate::Rate;
use crate::codec::opus::{OpusConfig, OpusDecoder, OpusEncoder};
use crate::codec::{CodecError, Decoder, Encoder};
use crate::limits::{FRAME_SAMPLES_MAX, PAYLOAD_MAX, PROMPT_SAMPLES_MAX};
use crate::prompt::Prompt;

const KIND: &str = "Ogg Opus";
/// RFC 7845 section 4: granule positions count at 48 kHz.
const GRANULES_PER_MS: u64 = 48;
/// Packets in a page: a second, RFC 7845 section 4.2's advice for what is not live.
const PAGE_PACKETS: u64 = 50;

fn damaged(what: &'static str) -> FileError {
    FileError::Damaged(KIND, what)
}

/// Reads an Ogg Opus file; two channels become one.
///
/// # Errors
/// [`FileError`], which says what is wrong with it.
pub fn read_ogg_opus(bytes: &[u8], rate: Rate) -> Result<Prompt, FileError> {
    let mut reader = PacketReader::new(Cursor::new(bytes));
    let head = next(&mut reader)?.ok_or_else(|| damaged("it has no header"))?;
    let skip = read_head(&head.data)?;
    next(&mut reader)?
        .filter(|tags| tags.data.starts_with(b"OpusTags"))
        .ok_or_else(|| damaged("it has no tags"))?;
    let mut decoder = OpusDecoder::new(Rate::K48)?;
    let mut samples = Vec::new();
    let mut frame = [0; FRAME_SAMPLES_MAX];
    let mut end = None;
    while let Some(packet) = next(&mut reader)? {
        let len = decoder.decode(&packet.data, &mut frame).map_err(|_| damaged("a packet is not Opus"))?;
        samples.extend_from_slice(&frame[..len]);
        if samples.len() > PROMPT_SAMPLES_MAX + skip {
            return Err(FileError::TooLong);
        }
        if packet.last_in_stream() {
            end = Some(packet.absgp_page());
        }
    }
    // RFC 7845 section 4.4: the last page's position says where the sound ends, within its last packet.
    if let Some(end) = end.and_then(|end| usize::try_from(end).ok()).filter(|end| *end < samples.len()) {
        samples.truncate(end);
    }
    // Section 4.2: "pre-skip", what the decoder gives before the sound begins.
    samples.drain(..skip.min(samples.len()));
    to_prompt(samples, Rate::K48.hz(), rate)
}

fn next(reader: &mut PacketReader<Cursor<&[u8]>>) -> Result<Option<ogg::Packet>, FileError> {
    reader.read_packet().map_err(|_| damaged("a page is broken"))
}

/// Reads the identification header (RFC 7845 section 5.1); gives the pre-skip.
fn read_head(head: &[u8]) -> Result<usize, FileError> {
    let Some(([b'O', b'p', b'u', b's', b'H', b'e', b'a', b'd', version, channels, low, high], rest)) =
        head.split_first_chunk::<12>()
    else {
        return Err(FileError::Unsupported("an Ogg file of another codec than Opus"));
    };
    if version >> 4 != 0 || rest.len() < 7 {
        return Err(damaged("its header is of another version"));
    }
    // Section 5.1.1: mapping family 0 is mono or stereo.
    if rest[6] != 0 || !matches!(channels, 1 | 2) {
        return Err(FileError::Unsupported("an Ogg Opus file of more than two channels"));
    }
    Ok(usize::from(u16::from_le_bytes([*low, *high])))
}

/// Writes an Ogg Opus file while samples come.
pub struct OggOpusRecorder<W: Write> {
    out: PacketWriter<'static, W>,
    encoder: OpusEncoder,
    rate: Rate,
    serial: u32,
    /// Samples that wait for a whole frame.
    waiting: Vec<i16>,
    payload: Vec<u8>,
    packets: u64,
    granules: u64,
    skip: u64,
}

impl<W: Write> OggOpusRecorder<W> {
    /// Begins a file of samples at a rate (not 32 kHz). `serial` tells streams apart; any number will do.
    ///
    /// # Errors
    /// [`FileError::Io`], [`FileError::Codec`].
    pub fn new(out: W, rate: Rate, config: OpusConfig, serial: u32) -> Result<Self, FileError> {
        let encoder = OpusEncoder::new(rate, OpusConfig { dtx: false, ..config })?;
        let skip = (encoder.lookahead() * 48 / rate.per_ms()) as u64;
        let mut out = PacketWriter::new(out);
        let mut head = b"OpusHead\x01\x01".to_vec();
        head.extend((skip as u16).to_le_bytes());
        head.extend(rate.hz().to_le_bytes());
        // Gain of nothing, mapping family 0.
        head.extend([0, 0, 0]);
        out.write_packet(head, serial, PacketWriteEndInfo::EndPage, 0)?;
        let mut tags = b"OpusTags".to_vec();
        let vendor = b"kaname";
        tags.extend((vendor.len() as u32).to_le_bytes());
        tags.extend(vendor);
        tags.extend([0; 4]);
        out.write_packet(tags, serial, PacketWriteEndInfo::EndPage, 0)?;
        let waiting = Vec::with_capacity(rate.samples(80));
        Ok(OggOpusRecorder {
            out,
            encoder,
            rate,
            serial,
            waiting,
            payload: vec![0; PAYLOAD_MAX],
            packets: 0,
            granules: 0,
            skip,
        })
    }

    /// Adds samples.
    ///
    /// # Errors
    /// [`FileError::Io`].
    pub fn write(&mut self, samples: &[i16]) -> Result<(), FileError> {
        self.granules += (samples.len() * 48 / self.rate.per_ms()) as u64;
        let frame = self.rate.samples(20);
        for samples in samples.chunks(frame) {
            self.waiting.extend_from_slice(samples);
            // One frame is kept back, so that the last is known when it comes.
            if self.waiting.len() >= 2 * frame {
                self.write_frame(false)?;
            }
        }
        Ok(())
    }

    fn write_frame(&mut self, last: bool) -> Result<(), FileError> {
        let frame = self.rate.samples(20);
        let len = self.encoder.encode(&self.waiting[..frame], &mut self.payload)?;
        self.waiting.drain(..frame);
        self.put(len, last)
    }

    fn put(&mut self, len: usize, last: bool) -> Result<(), FileError> {
        if Toc::parse(&self.payload[..len]).is_err() {
            return Err(FileError::Codec(CodecError::Internal));
        }
        self.packets += 1;
        let whole = self.packets * 20 * GRANULES_PER_MS;
        let (end, position) = match last {
            true => (PacketWriteEndInfo::EndStream, (self.granules + self.skip).min(whole)),
            false if self.packets.is_multiple_of(PAGE_PACKETS) => (PacketWriteEndInfo::EndPage, whole),
            false => (PacketWriteEndInfo::NormalPacket, whole),
        };
        self.out.write_packet(self.payload[..len].to_vec(), self.serial, end, position)?;
        Ok(())
    }

    /// Ends the file, and gives what it was written to.
    ///
    /// # Errors
    /// [`FileError::Io`].
    pub fn finish(mut self) -> Result<W, FileError> {
        // The encoder holds back its look-ahead: enough silence behind the sound brings it out.
        let frame = self.rate.samples(20);
        let wanted = (self.granules + self.skip).div_ceil(20 * GRANULES_PER_MS).max(1);
        while self.packets + 1 < wanted {
            self.pad(frame);
            self.write_frame(false)?;
        }
        self.pad(frame);
        self.write_frame(true)?;
        let mut out = self.out.into_inner();
        out.flush()?;
        Ok(out)
    }

    fn pad(&mut self, frame: usize) {
        if self.waiting.len() < frame {
            self.waiting.resize(frame, 0);
        }
    }
}
