//! What was sent, when, and what arrived.
//!
//! Publishers and subscribers of one process share a [`Ledger`]. A packet is known by its content: a node may rewrite
//! every field of an RTP header, but not the payload. Both clocks are the same host's: the publisher reads it right
//! before it hands the datagram to the kernel, the subscriber asks the kernel when the datagram came in. So the delay
//! holds neither clock skew nor the time a busy client takes to wake up.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hasher};
use std::sync::{Mutex, MutexGuard};
use std::time::SystemTime;

use hdrhistogram::Histogram;

use crate::demo::DelayUs;

/// Delays above this count as this: ten seconds is a broken call, not a slow one.
const DELAY_MAX_US: u64 = 10_000_000;

/// Nanoseconds since 1970 by the host's clock, the one the kernel stamps datagrams with.
pub fn clock_ns() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_nanos() as u64)
}

/// The content of a packet, as far as the ledger needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Content(u64);

impl Content {
    /// Of an RTP payload.
    pub fn of(payload: &[u8]) -> Content {
        let mut hasher = DefaultHasher::new();
        hasher.write(payload);
        Content(hasher.finish())
    }
}

/// Counts over all tracks and subscribers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Packets due: sent while counting, times the subscribers that watch the track.
    pub due: u64,
    /// Packets that came, each once a subscriber.
    pub received: u64,
    /// Packets that came more than once.
    pub repeated: u64,
    /// Packets that nobody is known to have sent.
    pub unknown: u64,
}

impl Totals {
    /// Packets due that have not come.
    pub fn missing(&self) -> u64 {
        self.due - self.received
    }
}

/// Shared by all clients of a process.
pub struct Ledger {
    book: Mutex<Book>,
}

struct Book {
    tracks: HashMap<String, Track>,
    counting: bool,
    delay_us: Histogram<u64>,
    repeated: u64,
    unknown: u64,
    /// Packets that publishers sent, whether counted or not.
    sent: u64,
}

#[derive(Default)]
struct Track {
    /// Where packets of this content stand in `sent_ns`. Nearly always one.
    by_content: HashMap<Content, Vec<u32>>,
    sent_ns: Vec<u64>,
    /// For each packet, whether it is counted.
    counted: Vec<bool>,
    counted_total: u64,
    /// For each subscriber, which packets came.
    watchers: HashMap<u32, Watcher>,
}

#[derive(Default)]
struct Watcher {
    came: Vec<bool>,
    counted_came: u64,
}

impl Default for Ledger {
    fn default() -> Self {
        Self::new()
    }
}

impl Ledger {
    /// An empty ledger that does not count yet.
    pub fn new() -> Ledger {
        // Three digits hold a percentile to a thousandth of its value. The bounds are constants and known to be good.
        let delay_us = Histogram::new_with_bounds(1, DELAY_MAX_US, 3)
            .unwrap_or_else(|error| unreachable!("constant bounds: {error}"));
        let book =
            Book { tracks: HashMap::new(), counting: false, delay_us, repeated: 0, unknown: 0, sent: 0 };
        Ledger { book: Mutex::new(book) }
    }

    /// From now on, packets sent are due at every watcher of their track; or no longer.
    pub fn count(&self, counting: bool) {
        self.book().counting = counting;
    }

    /// A subscriber expects a track. Only packets counted from now on are due at it.
    pub fn watch(&self, track: &str, subscriber: u32) {
        self.book().tracks.entry(track.to_owned()).or_default().watchers.entry(subscriber).or_default();
    }

    /// A subscriber gives up a track: what it missed is not due any more.
    pub fn unwatch(&self, track: &str, subscriber: u32) {
        if let Some(track) = self.book().tracks.get_mut(track) {
            track.watchers.remove(&subscriber);
        }
    }

    /// A publisher hands a packet to the kernel.
    pub fn sent(&self, track: &str, content: Content, at_ns: u64) {
        let mut book = self.book();
        let counting = book.counting;
        book.sent += 1;
        if !book.tracks.contains_key(track) {
            book.tracks.insert(track.to_owned(), Track::default());
        }
        let Some(track) = book.tracks.get_mut(track) else { return };
        let index = track.sent_ns.len() as u32;
        track.by_content.entry(content).or_default().push(index);
        track.sent_ns.push(at_ns);
        track.counted.push(counting);
        track.counted_total += u64::from(counting);
    }

    /// A subscriber's kernel received a packet of a track.
    pub fn received(&self, track: &str, subscriber: u32, content: Content, at_ns: u64) {
        let mut guard = self.book();
        let book = &mut *guard;
        let Some(track) = book.tracks.get_mut(track) else {
            book.unknown += 1;
            return;
        };
        let Some(candidates) = track.by_content.get(&content) else {
            book.unknown += 1;
            return;
        };
        let watcher = track.watchers.entry(subscriber).or_default();
        watcher.came.resize(track.sent_ns.len(), false);
        let Some(&index) = candidates.iter().find(|&&i| !watcher.came[i as usize]) else {
            book.repeated += 1;
            return;
        };
        let index = index as usize;
        watcher.came[index] = true;
        if track.counted[index] {
            watcher.counted_came += 1;
            let delay_us = at_ns.saturating_sub(track.sent_ns[index]) / 1000;
            book.delay_us.saturating_record(delay_us.clamp(1, DELAY_MAX_US));
        }
    }

    /// Counts so far.
    pub fn totals(&self) -> Totals {
        let book = self.book();
        let mut totals = Totals { repeated: book.repeated, unknown: book.unknown, ..Totals::default() };
        for track in book.tracks.values() {
            totals.due += track.counted_total * track.watchers.len() as u64;
            totals.received += track.watchers.values().map(|w| w.counted_came).sum::<u64>();
        }
        totals
    }

    /// Packets that publishers have sent so far, counted or not.
    pub fn sent_total(&self) -> u64 {
        self.book().sent
    }

    /// Delay of the packets counted so far.
    pub fn delay_us(&self) -> DelayUs {
        let book = self.book();
        if book.delay_us.is_empty() {
            return DelayUs::default();
        }
        DelayUs {
            p50: book.delay_us.value_at_quantile(0.5),
            p99: book.delay_us.value_at_quantile(0.99),
            p999: book.delay_us.value_at_quantile(0.999),
        }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        // A panic elsewhere leaves at worst one packet half written: the counts are still worth reading.
        self.book.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_packet_is_due_at_every_watcher() {
        let ledger = Ledger::new();
        ledger.watch("t", 1);
        ledger.watch("t", 2);
        let (a, b) = (Content::of(b"a"), Content::of(b"b"));
        ledger.sent("t", Content::of(b"early"), 0);
        ledger.count(true);
        ledger.sent("t", a, 1_000);
        ledger.sent("t", b, 2_000);
        ledger.received("t", 1, a, 101_000);
        ledger.received("t", 1, b, 102_000);
        ledger.received("t", 2, b, 202_000);
        ledger.received("t", 2, Content::of(b"early"), 300_000);
        let totals = ledger.totals();
        assert_eq!((totals.due, totals.received, totals.missing()), (4, 3, 1));
        ledger.received("t", 2, b, 203_000);
        assert_eq!(ledger.totals().repeated, 1);
        ledger.received("t", 2, Content::of(b"never sent"), 203_000);
        assert_eq!(ledger.totals().unknown, 1);
        assert_eq!(ledger.totals().missing(), 1);
        ledger.received("t", 2, a, 901_000);
        assert_eq!(ledger.totals().missing(), 0);
        assert_eq!(ledger.delay_us().p50, 100);
    }

    #[test]
    fn equal_contents_are_still_told_apart() {
        let ledger = Ledger::new();
        ledger.watch("t", 1);
        ledger.count(true);
        let same = Content::of(b"same");
        ledger.sent("t", same, 0);
        ledger.sent("t", same, 0);
        ledger.received("t", 1, same, 1);
        assert_eq!(ledger.totals().missing(), 1);
        ledger.received("t", 1, same, 1);
        assert_eq!((ledger.totals().missing(), ledger.totals().repeated), (0, 0));
    }

    #[test]
    fn nothing_is_due_at_one_who_gave_up() {
        let ledger = Ledger::new();
        ledger.watch("t", 1);
        ledger.count(true);
        ledger.sent("t", Content::of(b"x"), 0);
        assert_eq!(ledger.totals().missing(), 1);
        ledger.unwatch("t", 1);
        assert_eq!(ledger.totals().missing(), 0);
    }
}
