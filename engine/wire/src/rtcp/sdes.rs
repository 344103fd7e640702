//! Source descriptions and goodbyes (RFC 3550 sections 6.5 and 6.6).

use super::{Packet, RtcpError};
use crate::bytes::be32;

/// Item types of source descriptions.
const END: u8 = 0;
const CNAME: u8 = 1;

/// A source description: chunks, one a source.
#[derive(Clone, Copy, Debug)]
pub struct Sdes<'a> {
    count: u8,
    body: &'a [u8],
}

impl<'a> Sdes<'a> {
    pub(super) fn parse(packet: &Packet<'a>) -> Result<Self, RtcpError> {
        let mut rest = packet.body();
        for _ in 0..packet.count() {
            rest = split_chunk(rest)?.1;
        }
        Ok(Sdes { count: packet.count(), body: packet.body() })
    }

    /// The chunks in order.
    pub fn chunks(&self) -> impl Iterator<Item = Chunk<'a>> + use<'a> {
        let mut rest = self.body;
        (0..self.count).map_while(move |_| {
            let (chunk, behind) = split_chunk(rest).ok()?;
            rest = behind;
            Some(chunk)
        })
    }
}

/// What is said about one source.
#[derive(Clone, Copy, Debug)]
pub struct Chunk<'a> {
    /// The source.
    pub ssrc: u32,
    items: &'a [u8],
}

/// One item of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SdesItem<'a> {
    /// 1 is CNAME; the others are in RFC 3550 section 6.5.
    pub kind: u8,
    /// At most 255 bytes, UTF-8 if the peer keeps the rule.
    pub value: &'a [u8],
}

impl<'a> Chunk<'a> {
    /// The items in order.
    pub fn items(&self) -> impl Iterator<Item = SdesItem<'a>> + use<'a> {
        let mut rest = self.items;
        std::iter::from_fn(move || {
            let (item, behind) = split_item(rest)?;
            rest = behind;
            Some(item)
        })
    }

    /// The canonical name.
    pub fn cname(&self) -> Option<&'a [u8]> {
        self.items().find(|item| item.kind == CNAME).map(|item| item.value)
    }
}

fn split_item(bytes: &[u8]) -> Option<(SdesItem<'_>, &[u8])> {
    let &[kind, len, ref rest @ ..] = bytes else { return None };
    let (value, rest) = rest.split_at_checked(usize::from(len))?;
    (kind != END).then_some((SdesItem { kind, value }, rest))
}

/// The chunk at the front and what follows it. Section 6.5: the items end with one or more null octets, "the
/// first of which is interpreted as an item type of zero to denote the end of the list", until the next
/// 32-bit boundary.
fn split_chunk(bytes: &[u8]) -> Result<(Chunk<'_>, &[u8]), RtcpError> {
    let ssrc = be32(bytes, 0).ok_or(RtcpError::Truncated)?;
    let behind_ssrc = &bytes[4..];
    let mut rest = behind_ssrc;
    while *rest.first().ok_or(RtcpError::Truncated)? != END {
        rest = split_item(rest).ok_or(RtcpError::Malformed)?.1;
    }
    let items_len = behind_ssrc.len() - rest.len();
    let padded_len = (items_len + 1).next_multiple_of(4);
    let (items, rest) = behind_ssrc.split_at_checked(padded_len).ok_or(RtcpError::Truncated)?;
    Ok((Chunk { ssrc, items: &items[..items_len] }, rest))
}

/// Sources that leave.
#[derive(Clone, Copy, Debug)]
pub struct Bye<'a> {
    sources: &'a [u8],
    reason: &'a [u8],
}

impl<'a> Bye<'a> {
    pub(super) fn parse(packet: &Packet<'a>) -> Result<Self, RtcpError> {
        let sources_len = usize::from(packet.count()) * 4;
        let (sources, rest) = packet.body().split_at_checked(sources_len).ok_or(RtcpError::Truncated)?;
        let reason = match rest.split_first() {
            Some((&len, text)) => text.get(..usize::from(len)).ok_or(RtcpError::Malformed)?,
            None => &[],
        };
        Ok(Bye { sources, reason })
    }

    /// Who leaves.
    pub fn ssrcs(&self) -> impl Iterator<Item = u32> + use<'a> {
        self.sources.chunks_exact(4).filter_map(|source| be32(source, 0))
    }

    /// Why, at most 255 bytes; empty when not said. It is the peer's text: not for a log without escaping.
    pub fn reason(&self) -> &'a [u8] {
        self.reason
    }
}
