//! Against the real one.

use super::*;
use crate::compare::command;

/// One turn end to end: calls are set up over `ng`, and every packet comes out, authenticates and is what was sent.
#[test]
#[ignore = "full suite: rtpengine-daemon, two processors"]
fn calls_are_relayed_and_every_packet_is_equal() {
    let (_, rows) =
        command::compare(&command::Options::of(&["rtpengine"], &["rtp-srtp-20"])).expect("a comparison");
    let suites: Vec<&str> = rows.iter().map(|row| row.suite.as_str()).collect();
    assert_eq!(suites, [Suite::Cm.name(), Suite::Gcm128.name()]);
    for row in rows {
        assert_eq!((row.refused, row.lost), (None, 0));
        assert_eq!(row.due, 20 * 50);
        assert!(row.cpu_us_per_packet.is_some_and(|us| us > 0.0));
    }
}

#[test]
#[ignore = "full suite: rtpengine-daemon, two processors"]
fn several_run_beside_each_other() {
    let place = Placement { real_time: false, ..Placement::find().expect("two processors") };
    let mut running: Vec<_> = (0..3).map(|_| start(&place).expect("it answers")).collect();
    for (number, (process, ng)) in running.iter_mut().enumerate() {
        call(ng, number, Suite::Cm).expect("a call");
        assert!(process.is_alive());
    }
}
