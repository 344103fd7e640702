//! The program itself: what it prints, and how it exits.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

use kaname_sfu::token::{Claims, DEVELOPMENT_SECRET, GrantClaims, TokenKey, Tokens};

/// Free ports on loopback, so that tests can run beside each other and beside a real node.
const FREE: [&str; 6] = ["--http-listen", "127.0.0.1:0", "--media-port", "0", "--media-bind", "127.0.0.1"];

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kaname"));
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("KANAME_")) {
            command.env_remove(name);
        }
    }
    command.args(arguments);
    command
}

fn kaname(arguments: &[&str]) -> Output {
    command(arguments).output().unwrap()
}

/// A real node as a child; what it said when it was ready.
fn started(arguments: &[&str]) -> (Child, Value) {
    let mut command = command(&[&["serve", "--json", "--until-stdin-closes"], arguments].concat());
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    match serde_json::from_str(&line) {
        Ok(ready) => (child, ready),
        Err(error) => panic!("{error} in {line:?}: {:?}", child.wait_with_output()),
    }
}

fn refused(arguments: &[&str]) -> String {
    let output = kaname(arguments);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn help_teaches() {
    let output = kaname(&["--help"]);
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    for word in ["Examples:", "kaname doctor", "kaname token", "docs/configuration.md", "--config"] {
        assert!(text.contains(word), "{word} is missing:\n{text}");
    }
}

#[test]
fn a_typo_in_the_settings_stops_the_node_with_its_place() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("kaname.toml");
    std::fs::write(&path, "[media]\nprot = 7801\n").unwrap();
    let path = path.display().to_string();
    let error = refused(&["--config", &path]);
    assert_eq!(
        error.trim(),
        format!("error: {path}:2:1: there is no setting `media.prot`; did you mean `media.port`?")
    );
    let error = refused(&["--config", "/nonexistent.toml"]);
    assert!(error.contains("/nonexistent.toml: cannot read"), "{error}");
}

#[test]
fn plain_http_beyond_loopback_is_refused() {
    let error = refused(&["--http-listen", "0.0.0.0:0"]);
    assert!(
        error.contains("plain HTTP is for loopback addresses only") && error.contains("https.listen"),
        "{error}"
    );
}

#[test]
fn production_needs_a_key_of_its_own() {
    let error = refused(&["--mode", "production"]);
    assert!(error.contains("auth.secret_file"), "{error}");
    let error = refused(&["--mode", "production", "--auth-secret", DEVELOPMENT_SECRET]);
    assert!(error.contains("development key") && error.contains("openssl rand"), "{error}");
}

#[test]
fn a_port_in_use_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let error = refused(&[
        "--http-listen",
        &format!("127.0.0.1:{port}"),
        "--media-port",
        "0",
        "--media-bind",
        "127.0.0.1",
    ]);
    assert!(error.contains(&format!("port {port} is in use")) && error.contains("--http-listen"), "{error}");
}

#[test]
fn tokens_are_made_for_those_who_ask_well() {
    let output =
        kaname(&["token", "--room", "lobby", "--name", "Ada", "--publish", "--subscribe", "--ttl", "15m"]);
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("development key"));
    let tokens = Tokens::new(TokenKey::development(), 0);
    let claims = tokens.verify(String::from_utf8(output.stdout).unwrap().trim()).unwrap();
    let expected = GrantClaims { join: true, publish: true, subscribe: true, data: false, admin: false };
    assert_eq!(
        (claims.room.as_str(), claims.name.as_deref(), claims.grants),
        ("lobby", Some("Ada"), expected)
    );
    assert!(refused(&["token", "--name", "Ada"]).contains("--room"));
    assert!(refused(&["token", "--room", "x", "--ttl", "soon"]).contains("15m"));
}

#[test]
fn doctor_speaks_json_and_exits_accordingly() {
    let output = kaname(&[&["doctor", "--json"], FREE.as_slice()].concat());
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((report["ok"].as_bool(), output.status.code()), (Some(true), Some(0)), "{report}");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output =
        kaname(&["doctor", "--http-listen", &address, "--media-port", "0", "--media-bind", "127.0.0.1"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("FAIL  http"));
}

#[test]
fn the_reference_can_be_printed() {
    let output = kaname(&["config"]);
    assert_eq!(String::from_utf8(output.stdout).unwrap(), kaname_sfu::config::reference());
}

#[tokio::test]
async fn a_development_node_starts_serves_and_stops() {
    let (mut child, ready) = started(&FREE);
    assert_eq!(
        (ready["ready"].as_bool(), ready["development"].as_bool()),
        (Some(true), Some(true)),
        "{ready}"
    );
    assert!(!ready["media"].as_array().unwrap().is_empty());
    let page = ready["pages"][0].as_str().unwrap();
    let address = page.trim_start_matches("http://").trim_end_matches('/').parse().unwrap();
    assert_eq!(crate::support::Ask::new("GET /healthz").send(address).await.text(), "ok\n");
    let token = ready["join"]
        .as_str()
        .unwrap()
        .strip_prefix(&format!("{page}#room=lobby&token="))
        .unwrap()
        .to_owned();
    let tokens = Tokens::new(TokenKey::development(), 0);
    assert_eq!(tokens.verify(&token).unwrap().grants, GrantClaims::PARTICIPANT);
    // The offer of a WHIP client is answered by the real engine.
    let offer = crate::support::audio_offer("sendonly");
    let headers = [("Content-Type", "application/sdp")];
    let ask = crate::support::Ask {
        token: Some(&token),
        headers: &headers,
        body: offer.as_bytes(),
        ..crate::support::Ask::new("POST /whip/lobby")
    };
    let answer = ask.send(address).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    let media = ready["media"].as_array().unwrap().iter().filter_map(|at| at.as_str()?.rsplit_once(':'));
    assert!(
        media
            .map(|(_, port)| format!(" 127.0.0.1 {port} typ host"))
            .any(|candidate| answer.text().contains(&candidate)),
        "{}",
        answer.text()
    );
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success(), "a clean stop although a peer is there");
}

#[test]
fn a_signal_ends_it_cleanly() {
    for signal in ["TERM", "INT"] {
        let (child, ready) = started(&FREE);
        // Twice at once, as `timeout` does it.
        let pid = ready["pid"].to_string();
        assert!(Command::new("kill").args(["-s", signal, &pid, &pid]).status().unwrap().success());
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{signal}: {output:?}");
    }
}

#[test]
fn a_media_port_in_use_is_named() {
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let error = refused(&[
        "--http-listen",
        "127.0.0.1:0",
        "--media-bind",
        "127.0.0.1",
        "--media-shards",
        "1",
        "--media-port",
        &port.to_string(),
    ]);
    assert!(error.contains(&port.to_string()) && error.contains("--media-port"), "{error}");
}

#[tokio::test]
async fn a_production_node_gives_no_tokens_and_logs_none() {
    let directory = tempfile::tempdir().unwrap();
    let key = directory.path().join("token.key");
    std::fs::write(&key, "a production key that nobody knows, 64\n").unwrap();
    let key = key.display().to_string();
    let arguments =
        ["--mode", "production", "--auth-secret-file", &key, "--log-format", "json", "--log-level", "trace"];
    let (mut child, ready) = started(&[FREE.as_slice(), &arguments].concat());
    assert_eq!((ready["development"].as_bool(), &ready["join"]), (Some(false), &Value::Null));
    let address = ready["pages"][0]
        .as_str()
        .unwrap()
        .trim_start_matches("http://")
        .trim_end_matches('/')
        .parse()
        .unwrap();
    let tokens = Tokens::new(TokenKey::secret(b"a production key that nobody knows, 64"), 0);
    let grants = GrantClaims::PARTICIPANT;
    let claims = Claims {
        name: Some("evil".into()),
        ..Claims::new("lobby", grants, std::time::Duration::from_secs(60))
    };
    let good = tokens.sign(&claims).unwrap();
    let foreign = Tokens::new(TokenKey::development(), 0).sign(&claims).unwrap();
    let (offer, headers) = (crate::support::audio_offer("sendonly"), [("Content-Type", "application/sdp")]);
    for (token, status) in [(&good, 201), (&foreign, 401)] {
        let whip = crate::support::Ask::new("POST /whip/lobby");
        let ask =
            crate::support::Ask { token: Some(token), headers: &headers, body: offer.as_bytes(), ..whip };
        assert_eq!(ask.send(address).await.status, status);
    }
    drop(child.stdin.take());
    let output = child.wait_with_output().unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    for secret in ["nobody knows", &good, &foreign] {
        assert!(!log.contains(secret), "{log}");
    }
    for line in log.lines() {
        serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    }
}
