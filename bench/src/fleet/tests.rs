//! Every measure must be able to fail: a relay that misbehaves in one known way, and the counts that must come of it.

use std::collections::VecDeque;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use kaname_srtp::{Keying, Profile};

use super::capacity::Quality;
use super::conductor::Conductor;
use super::scenario::{Scenario, Shape, Source};
use super::stamp::Stamp;
use super::target::{LegTarget, ReceiveLeg, SendLeg, Target};
use super::{Outcome, Silent, verdict};

/// What the relay does to one packet: copies to send, each so much later.
type Mischief = fn(u64, &mut Vec<u8>) -> Vec<Duration>;

const NOW: Duration = Duration::ZERO;
/// Longer than the time between two packets.
const LATER: Duration = Duration::from_millis(25);

/// A relay in plain RTP: one port in, some receivers out, and a list of what it was given.
struct Relay {
    port: SocketAddr,
    given: Arc<Mutex<Vec<u64>>>,
    /// Datagrams that went out, and the lowest index that is still held.
    out: Arc<(AtomicU64, AtomicU64)>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Relay {
    fn start(receivers: Vec<SocketAddr>, mischief: Mischief) -> Relay {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
        let port = socket.local_addr().unwrap();
        let (given, stop) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let (list, end) = (Arc::clone(&given), Arc::clone(&stop));
        let out = Arc::new((AtomicU64::new(0), AtomicU64::new(u64::MAX)));
        let done = Arc::clone(&out);
        let thread = std::thread::spawn(move || {
            let mut held: VecDeque<(Instant, u64, Vec<u8>)> = VecDeque::new();
            let mut buffer = [0; 2048];
            while !end.load(Ordering::Relaxed) {
                let came = socket.recv_from(&mut buffer).map(|(len, _)| buffer[..len].to_vec());
                // Reports are for the relay itself.
                if let Ok(mut packet) =
                    came.map_err(drop).and_then(|p| if p[1] < 192 { Ok(p) } else { Err(()) })
                {
                    let mut list = list.lock().unwrap();
                    // The stamp stands behind the fixed header; protected packets are numbered as they come.
                    let index = Stamp::read(&packet[12..]).map_or(list.len() as u64, |stamp| stamp.index);
                    for late in mischief(index, &mut packet) {
                        held.push_back((Instant::now() + late, index, packet.clone()));
                    }
                    done.1.store(oldest(&held), Ordering::SeqCst);
                    list.push(index);
                }
                held.make_contiguous().sort_by_key(|(at, ..)| *at);
                while held.front().is_some_and(|(at, ..)| *at <= Instant::now()) {
                    let Some((.., packet)) = held.pop_front() else { break };
                    for receiver in &receivers {
                        socket.send_to(&packet, receiver).unwrap();
                        done.0.fetch_add(1, Ordering::SeqCst);
                    }
                    done.1.store(oldest(&held), Ordering::SeqCst);
                }
            }
        });
        Relay { port, given, out, stop, thread: Some(thread) }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        drop(self.thread.take().map(JoinHandle::join));
    }
}

/// The lowest index that is held.
fn oldest(held: &VecDeque<(Instant, u64, Vec<u8>)>) -> u64 {
    held.iter().map(|(_, index, _)| *index).min().unwrap_or(u64::MAX)
}

/// A free port each: bound, noted, and let go again.
fn free_ports(count: usize) -> Vec<SocketAddr> {
    let held: Vec<UdpSocket> = (0..count).map(|_| UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
    held.iter().map(|socket| socket.local_addr().unwrap()).collect()
}

fn legs(to: SocketAddr, receivers: &[SocketAddr]) -> LegTarget {
    let from = "127.0.0.1:0".parse().unwrap();
    LegTarget {
        send: vec![SendLeg { from, to, keys: None, payload_type: 111, ssrc: 7 }],
        receive: receivers.iter().map(|at| ReceiveLeg { at: *at, keys: None, sender: 0 }).collect(),
        pid: Some(std::process::id()),
        system: "a relay".into(),
        allow_remote: false,
    }
}

/// Longer than anything takes on a machine that is busy with other things.
const HUNG_NS: u64 = 60_000_000_000;

/// Counts 100 packets at each receiver, however long it takes. With the outcome come the indices that were counted, as the
/// relay was given them.
fn measure_with(keys: [Option<Keying>; 2], mischief: Mischief) -> (Outcome, Vec<u64>) {
    let receivers = free_ports(2);
    let relay = Relay::start(receivers.clone(), mischief);
    let mut legs = legs(relay.port, &receivers);
    let [ours, theirs] = keys;
    legs.send[0].keys = ours;
    legs.receive.iter_mut().for_each(|leg| leg.keys = theirs.clone());
    let scenario = Scenario {
        shape: Shape::OneToMany { publishers: 1, subscribers: 2 },
        sources: vec![Source::Voice { payload: 100, rate: 100 }],
        seconds: 1,
        ..Scenario::default()
    };
    let mut conductor = Conductor::new(scenario, Target::Legs(legs)).unwrap();
    conductor.connect(&mut Silent).unwrap();
    // All that the relay sent has been looked at.
    let quiet = |c: &Conductor, last: u64| {
        let figures = &c.wheel.figures;
        let all = relay.out.0.load(Ordering::SeqCst);
        relay.given.lock().unwrap().iter().any(|index| *index >= last)
            && relay.out.1.load(Ordering::SeqCst) > last
            && figures.received + figures.foreign >= all
    };
    assert!(conductor.pump(&mut Silent, HUNG_NS, |c| quiet(c, 1)).unwrap());
    conductor.open();
    let from = conductor.wheel.streams[0].sent;
    assert!(conductor.pump(&mut Silent, HUNG_NS, |c| c.wheel.streams[0].sent >= from + 100).unwrap());
    conductor.close();
    let (from, to) = conductor.wheel.streams[0].span.bounds(u64::MAX);
    assert!(conductor.pump(&mut Silent, HUNG_NS, |c| quiet(c, to)).unwrap());
    let given = relay.given.lock().unwrap().iter().copied().filter(|i| (from..to).contains(i)).collect();
    (conductor.outcome((None, None), (None, None)), given)
}

fn measure(mischief: Mischief) -> (Outcome, Vec<u64>) {
    measure_with([None, None], mischief)
}

fn due(given: &[u64], which: impl Fn(u64) -> bool) -> u64 {
    2 * given.iter().filter(|index| which(**index)).count() as u64
}

#[test]
fn an_honest_relay_passes() {
    let (outcome, given) = measure(|_, _| vec![NOW]);
    let packets = &outcome.packets;
    assert!(given.len() >= 100, "{}", given.len());
    assert_eq!((packets.due, packets.received), (due(&given, |_| true), due(&given, |_| true)));
    assert_eq!((packets.lost, packets.duplicates, packets.reordered, packets.misnumbered), (0, 0, 0, 0));
    assert_eq!(packets.sent, given.len() as u64);
    assert_eq!(outcome.delay_us.histogram.iter().map(|(_, count)| count).sum::<u64>(), packets.received);
}

#[test]
fn losses_are_counted_to_the_packet() {
    let lost = |index: u64| index % 10 == 3;
    let (outcome, given) = measure(|index, _| if index % 10 == 3 { vec![] } else { vec![NOW] });
    assert_eq!(outcome.packets.lost, due(&given, lost));
    assert!(outcome.packets.lost > 0);
    assert!(verdict(&outcome, &Quality::default()).iter().any(|why| why.contains("packets lost")));
}

#[test]
fn copies_are_counted_to_the_packet() {
    let (outcome, given) = measure(|index, _| vec![NOW; if index % 7 == 0 { 3 } else { 1 }]);
    assert_eq!((outcome.packets.duplicates, outcome.packets.lost), (2 * due(&given, |i| i % 7 == 0), 0));
    assert!(verdict(&outcome, &Quality::default()).iter().any(|why| why.contains("twice")));
}

#[test]
fn disorder_is_counted_to_the_packet() {
    let (outcome, given) = measure(|index, _| vec![if index % 20 == 5 { LATER } else { NOW }]);
    assert_eq!((outcome.packets.reordered, outcome.packets.lost), (due(&given, |i| i % 20 == 5), 0));
    assert!(verdict(&outcome, &Quality::default()).iter().any(|why| why.contains("out of order")));
}

#[test]
fn delay_and_jitter_are_seen() {
    let (outcome, _) = measure(|_, _| vec![LATER]);
    let delay = &outcome.delay_us;
    assert!(delay.p50 >= 25_000 && delay.max >= delay.p999 && delay.p999 >= delay.p99, "{delay:?}");
    let quality = Quality { p99_us: 24_000, ..Quality::default() };
    assert!(verdict(&outcome, &quality).iter().any(|why| why.contains("p99")));
    let (uneven, _) = measure(|index, _| vec![if index % 2 == 0 { Duration::from_millis(8) } else { NOW }]);
    assert!(uneven.delay_us.jitter >= 1_000, "{}", uneven.delay_us.jitter);
}

#[test]
fn broken_numbering_is_seen() {
    let (outcome, given) = measure(|index, packet| {
        // Packets 60 and on get other numbers: a node that loses count of what it sends.
        if index >= 60 {
            let number = u16::from_be_bytes([packet[2], packet[3]]).wrapping_add(9);
            packet[2..4].copy_from_slice(&number.to_be_bytes());
        }
        vec![NOW]
    });
    assert!(given.contains(&60), "{given:?}");
    assert_eq!((outcome.packets.misnumbered, outcome.packets.lost), (2, 0));
}

#[test]
fn garbled_payloads_are_not_taken_for_media() {
    let (outcome, given) = measure(|index, packet| {
        if index % 10 == 0 {
            packet[60] ^= 1;
            let end = packet.len() - 1;
            packet[end] ^= 1;
        }
        vec![NOW]
    });
    assert_eq!(outcome.packets.lost, due(&given, |i| i % 10 == 0));
    assert!(outcome.packets.foreign >= outcome.packets.lost);
}

#[test]
fn packets_under_other_keys_are_nobodys() {
    let keying = |byte: u8| Keying::new(Profile::AeadAes128Gcm, &[byte; 16], &[byte; 12]);
    let (same, _) = measure_with([keying(1), keying(1)], |_, _| vec![NOW]);
    assert!(
        same.packets.received >= 200 && same.packets.lost == 0 && same.packets.foreign == 0,
        "{:?}",
        same.packets
    );
    let (other, _) = measure_with([keying(1), keying(2)], |_, _| vec![NOW]);
    assert!(other.packets.received == 0 && other.packets.foreign >= 200, "{:?}", other.packets);
}

#[test]
fn a_harness_that_is_short_of_something_says_so() {
    let receivers = free_ports(1);
    let shape = Shape::OneToMany { publishers: 1, subscribers: 1 };
    let scenario = Scenario { shape, ..Scenario::default() };
    let target = Target::Legs(legs(receivers[0], &receivers));
    let mut conductor = Conductor::new(scenario, target).unwrap();
    assert!(conductor.health(0.5, 0.5).short_of.is_empty());
    let short = |conductor: &Conductor, busiest: f64, word: &str| {
        conductor.health(busiest, 1.0).short_of.iter().any(|why| why.contains(word))
    };
    assert!(short(&conductor, 0.97, "CPU"));
    conductor.wheel.figures.socket_drops = 1;
    assert!(short(&conductor, 0.1, "socket memory"));
    conductor.wheel.figures.unsent = 1;
    assert!(short(&conductor, 0.1, "send buffer"));
    assert!(!short(&conductor, 0.1, "time"));
    (0..10).for_each(|_| conductor.wheel.figures.late(50_000_000));
    assert!(short(&conductor, 0.1, "time"));
}
