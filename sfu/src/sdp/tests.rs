//! Offers of real clients and hostile ones; answers.

mod answers;
mod hostile;
mod offers;
mod random;

use std::net::SocketAddr;

use super::*;

/// Offers as Chromium 15x makes them (four of them), and in the form of the other clients.
const CHROMIUM_PUBLISH: &str = include_str!("../../tests/fixtures/offers/chromium-publish.sdp");
const CHROMIUM_SUBSCRIBE: &str = include_str!("../../tests/fixtures/offers/chromium-subscribe.sdp");
const CHROMIUM_SIMULCAST: &str = include_str!("../../tests/fixtures/offers/chromium-simulcast.sdp");
const CHROMIUM_BALANCED: &str = include_str!("../../tests/fixtures/offers/chromium-balanced.sdp");
const FIREFOX: &str = include_str!("../../tests/fixtures/offers/firefox-publish.sdp");
const SAFARI: &str = include_str!("../../tests/fixtures/offers/safari-publish.sdp");
const OBS: &str = include_str!("../../tests/fixtures/offers/obs-whip.sdp");
const STR0M: &str = include_str!("../../tests/fixtures/offers/str0m-publish.sdp");

const ALL: [&str; 8] = [
    CHROMIUM_PUBLISH,
    CHROMIUM_SUBSCRIBE,
    CHROMIUM_SIMULCAST,
    CHROMIUM_BALANCED,
    FIREFOX,
    SAFARI,
    OBS,
    STR0M,
];

fn offer(text: &str) -> Offer {
    Offer::parse(text).expect("a good offer")
}

/// An answer that takes everything: what is offered to send is received, and the other way round.
fn generous(offer: &Offer) -> Vec<AnswerSection> {
    let answer = |(index, section): (usize, &Section)| match section.kind {
        SectionKind::Data => AnswerSection::Data { max_message_size: 65_536 },
        SectionKind::Audio | SectionKind::Video => match offer.choose(index) {
            Ok(chosen) => AnswerSection::Media(Box::new(AnswerMedia {
                send: section.direction.receives().then(|| identity(&chosen)),
                receive: section.direction.sends(),
                layers: section.layers.iter().map(|l| l.id.clone()).collect(),
                chosen,
            })),
            Err(_) => AnswerSection::Rejected,
        },
        SectionKind::Other => AnswerSection::Rejected,
    };
    offer.sections.iter().enumerate().map(answer).collect()
}

fn identity(chosen: &Chosen) -> SendIdentity {
    SendIdentity {
        ssrc: 1111,
        rtx_ssrc: chosen.rtx.as_ref().map(|_| 2222),
        cname: "p_ada".into(),
        stream: "p_ada".into(),
        track: "t_one".into(),
    }
}

fn answer(offer: &Offer, sections: &[AnswerSection]) -> String {
    let ice = Ice { ufrag: "nodeufrag2".into(), pwd: "nodepassword23456789abcdefghijkl".into() };
    let addresses: [SocketAddr; 2] =
        ["192.0.2.1:7000".parse().expect("v4"), "[2001:db8::1]:7000".parse().expect("v6")];
    let spec = AnswerSpec {
        session_id: 42,
        version: 3,
        ice: &ice,
        fingerprint: "sha-256 00:11",
        addresses: &addresses,
        tcp: true,
    };
    build(offer, &spec, sections).expect("an answer")
}
