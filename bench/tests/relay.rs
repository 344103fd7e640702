//! The client against a relay of thirty lines made of its own stack: what the client sends is recognised by the client,
//! counted by the ledger, and nothing else is. So a fault seen through a real node is the node's.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use kaname_bench::client::media::{Media, add_sources, media_kind};
use kaname_bench::client::{Heard, Kind, SessionOptions};
use kaname_bench::stamp::Ledger;
use str0m::change::SdpOffer;
use str0m::media::{Direction, MediaKind, Mid};
use str0m::net::{Protocol, Receive};
use str0m::rtp::{RtpPacket, RtpWrite};
use str0m::{Candidate, Event, Input, Output, Rtc};
use tokio::net::UdpSocket;

/// One side of the relay: answers an offer, and hands out or takes packets.
struct Side {
    rtc: Rtc,
    socket: UdpSocket,
    timeout: Instant,
    came: Vec<RtpPacket>,
    key_frame: bool,
    mids: Vec<(MediaKind, Mid)>,
}

impl Side {
    async fn answer(offer: &str) -> (Side, String) {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let mut config =
            Rtc::builder().clear_codecs().enable_opus(true, false).set_rtp_mode(true).set_ice_lite(true);
        config.codec_config().add_h264(108.into(), Some(109.into()), true, 0x42_e0_1f);
        let mut rtc = config.build(Instant::now());
        rtc.add_local_candidate(Candidate::host(socket.local_addr().unwrap(), Protocol::Udp).unwrap());
        let answer = rtc.sdp_api().accept_offer(SdpOffer::from_sdp_string(offer).unwrap()).unwrap();
        let side = Side {
            rtc,
            socket,
            timeout: Instant::now(),
            came: Vec::new(),
            key_frame: false,
            mids: Vec::new(),
        };
        (side, answer.to_sdp_string())
    }

    fn pump(&mut self) {
        loop {
            match self.rtc.poll_output().unwrap() {
                Output::Timeout(at) => {
                    self.timeout = at;
                    return;
                }
                Output::Transmit(t) => {
                    let _ = self.socket.try_send_to(&t.contents, t.destination);
                }
                Output::Event(Event::RtpPacket(packet)) => self.came.push(packet),
                Output::Event(Event::MediaAdded(added)) => self.mids.push((added.kind, added.mid)),
                Output::Event(Event::KeyframeRequest(_)) => self.key_frame = true,
                Output::Event(_) => {}
            }
        }
    }

    async fn wait(&mut self) {
        let mut buffer = [0; 2048];
        let local: SocketAddr = self.socket.local_addr().unwrap();
        tokio::select! {
            got = self.socket.recv_from(&mut buffer) => {
                let (len, from) = got.unwrap();
                let receive = Receive::new(Protocol::Udp, from, local, &buffer[..len]).unwrap();
                self.rtc.handle_input(Input::Receive(Instant::now(), receive)).unwrap();
            }
            () = tokio::time::sleep_until(self.timeout.into()) => {
                self.rtc.handle_input(Input::Timeout(Instant::now())).unwrap();
            }
        }
        self.pump();
    }

    fn forward(&mut self, packet: &RtpPacket, kind: MediaKind) {
        let Some((_, mid)) = self.mids.iter().find(|(k, _)| *k == kind) else { return };
        let header = &packet.header;
        let write = RtpWrite::new(
            header.payload_type,
            packet.seq_no,
            header.timestamp,
            Instant::now(),
            packet.payload.clone(),
        )
        .marker(header.marker)
        .nackable(kind == MediaKind::Video);
        if let Some(stream) = self.rtc.direct_api().stream_tx_by_mid(*mid, None) {
            stream.write_rtp(write);
        }
        self.pump();
        self.rtc.handle_input(Input::Timeout(Instant::now())).unwrap();
        self.pump();
    }
}

async fn offer(
    media: &mut Media,
    make: impl FnOnce(&mut str0m::change::SdpApi<'_>) -> Vec<(Mid, Kind)>,
) -> (Side, Vec<(Mid, Kind)>) {
    let mut api = media.session.rtc.sdp_api();
    let lines = make(&mut api);
    let (offer, pending) = api.apply().unwrap();
    let (mut side, answer) = Side::answer(&offer.to_sdp_string()).await;
    side.pump();
    media.session.accept(pending, &answer).unwrap();
    (side, lines)
}

#[tokio::test]
async fn what_goes_in_comes_out_recognised() {
    let ledger = Arc::new(Ledger::new());
    let options = SessionOptions::default();
    let mut speaker = Media::new(&options, 3, Arc::clone(&ledger)).await.unwrap();
    let mut viewer = Media::new(&options, 4, Arc::clone(&ledger)).await.unwrap();
    let kinds = [Kind::Audio, Kind::Video];
    let (mut up, lines) = offer(&mut speaker, |api| add_sources(api, &kinds)).await;
    for (mid, kind) in lines {
        speaker.publish(mid, &format!("{kind:?}"), kind).unwrap();
    }
    let (mut down, lines) = offer(&mut viewer, |api| {
        kinds
            .map(|kind| (api.add_media(media_kind(kind), Direction::RecvOnly, None, None, None), kind))
            .to_vec()
    })
    .await;
    for (mid, kind) in lines {
        viewer.subscribe(mid, &format!("{kind:?}"), Heard::new("p", 3, kind)).unwrap();
    }
    speaker.set_sending(true);
    ledger.count(true);
    let state = viewer.state.subscribe();
    while !state.borrow().receives(2, 30) {
        let due = speaker.due();
        let at = due.unwrap_or_else(Instant::now);
        tokio::select! {
            done = speaker.wait() => done.unwrap(),
            done = viewer.wait() => done.unwrap(),
            () = up.wait() => {}
            () = down.wait() => {}
            () = tokio::time::sleep_until(at.into()), if due.is_some() => speaker.send_due().unwrap(),
        }
        for packet in std::mem::take(&mut up.came) {
            let mid = up.rtc.direct_api().stream_rx(&packet.header.ssrc).unwrap().mid();
            let kind = up.rtc.media(mid).unwrap().kind();
            down.forward(&packet, kind);
        }
        if std::mem::take(&mut down.key_frame) {
            speaker.pause(Kind::Video, false);
        }
    }
    assert!(state.borrow().heard.values().all(|h| h.wrong == 0 && h.gaps == 0), "{:?}", state.borrow().heard);
    let totals = ledger.totals();
    assert_eq!((totals.repeated, totals.unknown), (0, 0), "{totals:?}");
    assert!(totals.received > 60 && ledger.delay_us().p50 > 0, "{totals:?} {:?}", ledger.delay_us());
}
