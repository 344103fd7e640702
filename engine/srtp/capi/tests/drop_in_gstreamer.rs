//! Debian's GStreamer with our library in the place of libsrtp2: its srtpenc and srtpdec against themselves on the real one, both
//! ways. In the full suite; needs gstreamer1.0-tools, gstreamer1.0-plugins-base, -good and -bad.

mod kit;

use std::fs;
use std::path::Path;
use std::process::Command;

use kit::{folder, good};

/// RTP packets sent; they cross the roll-over of the sequence number.
const PACKETS: usize = 50;

/// GStreamer's names for a suite, and the bytes of its key with salt.
struct Suite {
    cipher: &'static str,
    auth: &'static str,
    key_len: usize,
    mki: &'static str,
}

const SUITES: [Suite; 6] = [
    Suite { cipher: "aes-128-icm", auth: "hmac-sha1-80", key_len: 30, mki: "" },
    Suite { cipher: "aes-128-icm", auth: "hmac-sha1-32", key_len: 30, mki: "" },
    Suite { cipher: "aes-256-icm", auth: "hmac-sha1-80", key_len: 46, mki: "" },
    Suite { cipher: "aes-128-gcm", auth: "null", key_len: 28, mki: "" },
    Suite { cipher: "aes-256-gcm", auth: "null", key_len: 44, mki: "" },
    Suite { cipher: "aes-128-icm", auth: "hmac-sha1-80", key_len: 30, mki: "01020304" },
];

/// A pipeline, on our library or on Debian's.
fn launch(folder: &Path, ours: bool, pipeline: &str) -> Command {
    let mut command = Command::new("timeout");
    command.args(["60", "gst-launch-1.0", "-q"]).args(pipeline.split_whitespace());
    // A registry of its own: the plugin's description does not depend on the library, but nothing shared is touched.
    command.env("GST_REGISTRY_1_0", folder.join("registry")).env_remove("LD_LIBRARY_PATH");
    if ours {
        command.env("LD_LIBRARY_PATH", folder);
    }
    command
}

fn key(suite: &Suite, seed: u8) -> String {
    (0..suite.key_len).map(|i| format!("{:02x}", (i as u8).wrapping_mul(7) ^ seed)).collect()
}

const SOURCE: &str = "! audio/x-raw,rate=8000,channels=1 ! alawenc !";

fn send(folder: &Path, ours: bool, suite: &Suite, to: &Path) {
    let Suite { cipher, auth, mki, .. } = suite;
    let key = key(suite, 1);
    let mki = if mki.is_empty() { String::new() } else { format!("mki={mki}") };
    good(&mut launch(
        folder,
        ours,
        &format!(
            "audiotestsrc num-buffers={PACKETS} {SOURCE} rtppcmapay ssrc=1234 seqnum-offset=65500 ! \
             srtpenc key={key} {mki} rtp-cipher={cipher} rtp-auth={auth} rtcp-cipher={cipher} rtcp-auth={auth} ! \
             rtpstreampay ! filesink location={}",
            to.display()
        ),
    ));
}

fn receive(folder: &Path, ours: bool, suite: &Suite, key_seed: u8, from: &Path, to: &Path) {
    let Suite { cipher, auth, mki, .. } = suite;
    let key = key(suite, key_seed);
    let mki = if mki.is_empty() { String::new() } else { format!(",mki=(buffer){mki}") };
    good(&mut launch(
        folder,
        ours,
        &format!(
            "filesrc location={} ! application/x-srtp-stream,media=(string)audio,payload=(int)8,clock-rate=(int)8000,\
             encoding-name=(string)PCMA,ssrc=(uint)1234,srtp-key=(buffer){key},srtp-cipher=(string){cipher},\
             srtp-auth=(string){auth},srtcp-cipher=(string){cipher},srtcp-auth=(string){auth},roc=(uint)0{mki} ! \
             rtpstreamdepay ! srtpdec ! rtppcmadepay ! filesink location={}",
            from.display(),
            to.display()
        ),
    ));
}

#[test]
#[ignore = "full suite: needs GStreamer"]
fn gstreamer_on_our_library() {
    let folder = folder("gstreamer");
    let plugin = "/usr/lib/x86_64-linux-gnu/gstreamer-1.0/libgstsrtp.so";
    let linked = good(Command::new("ldd").arg(plugin).env("LD_LIBRARY_PATH", &folder));
    let found = linked.lines().find(|line| line.contains("libsrtp2.so.1 =>")).expect("srtpenc uses libsrtp2");
    assert!(found.contains(folder.to_str().expect("a path in ASCII")), "not our library: {found}");

    let expected = folder.join("expected");
    good(&mut launch(
        &folder,
        false,
        &format!("audiotestsrc num-buffers={PACKETS} {SOURCE} filesink location={}", expected.display()),
    ));
    let expected = fs::read(expected).expect("just written");
    assert_eq!(expected.len(), PACKETS * 1024);
    for suite in &SUITES {
        let (wire, heard) = (folder.join("wire"), folder.join("heard"));
        let mut wires = Vec::new();
        for (sender, receiver) in [(true, false), (false, true), (true, true)] {
            send(&folder, sender, suite, &wire);
            receive(&folder, receiver, suite, 1, &wire, &heard);
            let name = format!("{} {} {:?}", suite.cipher, suite.auth, suite.mki);
            assert!(fs::read(&heard).expect("just written") == expected, "{name}: {sender} to {receiver}");
            wires.push(fs::read(&wire).expect("just written").len());
        }
        assert_eq!(wires[0], wires[1]);
        // The wrong key: not one packet comes through.
        receive(&folder, true, suite, 2, &wire, &heard);
        assert_eq!(fs::read(&heard).map_or(0, |bytes| bytes.len()), 0);
    }
}
