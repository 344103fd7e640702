//! Control data of messages: what the kernel tells with a packet, and what it is told.

use std::ffi::c_int;
use std::ptr;

use crate::limits::RUN_BYTES;

const _: () = assert!(RUN_BYTES <= u16::MAX as usize, "a segment's size is 16 bits wide");

/// Room for the control data of a received message: overflow counter, segment size, ECN and time.
#[repr(C, align(8))]
#[derive(Clone, Copy)]
pub(crate) struct Told(pub(crate) [u8; 128]);

/// Room for the control data of a run: the size of its segments.
#[repr(C, align(8))]
#[derive(Clone, Copy)]
pub(crate) struct Cut([u8; CUT_SPACE]);

const CUT_SPACE: usize = 24;

const _: () = {
    // SAFETY: a pure computation.
    let space = unsafe { libc::CMSG_SPACE(size_of::<u16>() as libc::c_uint) };
    assert!(space as usize == CUT_SPACE, "one control message of two bytes");
};

impl Cut {
    /// `UDP_SEGMENT` with this size.
    pub(crate) fn into_segments_of(size: u16) -> Cut {
        let mut cut = Cut([0; CUT_SPACE]);
        let header = libc::cmsghdr {
            // SAFETY: a pure computation.
            cmsg_len: unsafe { libc::CMSG_LEN(size_of::<u16>() as libc::c_uint) } as _,
            cmsg_level: libc::SOL_UDP,
            cmsg_type: libc::UDP_SEGMENT,
        };
        // SAFETY: the room is aligned for a cmsghdr and as long as CMSG_SPACE says (asserted above), so header and
        // value both lie inside of it.
        unsafe {
            let at = cut.0.as_mut_ptr().cast::<libc::cmsghdr>();
            at.write(header);
            libc::CMSG_DATA(at).cast::<u16>().write_unaligned(size);
        }
        cut
    }

    /// For the header of a message; valid while `self` stays where it is.
    pub(crate) fn attach(&mut self, header: &mut libc::msghdr) {
        header.msg_control = self.0.as_mut_ptr().cast();
        header.msg_controllen = CUT_SPACE as _;
    }
}

/// What the kernel told with a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    /// How many this socket has dropped so far, when the kernel says.
    pub(crate) overflow: Option<u32>,
    /// Several datagrams of this size, the last one perhaps shorter.
    pub(crate) segment: Option<usize>,
    /// The two ECN bits of the IP header (RFC 3168 section 5).
    pub(crate) ecn: u8,
    /// When it arrived, by the system's calendar clock in nanoseconds.
    pub(crate) arrival_ns: Option<u64>,
}

/// Reads the control data of a message that was received with `told`.
pub(crate) fn read(header: &libc::msghdr, told: &Told) -> Marks {
    let mut marks = Marks::default();
    if header.msg_controllen == 0 {
        return marks;
    }
    // Reading only: a copy of the header is pointed at the control memory afresh.
    let mut header = *header;
    header.msg_control = told.0.as_ptr().cast_mut().cast();
    // SAFETY: `msg_control` points to a Told of ours whose first `msg_controllen` bytes the kernel wrote as a chain of
    // cmsghdr; the macros keep inside that length; the types read are those that the kernel writes for each.
    unsafe {
        let mut next = libc::CMSG_FIRSTHDR(&header);
        while !next.is_null() {
            let data = libc::CMSG_DATA(next);
            match ((*next).cmsg_level, (*next).cmsg_type) {
                (libc::SOL_SOCKET, libc::SO_RXQ_OVFL) => {
                    marks.overflow = Some(ptr::read_unaligned(data.cast::<u32>()));
                }
                (libc::SOL_UDP, libc::UDP_GRO) => {
                    let size = ptr::read_unaligned(data.cast::<c_int>());
                    marks.segment = usize::try_from(size).ok().filter(|size| *size > 0);
                }
                (libc::IPPROTO_IP, libc::IP_TOS) => marks.ecn = data.read() & 3,
                (libc::IPPROTO_IPV6, libc::IPV6_TCLASS) => {
                    marks.ecn = (ptr::read_unaligned(data.cast::<c_int>()) & 3) as u8;
                }
                (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) => {
                    let time = ptr::read_unaligned(data.cast::<libc::timespec>());
                    marks.arrival_ns = u64::try_from(time.tv_sec)
                        .ok()
                        .map(|seconds| seconds * 1_000_000_000 + time.tv_nsec.unsigned_abs());
                }
                _ => {}
            }
            next = libc::CMSG_NXTHDR(&header, next);
        }
    }
    marks
}
