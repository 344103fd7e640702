//! Debian's baresip as a phone: registers, calls, answers by itself, plays a tone and records what it hears.

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use super::card::{self, Card};
use super::certificate;
use super::lab::{Lab, address};
use super::program::Program;
use super::until;
use super::wav::Wav;
use crate::{Error, must};

/// Where the phones' modules are.
const MODULES: &str = "/usr/lib/baresip/modules";
/// Modules of every phone. None draws or wants a terminal.
const LOADED: [&str; 9] =
    ["g711", "opus", "ausine", "alsa", "srtp", "dtls_srtp", "menu", "debug_cmd", "ctrl_tcp"];
/// Sound that waits in a phone's jitter and audio buffers and in the card's pipe.
const IN_FLIGHT_MS: u64 = 600;
/// How long a tone may take to begin: a handshake, and the jitter buffer's start.
const PATIENCE_MS: u64 = 10_000;
/// Longest message of the control connection.
const MESSAGE: usize = 65_536;

/// What a phone speaks. The proxy knows it by the name that is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// G.711 in the clear.
    Plain,
    /// G.711 under SRTP with keys in the SDP, and nothing else.
    Sdes,
    /// G.711 under SRTP with keys by DTLS.
    Dtls,
    /// Opus in the clear.
    Opus,
    /// Opus under SRTP with keys in the SDP.
    SdesOpus,
    /// As `Dtls`, and when it calls, the proxy asks the relay to begin the handshake. (When it is called, this program says that
    /// it begins, whatever it then does.)
    DtlsServer,
    /// As `Dtls`, with a certificate of ECDSA, as later versions of the program make; this one's is of RSA.
    DtlsElliptic,
}

impl Style {
    /// How the user's name begins, for the proxy's script.
    fn prefix(self) -> &'static str {
        match self {
            Style::Plain => "plain",
            Style::Sdes => "sdes",
            Style::Dtls | Style::DtlsElliptic => "dtls",
            Style::DtlsServer => "dtls-server",
            Style::Opus => "opus",
            Style::SdesOpus => "sdes-opus",
        }
    }

    /// Parameters of the account.
    fn account(self) -> &'static str {
        match self {
            Style::Plain => "audio_codecs=pcma/8000/1",
            Style::Sdes => "audio_codecs=pcma/8000/1;mediaenc=srtp-mand",
            Style::Dtls | Style::DtlsServer | Style::DtlsElliptic => {
                "audio_codecs=pcma/8000/1;mediaenc=dtls_srtp"
            }
            Style::Opus => "audio_codecs=opus/48000/2",
            Style::SdesOpus => "audio_codecs=opus/48000/2;mediaenc=srtp-mand",
        }
    }
}

/// A registered phone.
pub struct Phone {
    /// Its user name.
    pub user: String,
    /// The tone that it plays.
    pub hz: u32,
    program: Program,
    card: Card,
    log: PathBuf,
    out: OwnedWriteHalf,
    inbound: BufReader<OwnedReadHalf>,
    /// Events that came while another was waited for.
    passed: VecDeque<Value>,
}

impl Phone {
    /// Starts a phone at a party's address and waits until it is registered.
    pub async fn start(lab: &Lab, party: &str, style: Style, hz: u32) -> Result<Phone, Error> {
        let user = format!("{}-{party}", style.prefix());
        let folder = lab.folder.join(party);
        fs::create_dir_all(&folder)?;
        let port = 4000 + u16::from(address(party).octets()[3]);
        configure(&folder, party, port, &user, style, hz)?;
        let path = folder.display().to_string();
        let card = Card::insert(&folder)?;
        let alsa = Card::configuration(&folder).display().to_string();
        let mut environment = vec![("ALSA_CONFIG_PATH", alsa.as_str())];
        let modern = (style == Style::DtlsElliptic).then(|| certificate::modern(&folder)).transpose()?;
        if let Some((library, certificate)) = &modern {
            environment
                .extend([("LD_PRELOAD", library.as_str()), (certificate::VARIABLE, certificate.as_str())]);
        }
        // -s: the log holds every SIP message.
        let program = Program::start_at(
            &lab.at(party),
            &lab.folder,
            party,
            "baresip",
            &["-f", &path, "-s", "-4"],
            &environment,
        )?;
        let connected = async || TcpStream::connect((address(party), port)).await.ok();
        let (inbound, out) = until("a phone's control port", connected).await?.into_split();
        let inbound = BufReader::new(inbound);
        let log = lab.folder.join(format!("{party}.log"));
        let mut phone = Phone { user, hz, program, card, log, out, inbound, passed: VecDeque::new() };
        // It may have registered before we listened.
        while !phone.command("reginfo", "").await?.contains("OK") {
            phone.event("REGISTER_OK").await?;
        }
        Ok(phone)
    }

    /// The first of the ports that a party's phone takes for media.
    pub fn first_port(party: &str) -> u16 {
        20_000 + 100 * u16::from(address(party).octets()[3])
    }

    /// Calls another phone through the proxy, and waits until it is answered.
    pub async fn call(&mut self, to: &str) -> Result<(), Error> {
        self.command("dial", &format!("sip:{to}@{}", address("proxy"))).await?;
        self.event("CALL_ESTABLISHED").await.map(|_| ())
    }

    /// Hangs the current call up.
    pub async fn hang_up(&mut self) -> Result<(), Error> {
        self.command("hangup", "").await.map(|_| ())
    }

    /// Sends the other party of the current call to somebody else.
    pub async fn transfer(&mut self, to: &str) -> Result<(), Error> {
        self.command("transfer", &format!("sip:{to}@{}", address("proxy"))).await.map(|_| ())
    }

    /// Presses keys in the current call.
    pub async fn press(&mut self, keys: &str) -> Result<(), Error> {
        self.command("sndcode", keys).await.map(|_| ())
    }

    /// The keys that it is told of, until as many have come.
    pub async fn keys(&mut self, count: usize) -> Result<String, Error> {
        let mut keys = String::new();
        while keys.len() < count {
            let event = self.event("CALL_DTMF_START").await?;
            keys.push_str(event["param"].as_str().unwrap_or_default());
        }
        Ok(keys)
    }

    /// Sends a command and returns what it printed.
    pub async fn command(&mut self, command: &str, params: &str) -> Result<String, Error> {
        let text = json!({ "command": command, "params": params, "token": "test" }).to_string();
        self.out.write_all(format!("{}:{text},", text.len()).as_bytes()).await?;
        loop {
            let message = must("an answer of a phone", self.message()).await??;
            if message["response"] == true {
                if message["ok"] == true {
                    return Ok(message["data"].as_str().unwrap_or_default().to_owned());
                }
                return Err(self.failed(&format!("{command} {params}: {message}")));
            }
            self.passed.push_back(message);
        }
    }

    /// Waits for an event. Those of other kinds are kept for later.
    pub async fn event(&mut self, kind: &str) -> Result<Value, Error> {
        if let Some(at) = self.passed.iter().position(|event| event["type"] == kind) {
            return Ok(self.passed.remove(at).unwrap_or_default());
        }
        let wait = async {
            loop {
                let message = self.message().await?;
                if message["type"] == kind {
                    return Ok(message);
                }
                self.passed.push_back(message);
            }
        };
        let came: Result<Result<Value, Error>, Error> = must("an event of a phone", wait).await;
        match came {
            Ok(result) => result,
            Err(_) => Err(self.failed(&format!("{kind} never came; it had {:?}", self.kinds()))),
        }
    }

    /// Waits until its call is over.
    pub async fn closed(&mut self) -> Result<(), Error> {
        self.event("CALL_CLOSED").await.map(|_| ())
    }

    /// Forgets the events that came so far.
    pub fn forget(&mut self) {
        self.passed.clear();
    }

    /// What it hears from now on, for so long.
    pub async fn listen(&self, ms: u64) -> Result<Wav, Error> {
        // What is on its way through the phone's buffers and the card belongs to the past.
        self.listen_from(self.card.ms() + IN_FLIGHT_MS, ms).await
    }

    async fn listen_from(&self, begin: u64, ms: u64) -> Result<Wav, Error> {
        until("sound at a phone", async || (self.card.ms() >= begin + ms).then_some(())).await?;
        Ok(self.card.played(begin).between(0, ms))
    }

    /// Waits until it hears this tone, and asserts that from there on for so long it hears nothing else. One piece of 40 ms
    /// in twenty may be something else: the phone's own clock drifts against that of the test.
    pub async fn hears(&self, hz: u32, ms: u64) -> Result<(), Error> {
        let mut begin = self.card.ms() + IN_FLIGHT_MS;
        let give_up = begin + PATIENCE_MS;
        while begin < give_up && self.listen_from(begin, 200).await?.verdict(f64::from(hz)).tone < 5 {
            begin += 100;
        }
        let verdict = self.listen_from(begin, ms).await?.verdict(f64::from(hz));
        let pieces = verdict.tone + verdict.silent + verdict.other;
        if verdict.tone * 20 >= pieces * 19 {
            return Ok(());
        }
        Err(self.failed(&format!("it does not hear {hz} Hz: {verdict:?}")))
    }

    /// Asserts that it hears nothing for a second.
    pub async fn hears_nothing(&self) -> Result<(), Error> {
        let verdict = self.listen(1000).await?.verdict(1000.0);
        if verdict.tone + verdict.other <= 1 {
            return Ok(());
        }
        Err(self.failed(&format!("it hears something: {verdict:?}")))
    }

    /// Asserts that this codec is the one whose sound it plays, as it logs it: `opus`, `PCMA`.
    pub fn decodes(&self, codec: &str) -> Result<(), Error> {
        let log = self.log();
        let last = log.lines().rfind(|line| line.contains("Set audio decoder: ")).unwrap_or_default();
        if last.contains(&format!("decoder: {codec} ")) {
            return Ok(());
        }
        Err(self.failed(&format!("it does not decode {codec}: {last}")))
    }

    /// The SIP messages so far, as it logs them.
    pub fn log(&self) -> String {
        fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// Ends it; it takes its registration back.
    pub async fn stop(self) -> Result<(), Error> {
        self.program.stop().await
    }

    fn kinds(&self) -> Vec<&str> {
        self.passed.iter().filter_map(|event| event["type"].as_str()).collect()
    }

    fn failed(&self, why: &str) -> Error {
        Error::Telephony(format!("{}: {why}", self.user))
    }

    /// The next message: a netstring of JSON.
    async fn message(&mut self) -> Result<Value, Error> {
        let mut length = Vec::new();
        self.inbound.read_until(b':', &mut length).await?;
        length.pop();
        let length = String::from_utf8_lossy(&length).trim().parse::<usize>();
        let length = length.ok().filter(|l| *l <= MESSAGE).ok_or_else(|| self.failed("it is gone"))?;
        let mut body = vec![0; length + 1];
        self.inbound.read_exact(&mut body).await?;
        body.pop();
        serde_json::from_slice(&body).map_err(|e| self.failed(&e.to_string()))
    }
}

fn configure(
    folder: &Path,
    party: &str,
    control: u16,
    user: &str,
    style: Style,
    hz: u32,
) -> Result<(), Error> {
    let modules: String = LOADED
        .iter()
        .map(|name| {
            let kind =
                if matches!(*name, "menu" | "debug_cmd" | "ctrl_tcp") { "module_app" } else { "module" };
            format!("{kind} {name}.so\n")
        })
        .collect();
    let (at, proxy) = (address(party), address("proxy"));
    let first_port = Phone::first_port(party);
    // The tone generator knows 48 kHz stereo only; the phone resamples.
    let config = format!(
        "poll_method epoll\nsip_listen {at}:5060\nnet_interface {party}\ncall_max_calls 4\n\
         audio_source ausine,{hz}\naudio_player alsa,card\naudio_alert none\n\
         ausrc_srate 48000\nausrc_channels 2\nauplay_srate {rate}\nauplay_channels 2\naudio_buffer 100-500\njitter_buffer_delay 2-10\n\
         rtp_ports {first_port}-{last}\nctrl_tcp_listen {at}:{control}\n\
         module_path {MODULES}\nmodule_tmp uuid.so\nmodule_tmp account.so\n{modules}",
        last = first_port + 98,
        rate = card::RATE,
    );
    fs::write(folder.join("config"), config)?;
    let account = format!("<sip:{user}@{proxy}>;regint=600;answermode=auto;{}\n", style.account());
    fs::write(folder.join("accounts"), account)?;
    fs::write(folder.join("contacts"), "")?;
    Ok(())
}
