//! The smallest offers that nodes accept, and what is needed of their answers.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::rivals::RivalError;

/// Who sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::rivals) enum Direction {
    /// This end.
    Send,
    /// The node.
    Receive,
}

/// One stream.
#[derive(Clone, Copy, Debug)]
pub(in crate::rivals) struct Media {
    /// VP8 instead of Opus.
    pub(in crate::rivals) video: bool,
    /// Who sends.
    pub(in crate::rivals) direction: Direction,
    /// Of what this end sends.
    pub(in crate::rivals) ssrc: u32,
}

impl Media {
    /// Payload type in the offer.
    pub(in crate::rivals) fn payload_type(&self) -> u8 {
        if self.video { 96 } else { 111 }
    }
}

/// RFC 8829, as far as it takes for one bundled stream without feedback: what is compared is forwarding alone.
pub(super) fn offer(
    media: &Media,
    at: (Ipv4Addr, u16),
    ufrag: &str,
    password: &str,
    fingerprint: &str,
) -> String {
    let pt = media.payload_type();
    let (ip, port) = at;
    let (kind, codec) = if media.video { ("video", "VP8/90000") } else { ("audio", "opus/48000/2") };
    let mut lines = vec![
        "v=0".to_owned(),
        format!("o=- {} 1 IN IP4 127.0.0.1", media.ssrc),
        "s=-".into(),
        "t=0 0".into(),
        "a=group:BUNDLE 0".into(),
        "a=msid-semantic: WMS *".into(),
        format!("m={kind} {port} UDP/TLS/RTP/SAVPF {pt}"),
        format!("c=IN IP4 {ip}"),
        "a=mid:0".into(),
        format!("a=ice-ufrag:{ufrag}"),
        format!("a=ice-pwd:{password}"),
        format!("a=fingerprint:sha-256 {fingerprint}"),
        "a=setup:active".into(),
        "a=rtcp-mux".into(),
        format!("a=rtpmap:{pt} {codec}"),
    ];
    match media.direction {
        Direction::Send => {
            lines.push("a=sendonly".into());
            lines.push("a=msid:bench media".into());
            lines.push(format!("a=ssrc:{} cname:bench", media.ssrc));
        }
        Direction::Receive => lines.push("a=recvonly".into()),
    }
    lines.push(format!("a=candidate:1 1 udp 2130706431 {ip} {port} typ host"));
    lines.push("a=end-of-candidates".into());
    lines.join("\r\n") + "\r\n"
}

/// What an answer says of the transport.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) ufrag: String,
    pub(super) password: String,
    /// A UDP candidate, on loopback if there is one.
    pub(super) remote: SocketAddr,
    /// SHA-256, as in the SDP: upper-case hex with colons.
    pub(super) fingerprint: String,
}

impl Answer {
    pub(super) fn parse(sdp: &str) -> Result<Answer, RivalError> {
        let value = |name: &str| sdp.lines().find_map(|line| line.trim_end().strip_prefix(name));
        let need = |name: &str| value(name).map(str::to_owned).ok_or_else(|| missing(name, sdp));
        if value("m=").is_some_and(|m| m.split(' ').nth(1) == Some("0")) {
            return Err(RivalError::Setup(format!("the offered stream was rejected: {sdp}")));
        }
        let candidates = || sdp.lines().filter_map(candidate);
        // Some never offer loopback. Another address of the same machine is reached over loopback as well.
        let remote = candidates().find(|address| address.ip().is_loopback()).or_else(|| candidates().next());
        Ok(Answer {
            ufrag: need("a=ice-ufrag:")?,
            password: need("a=ice-pwd:")?,
            remote: remote.ok_or_else(|| missing("a=candidate: of IPv4 over UDP", sdp))?,
            fingerprint: need("a=fingerprint:sha-256 ")?.to_uppercase(),
        })
    }
}

/// RFC 8839 section 5.1: foundation, component, transport, priority, address, port.
fn candidate(line: &str) -> Option<SocketAddr> {
    let mut words = line.trim_end().strip_prefix("a=candidate:")?.split(' ');
    let transport = words.nth(2)?;
    let address: IpAddr = words.nth(1)?.parse().ok()?;
    let port = words.next()?.parse().ok()?;
    (transport.eq_ignore_ascii_case("udp") && address.is_ipv4()).then(|| SocketAddr::new(address, port))
}

fn missing(what: &str, sdp: &str) -> RivalError {
    RivalError::Setup(format!("an answer without {what}:\n{sdp}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=ice-ufrag:u\r\na=ice-pwd:p\r\n\
        a=fingerprint:sha-256 ab:CD\r\na=candidate:9 1 tcp 1 127.0.0.1 9 typ host\r\n\
        a=candidate:1 1 udp 1 192.0.2.1 7 typ host\r\na=candidate:1 1 UDP 1 127.0.0.1 7801 typ host\r\n";

    #[test]
    fn an_answer_is_read() {
        let answer = Answer::parse(ANSWER).unwrap();
        assert_eq!((answer.ufrag.as_str(), answer.password.as_str()), ("u", "p"));
        assert_eq!(answer.remote, SocketAddr::from(([127, 0, 0, 1], 7801)));
        assert_eq!(answer.fingerprint, "AB:CD");
    }

    #[test]
    fn what_is_missing_is_named() {
        for line in ["a=ice-ufrag:", "a=fingerprint:sha-256 ", "a=candidate:"] {
            let error = Answer::parse(&ANSWER.replace(line, "a=x:")).unwrap_err().to_string();
            assert!(error.contains(line.split(':').next().unwrap()), "{error}");
        }
        let rejected = Answer::parse(&ANSWER.replace("audio 9", "audio 0")).unwrap_err();
        assert!(rejected.to_string().contains("rejected"));
    }
}
