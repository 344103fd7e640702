//! The one table of settings.

use super::value::{Setting, Value};
use super::{Config, Kind, LogFormat, LogLevel, MediaIo, Mode, Steering, XdpMode};

/// One setting.
pub struct Key {
    /// Its name in the file, tables and name divided by dots: `media.port`.
    pub name: &'static str,
    /// What it accepts.
    pub kind: Kind,
    /// What it is for; the reference page says exactly this.
    pub about: &'static str,
    pub(super) set: fn(&mut Config, &Value) -> Result<(), String>,
    pub(super) show: fn(&Config) -> String,
}

impl Key {
    /// The environment variable of the same setting: `KANAME_MEDIA_PORT`.
    pub fn variable(&self) -> String {
        format!("KANAME_{}", self.name.replace('.', "_").to_uppercase())
    }

    /// The flag of the same setting, without dashes: `media-port`.
    pub fn flag(&self) -> String {
        self.name.replace(['.', '_'], "-")
    }

    /// Its value in `config` as the file would say it; secrets are not shown; empty: not set.
    pub fn shown(&self, config: &Config) -> String {
        (self.show)(config)
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

macro_rules! key {
    ($name:literal, $($field:ident).+, $kind:expr, $about:literal) => {
        Key {
            name: $name,
            kind: $kind,
            about: $about,
            set: |config, value| { config.$($field).+ = Setting::read(value)?; Ok(()) },
            show: |config| Setting::show(&config.$($field).+),
        }
    };
}

/// Every setting, in the order of the reference page.
pub static KEYS: &[Key] = &[
    key!(
        "mode",
        mode,
        Kind::Choice(Mode::WORDS),
        "`development` signs tokens with a well-known key and hands them out at `/dev/token`: for your own machine. `production` needs a key of your \
         own. Has to be said (either way) as soon as the node listens beyond loopback or has a key of its own."
    ),
    key!(
        "state_directory",
        state_directory,
        Kind::Path,
        "Where the node keeps what it makes itself: the generated certificate. Unset: `$STATE_DIRECTORY`, else `$XDG_STATE_HOME/kaname`, else \
         `~/.local/state/kaname`."
    ),
    key!(
        "http.listen",
        http.listen,
        Kind::Sockets,
        "Plain HTTP: page, API, WHIP, WHEP, metrics. Loopback addresses only; for others use `https.listen`. Port 0: any free port."
    ),
    key!(
        "http.max_connections",
        http.max_connections,
        Kind::Integer { min: 1, max: 1_000_000 },
        "HTTP connections at once, over all listeners; further ones wait in the kernel's queue."
    ),
    key!(
        "http.read_timeout_seconds",
        http.read_timeout_seconds,
        Kind::Integer { min: 1, max: 300 },
        "Time a client has for the TLS handshake, for a request's head, and for its body."
    ),
    key!(
        "http.max_body_bytes",
        http.max_body_bytes,
        Kind::Integer { min: 16_384, max: 16_777_216 },
        "Largest request body and largest WebSocket message."
    ),
    key!(
        "https.listen",
        https.listen,
        Kind::Sockets,
        "HTTP over TLS (1.2 and 1.3). Without certificate files a certificate is generated and kept in the state directory; browsers will warn of it."
    ),
    key!(
        "https.certificate_file",
        https.certificate_file,
        Kind::Path,
        "PEM file with the certificate chain, leaf first."
    ),
    key!("https.key_file", https.key_file, Kind::Path, "PEM file with the certificate's private key."),
    key!(
        "https.names",
        https.names,
        Kind::Texts,
        "Host names and addresses for the generated certificate, beside `localhost` and the addresses listened on."
    ),
    key!(
        "media.bind",
        media.bind,
        Kind::Addresses,
        "Addresses that media comes in on and that browsers are told of. Empty: every address of the machine (in development: loopback too)."
    ),
    key!(
        "media.advertise",
        media.advertise,
        Kind::Addresses,
        "Addresses that browsers are told of in place of the bound ones: the public address of a machine behind one-to-one address translation (most clouds)."
    ),
    key!(
        "media.port",
        media.port,
        Kind::Integer { min: 0, max: 65_535 },
        "Media port, UDP and TCP: one for the whole node. 0: any free port, for each address its own."
    ),
    key!(
        "media.tcp",
        media.tcp,
        Kind::Bool,
        "Whether media may also come over TCP (ICE-TCP), for networks that let no UDP through."
    ),
    key!(
        "media.shards",
        media.shards,
        Kind::Integer { min: 0, max: 64 },
        "Packet threads, each with its rooms; a room that is too large for one spans several. 0: one for each core."
    ),
    key!(
        "media.steering",
        media.steering,
        Kind::Choice(Steering::WORDS),
        "How datagrams find their packet thread: `ebpf` in the kernel (needs CAP_BPF), `hand-over` from thread to thread, `auto` by eBPF where the kernel lets us."
    ),
    key!(
        "media.io",
        media.io,
        Kind::Choice(MediaIo::WORDS),
        "What carries media: `kernel` (the kernel's UDP, many packets a message), `af-xdp` (past the kernel's network stack, on `media.interface`; needs \
         CAP_NET_ADMIN, CAP_NET_RAW and CAP_BPF; firewall rules for the media port do not apply to it), `portable` (for comparison). `auto` is `kernel` on Linux."
    ),
    key!(
        "media.interface",
        media.interface,
        Kind::Text,
        "The interface for `af-xdp`, such as `eth0`. Other interfaces, loopback and TCP go through the kernel all the same."
    ),
    key!(
        "media.xdp_mode",
        media.xdp_mode,
        Kind::Choice(XdpMode::WORDS),
        "How the interface gives and takes frames: `zero-copy` (the driver reads and writes our memory), `driver` (with a copy), `generic` (any driver, with a \
         copy). `auto` is the first of them that works."
    ),
    key!(
        "media.coalesce_us",
        media.coalesce_us,
        Kind::Integer { min: 0, max: 2_000 },
        "Microseconds that a packet thread rests at most between two looks while it is busy with calls on ports of their own: until about eight packets have \
         come, so the more there are the shorter. A packet waits for at most so long, and costs less. 0: the thread wakes up for each packet. A packet of a room that \
         comes during a rest waits for its end; it then keeps the thread from resting for 25 ms, so the next do not."
    ),
    key!(
        "media.workers",
        media.workers,
        Kind::Integer { min: 1, max: 64 },
        "Threads for DTLS handshakes and data channels."
    ),
    key!("media.pin", media.pin, Kind::Bool, "Whether each packet thread stays on its core."),
    key!(
        "media.receive_buffer_bytes",
        media.receive_buffer_bytes,
        Kind::Integer { min: 65_536, max: 1_073_741_824 },
        "Receive buffer asked of the kernel for each media socket. `kaname doctor` says whether the kernel grants it."
    ),
    key!(
        "auth.secret",
        auth.secret,
        Kind::Secret,
        "Key of HS256 tokens, at least 32 bytes. Prefer `auth.secret_file`, which does not show in process lists."
    ),
    key!(
        "auth.secret_file",
        auth.secret_file,
        Kind::Path,
        "File that holds the key of HS256 tokens; white space at its end is not part of the key."
    ),
    key!(
        "auth.public_key_file",
        auth.public_key_file,
        Kind::Path,
        "PEM file with the public key of ES256 (P-256) or EdDSA (Ed25519) tokens. Then only such tokens are accepted, and the node itself can sign none."
    ),
    key!(
        "auth.leeway_seconds",
        auth.leeway_seconds,
        Kind::Integer { min: 0, max: 300 },
        "Clock difference forgiven between who signs tokens and this node."
    ),
    key!(
        "limits.rooms",
        limits.rooms,
        Kind::Integer { min: 1, max: 1_000_000 },
        "Rooms at once; joins beyond are refused."
    ),
    key!(
        "limits.peers",
        limits.peers,
        Kind::Integer { min: 1, max: 1_000_000 },
        "Peers at once, in all rooms together."
    ),
    key!(
        "limits.peers_per_room",
        limits.peers_per_room,
        Kind::Integer { min: 1, max: 100_000 },
        "Peers at once in one room."
    ),
    key!(
        "limits.pin_wrong_per_caller",
        limits.pin_wrong_per_caller,
        Kind::Integer { min: 1, max: 1_000_000 },
        "Wrong PINs of rooms that one caller may type in an hour; after that none of its PINs is looked at."
    ),
    key!(
        "limits.pin_wrong_per_room",
        limits.pin_wrong_per_room,
        Kind::Integer { min: 1, max: 1_000_000 },
        "Wrong PINs that may be typed for one room in an hour, by whomever; after that none is looked at, and telephones come in only if the proxy or the API \
         vouches for them. It bounds guessing: with 20, a PIN of six digits holds for some three years on average, one of four for ten days."
    ),
    key!(
        "ng.listen_udp",
        ng.listen_udp,
        Kind::Sockets,
        "Where SIP proxies drive this node as they drive rtpengine (the `ng` protocol), a message a datagram: `127.0.0.1:2223` by custom. Unset, like the \
         other two: nowhere. Whoever may ask may redirect calls, so keep it on loopback or on a network of your own, and see `ng.allow`."
    ),
    key!("ng.listen_tcp", ng.listen_tcp, Kind::Sockets, "The same over TCP, messages one after the other."),
    key!(
        "ng.listen_http",
        ng.listen_http,
        Kind::Sockets,
        "The same as bodies of `POST /ng`, and over WebSockets (subprotocol `ng.rtpengine.com`)."
    ),
    key!("ng.allow", ng.allow, Kind::Networks, "Networks that may ask. Others are counted and hear nothing."),
    key!(
        "calls.interfaces",
        calls.interfaces,
        Kind::Interfaces,
        "Addresses that calls' media ports are opened on, by the names that requests pick them by (`direction`, `interface`). Behind `!` stands what session \
         descriptions say instead. Addresses of one name are taken by family, then in turn. The first name counts where a request says none. Unset: one address \
         of each family that the machine has."
    ),
    key!(
        "calls.port_min",
        calls.port_min,
        Kind::Integer { min: 1_024, max: 65_534 },
        "First media port of calls. A call takes four on its interfaces (RTP and RTCP on each side), two where RTCP is multiplexed."
    ),
    key!(
        "calls.port_max",
        calls.port_max,
        Kind::Integer { min: 1_025, max: 65_535 },
        "Last media port of calls."
    ),
    key!(
        "calls.port_rest_seconds",
        calls.port_rest_seconds,
        Kind::Integer { min: 0, max: 3_600 },
        "How long a port rests after a call before another call may have it, so that no late packet ends in the wrong call."
    ),
    key!(
        "calls.max_calls",
        calls.max_calls,
        Kind::Integer { min: 1, max: 1_000_000 },
        "Calls at once; offers beyond are answered `load limit`, and proxies try the next node."
    ),
    key!(
        "calls.max_calls_per_second",
        calls.max_calls_per_second,
        Kind::Integer { min: 0, max: 1_000_000 },
        "New calls a second; offers beyond are answered `load limit`. 0: any number."
    ),
    key!(
        "calls.silence_seconds",
        calls.silence_seconds,
        Kind::Integer { min: 5, max: 86_400 },
        "A call in which nobody sends for so long is ended."
    ),
    key!(
        "calls.hold_seconds",
        calls.hold_seconds,
        Kind::Integer { min: 5, max: 604_800 },
        "The same for a call that is on hold."
    ),
    key!(
        "calls.unanswered_seconds",
        calls.unanswered_seconds,
        Kind::Integer { min: 5, max: 86_400 },
        "A call whose offer nobody answers for so long is ended."
    ),
    key!(
        "calls.delete_delay_seconds",
        calls.delete_delay_seconds,
        Kind::Integer { min: 0, max: 3_600 },
        "How long a call lives on after `delete`, where the request does not say: a late answer of another branch can bring it back."
    ),
    key!(
        "calls.drain_seconds",
        calls.drain_seconds,
        Kind::Integer { min: 0, max: 86_400 },
        "How long a node that is told to stop (SIGTERM) lets calls go on. Meanwhile new ones are answered `load limit`. A second signal ends it at once."
    ),
    key!(
        "calls.audio_workers",
        calls.audio_workers,
        Kind::Integer { min: 1, max: 64 },
        "Threads that transcode, mix, play and record."
    ),
    key!(
        "calls.amr",
        calls.amr,
        Kind::Bool,
        "Whether AMR and AMR-WB are transcoded, with the system's libraries (libopencore-amrnb, libopencore-amrwb, libvo-amrwbenc)."
    ),
    key!(
        "calls.g729",
        calls.g729,
        Kind::Bool,
        "Whether G.729 is transcoded, with the system's library (libbcg729). That library is under the GPL, version 3 or later: whoever runs the node decides."
    ),
    key!(
        "calls.recordings",
        calls.recordings,
        Kind::Path,
        "Folder for recordings of calls and rooms. Unset: neither can be recorded."
    ),
    key!(
        "calls.prompts",
        calls.prompts,
        Kind::Path,
        "Folder of sounds that requests may name. Unset: none can be named. Files `pin-ask`, `pin-wrong` and `pin-refused` in it (`.wav` or `.opus`) are what \
         callers of a room with a PIN hear; in place of one that is not there they hear a tone. They are read when the node starts."
    ),
    key!(
        "calls.records_file",
        calls.records_file,
        Kind::Path,
        "File that gets a line of JSON for each call that ended. Unset: they are logged only."
    ),
    key!(
        "calls.forward_to",
        calls.forward_to,
        Kind::Receiver,
        "Who gets the sound of calls as it is spoken, where `start forwarding` asks for it: `tcp://host:port`, or `tls://host:port`, which has to prove its \
         name. Each party has a connection of its own: first the `metadata` of its call, ended by a zero byte, then samples of 16 bits, little end first, one \
         channel. Over `tcp` anyone on the way can listen. Unset: nobody, and such requests are refused."
    ),
    key!(
        "calls.forward_ca_file",
        calls.forward_ca_file,
        Kind::Path,
        "PEM file with the certificates of the CAs that may vouch for the receiver of `calls.forward_to`. Unset: those that the system trusts."
    ),
    key!(
        "calls.forward_rate_hz",
        calls.forward_rate,
        Kind::Integer { min: 8_000, max: 48_000 },
        "Samples a second of forwarded sound: 8000, 16000, 24000, 32000 or 48000, whatever the codec."
    ),
    key!(
        "calls.tos",
        calls.tos,
        Kind::Integer { min: 0, max: 255 },
        "Type of service of calls' media packets. 184 is expedited forwarding, as voice is marked."
    ),
    key!(
        "log.format",
        log.format,
        Kind::Choice(LogFormat::WORDS),
        "Lines of text for people or JSON objects for machines, on standard error."
    ),
    key!("log.level", log.level, Kind::Choice(LogLevel::WORDS), "What is important enough to be logged."),
];
