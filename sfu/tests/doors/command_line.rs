//! The program itself: what it prints, and how it exits.

use std::process::{Command, Output};

use kaname_sfu::token::{DEVELOPMENT_SECRET, GrantClaims, TokenKey, Tokens};

fn kaname(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kaname"));
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("KANAME_")) {
            command.env_remove(name);
        }
    }
    command.args(arguments).output().unwrap()
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
    let free = ["--http-listen", "127.0.0.1:0", "--media-port", "0", "--media-bind", "127.0.0.1"];
    let output = kaname(&[&["doctor", "--json"], free.as_slice()].concat());
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
