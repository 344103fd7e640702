//! What is written.

use sdp_types::{Media, Session};

use super::*;

fn parsed(text: &str) -> Session {
    Session::parse(text.as_bytes()).expect("an answer parses")
}

fn values<'a>(media: &'a Media, name: &str) -> Vec<&'a str> {
    let found = media.attributes.iter().filter(|a| a.attribute == name);
    found.map(|a| a.value.as_deref().unwrap_or_default()).collect()
}

fn has(media: &Media, name: &str) -> bool {
    media.attributes.iter().any(|a| a.attribute == name)
}

#[test]
fn m_lines_keep_their_order_and_kind() {
    for text in ALL {
        let offer = offer(text);
        let answer = parsed(&answer(&offer, &generous(&offer)));
        let names =
            |medias: &[Media]| medias.iter().map(|m| (m.media.clone(), m.proto.clone())).collect::<Vec<_>>();
        let offered = parsed(text);
        assert_eq!(names(&answer.medias), names(&offered.medias));
        for (mine, theirs) in answer.medias.iter().zip(&offered.medias) {
            assert_eq!(values(mine, "mid"), values(theirs, "mid"));
            assert_eq!(mine.port, 9);
        }
    }
}

#[test]
fn the_transport_is_lite_and_passive() {
    let offer = offer(CHROMIUM_PUBLISH);
    let answer = parsed(&answer(&offer, &generous(&offer)));
    assert!(answer.attributes.iter().any(|a| a.attribute == "ice-lite"));
    assert!(answer.attributes.iter().any(|a| a.attribute == "extmap-allow-mixed"));
    assert_eq!(answer.get_first_attribute_value("group"), Some(Some("BUNDLE 0 1 2")));
    assert_eq!((answer.origin.sess_id.as_str(), answer.origin.sess_version), ("42", 3));
    for media in &answer.medias {
        assert_eq!(values(media, "ice-ufrag"), ["nodeufrag2"]);
        assert_eq!(values(media, "ice-pwd"), ["nodepassword23456789abcdefghijkl"]);
        assert_eq!(values(media, "fingerprint"), ["sha-256 00:11"]);
        assert_eq!(values(media, "setup"), ["passive"]);
    }
    let candidates = [
        "1 1 udp 2130706431 192.0.2.1 7000 typ host",
        "2 1 udp 2130706175 2001:db8::1 7000 typ host",
        "101 1 tcp 1520435199 192.0.2.1 7000 typ host tcptype passive",
        "102 1 tcp 1520434943 2001:db8::1 7000 typ host tcptype passive",
    ];
    assert_eq!(values(&answer.medias[0], "candidate"), candidates);
    assert!(has(&answer.medias[0], "end-of-candidates"));
    assert!(!has(&answer.medias[1], "candidate"), "the bundle has one transport");
}

#[test]
fn a_publisher_is_received_with_one_codec() {
    let offer = offer(CHROMIUM_PUBLISH);
    let answer = parsed(&answer(&offer, &generous(&offer)));
    let [audio, video, data] = answer.medias.as_slice() else { panic!("three m-lines") };
    assert_eq!(audio.fmt, "111 63");
    assert_eq!(values(audio, "rtpmap"), ["111 opus/48000/2", "63 red/48000/2"]);
    assert_eq!(values(audio, "fmtp"), ["111 minptime=10;useinbandfec=1", "63 111/111"]);
    assert!(has(audio, "recvonly") && has(audio, "rtcp-mux") && has(audio, "rtcp-rsize"));
    assert_eq!(video.fmt, "96 97");
    assert_eq!(values(video, "rtpmap"), ["96 VP8/90000", "97 rtx/90000"]);
    assert_eq!(values(video, "rtcp-fb"), ["96 transport-cc", "96 ccm fir", "96 nack", "96 nack pli"]);
    assert_eq!(values(video, "fmtp"), ["97 apt=96"]);
    assert!(!has(video, "ssrc") && !has(video, "msid"), "the node sends nothing here");
    let extensions = values(video, "extmap");
    assert!(extensions.contains(&"4 urn:ietf:params:rtp-hdrext:sdes:mid"));
    assert!(!extensions.iter().any(|e| e.contains("toffset") || e.contains("color-space")), "{extensions:?}");
    assert_eq!(values(data, "sctp-port"), ["5000"]);
    assert_eq!(values(data, "max-message-size"), ["65536"]);
    assert_eq!(data.fmt, "webrtc-datachannel");
}

#[test]
fn a_subscriber_is_told_who_sends() {
    let offer = offer(CHROMIUM_SUBSCRIBE);
    let answer = parsed(&answer(&offer, &generous(&offer)));
    let video = &answer.medias[1];
    assert!(has(video, "sendonly"));
    assert_eq!(values(video, "msid"), ["p_ada t_one"]);
    assert_eq!(values(video, "ssrc-group"), ["FID 1111 2222"]);
    assert_eq!(
        values(video, "ssrc"),
        ["1111 cname:p_ada", "1111 msid:p_ada t_one", "2222 cname:p_ada", "2222 msid:p_ada t_one"]
    );
}

#[test]
fn simulcast_is_mirrored() {
    let offer = offer(CHROMIUM_SIMULCAST);
    let answer = parsed(&answer(&offer, &generous(&offer)));
    assert_eq!(values(&answer.medias[0], "rid"), ["q recv", "h recv", "f recv"]);
    assert_eq!(values(&answer.medias[0], "simulcast"), ["recv q;h;f"]);
}

#[test]
fn directions_of_extensions_are_mirrored() {
    let offer = offer(FIREFOX);
    let answer = parsed(&answer(&offer, &generous(&offer)));
    let wanted = "6/sendonly http://www.webrtc.org/experiments/rtp-hdrext/playout-delay";
    assert!(values(&answer.medias[1], "extmap").contains(&wanted));
}

#[test]
fn what_is_rejected_has_port_0_and_no_place_in_the_bundle() {
    let offer = offer(CHROMIUM_PUBLISH);
    let mut sections = generous(&offer);
    sections[0] = AnswerSection::Rejected;
    let answer = parsed(&answer(&offer, &sections));
    assert_eq!(answer.get_first_attribute_value("group"), Some(Some("BUNDLE 1 2")));
    assert_eq!(answer.medias[0].port, 0);
    assert_eq!(values(&answer.medias[0], "mid"), ["0"]);
    assert!(!has(&answer.medias[0], "ice-ufrag"));
    assert!(has(&answer.medias[1], "candidate"), "the transport moves to the first m-line in use");
}

#[test]
fn a_m_line_of_another_transport_is_no_rtp() {
    let text = CHROMIUM_PUBLISH.replace("m=video 9 UDP/TLS/RTP/SAVPF", "m=video 9 RTP/AVP");
    assert_eq!(offer(&text).sections[1].kind, SectionKind::Other);
}
