use super::*;
use crate::ntp::NtpTime;
use crate::rtcp::{Compound, Message, RtcpError};

fn only(packet: &[u8]) -> Message<'_> {
    let mut packets = Compound::parse(packet).unwrap().packets();
    let message = packets.next().unwrap().message().unwrap();
    assert!(packets.next().is_none());
    message
}

const BLOCK: ReportBlock = ReportBlock {
    ssrc: 7,
    fraction_lost: 200,
    cumulative_lost: -3,
    highest_sequence: 0x1_0002,
    jitter: 44,
    last_sr: 0xb705_2000,
    delay_since_last_sr: 0x5_4000,
};

#[test]
fn a_compound_of_reports_reads_back() {
    let info = SenderInfo { ntp: NtpTime(1 << 40 | 5), rtp_timestamp: 6, packets: 8, octets: 9 };
    let mut out = [0; 256];
    let mut compound = CompoundWriter::new(&mut out);
    compound.add(|out| sender_report(out, 1, &info, &[BLOCK])).unwrap();
    compound.add(|out| receiver_report(out, 2, &[BLOCK, BLOCK])).unwrap();
    compound.add(|out| sdes(out, &[(3, "a"), (4, "abc"), (5, "")])).unwrap();
    compound.add(|out| bye(out, &[3, 4], "gone")).unwrap();
    let len = compound.len();

    let mut packets = Compound::parse(&out[..len]).unwrap().packets();
    let mut next = || packets.next().unwrap().message().unwrap();
    let Message::SenderReport(report) = next() else { panic!() };
    assert_eq!((report.ssrc, report.info), (1, info));
    assert!(report.report_blocks().eq([BLOCK]));
    let Message::ReceiverReport(report) = next() else { panic!() };
    assert!(report.ssrc == 2 && report.report_blocks().eq([BLOCK, BLOCK]));
    let Message::Sdes(sdes) = next() else { panic!() };
    let names = sdes.chunks().map(|chunk| (chunk.ssrc, chunk.cname().unwrap()));
    assert!(names.eq([(3, &b"a"[..]), (4, b"abc"), (5, b"")]));
    let Message::Bye(bye) = next() else { panic!() };
    assert!(bye.ssrcs().eq([3, 4]) && bye.reason() == b"gone");
}

#[test]
fn a_packet_without_room_adds_nothing() {
    let mut out = [0; 20];
    let mut compound = CompoundWriter::new(&mut out);
    compound.add(|out| pli(out, Pli { sender_ssrc: 1, media_ssrc: 2 })).unwrap();
    let one_more = compound.add(|out| pli(out, Pli { sender_ssrc: 1, media_ssrc: 2 }));
    assert_eq!(one_more, Err(WriteError::NoRoom));
    assert_eq!(compound.len(), 12);
    compound.add(|out| bye(out, &[1], "")).unwrap();
    assert_eq!(Compound::parse(&out).unwrap().packets().count(), 2);
}

#[test]
fn loss_is_clamped_to_24_bits() {
    let mut out = [0; 64];
    for (written, read) in [(i32::MAX, 0x7f_ffff), (i32::MIN, -0x80_0000), (-1, -1)] {
        let block = ReportBlock { cumulative_lost: written, ..BLOCK };
        let len = receiver_report(&mut out, 1, &[block]).unwrap();
        let Message::ReceiverReport(report) = only(&out[..len]) else { panic!() };
        assert!(report.report_blocks().eq([ReportBlock { cumulative_lost: read, ..BLOCK }]));
    }
}

#[test]
fn feedback_on_the_wire() {
    let mut out = [0; 64];
    let len = pli(&mut out, Pli { sender_ssrc: 1, media_ssrc: 2 }).unwrap();
    assert_eq!(out[..len], [0x81, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2]);
    let len = fir(&mut out, 1, &[FirEntry { ssrc: 2, sequence: 9 }]).unwrap();
    assert_eq!(out[..len], [0x84, 206, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 9, 0, 0, 0]);
    let written = nack(&mut out, 1, 2, &[65535, 0, 15, 16, 100]).unwrap();
    let expected =
        [0x81, 205, 0, 5, 0, 0, 0, 1, 0, 0, 0, 2, 0xff, 0xff, 0x80, 0x01, 0, 16, 0, 0, 0, 100, 0, 0];
    assert_eq!((&out[..written.len], written.taken), (&expected[..], 5));
    let Message::Nack(nack) = only(&out[..written.len]) else { panic!() };
    assert!(nack.sequences().eq([65535, 0, 15, 16, 100]));
}

#[test]
fn a_nack_takes_what_fits() {
    let mut out = [0; 20];
    let missing: Vec<u16> = (0..100).collect();
    let written = nack(&mut out, 1, 2, &missing).unwrap();
    assert_eq!(written, Written { len: 20, taken: 34 });
    let Message::Nack(back) = only(&out) else { panic!() };
    assert!(back.sequences().eq(0..34));
    assert_eq!(nack(&mut out[..15], 1, 2, &missing), Err(WriteError::NoRoom));
    assert_eq!(nack(&mut out, 1, 2, &[]), Err(WriteError::Nothing));
}

#[test]
fn remb_saturates_and_rounds_down() {
    let mut out = [0; 64];
    for (written, read) in
        [(0, 0), (262_143, 262_143), (1_000_000, 1_000_000), (262_145, 262_144), (u64::MAX, 0x3_ffff << 46)]
    {
        let len = remb(&mut out, 1, written, &[5, 6]).unwrap();
        let Message::Remb(back) = only(&out[..len]) else { panic!() };
        assert_eq!(back.bits_per_second, read);
        assert!(back.ssrcs().eq([5, 6]));
    }
    // The largest exponent and mantissa mean more than 64 bits.
    let len = remb(&mut out, 1, 1, &[]).unwrap();
    out[17..20].copy_from_slice(&[0xff; 3]);
    let Message::Remb(back) = only(&out[..len]) else { panic!() };
    assert_eq!(back.bits_per_second, u64::MAX);
}

#[test]
fn lists_that_are_too_long() {
    let mut out = [0; 2048];
    assert_eq!(receiver_report(&mut out, 1, &[BLOCK; 32]), Err(WriteError::TooMany));
    assert_eq!(bye(&mut out, &[1; 32], ""), Err(WriteError::TooMany));
    let long = "x".repeat(256);
    assert_eq!(bye(&mut out, &[1], &long), Err(WriteError::TextTooLong));
    assert_eq!(sdes(&mut out, &[(1, &long)]), Err(WriteError::TextTooLong));
    assert_eq!(remb(&mut out, 1, 1, &[1; 256]), Err(WriteError::TooMany));
    assert_eq!(fir(&mut out, 1, &[]), Err(WriteError::Nothing));
}

/// Arrival times in ticks of 250 us to nanoseconds.
fn nanos(ticks: u64) -> u64 {
    ticks * 250_000
}

fn arrivals_of(packet: &[u8]) -> Vec<(u16, i64)> {
    let Message::TransportFeedback(feedback) = only(packet) else { panic!() };
    feedback.arrivals().map(|arrival| (arrival.sequence, arrival.ticks)).collect()
}

#[test]
fn transport_feedback_on_the_wire() {
    let mut out = [0; 64];
    // Three arrivals (one late by 64 ms, so that its delta takes two bytes) around a loss.
    let arrivals = [Some(nanos(520)), None, Some(nanos(530)), Some(nanos(800))];
    let written = transport_feedback(&mut out, 1, 2, 65534, 7, &arrivals).unwrap();
    let expected = [
        0xaf,
        205,
        0,
        6,
        0,
        0,
        0,
        1,
        0,
        0,
        0,
        2, // header, SSRCs
        0xff,
        0xfe,
        0,
        4,
        0,
        0,
        2,
        7, // base, count, reference, feedback count
        0b1101_0001,
        0b1000_0000,
        8,
        10,
        0x01,
        0x0e,
        0,
        2,
    ];
    assert_eq!((&out[..written.len], written.taken), (&expected[..], 4));
    assert_eq!(arrivals_of(&expected), [(65534, 520), (0, 530), (1, 800)]);
}

#[test]
fn transport_feedback_stops_ahead_of_a_gap_of_8_seconds() {
    let mut out = [0; 64];
    let arrivals = [Some(nanos(1000)), None, Some(nanos(1000 + 32768)), Some(nanos(1000))];
    let written = transport_feedback(&mut out, 1, 2, 0, 0, &arrivals).unwrap();
    assert_eq!(written.taken, 2);
    assert_eq!(transport_feedback(&mut out, 1, 2, 0, 0, &[None; 3]), Err(WriteError::Nothing));
    assert_eq!(transport_feedback(&mut out[..20], 1, 2, 0, 0, &arrivals), Err(WriteError::NoRoom));
}

#[test]
fn transport_feedback_in_a_small_room_is_continued_in_the_next() {
    let arrivals: Vec<Option<u64>> = (0..3000u64).map(|at| (at % 7 != 0).then(|| nanos(at * 3))).collect();
    let (mut at, mut all) = (0, Vec::new());
    while at < arrivals.len() {
        let mut out = [0; 200];
        let written = transport_feedback(&mut out, 1, 2, at as u16, 0, &arrivals[at..]).unwrap();
        assert!(written.taken > 60, "{written:?}");
        all.extend(arrivals_of(&out[..written.len]));
        at += written.taken;
    }
    let expected = (0..3000u16).filter(|at| at % 7 != 0).map(|at| (at, i64::from(at) * 3));
    assert!(all.into_iter().eq(expected));
}

#[test]
fn hostile_transport_feedback() {
    let packet = |fci: &[u8]| {
        let mut packet = vec![0x8f, 205, 0, (2 + fci.len() / 4) as u8, 0, 0, 0, 1, 0, 0, 0, 2];
        packet.extend_from_slice(fci);
        Compound::parse(&packet).unwrap().packets().next().unwrap().message().map(|message| match message {
            Message::TransportFeedback(feedback) => feedback.arrivals().count(),
            _ => panic!(),
        })
    };
    // 65535 missing packets in eight runs and one more: nine steps.
    let mut missing = vec![0, 0, 0xff, 0xff, 0, 0, 0, 0];
    missing.extend([0x1f, 0xff].repeat(8));
    missing.extend([0, 7, 0, 0]);
    assert_eq!(packet(&missing), Ok(0));
    // A run of 8191 arrivals without a byte of deltas; a list of reserved symbols; no chunks; empty runs.
    assert_eq!(packet(&[0, 0, 0x1f, 0xff, 0, 0, 0, 0, 0x3f, 0xff, 0, 0]), Err(RtcpError::Truncated));
    assert_eq!(packet(&[0, 0, 0, 7, 0, 0, 0, 0, 0xff, 0xff, 0, 0]), Err(RtcpError::Malformed));
    assert_eq!(packet(&[0, 0, 0, 7, 0, 0, 0, 0, 0x60, 0x07, 0, 0]), Err(RtcpError::Malformed));
    assert_eq!(packet(&[0, 0, 0, 7, 0, 0, 0, 0]), Err(RtcpError::Truncated));
    assert_eq!(packet(&[0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0]), Err(RtcpError::Truncated));
    assert_eq!(packet(&[0, 0, 0, 0, 0, 0, 0, 0]), Ok(0));
}

#[test]
fn bodies_shorter_than_what_they_count() {
    let message = |packet: &[u8]| Compound::parse(packet).unwrap().packets().next().unwrap().message().err();
    assert_eq!(message(&[0x80, 200, 0, 1, 0, 0, 0, 1]), Some(RtcpError::Truncated));
    assert_eq!(message(&[0x81, 201, 0, 1, 0, 0, 0, 1]), Some(RtcpError::Truncated));
    assert_eq!(message(&[0x80, 201, 0, 0]), Some(RtcpError::Truncated));
    assert_eq!(message(&[0x82, 203, 0, 1, 0, 0, 0, 1]), Some(RtcpError::Truncated));
    assert_eq!(message(&[0x81, 203, 0, 2, 0, 0, 0, 1, 4, b'a', b'b', b'c']), Some(RtcpError::Malformed));
    assert_eq!(message(&[0x81, 205, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2]), Some(RtcpError::Truncated));
    assert_eq!(message(&[0x84, 206, 0, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3]), Some(RtcpError::Truncated));
    assert_eq!(message(&[0x81, 206, 0, 1, 0, 0, 0, 1]), Some(RtcpError::Truncated));
    // SDES: no end of the items, an item past the chunk, fewer chunks than counted.
    assert_eq!(message(&[0x81, 202, 0, 2, 0, 0, 0, 1, 1, 2, b'a', b'b']), Some(RtcpError::Truncated));
    assert_eq!(message(&[0x81, 202, 0, 2, 0, 0, 0, 1, 1, 9, b'a', 0]), Some(RtcpError::Malformed));
    assert_eq!(message(&[0x82, 202, 0, 2, 0, 0, 0, 1, 1, 1, b'a', 0]), Some(RtcpError::Truncated));
    // Unknown ones are not refused.
    assert_eq!(message(&[0x80, 207, 0, 0]), None);
    assert_eq!(message(&[0x8f, 206, 0, 3, 0, 0, 0, 1, 0, 0, 0, 2, b'R', b'E', b'M', b'A']), None);
}
