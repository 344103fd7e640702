//! Against a real relay.

use super::CASES;
use super::command::{Asked, Options, rows};

/// Every kind of call through a relay that is not ours.
#[test]
#[ignore = "full suite: rtpengine-daemon, ffmpeg, two processors"]
fn calls_of_every_kind_go_through_rtpengine_and_are_heard() {
    let rows = rows(&Options::of("rtpengine", &[], 3)).expect("rows");
    assert_eq!(rows.len(), CASES.len());
    for row in rows {
        assert_eq!((row.refused, row.lost), (None, 0), "{}", row.case);
        assert!(
            row.due == 3 * 2 * 50 * 2 && row.cpu_us_per_packet.is_some_and(|us| us > 0.0),
            "{}",
            row.case
        );
    }
}

#[test]
fn what_does_not_exist_is_named() {
    let why = |options: &Options| Asked::of(options).err().map(|error| error.to_string()).unwrap_or_default();
    assert!(why(&Options::of("asterisk", &[], 1)).contains("kaname, rtpengine"));
    assert!(why(&Options::of("rtpengine", &["pcma-mp3"], 1)).contains("pcma-opus"));
    let far = Options { ng: "192.0.2.1:2223".parse().ok(), ..Options::of("kaname", &[], 1) };
    assert!(why(&far).contains("--allow-remote"));
}
