//! The kernel alone: what it takes to send, or to receive, packets that are there already.

mod receive;
mod send;
mod unprotected;

pub use receive::{Receive, Receiving};
pub use send::{Send, Sending};
pub use unprotected::Unprotected;

use std::io;
use std::net::SocketAddr;
use std::ptr;

/// Messages a system call.
const MESSAGES: usize = 64;

/// Room for one control message with a segment's size.
const CONTROL: usize = 64;

#[repr(C, align(8))]
#[derive(Clone, Copy)]
struct Control([u8; CONTROL]);

/// The kernel's view of a row of messages. Everything it points to is its own or outlives it unmoved.
struct Table {
    headers: Vec<libc::mmsghdr>,
    iovecs: Vec<libc::iovec>,
    names: Vec<libc::sockaddr_in>,
    controls: Vec<Control>,
    /// What is sent, or room for what is received.
    memory: Vec<u8>,
}

impl Table {
    /// Messages of `memory[at..at + len]`, with a control message on segments where a size is given.
    fn new(memory: Vec<u8>, messages: &[(Option<SocketAddr>, usize, usize, Option<usize>)]) -> Table {
        let count = messages.len();
        // SAFETY: all of them are C structs of integers and pointers, for which all-zero is a valid value.
        let (header, iovec, name) = unsafe { (std::mem::zeroed(), std::mem::zeroed(), std::mem::zeroed()) };
        let mut table = Table {
            headers: vec![header; count],
            iovecs: vec![iovec; count],
            names: vec![name; count],
            controls: vec![Control([0; CONTROL]); count],
            memory,
        };
        for (i, (to, at, len, segment)) in messages.iter().enumerate() {
            table.iovecs[i] =
                libc::iovec { iov_base: table.memory[*at..].as_mut_ptr().cast(), iov_len: *len };
            let header: &mut libc::msghdr = &mut table.headers[i].msg_hdr;
            header.msg_iov = &raw mut table.iovecs[i];
            header.msg_iovlen = 1;
            if let Some(SocketAddr::V4(to)) = to {
                let name = &mut table.names[i];
                name.sin_family = libc::AF_INET as libc::sa_family_t;
                name.sin_port = to.port().to_be();
                name.sin_addr.s_addr = u32::from(*to.ip()).to_be();
                header.msg_name = ptr::from_mut(name).cast();
                header.msg_namelen = size_of::<libc::sockaddr_in>() as libc::socklen_t;
            }
            if let Some(size) = segment {
                header.msg_control = table.controls[i].0.as_mut_ptr().cast();
                // SAFETY: CMSG_SPACE is arithmetic.
                header.msg_controllen = unsafe { libc::CMSG_SPACE(2) } as usize;
                // SAFETY: the control has room for the header and the number, and is aligned for both.
                unsafe {
                    let control = libc::CMSG_FIRSTHDR(header);
                    (*control).cmsg_level = libc::SOL_UDP;
                    (*control).cmsg_type = libc::UDP_SEGMENT;
                    (*control).cmsg_len = libc::CMSG_LEN(2) as usize;
                    libc::CMSG_DATA(control).cast::<u16>().write_unaligned(*size as u16);
                }
            }
        }
        table
    }
}

fn last_error<T>() -> io::Result<T> {
    Err(io::Error::last_os_error())
}
