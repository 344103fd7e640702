//! Datagrams that a node must survive, made by hand.

use std::net::{SocketAddr, UdpSocket};

/// Everything hostile comes from one seed, so that a failure can be had again.
pub struct Attacker {
    socket: UdpSocket,
    node: SocketAddr,
    state: u64,
}

impl Attacker {
    /// A stranger on loopback with a grudge against a media address.
    pub fn new(node: SocketAddr, seed: u64) -> std::io::Result<Attacker> {
        Attacker::at(SocketAddr::from(([127, 0, 0, 1], 0)), node, seed)
    }

    /// A stranger at an address.
    pub fn at(address: SocketAddr, node: SocketAddr, seed: u64) -> std::io::Result<Attacker> {
        let socket = UdpSocket::bind(address)?;
        socket.set_nonblocking(true)?;
        Ok(Attacker { socket, node, state: seed | 1 })
    }

    /// Sends one datagram. A full socket buffer drops it, which is fine for an attack.
    pub fn send(&self, datagram: &[u8]) {
        let _ = self.socket.send_to(datagram, self.node);
    }

    /// Datagrams that the node sent back, and their bytes.
    pub fn answers(&self) -> (usize, usize) {
        let mut buffer = [0; 2048];
        let (mut count, mut bytes) = (0, 0);
        while let Ok((len, _)) = self.socket.recv_from(&mut buffer) {
            (count, bytes) = (count + 1, bytes + len);
        }
        (count, bytes)
    }

    /// The next random number (xorshift64).
    pub fn random(&mut self) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state
    }

    /// Random bytes, of random length, with a first byte that claims a protocol of RFC 7983 half of the time.
    pub fn garbage(&mut self) -> Vec<u8> {
        let len = (self.random() % 1400) as usize;
        let mut bytes: Vec<u8> = (0..len).map(|_| self.random() as u8).collect();
        let claims = [0, 1, 20, 22, 64, 128, 144, 191];
        if let Some(first) = bytes.first_mut()
            && self.state & 1 == 0
        {
            *first = claims[(self.state >> 8) as usize % claims.len()];
        }
        bytes
    }

    /// A STUN binding request (RFC 8489) with a username and an integrity that nobody's password made.
    pub fn stun(&mut self, username: &str) -> Vec<u8> {
        let mut body = Vec::new();
        attribute(&mut body, 0x0006, username.as_bytes());
        attribute(&mut body, 0x8029, &[0; 8]);
        attribute(&mut body, 0x0025, &[]);
        let forged: Vec<u8> = (0..20).map(|_| self.random() as u8).collect();
        attribute(&mut body, 0x0008, &forged);
        let mut message = vec![0, 1];
        message.extend_from_slice(&(body.len() as u16).to_be_bytes());
        message.extend_from_slice(&0x2112_a442u32.to_be_bytes());
        message.extend((0..12).map(|_| self.random() as u8));
        message.extend_from_slice(&body);
        message
    }

    /// An RTP packet that nobody's key protected.
    pub fn rtp(&mut self, ssrc: u32) -> Vec<u8> {
        let mut packet = vec![0x80, 111];
        packet.extend_from_slice(&(self.random() as u16).to_be_bytes());
        packet.extend_from_slice(&(self.random() as u32).to_be_bytes());
        packet.extend_from_slice(&ssrc.to_be_bytes());
        packet.extend((0..100).map(|_| self.random() as u8));
        packet
    }

    /// The beginning of a DTLS ClientHello (RFC 6347), cut short.
    pub fn hello(&mut self) -> Vec<u8> {
        let mut record =
            vec![22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 120, 1, 0, 0, 108, 0, 0, 0, 0, 0, 0, 0, 108];
        record.extend((0..108).map(|_| self.random() as u8));
        record
    }

    /// A whole DTLS 1.2 ClientHello (RFC 6347, RFC 5764) of somebody who would like to talk.
    pub fn client_hello(&mut self) -> Vec<u8> {
        let mut body = vec![0xfe, 0xfd];
        body.extend((0..32).map(|_| self.random() as u8));
        // No session, no cookie; ECDHE with AES-128-GCM for both kinds of certificate; no compression.
        body.extend_from_slice(&[0, 0, 0, 4, 0xc0, 0x2b, 0xc0, 0x2f, 1, 0]);
        let extensions: [&[u8]; 4] = [
            &[0, 10, 0, 4, 0, 2, 0, 23],      // supported_groups: secp256r1
            &[0, 11, 0, 2, 1, 0],             // ec_point_formats: uncompressed
            &[0, 13, 0, 6, 0, 4, 4, 3, 4, 1], // signature_algorithms: ECDSA and RSA with SHA-256
            &[0, 14, 0, 5, 0, 2, 0, 1, 0],    // use_srtp: AES128_CM_HMAC_SHA1_80
        ];
        let extensions = extensions.concat();
        body.extend_from_slice(&(extensions.len() as u16).to_be_bytes());
        body.extend_from_slice(&extensions);
        let len = (body.len() as u32).to_be_bytes();
        let mut handshake = vec![1];
        handshake.extend_from_slice(&len[1..]);
        handshake.extend_from_slice(&[0, 0, 0, 0, 0]);
        handshake.extend_from_slice(&len[1..]);
        handshake.extend_from_slice(&body);
        let mut record = vec![22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0];
        record.extend_from_slice(&(handshake.len() as u16).to_be_bytes());
        record.extend_from_slice(&handshake);
        record
    }
}

fn attribute(body: &mut Vec<u8>, kind: u16, value: &[u8]) {
    body.extend_from_slice(&kind.to_be_bytes());
    body.extend_from_slice(&(value.len() as u16).to_be_bytes());
    body.extend_from_slice(value);
    body.resize(body.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attacks_are_well_formed_where_they_claim_to_be() {
        let mut attacker = Attacker::new("127.0.0.1:9".parse().unwrap(), 7).unwrap();
        let stun = attacker.stun("a:b");
        assert_eq!(usize::from(u16::from_be_bytes([stun[2], stun[3]])), stun.len() - 20);
        assert_eq!(stun.len() % 4, 0);
        assert_eq!(attacker.rtp(5).len(), 112);
        assert!(attacker.hello().len() > 100);
        let hello = attacker.client_hello();
        assert_eq!(usize::from(u16::from_be_bytes([hello[11], hello[12]])), hello.len() - 13);
        assert!((0..100).any(|_| attacker.garbage().len() > 500));
    }
}
