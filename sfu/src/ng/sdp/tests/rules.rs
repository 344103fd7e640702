//! Tables of the small rules: direction, roles, protocols, mux, security, candidates.

use super::texts::*;
use crate::ng::sdp::direction::{answer_within, holds};
use crate::ng::sdp::dtls::{DtlsRole, Setup, answer_role, offer_role};
use crate::ng::sdp::ice::{Candidate, CandidateKind, priority};
use crate::ng::sdp::mux::{MuxOffer, MuxRules, agreed_mux, answered_mux, offered_mux};
use crate::ng::sdp::protocol::{Protocol, ProtocolWish, answered_protocol, offered_protocol};
use crate::ng::sdp::security::{
    Security, SecurityOffer, SecurityRefused, SecurityRules, agreed_security, offered_security,
    taken_security,
};
use crate::ng::sdp::{Direction, MediaView, SessionText};

fn view(text: &str, index: usize) -> MediaView {
    SessionText::parse(&crlf(text)).unwrap().medias()[index].clone()
}

/// RFC 3264 section 6.1
#[test]
fn directions_of_answers() {
    use Direction::*;
    for (offered, wanted, answer) in [
        (SendRecv, SendRecv, SendRecv),
        (SendRecv, SendOnly, SendOnly),
        (SendRecv, Inactive, Inactive),
        (SendOnly, SendRecv, RecvOnly),
        (SendOnly, SendOnly, Inactive),
        (SendOnly, RecvOnly, RecvOnly),
        (RecvOnly, SendRecv, SendOnly),
        (RecvOnly, RecvOnly, Inactive),
        (Inactive, SendRecv, Inactive),
    ] {
        assert_eq!(answer_within(offered, wanted), answer, "{offered:?} {wanted:?}");
        assert_eq!(answer_within(offered, offered.mirrored()), offered.mirrored());
    }
    assert!(holds(SendOnly) && holds(Inactive) && !holds(RecvOnly) && !holds(SendRecv));
}

/// RFC 5763 section 5, RFC 4145 section 4.1
#[test]
fn roles_of_dtls() {
    use DtlsRole::{Active, Passive};
    for (offered, prefer, role) in [
        (Some(Setup::ActPass), Passive, Some(Passive)),
        (Some(Setup::ActPass), Active, Some(Active)),
        (Some(Setup::Active), Active, Some(Passive)),
        (Some(Setup::Passive), Passive, Some(Active)),
        (Some(Setup::HoldConn), Active, None),
        (None, Active, Some(Passive)),
    ] {
        assert_eq!(answer_role(offered, prefer), role, "{offered:?} {prefer:?}");
    }
    for (ours, answered, role) in [
        (Setup::ActPass, Some(Setup::Active), Some(Passive)),
        (Setup::ActPass, Some(Setup::Passive), Some(Active)),
        (Setup::ActPass, Some(Setup::ActPass), Some(Passive)),
        (Setup::ActPass, Some(Setup::HoldConn), None),
        (Setup::ActPass, None, Some(Passive)),
        (Setup::Active, Some(Setup::Passive), Some(Active)),
        (Setup::Active, Some(Setup::Active), None),
        (Setup::Passive, Some(Setup::Active), Some(Passive)),
        (Setup::Passive, Some(Setup::Passive), None),
        (Setup::HoldConn, Some(Setup::Active), None),
    ] {
        assert_eq!(offer_role(ours, answered), role, "{ours:?} {answered:?}");
    }
    // Whatever is offered, the two sides are never alike.
    for prefer in [Active, Passive] {
        let answer = answer_role(Some(Setup::ActPass), prefer).unwrap();
        assert_ne!(offer_role(Setup::ActPass, Some(answer.setup())), Some(answer));
    }
}

#[test]
fn protocols_offered_and_answered() {
    use Protocol::*;
    let parts = |secure, tls, feedback| ProtocolWish::Parts { secure, tls, feedback };
    for (came, wish, goes) in [
        (Avp, ProtocolWish::Keep, Avp),
        (Avp, ProtocolWish::Exactly(TlsSavpf), TlsSavpf),
        (Avp, parts(Some(true), false, None), Savp),
        (Avp, parts(Some(true), true, Some(true)), TlsSavpf),
        (Savpf, parts(Some(false), false, None), Avpf),
        (TlsSavpf, parts(Some(false), false, Some(false)), Avp),
        (TlsSavpf, parts(Some(true), false, None), TlsSavpf),
        (Savp, parts(None, false, Some(true)), Savpf),
        (Udptl, ProtocolWish::Exactly(Savp), Udptl),
        (Other("TCP/MRCPv2".into()), ProtocolWish::Exactly(Savp), Other("TCP/MRCPv2".into())),
    ] {
        assert_eq!(offered_protocol(&came, &wish), goes, "{came:?} {wish:?}");
    }
    for offered in Protocol::RTP {
        for answered in Protocol::RTP {
            assert_eq!(answered_protocol(&offered, &answered, &ProtocolWish::Keep), offered);
            assert_eq!(answered_protocol(&offered, &answered, &ProtocolWish::AcceptAnswer), answered);
        }
        assert_eq!(Protocol::parse(&offered.name().to_lowercase()), offered);
        assert_eq!(Protocol::of(offered.is_secure(), offered.is_tls(), offered.has_feedback()), offered);
    }
    assert_eq!(answered_protocol(&Udptl, &Avp, &ProtocolWish::AcceptAnswer), Udptl);
}

#[test]
fn mux_offered_and_answered() {
    let rules = |words: &str| MuxRules {
        offer: words.contains("offer"),
        require: words.contains("require"),
        demux: words.contains("demux"),
        accept: words.contains("accept"),
        reject: words.contains("reject"),
    };
    for (came, words, offered, required, answered) in [
        (true, "", true, false, true),
        (false, "", false, false, false),
        (true, "demux", false, false, true),
        (false, "offer", true, false, false),
        (false, "require", true, true, false),
        (true, "reject", false, false, false),
        (true, "reject offer", true, false, false),
        (true, "accept", true, false, true),
        (false, "accept", false, false, false),
    ] {
        let rules = rules(words);
        assert_eq!(offered_mux(came, false, &rules), MuxOffer { offered, required }, "{came} {words}");
        assert_eq!(answered_mux(came, &rules), answered, "{came} {words}");
    }
    assert!(offered_mux(true, true, &rules("")).required, "rtcp-mux-only goes on");
    for (offered, required, answered, agreed) in [
        (true, false, true, true),
        (true, false, false, false),
        (true, true, false, true),
        (false, false, true, false),
    ] {
        assert_eq!(agreed_mux(MuxOffer { offered, required }, answered), agreed);
    }
}

#[test]
fn security_offered() {
    let offer = |sdes, dtls, optional| SecurityOffer { sdes, dtls, optional };
    let rules =
        |no_sdes, no_dtls, osrtp_offer| SecurityRules { no_sdes, no_dtls, osrtp_offer, ..Default::default() };
    let plain = rules(false, false, false);
    for (protocol, rules, expected) in [
        (Protocol::Avp, &plain, offer(false, false, false)),
        (Protocol::Savp, &plain, offer(true, true, false)),
        (Protocol::Savpf, &rules(true, false, false), offer(false, true, false)),
        (Protocol::Savp, &rules(false, true, false), offer(true, false, false)),
        (Protocol::Savp, &rules(true, true, false), offer(true, false, false)),
        (Protocol::TlsSavpf, &rules(true, true, false), offer(false, true, false)),
        (Protocol::Avp, &rules(false, true, true), offer(true, false, true)),
        (Protocol::Udptl, &plain, offer(false, false, false)),
    ] {
        assert_eq!(offered_security(&protocol, None, rules), expected, "{protocol:?} {rules:?}");
    }
    let osrtp = view(OSRTP, 0);
    assert_eq!(offered_security(&Protocol::Avp, Some(&osrtp), &plain), offer(true, true, true));
}

#[test]
fn security_taken_and_agreed() {
    let plain = SecurityRules::default();
    let no_dtls = SecurityRules { no_dtls: true, ..Default::default() };
    let no_sdes = SecurityRules { no_sdes: true, ..Default::default() };
    for (name, view, rules, expected) in [
        ("plain", view(ASTERISK, 0), &plain, Ok(Security::Plain)),
        ("sdes", view(LINPHONE, 0), &plain, Ok(Security::Sdes)),
        ("dtls", view(BROWSER, 0), &plain, Ok(Security::Dtls)),
        ("dtls off", view(BROWSER, 0), &no_dtls, Err(SecurityRefused::SwitchedOff)),
        ("sdes off", view(POLYCOM, 0), &no_sdes, Err(SecurityRefused::SwitchedOff)),
        ("osrtp with keys that cannot be used", view(OSRTP, 0), &plain, Ok(Security::Plain)),
    ] {
        assert_eq!(taken_security(&view, rules), expected, "{name}");
    }
    let changed = |from: &str, to: &str| {
        SessionText::parse(&crlf(POLYCOM).replace(from, to)).unwrap().medias()[0].clone()
    };
    assert_eq!(taken_security(&changed("a=crypto:1", "a=x"), &plain), Err(SecurityRefused::NoKeys));
    for unusable in ["AES_ROT13", "F8_128_HMAC_SHA1_80", "NULL_HMAC_SHA1_80"] {
        let view = changed("AES_CM_128_HMAC_SHA1_80", unusable);
        assert_eq!(taken_security(&view, &plain), Err(SecurityRefused::NoSuite), "{unusable}");
    }
    let osrtp = changed("RTP/SAVP", "RTP/AVP");
    assert!(osrtp.is_osrtp() && taken_security(&osrtp, &plain) == Ok(Security::Sdes));
    let both = SecurityOffer { sdes: true, dtls: true, optional: false };
    assert_eq!(agreed_security(both, &view(POLYCOM, 0)), Ok(Security::Sdes));
    assert_eq!(agreed_security(both, &view(BROWSER, 0)), Ok(Security::Dtls));
    assert_eq!(agreed_security(both, &view(ASTERISK, 0)), Err(SecurityRefused::NoKeys));
    let optional = SecurityOffer { optional: true, ..both };
    assert_eq!(agreed_security(optional, &view(ASTERISK, 0)), Ok(Security::Plain));
    let none = SecurityOffer::default();
    assert_eq!(agreed_security(none, &view(POLYCOM, 0)), Ok(Security::Plain), "keys that nobody asked for");
}

#[test]
fn candidates() {
    // RFC 8839 section 5.1
    let text = "2 1 UDP 1694498815 192.0.2.3 45664 typ srflx raddr 203.0.113.141 rport 8998 generation 0";
    let candidate = Candidate::parse(text).unwrap();
    assert_eq!(candidate.kind, CandidateKind::ServerReflexive);
    assert_eq!(candidate.related, Some("203.0.113.141:8998".parse().unwrap()));
    assert_eq!(candidate.to_string(), text.trim_end_matches(" generation 0"));
    for bad in [
        "",
        "1",
        "1 0 UDP 1 192.0.2.3 1 typ host",
        "1 256 UDP 1 192.0.2.3 1 typ host",
        "1 1 UDP -1 192.0.2.3 1 typ host",
        "1 1 UDP 1 192.0.2.3 65536 typ host",
        "1 1 UDP 1 192.0.2.3 1 host",
        "1 1 UDP 1 192.0.2.3 1 typ other",
    ] {
        assert_eq!(Candidate::parse(bad), None, "{bad}");
    }
    assert_eq!(priority(CandidateKind::Host, 65_535, 1), 2_130_706_431);
    let ours = Candidate::host("[2001:db8::1]:9000".parse().unwrap(), 2, 65_535);
    assert_eq!(Candidate::parse(&ours.to_string()), Some(ours));
}
