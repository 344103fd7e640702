//! sendmmsg(2): runs that the kernel cuts into packets (UDP_SEGMENT), many of them a system call.
//!
//! A run that is refused as such goes out again packet by packet, at once, and its destination is remembered for a
//! while. What one destination refuses holds up no other.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Instant;

use crate::coalesce::Run;
use crate::control::Cut;
use crate::counters::Counters;
use crate::limits::{REFUSAL_TIME, SEND_WAIT_MS, SEND_WAITS, TX_BATCH};
use crate::refusals::Refusals;
use crate::table::Table;
use crate::{names, socket};

/// How packets are handed to the kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sending {
    /// One system call a packet: the yardstick, and for diagnosis.
    OneByOne,
    /// Many packets a system call.
    Batches,
    /// Many runs a system call; the kernel or the device cuts each into its packets.
    #[default]
    Segments,
}

/// One message of the table: a run, or a packet of its own.
#[derive(Clone, Copy)]
struct Message {
    run: Run,
    cut: Cut,
}

/// Sends what lies in one piece of memory.
pub(crate) struct Sender {
    table: Table,
    messages: Vec<Message>,
    refusals: Refusals,
}

/// A socket to send through.
pub(crate) struct Outlet<'a> {
    pub(crate) socket: BorrowedFd<'a>,
    /// As paths name it.
    pub(crate) local: u32,
    /// Until when it may send fragments, because a packet of its was too long for its path.
    pub(crate) fragments: &'a mut Option<Instant>,
}

/// One flush of one socket.
struct Turn<'a> {
    socket: BorrowedFd<'a>,
    counters: &'a mut Counters,
    fragments: &'a mut Option<Instant>,
    /// How often a full send buffer may be waited for, still.
    waits: usize,
    sent: usize,
}

impl Sender {
    pub(crate) fn new() -> Sender {
        Sender {
            table: Table::new(TX_BATCH),
            messages: Vec::with_capacity(TX_BATCH),
            refusals: Refusals::new(),
        }
    }

    /// Sends runs through the socket, in order. Gives the packets that went; why the others did not is counted.
    pub(crate) fn send<'r>(
        &mut self,
        outlet: Outlet<'_>,
        memory: &mut [u8],
        of_socket: impl Iterator<Item = &'r Run>,
        sending: Sending,
        counters: &mut Counters,
    ) -> usize {
        let Outlet { socket, local, fragments } = outlet;
        self.messages.clear();
        if self.refusals.is_empty() {
            self.messages.extend(of_socket.map(|run| Message::new(*run)));
        } else {
            let now = Instant::now();
            self.refusals.expire(now);
            for run in of_socket {
                if run.packets > 1 && self.refusals.holds(local, run.path.remote, now) {
                    counters.runs_not_tried += 1;
                    self.messages.extend(singles(run).map(Message::new));
                } else {
                    self.messages.push(Message::new(*run));
                }
            }
        }
        self.point(memory);
        let mut turn = Turn { socket, counters, fragments, waits: SEND_WAITS, sent: 0 };
        turn.end_fragments();
        let mut next = 0;
        while next < self.messages.len() {
            // One alone needs no table.
            let alone = self.messages.len() == 1 && self.messages[0].run.packets == 1;
            next += match sending {
                _ if alone => self.send_one(next, &mut turn),
                Sending::OneByOne => self.send_one(next, &mut turn),
                Sending::Batches | Sending::Segments => self.send_some(next, &mut turn),
            };
        }
        turn.sent
    }

    /// Points the table at all messages.
    fn point(&mut self, memory: &mut [u8]) {
        for (at, Message { run, cut }) in self.messages.iter_mut().enumerate() {
            let bytes = &mut memory[run.offset..run.offset + run.len];
            let name_len = names::write(&mut self.table.names[at], run.path.remote);
            self.table.point(at, name_len, bytes.as_mut_ptr(), run.len);
            if run.packets > 1 {
                cut.attach(&mut self.table.headers[at].msg_hdr);
            }
        }
    }

    /// Sends messages from `next` on; gives how many are done with, sent or not.
    fn send_some(&mut self, next: usize, turn: &mut Turn<'_>) -> usize {
        let count = self.messages.len();
        turn.counters.send_calls += 1;
        // SAFETY: headers `next..count` point to names, iovecs and control data of `self` and to bytes of the memory that
        // the caller of `send` lends mutably, all with their true lengths.
        let result = unsafe {
            libc::sendmmsg(
                turn.socket.as_raw_fd(),
                self.table.headers[next..count].as_mut_ptr(),
                (count - next) as libc::c_uint,
                libc::MSG_DONTWAIT as _,
            )
        };
        // An error is reported only when the first message meets it: after a partial send, the next call begins with
        // the one at fault.
        match usize::try_from(result) {
            Ok(some) if some > 0 => {
                self.messages[next..next + some].iter().for_each(|message| turn.went(&message.run));
                some
            }
            _ => self.refused(next, &io::Error::last_os_error(), turn),
        }
    }

    /// Sends one message; gives whether it is done with.
    fn send_one(&mut self, at: usize, turn: &mut Turn<'_>) -> usize {
        match self.call(at, turn) {
            Ok(()) => {
                turn.went(&self.messages[at].run);
                1
            }
            Err(error) => self.refused(at, &error, turn),
        }
    }

    fn call(&mut self, at: usize, turn: &mut Turn<'_>) -> io::Result<()> {
        turn.counters.send_calls += 1;
        let (header, iovec) = (&self.table.headers[at].msg_hdr, self.table.iovec(at));
        debug_assert!(header.msg_controllen == 0, "no run");
        // SAFETY: as in `send_some`: name and bytes of one message, with their true lengths.
        let result = unsafe {
            libc::sendto(
                turn.socket.as_raw_fd(),
                iovec.iov_base,
                iovec.iov_len,
                libc::MSG_DONTWAIT,
                header.msg_name.cast(),
                header.msg_namelen,
            )
        };
        if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }

    /// The kernel did not take a message: whether to go on behind it.
    fn refused(&mut self, at: usize, error: &io::Error, turn: &mut Turn<'_>) -> usize {
        let run = self.messages[at].run;
        if turn.may_retry(error) || run.packets == 1 && turn.may_fragment(error) {
            return 0;
        }
        if run.packets == 1 || !turn.counters.run_refused(error) {
            turn.counters.send_failed(error, run.packets as u64);
            return 1;
        }
        self.resend(at, turn);
        1
    }

    /// Sends the packets of a refused run one by one, in its place.
    fn resend(&mut self, at: usize, turn: &mut Turn<'_>) {
        let run = self.messages[at].run;
        let iovec = self.table.iovec(at);
        let name_len = self.table.headers[at].msg_hdr.msg_namelen;
        let before = turn.sent;
        for piece in run.pieces() {
            // Within the memory of the run: its packets lie in a row in it.
            let base = iovec.iov_base.cast::<u8>().wrapping_add(piece.start - run.offset);
            self.table.point(at, name_len, base, piece.len());
            loop {
                match self.call(at, turn) {
                    Ok(()) => {
                        turn.counters.bytes_sent += piece.len() as u64;
                        turn.sent += 1;
                    }
                    Err(error) if turn.may_retry(&error) || turn.may_fragment(&error) => continue,
                    Err(error) => turn.counters.send_failed(&error, 1),
                }
                break;
            }
        }
        turn.counters.packets_resent += (turn.sent - before) as u64;
        // Where single packets do not go either, it is not the run that is at fault.
        if turn.sent > before {
            self.refusals.note(run.path.local, run.path.remote, Instant::now());
        }
    }
}

impl Message {
    fn new(run: Run) -> Message {
        Message { run, cut: Cut::into_segments_of(run.segment as u16) }
    }
}

impl Turn<'_> {
    fn went(&mut self, run: &Run) {
        self.sent += run.packets;
        self.counters.bytes_sent += run.len as u64;
        if run.packets > 1 {
            self.counters.runs_sent += 1;
            self.counters.packets_in_runs += run.packets as u64;
        }
    }

    /// Whether a single packet should be tried again in fragments; for a bounded time then.
    fn may_fragment(&mut self, error: &io::Error) -> bool {
        let too_long = error.raw_os_error() == Some(libc::EMSGSIZE);
        if !too_long || self.fragments.is_some() || socket::allow_fragments(&self.socket, true).is_err() {
            return false;
        }
        *self.fragments = Some(Instant::now() + REFUSAL_TIME);
        self.counters.fragments_allowed += 1;
        true
    }

    /// Back to whole packets when the time is over.
    fn end_fragments(&mut self) {
        if self.fragments.is_some_and(|until| until <= Instant::now())
            && socket::allow_fragments(&self.socket, false).is_ok()
        {
            *self.fragments = None;
        }
    }

    /// Whether the same message should be tried again: a full send buffer is waited for, not for long.
    fn may_retry(&mut self, error: &io::Error) -> bool {
        match error.kind() {
            io::ErrorKind::Interrupted => true,
            io::ErrorKind::WouldBlock if self.waits > 0 => {
                self.waits -= 1;
                self.counters.send_waits += 1;
                socket::wait_writable(self.socket, SEND_WAIT_MS);
                true
            }
            _ => false,
        }
    }
}

/// The packets of a run, each as a run of its own.
fn singles(run: &Run) -> impl Iterator<Item = Run> + use<> {
    let run = *run;
    run.pieces().map(move |piece| Run {
        offset: piece.start,
        len: piece.len(),
        segment: piece.len(),
        packets: 1,
        ..run
    })
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::os::fd::AsFd;

    use kaname_wire::path::Path;

    use super::*;
    use crate::coalesce::Runs;

    struct World {
        socket: UdpSocket,
        peers: [UdpSocket; 2],
        sender: Sender,
        fragments: Option<Instant>,
        counters: Counters,
        memory: Vec<u8>,
        runs: Runs,
    }

    impl World {
        fn new() -> World {
            let open = || UdpSocket::bind(("127.0.0.1", 0)).expect("loopback");
            World {
                socket: open(),
                peers: [open(), open()],
                sender: Sender::new(),
                fragments: None,
                counters: Counters::default(),
                memory: vec![0; 100_000],
                runs: Runs::new(true),
            }
        }

        /// Packets to a peer, each beginning with its number.
        fn put(&mut self, peer: usize, count: usize, len: usize) {
            let to = Path::udp(0, self.peers[peer].local_addr().expect("bound"));
            for _ in 0..count {
                let at = self.runs.bytes();
                assert!(self.runs.push(&to, len));
                self.memory[at..at + len].fill(self.runs.packets() as u8);
            }
        }

        fn flush(&mut self) -> usize {
            self.flush_as(Sending::Segments)
        }

        fn flush_as(&mut self, sending: Sending) -> usize {
            let World { socket, sender, fragments, counters, memory, runs, .. } = self;
            let outlet = Outlet { socket: socket.as_fd(), local: 0, fragments };
            let sent = sender.send(outlet, memory, runs.as_slice().iter(), sending, counters);
            runs.clear();
            sent
        }

        fn hear(&self, peer: usize, numbers: impl Iterator<Item = u8>, len: usize) {
            let mut buffer = [0; 2000];
            for number in numbers {
                assert_eq!(self.peers[peer].recv(&mut buffer).expect("sent"), len);
                assert!(buffer[..len].iter().all(|byte| *byte == number), "{number}");
            }
        }

        /// Without checksums the kernel refuses to cut anything on this socket (net/ipv4/udp.c).
        fn without_checksums(&self, value: bool) {
            socket::set_int(&self.socket, libc::SOL_SOCKET, libc::SO_NO_CHECK, value.into())
                .expect("an option");
        }
    }

    #[test]
    fn runs_leave_as_one_message_each() {
        let mut world = World::new();
        world.put(0, 7, 1000);
        world.put(1, 3, 1001);
        assert_eq!(world.flush(), 10);
        world.hear(0, 1..=7, 1000);
        world.hear(1, 8..=10, 1001);
        let counters = world.counters;
        assert_eq!((counters.send_calls, counters.runs_sent, counters.packets_in_runs), (1, 2, 10));
        assert_eq!(counters.bytes_sent, 10_003);
    }

    #[test]
    fn a_refused_run_goes_packet_by_packet_and_is_remembered() {
        let mut world = World::new();
        world.without_checksums(true);
        world.put(0, 7, 1000);
        world.put(1, 1, 1000);
        assert_eq!(world.flush(), 8);
        world.hear(0, 1..=7, 1000);
        world.hear(1, 8..=8, 1000);
        let counters = world.counters;
        assert_eq!((counters.runs_refused_invalid, counters.packets_resent), (1, 7));
        assert_eq!((counters.bytes_sent, counters.runs_sent), (8000, 0));

        // From now on without a try, in one call, although the socket would.
        world.without_checksums(false);
        world.put(0, 7, 1000);
        world.put(1, 7, 1000);
        assert_eq!(world.flush(), 14);
        world.hear(0, 1..=7, 1000);
        world.hear(1, 8..=14, 1000);
        assert_eq!(world.counters.send_calls, counters.send_calls + 1);
        assert_eq!((world.counters.runs_not_tried, world.counters.runs_sent), (1, 1));
        assert_eq!(world.counters.runs_refused_invalid, 1);
    }

    #[test]
    fn a_run_that_goes_neither_way_is_counted_and_not_remembered() {
        let mut world = World::new();
        // Port 0 cannot be: EINVAL for the run and for each packet.
        let nowhere = Path::udp(0, "127.0.0.1:0".parse().expect("an address"));
        for _ in 0..5 {
            assert!(world.runs.push(&nowhere, 100));
        }
        world.put(0, 2, 100);
        assert_eq!(world.flush(), 2);
        world.hear(0, 6..=7, 100);
        let counters = world.counters;
        assert_eq!((counters.send_bad_address, counters.runs_refused_invalid), (5, 1));
        assert_eq!((counters.packets_resent, counters.runs_sent), (0, 1));
        assert!(world.sender.refusals.is_empty());
    }

    #[test]
    fn one_by_one_and_batches_say_the_same() {
        for (sending, calls) in [(Sending::OneByOne, 4), (Sending::Batches, 1)] {
            let mut world = World::new();
            world.runs = Runs::new(false);
            world.put(0, 4, 500);
            assert_eq!(world.flush_as(sending), 4);
            world.hear(0, 1..=4, 500);
            assert_eq!((world.counters.send_calls, world.counters.runs_sent), (calls, 0));
        }
    }
}
