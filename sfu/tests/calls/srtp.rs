//! Calls with one side in the clear and one under SRTP whose keys were signalled (RFC 4568).

use std::net::SocketAddr;

use kaname_engine::srtp::{Backend, Inbound, Outbound};
use kaname_sfu::ng::sdp::crypto::{CryptoLine, InlineKey, Suite};

use crate::phone::{Heard, Phone, media, read, rtp_address};
use crate::rtp::{about, list};
use crate::support::{PATIENCE, World, config, text};

/// A phone that speaks SRTP.
struct Guarded {
    phone: Phone,
    inbound: Inbound,
    outbound: Outbound,
}

impl Guarded {
    /// With the keys that both wrote into their descriptions.
    fn new(phone: Phone, theirs: &CryptoLine, ours: &CryptoLine) -> Guarded {
        let backend = Backend::best();
        Guarded {
            phone,
            inbound: Inbound::new(backend, &theirs.keying().unwrap()),
            outbound: Outbound::new(backend, &ours.keying().unwrap()),
        }
    }

    async fn say(&mut self, to: SocketAddr, payload_type: u8, payload: &[u8]) {
        let packet = self.phone.packet(payload_type, payload);
        let mut out = vec![0; packet.len() + 64];
        let length = self.outbound.protect_rtp(&packet[..12], &packet[12..], &mut out).unwrap();
        self.phone.rtp.send_to(&out[..length], to).await.unwrap();
    }

    async fn hear(&mut self) -> Heard {
        let mut buffer = [0; 2_048];
        loop {
            let receiving = self.phone.rtp.recv_from(&mut buffer);
            let (length, from) = tokio::time::timeout(PATIENCE, receiving).await.unwrap().unwrap();
            if (64..96).contains(&(buffer[1] & 0x7f)) {
                continue;
            }
            let mut out = [0; 2_048];
            let length = self.inbound.unprotect_rtp(&buffer[..length], &mut out).unwrap();
            return read(&out[..length], from);
        }
    }
}

fn line(tag: u32, suite: Suite) -> CryptoLine {
    CryptoLine::new(tag, suite, InlineKey::new(suite, &vec![tag as u8; suite.key_len()]).unwrap())
}

fn crypto(line: &CryptoLine) -> String {
    format!("a=crypto:{}", *line.print(false))
}

#[tokio::test]
async fn a_phone_in_the_clear_calls_one_under_srtp() {
    let world = World::start(config((22_000, 22_099)));
    let mut proxy = world.proxy().await;
    for (number, suite) in
        [Suite::Aes128CmSha1_80, Suite::Aes128CmSha1_32, Suite::AeadAes256Gcm].into_iter().enumerate()
    {
        let id = format!("c{number}");
        let mut caller = Phone::new("127.0.0.1", 1).await;
        let callee = Phone::new("127.0.0.1", 2).await;
        let offer = about("offer", &id, "a", "").with("sdp", caller.describe("8", &[]));
        let offered = proxy.describe(offer.with("transport protocol", "RTP/SAVP").with("DTLS", "off")).await;
        let lines = media(&offered).crypto;
        let theirs = lines.iter().find(|line| line.suite == suite).unwrap_or_else(|| panic!("{offered}"));
        let ours = line(theirs.tag, suite);
        let answer = callee.describe_as("RTP/SAVP", "8", &[&crypto(&ours)]);
        let answered = proxy.describe(about("answer", &id, "a", "b").with("sdp", answer)).await;
        assert!(answered.contains("RTP/AVP") && !answered.contains("a=crypto"), "{answered}");
        let mut callee = Guarded::new(callee, theirs, &ours);
        caller.say(rtp_address(&answered), 8, b"clear").await;
        assert_eq!(callee.hear().await.payload, b"clear");
        callee.say(rtp_address(&offered), 8, b"guarded").await;
        assert_eq!(caller.hear().await.payload, b"guarded");

        // A re-offer of the caller keeps the keys, and so the counters.
        let offer = about("offer", &id, "a", "b").with("sdp", caller.describe("8", &[]));
        let again = proxy.describe(offer.with("transport protocol", "RTP/SAVP").with("DTLS", "off")).await;
        assert!(media(&again).crypto.contains(theirs), "{again}");
        let answer = callee.phone.describe_as("RTP/SAVP", "8", &[&crypto(&ours)]);
        proxy.describe(about("answer", &id, "a", "b").with("sdp", answer)).await;
        caller.say(rtp_address(&answered), 8, b"still").await;
        assert_eq!(callee.hear().await.payload, b"still");
        callee.say(rtp_address(&offered), 8, b"me too").await;
        assert_eq!(caller.hear().await.payload, b"me too");
    }
    assert!(world.calls.counters().await.commands_failed_total.is_empty());
}

#[tokio::test]
async fn a_phone_under_srtp_calls_one_in_the_clear() {
    let world = World::start(config((22_100, 22_199)));
    let mut proxy = world.proxy().await;
    let caller = Phone::new("127.0.0.1", 1).await;
    let mut callee = Phone::new("127.0.0.1", 2).await;
    let (ours, other) = (line(7, Suite::AeadAes128Gcm), line(9, Suite::Aes128CmSha1_80));
    let offer = caller.describe_as("RTP/SAVP", "8", &[&crypto(&ours), &crypto(&other)]);
    let offer = about("offer", "c1", "a", "").with("sdp", offer).with("transport protocol", "RTP/AVP");
    let offered = proxy.describe(offer).await;
    assert!(!offered.contains("a=crypto") && offered.contains("RTP/AVP 8"), "{offered}");
    let answer = about("answer", "c1", "a", "b").with("sdp", callee.describe("8", &[]));
    let answered = proxy.describe(answer).await;
    let lines = media(&answered).crypto;
    assert_eq!((lines.len(), lines[0].tag, lines[0].suite), (1, 7, Suite::AeadAes128Gcm), "{answered}");
    let mut caller = Guarded::new(caller, &lines[0], &ours);
    caller.say(rtp_address(&answered), 8, b"guarded").await;
    assert_eq!(callee.hear().await.payload, b"guarded");
    callee.say(rtp_address(&offered), 8, b"clear").await;
    assert_eq!(caller.hear().await.payload, b"clear");
    // What is in the clear, or under another key, goes nowhere.
    caller.phone.say(rtp_address(&answered), 8, b"forged").await;
    caller.say(rtp_address(&answered), 8, b"true").await;
    assert_eq!(callee.hear().await.payload, b"true");
}

#[tokio::test]
async fn keys_that_nobody_shares_are_named() {
    let world = World::start(config((22_200, 22_299)));
    let mut proxy = world.proxy().await;
    let (caller, callee) = (Phone::new("127.0.0.1", 1).await, Phone::new("127.0.0.1", 2).await);
    let offer = about("offer", "c1", "a", "").with("sdp", caller.describe("8", &[]));
    let offer = offer.with("transport protocol", "RTP/SAVP").with("DTLS", "off");
    proxy.describe(offer.with("SDES", list(&["only-AES_CM_128_HMAC_SHA1_80"]))).await;
    let answer = callee.describe_as("RTP/SAVP", "8", &[&crypto(&line(1, Suite::AeadAes256Gcm))]);
    let reply = proxy.ask(about("answer", "c1", "a", "b").with("sdp", answer)).await;
    assert!(text(&reply, "error-reason").contains("SDES"), "{reply:?}");
    let answer = callee.describe_as("RTP/SAVP", "8", &[]);
    let reply = proxy.ask(about("answer", "c1", "a", "b").with("sdp", answer)).await;
    assert_eq!(text(&reply, "result"), "error");
    assert_eq!(world.calls.counters().await.refused_total["no_common_keys"], 2);
}
