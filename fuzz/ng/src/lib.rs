//! What must hold of anything that a proxy sends over `ng`.

use kaname_sfu::ng::flags::Flags;
use kaname_sfu::ng::sdp::codecs::{CodecRules, offer, plan};
use kaname_sfu::ng::sdp::crypto::{self, CryptoRules};
use kaname_sfu::ng::sdp::{Change, IceChange, MediaRewrite, Rewrite, RtcpLine, SessionText, rewrite};
use kaname_sfu::ng::{Dictionary, Request, Value};

/// Anything at all as a session description: what is accepted prints as it came, stays as it is when nothing is decided, and reads
/// again when something is.
pub fn session_description(text: &str) {
    let Ok(parsed) = SessionText::parse(text) else { return };
    assert_eq!(parsed.as_str(), text);
    assert_eq!(rewrite(&parsed, &Rewrite::default()), text);
    let rules = CodecRules { transcode: vec![], ..CodecRules::default() };
    let medias = parsed.medias().iter().map(|view| {
        let offered = offer(&view.formats, &rules, &|format| format.is_named("PCMA"));
        let _ = plan(&offered, &view.formats, &rules, &|format| format.is_named("PCMA"));
        let keys = crypto::offer(&view.crypto, &CryptoRules::default(), &[], &mut |key| key.fill(1));
        MediaRewrite {
            address: Some([192, 0, 2, 1].into()),
            port: Some(30_000),
            rtcp: Change::Set(RtcpLine::Port(30_001)),
            formats: view.protocol.is_rtp().then_some(offered.formats),
            crypto: Some(keys),
            dtls: Change::Remove,
            ice: IceChange::Remove,
            ..MediaRewrite::default()
        }
    });
    let decided =
        Rewrite { medias: medias.collect(), origin: Some([192, 0, 2, 1].into()), ..Rewrite::default() };
    let out = rewrite(&parsed, &decided);
    let again = match SessionText::parse(&out) {
        Ok(again) => again,
        Err(error) => {
            // Only what is added can be too much.
            let words = error.to_string();
            assert!(words.contains("more than") || words.contains("at most"), "{words}\n{out}");
            return;
        }
    };
    for (before, after) in parsed.medias().iter().zip(again.medias()) {
        assert_eq!(after.port, 30_000);
        assert_eq!(after.connection.as_ref().and_then(|host| host.ip()), Some([192, 0, 2, 1].into()));
        assert_eq!(after.formats, before.formats);
    }
}

/// Anything at all as a message, read to flags; words of the flags list one by one.
pub fn flags(data: &[u8]) {
    if let Ok(request) = Request::parse(data) {
        let _ = Flags::read(&request.dictionary).map_err(|error| error.to_string());
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    let words = text.split('\n').take(100).map(Value::from).collect();
    let message =
        Dictionary::new().with("command", "query").with("call-id", "c").with("flags", Value::List(words));
    if let Ok(flags) = Flags::read(&message) {
        // What comes from outside cannot break a line of a description or a log.
        assert!(!format!("{flags:?}").contains(['\n', '\r']));
    }
}
