//! RTP headers against the crate rtp-types, and written headers read back.

use kaname_wire::demux::{Class, classify};
use kaname_wire::extension::Element;
use kaname_wire::rtp::{HeaderBuilder, RtpError, RtpHeader, RtpView};
use proptest::collection::vec;
use proptest::prelude::*;

/// Bytes that get past the version, with an extension length that often fits.
pub(crate) fn rtp_like() -> impl Strategy<Value = Vec<u8>> {
    (vec(any::<u8>(), 0..160), any::<bool>(), 0..12u16).prop_map(|(mut bytes, tamed, words)| {
        if let Some(first) = bytes.first_mut() {
            *first = 0x80 | *first & if tamed { 0x33 } else { 0x3f };
        }
        let extension = 12 + 4 * usize::from(bytes.first().map_or(0, |first| first & 15));
        if let (true, Some(length)) = (tamed, bytes.get_mut(extension + 2..extension + 4)) {
            length.copy_from_slice(&words.to_be_bytes());
        }
        bytes
    })
}

/// All that a view can say, so that a panic in any getter is found.
pub(crate) fn read_all(packet: &[u8]) -> Result<usize, RtpError> {
    let view = RtpView::parse(packet)?;
    assert_eq!(&packet[view.payload_range()], view.payload());
    assert_eq!(view.header_len() + view.payload().len() + view.padding_len(), packet.len());
    let elements = view.extensions().map(|element| element.data.len() + 1).sum::<usize>();
    let found = (0..=255).filter_map(|id| view.extension(id)).map(<[u8]>::len).sum::<usize>();
    Ok(found + elements + view.csrcs().count() + format!("{view:?}").len())
}

proptest! {
    #[test]
    fn agrees_with_rtp_types(packet in rtp_like()) {
        match (RtpView::parse(&packet), rtp_types::RtpPacket::parse(&packet)) {
            (Ok(ours), Ok(theirs)) => {
                prop_assert_eq!(ours.marker(), theirs.marker_bit());
                prop_assert_eq!(ours.payload_type(), theirs.payload_type());
                prop_assert_eq!(ours.sequence(), theirs.sequence_number());
                prop_assert_eq!(ours.timestamp(), theirs.timestamp());
                prop_assert_eq!(ours.ssrc(), theirs.ssrc());
                prop_assert!(ours.csrcs().eq(theirs.csrc()));
                prop_assert_eq!(ours.header_len(), theirs.payload_offset());
                prop_assert_eq!(ours.payload(), theirs.payload());
                prop_assert_eq!(ours.padding_len(), usize::from(theirs.padding().unwrap_or(0)));
                let extension = ours.extension_range().map(|range| &packet[range]);
                prop_assert_eq!(ours.extension_profile().zip(extension), theirs.extension());
            }
            (Err(_), Err(_)) => {}
            (ours, theirs) => prop_assert!(false, "{ours:?} against {:?}", theirs.map(|_| ())),
        }
    }

    #[test]
    fn no_bytes_make_it_panic(packet in vec(any::<u8>(), 0..200)) {
        let _ = read_all(&packet);
        let _ = classify(&packet);
    }

    #[test]
    fn no_packet_makes_it_panic(packet in rtp_like()) {
        let _ = read_all(&packet);
    }

    #[test]
    fn a_header_does_not_depend_on_what_follows_it(packet in rtp_like(), last in any::<u8>()) {
        let mut other = packet.clone();
        let Ok(header) = RtpHeader::parse(&packet) else { return Ok(()) };
        if header.body().is_empty() {
            return Ok(());
        }
        *other.last_mut().unwrap() = last;
        let header_of_other = RtpHeader::parse(&other).unwrap();
        prop_assert_eq!(header.header_len(), header_of_other.header_len());
        prop_assert!(header.extensions().eq(header_of_other.extensions()));
    }

    #[test]
    fn a_written_header_reads_back(
        fields in (any::<bool>(), any::<bool>(), 0..128u8, any::<u16>(), any::<u32>(), any::<u32>()),
        csrcs in vec(any::<[u8; 4]>(), 0..=15),
        elements in vec((1..=255u8, vec(any::<u8>(), 0..40)), 0..6),
        payload in vec(any::<u8>(), 0..50),
        padding in 1..=255u8,
    ) {
        let elements: Vec<_> = elements.iter().map(|(id, data)| Element { id: *id, data }).collect();
        let builder = HeaderBuilder {
            marker: fields.0,
            padding: fields.1,
            payload_type: fields.2,
            sequence: fields.3,
            timestamp: fields.4,
            ssrc: fields.5,
            csrcs: csrcs.as_flattened(),
            extensions: &elements,
        };
        let mut packet = vec![0xee; builder.encoded_len().unwrap()];
        prop_assert_eq!(builder.write(&mut packet), Ok(packet.len()));
        packet.extend_from_slice(&payload);
        if fields.1 {
            packet.resize(packet.len() + usize::from(padding), padding);
        }
        let view = RtpView::parse(&packet).unwrap();
        prop_assert_eq!((view.marker(), view.has_padding(), view.payload_type()), (fields.0, fields.1, fields.2));
        prop_assert_eq!((view.sequence(), view.timestamp(), view.ssrc()), (fields.3, fields.4, fields.5));
        prop_assert_eq!(view.csrc_bytes(), csrcs.as_flattened());
        prop_assert!(view.extensions().eq(elements.iter().copied()));
        prop_assert_eq!(view.payload(), &payload[..]);
        // A payload type of 64 to 95 behind the marker bit would look like RTCP: RFC 5761 forbids it.
        let collides = fields.0 && (64..96).contains(&fields.2);
        prop_assert_eq!(classify(&packet), Ok(if collides { Class::Rtcp } else { Class::Rtp }));
    }
}
