//! Packets made to break parsers: header bombs as they were seen against other media servers.

use kaname_wire::extension::{Elements, Form, MAX_ELEMENTS, MAX_PADDING};
use kaname_wire::payload::{PayloadError, rtx, vp8};
use kaname_wire::rtp::{RtpError, RtpView};

use crate::rtp::read_all;

fn header(first: u8, rest: &[u8]) -> Vec<u8> {
    let mut packet = vec![first, 96, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3];
    packet.extend_from_slice(rest);
    packet
}

#[test]
fn fifteen_contributing_sources() {
    for len in 0..60 {
        assert_eq!(read_all(&header(0x8f, &vec![0; len])), Err(RtpError::Csrc));
    }
    assert!(RtpView::parse(&header(0x8f, &[0; 60])).unwrap().payload().is_empty());
}

#[test]
fn extension_lengths() {
    for words in 0..=u16::MAX {
        let [high, low] = words.to_be_bytes();
        let packet = header(0x90, &[0xbe, 0xde, high, low, 0, 0, 0, 0]);
        let expected = if words <= 1 { Ok(16 + 4 * usize::from(words)) } else { Err(RtpError::Extension) };
        assert_eq!(RtpView::parse(&packet).map(|view| view.header_len()), expected);
    }
    for len in 0..4 {
        assert_eq!(read_all(&header(0x90, &vec![0xff; len])), Err(RtpError::Extension));
    }
}

#[test]
fn the_largest_extension_costs_few_steps() {
    // 65535 words of one-byte elements, of padding, and of two-byte elements without data.
    let largest = 4 * usize::from(u16::MAX);
    assert_eq!(Elements::new(Form::OneByte, &vec![0x10; largest]).count(), MAX_ELEMENTS);
    assert_eq!(Elements::new(Form::OneByte, &vec![0; largest]).count(), 0);
    assert_eq!(Elements::new(Form::TwoByte, &[1, 0].repeat(largest / 2)).count(), MAX_ELEMENTS);
    // Behind too much padding nothing is seen; behind as much as alignment can need, all is.
    for (padding, seen) in [(MAX_PADDING, 1), (MAX_PADDING + 1, 0)] {
        let block = [&vec![0; padding][..], &[0x10, 1]].concat();
        assert_eq!(Elements::new(Form::OneByte, &block).count(), seen);
    }
}

#[test]
fn padding_counts() {
    for body in 0..=255u8 {
        for count in 0..=255u8 {
            let mut packet = header(0xa0, &vec![0; usize::from(body)]);
            *packet.last_mut().unwrap() = count;
            let fits = body > 0 && count > 0 && count <= body;
            let expected = if fits { Ok(usize::from(body - count)) } else { Err(RtpError::Padding) };
            assert_eq!(RtpView::parse(&packet).map(|view| view.payload().len()), expected);
        }
    }
}

#[test]
fn tiny_retransmissions() {
    for len in 0..2 {
        assert_eq!(rtx::strip(&vec![0; len]), None);
    }
    // A retransmission of nothing is an original of no bytes, which no codec accepts.
    let (_, original) = rtx::strip(&[0, 1]).unwrap();
    assert_eq!(vp8::starts(original), Err(PayloadError::Truncated));
}

#[test]
fn every_vp8_descriptor_cut_everywhere() {
    for flags in 0..=255u8 {
        for first in [0x80u8, 0x90, 0xff] {
            let payload = [first, flags, 0x80, 0xff, 0xff, 0xff, 0xff];
            for end in 0..=payload.len() {
                if let Ok(descriptor) = vp8::Descriptor::parse(&payload[..end]) {
                    assert!(usize::from(descriptor.len) <= end);
                }
                assert!(end < 7 || vp8::starts(&payload[..end]).is_ok());
            }
        }
    }
}
