use proptest::prelude::*;

use super::*;
use crate::ng::sdp::limits::CRYPTO_KEYS;

/// Keys that count up, so that each is another.
fn counting() -> impl FnMut(&mut [u8]) {
    let mut next = 0;
    move |key: &mut [u8]| {
        next += 1;
        key.fill(next);
    }
}

fn line(tag: u32, suite: Suite) -> CryptoLine {
    CryptoLine::new(tag, suite, InlineKey::new(suite, &vec![7; suite.key_len()]).unwrap())
}

fn suites(lines: &[CryptoLine]) -> Vec<(u32, Suite)> {
    lines.iter().map(|line| (line.tag, line.suite)).collect()
}

const KEY: &str = "inline:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd";

#[test]
fn every_suite_is_read_and_printed() {
    for suite in Suite::ALL {
        let line = line(3, suite);
        for pad in [true, false] {
            let text = line.print(pad);
            assert_eq!(CryptoLine::parse(&text).as_ref(), Ok(&line), "{}", *text);
            assert!(text.starts_with(&format!("3 {} inline:", suite.name())));
        }
        assert_eq!(Suite::parse(&suite.name().to_ascii_lowercase()), Some(suite));
        assert_eq!(line.keying().map(|keying| keying.profile()), suite.profile());
        if let Some(profile) = suite.profile() {
            assert_eq!(Suite::of_profile(profile), Some(suite));
        }
    }
    let gcm = line(1, Suite::AeadAes256Gcm);
    assert!(gcm.print(true).ends_with('=') && !gcm.print(false).ends_with('='));
}

/// RFC 4568 section 9.1's examples in form, with what else phones write.
#[test]
fn lines_that_are_read() {
    let read = |rest: &str| CryptoLine::parse(&format!("1 AES_CM_128_HMAC_SHA1_80 {KEY}{rest}")).unwrap();
    assert!(read("").parameters.are_plain());
    assert_eq!(read("|2^20").keys[0].lifetime.as_deref(), Some("2^20"));
    assert_eq!(read("|1048576").keys[0].lifetime.as_deref(), Some("1048576"));
    assert_eq!(read("|2^20|1:4").keys[0].mki, Some(Mki { value: 1, len: 4 }));
    assert_eq!(read("|1:4").keys[0].mki, Some(Mki { value: 1, len: 4 }));
    assert_eq!(read(&format!("|2^20|1:4;{KEY}|2^20|2:4")).keys.len(), 2);
    let parameters =
        read(" KDR=1 unencrypted_srtp UNENCRYPTED_SRTCP UNAUTHENTICATED_SRTP WSH=128 -x=1").parameters;
    assert_eq!((parameters.kdr, parameters.wsh), (1, Some(128)));
    assert!(parameters.unencrypted_srtp && parameters.unencrypted_srtcp && parameters.unauthenticated_srtp);
    let alias = CryptoLine::parse(
        "9 AES_CM_256_HMAC_SHA1_32 inline:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLQ",
    );
    assert!(alias.unwrap().print(false).starts_with("9 AES_CM_256_HMAC_SHA1_32 "));
}

#[test]
fn lines_that_are_refused() {
    use CryptoRefused::*;
    let suite = "AES_CM_128_HMAC_SHA1_80";
    let keys = vec![format!("{KEY}|1:1"); CRYPTO_KEYS + 1].join(";");
    for (text, why) in [
        (String::new(), Shape),
        (format!("x {suite} {KEY}"), Shape),
        (format!("-1 {suite} {KEY}"), Shape),
        (format!("1234567890 {suite} {KEY}"), Shape),
        (format!("1 {suite}"), Shape),
        (format!("1 {suite} uri:{KEY}"), Shape),
        (format!("1 ROT13 {KEY}"), Suite),
        (format!("1 {suite} inline:AAECAwQF"), Key),
        (format!("1 {suite} inline:AAEC*wQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd"), Key),
        (format!("1 AES_256_CM_HMAC_SHA1_80 {KEY}"), Key),
        (format!("1 {suite} {KEY}|0"), KeyInfo),
        (format!("1 {suite} {KEY}|2^49"), KeyInfo),
        (format!("1 {suite} {KEY}|2^31|2^31"), KeyInfo),
        (format!("1 {suite} {KEY}|1:0"), KeyInfo),
        (format!("1 {suite} {KEY}|1:129"), KeyInfo),
        (format!("1 {suite} {KEY}|256:1"), KeyInfo),
        (format!("1 {suite} {KEY}|1:4|2:4"), KeyInfo),
        (format!("1 {suite} {KEY};{KEY}"), Keys),
        (format!("1 {suite} {keys}"), Keys),
        (format!("1 {suite} {KEY} KDR=25"), Parameter),
        (format!("1 {suite} {KEY} WSH=1"), Parameter),
        (format!("1 {suite} {KEY} FEC_ORDER=FEC_SRTP"), Parameter),
        (format!("1 {suite} {KEY} NEW_THING"), Parameter),
    ] {
        assert_eq!(CryptoLine::parse(&text), Err(why), "{text}");
    }
}

/// What the engine cannot do must not look as if it could.
#[test]
fn lines_that_cannot_be_used_have_no_keying() {
    for rest in ["|2^31|1:4", " UNENCRYPTED_SRTP", " UNENCRYPTED_SRTCP", " UNAUTHENTICATED_SRTP", " KDR=2"] {
        let line = CryptoLine::parse(&format!("1 AES_CM_128_HMAC_SHA1_80 {KEY}{rest}")).unwrap();
        assert!(line.keying().is_none(), "{rest}");
    }
    let both = format!("1 AES_CM_128_HMAC_SHA1_32 {KEY} UNENCRYPTED_SRTP UNENCRYPTED_SRTCP");
    let keying = CryptoLine::parse(&both).unwrap().keying().unwrap();
    assert_eq!(keying.profile(), kaname_engine::srtp::Profile::NullSha1_32, "neither is the NULL suite");
}

#[test]
fn what_is_offered() {
    use Suite::*;
    let all: Vec<Suite> = Suite::ALL[..8].to_vec();
    let made =
        |received: &[CryptoLine], rules: CryptoRules| suites(&offer(received, &rules, &[], &mut counting()));
    // By itself: everything but F8 and NULL, tags from 1.
    let plain = made(&[], CryptoRules::default());
    assert_eq!(plain.iter().map(|row| row.1).collect::<Vec<_>>(), all);
    assert_eq!(plain.iter().map(|row| row.0).collect::<Vec<_>>(), (1..=8).collect::<Vec<_>>());
    // What came is first and keeps its tags; the rest takes free ones.
    let came = [line(2, Aes128CmSha1_32), line(5, F8Sha1_80), line(9, NullSha1_80)];
    let passed = made(&came, CryptoRules::default());
    assert_eq!(passed[..3], [(2, Aes128CmSha1_32), (1, AeadAes256Gcm), (3, AeadAes128Gcm)]);
    assert_eq!(passed.len(), 8);
    let rules = CryptoRules { no_new: true, without: vec![Aes128CmSha1_32], ..CryptoRules::default() };
    assert_eq!(made(&came, rules), [(2, Aes128CmSha1_32)], "nonew counts more than no-");
    let rules = CryptoRules { without: vec![Aes128CmSha1_32, AeadAes256Gcm], ..CryptoRules::default() };
    assert_eq!(made(&came, rules).len(), 6);
    let rules = CryptoRules { only: vec![NullSha1_80], without: vec![NullSha1_80], ..CryptoRules::default() };
    assert_eq!(
        made(&came, rules),
        [(9, NullSha1_80)],
        "only- counts more than no-, and names the NULL suite"
    );
    let rules = CryptoRules { order: vec![Aes192CmSha1_80, AeadAes128Gcm], ..CryptoRules::default() };
    assert_eq!(made(&[], rules)[..3], [(5, Aes192CmSha1_80), (2, AeadAes128Gcm), (1, AeadAes256Gcm)]);
}

#[test]
fn a_second_offer_repeats_the_keys_of_the_first() {
    let mut fill = counting();
    let rules = CryptoRules { lifetime: true, ..CryptoRules::default() };
    let first = offer(&[], &rules, &[], &mut fill);
    assert_eq!(offer(&[], &rules, &first, &mut fill), first);
    assert_ne!(offer(&[], &rules, &[], &mut fill), first);
    assert!(first[0].print(false).ends_with("|2^31"));
    let keys: std::collections::HashSet<_> =
        first.iter().map(|line| line.print(false)[30..].to_owned()).collect();
    assert_eq!(keys.len(), first.len(), "no key twice");
}

#[test]
fn what_is_answered() {
    use Suite::*;
    let came = [line(1, F8Sha1_80), line(2, NullSha1_80), line(3, Aes128CmSha1_32), line(4, AeadAes256Gcm)];
    let taken = |rules: CryptoRules| {
        answer(&came, &rules, None, &mut counting()).map(|pair| {
            assert_eq!((pair.ours.tag, pair.ours.suite), (pair.theirs.tag, pair.theirs.suite));
            (pair.ours.tag, pair.ours.suite)
        })
    };
    assert_eq!(taken(CryptoRules::default()), Some((3, Aes128CmSha1_32)), "the first that can be used");
    let mut other_way = came.to_vec();
    other_way.reverse();
    let pair = answer(&other_way, &CryptoRules::default(), None, &mut counting()).unwrap();
    assert_eq!(pair.ours.suite, AeadAes256Gcm, "and in the other order the other");
    let prefer = CryptoRules { prefer: vec![Aes256CmSha1_80, AeadAes256Gcm], ..CryptoRules::default() };
    assert_eq!(taken(prefer), Some((4, AeadAes256Gcm)));
    let without = CryptoRules { without: vec![Aes128CmSha1_32], ..CryptoRules::default() };
    assert_eq!(taken(without), Some((4, AeadAes256Gcm)));
    let nothing = CryptoRules { only: vec![Aes192CmSha1_80], ..CryptoRules::default() };
    assert_eq!(taken(nothing), Some((3, Aes128CmSha1_32)), "rather than none at all");
    let null = CryptoRules { only: vec![NullSha1_80], ..CryptoRules::default() };
    assert_eq!(taken(null), Some((2, NullSha1_80)), "because a flag names it");
    assert_eq!(answer(&came[..2], &CryptoRules::default(), None, &mut counting()), None);
}

#[test]
fn a_choice_stands_over_a_second_offer() {
    use Suite::*;
    let mut fill = counting();
    let first = answer(&[line(1, Aes128CmSha1_80)], &CryptoRules::default(), None, &mut fill).unwrap();
    let again = [line(1, AeadAes256Gcm), line(2, Aes128CmSha1_80)];
    let moved = answer(&again, &CryptoRules::default(), Some(&first), &mut fill).unwrap();
    assert_eq!(moved.ours.suite, AeadAes256Gcm);
    let keep = CryptoRules { keep: true, ..CryptoRules::default() };
    let kept = answer(&again, &keep, Some(&first), &mut fill).unwrap();
    assert_eq!((kept.ours.tag, kept.ours.keys.clone()), (2, first.ours.keys.clone()), "same suite, same key");
}

#[test]
fn weak_parameters_are_taken_only_when_asked_for() {
    let text = format!("1 AES_CM_128_HMAC_SHA1_80 {KEY} UNENCRYPTED_SRTP UNENCRYPTED_SRTCP");
    let came = [CryptoLine::parse(&text).unwrap()];
    assert_eq!(answer(&came, &CryptoRules::default(), None, &mut counting()), None);
    let asked =
        CryptoRules { unencrypted_srtp: Some(true), unencrypted_srtcp: Some(true), ..CryptoRules::default() };
    let pair = answer(&came, &asked, None, &mut counting()).unwrap();
    assert!(pair.ours.parameters.unencrypted_srtp && pair.ours.keying().is_some());
    let offered = offer(&[], &asked, &[], &mut counting());
    let weak = |suite| offered.iter().find(|line| line.suite == suite).unwrap().parameters.unencrypted_srtp;
    assert!(weak(Suite::Aes128CmSha1_80) && !weak(Suite::AeadAes256Gcm));
}

#[test]
fn what_an_answer_settles() {
    use Suite::*;
    let ours = offer(&[], &CryptoRules::default(), &[], &mut counting());
    let tag = |suite| ours.iter().find(|line| line.suite == suite).unwrap().tag;
    let settled = |answered: &[CryptoLine]| agreed(&ours, answered).map(|pair| pair.ours);
    let right = settled(&[line(tag(Aes256CmSha1_80), Aes256CmSha1_80)]).unwrap();
    assert_eq!((right.suite, right.tag), (Aes256CmSha1_80, tag(Aes256CmSha1_80)));
    assert_eq!(settled(&[line(1, Aes128CmSha1_80)]).unwrap().suite, Aes128CmSha1_80, "a wrong tag");
    assert_eq!(settled(&[line(1, NullSha1_80)]), None, "never offered");
    assert_eq!(settled(&[]), None);
    let mut weaker = line(tag(Aes128CmSha1_80), Aes128CmSha1_80);
    weaker.parameters.unencrypted_srtp = true;
    weaker.parameters.unencrypted_srtcp = true;
    assert_eq!(settled(&[weaker]), None, "an answer must not weaken what was offered");
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused_and_what_is_read_prints_alike(
        text in prop_oneof!["\\PC{0,80}", "[0-9]{1,9} (AES_CM_128_HMAC_SHA1_80|AEAD_AES_128_GCM) inline:[A-Za-z0-9+/]{38,40}={0,2}(\\|2\\^[0-9]{1,2})?(\\|[0-9]{1,3}:[0-9]{1,3})?( KDR=[0-9]{1,2})?"]
    ) {
        if let Ok(line) = CryptoLine::parse(&text) {
            let again = CryptoLine::parse(&line.print(true));
            prop_assert_eq!(again, Ok(line));
        }
    }
}
