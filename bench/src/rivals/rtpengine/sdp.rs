//! The SDP of both ends of a call.

use std::net::{IpAddr, SocketAddr};

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::rivals::{Keys, RivalError, Suite};

/// Padding is optional in `inline:` keys: rtpengine leaves it out.
const KEYS: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Of the end that speaks RTP.
pub(super) fn plain(at: SocketAddr, payload_type: u8) -> String {
    describe(at, payload_type, "RTP/AVP", "")
}

/// Of the end that speaks SRTP. What it would send is protected with a key of zeros: it never sends.
pub(super) fn protected(at: SocketAddr, payload_type: u8, suite: Suite) -> String {
    let (key, salt) = suite.lengths();
    let inline = KEYS.encode(vec![0; key + salt]);
    describe(at, payload_type, "RTP/SAVP", &format!("a=crypto:1 {} inline:{inline}\r\n", suite.name()))
}

fn describe(at: SocketAddr, payload_type: u8, protocol: &str, more: &str) -> String {
    let (ip, port) = (at.ip(), at.port());
    format!(
        "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {port} {protocol} {payload_type}\r\n\
         a=rtpmap:{payload_type} PCMU/8000\r\n{more}a=sendrecv\r\n"
    )
}

/// Where the relay takes media of the end that gets this SDP.
pub(super) fn address(sdp: &str) -> Result<SocketAddr, RivalError> {
    let word = |prefix: &str, index: usize| {
        let line = sdp.lines().find_map(|line| line.trim_end().strip_prefix(prefix))?;
        line.split(' ').nth(index)
    };
    let ip = word("c=IN ", 1).and_then(|ip| ip.parse::<IpAddr>().ok());
    let port = word("m=audio ", 0).and_then(|port| port.parse().ok());
    ip.zip(port).map(SocketAddr::from).ok_or_else(|| lacks("an address", sdp))
}

/// What the relay protects its media with (RFC 4568 section 6.1).
pub(super) fn keys(sdp: &str, suite: Suite) -> Result<Keys, RivalError> {
    let inline = sdp.lines().find_map(|line| {
        let mut words = line.trim_end().strip_prefix("a=crypto:")?.split(' ');
        let name = words.nth(1)?;
        (name == suite.name()).then(|| words.next()?.strip_prefix("inline:")).flatten()
    });
    let encoded = inline.and_then(|inline| inline.split('|').next());
    let decoded = KEYS.decode(encoded.unwrap_or_default());
    let (key, salt) = suite.lengths();
    match decoded {
        Ok(bytes) if bytes.len() == key + salt => {
            Ok(Keys { suite, key: bytes[..key].to_vec(), salt: bytes[key..].to_vec() })
        }
        _ => Err(lacks(&format!("a key for {}", suite.name()), sdp)),
    }
}

fn lacks(what: &str, sdp: &str) -> RivalError {
    RivalError::Setup(format!("rtpengine's SDP lacks {what}:\n{sdp}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let at: SocketAddr = "127.0.0.1:4000".parse().unwrap();
        for suite in [Suite::Cm, Suite::Gcm128] {
            let sdp = protected(at, 0, suite);
            assert_eq!(address(&sdp).unwrap(), at);
            let keys = keys(&sdp, suite).unwrap();
            assert_eq!((keys.key.len(), keys.salt.len()), suite.lengths());
        }
        assert!(keys(&plain(at, 0), Suite::Cm).is_err());
        assert!(keys(&protected(at, 0, Suite::Cm), Suite::Gcm128).is_err());
        assert!(address("v=0\r\n").is_err());
    }
}
