//! Offers of light clients, and what they need of an answer. Written by hand: thousands a second.

use std::fmt::Write as _;
use std::net::SocketAddr;

use kaname_wire::extension::uri;

use super::scenario::Source;

/// Payload types in every offer.
pub(super) const PT_OPUS: u8 = 111;
/// See [`PT_OPUS`].
pub(super) const PT_H264: u8 = 108;
/// See [`PT_OPUS`]: RTX (RFC 4588) of [`PT_H264`].
pub(super) const PT_RTX: u8 = 109;
/// Identifier of transport-wide sequence numbers in every offer.
pub(super) const EXT_TRANSPORT_CC: u8 = 3;
/// Identifier of audio levels (RFC 6464) in every offer.
pub(super) const EXT_AUDIO_LEVEL: u8 = 1;

/// Sound or picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Audio,
    Video,
}

impl Source {
    pub(super) fn kind(&self) -> Kind {
        match self {
            Source::Voice { .. } => Kind::Audio,
            Source::Video { .. } => Kind::Video,
        }
    }
}

/// What an offer says of its author.
pub(super) struct Author<'a> {
    pub(super) ufrag: &'a str,
    pub(super) password: &'a str,
    pub(super) fingerprint: &'a str,
}

/// Writes an offer: for a publisher each line has the SSRC and RTX SSRC it sends under, for a subscriber none.
pub(super) fn offer(author: &Author<'_>, lines: &[(Kind, Option<(u32, u32)>)]) -> String {
    let mut sdp = String::with_capacity(400 + 900 * lines.len());
    sdp.push_str("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE");
    (0..lines.len()).for_each(|mid| _ = write!(sdp, " {mid}"));
    sdp.push_str("\r\n");
    for (mid, (kind, send)) in lines.iter().enumerate() {
        let formats = match kind {
            Kind::Audio => format!("m=audio 9 UDP/TLS/RTP/SAVPF {PT_OPUS}"),
            Kind::Video => format!("m=video 9 UDP/TLS/RTP/SAVPF {PT_H264} {PT_RTX}"),
        };
        let direction = if send.is_some() { "sendonly" } else { "recvonly" };
        let Author { ufrag, password, fingerprint } = author;
        // Writing to a String cannot fail.
        let _ = write!(
            sdp,
            "{formats}\r\nc=IN IP4 0.0.0.0\r\na=mid:{mid}\r\na={direction}\r\na=rtcp-mux\r\na=rtcp-rsize\r\n\
             a=ice-ufrag:{ufrag}\r\na=ice-pwd:{password}\r\na=fingerprint:{fingerprint}\r\na=setup:active\r\n\
             a=extmap:{EXT_TRANSPORT_CC} {}\r\n",
            uri::TRANSPORT_CC
        );
        let _ = match kind {
            Kind::Audio => write!(
                sdp,
                "a=extmap:{EXT_AUDIO_LEVEL} {}\r\na=rtpmap:{PT_OPUS} opus/48000/2\r\n\
                 a=fmtp:{PT_OPUS} minptime=10;useinbandfec=1\r\na=rtcp-fb:{PT_OPUS} transport-cc\r\n",
                uri::AUDIO_LEVEL
            ),
            Kind::Video => write!(
                sdp,
                "a=rtpmap:{PT_H264} H264/90000\r\na=rtcp-fb:{PT_H264} nack\r\na=rtcp-fb:{PT_H264} nack pli\r\n\
                 a=rtcp-fb:{PT_H264} ccm fir\r\na=rtcp-fb:{PT_H264} transport-cc\r\n\
                 a=fmtp:{PT_H264} level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f\r\n\
                 a=rtpmap:{PT_RTX} rtx/90000\r\na=fmtp:{PT_RTX} apt={PT_H264}\r\n"
            ),
        };
        if let Some((ssrc, rtx)) = send {
            if *kind == Kind::Video {
                let _ = write!(sdp, "a=ssrc-group:FID {ssrc} {rtx}\r\na=ssrc:{rtx} cname:fleet\r\n");
            }
            let _ = write!(sdp, "a=ssrc:{ssrc} cname:fleet\r\n");
        }
    }
    sdp
}

/// What a light client needs of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) ufrag: String,
    pub(super) password: String,
    /// As it stands there: `sha-256 AB:CD:…`
    pub(super) fingerprint: String,
    /// The first UDP candidate: a node puts its best first.
    pub(super) candidate: Option<SocketAddr>,
    /// SSRCs of what the node sends, and their RTX SSRCs, in the order of the lines; `None`: the line sends nothing.
    pub(super) sends: Vec<Option<(u32, Option<u32>)>>,
}

impl Answer {
    /// Reads an answer; `None` if it lacks what a transport needs.
    pub(super) fn parse(sdp: &str) -> Option<Answer> {
        let mut answer = Answer::default();
        for line in sdp.lines() {
            if line.starts_with("m=") {
                answer.sends.push(None);
                continue;
            }
            let Some((name, value)) = line.strip_prefix("a=").and_then(|a| a.split_once(':')) else {
                continue;
            };
            match name {
                "ice-ufrag" if answer.ufrag.is_empty() => answer.ufrag = value.trim().to_owned(),
                "ice-pwd" if answer.password.is_empty() => answer.password = value.trim().to_owned(),
                "fingerprint" if answer.fingerprint.is_empty() => {
                    answer.fingerprint = value.trim().to_owned()
                }
                "candidate" if answer.candidate.is_none() => answer.candidate = candidate(value),
                "ssrc-group" => {
                    if let Some((media, rtx)) = value.strip_prefix("FID ").and_then(|v| v.split_once(' ')) {
                        *answer.sends.last_mut()? =
                            Some((media.parse().ok()?, Some(rtx.trim().parse().ok()?)));
                    }
                }
                "ssrc" => {
                    let ssrc = value.split(' ').next()?.parse().ok()?;
                    answer.sends.last_mut()?.get_or_insert((ssrc, None));
                }
                _ => {}
            }
        }
        let whole = !answer.ufrag.is_empty() && !answer.password.is_empty() && answer.candidate.is_some();
        whole.then_some(answer)
    }
}

/// RFC 8839 section 5.1: foundation, component, transport, priority, address, port.
fn candidate(value: &str) -> Option<SocketAddr> {
    let mut words = value.split_ascii_whitespace().skip(2);
    let udp = words.next()?.eq_ignore_ascii_case("udp");
    let (ip, port) = (words.nth(1)?.parse().ok()?, words.next()?.parse().ok()?);
    udp.then_some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read() {
        let sdp = "v=0\r\na=ice-lite\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=candidate:101 1 tcp 5 127.0.0.1 9 typ host\r\n\
                   a=candidate:1 1 udp 2130706431 127.0.0.1 7801 typ host\r\na=ice-ufrag:abcd\r\na=ice-pwd:secret\r\n\
                   a=fingerprint:sha-256 AB:CD\r\na=ssrc:77 cname:x\r\na=ssrc:77 msid:a b\r\nm=video 9 X 1\r\n\
                   a=ssrc-group:FID 5 6\r\na=ssrc:5 cname:x\r\na=ssrc:6 cname:x\r\nm=video 0 X 1\r\n";
        let answer = Answer::parse(sdp).unwrap();
        assert_eq!((answer.ufrag.as_str(), answer.password.as_str()), ("abcd", "secret"));
        assert_eq!(answer.candidate, Some("127.0.0.1:7801".parse().unwrap()));
        assert_eq!(answer.sends, [Some((77, None)), Some((5, Some(6))), None]);
        assert_eq!(Answer::parse("v=0\r\n"), None);
    }

    #[test]
    fn an_offer_has_a_line_for_each_track() {
        let author = Author { ufrag: "uuuu", password: "p", fingerprint: "sha-256 AB" };
        let sdp =
            offer(&author, &[(Kind::Audio, Some((1, 2))), (Kind::Video, Some((3, 4))), (Kind::Video, None)]);
        assert_eq!(sdp.matches("m=").count(), 3);
        assert!(sdp.contains("a=group:BUNDLE 0 1 2\r\n") && sdp.contains("a=ssrc-group:FID 3 4\r\n"));
        assert_eq!(sdp.matches("a=recvonly").count(), 1);
    }
}
