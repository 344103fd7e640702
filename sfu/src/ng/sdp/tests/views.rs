//! What is read from each text.

use super::texts::*;
use crate::ng::sdp::crypto::{CryptoRefused, Suite};
use crate::ng::sdp::dtls::Setup;
use crate::ng::sdp::ice::CandidateKind;
use crate::ng::sdp::protocol::Protocol;
use crate::ng::sdp::{Direction, Format, Host, MediaView, SessionText};

fn parse(text: &str) -> SessionText {
    SessionText::parse(&crlf(text)).unwrap()
}

fn first(text: &str) -> MediaView {
    parse(text).medias()[0].clone()
}

fn names(view: &MediaView) -> Vec<String> {
    view.formats.iter().map(Format::rtpmap).collect()
}

#[test]
fn every_text_prints_as_it_came_with_either_line_end() {
    for (name, text) in ALL {
        for text in
            [crlf(text), text.trim_start().to_owned(), text.trim().to_owned(), crlf(text) + "\r\n\r\n"]
        {
            let parsed = SessionText::parse(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(parsed.as_str(), text, "{name}");
        }
    }
}

#[test]
fn formats_with_and_without_rtpmap() {
    let baresip = first(BARESIP);
    assert_eq!(names(&baresip), ["96 opus/48000/2", "0 PCMU/8000", "8 PCMA/8000", "97 telephone-event/8000"]);
    assert_eq!(baresip.formats[0].fmtp.as_deref(), Some("stereo=1;sprop-stereo=1"));
    let linphone = first(LINPHONE);
    assert_eq!(names(&linphone)[3..6], ["0 PCMU/8000", "8 PCMA/8000", "18 G729/8000"]);
    assert_eq!(linphone.formats[5].fmtp.as_deref(), Some("annexb=yes"));
    let unknown = first(UNKNOWN_LINES);
    assert_eq!(unknown.formats[1], Format::fixed(35));
    assert!(unknown.formats[1].name.is_empty());
}

#[test]
fn addresses_ports_and_rtcp() {
    let baresip = first(BARESIP);
    assert_eq!(baresip.rtp_address(), Some("10.64.0.7:21834".parse().unwrap()));
    assert_eq!(baresip.rtcp_address(), Some("10.64.0.7:21835".parse().unwrap()));
    assert!(parse(BARESIP).medias()[1].is_off());
    assert_eq!(first(ASTERISK).rtcp_address(), Some("198.51.100.12:14373".parse().unwrap()), "the next port");
    let ipv6 = first(IPV6);
    assert_eq!(ipv6.rtp_address(), Some("[2001:db8::17]:30000".parse().unwrap()));
    assert_eq!(ipv6.rtcp_address(), Some("[2001:db8::18]:30101".parse().unwrap()));
    assert_eq!((ipv6.direction, ipv6.has_feedback_lines), (Direction::RecvOnly, true));
    let browser = first(BROWSER);
    assert_eq!(browser.rtcp_address(), None, "to be told by ICE");
    assert!(browser.own_connection && browser.rtcp_mux);
    let named = first(UNKNOWN_LINES);
    assert_eq!(named.connection, Some(Host::Name("gateway.example.com".into())));
    assert_eq!(named.rtp_address(), None);
}

#[test]
fn hold_by_address_zero() {
    let hold = first(SNOM_HOLD);
    assert!(hold.is_zero() && hold.rtp_address().is_none());
    assert_eq!((hold.direction, hold.meant_direction()), (Direction::SendRecv, Direction::SendOnly));
    let received = crlf(SNOM_HOLD).replace("a=sendrecv", "a=recvonly");
    let hold = SessionText::parse(&received).unwrap().medias()[0].clone();
    assert_eq!(hold.meant_direction(), Direction::Inactive);
    let trickling = parse(BROWSER).medias()[1].clone();
    assert_eq!(trickling.meant_direction(), Direction::SendRecv, "port 9 and ICE: not held");
    assert!(trickling.bundle_only && !trickling.is_off());
}

#[test]
fn keys_of_each_kind() {
    let linphone = first(LINPHONE);
    let suites: Vec<Suite> = linphone.crypto.iter().map(|line| line.suite).collect();
    assert_eq!(suites, [Suite::Aes128CmSha1_80, Suite::Aes128CmSha1_32, Suite::Aes256CmSha1_80]);
    assert!(linphone.crypto[2].alias, "the spelling that answers repeat");
    assert!(linphone.crypto.iter().all(|line| line.keying().is_some()));
    let switch = first(FREESWITCH);
    assert_eq!(switch.crypto_refused, [CryptoRefused::Suite]);
    assert_eq!(switch.crypto.len(), 3);
    assert!(switch.crypto[1].keys[0].mki.is_some_and(|mki| (mki.value, mki.len) == (1, 4)));
    assert!(switch.crypto[1].keying().is_none(), "identifiers cannot be used");
    assert_eq!(switch.crypto[2].keys[0].lifetime.as_deref(), Some("2^31"));
    let osrtp = first(OSRTP);
    assert!(osrtp.is_osrtp() && osrtp.dtls.as_ref().is_some_and(|dtls| dtls.only_weak));
    assert!(osrtp.crypto.iter().all(|line| line.keying().is_none()), "half encrypted, and F8");
}

#[test]
fn dtls_and_ice_of_the_m_line_or_of_the_session() {
    let browser = first(BROWSER);
    let dtls = browser.dtls.unwrap();
    assert_eq!((dtls.setup, dtls.fingerprints.len(), dtls.only_weak), (Some(Setup::ActPass), 1, false));
    let ice = browser.ice.unwrap();
    assert_eq!((ice.ufrag.as_str(), ice.options.as_slice()), ("eW5x", ["trickle".to_owned()].as_slice()));
    assert_eq!(ice.candidates[0].address, None, "a name");
    assert_eq!(ice.candidates[1].kind, CandidateKind::ServerReflexive);
    let text = parse(SESSION_DEFAULTS);
    assert!(text.session().ice_lite);
    let [one, two] = text.medias() else { panic!() };
    assert_eq!((one.direction, two.direction), (Direction::SendOnly, Direction::Inactive));
    let setup = |view: &MediaView| view.dtls.clone().unwrap().setup;
    assert_eq!((setup(one), setup(two)), (Some(Setup::Active), Some(Setup::Passive)));
    assert!(one.ice.is_some() && two.ice.is_some());
    assert_eq!(two.rtp_address(), Some("203.0.113.41:40002".parse().unwrap()));
}

#[test]
fn what_is_of_the_m_line_alone_counts_nowhere_else() {
    let text = crlf(ASTERISK).replace("t=0 0\r\n", "t=0 0\r\na=rtcp-mux\r\na=rtcp:9\r\na=rtcp-rsize\r\n");
    let view = SessionText::parse(&text).unwrap().medias()[0].clone();
    assert!(!view.rtcp_mux && view.rtcp.is_none() && !view.rtcp_rsize);
}

#[test]
fn groups_marks_labels_and_fax() {
    let browser = parse(BROWSER);
    assert_eq!(browser.session().bundles, [["0", "1"]]);
    assert_eq!(browser.medias()[1].mid.as_deref(), Some("1"));
    assert_eq!(browser.medias()[1].ssrcs, [2_231_627_014, 632_943_048]);
    assert_eq!(parse(TRUNK).session().loop_marks, ["5f2c8d1e"]);
    assert_eq!(parse(TRUNK).session().name.as_deref(), Some(" "));
    let polycom = first(POLYCOM);
    assert_eq!((polycom.mid.as_deref(), polycom.label.as_deref()), (Some("voice"), Some("17")));
    let fax = parse(FAX);
    let [voice, image] = fax.medias() else { panic!() };
    assert!(voice.is_off() && image.is_t38() && image.formats.is_empty());
    assert_eq!(image.protocol, Protocol::Udptl);
    assert_eq!(image.rtp_address(), Some("192.0.2.90:20126".parse().unwrap()));
}

#[test]
fn nothing_printed_for_people_shows_keys() {
    for (name, text) in ALL {
        let text = parse(text);
        let shown = format!("{text:?} {:?} {:?}", text.session(), text.medias());
        for secret in ["AAECAwQF", "AQIDBAUG", "qC0ZkIMB", "asd88fgp", "9b1f5a2f"] {
            assert!(!shown.contains(secret), "{name}: {secret}");
        }
        assert!(!shown.contains("[0, 1, 2, 3"), "{name}: bytes of a key");
    }
}
