//! webrtc-rs through the real node: a second foreign stack, so that the node does not agree merely with str0m.

mod webrtc_rs;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kaname_bench::client::whip::{HttpOptions, HttpPeer};
use kaname_bench::client::{ClientError, Kind, SessionOptions, Trust, Way};
use kaname_bench::stamp::Ledger;
use kaname_tests::{Node, must};
use rtc::dtls::extension::extension_use_srtp::SrtpProtectionProfile::{
    self, Srtp_Aead_Aes_128_Gcm, Srtp_Aead_Aes_256_Gcm, Srtp_Aes128_Cm_Hmac_Sha1_80,
};
use webrtc_rs::{Client, Options, Packet, Video};

/// Packets of each kind that a script sends.
const PACKETS: u32 = 300;
/// Packets on the way at once: fewer than any buffer on the way holds.
const WINDOW: usize = 16;
/// Probes are repeated this often until one comes through.
const PROBE_EVERY: Duration = Duration::from_millis(50);
/// How the payload of a probe ends.
const PROBE: &[u8] = b"probe";
/// Sequence numbers begin here, so that they wrap early.
const FIRST: u16 = u16::MAX - 40;

/// The `index`th packet of a kind. Each third picture packet ends a frame; each frame of the script is a delta frame.
fn packet(kind: Kind, index: u32) -> Packet {
    let length = 1 + (index as usize * 97) % 1_000;
    let filler = (0..length).map(|at| (at as u32).wrapping_mul(index + 7) as u8);
    let mut payload = match kind {
        Kind::Audio => vec![0x78],
        // RFC 7741 section 4.2 and 4.3: the S bit in the descriptor, and the inverse key-frame bit behind it.
        Kind::Video if index.is_multiple_of(3) => vec![0x10, 0x01],
        Kind::Video => vec![0x00, 0x01],
    };
    payload.extend(index.to_be_bytes());
    payload.extend(filler);
    let (timestamp, marker) = match kind {
        Kind::Audio => (index * 960, index == 0),
        Kind::Video => (index / 3 * 3_000, index % 3 == 2),
    };
    let number = FIRST.wrapping_add(index as u16);
    Packet { kind, number, timestamp, marker, payload: Bytes::from(payload) }
}

/// A packet of a kind that means nothing, for `index` below that of the script.
fn probe(kind: Kind, index: u32) -> Packet {
    let mut payload = match kind {
        Kind::Audio => vec![0x78],
        Kind::Video => vec![0x10, 0x00, 0x00, 0x9d, 0x01, 0x2a],
    };
    payload.extend(PROBE);
    Packet { payload: Bytes::from(payload), marker: true, ..packet(kind, index) }
}

fn is_probe(packet: &Packet) -> bool {
    packet.payload.ends_with(PROBE)
}

/// A publisher and a viewer between whom packets pass.
struct Pair {
    node: Node,
    publisher: Client,
    viewer: Client,
    /// How many packets of each kind were sent.
    sent: u32,
}

impl Pair {
    async fn meet(test: &str, up: SrtpProtectionProfile, down: SrtpProtectionProfile) -> Pair {
        let node = Node::start(test).await.unwrap();
        let token = node.token("stage").await.unwrap();
        let options = |profile| Options { video: Video::Vp8, profile };
        let publisher = Client::publish(&node.url("whip/stage"), &token, options(up)).await.unwrap();
        let viewer = Client::play(&node.url("whep/stage"), &token, options(down)).await.unwrap();
        let mut pair = Pair { node, publisher, viewer, sent: 0 };
        must("the publisher's connection", pair.publisher.until(|s| s.connected)).await.unwrap().unwrap();
        must("the viewer's connection", pair.viewer.until(|s| s.connected)).await.unwrap().unwrap();
        must("the first packets", pair.probe()).await.unwrap().unwrap();
        // Behind a packet that is no probe, none is on its way: a late one, being a key frame, would fulfil a wish.
        pair.send(&[Kind::Audio, Kind::Video], 1);
        pair.receive(2).await;
        pair
    }

    /// A side that is connected may be a moment ahead of the node, which then drops what comes: so probes go first.
    async fn probe(&mut self) -> Result<(), ClientError> {
        let mut missing = vec![Kind::Audio, Kind::Video];
        while !missing.is_empty() {
            for kind in [Kind::Audio, Kind::Video] {
                self.publisher.send(probe(kind, self.sent));
            }
            self.sent += 1;
            if let Ok(came) = tokio::time::timeout(PROBE_EVERY, self.viewer.next()).await {
                let came = came?;
                missing.retain(|kind| *kind != came.kind);
            }
        }
        Ok(())
    }

    /// Sends the next packets of the given kinds.
    fn send(&mut self, kinds: &[Kind], count: usize) -> Vec<Packet> {
        let mut sent = Vec::new();
        for _ in 0..count {
            for kind in kinds {
                let packet = packet(*kind, self.sent);
                self.publisher.send(packet.clone());
                sent.push(packet);
            }
            self.sent += 1;
        }
        sent
    }

    /// The next packets that came, without probes.
    async fn receive(&mut self, count: usize) -> Vec<Packet> {
        let mut came = Vec::new();
        while came.len() < count {
            let packet = must("a packet", self.viewer.next()).await.unwrap().unwrap();
            if !is_probe(&packet) {
                came.push(packet);
            }
        }
        came
    }
}

/// What must be the same at both ends.
fn content(packet: &Packet) -> (Bytes, bool) {
    (packet.payload.clone(), packet.marker)
}

async fn in_order_and_whole(test: &str, up: SrtpProtectionProfile, down: SrtpProtectionProfile) {
    let mut pair = Pair::meet(test, up, down).await;
    let (mut sent, mut came) = (Vec::new(), Vec::new());
    while sent.len() < 2 * PACKETS as usize {
        let window = pair.send(&[Kind::Audio, Kind::Video], WINDOW / 2);
        came.extend(pair.receive(window.len()).await);
        sent.extend(window);
    }
    for kind in [Kind::Audio, Kind::Video] {
        let of = |packets: &[Packet]| -> Vec<Packet> {
            packets.iter().filter(|p| p.kind == kind).cloned().collect()
        };
        let (sent, came) = (of(&sent), of(&came));
        assert!(sent.iter().map(content).eq(came.iter().map(content)), "{kind:?} came otherwise");
        // The node renumbers by a constant.
        let shifts: Vec<(u16, u32)> = sent
            .iter()
            .zip(&came)
            .map(|(s, c)| (c.number.wrapping_sub(s.number), c.timestamp.wrapping_sub(s.timestamp)))
            .collect();
        assert!(shifts.iter().all(|shift| *shift == shifts[0]), "{kind:?} {shifts:?}");
    }
    // Nothing was lost, so nothing was repaired.
    assert_eq!((pair.publisher.seen().repairs.0, pair.viewer.seen().repairs.1), (0, 0));
    assert_eq!(pair.viewer.leave().await.unwrap(), 200);
    assert_eq!(pair.publisher.leave().await.unwrap(), 200);
    assert!(pair.node.stop().await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn packets_come_in_order_and_whole_from_gcm_to_cm() {
    in_order_and_whole("webrtc_rs_gcm_cm", Srtp_Aead_Aes_128_Gcm, Srtp_Aes128_Cm_Hmac_Sha1_80).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn packets_come_in_order_and_whole_from_cm_to_gcm() {
    in_order_and_whole("webrtc_rs_cm_gcm", Srtp_Aes128_Cm_Hmac_Sha1_80, Srtp_Aead_Aes_256_Gcm).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_lost_on_either_way_is_repaired() {
    let mut pair = Pair::meet("webrtc_rs_loss", Srtp_Aead_Aes_128_Gcm, Srtp_Aead_Aes_128_Gcm).await;
    for way in [Way::Out, Way::In] {
        match way {
            Way::Out => pair.publisher.lose(way, Kind::Video),
            Way::In => pair.viewer.lose(way, Kind::Video),
        }
        let sent = pair.send(&[Kind::Video], WINDOW);
        let came = pair.receive(WINDOW).await;
        // A repair comes late: order is by number.
        let first = sent[0].number;
        let shift = came.iter().find(|c| content(c) == content(&sent[0])).map(|c| c.number);
        let shift = shift.expect("the lost packet").wrapping_sub(first);
        let by_number = |packets: &[Packet], shift: u16| -> BTreeMap<u16, (Bytes, bool)> {
            let place = |p: &Packet| p.number.wrapping_sub(shift).wrapping_sub(first);
            packets.iter().map(|p| (place(p), content(p))).collect()
        };
        assert_eq!(by_number(&came, shift), by_number(&sent, 0), "{way:?}");
        assert_ne!(content(&came[0]), content(&sent[0]), "nothing was lost {way:?}");
    }
    // The publisher repaired what was lost on its way, and the node what was lost on the viewer's.
    let publisher = pair.publisher.seen();
    assert!(publisher.nacks > 0 && publisher.repairs.0 > 0, "{publisher:?}");
    assert!(pair.viewer.seen().repairs.1 > 0, "{:?}", pair.viewer.seen());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_viewers_wish_for_a_key_frame_reaches_the_publisher() {
    let mut pair = Pair::meet("webrtc_rs_pli", Srtp_Aead_Aes_128_Gcm, Srtp_Aead_Aes_128_Gcm).await;
    let before = pair.publisher.seen().key_frame_requests;
    pair.viewer.ask_for_key_frame();
    must("a request", pair.publisher.until(|s| s.key_frame_requests > before)).await.unwrap().unwrap();
}

/// Plays in one room what it hears in another, packets and wishes for key frames.
async fn relay(mut ear: Client, mut mouth: Client) -> Result<(), ClientError> {
    let mut asked = 0;
    loop {
        tokio::select! {
            packet = ear.next() => mouth.send(packet?),
            seen = mouth.until(|s| s.key_frame_requests > asked) => {
                asked = seen?.key_frame_requests;
                ear.ask_for_key_frame();
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn webrtc_rs_relays_between_clients_on_str0m() {
    let node = Node::start("webrtc_rs_relay").await.unwrap();
    let (stage, echo) = (node.token("stage").await.unwrap(), node.token("echo").await.unwrap());
    let str0m = |door: &str, token: &str| HttpOptions {
        url: node.url(door),
        token: token.to_owned(),
        trust: Trust::Plain,
        number: 7,
        session: SessionOptions::default(),
        ledger: Arc::new(Ledger::new()),
    };
    let options = Options { video: Video::H264, profile: Srtp_Aead_Aes_128_Gcm };
    let mut speaker = HttpPeer::publish(str0m("whip/stage", &stage)).await.unwrap();
    must("the speaker's connection", speaker.until(|s| s.connected)).await.unwrap().unwrap();
    let mut mouth = Client::publish(&node.url("whip/echo"), &echo, options).await.unwrap();
    must("the relay's connection", mouth.until(|s| s.connected)).await.unwrap().unwrap();
    let ear = Client::play(&node.url("whep/stage"), &stage, options).await.unwrap();
    let relaying = tokio::spawn(relay(ear, mouth));
    let mut audience = HttpPeer::play(str0m("whep/echo", &echo)).await.unwrap();
    // Real sound and real pictures, which the audience decodes and compares with what the speaker must have sent.
    let state = must("forty pictures", audience.until(|s| s.receives(2, 40))).await.unwrap().unwrap();
    for heard in state.heard.values() {
        assert_eq!((heard.wrong, heard.gaps), (0, 0), "{heard:?}");
    }
    assert!(!relaying.is_finished(), "{:?}", relaying.await);
    relaying.abort();
    assert_eq!(audience.leave().await.unwrap(), 200);
    assert_eq!(speaker.leave().await.unwrap(), 200);
    assert!(node.stop().await.unwrap());
}
