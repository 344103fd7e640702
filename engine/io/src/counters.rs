//! What packet io counts. Every drop has its reason here.

use std::io;

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Figures of one backend since its start. Plain numbers: only the shard's thread writes them.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Counters { $($(#[$doc])* pub $name: u64,)* }

        impl Counters {
            /// Names as in the metrics.
            pub const NAMES: &'static [&'static str] = &[$(concat!("io_", stringify!($name)),)*];

            /// The figures in the order of [`Counters::NAMES`].
            pub fn values(&self) -> [u64; Counters::NAMES.len()] {
                [$(self.$name,)*]
            }
        }
    };
}

counters! {
    /// Datagrams and frames received.
    packets_received,
    /// Their bytes.
    bytes_received,
    /// Receive calls that brought something; `packets_received` over this is the batch size.
    receive_calls,
    /// Messages that held several datagrams joined by the kernel (UDP_GRO), and those datagrams.
    messages_joined,
    /// See above.
    packets_joined,
    /// Datagrams longer than [`crate::MAX_RECEIVED`].
    received_too_long,
    /// Datagrams whose source could not be read.
    received_without_source,
    /// Datagrams that the kernel dropped because a receive buffer was full (SO_RXQ_OVFL).
    kernel_drops,
    /// Errors that a receive call returned (ICMP and others).
    receive_errors,
    /// Packets sent.
    packets_sent,
    /// Their bytes.
    bytes_sent,
    /// Send calls.
    send_calls,
    /// Runs of several packets that the kernel took as one message (UDP_SEGMENT), and their packets.
    runs_sent,
    /// See above.
    packets_in_runs,
    /// Runs that were refused as such: the device or a tunnel cannot (EIO).
    runs_refused_device,
    /// The same: the kernel or the socket cannot (EINVAL, EOPNOTSUPP).
    runs_refused_invalid,
    /// The same: packets longer than the path takes in one piece (EMSGSIZE).
    runs_refused_too_long,
    /// The same: no memory for so much at once (ENOBUFS, ENOMEM).
    runs_refused_memory,
    /// Runs cut up at once, because their destination refused one lately.
    runs_not_tried,
    /// Packets of refused runs that then went one by one.
    packets_resent,
    /// How often a socket was allowed to send fragments for a while, since a packet was too long for its path.
    fragments_allowed,
    /// How often a full send buffer was waited for.
    send_waits,
    /// Not sent: nobody listens there (ICMP port unreachable).
    send_refused,
    /// Not sent: no route.
    send_unreachable,
    /// Not sent: too long for the path.
    send_too_long,
    /// Not sent: a filter of this machine forbids it.
    send_forbidden,
    /// Not sent: the send buffer or the device queue stayed full.
    send_no_buffers,
    /// Not sent: the address cannot be reached from that socket.
    send_bad_address,
    /// Not sent: another error.
    send_other,
    /// Not sent: the path names no local socket.
    send_no_local,
    /// Not sent: the TCP connection is gone.
    send_no_connection,
    /// Ports of single legs opened, and closed again.
    ports_opened,
    /// See above.
    ports_closed,
    /// Those open now.
    ports_open,
    /// Datagrams received on them, among the `packets_received`.
    ports_received,
    /// Of those, datagrams that waited for a look.
    ports_waited,
    /// Ports whose datagrams wait for a look, now.
    ports_patient,
    /// Of the `kernel_drops`, those at such ports.
    ports_kernel_drops,
    /// Datagrams that waited in a port when it was closed.
    ports_dropped_closed,
    /// TCP connections accepted.
    tcp_accepted,
    /// Refused: the table is full.
    tcp_refused_full,
    /// Refused: that source has too many.
    tcp_refused_source,
    /// Accepting failed, mostly for want of descriptors.
    tcp_accept_errors,
    /// Given to the shard that their first frame named.
    tcp_handed_over,
    /// Taken from another shard.
    tcp_adopted,
    /// Ended by the peer.
    tcp_closed_by_peer,
    /// Ended by an error.
    tcp_errors,
    /// Ended: what came was not RFC 4571 frames that begin with STUN.
    tcp_garbage,
    /// Ended: the peer reads too slowly.
    tcp_slow,
    /// Ended: silent, or never authenticated.
    tcp_idle,
    /// AF_XDP: datagrams received in frames, among the `packets_received`.
    xdp_received,
    /// AF_XDP: packets sent in frames, among the `packets_sent`.
    xdp_sent,
    /// AF_XDP: sent by the kernel's socket: another interface, or the next hop is not known yet.
    xdp_by_kernel,
    /// AF_XDP: sent by the kernel's socket because all frames were under way.
    xdp_no_frame,
    /// AF_XDP: not sent, the ring stayed full.
    xdp_ring_full,
    /// AF_XDP: not sent, the device dropped it.
    xdp_device_drops,
    /// AF_XDP: not sent, they were in the ring of an interface that went.
    xdp_interface_gone,
    /// AF_XDP: received frames that were not what the filter lets through.
    xdp_malformed,
    /// AF_XDP: received for an address that is not the shard's.
    xdp_no_local,
    /// AF_XDP: dropped by the kernel, too long for a frame or for want of one.
    xdp_receive_drops,
    /// AF_XDP: dropped by the kernel because the receive ring was full.
    xdp_receive_ring_full,
    /// AF_XDP: how often the kernel found no frame to receive into.
    xdp_fill_ring_empty,
    /// AF_XDP: descriptors that the kernel refused; a fault of ours.
    xdp_bad_descriptors,
    /// AF_XDP: frames for sending that are free now.
    xdp_frames_free,
    /// Receive buffer granted, bytes, the smallest of all sockets.
    receive_buffer_bytes,
    /// 1: runs are tried (UDP_SEGMENT).
    segments_on,
    /// 1: datagrams are received joined (UDP_GRO).
    joining_on,
}

impl Counters {
    /// Counts a run that a socket refused; says whether its packets may go one by one.
    pub(crate) fn run_refused(&mut self, error: &io::Error) -> bool {
        let counter = match error.raw_os_error() {
            Some(libc::EIO) => &mut self.runs_refused_device,
            Some(libc::EINVAL | libc::EOPNOTSUPP | libc::ENOPROTOOPT) => &mut self.runs_refused_invalid,
            Some(libc::EMSGSIZE) => &mut self.runs_refused_too_long,
            Some(libc::ENOBUFS | libc::ENOMEM) => &mut self.runs_refused_memory,
            _ => return false,
        };
        *counter += 1;
        true
    }

    /// Counts packets that a socket refused.
    pub(crate) fn send_failed(&mut self, error: &io::Error, packets: u64) {
        let counter = match error.raw_os_error() {
            Some(libc::ECONNREFUSED) => &mut self.send_refused,
            Some(libc::ENETUNREACH | libc::EHOSTUNREACH | libc::ENETDOWN | libc::EHOSTDOWN) => {
                &mut self.send_unreachable
            }
            Some(libc::EMSGSIZE) => &mut self.send_too_long,
            Some(libc::EPERM | libc::EACCES) => &mut self.send_forbidden,
            Some(libc::ENOBUFS | libc::ENOMEM | libc::EAGAIN) => &mut self.send_no_buffers,
            Some(libc::EINVAL | libc::EAFNOSUPPORT | libc::EADDRNOTAVAIL) => &mut self.send_bad_address,
            _ => &mut self.send_other,
        };
        *counter += packets;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_its_counter() {
        let mut counters = Counters::default();
        let mut expect = |errno: i32, name: &str| {
            counters.send_failed(&io::Error::from_raw_os_error(errno), 2);
            let at = Counters::NAMES.iter().position(|n| *n == name);
            assert_eq!(at.map(|at| counters.values()[at]), Some(2), "{name}");
        };
        expect(libc::ECONNREFUSED, "io_send_refused");
        expect(libc::EHOSTUNREACH, "io_send_unreachable");
        expect(libc::EMSGSIZE, "io_send_too_long");
        expect(libc::EPERM, "io_send_forbidden");
        expect(libc::ENOBUFS, "io_send_no_buffers");
        expect(libc::EINVAL, "io_send_bad_address");
        expect(libc::EIO, "io_send_other");
    }
}
