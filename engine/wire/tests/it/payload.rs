//! Payload descriptors: no bytes make them panic, and what is written reads back.

use kaname_wire::payload::red::{self, Block, Red};
use kaname_wire::payload::telephone_event::TelephoneEvent;
use kaname_wire::payload::{Starts, av1, h264, h265, opus, rtx, vp8, vp9};
use proptest::collection::vec;
use proptest::prelude::*;

/// A VP8 descriptor built from its fields (RFC 7741 section 4.2), and the offset of its picture identifier.
fn vp8_descriptor(picture: Option<(bool, u16)>, tl0: Option<u8>, layer: Option<u8>) -> Vec<u8> {
    let flags =
        u8::from(picture.is_some()) << 7 | u8::from(tl0.is_some()) << 6 | u8::from(layer.is_some()) << 5;
    let mut bytes = vec![0x90, flags];
    match picture {
        Some((true, id)) => bytes.extend((id | 0x8000).to_be_bytes()),
        Some((false, id)) => bytes.push(id as u8 & 0x7f),
        None => {}
    }
    bytes.extend(tl0);
    bytes.extend(layer);
    bytes
}

proptest! {
    #[test]
    fn no_payload_makes_a_reader_panic(payload in vec(any::<u8>(), 0..80)) {
        let all = [vp8::starts, vp9::starts, h264::starts, h265::starts, av1::starts];
        for starts in all.iter().filter_map(|starts| starts(&payload).ok()) {
            prop_assert!(starts.frame || starts == Starts::default(), "a key frame is a frame");
        }
        let _ = (vp8::key_frame_size(&payload), av1::has_sequence_header(&payload));
        let _ = (opus::Toc::parse(&payload).map(|toc| toc.samples()), TelephoneEvent::parse(&payload));
        let _ = rtx::strip(&payload);
        if let Ok(aggregate) = av1::Aggregate::parse(&payload) {
            let bytes = aggregate.obus().map(|obu| obu.data.len() + usize::from(obu.layer().is_some()));
            prop_assert!(bytes.sum::<usize>() <= 2 * payload.len());
        }
        if let Ok(red) = Red::parse(&payload) {
            let bytes = red.blocks().map(|block| block.data.len()).sum::<usize>();
            prop_assert!(bytes < payload.len() && red.primary().is_some());
        }
        if let Ok(descriptor) = vp9::Descriptor::parse(&payload) {
            prop_assert!(usize::from(descriptor.len) <= payload.len());
        }
    }

    #[test]
    fn offsets_of_a_vp8_descriptor_point_at_its_fields(
        picture in proptest::option::of((any::<bool>(), 0..0x8000u16)),
        tl0 in proptest::option::of(any::<u8>()),
        layer in proptest::option::of(any::<u8>()),
        new_id in any::<u16>(),
    ) {
        let mut payload = vp8_descriptor(picture, tl0, layer);
        payload.push(0);
        let descriptor = vp8::Descriptor::parse(&payload).unwrap();
        prop_assert_eq!(usize::from(descriptor.len), payload.len() - 1);
        prop_assert_eq!(descriptor.tl0_picture_index.map(|at| payload[usize::from(at.offset)]), tl0);
        prop_assert_eq!(descriptor.layer_offset.map(|at| payload[usize::from(at)]), layer);
        prop_assert_eq!(descriptor.temporal_layer.map(|layer| layer.id), layer.map(|layer| layer >> 6));
        if let Some(id) = descriptor.picture_id {
            let width = if id.wide { 0x7fff } else { 0x7f };
            prop_assert_eq!(Some((id.wide, id.value)), picture.map(|(wide, id)| (wide, id & width)));
            let before = payload.clone();
            id.rewrite(&mut payload, new_id);
            prop_assert_eq!(vp8::Descriptor::parse(&payload).unwrap().picture_id.unwrap().value, new_id & width);
            id.rewrite(&mut payload, id.value);
            prop_assert_eq!(before, payload);
        }
    }

    #[test]
    fn redundant_blocks_read_back(
        blocks in vec((0..128u8, 0..=red::MAX_OFFSET, vec(any::<u8>(), 0..60)), 0..5),
        primary in (0..128u8, vec(any::<u8>(), 0..60)),
    ) {
        let blocks: Vec<_> = blocks
            .iter()
            .map(|(pt, offset, data)| Block { payload_type: *pt, timestamp_offset: *offset, data })
            .collect();
        let primary = Block { payload_type: primary.0, timestamp_offset: 0, data: &primary.1 };
        let mut out = [0; 512];
        let len = red::write(&mut out, &blocks, primary).unwrap();
        let read = Red::parse(&out[..len]).unwrap();
        prop_assert!(read.blocks().eq(blocks.iter().copied().chain([primary])));
        prop_assert_eq!(read.primary(), Some(primary));
    }

    #[test]
    fn retransmissions_read_back(sequence in any::<u16>(), payload in vec(any::<u8>(), 0..64)) {
        let mut out = [0; 66];
        let len = rtx::write(&mut out, sequence, &payload).unwrap();
        prop_assert_eq!(rtx::strip(&out[..len]), Some((sequence, &payload[..])));
    }
}
