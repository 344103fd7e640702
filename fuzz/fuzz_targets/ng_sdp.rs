//! Anything at all as a session description: what is accepted prints as it came, stays as it is when nothing is decided,
//! and reads again when something is.
#![no_main]

use kaname_sfu::ng::sdp::codecs::{CodecRules, offer, plan};
use kaname_sfu::ng::sdp::crypto::{self, CryptoRules};
use kaname_sfu::ng::sdp::{Change, IceChange, MediaRewrite, Rewrite, RtcpLine, SessionText, rewrite};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
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
    let decided = Rewrite { medias: medias.collect(), origin: Some([192, 0, 2, 1].into()), ..Rewrite::default() };
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
});
