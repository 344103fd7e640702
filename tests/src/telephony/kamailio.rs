//! Debian's Kamailio with the configuration that it ships, as a proxy in front of one or more relays.

use std::fs;
use std::path::PathBuf;

use tokio::process::Command;

use super::lab::{Lab, address};
use super::program::Program;
use super::until;
use crate::Error;

/// The configuration of the package.
const STOCK: &str = "/etc/kamailio/kamailio.cfg";
/// What every relay command of the stock script ends with, and what ours ends with: flags by who is called.
const STOCK_FLAGS: &str = "replace-session-connection\"";
const OUR_FLAGS: &str = "replace-session-connection $var(media)\"";
/// Where the stock script names its one relay.
const STOCK_RELAY: &str = "udp:127.0.0.1:2223";
/// Where our route goes, and the call of it.
const STOCK_ROUTE: &str = "route[NATMANAGE] {\n#!ifdef WITH_NAT\n";
const OUR_ROUTE: &str = "route[NATMANAGE] {\n#!ifdef WITH_NAT\n\troute(MEDIA);\n";
/// What each kind of phone understands, by the name that is called. Only requests carry it: a relay answers in the
/// terms of the offer by itself.
const MEDIA: &str = r#"
route[MEDIA] {
	$var(media) = "";
	if (!is_request()) return;
	$var(media) = "ICE=remove RTP/AVP";
	if ($tU =~ "^sdes") $var(media) = "ICE=remove RTP/SAVP DTLS=off SDES-pad";
	if ($tU =~ "^dtls") $var(media) = "ICE=remove UDP/TLS/RTP/SAVP SDES-off";
	if ($fU =~ "^dtls-server") $var(media) = $var(media) + " DTLS-reverse=active";
	if ($tU =~ "opus") $var(media) = $var(media) + " codec-transcode-opus";
	else $var(media) = $var(media) + " codec-transcode-PCMA";
	return;
}

"#;

/// Where the stock script goes on with requests within dialogs; rooms are asked first, since their far end is the node.
const STOCK_DIALOG: &str = "\troute(WITHINDLG);\n";
const OUR_DIALOG: &str = "\troute(ROOM);\n\troute(WITHINDLG);\n";
/// Calls to `conf-NAME` go into the room of that name: the node's own description is the answer.
const ROOM: &str = r#"
route[ROOM] {
	if (!($rU =~ "^conf-")) return;
	if (is_method("ACK")) exit;
	if (is_method("BYE")) {
		rtpengine_delete();
		sl_send_reply("200", "OK");
		exit;
	}
	if (!is_method("INVITE")) return;
	$var(room) = $(rU{s.substr,5,0});
	t_newtran();
	if (!rtpengine_offer("room=$var(room) display-name=$fU SDES-pad")) {
		t_reply("503", "No Room");
		exit;
	}
	msg_apply_changes();
	set_reply_body("$rb", "application/sdp");
	append_to_reply("Contact: <sip:$rU@$Ri:$Rp>\r\n");
	t_reply("200", "OK");
	exit;
}

"#;

/// A running proxy.
pub struct Kamailio {
    program: Program,
    control: String,
}

impl Kamailio {
    /// Starts the proxy at its address, with these control ports of relays.
    pub async fn start(lab: &Lab, relays: &[u16]) -> Result<Kamailio, Error> {
        let configuration = lab.folder.join("kamailio.cfg");
        fs::write(&configuration, edited(relays)?)?;
        // A socket's path may be 107 bytes long; that of the artefacts may be longer.
        let run = run_folder()?;
        let control = format!("unix:{}", run.join("kamailio_ctl").display());
        let listen = format!("udp:{}:5060", address("proxy"));
        let (file, run) = (configuration.display().to_string(), run.display().to_string());
        let program = Program::start_family(
            &lab.folder,
            "kamailio",
            "kamailio kamailio-extra-modules",
            "/usr/sbin/kamailio",
            &["-f", &file, "-A", "WITH_NAT", "-A", "WITH_RTPENGINE", "-l", &listen, "-Y", &run, "-DD", "-E"],
        )?;
        let proxy = Kamailio { program, control };
        // Its control socket is there before its relays are.
        let known = async || proxy.relays_enabled().await.ok().filter(|known| known.len() == relays.len());
        until("Kamailio's start", known).await?;
        Ok(proxy)
    }

    /// What an RPC command prints.
    pub async fn rpc(&self, command: &[&str]) -> Result<String, Error> {
        let output = Command::new("kamcmd").args(["-s", &self.control]).args(command).output().await?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(Error::Telephony(format!("kamcmd {command:?}: {}", String::from_utf8_lossy(&output.stderr))))
    }

    /// Whether each relay is enabled, in the order in which they were given.
    pub async fn relays_enabled(&self) -> Result<Vec<bool>, Error> {
        let shown = self.rpc(&["rtpengine.show", "all"]).await?;
        let disabled = shown.lines().filter_map(|line| line.trim().strip_prefix("disabled: "));
        Ok(disabled.map(|value| value == "0").collect())
    }

    /// Whether the proxy still runs.
    pub fn alive(&mut self) -> bool {
        self.program.alive()
    }
}

/// The stock configuration with our few changes; each must find its place, or the package's file is another one.
fn edited(relays: &[u16]) -> Result<String, Error> {
    let stock = fs::read_to_string(STOCK).map_err(|e| {
        Error::Telephony(format!("{STOCK}: {e}; apt-get install -y kamailio kamailio-extra-modules"))
    })?;
    let sockets: Vec<String> = relays.iter().map(|port| format!("udp:127.0.0.1:{port}")).collect();
    let changes = [
        (STOCK_FLAGS, OUR_FLAGS.to_owned()),
        (STOCK_RELAY, sockets.join(" ")),
        (STOCK_ROUTE, format!("{MEDIA}{ROOM}{OUR_ROUTE}")),
        (STOCK_DIALOG, OUR_DIALOG.to_owned()),
        ("\nchildren=8\n", "\nchildren=2\n".to_owned()),
    ];
    let mut text = stock;
    for (from, to) in changes {
        if !text.contains(from) {
            return Err(Error::Telephony(format!("{STOCK} has no {from:?}: not the one of Debian 12")));
        }
        text = text.replace(from, &to);
    }
    Ok(text)
}

/// A short path for sockets.
fn run_folder() -> Result<PathBuf, Error> {
    let folder = std::env::temp_dir().join(format!("kaname-kamailio-{}-{}", std::process::id(), unique()));
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

fn unique() -> u32 {
    static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
}

impl Drop for Kamailio {
    fn drop(&mut self) {
        if let Some(folder) = self.control.strip_prefix("unix:").map(PathBuf::from)
            && let Some(folder) = folder.parent()
        {
            let _ = fs::remove_dir_all(folder);
        }
    }
}
