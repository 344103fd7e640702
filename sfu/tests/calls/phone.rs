//! Phones: sockets that send and hear RTP.

use std::net::SocketAddr;
use std::time::Duration;

use kaname_engine::wire::rtp::RtpHeader;
use kaname_sfu::ng::sdp::{MediaView, SessionText};
use tokio::net::UdpSocket;

use crate::support::PATIENCE;

/// A phone with one m-line.
pub(crate) struct Phone {
    pub(crate) rtp: UdpSocket,
    pub(crate) ssrc: u32,
    sequence: u16,
}

/// What was heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Heard {
    pub(crate) ssrc: u32,
    pub(crate) payload_type: u8,
    pub(crate) sequence: u16,
    pub(crate) payload: Vec<u8>,
    pub(crate) from: SocketAddr,
}

impl Phone {
    pub(crate) async fn new(ip: &str, ssrc: u32) -> Phone {
        let rtp = UdpSocket::bind((ip, 0)).await.unwrap();
        Phone { rtp, ssrc, sequence: 100 }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.rtp.local_addr().unwrap()
    }

    /// An offer or answer with these codecs, and further lines.
    pub(crate) fn describe(&self, formats: &str, lines: &[&str]) -> String {
        self.describe_as("RTP/AVP", formats, lines)
    }

    pub(crate) fn describe_as(&self, protocol: &str, formats: &str, lines: &[&str]) -> String {
        let (ip, port) = (self.address().ip(), self.address().port());
        let mut all = vec![
            "v=0".to_owned(),
            format!("o=phone 1 1 IN IP4 {ip}"),
            "s=-".to_owned(),
            format!("c=IN IP4 {ip}"),
            "t=0 0".to_owned(),
            format!("m=audio {port} {protocol} {formats}"),
        ];
        all.extend(lines.iter().map(|line| (*line).to_owned()));
        all.join("\r\n") + "\r\n"
    }

    /// One packet of RTP in the clear.
    pub(crate) fn packet(&mut self, payload_type: u8, payload: &[u8]) -> Vec<u8> {
        let timestamp = u32::from(self.sequence.wrapping_add(1)) * 160;
        self.packet_at(payload_type, timestamp, payload)
    }

    fn packet_at(&mut self, payload_type: u8, timestamp: u32, payload: &[u8]) -> Vec<u8> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut packet = vec![0x80, payload_type];
        packet.extend(self.sequence.to_be_bytes());
        packet.extend(timestamp.to_be_bytes());
        packet.extend(self.ssrc.to_be_bytes());
        packet.extend(payload);
        packet
    }

    pub(crate) async fn say(&mut self, to: SocketAddr, payload_type: u8, payload: &[u8]) {
        let packet = self.packet(payload_type, payload);
        self.rtp.send_to(&packet, to).await.unwrap();
    }

    /// The same with a timestamp of its own, as events have.
    pub(crate) async fn say_at(&mut self, to: SocketAddr, payload_type: u8, timestamp: u32, payload: &[u8]) {
        let packet = self.packet_at(payload_type, timestamp, payload);
        self.rtp.send_to(&packet, to).await.unwrap();
    }

    /// The next packet of RTP; RTCP is passed over.
    pub(crate) async fn hear(&self) -> Heard {
        tokio::time::timeout(PATIENCE, self.next()).await.expect("something is heard")
    }

    async fn next(&self) -> Heard {
        let mut buffer = [0; 2_048];
        loop {
            let (length, from) = self.rtp.recv_from(&mut buffer).await.unwrap();
            if (64..96).contains(&(buffer[1] & 0x7f)) {
                continue;
            }
            return read(&buffer[..length], from);
        }
    }

    /// Whether nothing is heard for as long as packets of another phone take to get there: that one speaks, and then a
    /// witness does whom this phone hears.
    pub(crate) async fn hears_nothing(&self, during: Duration) -> bool {
        tokio::time::timeout(during, self.next()).await.is_err()
    }

    /// Says it until the other hears it: the first packets of a phone that is not where it was said to be are for
    /// finding it.
    pub(crate) async fn say_until_heard(
        &mut self,
        to: SocketAddr,
        other: &Phone,
        payload_type: u8,
        payload: &[u8],
    ) -> Heard {
        for _ in 0..200 {
            self.say(to, payload_type, payload).await;
            if let Ok(heard) = tokio::time::timeout(Duration::from_millis(50), other.next()).await {
                return heard;
            }
        }
        panic!("never heard");
    }
}

pub(crate) fn read(packet: &[u8], from: SocketAddr) -> Heard {
    let header = RtpHeader::parse(packet).unwrap();
    Heard {
        ssrc: header.ssrc(),
        payload_type: header.payload_type(),
        sequence: header.sequence(),
        payload: packet[12..].to_vec(),
        from,
    }
}

/// The only m-line of a description.
pub(crate) fn media(sdp: &str) -> MediaView {
    SessionText::parse(sdp).unwrap_or_else(|error| panic!("{error}: {sdp}")).medias()[0].clone()
}

pub(crate) fn rtp_address(sdp: &str) -> SocketAddr {
    media(sdp).rtp_address().unwrap()
}
