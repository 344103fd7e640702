//! Messages of netlink(7): written on the stack, read where they lie.

use std::net::IpAddr;

/// Bytes of `struct nlmsghdr`, of `struct rtmsg` and `struct ndmsg`, of `struct rtattr`.
const HEADER: usize = 16;
const BODY: usize = 12;
const ATTRIBUTE: usize = 4;
/// An attribute's type without its flags (`NLA_TYPE_MASK`).
const TYPE_MASK: u16 = 0x3fff;

/// A question or an order, ready to be sent.
pub(super) struct Question {
    /// Room for the heads and two addresses.
    bytes: [u8; HEADER + BODY + 2 * (ATTRIBUTE + 16)],
    len: usize,
}

impl Question {
    /// How to get from one address to another.
    pub(super) fn route(sequence: u32, from: IpAddr, to: IpAddr) -> Question {
        let flags = libc::NLM_F_REQUEST as u16;
        let bits = |ip: IpAddr| if ip.is_ipv4() { 32 } else { 128 };
        let body = [family(to), bits(to), bits(from), 0, 0, 0, 0, 0, 0, 0, 0, 0];
        Question::new(libc::RTM_GETROUTE, flags, sequence, body)
            .with(libc::RTA_DST, to)
            .with(libc::RTA_SRC, from)
    }

    /// What is known of a neighbour.
    pub(super) fn neighbour(sequence: u32, interface: u32, address: IpAddr) -> Question {
        let flags = libc::NLM_F_REQUEST as u16;
        let body = neighbour(interface, address, 0);
        Question::new(libc::RTM_GETNEIGH, flags, sequence, body).with(libc::NDA_DST, address)
    }

    /// To look for a neighbour.
    pub(super) fn resolve(interface: u32, address: IpAddr) -> Question {
        let flags = (libc::NLM_F_REQUEST | libc::NLM_F_CREATE) as u16;
        let body = neighbour(interface, address, libc::NTF_USE);
        Question::new(libc::RTM_NEWNEIGH, flags, 0, body).with(libc::NDA_DST, address)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    fn new(kind: u16, flags: u16, sequence: u32, body: [u8; BODY]) -> Question {
        let mut bytes = [0; HEADER + BODY + 2 * (ATTRIBUTE + 16)];
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        bytes[6..8].copy_from_slice(&flags.to_ne_bytes());
        bytes[8..12].copy_from_slice(&sequence.to_ne_bytes());
        bytes[HEADER..HEADER + BODY].copy_from_slice(&body);
        Question { bytes, len: HEADER + BODY }.stated()
    }

    fn with(mut self, kind: u16, address: IpAddr) -> Question {
        match address {
            IpAddr::V4(v4) => self.put(kind, &v4.octets()),
            IpAddr::V6(v6) => self.put(kind, &v6.octets()),
        }
        self.stated()
    }

    fn put(&mut self, kind: u16, value: &[u8]) {
        let len = (ATTRIBUTE + value.len()) as u16;
        let room = &mut self.bytes[self.len..self.len + ATTRIBUTE + value.len()];
        room[..2].copy_from_slice(&len.to_ne_bytes());
        room[2..4].copy_from_slice(&kind.to_ne_bytes());
        room[4..].copy_from_slice(value);
        // Addresses are multiples of four bytes: no padding.
        self.len += room.len();
    }

    fn stated(mut self) -> Question {
        self.bytes[..4].copy_from_slice(&(self.len as u32).to_ne_bytes());
        self
    }
}

fn family(address: IpAddr) -> u8 {
    (if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 }) as u8
}

fn neighbour(interface: u32, address: IpAddr, flags: u8) -> [u8; BODY] {
    let mut body = [0; BODY];
    body[0] = family(address);
    body[4..8].copy_from_slice(&interface.to_ne_bytes());
    body[10] = flags;
    body
}

/// A message of the kernel's.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message<'a> {
    pub(super) kind: u16,
    pub(super) sequence: u32,
    /// Whom it is for; zero: everyone.
    port: u32,
    pub(super) body: &'a [u8],
}

impl<'a> Message<'a> {
    /// It may be an answer, not word of a change.
    pub(super) fn answers_us(&self) -> bool {
        self.port != 0 && self.sequence != 0
    }

    /// Those of routes, neighbours and rules, whose structures are of one size.
    pub(super) fn attributes(&self) -> Attributes<'a> {
        Attributes::new(self.body.get(BODY..).unwrap_or_default())
    }
}

/// The messages of a datagram.
pub(super) struct Messages<'a>(&'a [u8]);

impl<'a> Messages<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Messages(bytes)
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = Message<'a>;

    fn next(&mut self) -> Option<Message<'a>> {
        let head = self.0.first_chunk::<HEADER>()?;
        let word = |at: usize| u32::from_ne_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let len = word(0) as usize;
        let body = self.0.get(HEADER..len)?;
        self.0 = self.0.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some(Message {
            kind: u16::from_ne_bytes([head[4], head[5]]),
            sequence: word(8),
            port: word(12),
            body,
        })
    }
}

/// Types and values.
#[derive(Clone, Debug)]
pub(super) struct Attributes<'a>(&'a [u8]);

impl<'a> Attributes<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Attributes(bytes)
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let head = self.0.first_chunk::<ATTRIBUTE>()?;
        let len = usize::from(u16::from_ne_bytes([head[0], head[1]]));
        let value = self.0.get(ATTRIBUTE..len)?;
        self.0 = self.0.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some((u16::from_ne_bytes([head[2], head[3]]) & TYPE_MASK, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_question_is_a_message() {
        let (from, to) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([198, 51, 100, 7]));
        let question = Question::route(9, from, to);
        let messages: Vec<Message<'_>> = Messages::new(question.bytes()).collect();
        let [message] = messages.as_slice() else { panic!("one: {messages:?}") };
        assert_eq!((message.kind, message.sequence), (libc::RTM_GETROUTE, 9));
        assert_eq!(message.body[..4], [libc::AF_INET as u8, 32, 32, 0]);
        let attributes: Vec<_> = message.attributes().collect();
        let expected: [(u16, &[u8]); 2] =
            [(libc::RTA_DST, &[198, 51, 100, 7]), (libc::RTA_SRC, &[192, 0, 2, 1])];
        assert_eq!(attributes, expected);
        let v6 = "2001:db8::1".parse().expect("v6");
        assert_eq!(Question::route(1, v6, v6).bytes().len(), HEADER + BODY + 40);
    }

    proptest! {
        /// No bytes make it panic or run for ever.
        #[test]
        fn hostile_messages(bytes in proptest::collection::vec(any::<u8>(), 0..200), len in 0_u32..220) {
            let mut bytes = bytes;
            if bytes.len() >= 4 {
                bytes[..4].copy_from_slice(&len.to_ne_bytes());
            }
            for message in Messages::new(&bytes) {
                prop_assert!(message.attributes().count() <= bytes.len());
            }
        }
    }
}
