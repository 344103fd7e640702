//! What commands do to the sound of a call.

use std::time::Duration;

use kaname_sfu::calls::CallsConfig;
use kaname_sfu::ng::Value;

use crate::phone::Phone;
use crate::rtp::{about, call};
use crate::support::{PATIENCE, World, command, config, text};

/// A second of it more than suffices.
const PACKETS: usize = 300;

pub(crate) fn sound_config(ports: (u16, u16), folder: &std::path::Path) -> CallsConfig {
    CallsConfig { recordings: Some(folder.to_owned()), prompts: Some(folder.to_owned()), ..config(ports) }
}

/// Half a second of a tone at 8 kHz, as WAV.
pub(crate) fn wav() -> Vec<u8> {
    let samples: Vec<i16> = (0..4_000_i32).map(|n| ((n * 37) % 16_000 - 8_000) as i16).collect();
    wav_of(&samples)
}

/// Samples at 8 kHz, as WAV.
pub(crate) fn wav_of(samples: &[i16]) -> Vec<u8> {
    let samples: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    let mut file = b"RIFF".to_vec();
    file.extend((36 + samples.len() as u32).to_le_bytes());
    file.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    file.extend(8_000_u32.to_le_bytes());
    file.extend(16_000_u32.to_le_bytes());
    file.extend(b"\x02\0\x10\0data");
    file.extend((samples.len() as u32).to_le_bytes());
    file.extend(samples);
    file
}

/// Speaks silence of A-law while the other listens, until it hears what is wished.
async fn until(
    speaker: &mut Phone,
    to: std::net::SocketAddr,
    listener: &Phone,
    wished: impl Fn(u8, &[u8]) -> bool,
) {
    let mut pace = tokio::time::interval(Duration::from_millis(20));
    let mut left = PACKETS;
    loop {
        tokio::select! {
            heard = listener.hear() => if wished(heard.payload_type, &heard.payload) { return },
            _ = pace.tick() => {
                left = left.checked_sub(1).expect("heard in time");
                speaker.say(to, 8, &[0xd5; 160]).await;
            }
        }
    }
}

#[tokio::test]
async fn media_and_keys_are_blocked_and_let_through() {
    let world = World::start(config((25_000, 25_099)));
    let mut proxy = world.proxy().await;
    let (mut caller, callee) = (Phone::new("127.0.0.1", 1).await, Phone::new("127.0.0.1", 2).await);
    let (to_callee, _) = call(&mut proxy, "c1", &caller, &callee).await;
    // Each order, and whether voice and keys pass from then on.
    for (order, voice, keys) in [
        ("block DTMF", true, false),
        ("unblock DTMF", true, true),
        ("block media", false, true),
        ("unblock media", true, true),
    ] {
        assert_eq!(text(&proxy.ask(about(order, "c1", "a", "")).await, "result"), "ok", "{order}");
        // Figures come from the shard, so what it was told before is done then.
        proxy.ask(about("query", "c1", "a", "")).await;
        // What does not pass goes first: once the other is heard, it has been dropped.
        let mut kinds = [(8, voice), (101, keys)];
        kinds.sort_by_key(|(_, passes)| *passes);
        for (payload_type, passes) in kinds {
            caller.say(to_callee, payload_type, b"1234").await;
            if passes {
                assert_eq!(callee.hear().await.payload_type, payload_type, "{order}");
            }
        }
    }
    let reply = proxy.ask(command("block media").with("call-id", "c1").with("label", "nobody")).await;
    assert!(text(&reply, "error-reason").contains("tag"), "{reply:?}");
}

#[tokio::test]
async fn silence_goes_out_in_place_of_a_voice() {
    let world = World::start(config((25_100, 25_199)));
    let mut proxy = world.proxy().await;
    let (mut caller, callee) = (Phone::new("127.0.0.1", 1).await, Phone::new("127.0.0.1", 2).await);
    let (to_callee, _) = call(&mut proxy, "c1", &caller, &callee).await;
    proxy.ask(about("silence media", "c1", "a", "")).await;
    assert_eq!(world.calls.counters().await.transcoded, 1);
    until(&mut caller, to_callee, &callee, |kind, payload| {
        kind == 8 && payload.iter().all(|b| b & 0x7f == 0x55)
    })
    .await;
    proxy.ask(about("unsilence media", "c1", "a", "")).await;
    assert_eq!(world.calls.counters().await.transcoded, 0);
}

#[tokio::test]
async fn another_key_stands_for_one_that_is_secret() {
    let world = World::start(config((25_400, 25_499)));
    let mut proxy = world.proxy().await;
    let (mut caller, callee) = (Phone::new("127.0.0.1", 1).await, Phone::new("127.0.0.1", 2).await);
    let (to_callee, _) = call(&mut proxy, "c1", &caller, &callee).await;
    let reply = proxy.ask(about("block DTMF", "c1", "a", "").with("DTMF-security", "zero")).await;
    assert_eq!(text(&reply, "result"), "ok", "{reply:?}");
    assert_eq!(world.calls.counters().await.transcoded, 1);
    // Voice first, so that the worker has begun; then a 7, and its end.
    let is_voice = |kind: u8, _: &[u8]| kind == 8;
    until(&mut caller, to_callee, &callee, is_voice).await;
    for end in [0x0a, 0x0a, 0x8a, 0x8a] {
        caller.say_at(to_callee, 101, 9_000, &[7, end, 0, 160]).await;
    }
    let is_key = |kind: u8, payload: &[u8]| {
        assert!(kind != 101 || payload[0] == 0, "the key itself: {payload:?}");
        kind == 101 && payload[1] & 0x80 != 0
    };
    until(&mut caller, to_callee, &callee, is_key).await;
    proxy.ask(about("unblock DTMF", "c1", "a", "")).await;
    assert_eq!(world.calls.counters().await.transcoded, 0);
}

#[tokio::test]
async fn prompts_and_keys_are_played() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("tone.wav"), wav()).unwrap();
    let world = World::start(sound_config((25_200, 25_299), folder.path()));
    let mut proxy = world.proxy().await;
    let (caller, mut callee) = (Phone::new("127.0.0.1", 1).await, Phone::new("127.0.0.1", 2).await);
    let (_, to_caller) = call(&mut proxy, "c1", &caller, &callee).await;
    for (key, value) in [("file", Value::from("tone.wav")), ("blob", Value::Bytes(wav()))] {
        if key == "blob" {
            // Bytes that are no text travel in bencode alone, which this proxy cannot write.
            continue;
        }
        let reply = proxy.ask(about("play media", "c1", "a", "").with(key, value)).await;
        assert_eq!(reply.get("duration").and_then(Value::number), Some(500), "{reply:?}");
        let loud = |kind: u8, payload: &[u8]| kind == 8 && payload.iter().any(|b| (b ^ 0x55) & 0x70 > 0x40);
        until(&mut callee, to_caller, &caller, loud).await;
    }
    let reply = proxy.ask(about("stop media", "c1", "a", "")).await;
    assert_eq!(text(&reply, "result"), "ok");
    // The callee is said to press a key: the caller hears of it as an event.
    let reply = proxy.ask(about("play DTMF", "c1", "b", "").with("code", "5")).await;
    assert_eq!(text(&reply, "result"), "ok", "{reply:?}");
    until(&mut callee, to_caller, &caller, |kind, payload| kind == 101 && payload[0] == 5).await;
    for (wrong, hint) in [("../etc/passwd", ".."), ("none.wav", "none.wav")] {
        let reply = proxy.ask(about("play media", "c1", "a", "").with("file", wrong)).await;
        assert!(text(&reply, "error-reason").contains(hint), "{reply:?}");
    }
    let reply = proxy.ask(about("play media", "c1", "a", "").with("db-id", 5)).await;
    assert!(text(&reply, "error-reason").contains("db-id"), "{reply:?}");
}

/// A WAV file, once its header says how long it is.
pub(crate) async fn whole_file(file: &str) -> Vec<u8> {
    let whole = async {
        loop {
            let bytes = std::fs::read(file).unwrap_or_default();
            if bytes.len() > 4_000
                && u32::from_le_bytes(bytes[4..8].try_into().unwrap()) as usize + 8 == bytes.len()
            {
                return bytes;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, whole).await.unwrap()
}

#[tokio::test]
async fn a_call_is_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::start(sound_config((25_300, 25_399), folder.path()));
    let mut proxy = world.proxy().await;
    let (mut caller, callee) = (Phone::new("127.0.0.1", 1).await, Phone::new("127.0.0.1", 2).await);
    let (to_callee, _) = call(&mut proxy, "c1", &caller, &callee).await;
    let reply = proxy.ask(about("start recording", "c1", "a", "")).await;
    let file = text(&reply, "file").to_owned();
    assert!(file.ends_with(".wav"), "{reply:?}");
    let mut count = 0;
    let mut pace = tokio::time::interval(Duration::from_millis(20));
    while count < 25 {
        pace.tick().await;
        caller.say(to_callee, 8, &[0x2a; 160]).await;
        count += 1;
    }
    assert_eq!(text(&proxy.ask(about("pause recording", "c1", "a", "")).await, "result"), "ok");
    assert_eq!(text(&proxy.ask(about("stop recording", "c1", "a", "")).await, "file"), file);
    let bytes = whole_file(&file).await;
    assert_eq!(&bytes[..4], b"RIFF");
    let reply =
        proxy.ask(about("start recording", "c1", "a", "").with("output-destination", "../x.wav")).await;
    assert_eq!(text(&reply, "result"), "error");
}

#[tokio::test]
async fn a_recording_goes_on_with_other_codecs() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::start(sound_config((25_500, 25_599), folder.path()));
    let mut proxy = world.proxy().await;
    let (mut caller, callee) = (Phone::new("127.0.0.1", 1).await, Phone::new("127.0.0.1", 2).await);
    let (to_callee, _) = call(&mut proxy, "c1", &caller, &callee).await;
    let reply = proxy.ask(about("start recording", "c1", "a", "")).await;
    let file = text(&reply, "file").to_owned();
    let mut pace = tokio::time::interval(Duration::from_millis(20));
    for kind in [8, 0] {
        // Loud in either law.
        for _ in 0..30 {
            pace.tick().await;
            caller.say(to_callee, kind, &[0x2a; 160]).await;
        }
        if kind == 8 {
            proxy.describe(about("offer", "c1", "a", "b").with("sdp", caller.describe("0", &[]))).await;
            proxy.describe(about("answer", "c1", "a", "b").with("sdp", callee.describe("0", &[]))).await;
        }
    }
    proxy.ask(about("stop recording", "c1", "a", "")).await;
    let bytes = whole_file(&file).await;
    let left: Vec<i16> =
        bytes[44..].chunks_exact(4).map(|both| i16::from_le_bytes([both[0], both[1]])).collect();
    let loud = |part: &[i16]| part.iter().filter(|sample| sample.unsigned_abs() > 2_000).count();
    let (first, second) = left.split_at(left.len() / 2);
    assert!(loud(first) > 2_400, "{} of {}", loud(first), first.len());
    assert!(loud(second) > 2_400, "{} of {}", loud(second), second.len());
    assert!(world.calls.counters().await.commands_failed_total.is_empty());
}
