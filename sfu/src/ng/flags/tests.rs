use super::*;
use crate::ng::sdp::codecs::CodecMatch;
use crate::ng::sdp::crypto::Suite;
use crate::ng::sdp::protocol::Protocol;
use crate::ng::sdp::{EditAction, EditScope};
use crate::ng::{Request, Value};

fn offer() -> Dictionary {
    Dictionary::new()
        .with("command", "offer")
        .with("call-id", "c@x")
        .with("from-tag", "f")
        .with("sdp", "v=0\r\n")
}

fn list(words: &[&str]) -> Value {
    Value::List(words.iter().copied().map(Value::from).collect())
}

fn with_flags(words: &[&str]) -> Flags {
    Flags::read(&offer().with("flags", list(words))).unwrap()
}

#[test]
fn what_a_stock_proxy_sends() {
    let message =
        b"77_1 d3:sdp5:v=0\r\n3:ICE6:remove5:flagsl13:trust-address10:pad-cryptoe9:directionl4:priv3:pube\
        7:replacel6:origin18:session-connectione18:transport-protocol9:RTP/SAVPF8:rtcp-muxl5:offere\
        4:SDESl3:pade7:call-id8:a@b.c.de13:received-froml3:IP49:192.0.2.7e8:from-tag2:ft6:to-tag2:tt\
        8:supportsl10:load limite10:via-branch9:z9hG4bK-77:command6:answere";
    let request = Request::parse(message).unwrap();
    let flags = Flags::read(&request.dictionary).unwrap();
    assert_eq!(flags.command, Command::Answer);
    assert_eq!(
        (flags.call_id.as_str(), flags.from_tag.as_deref(), flags.to_tag.as_deref()),
        ("a@b.c.de", Some("ft"), Some("tt"))
    );
    assert_eq!(
        (flags.ice, flags.direction.as_slice()),
        (IceMode::Remove, ["priv".to_owned(), "pub".to_owned()].as_slice())
    );
    assert!(flags.replace.origin && flags.replace.session_connection && !flags.replace.username);
    assert_eq!(flags.protocol, ProtocolWish::Exactly(Protocol::Savpf));
    assert!(flags.rtcp_mux.offer && flags.security.crypto.pad && flags.knows_load_limit);
    assert!(flags.has(Switch::TrustAddress) && !flags.has(Switch::Symmetric));
    assert_eq!(flags.received_from, Some([192, 0, 2, 7].into()));
    assert_eq!(flags.via_branch.as_deref(), Some("z9hG4bK-7"));
    assert!(flags.unknown.is_empty(), "{:?}", flags.unknown);
}

#[test]
fn the_same_as_keys_as_words_and_as_one_string() {
    let codec =
        Dictionary::new().with("mask", list(&["PCMU", "all"])).with("transcode", list(&["opus/48000/2"]));
    let keys = offer()
        .with("ICE", "force")
        .with("ICE-lite", "both")
        .with("DTLS", "passive")
        .with("SDES", list(&["no-AES_CM_128_HMAC_SHA1_32", "order:AEAD_AES_256_GCM;F8_128_HMAC_SHA1_80"]))
        .with("rtcp-mux", list(&["demux"]))
        .with("replace", list(&["zero address"]))
        .with("codec", codec)
        .with("T.38", list(&["stop"]))
        .with("endpoint learning", "heuristic")
        .with("transport protocol", "UDP/TLS/RTP/SAVPF")
        .with("address family", "IP6")
        .with("label", "a")
        .with("OSRTP", list(&["accept"]));
    let words = [
        "ICE=force",
        "ICE-lite=both",
        "DTLS-passive",
        "SDES-no-AES_CM_128_HMAC_SHA1_32",
        "SDES-order:AEAD_AES_256_GCM;F8_128_HMAC_SHA1_80",
        "rtcp-mux-demux",
        "replace-zero-address",
        "codec-mask-PCMU",
        "mask-all",
        "transcode-opus/48000/2",
        "T.38-stop",
        "endpoint-learning-heuristic",
        "UDP/TLS/RTP/SAVPF",
        "address-family=IP6",
        "label=a",
        "OSRTP-accept",
    ];
    let by_keys = Flags::read(&keys).unwrap();
    assert_eq!(by_keys.codecs.mask.len(), 2);
    assert_eq!(by_keys.security.crypto.without, [Suite::Aes128CmSha1_32]);
    assert_eq!(by_keys.security.crypto.order, [Suite::AeadAes256Gcm, Suite::F8Sha1_80]);
    assert!(by_keys.security.osrtp_accept && by_keys.t38.stop);
    assert_eq!(with_flags(&words), by_keys);
    assert_eq!(Flags::read(&offer().with("rtpp-flags", words.join(" "))).unwrap(), by_keys);
}

#[test]
fn every_switch_is_found_with_blanks_and_in_any_case() {
    for (word, switch) in [
        ("trust address", Switch::TrustAddress),
        ("SIP-source-address", Switch::SipSourceAddress),
        ("symmetric", Switch::Symmetric),
        ("asymmetric", Switch::Asymmetric),
        ("strict source", Switch::StrictSource),
        ("media-handover", Switch::MediaHandover),
        ("port latching", Switch::PortLatching),
        ("no-port-latching", Switch::NoPortLatching),
        ("generate mid", Switch::GenerateMid),
        ("loop-protect", Switch::LoopProtect),
        ("inject DTMF", Switch::InjectDtmf),
        ("inject-dtmf", Switch::InjectDtmf),
        ("detect-DTMF", Switch::DetectDtmf),
        ("reset", Switch::Reset),
        ("unidirectional", Switch::Unidirectional),
        ("full rtcp attribute", Switch::FullRtcpAttribute),
        ("no-rtcp-attribute", Switch::NoRtcpAttribute),
        ("original_sendrecv", Switch::OriginalSendrecv),
        ("debug", Switch::Debug),
        ("fatal", Switch::Fatal),
        ("NAT wait", Switch::NatWait),
        ("pierce-NAT", Switch::PierceNat),
        ("reject ICE", Switch::RejectIce),
        ("trickle-ICE", Switch::TrickleIce),
        ("allow transcoding", Switch::AllowTranscoding),
        ("early-media", Switch::EarlyMedia),
        ("exclude-recording", Switch::ExcludeRecording),
        ("discard-recording", Switch::DiscardRecording),
        ("block-short-packets", Switch::BlockShortPackets),
        ("RTCP-mirror", Switch::RtcpMirror),
        ("inactive", Switch::Inactive),
        ("strip-extmap", Switch::StripExtmap),
        ("pause", Switch::Pause),
        ("force-answer", Switch::Ignored),
    ] {
        let flags = with_flags(&[word]);
        assert!(flags.has(switch), "{word}");
        let mut expected = Switches::default();
        expected.add(switch);
        assert_eq!(flags.switches, expected, "{word} and nothing else");
        assert!(flags.unknown.is_empty(), "{word}");
    }
}

#[test]
fn words_that_stand_for_keys() {
    let flags = with_flags(&[
        "all",
        "always transcode",
        "single-codec",
        "reuse codecs",
        "pad crypto",
        "record call",
        "generate RTCP",
    ]);
    assert_eq!(flags.all, All::All);
    assert_eq!(flags.codecs.accept, [CodecMatch::All]);
    assert!(flags.codecs.single && flags.codecs.reuse && flags.security.crypto.pad);
    assert_eq!((flags.record_call, flags.generate_rtcp), (Some(true), Some(true)));
    assert_eq!(with_flags(&["internal", "external"]).direction, ["internal", "external"]);
    assert_eq!(with_flags(&["direction=priv", "direction=pub"]).direction, ["priv", "pub"]);
    assert_eq!(with_flags(&["from-tags-a", "from-tags-b"]).from_tags, ["a", "b"]);
}

#[test]
fn properties_of_the_protocol_one_by_one() {
    let wish = |words: &[&str]| with_flags(words).protocol;
    let parts = |secure, tls, feedback| ProtocolWish::Parts { secure, tls, feedback };
    assert_eq!(wish(&["SRTP", "AVPF"]), parts(Some(true), false, Some(true)));
    assert_eq!(wish(&["RTP", "AVP"]), parts(Some(false), false, Some(false)));
    assert_eq!(wish(&["DTLS"]), parts(Some(true), true, None));
    assert_eq!(wish(&["RTP/AVP", "SRTP"]), ProtocolWish::Exactly(Protocol::Avp));
    assert_eq!(wish(&["transport-protocol=accept"]), ProtocolWish::AcceptAnswer);
}

#[test]
fn codecs_in_every_way_of_writing() {
    let flags = with_flags(&[
        "codec-strip-PCMU",
        "codec-set-AMR/8000/1/7400",
        "transcode-iLBC/8000/1///mode--30",
        "codec-transcode-8",
        "codec-except-telephone-event",
        "codec-offer-G722",
        "codec-accept-full",
        "consume-opus",
    ]);
    let rules = &flags.codecs;
    assert_eq!((rules.strip.len(), rules.except.len(), rules.offer.len(), rules.consume.len()), (1, 1, 1, 1));
    assert_eq!(rules.set[0].bitrate, Some(7400));
    assert_eq!(rules.transcode[0].fmtp.as_deref(), Some("mode=30"));
    assert_eq!(rules.transcode[1].name, "PCMA", "a number of a fixed meaning");
    assert_eq!(rules.accept, [CodecMatch::Full]);
    assert_eq!(with_flags(&["codec-strip=[PCMU PCMA]"]).codecs.strip.len(), 2);
    let keys = offer().with("codec-strip", "PCMU").with("codec strip", "PCMA").with("codec-dance", "PCMA");
    let flags = Flags::read(&keys).unwrap();
    assert_eq!((flags.codecs.strip.len(), flags.unknown.len()), (2, 1));
    assert_eq!(with_flags(&["codec-strip=PCMU,PCMA"]).codecs.strip.len(), 2);
}

#[test]
fn edits_of_attributes_both_ways() {
    let substitute = Value::List(vec![list(&["a", "b"]), list(&["c d", "e"])]);
    let audio = Dictionary::new().with("add", list(&["ptime:20", "x"])).with("substitute", substitute);
    let none = Dictionary::new().with("remove", "tool:baresip");
    let flags =
        Flags::read(&offer().with("sdp-attr", Dictionary::new().with("audio", audio).with("none", none)))
            .unwrap();
    assert_eq!(flags.attributes.len(), 5);
    assert_eq!(flags.attributes[3].action, EditAction::Substitute("c d".into(), "e".into()));
    assert_eq!(flags.attributes[4].scope, EditScope::Session);
    let words = with_flags(&["sdp-attr-substitute-video-c..d>e--f", "sdp-attr-remove-none-ssrc:"]);
    assert_eq!(words.attributes[0].action, EditAction::Substitute("c d".into(), "e=f".into()));
    assert_eq!(words.attributes[0].scope, EditScope::Kind("video".into()));
    assert_eq!(words.attributes[1].action, EditAction::Remove("ssrc:".into()));
}

#[test]
fn numbers_and_choices() {
    let flags = Flags::read(
        &offer()
            .with("TOS", 184)
            .with("ptime", "30")
            .with("ptime-reverse", 0)
            .with("repacketize", "20")
            .with("delete-delay", 0)
            .with("delay-buffer", 150)
            .with("media echo", "backwards")
            .with("DTMF-security", "DTMF")
            .with("frequencies", "400,500")
            .with("trigger", "1*")
            .with("code", "#")
            .with("duration", 20)
            .with("volume", -8)
            .with("record call", "off")
            .with("room", "lobby"),
    )
    .unwrap();
    assert_eq!(flags.tos, Some(Some(184)));
    assert_eq!((flags.ptime_ms, flags.ptime_reverse_ms, flags.repacketize_ms), (Some(30), None, Some(20)));
    assert_eq!((flags.delete_delay_s, flags.delay_buffer_ms), (Some(0), Some(150)));
    assert_eq!(flags.media_echo, Some(MediaEcho::Backwards));
    assert_eq!((flags.dtmf.blocking, flags.dtmf.frequencies_hz), (Some(DtmfBlocking::Key), vec![400, 500]));
    assert_eq!((flags.play.key, flags.play.duration_ms, flags.play.volume), (Some(11), Some(100), Some(8)));
    assert_eq!((flags.record_call, flags.room.as_deref()), (Some(false), Some("lobby")));
    assert_eq!(Flags::read(&offer().with("TOS", -1)).unwrap().tos, Some(None), "as it is");
    assert_eq!(Flags::read(&offer().with("TOS", 256)).unwrap().tos, None, "the default");
    assert_eq!(Flags::read(&offer().with("code", 15)).unwrap().play.key, Some(15));
}

#[test]
fn a_pause_of_a_recording_and_one_between_keys() {
    let command = |name: &str| Dictionary::new().with("command", name).with("call-id", "c");
    for pause in [Value::from("yes"), Value::from(1)] {
        assert!(Flags::read(&command("stop recording").with("pause", pause)).unwrap().has(Switch::Pause));
    }
    assert!(!Flags::read(&command("stop recording").with("pause", "no")).unwrap().has(Switch::Pause));
    assert!(
        Flags::read(&command("stop recording").with("flags", list(&["pause"]))).unwrap().has(Switch::Pause)
    );
    let keys = Flags::read(&command("play DTMF").with("pause", 1)).unwrap();
    assert_eq!((keys.play.pause_ms, keys.has(Switch::Pause)), (Some(100), false));
}

#[test]
fn what_nobody_knows_is_kept_for_the_log_and_harms_nothing() {
    let flags = Flags::read(
        &offer()
            .with("new-thing", 1)
            .with(
                "flags",
                list(&["brand-new", "x=y", "codec-strip-", "rtcp-mux-maybe", "sdp=v=1", "SDES-no-ROT13"]),
            )
            .with("via-branch", "auto")
            .with("DTLS-fingerprint", "SHA-1"),
    )
    .unwrap();
    assert_eq!(flags.unknown.len(), 9, "{:?}", flags.unknown);
    assert_eq!(flags.via_branch, None);
    let many: Vec<String> = (0..100).map(|n| format!("unknown-{n}\u{202e}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let flags = with_flags(&many);
    assert_eq!(flags.unknown.len(), limits::UNKNOWN);
    assert!(!flags.unknown[0].to_string().contains('\u{202e}'));
}

#[test]
fn the_first_of_two_equal_keys_counts() {
    let twice = offer().with("call id", "other").with("ICE", "remove").with("ICE", "force");
    let flags = Flags::read(&twice).unwrap();
    assert_eq!((flags.call_id.as_str(), flags.ice), ("c@x", IceMode::Remove));
}

#[test]
fn refusals_name_the_key() {
    let command = |name: &str| Dictionary::new().with("command", name);
    let answer = || command("answer").with("call-id", "c").with("from-tag", "f").with("sdp", "v=0");
    let long = "x".repeat(limits::TEXT_BYTES + 1);
    for (message, words) in [
        (Dictionary::new(), "unknown command"),
        (command("dance"), "unknown command \"dance\""),
        (command("offer"), "offer needs the key call-id"),
        (command("offer").with("call-id", "c"), "offer needs the key from-tag"),
        (command("offer").with("call-id", "c").with("from-tag", "f"), "offer needs the key sdp"),
        (answer(), "answer needs the key to-tag"),
        (command("play media"), "play media needs the key call-id"),
        (offer().with("flags", Dictionary::new()), "flags must be a list of texts"),
        (offer().with("codec", "PCMU"), "codec must be a dictionary of lists"),
        (offer().with("codec", Dictionary::new().with("strip", Dictionary::new())), "codec must be a list"),
        (offer().with("ICE", "maybe"), "ICE is \"maybe\", but must be remove, force"),
        (offer().with("TOS", "high"), "TOS must be a whole number"),
        (offer().with("ptime", -20), "ptime is \"-20\""),
        (offer().with("media-address", "example.com"), "media-address is"),
        (offer().with("received-from", list(&["IP6", "192.0.2.1"])), "received-from is"),
        (offer().with("received-from", list(&["a", "b", "c"])), "received-from must be"),
        (offer().with("to-tag", "a\r\nb"), "to-tag holds a line break"),
        (offer().with("flags", list(&["label=a\nb"])), "flags holds a line break"),
        (offer().with("label", long), "label has more than"),
        (offer().with("transport-protocol", "RTP/XYZ"), "transport-protocol is"),
        (offer().with("sdp-attr", list(&["x"])), "sdp-attr must be"),
        (offer().with("code", "99"), "code is"),
        (
            offer().with("direction", Value::List(vec![Value::from("a"); limits::LIST + 1])),
            "direction has more than",
        ),
        (
            Dictionary::new().with("command", "offer").with("call-id", Value::Bytes(vec![0xff])),
            "call-id must be a text",
        ),
        (Dictionary::new().with("command", "offer").with("sdp", Value::Bytes(vec![0xff])), "sdp must be"),
    ] {
        let error = Flags::read(&message).unwrap_err().to_string();
        assert!(error.contains(words), "{words}: {error}");
    }
}

#[test]
fn every_command_is_found_and_its_needs_are_met() {
    for command in Command::ALL {
        for name in [command.name().to_owned(), command.name().replace(' ', "-")] {
            let message = offer().with("to-tag", "t");
            let message = message
                .iter()
                .filter(|(key, _)| *key != "command")
                .fold(Dictionary::new().with("command", name), |message, (key, value)| {
                    message.with(key, value.clone())
                });
            assert_eq!(Flags::read(&message).unwrap().command, command);
        }
    }
    assert_eq!(Flags::read(&Dictionary::new().with("command", "ping")).unwrap().command, Command::Ping);
}

#[test]
fn the_body_is_not_printed() {
    let flags = Flags::read(&offer().with("flags", "debug")).unwrap();
    assert!(!format!("{flags:?}").contains("v=0"));
}
