//! `kaname doctor`: would a node run here, and what to do where not.
#![allow(clippy::print_stdout, reason = "its findings are for the terminal")]

mod calls;
mod machine;
mod packets;
mod ports;

use std::process::ExitCode;

use serde::Serialize;

use crate::config::{Config, ConfigError, Loaded, Mode};
use crate::token::TokenKey;
use crate::{net, tls};

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    /// As it should be.
    Ok,
    /// The node runs, with less than it could.
    Warn,
    /// The node does not start.
    Fail,
}

/// One line.
#[derive(Debug, Serialize)]
struct Finding {
    check: &'static str,
    status: Status,
    message: String,
    /// What to do; empty when all is well.
    advice: String,
}

impl Finding {
    fn ok(check: &'static str, message: impl Into<String>) -> Finding {
        Finding { check, status: Status::Ok, message: message.into(), advice: String::new() }
    }

    fn warn(check: &'static str, message: impl Into<String>, advice: impl Into<String>) -> Finding {
        Finding { check, status: Status::Warn, message: message.into(), advice: advice.into() }
    }

    fn fail(check: &'static str, message: impl Into<String>, advice: impl Into<String>) -> Finding {
        Finding { check, status: Status::Fail, message: message.into(), advice: advice.into() }
    }
}

/// Checks settings and machine, says what it found, and gives the exit code: 1 when a node would not start.
pub(crate) fn run(loaded: &Result<Loaded, ConfigError>, json: bool) -> ExitCode {
    let findings = examine(loaded);
    let ok = findings.iter().all(|finding| finding.status != Status::Fail);
    if json {
        println!("{}", serde_json::json!({ "ok": ok, "findings": findings }));
    } else {
        print!("{}", text(&findings));
    }
    if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn text(findings: &[Finding]) -> String {
    let mut out = String::new();
    for finding in findings {
        let status = match finding.status {
            Status::Ok => "ok  ",
            Status::Warn => "warn",
            Status::Fail => "FAIL",
        };
        out.push_str(&format!("{status}  {:<9} {}\n", finding.check, finding.message));
        if !finding.advice.is_empty() {
            out.push_str(&format!("                → {}\n", finding.advice));
        }
    }
    let count = |status| findings.iter().filter(|finding| finding.status == status).count();
    let (fails, warnings) = (count(Status::Fail), count(Status::Warn));
    out.push_str(&match (fails, warnings) {
        (0, 0) => "\nA node will run well here.\n".to_owned(),
        (0, warnings) => format!("\nA node will run here; {warnings} thing(s) could be better.\n"),
        (fails, _) => format!("\nA node will not start: {fails} thing(s) to mend.\n"),
    });
    out
}

fn examine(loaded: &Result<Loaded, ConfigError>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let defaults = Config::default();
    let config = match loaded {
        Ok(loaded) => {
            let files = loaded.origins.len();
            findings.push(Finding::ok("settings", format!("{files} set, the rest at their defaults")));
            for warning in &loaded.warnings {
                findings.push(Finding::warn("settings", warning.to_string(), "mend or unset it"));
            }
            &loaded.config
        }
        Err(error) => {
            for problem in &error.problems {
                findings.push(Finding::fail(
                    "settings",
                    problem.to_string(),
                    "mend it; `kaname config` prints the reference",
                ));
            }
            // The machine can still be looked at.
            &defaults
        }
    };
    if loaded.is_ok() {
        findings.push(tokens(config));
        findings.extend(certificate(config));
    }
    findings.extend(ports::http(config));
    findings.extend(ports::media(config));
    findings.push(ports::receive_buffer(config));
    findings.push(ports::send_buffer());
    findings.push(packets::segments());
    findings.extend(packets::steering(config));
    findings.extend(packets::af_xdp(config));
    findings.extend(calls::examine(config));
    findings.push(machine::files(config));
    findings.push(machine::cores(config));
    findings.push(machine::processor());
    findings.push(addresses(config));
    findings.push(machine::clock());
    findings
}

fn tokens(config: &Config) -> Finding {
    match TokenKey::from_settings(config.mode, &config.auth) {
        Ok(key) if config.mode == Mode::Development => Finding::ok(
            "tokens",
            format!("{} key; development mode: whoever reaches the page gets a token", key.algorithm_name()),
        ),
        Ok(key) => Finding::ok("tokens", format!("{} key of your own", key.algorithm_name())),
        Err(error) => {
            Finding::fail("tokens", error.to_string(), "a node does not start without a key it may use")
        }
    }
}

fn certificate(config: &Config) -> Option<Finding> {
    if config.https.listen.is_empty() {
        return None;
    }
    let whose =
        if config.https.certificate_file.is_some() { "yours" } else { "generated; browsers will warn of it" };
    Some(match tls::acceptor(config) {
        Ok(_) => Finding::ok("tls", format!("the certificate can be used ({whose})")),
        Err(error) => Finding::fail("tls", error.to_string(), "mend the files or their permissions"),
    })
}

fn addresses(config: &Config) -> Finding {
    let addresses = if config.media.advertise.is_empty() {
        net::media_addresses(config)
    } else {
        config.media.advertise.clone()
    };
    let list = addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if addresses.iter().all(|address| address.is_loopback()) {
        let advice =
            "others cannot reach this node; set media.bind, or media.advertise behind address translation";
        return Finding::warn("addresses", format!("media is offered on {list} alone"), advice);
    }
    if net::has_ipv6() {
        Finding::ok("addresses", format!("media is offered on {list}"))
    } else {
        Finding::warn(
            "addresses",
            format!("media is offered on {list}; this machine has no IPv6"),
            "enable IPv6 if your users have it (sysctl net.ipv6.conf.all.disable_ipv6=0)",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load;

    fn find<'a>(findings: &'a [Finding], check: &str) -> &'a Finding {
        findings.iter().find(|finding| finding.check == check).unwrap()
    }

    fn flags(flags: &[(&'static str, String)]) -> Result<Loaded, ConfigError> {
        load(None, [], flags.to_vec())
    }

    #[test]
    fn bad_settings_are_found() {
        let findings = examine(&flags(&[("media.port", "x".into())]));
        assert_eq!(find(&findings, "settings").status, Status::Fail);
        assert!(find(&findings, "settings").message.contains("--media-port"));
    }

    #[test]
    fn a_taken_port_is_named_with_what_to_do() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let findings = examine(&flags(&[("http.listen", address.to_string())]));
        let http = find(&findings, "http");
        assert_eq!(http.status, Status::Fail);
        assert!(
            http.message.contains(&address.port().to_string()) && http.advice.contains("--http-listen"),
            "{http:?}"
        );

        let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let settings = [
            ("media.bind", "127.0.0.1".into()),
            ("media.port", port.to_string()),
            ("media.shards", "1".into()),
        ];
        let findings = examine(&flags(&settings));
        let media = find(&findings, "media");
        assert_eq!(media.status, Status::Fail);
        assert!(
            media.message.contains(&port.to_string()) && media.advice.contains("--media-port"),
            "{media:?}"
        );
    }

    #[test]
    fn every_finding_that_is_not_ok_says_what_to_do() {
        let findings = examine(&flags(&[("media.port", "0".into()), ("http.listen", "127.0.0.1:0".into())]));
        for finding in &findings {
            assert_eq!(finding.advice.is_empty(), finding.status == Status::Ok, "{finding:?}");
        }
        for check in [
            "settings",
            "tokens",
            "http",
            "media",
            "buffer",
            "segments",
            "files",
            "cores",
            "processor",
            "addresses",
            "clock",
        ] {
            find(&findings, check);
        }
        assert!(text(&findings).lines().count() > findings.len());
    }

    #[test]
    fn an_interface_that_cannot_do_af_xdp_is_a_warning() {
        let settings = [
            ("media.io", "af-xdp".into()),
            ("media.interface", "lo".into()),
            ("media.port", "0".into()),
            ("media.shards", "1".into()),
        ];
        let findings = examine(&flags(&settings));
        let af_xdp = find(&findings, "af_xdp");
        assert_eq!(af_xdp.status, Status::Warn);
        assert!(af_xdp.message.contains("lo is no Ethernet"), "{af_xdp:?}");
        // Without an interface the settings are at fault.
        let findings = examine(&flags(&settings[..1]));
        assert!(find(&findings, "settings").message.contains("media.interface"));
    }

    #[test]
    fn calls_are_looked_at_where_somebody_may_ask_for_them() {
        assert!(examine(&flags(&[])).iter().all(|finding| finding.check != "calls"));
        let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port().min(65_000);
        let settings = [
            ("ng.listen_udp", "127.0.0.1:0".to_owned()),
            ("calls.interfaces", "127.0.0.1".to_owned()),
            ("calls.port_min", port.to_string()),
            ("calls.port_max", (port + 200).to_string()),
            ("calls.recordings", "/no/such/folder".to_owned()),
            ("calls.forward_to", "tls://speech.example:7444".to_owned()),
            ("calls.forward_ca_file", "/no/such/ca.pem".to_owned()),
        ];
        let findings = examine(&flags(&settings));
        assert!(find(&findings, "calls").message.contains("127.0.0.1 alone"));
        assert_eq!(find(&findings, "ports").status, Status::Warn);
        assert!(find(&findings, "folders").message.contains("/no/such/folder"));
        assert!(find(&findings, "receiver").message.contains("/no/such/ca.pem"));
        // The rooms' port among them would one day be a call's.
        let settings = [("ng.listen_udp", "127.0.0.1:0".to_owned()), ("media.port", "31000".to_owned())];
        let findings = examine(&flags(&settings));
        let found = find(&findings, "settings");
        assert_eq!(found.status, Status::Fail);
        assert!(
            found.message.contains("media.port") && found.message.contains("calls.port_min"),
            "{found:?}"
        );
    }

    #[test]
    fn tls_files_are_tried() {
        let directory = tempfile::tempdir().unwrap();
        let missing = directory.path().join("none.pem").display().to_string();
        let settings = [
            ("https.listen", "127.0.0.1:0".to_owned()),
            ("https.certificate_file", missing.clone()),
            ("https.key_file", missing.clone()),
        ];
        let findings = examine(&flags(&settings));
        let tls = find(&findings, "tls");
        assert_eq!(tls.status, Status::Fail);
        assert!(tls.message.contains(&missing));
    }
}
