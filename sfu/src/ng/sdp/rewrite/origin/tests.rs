use super::*;

fn text(username: &str, version: &str, port: u16) -> String {
    format!(
        "v=0\r\no={username} 42 {version} IN IP4 192.0.2.1\r\ns={username}\r\nt=0 0\r\nm=audio {port} RTP/AVP 0\r\n"
    )
}

#[test]
fn without_rules_nothing_changes() {
    let mut keeper = OriginKeeper::default();
    let first = text("alice", "7", 4000);
    assert_eq!(keeper.apply(first.clone(), OriginRules::default()), first);
}

#[test]
fn the_version_counts_changes_and_nothing_else() {
    let rules = OriginRules { version: true, ..OriginRules::default() };
    let mut keeper = OriginKeeper::default();
    assert_eq!(keeper.apply(text("alice", "7", 4000), rules), text("alice", "7", 4000));
    // The peer counts although nothing changed, then changes without counting.
    assert_eq!(keeper.apply(text("alice", "9", 4000), rules), text("alice", "7", 4000));
    assert_eq!(keeper.apply(text("alice", "9", 4002), rules), text("alice", "8", 4002));
    assert_eq!(keeper.apply(text("alice", "2", 4002), rules), text("alice", "8", 4002));
    let forced = OriginRules { force: true, ..OriginRules::default() };
    assert_eq!(keeper.apply(text("alice", "2", 4002), forced), text("alice", "9", 4002));
}

#[test]
fn names_stay_as_they_were_first() {
    let rules = OriginRules { username: true, session_name: true, ..OriginRules::default() };
    let mut keeper = OriginKeeper::default();
    keeper.apply(text("alice", "1", 4000), rules);
    assert_eq!(keeper.apply(text("bob", "5", 4002), rules), text("alice", "5", 4002));
}

#[test]
fn a_version_beyond_64_bits_is_counted_all_the_same() {
    let rules = OriginRules { version: true, ..OriginRules::default() };
    let mut keeper = OriginKeeper::default();
    let huge = text("-", "99999999999999999999999", 4000);
    assert_eq!(keeper.apply(huge, rules), text("-", "1", 4000));
}
