use kaname_engine::audio::{AudioError, AudioEvent, Key, KeyEvent};
use kaname_engine::{EngineEvent, ShardId};

use super::fake::{Bench, about, config, sdp};
use crate::ng::Value;

#[test]
fn orders_change_what_passes() {
    let mut bench = Bench::new(config());
    bench.call("c");
    bench.told();
    for (order, told) in [
        ("block DTMF", vec!["route 1 to 5 8>8"]),
        ("block media", vec!["unroute 5"]),
        ("unblock DTMF", vec!["route 1 to 5 101>101"]),
        ("unblock media", vec!["route 1 to 5 8>8 101>101"]),
    ] {
        assert_eq!(bench.ask(about(order, "c", "a", "")).text("result"), Some("ok"));
        assert_eq!(bench.told(), told, "{order}");
    }
    bench.ask(about("silence media", "c", "a", ""));
    let told = bench.told();
    assert!(told.contains(&"set Muted(true)".to_owned()) && told[0].starts_with("export"), "{told:?}");
    bench.ask(about("unsilence media", "c", "a", ""));
    let told = bench.told();
    assert_eq!(
        told[0], "route 1 to 5 8>8 101>101",
        "first the new way, then the end of the old one: {told:?}"
    );
    assert!(told.contains(&"remove worker's".to_owned()) && told.contains(&"end export".to_owned()));
}

#[test]
fn all_is_the_whole_call_also_where_a_tag_stands_beside_it() {
    let mut bench = Bench::new(config());
    bench.call("c");
    bench.told();
    bench.ask(about("block media", "c", "a", "").with("all", "all"));
    assert_eq!(bench.told(), ["route 4 to 2 101>101", "route 1 to 5 101>101"], "both directions, but keys");
    bench.ask(about("unblock media", "c", "a", ""));
    assert_eq!(bench.told(), Vec::<String>::new(), "the call's order is not the party's");
    bench.ask(about("unblock media", "c", "a", "").with("all", "all"));
    assert_eq!(bench.told().len(), 2);
}

#[test]
fn keys_go_through_a_worker_to_who_hears_them() {
    let mut bench = Bench::new(config());
    bench.call("c");
    bench.told();
    let reply = bench.ask(about("play DTMF", "c", "a", "").with("digit", "#"));
    assert_eq!(reply.text("result"), Some("ok"), "{reply:?}");
    let told = bench.told();
    assert_eq!(told.last().map(String::as_str), Some("press #"), "{told:?}");
    let reply = bench.ask(about("play DTMF", "c", "nobody", "").with("digit", "1"));
    assert!(reply.text("error-reason").unwrap().contains("tag"));
}

#[test]
fn a_recording_listens_to_both() {
    let mut bench = Bench::new(config());
    bench.call("c");
    bench.told();
    let reply = bench.ask(about("start recording", "c", "a", ""));
    assert!(reply.text("file").unwrap().starts_with("/srv/recordings/call-c-"), "{reply:?}");
    let told = bench.told();
    assert_eq!(told.iter().filter(|line| *line == "tap").count(), 2, "{told:?}");
    assert_eq!(told.last().map(String::as_str), Some("record 2"));
    bench.ask(about("delete", "c", "a", "b"));
    let told = bench.told();
    assert_eq!(
        told.iter().filter(|line| *line == "remove worker's").count(),
        3,
        "recorder and taps: {told:?}"
    );
}

#[test]
fn keys_are_masked_by_a_worker_for_who_is_named() {
    let mut bench = Bench::new(config());
    bench.call("c");
    bench.told();
    let block = |bench: &mut Bench, mode: &str| {
        let reply = bench.ask(about("block DTMF", "c", "a", "").with("DTMF-security", mode));
        assert_eq!(reply.text("result"), Some("ok"), "{mode}: {reply:?}");
        bench.told()
    };
    let told = block(&mut bench, "silence");
    assert_eq!(
        told.iter().filter(|line| line.starts_with("transcode")).count(),
        1,
        "one side alone: {told:?}"
    );
    assert!(told.contains(&"set Mask(Some(KeyMask { by: Silence, volume: 10 }))".to_owned()), "{told:?}");
    // Another mode changes the mask and nothing else.
    assert_eq!(block(&mut bench, "zero"), ["set Mask(Some(KeyMask { by: Key(Key('0')), volume: 10 }))"]);
    let request = about("block DTMF", "c", "a", "").with("DTMF-security", "tone");
    bench.ask(request.with("frequencies", "500,600").with("volume", -20));
    let told = bench.told();
    assert!(told.len() == 1 && told[0].contains("Tone") && told[0].contains("volume: 20"), "{told:?}");
    assert!(told[0].contains("500, 600"), "{told:?}");
    let told = block(&mut bench, "random");
    assert!(told.len() == 1 && told[0].contains("Random"), "{told:?}");
    // With `drop` no worker is in the way.
    let told = block(&mut bench, "drop");
    assert_eq!(told[0], "route 1 to 5 8>8", "{told:?}");
    assert!(told.contains(&"remove worker's".to_owned()));
    assert_eq!(block(&mut bench, "off"), ["route 1 to 5 8>8 101>101"]);
    let reply = bench.ask(about("block DTMF", "c", "a", "").with("DTMF-security", "DTMF"));
    assert!(reply.text("error-reason").unwrap().contains("digit"), "{reply:?}");
    assert!(bench.told().is_empty());
    bench.ask(about("block DTMF", "c", "a", "").with("DTMF-security", "DTMF").with("digit", "9"));
    assert!(bench.told().iter().any(|line| line.contains("Key('9')")));
    bench.ask(about("unblock DTMF", "c", "a", ""));
    assert_eq!(bench.told()[0], "route 1 to 5 8>8 101>101");
}

#[test]
fn a_whole_call_and_a_side_are_masked_apart() {
    let mut bench = Bench::new(config());
    bench.call("c");
    bench.told();
    let whole = || crate::ng::Dictionary::new().with("call-id", "c").with("DTMF-security", "silence");
    bench.ask(whole().with("command", "block DTMF"));
    let masks = |told: &[String]| told.iter().filter(|line| line.starts_with("set Mask(Some")).count();
    assert_eq!(masks(&bench.told()), 2, "both directions");
    bench.ask(about("block DTMF", "c", "b", "").with("DTMF-security", "zero"));
    assert_eq!(masks(&bench.told()), 1);
    // The call's order is taken back; the side's stays.
    bench.ask(whole().with("command", "unblock DTMF"));
    let told = bench.told();
    assert_eq!(told.iter().filter(|line| *line == "remove worker's").count(), 1, "{told:?}");
    bench.ask(whole().with("command", "unblock DTMF").with("all", "all"));
    assert!(bench.told().contains(&"remove worker's".to_owned()));
}

#[test]
fn a_codec_that_is_not_coded_here_loses_its_key_events_at_least() {
    let mut bench = Bench::new(config());
    let offered = |bench: &mut Bench, command: &str, ip: &str| {
        bench.describe(about(command, "c", "a", "b").with("sdp", sdp(ip, 4_000, "RTP/AVP 18 101", "")))
    };
    offered(&mut bench, "offer", "203.0.113.1");
    offered(&mut bench, "answer", "203.0.113.2");
    bench.told();
    let reply = bench.ask(about("block DTMF", "c", "a", "").with("DTMF-security", "silence"));
    assert!(reply.text("warning").unwrap().contains("not coded here"), "{reply:?}");
    assert_eq!(bench.told(), ["route 1 to 5 18>18"]);
}

/// What the log has at any level while something is done.
pub(super) fn logged(act: impl FnOnce()) -> String {
    use std::io::Write;
    use std::sync::{Arc, Mutex};
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);
    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("not poisoned").extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let lines = Lines::default();
    let writer = lines.clone();
    let log = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_ansi(false).without_time();
    tracing::subscriber::with_default(log.with_writer(move || writer.clone()).finish(), act);
    let bytes = lines.0.lock().expect("not poisoned").clone();
    String::from_utf8(bytes).expect("text")
}

#[test]
fn detected_keys_are_logged_and_counted_and_secret_ones_without_their_names() {
    let mut bench = Bench::new(config());
    let flags = Value::List(vec![Value::from("detect-DTMF")]);
    let offer = about("offer", "c", "a", "").with("flags", flags);
    bench.describe(offer.with("sdp", sdp("203.0.113.1", 4_000, "RTP/AVP 8 101", "")));
    bench
        .describe(about("answer", "c", "a", "b").with("sdp", sdp("203.0.113.2", 5_000, "RTP/AVP 8 101", "")));
    let told = bench.told();
    assert_eq!(told.iter().filter(|line| *line == "tap").count(), 2, "{told:?}");
    assert!(told.contains(&"route 1 to 5 8>8 101>101".to_owned()), "packets pass as before: {told:?}");
    let (_, tap) = bench.state.calls.values().next().unwrap().told.taps().next().unwrap();
    let press = |bench: &mut Bench| {
        let key = Key::from_char('7').unwrap();
        logged(|| {
            for event in [KeyEvent::Down(key), KeyEvent::Up(key, 80)] {
                let event = EngineEvent::Audio(AudioEvent::Key { id: tap, event });
                bench.state.event(bench.now, ShardId(1), event);
            }
        })
    };
    let log = press(&mut bench);
    assert!(log.contains("INFO") && log.contains("tag=a") && log.contains("key='7'"), "{log}");
    bench.ask(about("block DTMF", "c", "a", "").with("DTMF-security", "drop"));
    let log = press(&mut bench);
    assert!(log.contains("a key was pressed") && log.contains("ms=80"), "{log}");
    assert!(!log.contains("key=") && !log.contains('7'), "{log}");
    let call = bench.state.calls.values().next().unwrap();
    assert_eq!((call.parties[0].keys_heard, call.parties[1].keys_heard), (2, 0));
    let record = logged(|| {
        bench.ask(about("delete", "c", "a", "b"));
    });
    assert!(record.contains("\"keys\":2") || record.contains("\\\"keys\\\":2"), "{record}");
}

#[test]
fn a_recording_goes_on_after_other_codecs_and_other_phones() {
    let mut bench = Bench::new(config());
    bench.call("c");
    bench.ask(about("start recording", "c", "a", ""));
    bench.told();
    let exchange = |bench: &mut Bench, formats: &str| {
        for (command, ip) in [("offer", "203.0.113.1"), ("answer", "203.0.113.2")] {
            let text = sdp(ip, 4_000, &format!("RTP/AVP {formats}"), "");
            bench.describe(about(command, "c", "a", "b").with("sdp", text));
        }
        bench.told()
    };
    let told = exchange(&mut bench, "9");
    assert_eq!(told.iter().filter(|line| *line == "tap").count(), 2, "{told:?}");
    assert!(told.contains(&"record from 2 of 2".to_owned()), "{told:?}");
    // The same again changes nothing of the recording.
    let told = exchange(&mut bench, "9");
    assert!(!told.iter().any(|line| line.starts_with("record") || line == "tap"), "{told:?}");
    // Somebody else comes in the place of who leaves.
    bench.describe(about("offer", "c", "a", "d").with("sdp", sdp("203.0.113.1", 4_000, "RTP/AVP 8", "")));
    bench.describe(about("answer", "c", "a", "d").with("sdp", sdp("203.0.113.4", 4_000, "RTP/AVP 8", "")));
    bench.told();
    bench.ask(about("delete", "c", "a", "b"));
    let told = bench.told();
    assert!(told.contains(&"record from 2 of 2".to_owned()), "{told:?}");
    assert_eq!(bench.ask(about("stop recording", "c", "a", "")).text("result"), Some("ok"));
}

#[test]
fn a_recorder_that_failed_is_forgotten() {
    let mut bench = Bench::new(config());
    bench.call("c");
    bench.ask(about("start recording", "c", "a", ""));
    bench.told();
    let id = bench.state.calls.values().next().unwrap().recording.as_ref().unwrap().id();
    let event = AudioEvent::Failed { id, why: AudioError::Recorders };
    bench.state.event(bench.now, ShardId(1), EngineEvent::Audio(event));
    let told = bench.told();
    assert_eq!(
        told.iter().filter(|line| *line == "remove worker's").count(),
        2,
        "nobody is listened to: {told:?}"
    );
    // Another may begin.
    let reply = bench.ask(about("start recording", "c", "a", ""));
    assert!(reply.text("file").is_some(), "{reply:?}");
}
