//! Sender and receiver reports (RFC 3550 section 6.4).

use super::{Packet, RtcpError};
use crate::bytes::{Cursor, be24, be32};
use crate::ntp::NtpTime;

/// What one receiver saw of one source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReportBlock {
    /// The source.
    pub ssrc: u32,
    /// Packets lost since the previous report, in 1/256.
    pub fraction_lost: u8,
    /// Packets lost since the beginning, 24 bits with sign: duplicates make it negative.
    pub cumulative_lost: i32,
    /// The highest sequence number received, below the count of its cycles.
    pub highest_sequence: u32,
    /// Interarrival jitter in timestamp ticks.
    pub jitter: u32,
    /// [`NtpTime::middle`] of the last sender report; 0: none yet.
    pub last_sr: u32,
    /// Since that report, in 1/65536 s.
    pub delay_since_last_sr: u32,
}

impl ReportBlock {
    /// Bytes on the wire.
    pub const LEN: usize = 24;

    #[inline]
    fn read(block: &[u8]) -> Option<Self> {
        let lost = be24(block, 5)?;
        Some(ReportBlock {
            ssrc: be32(block, 0)?,
            fraction_lost: *block.get(4)?,
            // Shifted up and down again, so that bit 23 becomes the sign.
            cumulative_lost: ((lost << 8) as i32) >> 8,
            highest_sequence: be32(block, 8)?,
            jitter: be32(block, 12)?,
            last_sr: be32(block, 16)?,
            delay_since_last_sr: be32(block, 20)?,
        })
    }

    #[inline]
    pub(super) fn put(&self, cursor: &mut Cursor<'_>) {
        // RFC 3550 appendix A.3 clamps the loss to what 24 bits can hold.
        let lost = self.cumulative_lost.clamp(-0x80_0000, 0x7f_ffff);
        cursor.put32(self.ssrc);
        cursor.put32(u32::from(self.fraction_lost) << 24 | lost as u32 & 0xff_ffff);
        cursor.put32(self.highest_sequence);
        cursor.put32(self.jitter);
        cursor.put32(self.last_sr);
        cursor.put32(self.delay_since_last_sr);
    }
}

/// What a sender says about itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SenderInfo {
    /// The moment of the report.
    pub ntp: NtpTime,
    /// The same moment on the RTP clock.
    pub rtp_timestamp: u32,
    /// RTP packets sent since the beginning.
    pub packets: u32,
    /// Payload bytes sent since the beginning.
    pub octets: u32,
}

impl SenderInfo {
    /// Bytes on the wire.
    pub const LEN: usize = 20;
}

/// A sender report.
#[derive(Clone, Copy, Debug)]
pub struct SenderReport<'a> {
    /// Whose report it is.
    pub ssrc: u32,
    /// What it sent.
    pub info: SenderInfo,
    blocks: &'a [u8],
}

impl<'a> SenderReport<'a> {
    pub(super) fn parse(packet: &Packet<'a>) -> Result<Self, RtcpError> {
        let body = packet.body();
        let read = || {
            let info = SenderInfo {
                ntp: NtpTime(u64::from(be32(body, 4)?) << 32 | u64::from(be32(body, 8)?)),
                rtp_timestamp: be32(body, 12)?,
                packets: be32(body, 16)?,
                octets: be32(body, 20)?,
            };
            let blocks = blocks_behind(packet, 4 + SenderInfo::LEN)?;
            Some(SenderReport { ssrc: be32(body, 0)?, info, blocks })
        };
        read().ok_or(RtcpError::Truncated)
    }

    /// Its report blocks.
    pub fn report_blocks(&self) -> impl Iterator<Item = ReportBlock> + 'a {
        read_blocks(self.blocks)
    }
}

/// A receiver report.
#[derive(Clone, Copy, Debug)]
pub struct ReceiverReport<'a> {
    /// Whose report it is.
    pub ssrc: u32,
    blocks: &'a [u8],
}

impl<'a> ReceiverReport<'a> {
    pub(super) fn parse(packet: &Packet<'a>) -> Result<Self, RtcpError> {
        let read = || Some(ReceiverReport { ssrc: packet.sender_ssrc()?, blocks: blocks_behind(packet, 4)? });
        read().ok_or(RtcpError::Truncated)
    }

    /// Its report blocks.
    pub fn report_blocks(&self) -> impl Iterator<Item = ReportBlock> + 'a {
        read_blocks(self.blocks)
    }
}

/// The blocks that the packet counts; profile-specific extensions behind them are left out.
fn blocks_behind<'a>(packet: &Packet<'a>, start: usize) -> Option<&'a [u8]> {
    packet.body().get(start..)?.get(..usize::from(packet.count()) * ReportBlock::LEN)
}

fn read_blocks(blocks: &[u8]) -> impl Iterator<Item = ReportBlock> {
    blocks.chunks_exact(ReportBlock::LEN).filter_map(ReportBlock::read)
}
