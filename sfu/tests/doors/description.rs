//! What is written about the node against what it does: the API's description and the reference of settings.

use std::path::Path;

use kaname_sfu::config;
use serde_json::Value;

use crate::support::{Ask, Setup, admin, audio_offer, open};

/// Every described operation is asked for, and answers with a status that its description names.
#[tokio::test]
async fn every_described_operation_answers_as_described() {
    let doors = open(Setup { development: true, ..Setup::default() });
    let all = admin("*");
    let served = Ask::new("GET /openapi.json").send(doors.address).await;
    assert_eq!(served.header("content-type"), Some("application/json"));
    let description = served.json();
    let paths = description["paths"].as_object().unwrap();
    let mut asked = 0;
    for (path, operations) in paths {
        for (method, operation) in operations.as_object().unwrap() {
            let (status, text) = ask(&doors, &all, method, path).await;
            let described = operation["responses"].as_object().unwrap();
            assert!(
                described.contains_key(&status.to_string()),
                "{method} {path}: {status} is not described: {text}"
            );
            asked += 1;
        }
    }
    assert!(asked >= 33, "{asked}");
}

async fn ask(doors: &crate::support::Doors, token: &str, method: &str, path: &str) -> (u16, String) {
    let offer = audio_offer("sendonly");
    let address = path
        .replace("{room}", "lobby")
        .replace("{peer}", "p_none")
        .replace("{phone}", "none")
        .replace("{track}", "t_none")
        .replace("{session}", "none");
    let (kind, body) = match (method, path) {
        ("post", "/whip/{room}" | "/whep/{room}") => ("application/sdp", offer.as_bytes()),
        ("patch", _) => ("application/trickle-ice-sdpfrag", b"a=end-of-candidates\r\n".as_slice()),
        ("post", "/dev/token") => ("application/json", br#"{"room":"lobby"}"#.as_slice()),
        ("post", "/api/v1/rooms") => ("application/json", br#"{"name":"described"}"#.as_slice()),
        ("post", _) => ("application/json", br#"{"muted":true}"#.as_slice()),
        _ => ("text/plain", b"".as_slice()),
    };
    let line = format!("{} {address}", method.to_uppercase());
    let reply = Ask { token: Some(token), headers: &[("Content-Type", kind)], body, ..Ask::new(&line) }
        .send(doors.address)
        .await;
    (reply.status, String::from_utf8_lossy(&reply.body).into_owned())
}

/// Whatever is refused without a token says so in its description, and the other way round.
#[tokio::test]
async fn what_needs_a_token_is_described_so() {
    let doors = open(Setup { development: true, ..Setup::default() });
    let description: Value = serde_json::from_str(&kaname_sfu::http::description()).unwrap();
    for (path, operations) in description["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let required = operation["security"]
                .as_array()
                .is_some_and(|ways| !ways.is_empty() && ways.iter().all(|way| way.get("token").is_some()));
            let (status, text) = ask(&doors, "", method, path).await;
            assert_eq!(status == 401, required, "{method} {path}: {status} {text}");
        }
    }
}

#[test]
fn what_a_viewer_may_choose_is_described() {
    let description: Value = serde_json::from_str(&kaname_sfu::http::description()).unwrap();
    let parameters = description["paths"]["/whep/{room}"]["post"]["parameters"].as_array().unwrap();
    for name in ["peer", "track"] {
        let found = parameters.iter().find(|p| p["name"] == name && p["in"] == "query");
        assert_eq!(found.map(|p| &p["required"]), Some(&Value::Bool(false)), "{name}: {parameters:?}");
    }
}

#[test]
fn every_reference_inside_the_description_resolves() {
    let description: Value = serde_json::from_str(&kaname_sfu::http::description()).unwrap();
    fn walk(value: &Value, root: &Value) {
        match value {
            Value::Object(map) => {
                if let Some(Value::String(reference)) = map.get("$ref") {
                    assert!(root.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
                }
                map.values().for_each(|inner| walk(inner, root));
            }
            Value::Array(items) => items.iter().for_each(|inner| walk(inner, root)),
            _ => {}
        }
    }
    walk(&description, &description);
}

#[test]
fn the_reference_page_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/configuration.md");
    let page = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        page == config::reference(),
        "docs/configuration.md is not current; write it anew: cargo run -p kaname-sfu -- config > docs/configuration.md"
    );
}
