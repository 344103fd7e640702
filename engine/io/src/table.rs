//! The kernel's view of a row of messages, for recvmmsg(2) and sendmmsg(2). All memory that the kernel is pointed to
//! is allocated once; the pointers are written anew before each call, so none outlives what it points to.

use std::{mem, ptr};

/// Headers, each with one piece of memory and one name.
pub(crate) struct Table {
    pub(crate) headers: Box<[libc::mmsghdr]>,
    iovecs: Box<[libc::iovec]>,
    pub(crate) names: Box<[libc::sockaddr_storage]>,
}

// SAFETY: the raw pointers inside are only ever dereferenced by the kernel during a system call that follows their
// writing in the same `&mut self` method; between calls they are plain numbers.
unsafe impl Send for Table {}

impl Table {
    pub(crate) fn new(len: usize) -> Table {
        // SAFETY: all three are C structs of integers and pointers, for which all-zero is a valid value.
        let (header, name) = unsafe { (mem::zeroed::<libc::mmsghdr>(), mem::zeroed()) };
        let iovec = libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 };
        Table {
            headers: vec![header; len].into_boxed_slice(),
            iovecs: vec![iovec; len].into_boxed_slice(),
            names: vec![name; len].into_boxed_slice(),
        }
    }

    /// Points message `i` at its name and at `len` bytes from `base`, without control data.
    pub(crate) fn point(&mut self, i: usize, name_len: libc::socklen_t, base: *mut u8, len: usize) {
        self.iovecs[i] = libc::iovec { iov_base: base.cast(), iov_len: len };
        let header = &mut self.headers[i].msg_hdr;
        header.msg_name = (&raw mut self.names[i]).cast();
        header.msg_namelen = name_len;
        header.msg_iov = &raw mut self.iovecs[i];
        header.msg_iovlen = 1;
        header.msg_control = ptr::null_mut();
        header.msg_controllen = 0;
        header.msg_flags = 0;
        self.headers[i].msg_len = 0;
    }

    /// The memory that message `i` was pointed at.
    pub(crate) fn iovec(&self, i: usize) -> libc::iovec {
        self.iovecs[i]
    }
}
