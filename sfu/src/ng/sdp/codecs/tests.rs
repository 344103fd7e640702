//! Tables of calls: what one side offers, what flags say, what the other answers, and what comes of it.

mod property;

use super::*;

/// A list as an m-line with its rtpmaps would have it: `8 PCMA/8000`.
fn formats(text: &str) -> Vec<Format> {
    let read = |entry: &str| {
        let (number, rest) = entry.trim().split_once(' ').unwrap();
        let (map, fmtp) = rest.split_once(' ').map_or((rest, None), |(map, fmtp)| (map, Some(fmtp)));
        let mut parts = map.split('/');
        let name = parts.next().unwrap();
        let rate = parts.next().unwrap().parse().unwrap();
        let channels = parts.next().map_or(1, |n| n.parse().unwrap());
        let mut format = Format::new(number.parse().unwrap(), name, rate, channels);
        format.fmtp = fmtp.map(str::to_owned);
        format
    };
    text.split(',').filter(|entry| !entry.trim().is_empty()).map(read).collect()
}

fn shown(formats: &[Format]) -> String {
    formats.iter().map(Format::rtpmap).collect::<Vec<_>>().join(", ")
}

fn can(format: &Format) -> bool {
    ["PCMU", "PCMA", "G722", "opus", "L16", "AMR"].into_iter().any(|name| format.is_named(name))
}

/// `transcode=opus mask=PCMU single`
fn rules(text: &str) -> CodecRules {
    let mut rules = CodecRules::default();
    for word in text.split_whitespace() {
        let (verb, codec) = word.split_once('=').unwrap_or((word, ""));
        let entry = || CodecMatch::parse(codec).unwrap();
        match verb {
            "strip" => rules.strip.push(entry()),
            "mask" => rules.mask.push(entry()),
            "consume" => rules.consume.push(entry()),
            "accept" => rules.accept.push(entry()),
            "except" => rules.except.push(entry()),
            "offer" => rules.offer.push(entry()),
            "transcode" => rules.transcode.push(CodecSpec::parse(codec).unwrap()),
            "single" => rules.single = true,
            _ => panic!("{verb}"),
        }
    }
    rules
}

fn offered_on(offered: &str, flags: &str) -> String {
    shown(&offer(&formats(offered), &rules(flags), &can).formats)
}

const PHONE: &str = "8 PCMA/8000, 0 PCMU/8000, 101 telephone-event/8000 0-15";

#[test]
fn what_is_offered_on() {
    for (flags, expected) in [
        ("", "8 PCMA/8000, 0 PCMU/8000, 101 telephone-event/8000"),
        ("strip=PCMA", "0 PCMU/8000, 101 telephone-event/8000"),
        ("strip=8", "0 PCMU/8000, 101 telephone-event/8000"),
        ("strip=PCMA/16000", "8 PCMA/8000, 0 PCMU/8000, 101 telephone-event/8000"),
        ("strip=pcma", "0 PCMU/8000, 101 telephone-event/8000"),
        ("strip=all except=PCMU", "0 PCMU/8000"),
        ("strip=all except=PCMU except=telephone-event", "0 PCMU/8000, 101 telephone-event/8000"),
        ("strip=all", "8 PCMA/8000, 0 PCMU/8000, 101 telephone-event/8000"),
        ("offer=PCMU", "0 PCMU/8000, 8 PCMA/8000, 101 telephone-event/8000"),
        ("strip=all offer=PCMU offer=PCMA", "0 PCMU/8000, 8 PCMA/8000"),
        ("mask=PCMA", "0 PCMU/8000, 101 telephone-event/8000"),
        ("transcode=PCMU", "8 PCMA/8000, 0 PCMU/8000, 101 telephone-event/8000"),
        ("transcode=G722", "8 PCMA/8000, 0 PCMU/8000, 9 G722/8000, 101 telephone-event/8000"),
        (
            "transcode=opus",
            "8 PCMA/8000, 0 PCMU/8000, 96 opus/48000/2, 101 telephone-event/8000, 97 telephone-event/48000",
        ),
        ("mask=PCMA mask=PCMU transcode=opus", "96 opus/48000/2, 97 telephone-event/48000"),
        ("mask=all transcode=opus", "96 opus/48000/2, 97 telephone-event/48000"),
        ("consume=all transcode=opus", "96 opus/48000/2, 97 telephone-event/48000"),
        ("mask=all transcode=PCMU", "0 PCMU/8000, 101 telephone-event/8000"),
        ("strip=PCMU transcode=PCMU", "8 PCMA/8000, 96 PCMU/8000, 101 telephone-event/8000"),
        ("transcode=GSM", "8 PCMA/8000, 0 PCMU/8000, 101 telephone-event/8000"),
        ("transcode=AMR/8000/1/7400", "8 PCMA/8000, 0 PCMU/8000, 96 AMR/8000, 101 telephone-event/8000"),
        ("accept=all", "8 PCMA/8000, 0 PCMU/8000, 101 telephone-event/8000"),
        (
            "transcode=opus offer=opus",
            "96 opus/48000/2, 8 PCMA/8000, 0 PCMU/8000, 101 telephone-event/8000, 97 telephone-event/48000",
        ),
    ] {
        assert_eq!(offered_on(PHONE, flags), expected, "{flags}");
    }
    // What cannot be decoded goes when the transcoder may be needed, and stays otherwise.
    let mixed = "18 G729/8000, 8 PCMA/8000, 13 CN/8000";
    assert_eq!(offered_on(mixed, ""), "18 G729/8000, 8 PCMA/8000, 13 CN/8000");
    assert_eq!(offered_on(mixed, "transcode=G722"), "8 PCMA/8000, 9 G722/8000, 13 CN/8000");
    // Pictures are left alone by flags for sound.
    let video = "96 VP8/90000, 97 rtx/90000 apt=96";
    assert_eq!(offered_on(video, "transcode=opus mask=all"), "96 VP8/90000, 97 rtx/90000");
    // A payload type that is taken is not given again.
    assert_eq!(
        offered_on("96 AMR/8000, 97 telephone-event/8000, 101 L16/8000", "transcode=opus mask=L16"),
        "96 AMR/8000, 98 opus/48000/2, 97 telephone-event/8000, 99 telephone-event/48000"
    );
    let asked = offer(&formats(PHONE), &rules("transcode=opus/48000/2/24000///stereo--0"), &can);
    assert_eq!(asked.formats[2].fmtp.as_deref(), Some("useinbandfec=1"));
}

/// `in>out` for what passes, `in*` for what is transcoded; then what is sent, with events and noise.
fn flow_shown(flow: &Flow) -> String {
    let route = |route: &Route| match route.carry {
        Carry::Pass(number) => format!("{}>{number}", route.format.payload_type),
        Carry::Transcode => format!("{}*", route.format.payload_type),
    };
    let number =
        |format: &Option<Format>| format.as_ref().map_or("-".to_owned(), |f| f.payload_type.to_string());
    let routes: Vec<String> = flow.routes.iter().map(route).collect();
    format!("{} = {} {} {}", routes.join(" "), number(&flow.sends), number(&flow.events), number(&flow.noise))
}

struct Call {
    what: &'static str,
    offered: &'static str,
    flags: &'static str,
    answered: &'static str,
    answer: &'static str,
    forth: &'static str,
    back: &'static str,
}

const CALLS: [Call; 20] = [
    Call {
        what: "no flags: the answer passes",
        offered: PHONE,
        flags: "",
        answered: "0 PCMU/8000, 101 telephone-event/8000",
        answer: "0 PCMU/8000, 101 telephone-event/8000",
        forth: "0>0 101>101 = 0 101 -",
        back: "0>0 101>101 = 0 101 -",
    },
    Call {
        what: "an answer with numbers of its own",
        offered: "111 opus/48000/2, 110 telephone-event/48000",
        flags: "",
        answered: "96 opus/48000/2, 97 telephone-event/48000",
        answer: "96 opus/48000/2, 97 telephone-event/48000",
        forth: "96>96 97>97 111>96 110>97 = 96 97 -",
        back: "96>96 97>97 111>96 110>97 = 96 97 -",
    },
    Call {
        what: "one codec only",
        offered: PHONE,
        flags: "single",
        answered: "8 PCMA/8000, 0 PCMU/8000, 101 telephone-event/8000",
        answer: "8 PCMA/8000, 101 telephone-event/8000",
        forth: "8>8 101>101 = 8 101 -",
        back: "8>8 101>101 = 8 101 -",
    },
    Call {
        what: "the answer names something that was never offered",
        offered: PHONE,
        flags: "",
        answered: "9 G722/8000, 8 PCMA/8000",
        answer: "8 PCMA/8000",
        forth: "8>8 = 8 - -",
        back: "8>8 = 8 - -",
    },
    Call {
        what: "nothing in common",
        offered: PHONE,
        flags: "",
        answered: "9 G722/8000",
        answer: "",
        forth: " = - - -",
        back: " = - - -",
    },
    Call {
        what: "events alone are no call",
        offered: PHONE,
        flags: "",
        answered: "101 telephone-event/8000",
        answer: "",
        forth: " = - - -",
        back: " = - - -",
    },
    Call {
        what: "a browser behind a telephone",
        offered: PHONE,
        flags: "mask=PCMA mask=PCMU transcode=opus",
        answered: "96 opus/48000/2, 97 telephone-event/48000",
        answer: "8 PCMA/8000, 0 PCMU/8000, 101 telephone-event/8000",
        forth: "8* 0* 101* = 96 97 -",
        back: "96* 97* = 8 101 -",
    },
    Call {
        what: "the added codec was not needed",
        offered: PHONE,
        flags: "transcode=opus",
        answered: "8 PCMA/8000, 101 telephone-event/8000",
        answer: "8 PCMA/8000, 101 telephone-event/8000",
        forth: "8>8 101>101 = 8 101 -",
        back: "8>8 101>101 = 8 101 -",
    },
    Call {
        what: "the added codec was the only one taken, and no events: they become tones",
        offered: PHONE,
        flags: "transcode=opus",
        answered: "96 opus/48000/2",
        answer: "8 PCMA/8000, 101 telephone-event/8000",
        forth: "8* 101* = 96 - -",
        back: "96* = 8 101 -",
    },
    Call {
        what: "both are taken, the added one first: it is transcoded when it comes",
        offered: PHONE,
        flags: "transcode=opus",
        answered: "96 opus/48000/2, 8 PCMA/8000, 101 telephone-event/8000, 97 telephone-event/48000",
        answer: "8 PCMA/8000, 101 telephone-event/8000",
        forth: "8>8 101>101 = 8 101 -",
        back: "96* 8* 101* 97* = 8 101 -",
    },
    Call {
        what: "a telephone behind a browser",
        offered: "111 opus/48000/2, 9 G722/8000, 110 telephone-event/48000, 126 telephone-event/8000",
        flags: "mask=opus strip=G722 transcode=PCMA",
        answered: "8 PCMA/8000, 126 telephone-event/8000",
        answer: "111 opus/48000/2, 110 telephone-event/48000",
        forth: "111* 110* = 8 126 -",
        back: "8* 126* = 111 110 -",
    },
    Call {
        what: "always transcode: both of the offerer's stay",
        offered: PHONE,
        flags: "accept=all",
        answered: "0 PCMU/8000, 101 telephone-event/8000",
        answer: "0 PCMU/8000, 8 PCMA/8000, 101 telephone-event/8000",
        forth: "0* 8* 101* = 0 101 -",
        back: "0>0 101>101 = 0 101 -",
    },
    Call {
        what: "always transcode and one codec: nothing is left to transcode",
        offered: PHONE,
        flags: "accept=all single",
        answered: "0 PCMU/8000, 101 telephone-event/8000",
        answer: "0 PCMU/8000, 101 telephone-event/8000",
        forth: "0>0 101>101 = 0 101 -",
        back: "0>0 101>101 = 0 101 -",
    },
    Call {
        what: "always transcode, but what both have only passes",
        offered: "18 G729/8000, 8 PCMA/8000, 101 telephone-event/8000",
        flags: "accept=all",
        answered: "18 G729/8000, 101 telephone-event/8000",
        answer: "18 G729/8000, 101 telephone-event/8000",
        forth: "18>18 101>101 = 18 101 -",
        back: "18>18 101>101 = 18 101 -",
    },
    Call {
        what: "a masked codec is not forced beside one that only passes",
        offered: "111 opus/48000/2, 18 G729/8000",
        flags: "consume=opus",
        answered: "18 G729/8000",
        answer: "18 G729/8000",
        forth: "18>18 = 18 - -",
        back: "18>18 = 18 - -",
    },
    Call {
        what: "opus with one channel is opus",
        offered: "111 opus/48000/2",
        flags: "",
        answered: "96 opus/48000",
        answer: "96 opus/48000",
        forth: "96>96 111>96 = 96 - -",
        back: "96>96 111>96 = 96 - -",
    },
    Call {
        what: "comfort noise on the offerer's side only",
        offered: "8 PCMA/8000, 13 CN/8000",
        flags: "transcode=G722",
        answered: "9 G722/8000",
        answer: "8 PCMA/8000, 13 CN/8000",
        forth: "8* 13* = 9 - -",
        back: "9* = 8 - 13",
    },
    Call {
        what: "events of another clock than the sound's are better than none",
        offered: PHONE,
        flags: "transcode=opus",
        answered: "96 opus/48000/2, 101 telephone-event/8000",
        answer: "8 PCMA/8000, 101 telephone-event/8000",
        forth: "8* 101* = 96 101 -",
        back: "96* 101* = 8 101 -",
    },
    Call {
        what: "pictures pass although the answer names a lower level",
        offered: "96 H264/90000 profile-level-id=42e01f;packetization-mode=1, 97 rtx/90000 apt=96",
        flags: "transcode=opus",
        answered: "96 H264/90000 profile-level-id=42e00a;packetization-mode=1, 97 rtx/90000 apt=96",
        answer: "96 H264/90000, 97 rtx/90000",
        forth: "96>96 97>97 = 96 - -",
        back: "96>96 97>97 = 96 - -",
    },
    Call {
        what: "two packings of AMR are two codecs",
        offered: "96 AMR/8000 octet-align=1, 97 AMR/8000",
        flags: "",
        answered: "100 AMR/8000 octet-align=0",
        answer: "100 AMR/8000",
        forth: "100>100 97>100 = 100 - -",
        back: "100>100 97>100 = 100 - -",
    },
];

#[test]
fn what_an_answer_settles() {
    for call in CALLS {
        let rules = rules(call.flags);
        let offer = offer(&formats(call.offered), &rules, &can);
        let plan = plan(&offer, &formats(call.answered), &rules, &can);
        assert_eq!(shown(&plan.answer), call.answer, "{}: answer", call.what);
        assert_eq!(flow_shown(&plan.to_answerer), call.forth, "{}: to the answerer", call.what);
        assert_eq!(flow_shown(&plan.to_offerer), call.back, "{}: to the offerer", call.what);
    }
}

#[test]
fn what_a_publisher_is_answered() {
    let offered = formats("18 G729/8000, 8 PCMA/8000, 111 opus/48000/2, 101 telephone-event/8000");
    for (flags, expected) in [
        ("", Some(8)),
        ("accept=opus", Some(111)),
        ("accept=G722 accept=opus", Some(111)),
        ("accept=G722", Some(8)),
        ("accept=any", Some(18)),
        ("accept=G729", Some(18)),
    ] {
        let choice = publish_choice(&offered, &rules(flags), &can).map(|format| format.payload_type);
        assert_eq!(choice, expected, "{flags}");
    }
    assert_eq!(publish_choice(&offered[..1], &rules(""), &can), None);
}

#[test]
fn names_of_codecs_in_flags() {
    for (text, good) in [
        ("opus", true),
        ("opus/48000/2", true),
        ("opus/48000/2/32000/20/useinbandfec=1/compression_level=2", true),
        ("", false),
        ("/8000", false),
        ("opus/x", false),
        ("opus/48000/300", false),
        ("a b", false),
        ("opus\r\na=x", false),
        ("opus/48000/2///a\nb", false),
    ] {
        assert_eq!(CodecSpec::parse(text).is_some(), good, "{text:?}");
    }
    assert_eq!(CodecMatch::parse("128"), None);
    let full = CodecSpec::parse("opus/48000/2/32000/20/useinbandfec--1/compression_level=2").unwrap();
    assert_eq!(
        (full.bitrate, full.ptime, full.fmtp.as_deref()),
        (Some(32_000), Some(20), Some("useinbandfec=1"))
    );
    assert_eq!(full.options.as_deref(), Some("compression_level=2"));
    let rules = CodecRules { transcode: vec![full], ..CodecRules::default() };
    let opus = Format::new(96, "opus", 48_000, 2).with_fmtp("useinbandfec=1");
    assert_eq!(rules.settings(&opus).and_then(|spec| spec.bitrate), Some(32_000));
}
