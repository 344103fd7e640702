//! Where certificates of any kind are taken: what those can do to the library there who speak in the peer's name, or
//! shake hands in their own.

use super::active::{active, begin};
use super::contest::{awaited, stranger};
use super::handshake::{assert_agree, failure, secured};
use super::peer::Version;
use super::*;
use crate::limits::{FLIGHT_TIME, HANDSHAKE_BYTES, HANDSHAKE_FRAGMENTS, STALL_TIME};
use crate::worker::hello::{client_hello, is_first_hello};

/// The same numbers each time.
struct Random(u64);

impl Random {
    /// Below `bound`.
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }

    /// The datagram with some damage, seldom to its first headers: those are looked at ahead of the library.
    fn damage(&mut self, datagram: &[u8]) -> Vec<u8> {
        let mut damaged = datagram.to_vec();
        for _ in 0..=self.below(3) {
            let first = if self.below(4) == 0 { 0 } else { 25.min(damaged.len() - 1) };
            let at = first + self.below(damaged.len() - first);
            match self.below(4) {
                0 => damaged[at] ^= 1 << self.below(8),
                1 => damaged[at] = [0, 1, 0x7f, 0xff][self.below(4)],
                2 => damaged.truncate(at.max(1)),
                _ => damaged.extend_from_within(..at),
            }
        }
        // Lengths that fit again, more often than not.
        if self.below(3) > 0 && damaged.len() > 25 {
            let len = damaged.len();
            damaged[11..13].copy_from_slice(&(len as u16 - 13).to_be_bytes());
            damaged[22..25].copy_from_slice(&(len as u32 - 25).to_be_bytes()[1..]);
            if self.below(2) == 0 {
                let fragment: [u8; 3] = damaged[22..25].try_into().expect("three bytes");
                damaged[14..17].copy_from_slice(&fragment);
            }
        }
        damaged
    }
}

#[test]
fn damaged_handshakes_of_a_stranger_end_nothing() {
    let mut random = Random(1);
    for round in 0..200 {
        let (mut bench, mut peer) = awaited(Version::AnyV12);
        let mut other = Peer::new(Version::AnyV12, if round % 2 == 0 { 1400 } else { 120 }, bench.now);
        for step in 0..6 {
            for datagram in other.transmits(bench.now) {
                let is_good = step < round % 4 || random.below(3) == 0;
                let sent = if is_good { datagram } else { random.damage(&datagram) };
                bench.deliver_from(KEY, stranger(1), &sent);
            }
            for command in bench.commands() {
                if let Command::SendDatagram { data, .. } = command {
                    other.datagram(&data, bench.now);
                }
            }
            bench.advance(FLIGHT_TIME);
        }
        bench.commands();
        let commands = bench.converse(KEY, &mut peer, || false);
        assert_agree(&peer, &commands);
        assert_eq!(bench.counter("dtls_faults"), 0, "{round}");
    }
}

#[test]
fn damaged_answers_in_the_peers_name_end_nothing_where_we_begin() {
    let mut random = Random(2);
    for round in 0..200 {
        let mut bench = Bench::new();
        let mut peer = Peer::passive(Version::AnyV12, bench.now);
        begin(&mut bench, active(&peer));
        let mut forger = Peer::passive(Version::AnyV12, bench.now);
        for step in 0..4 {
            for command in bench.commands() {
                if let Command::SendDatagram { data, .. } = command {
                    forger.datagram(&data, bench.now);
                }
            }
            for datagram in forger.transmits(bench.now) {
                let is_good = step < round % 3 || random.below(3) == 0;
                bench.deliver(KEY, &if is_good { datagram } else { random.damage(&datagram) });
            }
            bench.advance(FLIGHT_TIME);
        }
        // What was meant for the forger would be too much for the peer: it hears us from a first hello on.
        let mut waited = Duration::ZERO;
        let mut hears = false;
        while !peer.connected && waited < 3 * STALL_TIME {
            for command in bench.commands() {
                if let Command::SendDatagram { data, .. } = command {
                    hears |= client_hello(&data).is_some() && is_first_hello(&data);
                    if hears {
                        peer.datagram(&data, bench.now);
                    }
                }
            }
            peer.transmits(bench.now).iter().for_each(|datagram| bench.deliver(KEY, datagram));
            bench.advance(FLIGHT_TIME / 10);
            waited += FLIGHT_TIME / 10;
        }
        bench.converse(KEY, &mut peer, || false);
        assert!(peer.connected && secured(&bench.events()).is_some(), "{round}");
        assert_eq!(bench.counter("dtls_faults"), 0, "{round}");
    }
}

/// A fragment of a message that never becomes whole, with its record's number and its message's.
fn fragment(number: u16, message: u16, piece: &[u8]) -> Vec<u8> {
    let mut datagram = vec![22, 254, 253, 0, 0, 0, 0, 0, 0];
    datagram.extend(number.to_be_bytes());
    datagram.extend((12 + piece.len() as u16).to_be_bytes());
    datagram.extend([11, 0, 64, 0]);
    datagram.extend(message.to_be_bytes());
    datagram.extend([0, 0, 1, 0]);
    datagram.extend((piece.len() as u16).to_be_bytes());
    datagram.extend(piece);
    datagram
}

#[test]
fn what_is_kept_of_fragments_is_bounded_before_and_after_the_end() {
    // A stranger that has proved itself sends the smallest, which cost the most work.
    let (mut bench, mut peer) = awaited(Version::AnyV12);
    let mut other = Peer::new(Version::AnyV12, 1400, bench.now);
    for _ in 0..2 {
        for datagram in other.transmits(bench.now) {
            bench.deliver_from(KEY, stranger(1), &datagram);
        }
        for command in bench.commands() {
            if let Command::SendDatagram { data, .. } = command {
                other.datagram(&data, bench.now);
            }
        }
    }
    let before = bench.counter("dtls_dropped_no_handshake");
    for number in 0..2 * HANDSHAKE_FRAGMENTS as u16 {
        bench.deliver_from(KEY, stranger(1), &fragment(100 + number, 2, &[1]));
    }
    let dropped = bench.counter("dtls_dropped_no_handshake") - before;
    assert!(dropped >= HANDSHAKE_FRAGMENTS as u64, "{dropped}");
    let commands = bench.converse(KEY, &mut peer, || false);
    assert_agree(&peer, &commands);
    bench.events();

    // In the peer's name, after its handshake is done: large ones.
    let before = bench.counter("dtls_dropped_no_handshake");
    let count = 4 * HANDSHAKE_BYTES / 1000;
    for number in 0..count as u16 {
        bench.deliver(KEY, &fragment(100 + number, 1000 + number, &[7; 1000]));
    }
    let dropped = bench.counter("dtls_dropped_no_handshake") - before;
    assert!(dropped >= count as u64 / 2, "{dropped}");
    peer.close();
    bench.converse(KEY, &mut peer, || false);
    assert!(matches!(bench.events()[..], [EngineEvent::LegClosed { .. }]), "it was still there");
}

#[test]
fn a_flight_of_which_a_part_came_holds_us_up_for_a_while_only() {
    let mut bench = Bench::new();
    let mut peer = Peer::passive(Version::AnyV12, bench.now);
    begin(&mut bench, active(&peer));
    // Until it sends more than a question; of that, the first record.
    let mut parts = 0;
    for _ in 0..4 {
        for command in bench.commands() {
            if let Command::SendDatagram { data, .. } = command {
                peer.datagram(&data, bench.now);
            }
        }
        for datagram in peer.transmits(bench.now) {
            let first = 13 + usize::from(u16::from_be_bytes([datagram[11], datagram[12]]));
            parts += usize::from(first < datagram.len());
            bench.deliver(KEY, &datagram[..first]);
        }
    }
    assert!(parts == 1 && bench.commands().is_empty());
    let mut again = Peer::passive(Version::AnyV12, bench.now);
    bench.advance(STALL_TIME);
    bench.advance(FLIGHT_TIME);
    bench.converse(KEY, &mut again, || false);
    assert!(again.connected, "a new handshake began");
    assert!(failure(&bench.events()).is_none());
}
