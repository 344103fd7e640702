//! recvmmsg(2): many messages a system call, and with UDP_GRO many datagrams a message.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

use crate::control::{self, Marks, Told};
use crate::limits::{GRO_SLOTS, MAX_MESSAGE, MAX_RECEIVED, RX_BATCH, TCP_SHARE};
use crate::names;
use crate::table::Table;

/// From one slot to the next, where messages are as long as the kernel makes them: a little more than that, or the
/// beginnings of all slots would meet in the same few lines of the caches.
const GRO_STRIDE: usize = MAX_MESSAGE + 1 + MAX_RECEIVED;

/// Bytes ahead of the slots, for frames that came over TCP.
const FRAMES: usize = TCP_SHARE * MAX_RECEIVED;

/// What is known of a received message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Received {
    /// `None`: of a family that we did not ask for.
    pub(crate) from: Option<SocketAddr>,
    /// Its first byte in the memory, and how many.
    pub(crate) offset: usize,
    pub(crate) len: usize,
    /// It was longer than its slot.
    pub(crate) truncated: bool,
    pub(crate) marks: Marks,
}

/// Receives into its own memory: room for [`TCP_SHARE`] frames, then slots for messages.
pub(crate) struct Receiver {
    memory: Box<[u8]>,
    slots: usize,
    stride: usize,
    slot_len: usize,
    table: Table,
    told: Box<[Told]>,
    /// Slot of message 0 of the latest [`Receiver::receive`].
    first: usize,
}

impl Receiver {
    /// `coalesced`: a message may hold many datagrams.
    pub(crate) fn new(coalesced: bool) -> Receiver {
        let (slots, stride, slot_len) = if coalesced {
            (GRO_SLOTS, GRO_STRIDE, MAX_MESSAGE)
        } else {
            (RX_BATCH, MAX_RECEIVED, MAX_RECEIVED)
        };
        Receiver {
            // What is never written to is never given memory by the system.
            memory: vec![0; FRAMES + slots * stride].into_boxed_slice(),
            slots,
            stride,
            slot_len,
            table: Table::new(slots),
            told: vec![Told([0; size_of::<Told>()]); slots].into_boxed_slice(),
            first: 0,
        }
    }

    /// What the offsets refer to.
    pub(crate) fn memory(&self) -> &[u8] {
        &self.memory
    }

    /// How many messages it takes until all of them are done with.
    pub(crate) fn slots(&self) -> usize {
        self.slots
    }

    /// Room for frame `i` of a connection, and its offset.
    pub(crate) fn frame_mut(&mut self, i: usize) -> (usize, &mut [u8]) {
        let offset = i * MAX_RECEIVED;
        (offset, &mut self.memory[offset..offset + MAX_RECEIVED])
    }

    /// Takes what waits in the socket into the slots from `first`, at most `max` messages; returns how many. Ask
    /// [`Receiver::message`] for each.
    pub(crate) fn receive(&mut self, socket: BorrowedFd<'_>, first: usize, max: usize) -> io::Result<usize> {
        let max = max.min(self.slots - first);
        for i in 0..max {
            let offset = self.offset(first + i);
            let base = self.memory[offset..offset + self.slot_len].as_mut_ptr();
            let name_len = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
            self.table.point(i, name_len, base, self.slot_len);
            let header = &mut self.table.headers[i].msg_hdr;
            header.msg_control = self.told[i].0.as_mut_ptr().cast();
            header.msg_controllen = size_of::<Told>() as _;
        }
        self.first = first;
        // SAFETY: the first `max` headers point to names, iovecs, slots and control data that all live in `self`,
        // with their true lengths, and `self` is borrowed mutably for the length of the call.
        let count = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                self.table.headers.as_mut_ptr(),
                max as libc::c_uint,
                libc::MSG_DONTWAIT as _,
                ptr::null_mut(),
            )
        };
        usize::try_from(count).map_err(|_| io::Error::last_os_error())
    }

    /// Message `i` of the latest [`Receiver::receive`].
    pub(crate) fn message(&self, i: usize) -> Received {
        let header = &self.table.headers[i];
        Received {
            from: names::read(&self.table.names[i], header.msg_hdr.msg_namelen),
            offset: self.offset(self.first + i),
            len: (header.msg_len as usize).min(self.slot_len),
            truncated: header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0,
            marks: control::read(&header.msg_hdr, &self.told[i]),
        }
    }

    fn offset(&self, slot: usize) -> usize {
        FRAMES + slot * self.stride
    }
}
