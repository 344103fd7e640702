//! The thread that sends and receives: all ends of all calls, each packet at its time.

mod stream;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use nix::poll::ppoll;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::time::TimeSpec;

use self::stream::Stream;
use super::CallError;
use super::case::Case;
use super::end::{Came, End};
use super::judge::Capture;
use super::keys::key_of;
use super::limits::{BURST, DATAGRAM, DRAIN, JUDGED, JUDGED_WINDOW, KEYS, PACKET, WARM_UP};
use super::schedule::{Schedule, number_at};
use super::sound::{Library, Material};
use super::switchboard::Call;
use super::tally::Tally;
use super::usage::Usage;
use crate::compare::tally::enter;
use crate::stamp::clock_ns;

/// Between readiness and the first packet.
const LEAD: Duration = Duration::from_millis(50);
/// The longest wait between two looks at the sockets.
const LOOK_EVERY: Duration = Duration::from_millis(1);
/// Events taken at one look.
const EVENTS: usize = 1024;
/// Packets that a stream may lack at the edges of the counted time without having lost any: a jitter buffer that grew
/// by so much is holding them.
const SLACK: u64 = 3;

/// What is asked of a drive.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    /// Time that counts.
    pub(super) counted: Duration,
    /// Between the windows of sound that are judged.
    pub(super) listen_every: Duration,
    /// Only callers send.
    pub(super) one_way: bool,
}

/// What a drive tells whoever watches.
#[derive(Debug, Default)]
pub(super) struct Progress {
    pub(super) sent: AtomicU64,
    pub(super) came: AtomicU64,
}

/// All ends and streams of a turn.
pub(super) struct Drive {
    ends: Vec<End>,
    streams: Vec<Stream>,
    /// The stream that comes in at an end.
    incoming: Vec<Option<usize>>,
    readiness: Epoll,
    events: Vec<EpollEvent>,
    buffer: Box<[u8; DATAGRAM]>,
    packet: Vec<u8>,
    tally: Tally,
    came: u64,
    sent: u64,
}

impl Drive {
    /// Takes over the ends of calls.
    pub(super) fn new(
        calls: Vec<Call>,
        case: &Case,
        times: &Times,
        library: &mut Library,
    ) -> Result<Drive, CallError> {
        let number = calls.len() as u32;
        let ends: Vec<End> = calls.into_iter().flat_map(|call| [call.caller, call.callee]).collect();
        let mut streams = Vec::new();
        let mut incoming = vec![None; ends.len()];
        for from in (0..ends.len()).step_by(if times.one_way { 2 } else { 1 }) {
            let (index, to) = (streams.len(), from ^ 1);
            let material = if case.transcodes() {
                library.voice(ends[from].side.sound, index)?
            } else {
                Material::Stamped { stream: index as u32 }
            };
            incoming[to] = Some(index);
            streams.push(Stream::new(index, from, to, material));
        }
        let readiness = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(std::io::Error::from)?;
        for (index, end) in ends.iter().enumerate() {
            let event = |report: usize| EpollEvent::new(EpollFlags::EPOLLIN, (index * 2 + report) as u64);
            readiness.add(end.rtp_readiness(), event(0)).map_err(std::io::Error::from)?;
            readiness.add(end.rtcp_readiness(), event(1)).map_err(std::io::Error::from)?;
        }
        let tally = Tally::new(number, streams.len() as u32);
        Ok(Drive {
            ends,
            streams,
            incoming,
            readiness,
            events: vec![EpollEvent::empty(); EVENTS],
            buffer: Box::new([0; DATAGRAM]),
            packet: Vec::new(),
            tally,
            came: 0,
            sent: 0,
        })
    }

    /// Sends and receives until all is over. Windows of sound go to `windows` as they end.
    pub(super) fn run(
        mut self,
        times: &Times,
        pid: Option<u32>,
        progress: &Progress,
        windows: &Sender<Vec<Capture>>,
    ) -> Result<Tally, CallError> {
        let begin = Instant::now() + LEAD;
        let (from, to) = (begin + WARM_UP, begin + WARM_UP + times.counted);
        let mut schedule = Schedule::new(self.streams.len(), WARM_UP + times.counted + KEYS);
        let first = number_at(WARM_UP);
        let keys_at = number_at(WARM_UP + times.counted) + 5;
        let counted = number_at(WARM_UP + times.counted) - first;
        let mut listening = Listening::new(begin, from, times);
        let (mut at_begin, mut at_end) = (None, None);
        let mut drained_by = None;
        loop {
            let next = self.send_due(&mut schedule, begin, keys_at)?;
            self.take()?;
            let now = Instant::now();
            if at_begin.is_none() && now >= from {
                for stream in &mut self.streams {
                    match stream.is_stamped() {
                        true => stream.track.begin_numbers(first, first + counted),
                        false => stream.track.begin(),
                    }
                }
                at_begin = Some((now, pid.and_then(Usage::of), self.came));
            }
            if at_end.is_none() && now >= to {
                at_end = Some((now, pid.and_then(Usage::of), self.came));
                self.streams.iter_mut().for_each(|stream| stream.track.end());
            }
            if let Some(window) = listening.look(now, &mut self.streams, &self.ends) {
                // Nobody listens once something else has failed.
                let _ = windows.send(window);
            }
            progress.sent.store(self.sent, Ordering::Relaxed);
            progress.came.store(self.came, Ordering::Relaxed);
            let until = next.unwrap_or_else(|| *drained_by.get_or_insert(now + DRAIN));
            if next.is_none() && now >= until {
                break;
            }
            nap(until.saturating_duration_since(now).min(LOOK_EVERY))?;
        }
        if let (Some((from, cpu_from, came_from)), Some((to, cpu_to, came_to))) = (at_begin, at_end) {
            self.tally.seconds = (to - from).as_secs_f64();
            self.tally.came_meanwhile = came_to - came_from;
            self.tally.usage = cpu_from.zip(cpu_to).map(|(from, to): (Usage, Usage)| to.since(from));
        }
        self.add_up(counted);
        Ok(self.tally)
    }

    /// Sends what is due; when to call again, or `None` once everything is sent.
    fn send_due(
        &mut self,
        schedule: &mut Schedule,
        begin: Instant,
        keys_at: u64,
    ) -> Result<Option<Instant>, CallError> {
        for _ in 0..BURST {
            let Some(due) = schedule.peek() else { return Ok(None) };
            let (at, now) = (begin + due.at, Instant::now());
            if at > now {
                return Ok(Some(at));
            }
            schedule.advance();
            enter(&mut self.tally.late, (now - at).as_nanos() as u64);
            let stream = &mut self.streams[due.stream];
            let end = &mut self.ends[stream.from];
            stream.write(due.number, keys_at, end, &mut self.packet);
            stream.sent(due.number, clock_ns());
            if end.send(&self.packet)? {
                self.sent += 1;
            } else {
                self.tally.unsent += 1;
            }
        }
        Ok(Some(Instant::now()))
    }

    /// Takes everything that is there.
    fn take(&mut self) -> Result<(), CallError> {
        let ready =
            self.readiness.wait(&mut self.events, EpollTimeout::ZERO).map_err(std::io::Error::from)?;
        for event in 0..ready {
            let data = self.events[event].data() as usize;
            let (index, is_report) = (data / 2, data % 2 == 1);
            if is_report {
                while self.ends[index].take_report(&mut self.buffer) {}
                continue;
            }
            while let Some(came) = self.ends[index].take(&mut self.buffer) {
                let Some(stream) = self.incoming[index].map(|stream| &mut self.streams[stream]) else {
                    continue;
                };
                match came {
                    Came::Rtp { len, at_ns } => {
                        self.came += 1;
                        let packet = &self.buffer[..len];
                        if let Some(delay_ns) = stream.take(packet, at_ns, &self.ends[index]) {
                            enter(&mut self.tally.delay, delay_ns);
                        }
                    }
                    Came::Bad => stream.track.counts.unauthentic += 1,
                    Came::Other => {}
                }
            }
        }
        Ok(())
    }

    fn add_up(&mut self, counted: u64) {
        let tally = &mut self.tally;
        for (index, stream) in self.streams.iter().enumerate() {
            tally.counts = tally.counts.plus(stream.track.counts);
            tally.due += counted;
            let slack = if stream.is_stamped() { 0 } else { SLACK };
            tally.lost += stream.track.lost(counted, slack);
            tally.pause_ms = tally.pause_ms.max(stream.track.pause_ns as f64 / 1e6);
            let end = |end: usize| &self.ends[end];
            if end(stream.from).sends.keys.is_some() && end(stream.to).gets.keys.is_some() {
                tally.keys.0 += 1;
                tally.keys.1 += u32::from(stream.ear.heard_only(key_of(index)));
            }
        }
    }
}

/// Until the time is over, to the nanosecond, and not until a packet comes: to wake somebody for each packet is work that
/// the kernel charges to its sender, on loopback to the node, and no network card would. Times of arrival are the kernel's.
fn nap(time: Duration) -> Result<(), CallError> {
    match ppoll(&mut [], Some(TimeSpec::from_duration(time)), None) {
        Ok(_) | Err(nix::errno::Errno::EINTR) => Ok(()),
        Err(error) => Err(std::io::Error::from(error).into()),
    }
}

/// Which streams are kept when.
struct Listening {
    begin: Instant,
    every: Duration,
    len: Duration,
    /// When the present or next window begins, and how many there were.
    at: Instant,
    count: usize,
    last: Instant,
    keeping: Vec<usize>,
}

impl Listening {
    fn new(begin: Instant, from: Instant, times: &Times) -> Listening {
        let len = times.counted.min(JUDGED_WINDOW).min(times.listen_every);
        Listening {
            begin,
            every: times.listen_every,
            len,
            at: from,
            count: 0,
            last: from + times.counted - len,
            keeping: Vec::new(),
        }
    }

    /// Begins and ends windows; the last one ends with what counts. One that is over comes back.
    fn look(&mut self, now: Instant, streams: &mut [Stream], ends: &[End]) -> Option<Vec<Capture>> {
        if self.keeping.is_empty() {
            if now < self.at || self.at > self.last || streams.is_empty() {
                return None;
            }
            // Other streams each time, evenly taken, so that a long run hears all of them.
            let judged = streams.len().min(JUDGED);
            self.keeping =
                (0..judged).map(|n| (n * streams.len() / judged + self.count) % streams.len()).collect();
            self.keeping.iter().for_each(|&index| streams[index].keep());
            return None;
        }
        if now < self.at + self.len {
            return None;
        }
        let at_s = (self.at - self.begin).as_secs_f64();
        // Both clocks at one moment: `now` is as old as what was done since.
        let begin_ns = clock_ns() as i64 - self.begin.elapsed().as_nanos() as i64;
        let apart = PACKET.as_nanos() as i64;
        let count = streams.len() as i64;
        let captures = self.keeping.drain(..).filter_map(|index| {
            let begin_ns = begin_ns + index as i64 * apart / count;
            let stream = &mut streams[index];
            let end = &ends[stream.to];
            stream.kept(begin_ns, at_s, end)
        });
        let captures: Vec<Capture> = captures.collect();
        self.count += 1;
        let next = self.at + self.every;
        // The end of a long run is heard as well, however its length divides.
        self.at = if self.at < self.last { next.min(self.last) } else { next };
        (!captures.is_empty()).then_some(captures)
    }
}
