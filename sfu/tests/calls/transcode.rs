//! Calls between phones without a common codec.

use std::net::SocketAddr;
use std::time::Duration;

use kaname_engine::audio::{Codec, Codecs, OpusConfig, Rate};
use kaname_sfu::ng::Dictionary;

use crate::phone::{Heard, Phone, rtp_address};
use crate::rtp::{about, list};
use crate::support::{PATIENCE, World, config};

/// A second of it is more than any pipeline needs to begin.
const PACKETS: usize = 200;

/// Speaks a tone in packets of 20 ms while the other listens, until what it hears is as wished.
async fn until(
    speaker: &mut Phone,
    to: SocketAddr,
    payload_type: u8,
    payloads: &[Vec<u8>],
    listener: &Phone,
    mut is_wished: impl FnMut(&Heard) -> bool,
) {
    let mut pace = tokio::time::interval(Duration::from_millis(20));
    let mut packets = payloads.iter().cycle().take(PACKETS);
    loop {
        tokio::select! {
            heard = listener.hear() => if is_wished(&heard) { return },
            _ = pace.tick() => match packets.next() {
                Some(payload) => speaker.say(to, payload_type, payload).await,
                None => panic!("never heard"),
            },
        }
    }
}

/// A tone, encoded.
fn tone(codec: Codec) -> Vec<Vec<u8>> {
    let rate = codec.rate_max();
    let mut encoder = Codecs::built_in().encoder(codec, rate).unwrap();
    let mut at = 0.0_f32;
    let packet = |_| {
        let step = std::f32::consts::TAU * 440.0 / rate.hz() as f32;
        let samples: Vec<i16> = (0..rate.samples(20))
            .map(|_| {
                at += step;
                (8_000.0 * at.sin()) as i16
            })
            .collect();
        let mut out = [0; 1_500];
        let length = encoder.encode(&samples, &mut out).unwrap();
        out[..length].to_vec()
    };
    (0..50).map(packet).collect()
}

/// Whether a payload sounds like something.
fn loud(codec: Codec) -> impl FnMut(&Heard) -> bool {
    let rate = Rate::K8;
    let mut decoder = Codecs::built_in().decoder(codec, codec.rate_for(rate)).unwrap();
    move |heard| {
        let mut out = [0; 6_000];
        let samples = decoder.decode(&heard.payload, &mut out).unwrap();
        let energy: f64 = out[..samples].iter().map(|sample| f64::from(*sample).powi(2)).sum();
        (energy / samples.max(1) as f64).sqrt() > 1_000.0
    }
}

fn transcoded(offer: Dictionary) -> Dictionary {
    offer.with("codec", Dictionary::new().with("mask", list(&["PCMA"])).with("transcode", list(&["opus"])))
}

#[tokio::test]
async fn a_law_becomes_opus_and_back() {
    let world = World::start(config((24_000, 24_099)));
    let mut proxy = world.proxy().await;
    let (mut caller, mut callee) = (Phone::new("127.0.0.1", 1).await, Phone::new("127.0.0.1", 2).await);
    let offer = caller.describe("8 101", &["a=rtpmap:101 telephone-event/8000"]);
    let offered = proxy.describe(transcoded(about("offer", "c1", "a", "").with("sdp", offer))).await;
    let formats = crate::phone::media(&offered).formats;
    let opus = formats.iter().find(|format| format.is_named("opus")).unwrap_or_else(|| panic!("{offered}"));
    assert!(formats.iter().all(|format| !format.is_named("PCMA")), "{offered}");
    let number = opus.payload_type;
    let answer = callee.describe(&number.to_string(), &[&format!("a=rtpmap:{number} opus/48000/2")]);
    let answered = proxy.describe(about("answer", "c1", "a", "b").with("sdp", answer)).await;
    assert!(crate::phone::media(&answered).formats[0].is_named("PCMA"), "{answered}");
    let (to_callee, to_caller) = (rtp_address(&answered), rtp_address(&offered));
    let opus = Codec::Opus(OpusConfig::default());

    let mut is_loud = loud(opus);
    let wished = |heard: &Heard| heard.payload_type == number && is_loud(heard);
    until(&mut caller, to_callee, 8, &tone(Codec::Pcma), &callee, wished).await;
    let mut is_loud = loud(Codec::Pcma);
    let wished = |heard: &Heard| heard.payload_type == 8 && heard.payload.len() == 160 && is_loud(heard);
    until(&mut callee, to_caller, number, &tone(opus), &caller, wished).await;
    assert_eq!(world.calls.counters().await.transcoded, 2);

    // Both find that they have a codec in common: the worker is not needed any more.
    let offer = caller.describe("0", &[]);
    let offered = proxy.describe(about("offer", "c1", "a", "b").with("sdp", offer)).await;
    let answered =
        proxy.describe(about("answer", "c1", "a", "b").with("sdp", callee.describe("0", &[]))).await;
    let heard = caller.say_until_heard(rtp_address(&answered), &callee, 0, b"as it is").await;
    let heard = if heard.payload == b"as it is" { heard } else { latest(&callee).await };
    assert_eq!((heard.payload.as_slice(), heard.payload_type), (&b"as it is"[..], 0));
    callee.say_until_heard(rtp_address(&offered), &caller, 0, b"and back").await;
    assert_eq!(world.calls.counters().await.transcoded, 0);
    assert!(world.calls.counters().await.commands_failed_total.is_empty());
}

/// What comes once all that was on its way has come.
async fn latest(phone: &Phone) -> Heard {
    let listening = async {
        loop {
            let heard = phone.hear().await;
            if heard.payload_type == 0 {
                return heard;
            }
        }
    };
    tokio::time::timeout(PATIENCE, listening).await.unwrap()
}
