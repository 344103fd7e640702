//! RTCP against the crate rtcp-types in both directions, and properties of hostile compounds.

use kaname_wire::ntp::NtpTime;
use kaname_wire::rtcp::{Compound, FirEntry, Message, Pli, ReportBlock, SenderInfo, write};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use rtcp_types::prelude::*;

/// Packets with right headers, likely types, and any contents.
fn compound_like() -> impl Strategy<Value = Vec<u8>> {
    let packet = (200..208u8, 0..32u8, vec(any::<u32>(), 0..20)).prop_map(|(kind, count, words)| {
        let mut packet = vec![0x80 | count, kind, 0, words.len() as u8];
        packet.extend(words.iter().flat_map(|word| word.to_be_bytes()));
        packet
    });
    (vec(packet, 1..4), 0..40u8, proptest::option::of((any::<prop::sample::Index>(), any::<u8>()))).prop_map(
        |(packets, padding, flip)| {
            let last = packets.last().map_or(0, Vec::len);
            let mut bytes = packets.concat();
            if padding > 20 {
                let at = bytes.len() - last;
                bytes[at] |= 0x20;
                *bytes.last_mut().unwrap() = padding - 20;
            }
            if let Some((at, value)) = flip {
                let at = at.index(bytes.len());
                bytes[at] = value;
            }
            bytes
        },
    )
}

/// All that a compound can say: how much it yields, so that work can be compared with size.
fn read_all(datagram: &[u8]) -> Option<usize> {
    let compound = Compound::parse(datagram).ok()?;
    let yields = compound.packets().map(|packet| match packet.message() {
        Ok(Message::SenderReport(report)) => report.report_blocks().count(),
        Ok(Message::ReceiverReport(report)) => report.report_blocks().count(),
        Ok(Message::Sdes(sdes)) => sdes.chunks().map(|chunk| 1 + chunk.items().count()).sum(),
        Ok(Message::Bye(bye)) => bye.ssrcs().count() + bye.reason().len(),
        Ok(Message::Nack(nack)) => nack.sequences().count() / 17,
        Ok(Message::Fir(fir)) => fir.entries().count(),
        Ok(Message::Remb(remb)) => remb.ssrcs().count(),
        Ok(Message::TransportFeedback(feedback)) => feedback.arrivals().count(),
        Ok(Message::Pli(_) | Message::Other) | Err(_) => 0,
    });
    Some(yields.sum())
}

fn report_block() -> impl Strategy<Value = ReportBlock> {
    let lost = -0x80_0000..0x80_0000;
    (any::<u32>(), any::<u8>(), lost, any::<[u32; 4]>()).prop_map(
        |(ssrc, fraction_lost, cumulative_lost, rest)| {
            let [highest_sequence, jitter, last_sr, delay_since_last_sr] = rest;
            ReportBlock {
                ssrc,
                fraction_lost,
                cumulative_lost,
                highest_sequence,
                jitter,
                last_sr,
                delay_since_last_sr,
            }
        },
    )
}

fn same_block(ours: &ReportBlock, theirs: &rtcp_types::ReportBlock<'_>) -> bool {
    ours.ssrc == theirs.ssrc()
        && ours.fraction_lost == theirs.fraction_lost()
        && ours.cumulative_lost as u32 & 0xff_ffff == theirs.cumulative_lost()
        && ours.highest_sequence == theirs.extended_sequence_number()
        && ours.jitter == theirs.interarrival_jitter()
        && ours.last_sr == theirs.last_sender_report_timestamp()
        && ours.delay_since_last_sr == theirs.delay_since_last_sender_report_timestamp()
}

fn first(datagram: &[u8]) -> Message<'_> {
    Compound::parse(datagram).unwrap().packets().next().unwrap().message().unwrap()
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(datagram in vec(any::<u8>(), 0..120)) {
        let _ = read_all(&datagram);
    }

    #[test]
    fn what_a_compound_yields_is_bounded_by_its_size(datagram in compound_like()) {
        if let Some(yields) = read_all(&datagram) {
            prop_assert!(yields <= datagram.len(), "{yields} from {} bytes", datagram.len());
        }
    }

    #[test]
    fn reports_agree_with_rtcp_types(datagram in compound_like()) {
        let Ok(compound) = Compound::parse(&datagram) else { return Ok(()) };
        let mut rest = &datagram[..];
        for packet in compound.packets() {
            let len = 4 + 4 * usize::from(u16::from_be_bytes([rest[2], rest[3]]));
            let (bytes, behind) = rest.split_at(len);
            rest = behind;
            // It does not cut padding off, so that padded packets read differently there.
            if bytes[0] & 0x20 != 0 {
                continue;
            }
            match (packet.message(), rtcp_types::Packet::parse(bytes)) {
                (Ok(Message::SenderReport(ours)), Ok(rtcp_types::Packet::Sr(theirs))) => {
                    prop_assert_eq!(ours.ssrc, theirs.ssrc());
                    prop_assert_eq!(ours.info.ntp.0, theirs.ntp_timestamp());
                    prop_assert_eq!(ours.info.rtp_timestamp, theirs.rtp_timestamp());
                    prop_assert_eq!(ours.info.packets, theirs.packet_count());
                    prop_assert_eq!(ours.info.octets, theirs.octet_count());
                    prop_assert!(ours.report_blocks().zip(theirs.report_blocks()).all(|(a, b)| same_block(&a, &b)));
                    prop_assert_eq!(ours.report_blocks().count(), theirs.report_blocks().count());
                }
                (Ok(Message::ReceiverReport(ours)), Ok(rtcp_types::Packet::Rr(theirs))) => {
                    prop_assert_eq!(ours.ssrc, theirs.ssrc());
                    prop_assert!(ours.report_blocks().zip(theirs.report_blocks()).all(|(a, b)| same_block(&a, &b)));
                    prop_assert_eq!(ours.report_blocks().count(), theirs.report_blocks().count());
                }
                (Ok(Message::Bye(ours)), Ok(rtcp_types::Packet::Bye(theirs))) => {
                    prop_assert!(ours.ssrcs().eq(theirs.ssrcs()));
                    prop_assert_eq!(ours.reason(), theirs.reason().unwrap_or_default());
                }
                (Ok(Message::Nack(ours)), Ok(rtcp_types::Packet::TransportFeedback(theirs))) => {
                    prop_assert_eq!((ours.sender_ssrc, ours.media_ssrc), (theirs.sender_ssrc(), theirs.media_ssrc()));
                    prop_assert!(ours.sequences().eq(theirs.parse_fci::<rtcp_types::Nack<'_>>().unwrap().entries()));
                }
                (Ok(Message::TransportFeedback(ours)), Ok(rtcp_types::Packet::TransportFeedback(theirs))) => {
                    let theirs = theirs.parse_fci::<rtcp_types::Twcc<'_>>().unwrap();
                    let received = theirs.packets().filter_map(|packet| match packet.unwrap() {
                        (sequence, rtcp_types::TwccPacketStatus::Received { delta }) => Some((sequence, delta)),
                        _ => None,
                    });
                    let mut ticks = i64::from(theirs.reference_time()) * 256;
                    let received = received.map(|(sequence, delta)| {
                        ticks += i64::from(delta);
                        (sequence, ticks)
                    });
                    prop_assert!(ours.arrivals().map(|at| (at.sequence, at.ticks)).eq(received));
                }
                (Ok(Message::Fir(ours)), Ok(rtcp_types::Packet::PayloadFeedback(theirs))) => {
                    let theirs = theirs.parse_fci::<rtcp_types::Fir<'_>>().unwrap();
                    let theirs: Vec<_> = theirs.entries().map(|entry| (entry.ssrc(), entry.sequence())).collect();
                    prop_assert!(ours.entries().map(|entry| (entry.ssrc, entry.sequence)).eq(theirs));
                }
                (Ok(Message::SenderReport(_) | Message::ReceiverReport(_) | Message::Bye(_)), theirs) => {
                    prop_assert!(false, "only we accept {theirs:?}");
                }
                (Err(_), Ok(rtcp_types::Packet::Sr(_) | rtcp_types::Packet::Rr(_) | rtcp_types::Packet::Bye(_))) => {
                    prop_assert!(false, "only they accept {bytes:?}");
                }
                _ => {}
            }
        }
    }

    #[test]
    fn what_we_write_rtcp_types_reads(
        (ssrc, ntp, counters) in (any::<u32>(), any::<u64>(), any::<[u32; 3]>()),
        blocks in vec(report_block(), 0..=31),
        // It takes the zeros in front of an SSRC that begins with a zero byte for the end of the items
        // before.
        sources in vec(1 << 24..=u32::MAX, 1..=31),
        reason in "[ -~]{0,255}",
        cname in "[ -~]{1,255}",
    ) {
        let mut out = [0; 16384];
        let [rtp_timestamp, packets, octets] = counters;
        let info = SenderInfo { ntp: NtpTime(ntp), rtp_timestamp, packets, octets };
        let mut compound = write::CompoundWriter::new(&mut out);
        compound.add(|out| write::sender_report(out, ssrc, &info, &blocks)).unwrap();
        compound.add(|out| write::receiver_report(out, ssrc, &blocks)).unwrap();
        let names: Vec<_> = sources.iter().map(|source| (*source, &cname[..])).collect();
        compound.add(|out| write::sdes(out, &names)).unwrap();
        compound.add(|out| write::bye(out, &sources, &reason)).unwrap();
        compound.add(|out| write::pli(out, Pli { sender_ssrc: ssrc, media_ssrc: 5 })).unwrap();
        compound.add(|out| write::fir(out, ssrc, &[FirEntry { ssrc: 5, sequence: 6 }])).unwrap();
        let len = compound.len();
        let theirs: Vec<_> = rtcp_types::Compound::parse(&out[..len]).unwrap().map(Result::unwrap).collect();
        let [
            rtcp_types::Packet::Sr(sr),
            rtcp_types::Packet::Rr(rr),
            rtcp_types::Packet::Sdes(sdes),
            rtcp_types::Packet::Bye(bye),
            rtcp_types::Packet::PayloadFeedback(pli),
            rtcp_types::Packet::PayloadFeedback(fir),
        ] = &theirs[..] else { panic!("{theirs:?}") };
        prop_assert_eq!((sr.ssrc(), sr.ntp_timestamp(), sr.octet_count()), (ssrc, ntp, octets));
        prop_assert!(blocks.iter().zip(sr.report_blocks()).all(|(a, b)| same_block(a, &b)));
        prop_assert!(blocks.iter().zip(rr.report_blocks()).all(|(a, b)| same_block(a, &b)));
        prop_assert_eq!(usize::from(sr.n_reports()), blocks.len());
        prop_assert_eq!(bye.ssrcs().collect::<Vec<_>>(), sources.clone());
        prop_assert_eq!(bye.reason().unwrap_or_default(), reason.as_bytes());
        prop_assert_eq!((pli.sender_ssrc(), pli.media_ssrc()), (ssrc, 5));
        prop_assert!(pli.parse_fci::<rtcp_types::Pli<'_>>().is_ok());
        prop_assert_eq!(fir.parse_fci::<rtcp_types::Fir<'_>>().unwrap().entries().next().unwrap().sequence(), 6);
        prop_assert!(sdes.chunks().map(|chunk| chunk.ssrc()).eq(sources.iter().copied()));
        let Message::Sdes(ours) = Compound::parse(&out[..len]).unwrap().packets().nth(2).unwrap().message().unwrap()
        else { panic!() };
        prop_assert!(ours.chunks().map(|chunk| (chunk.ssrc, chunk.cname().unwrap())).eq(
            names.iter().map(|(ssrc, name)| (*ssrc, name.as_bytes()))
        ));
    }

    #[test]
    fn what_rtcp_types_writes_we_read(missing in btree_set(any::<u16>(), 1..80), padding in 0..8u8) {
        let fci = missing.iter().fold(rtcp_types::Nack::builder(), |fci, at| fci.add_rtp_sequence(*at));
        let builder = rtcp_types::TransportFeedback::builder(&fci).sender_ssrc(1).media_ssrc(2);
        let mut out = [0; 1024];
        let len = builder.write_into(&mut out).unwrap();
        let Message::Nack(nack) = first(&out[..len]) else { panic!() };
        prop_assert_eq!((nack.sender_ssrc, nack.media_ssrc), (1, 2));
        prop_assert!(nack.sequences().eq(missing.iter().copied()));

        let bye = rtcp_types::Bye::builder().add_source(9).padding(padding * 4);
        let len = bye.write_into(&mut out).unwrap();
        let Message::Bye(bye) = first(&out[..len]) else { panic!() };
        prop_assert!(bye.ssrcs().eq([9]) && bye.reason().is_empty());
    }

    #[test]
    fn nacks_read_back_in_as_many_packets_as_they_need(
        start in any::<u16>(),
        steps in vec(1..40u16, 0..200),
        room in 16..200usize,
    ) {
        let mut missing = vec![start];
        for step in steps {
            missing.push(missing.last().unwrap().wrapping_add(step));
        }
        let (mut rest, mut read) = (&missing[..], Vec::new());
        while !rest.is_empty() {
            let mut out = vec![0; room];
            let written = write::nack(&mut out, 1, 2, rest).unwrap();
            let Message::Nack(nack) = first(&out[..written.len]) else { panic!() };
            read.extend(nack.sequences());
            rest = &rest[written.taken..];
        }
        prop_assert_eq!(read, missing);
    }

    #[test]
    fn transport_feedback_reads_back(
        base in any::<u16>(),
        start in 0..1u64 << 50,
        steps in vec(proptest::option::weighted(0.7, prop_oneof![
            8 => 0..60i64, 2 => -200..5000i64, 1 => -32_000..32_000i64, 1 => -100_000..100_000i64
        ]), 1..700),
        repeat in 1..20usize,
        room in 48..1500usize,
    ) {
        // Steps in ticks of 250 us, each repeated so that runs appear.
        let mut ticks = start / 250_000 + 200_000_000;
        let mut arrivals = Vec::new();
        for step in steps.iter().flat_map(|step| std::iter::repeat_n(step, repeat)) {
            arrivals.push(step.map(|step| {
                ticks = ticks.saturating_add_signed(step);
                ticks * 250_000 + 249_999
            }));
        }
        arrivals.truncate(3000);
        let mut at = 0;
        while arrivals[at..].iter().any(Option::is_some) {
            let mut out = vec![0; room];
            let sequence = base.wrapping_add(at as u16);
            let written = write::transport_feedback(&mut out, 1, 2, sequence, 3, &arrivals[at..]).unwrap();
            prop_assert!(written.taken > 0 && written.len <= room && written.len.is_multiple_of(4));
            let Message::TransportFeedback(feedback) = first(&out[..written.len]) else { panic!() };
            prop_assert_eq!((feedback.base_sequence, feedback.feedback_count), (sequence, 3));
            prop_assert_eq!(usize::from(feedback.status_count), written.taken);
            let expected = arrivals[at..at + written.taken].iter().enumerate().filter_map(|(index, nanos)| {
                Some((sequence.wrapping_add(index as u16), ((*nanos)? / 250_000) & 0xffff_ffff))
            });
            let read = feedback.arrivals().map(|arrival| (arrival.sequence, arrival.ticks as u64 & 0xffff_ffff));
            prop_assert!(read.eq(expected));
            at += written.taken;
        }
    }
}
