//! What is read from the offers of real clients.

use kaname_engine::core::command::{Codec, ExtensionIds};

use super::*;

#[test]
fn every_client_is_understood() {
    for (index, text) in ALL.iter().enumerate() {
        let offer = offer(text);
        assert!(offer.has_bundle, "{index}");
        assert!(offer.sections.iter().all(|s| s.bundled && !s.off), "{index}");
        let rtp = offer.sections.iter().filter(|s| s.kind != SectionKind::Data);
        assert!(rtp.into_iter().all(|s| s.rtcp_mux && !s.payloads.is_empty()), "{index}");
    }
}

#[test]
fn chromium_publishes() {
    let offer = offer(CHROMIUM_PUBLISH);
    assert_eq!(offer.ice, Ice { ufrag: "RaAd".into(), pwd: "lndNbYxVCTiVcJtFuYxmehU2".into() });
    assert!(offer.fingerprint.to_string().starts_with("sha-256 F3:11:74:78:"));
    assert!(offer.allow_mixed);
    let kinds: Vec<_> = offer.sections.iter().map(|s| s.kind).collect();
    assert_eq!(kinds, [SectionKind::Audio, SectionKind::Video, SectionKind::Data]);

    let audio = offer.choose(0).expect("opus");
    assert_eq!((audio.main.number, audio.main.codec, audio.main.channels), (111, Codec::Opus, Some(2)));
    assert_eq!(audio.red.as_ref().map(|p| p.number), Some(63));
    assert!(!audio.red_first);
    assert!(audio.rtx.is_none());
    assert_eq!(offer.sections[0].ssrc(), (Some(9344803), None));

    let video = offer.choose(1).expect("VP8");
    assert_eq!((video.main.number, video.main.codec), (96, Codec::Vp8));
    assert_eq!(video.rtx.as_ref().map(|p| p.number), Some(97));
    assert_eq!(video.main.feedback, Feedback { nack: true, pli: true, fir: true, transport_cc: true });
    let (ssrc, rtx) = offer.sections[1].ssrc();
    assert!(ssrc.is_some() && rtx.is_some() && ssrc != rtx);

    let extensions = ExtensionIds {
        audio_level: Some(1),
        abs_send_time: Some(2),
        transport_cc: Some(3),
        mid: Some(4),
        playout_delay: Some(5),
        rid: Some(10),
        repaired_rid: Some(11),
        video_orientation: Some(13),
        ..ExtensionIds::default()
    };
    assert_eq!(offer.extensions(|_| true), extensions);
    let audio_only = ExtensionIds {
        audio_level: Some(1),
        abs_send_time: Some(2),
        transport_cc: Some(3),
        mid: Some(4),
        ..Default::default()
    };
    assert_eq!(offer.extensions(|index| index == 0), audio_only);
}

#[test]
fn chromium_simulcasts() {
    let offer = offer(CHROMIUM_SIMULCAST);
    let rids: Vec<_> = offer.sections[0].layers.iter().map(|l| l.id.as_str()).collect();
    assert_eq!(rids, ["q", "h", "f"]);
    assert_eq!(offer.sections[0].ssrc(), (None, None));
    assert_eq!(offer.extensions(|_| true).dependency_descriptor, Some(13));
}

#[test]
fn firefox_speaks_differently() {
    let offer = offer(FIREFOX);
    let audio = offer.choose(0).expect("opus");
    assert_eq!(audio.main.number, 109);
    assert!(audio.red.is_none());
    let video = offer.choose(1).expect("VP8");
    assert_eq!((video.main.number, video.rtx.as_ref().map(|p| p.number)), (120, Some(124)));
    assert_eq!(offer.sections[1].ssrc(), (Some(1469288765), Some(3098342113)));
    assert_eq!(offer.sections[2].max_message_size, 1_073_741_823);
    // Playout delay is `recvonly`, which the answer mirrors.
    assert_eq!(offer.sections[1].extensions[3].direction, Direction::RecvOnly);
}

#[test]
fn safari_prefers_h264() {
    let offer = offer(SAFARI);
    let video = offer.choose(1).expect("H264");
    assert_eq!((video.main.number, video.main.codec), (96, Codec::H264));
    assert_eq!(video.rtx.as_ref().map(|p| p.number), Some(97));
    assert_eq!(video.main.describe(), "H264 packetization-mode=1 profile-level-id=640c1f");
}

#[test]
fn obs_has_its_transport_in_the_session_part_and_no_extensions() {
    let offer = offer(OBS);
    assert_eq!(offer.ice.ufrag, "jBua");
    assert_eq!(offer.extensions(|_| true), ExtensionIds::default());
    assert_eq!(offer.sections[1].ssrc(), (Some(1008461406), None));
    let video = offer.choose(1).expect("H264");
    assert_eq!(video.main.feedback, Feedback { nack: true, pli: true, ..Feedback::default() });
    assert!(video.rtx.is_none());
}

#[test]
fn a_single_m_line_needs_neither_bundle_nor_mid() {
    let text = OBS.replace("a=group:BUNDLE 0 1\r\n", "").replace("a=mid:0\r\n", "");
    let text = text.split("m=video").next().expect("audio").to_owned();
    let offer = offer(&text);
    assert!(!offer.has_bundle && offer.sections[0].bundled);
    let answer = answer(&offer, &generous(&offer));
    assert!(!answer.contains("a=group") && !answer.contains("a=mid"), "{answer}");
}

fn video_of(text: &str, publisher: &Chosen) -> Option<u8> {
    let offer = offer(text);
    let section = offer.sections.iter().find(|s| s.kind == SectionKind::Video).expect("video");
    matching(section, publisher).map(|chosen| chosen.main.number)
}

#[test]
fn a_subscriber_gets_its_own_number_for_the_publishers_codec() {
    let vp8 = offer(FIREFOX).choose(1).expect("VP8");
    assert_eq!(video_of(CHROMIUM_SUBSCRIBE, &vp8), Some(96));
    assert_eq!(video_of(SAFARI, &vp8), Some(127));
    assert_eq!(video_of(OBS, &vp8), None, "OBS has no VP8");
}

#[test]
fn h264_is_matched_by_profile_and_mode() {
    let obs = offer(OBS).choose(1).expect("H264");
    // Constrained baseline, mode 1: the same at Chromium is 108, not the first H264 in the list (102).
    assert_eq!(video_of(CHROMIUM_SUBSCRIBE, &obs), Some(108));
    assert_eq!(video_of(FIREFOX, &obs), Some(126));
    assert_eq!(video_of(SAFARI, &obs), Some(98));
    // Constrained high of Safari: nobody here decodes it but a decoder of high profile.
    let safari = offer(SAFARI).choose(1).expect("H264");
    assert_eq!(video_of(FIREFOX, &safari), None);
    let high = CHROMIUM_SUBSCRIBE.replace(
        "packetization-mode=1;profile-level-id=42001f",
        "packetization-mode=1;profile-level-id=64001f",
    );
    assert_eq!(video_of(&high, &safari), Some(102));
}

#[test]
fn a_publisher_in_mode_1_is_not_sent_to_a_subscriber_in_mode_0() {
    let publisher = offer(OBS).choose(1).expect("H264");
    let only_mode_0 = OBS.replace("packetization-mode=1;", "");
    assert_eq!(video_of(&only_mode_0, &publisher), None);
    let publisher = offer(&only_mode_0).choose(1).expect("H264");
    assert_eq!(video_of(OBS, &publisher), Some(96), "mode 1 reads mode 0 as well");
}

#[test]
fn redundancy_first_needs_redundancy() {
    let red_first = CHROMIUM_PUBLISH.replace("SAVPF 111 63 9", "SAVPF 63 111 9");
    let publisher = offer(&red_first).choose(0).expect("opus");
    assert!(publisher.red_first);
    let numbers: Vec<_> = publisher.payloads().map(|p| p.number).collect();
    assert_eq!(numbers, [63, 111]);
    assert!(matching(&offer(CHROMIUM_SUBSCRIBE).sections[0], &publisher).is_some());
    assert!(matching(&offer(FIREFOX).sections[0], &publisher).is_none());
}

#[test]
fn fragments_of_whip_clients() {
    let trickle = "a=ice-ufrag:RaAd\r\na=ice-pwd:lndNbYxVCTiVcJtFuYxmehU2\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\n\
                   a=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host\r\na=end-of-candidates\r\n";
    let ice = Fragment::parse(trickle).expect("a fragment").ice.expect("credentials");
    assert_eq!(ice.ufrag, "RaAd");
    assert_eq!(Fragment::parse("a=end-of-candidates\r\n"), Ok(Fragment { ice: None }));
    assert!(Fragment::parse("a=ice-ufrag:RaAd\r\n").is_err());
    assert!(Fragment::parse("v=0\r\n").is_err());
    assert!(Fragment::parse("a=ice-ufrag:a b c d\r\na=ice-pwd:lndNbYxVCTiVcJtFuYxmehU2").is_err());
    assert_eq!(Fragment::parse(&"a=x\n".repeat(100_000)).map_err(|e| e.code()), Err("too_large"));
}
