//! One TCP connection: RFC 4571 frames in, frames out.

use std::io::{self, Read, Write};
use std::time::Instant;

use kaname_wire::path::Path;
use mio::net::TcpStream;

use crate::limits::{MAX_RECEIVED, MAX_SLOT, MAX_WRITE_BUFFER, TCP_ANSWER_TIME, TCP_READ_BUFFER};

/// RFC 4571 section 2: a 16-bit length in network byte order, then as many bytes.
const LENGTH: usize = 2;

const _: () = assert!(TCP_READ_BUFFER >= LENGTH + MAX_RECEIVED, "the longest frame fits");
const _: () = assert!(MAX_SLOT <= u16::MAX as usize, "a slot's length fits the length field");

/// Why a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    ByPeer,
    Error,
    Garbage,
    Slow,
    Idle,
}

/// How a connection's turn to read ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Its share is used up; there may be more.
    More,
    /// Nothing waits; the poller will tell.
    Drained,
    End(End),
}

/// What stands at the front of the received bytes.
#[derive(Debug, PartialEq, Eq)]
enum Front {
    /// A frame of so many bytes.
    Frame(usize),
    Incomplete,
    Garbage,
}

pub(super) struct Connection {
    stream: TcpStream,
    path: Path,
    /// It stands in the queue of readable connections.
    pub(super) queued: bool,
    incoming: Box<[u8]>,
    filled: usize,
    outgoing: Vec<u8>,
    /// Bytes of `outgoing` that the kernel has.
    written: usize,
    spoke: bool,
    answered: bool,
    opened_at: Instant,
    heard_at: Instant,
    /// Since when the kernel takes nothing of what waits.
    stalled_since: Option<Instant>,
}

impl Connection {
    pub(super) fn new(stream: TcpStream, path: Path, now: Instant) -> Connection {
        Connection {
            stream,
            path,
            queued: false,
            incoming: vec![0; TCP_READ_BUFFER].into_boxed_slice(),
            filled: 0,
            outgoing: Vec::new(),
            written: 0,
            spoke: false,
            answered: false,
            opened_at: now,
            heard_at: now,
            stalled_since: None,
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn stream_mut(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    pub(super) fn opened_at(&self) -> Instant {
        self.opened_at
    }

    pub(super) fn heard_at(&self) -> Instant {
        self.heard_at
    }

    /// Something was sent to it: it said something authentic.
    pub(super) fn answered(&self) -> bool {
        self.answered
    }

    /// It has not taken a byte of what waits for it for too long.
    pub(super) fn stalled(&self, now: Instant) -> bool {
        self.stalled_since.is_some_and(|since| now.saturating_duration_since(since) > TCP_ANSWER_TIME)
    }

    /// What waits for the kernel to take it.
    pub(super) fn unsent_bytes(&self) -> usize {
        self.outgoing.len() - self.written
    }

    /// Reads, and delivers at most `max` whole frames.
    pub(super) fn read(&mut self, max: usize, now: Instant, mut deliver: impl FnMut(Path, &[u8])) -> Turn {
        let mut delivered = 0;
        loop {
            let mut start = 0;
            let blocked = loop {
                if delivered == max {
                    break Some(Turn::More);
                }
                match front(&self.incoming[start..self.filled], self.spoke) {
                    Front::Frame(len) => {
                        deliver(self.path, &self.incoming[start + LENGTH..start + LENGTH + len]);
                        self.spoke = true;
                        self.heard_at = now;
                        start += LENGTH + len;
                        delivered += 1;
                    }
                    Front::Incomplete => break None,
                    Front::Garbage => break Some(Turn::End(End::Garbage)),
                }
            };
            self.incoming.copy_within(start..self.filled, 0);
            self.filled -= start;
            if let Some(turn) = blocked {
                return turn;
            }
            // Never empty: the longest frame fits, and a whole one was taken out above.
            match self.stream.read(&mut self.incoming[self.filled..]) {
                Ok(0) => return Turn::End(End::ByPeer),
                Ok(count) => self.filled += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Turn::Drained,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Turn::End(End::Error),
            }
        }
    }

    /// Buffers a frame; says whether it is the first since the last [`Connection::write`] that left none.
    pub(super) fn push(&mut self, frame: &[u8]) -> Result<bool, End> {
        let len = frame.len() as u16;
        if self.unsent_bytes() + LENGTH + frame.len() > MAX_WRITE_BUFFER {
            return Err(End::Slow);
        }
        if self.written > 0 && self.outgoing.len() + LENGTH + frame.len() > MAX_WRITE_BUFFER {
            self.outgoing.drain(..self.written);
            self.written = 0;
        }
        let first = self.unsent_bytes() == 0;
        self.outgoing.extend_from_slice(&len.to_be_bytes());
        self.outgoing.extend_from_slice(frame);
        self.answered = true;
        Ok(first)
    }

    /// Writes what waits, as far as the kernel takes it; the poller tells when it takes more.
    pub(super) fn write(&mut self, now: Instant) -> Result<(), End> {
        while self.unsent_bytes() > 0 {
            match self.stream.write(&self.outgoing[self.written..]) {
                Ok(0) => return Err(End::Error),
                Ok(count) => {
                    self.written += count;
                    self.stalled_since = None;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.stalled_since.get_or_insert(now);
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Err(End::Error),
            }
        }
        self.outgoing.clear();
        self.written = 0;
        Ok(())
    }
}

/// An empty frame and one that no datagram can be are garbage. So is a first frame that is not STUN: ICE begins
/// with a connectivity check (RFC 6544 section 7).
fn front(bytes: &[u8], spoke: bool) -> Front {
    let Some((length, rest)) = bytes.split_first_chunk::<LENGTH>() else { return Front::Incomplete };
    let len = usize::from(u16::from_be_bytes(*length));
    if len == 0 || len > MAX_RECEIVED {
        return Front::Garbage;
    }
    if !spoke && !may_be_stun(len, rest) {
        return Front::Garbage;
    }
    if rest.len() < len { Front::Incomplete } else { Front::Frame(len) }
}

/// As far as the bytes at hand tell (RFC 8489 section 5).
fn may_be_stun(len: usize, bytes: &[u8]) -> bool {
    const MAGIC: [u8; 4] = 0x2112_a442_u32.to_be_bytes();
    len >= 20
        && bytes.first().is_none_or(|first| *first < 4)
        && bytes.iter().skip(4).zip(MAGIC).all(|(byte, magic)| *byte == magic)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fronts() {
        assert_eq!(front(&[], true), Front::Incomplete);
        assert_eq!(front(&[0], true), Front::Incomplete);
        assert_eq!(front(&[0, 0], true), Front::Garbage);
        assert_eq!(front(&[0, 2, 1], true), Front::Incomplete);
        assert_eq!(front(&[0, 2, 1, 2, 3], true), Front::Frame(2));
        assert_eq!(front(&(MAX_RECEIVED as u16).to_be_bytes(), true), Front::Incomplete);
        assert_eq!(front(&(MAX_RECEIVED as u16 + 1).to_be_bytes(), true), Front::Garbage);
    }

    #[test]
    fn the_first_frame_must_be_stun() {
        let mut stun = vec![0, 20, 0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
        stun.resize(22, 7);
        assert_eq!(front(&stun, false), Front::Frame(20));
        for cut in 2..22 {
            assert_eq!(front(&stun[..cut], false), Front::Incomplete, "{cut}");
        }
        let mut other = stun.clone();
        other[7] ^= 1;
        assert_eq!(front(&other, false), Front::Garbage);
        assert_eq!(front(&other[..8], false), Front::Garbage, "known at the fourth byte");
        assert_eq!(front(b"GET / HTTP/1.1", false), Front::Garbage);
    }
}
