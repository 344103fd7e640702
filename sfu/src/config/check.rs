//! What several settings must satisfy together.

use std::net::IpAddr;

use super::error::{Origin, Problem};
use super::load::Loaded;
use super::{Config, MediaIo, Mode};
use crate::calls::ForwardTo;
use crate::ng::Network;

/// An HS256 key shorter than its hash can be guessed sooner than the hash broken (RFC 7518 section 3.2).
pub(crate) const MIN_SECRET_BYTES: usize = 32;

/// Adds a problem for each thing that does not fit together.
pub(super) fn check(loaded: &Loaded, problems: &mut Vec<Problem>) {
    let mut refuse = |key: &str, message: String| {
        problems.push(Problem { origin: loaded.origin(key), message });
    };
    listeners(&loaded.config, &mut refuse);
    keys(&loaded.config, &mut refuse);
    media(&loaded.config, &mut refuse);
    calls(&loaded.config, &mut refuse);
    mode(loaded, &mut refuse);
}

fn listeners(config: &Config, refuse: &mut impl FnMut(&str, String)) {
    for address in &config.http.listen {
        if !address.ip().to_canonical().is_loopback() {
            refuse(
                "http.listen",
                format!(
                    "http.listen: plain HTTP is for loopback addresses only, and {address} is not one; use https.listen = [\"{address}\"] \
                     (without certificate files a certificate is generated), or a proxy on this machine that speaks TLS"
                ),
            );
        }
    }
    if config.http.listen.is_empty() && config.https.listen.is_empty() {
        refuse(
            "http.listen",
            "http.listen and https.listen are both empty: nobody could reach the node; give one of them"
                .into(),
        );
    }
    if config.https.certificate_file.is_some() != config.https.key_file.is_some() {
        let given = if config.https.key_file.is_some() { "https.key_file" } else { "https.certificate_file" };
        refuse(
            given,
            "https.certificate_file and https.key_file belong together; give both, or neither for a generated certificate".into(),
        );
    }
}

fn media(config: &Config, refuse: &mut impl FnMut(&str, String)) {
    if config.media.io == MediaIo::AfXdp && config.media.interface.is_none() {
        refuse(
            "media.io",
            "media.io = \"af-xdp\" needs media.interface: name the one that media comes in by (`ip route get 1.1.1.1` names it)".into(),
        );
    }
}

fn calls(config: &Config, refuse: &mut impl FnMut(&str, String)) {
    let (calls, ng) = (&config.calls, &config.ng);
    if calls.port_max <= calls.port_min {
        refuse(
            "calls.port_max",
            format!(
                "calls.port_max = {} leaves no pair of ports behind calls.port_min = {}",
                calls.port_max, calls.port_min
            ),
        );
    }
    if calls.forward_ca_file.is_some() && !calls.forward_to.as_ref().is_some_and(ForwardTo::is_tls) {
        refuse(
            "calls.forward_ca_file",
            "calls.forward_ca_file is for a receiver over TLS; give calls.forward_to as tls://host:port, or leave the file out".into(),
        );
    }
    let listens = ng.listen_udp.iter().chain(&ng.listen_tcp).chain(&ng.listen_http);
    for address in listens.filter(|address| !address.ip().to_canonical().is_loopback()) {
        if ng.allow.iter().all(Network::is_loopback) {
            refuse(
                "ng.allow",
                format!(
                    "ng: {address} can be reached from outside, but ng.allow holds this machine alone; name the networks of your SIP proxies"
                ),
            );
        }
    }
    if ng.is_open() {
        ports_of_calls(config, refuse);
    }
}

/// Within the range of calls nothing else may have a port on the same address: sooner or later a call would be given it.
fn ports_of_calls(config: &Config, refuse: &mut impl FnMut(&str, String)) {
    let (calls, media) = (&config.calls, &config.media);
    // Without addresses of their own, calls are where media is; media without any is everywhere.
    let is_of_calls = |ip: &IpAddr| {
        let is_same = |own: IpAddr| own == *ip || ip.is_unspecified() && own.is_ipv4() == ip.is_ipv4();
        match calls.interfaces.as_slice() {
            [] if media.bind.is_empty() => !ip.to_canonical().is_loopback(),
            [] => media.bind.iter().any(|bound| is_same(*bound)),
            interfaces => interfaces.iter().any(|each| is_same(each.local)),
        }
    };
    let within = |port: u16| port != 0 && (calls.port_min..=calls.port_max).contains(&port);
    let message = |setting: String| {
        format!(
            "{setting} lies within the ports of calls on the same address (calls.port_min = {}, calls.port_max = {}); choose \
             another port, or move that range",
            calls.port_min, calls.port_max
        )
    };
    if within(media.port) && (media.bind.is_empty() || media.bind.iter().any(is_of_calls)) {
        refuse("media.port", message(format!("media.port = {}", media.port)));
    }
    let doors = config.ng.listen_udp.iter().filter(|door| within(door.port()) && is_of_calls(&door.ip()));
    for door in doors {
        refuse("ng.listen_udp", message(format!("ng.listen_udp: {door}")));
    }
}

fn keys(config: &Config, refuse: &mut impl FnMut(&str, String)) {
    let auth = &config.auth;
    let given = [
        ("auth.secret", auth.secret.is_some()),
        ("auth.secret_file", auth.secret_file.is_some()),
        ("auth.public_key_file", auth.public_key_file.is_some()),
    ];
    let names: Vec<&str> = given.iter().filter(|(_, given)| *given).map(|(name, _)| *name).collect();
    if names.len() > 1 {
        refuse(
            names[1],
            format!(
                "{} are both given; tokens are checked with one key, so give one of them",
                names.join(" and ")
            ),
        );
    }
    if let Some(secret) = &auth.secret
        && secret.expose().len() < MIN_SECRET_BYTES
    {
        refuse(
            "auth.secret",
            format!(
                "auth.secret is shorter than {MIN_SECRET_BYTES} bytes and could be guessed; `openssl rand -base64 48` makes a good one"
            ),
        );
    }
}

fn mode(loaded: &Loaded, refuse: &mut impl FnMut(&str, String)) {
    let config = &loaded.config;
    if config.mode == Mode::Production && !config.auth.has_key() {
        refuse(
            "mode",
            "a production node needs a token key of its own: put one in a file (`openssl rand -base64 48 > token.key; chmod 600 token.key`) and \
             set auth.secret_file, or set auth.public_key_file"
                .into(),
        );
    }
    if loaded.origin("mode") != Origin::Default {
        return;
    }
    // Nobody should run a development node by accident: beyond loopback, or with a key of one's own, the mode has to be said.
    let say = "set mode = \"production\", or mode = \"development\" if anyone who reaches this node may have a token for it";
    if let Some(address) =
        config.https.listen.iter().find(|address| !address.ip().to_canonical().is_loopback())
    {
        refuse(
            "https.listen",
            format!("https.listen: {address} can be reached from outside and the mode is not set; {say}"),
        );
    }
    if config.auth.has_key() {
        let name = ["auth.secret", "auth.secret_file", "auth.public_key_file"]
            .into_iter()
            .find(|n| loaded.origins.contains_key(n));
        refuse(name.unwrap_or("mode"), format!("a token key is given and the mode is not set; {say}"));
    }
}

#[cfg(test)]
mod tests {
    use crate::config::load;

    fn errors(flags: &[(&'static str, &str)]) -> String {
        let flags = flags.iter().map(|(name, value)| (*name, (*value).to_owned()));
        load(None, [], flags).err().map(|error| error.to_string()).unwrap_or_default()
    }

    const KEY: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn plain_http_beyond_loopback_is_refused() {
        for address in ["0.0.0.0:80", "192.0.2.1:80", "[::]:80", "[2001:db8::1]:80", "[::ffff:192.0.2.1]:80"]
        {
            let error = errors(&[("http.listen", address)]);
            assert!(
                error.starts_with("--http-listen: http.listen: plain HTTP is for loopback"),
                "{address}: {error}"
            );
            assert!(error.contains("https.listen"), "{error}");
        }
        assert_eq!(errors(&[("http.listen", "127.0.0.1:0,[::1]:0,127.3.4.5:0")]), "");
    }

    #[test]
    fn the_mode_must_be_said_when_it_matters() {
        assert!(errors(&[("https.listen", "0.0.0.0:443")]).contains("mode is not set"));
        assert_eq!(errors(&[("https.listen", "0.0.0.0:443"), ("mode", "development")]), "");
        assert_eq!(errors(&[("https.listen", "127.0.0.1:443")]), "");
        assert!(errors(&[("auth.secret", KEY)]).contains("mode is not set"));
        assert!(errors(&[("mode", "production")]).contains("auth.secret_file"));
        assert_eq!(errors(&[("mode", "production"), ("auth.secret", KEY)]), "");
    }

    #[test]
    fn calls_need_ports_and_doors_that_are_guarded() {
        assert!(errors(&[("calls.port_min", "40000")]).contains("no pair of ports"));
        assert!(errors(&[("ng.listen_udp", "192.0.2.1:2223")]).contains("ng.allow"));
        let guarded = [("ng.listen_udp", "192.0.2.1:2223"), ("ng.allow", "192.0.2.0/24")];
        assert_eq!(errors(&guarded), "");
        assert!(errors(&[("ng.allow", "192.0.2.0/33")]).contains("is not a network"));
        assert!(errors(&[("calls.interfaces", "a/0.0.0.0")]).contains("is not an interface"));
    }

    #[test]
    fn a_receiver_of_sound_is_one() {
        assert!(errors(&[("calls.forward_to", "speech.example:7444")]).contains("tls://host:port"));
        assert!(errors(&[("calls.forward_rate_hz", "11025")]).contains("16000"));
        let file = ("calls.forward_ca_file", "/etc/ca.pem");
        assert!(errors(&[file, ("calls.forward_to", "tcp://127.0.0.1:9")]).contains("over TLS"));
        assert_eq!(errors(&[file, ("calls.forward_to", "tls://[::1]:9")]), "");
    }

    #[test]
    fn nothing_else_has_a_port_among_those_of_calls() {
        let door = ("ng.listen_udp", "127.0.0.1:2223");
        for port in ["30000", "39999", "40000"] {
            let error = errors(&[("media.port", port), door]);
            for name in ["media.port = ", "calls.port_min = 30000", "calls.port_max = 40000"] {
                assert!(error.contains(name), "{port}: {error}");
            }
        }
        for port in ["0", "29999", "40001"] {
            assert_eq!(errors(&[("media.port", port), door]), "", "{port}");
        }
        assert_eq!(errors(&[("media.port", "30000")]), "", "without a door there are no calls");
        // On another address it is another port.
        let port = ("media.port", "30000");
        let elsewhere = [port, door, ("media.bind", "192.0.2.1"), ("calls.interfaces", "a/192.0.2.2")];
        assert_eq!(errors(&elsewhere), "");
        for (bind, interface) in [("192.0.2.1", "a/192.0.2.1"), ("0.0.0.0", "a/192.0.2.1")] {
            let error = errors(&[port, door, ("media.bind", bind), ("calls.interfaces", interface)]);
            assert!(error.contains("same address"), "{bind}: {error}");
        }
        assert_eq!(errors(&[port, door, ("media.bind", "::"), ("calls.interfaces", "a/192.0.2.1")]), "");
        let door = ("ng.listen_udp", "127.0.0.1:30002");
        let error = errors(&[door, ("calls.interfaces", "a/127.0.0.1")]);
        assert!(
            error.contains("ng.listen_udp: 127.0.0.1:30002") && error.contains("calls.port_min"),
            "{error}"
        );
        assert_eq!(errors(&[door, ("calls.interfaces", "a/192.0.2.1")]), "");
    }

    #[test]
    fn keys_and_files_come_in_the_right_number() {
        assert!(errors(&[("mode", "production"), ("auth.secret", "short")]).contains("32 bytes"));
        assert!(
            errors(&[("mode", "production"), ("auth.secret", KEY), ("auth.secret_file", "/k")])
                .contains("both given")
        );
        assert!(errors(&[("https.key_file", "/k")]).contains("belong together"));
        assert!(errors(&[("http.listen", "")]).contains("both empty"));
        assert_eq!(errors(&[("media.port", "65535"), ("media.shards", "2")]), "");
    }
}
