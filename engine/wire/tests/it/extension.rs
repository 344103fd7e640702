//! Extension blocks against a reader that is as slow and as plain as RFC 8285.

use kaname_wire::extension::dependency::Descriptor;
use kaname_wire::extension::{
    AbsSendTime, AudioLevel, Element, Elements, Form, MAX_ELEMENTS, MAX_PADDING, PlayoutDelay, Text,
    VideoOrientation, block_len, read_text, read_transport_sequence, write_block,
};
use proptest::collection::vec;
use proptest::prelude::*;

/// Section 4.2, byte by byte.
fn one_byte_model(block: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let (mut at, mut padding, mut elements) = (0, 0, Vec::new());
    while at < block.len() && elements.len() < MAX_ELEMENTS && padding <= MAX_PADDING {
        let (id, len) = (block[at] >> 4, usize::from(block[at] & 15) + 1);
        if block[at] == 0 {
            at += 1;
            padding += 1;
        } else if id == 0 || id == 15 || at + 1 + len > block.len() {
            break;
        } else {
            elements.push((id, block[at + 1..at + 1 + len].to_vec()));
            at += 1 + len;
        }
    }
    elements
}

/// Section 4.3, byte by byte.
fn two_byte_model(block: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let (mut at, mut padding, mut elements) = (0, 0, Vec::new());
    while at < block.len() && elements.len() < MAX_ELEMENTS && padding <= MAX_PADDING {
        if block[at] == 0 {
            at += 1;
            padding += 1;
        } else if at + 2 > block.len() || at + 2 + usize::from(block[at + 1]) > block.len() {
            break;
        } else {
            let len = usize::from(block[at + 1]);
            elements.push((block[at], block[at + 2..at + 2 + len].to_vec()));
            at += 2 + len;
        }
    }
    elements
}

/// Blocks whose lengths are mostly short, so that several elements fit.
fn block() -> impl Strategy<Value = Vec<u8>> {
    vec(prop_oneof![3 => 0..20u8, 1 => any::<u8>(), 1 => Just(0)], 0..64)
}

proptest! {
    #[test]
    fn any_block_reads_as_the_rfc_says(block in block()) {
        let read = |form| Elements::new(form, &block).map(|element| (element.id, element.data.to_vec()));
        prop_assert!(read(Form::OneByte).eq(one_byte_model(&block)));
        prop_assert!(read(Form::TwoByte).eq(two_byte_model(&block)));
    }

    #[test]
    fn a_written_block_reads_back(elements in vec((1..=255u8, vec(any::<u8>(), 0..=255)), 0..8), room in 0..2300usize) {
        let elements: Vec<_> = elements.iter().map(|(id, data)| Element { id: *id, data }).collect();
        let len = block_len(&elements).unwrap();
        let mut out = vec![0x5a; room];
        match write_block(&mut out, &elements) {
            None => prop_assert!(room < len && out.iter().all(|byte| *byte == 0x5a)),
            Some(0) => prop_assert!(elements.is_empty()),
            Some(written) => {
                prop_assert_eq!(written, len);
                let form = Form::from_profile(u16::from_be_bytes([out[0], out[1]])).unwrap();
                prop_assert!(Elements::new(form, &out[4..len]).eq(elements.iter().copied()));
                prop_assert!(out[len..].iter().all(|byte| *byte == 0x5a));
            }
        }
    }

    #[test]
    fn typed_elements_read_back(
        (voice, level, time) in (any::<bool>(), 0..128u8, 0..1u32 << 24),
        (min, max) in (0..=2047u16, 2048..=4095u16),
        name in "[a-zA-Z0-9-]{1,16}",
        descriptor in any::<[u8; 3]>(),
    ) {
        let audio = AudioLevel { voice, level };
        prop_assert_eq!(AudioLevel::read(&audio.write()), Some(audio));
        prop_assert_eq!(AbsSendTime::read(&AbsSendTime(time).write()), Some(AbsSendTime(time)));
        let text = Text::new(&name).unwrap();
        let delay = PlayoutDelay { min_10ms: min, max_10ms: max };
        prop_assert_eq!(PlayoutDelay::read(&delay.write()), Some(delay));
        prop_assert_eq!(read_text(text.as_bytes()), Some(&name[..]));
        prop_assert_eq!(Descriptor::read(&descriptor).unwrap().write_mandatory(), descriptor);
    }

    #[test]
    fn no_element_makes_a_reader_panic(data in vec(any::<u8>(), 0..40)) {
        let _ = (AudioLevel::read(&data), AbsSendTime::read(&data), PlayoutDelay::read(&data));
        let _ = (VideoOrientation::read(&data), read_text(&data), read_transport_sequence(&data));
        let _ = Descriptor::read(&data).map(|descriptor| descriptor.key_frame_start());
    }

    #[test]
    fn send_times_keep_their_distance(start in 0..1u64 << 60, after in 0..31_000_000_000u64) {
        let (early, late) = (AbsSendTime::from_nanos(start), AbsSendTime::from_nanos(start + after));
        let error = late.nanos_since(early) - after as i64;
        prop_assert!(error.abs() <= 4_000, "{error}");
    }
}
