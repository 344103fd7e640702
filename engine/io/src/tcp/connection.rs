//! One TCP connection: RFC 4571 frames in, frames out.

use std::io::{self, Read, Write};
use std::time::Instant;

use kaname_wire::path::{Carrier, Path};
use kaname_wire::rfc4571::{Decoder, LENGTH_LEN};
use mio::net::TcpStream;

use crate::limits::{MAX_RECEIVED, MAX_SLOT, MAX_WRITE_BUFFER, TCP_ANSWER_TIME, TCP_READ_BUFFER};

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

pub(super) struct Connection {
    stream: TcpStream,
    path: Path,
    /// It stands in the queue of readable connections.
    pub(super) queued: bool,
    /// A frame that was delivered on another shard; it is delivered again.
    again: Option<Box<[u8]>>,
    /// What was read; from `start` to `filled` it waits to be cut into frames.
    incoming: Box<[u8]>,
    start: usize,
    filled: usize,
    decoder: Decoder<Box<[u8]>>,
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
            again: None,
            incoming: vec![0; TCP_READ_BUFFER].into_boxed_slice(),
            start: 0,
            filled: 0,
            decoder: Decoder::new(vec![0; MAX_RECEIVED].into_boxed_slice()),
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

    /// The same connection under another number.
    pub(super) fn rename(&mut self, carrier: Carrier) {
        self.path.carrier = carrier;
    }

    /// The frame is delivered again, ahead of what follows it.
    pub(super) fn put_back(&mut self, frame: &[u8]) {
        self.again = Some(frame.into());
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
        if max > 0
            && let Some(frame) = self.again.take()
        {
            delivered += 1;
            deliver(self.path, &frame);
        }
        loop {
            while self.start < self.filled {
                if delivered == max {
                    return Turn::More;
                }
                let Ok(step) = self.decoder.step(&self.incoming[self.start..self.filled]) else {
                    return Turn::End(End::Garbage);
                };
                self.start += step.consumed;
                if let Some(frame) = step.frame {
                    // ICE begins with a connectivity check (RFC 6544 section 7); who begins with anything else
                    // speaks another protocol.
                    if !self.spoke && !is_stun(frame) {
                        return Turn::End(End::Garbage);
                    }
                    self.spoke = true;
                    self.heard_at = now;
                    delivered += 1;
                    deliver(self.path, frame);
                }
            }
            (self.start, self.filled) = (0, 0);
            match self.stream.read(&mut self.incoming) {
                Ok(0) => return Turn::End(End::ByPeer),
                Ok(count) => self.filled = count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Turn::Drained,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Turn::End(End::Error),
            }
        }
    }

    /// Buffers a frame; says whether it is the first since the last [`Connection::write`] that left none.
    pub(super) fn push(&mut self, frame: &[u8]) -> Result<bool, End> {
        let len = frame.len() as u16;
        if self.unsent_bytes() + LENGTH_LEN + frame.len() > MAX_WRITE_BUFFER {
            return Err(End::Slow);
        }
        if self.written > 0 && self.outgoing.len() + LENGTH_LEN + frame.len() > MAX_WRITE_BUFFER {
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

/// RFC 8489 section 5: two zero bits, and the magic cookie.
fn is_stun(frame: &[u8]) -> bool {
    const MAGIC: [u8; 4] = 0x2112_a442_u32.to_be_bytes();
    frame.len() >= 20 && frame[0] < 4 && frame[4..8] == MAGIC
}
