//! The HTTP API: who may do what, and what is said when it is refused.

use std::time::Duration;

use kaname_sfu::token::{Claims, GrantClaims, TokenKey, Tokens};

use crate::support::{Ask, Setup, admin, open, participant, tokens};

const JSON: (&str, &str) = ("Content-Type", "application/json");

#[tokio::test]
async fn rooms_are_made_listed_and_ended() {
    let doors = open(Setup::default());
    let all = admin("*");
    let created = Ask {
        token: Some(&all),
        headers: &[JSON],
        body: br#"{"name":"lobby"}"#,
        ..Ask::new("POST /api/v1/rooms")
    }
    .send(doors.address)
    .await;
    assert_eq!(created.status, 201, "{}", created.text());
    assert_eq!(created.header("location"), Some("/api/v1/rooms/lobby"));
    let again = Ask {
        token: Some(&all),
        headers: &[JSON],
        body: br#"{"name":"lobby"}"#,
        ..Ask::new("POST /api/v1/rooms")
    }
    .send(doors.address)
    .await;
    assert_eq!((again.status, again.code().as_str()), (409, "room_exists"));

    let list = Ask { token: Some(&all), ..Ask::new("GET /api/v1/rooms") }.send(doors.address).await;
    assert_eq!(list.json()["rooms"][0]["name"], "lobby");
    let elsewhere =
        Ask { token: Some(&participant("other")), ..Ask::new("GET /api/v1/rooms") }.send(doors.address).await;
    assert_eq!(elsewhere.json()["rooms"], serde_json::json!([]), "a token for one room sees no other");

    let mine = participant("lobby");
    let room = Ask { token: Some(&mine), ..Ask::new("GET /api/v1/rooms/lobby") }.send(doors.address).await;
    assert_eq!(room.json(), serde_json::json!({ "name": "lobby", "peers": [] }));
    let peers =
        Ask { token: Some(&mine), ..Ask::new("GET /api/v1/rooms/lobby/peers") }.send(doors.address).await;
    assert_eq!(peers.json(), serde_json::json!({ "peers": [] }));

    let refused =
        Ask { token: Some(&mine), ..Ask::new("DELETE /api/v1/rooms/lobby") }.send(doors.address).await;
    assert_eq!((refused.status, refused.code().as_str()), (403, "grant_missing"));
    let ended = Ask { token: Some(&all), ..Ask::new("DELETE /api/v1/rooms/lobby") }.send(doors.address).await;
    assert_eq!(ended.status, 204);
    let gone = Ask { token: Some(&all), ..Ask::new("GET /api/v1/rooms/lobby") }.send(doors.address).await;
    assert_eq!((gone.status, gone.code().as_str()), (404, "no_such_room"));
}

#[tokio::test]
async fn tokens_are_needed_and_must_be_good() {
    let doors = open(Setup::default());
    let claims = || Claims::new("lobby", GrantClaims::PARTICIPANT, Duration::from_secs(600));
    let expired = tokens().sign(&Claims { exp: 1_000_000_000, ..claims() }).unwrap();
    let early = tokens().sign(&Claims { nbf: Some(claims().exp - 60), ..claims() }).unwrap();
    let foreign =
        Tokens::new(TokenKey::secret(b"another-key-another-key-another-key"), 0).sign(&claims()).unwrap();
    let cases = [
        (None, 401, "token_missing"),
        (Some(""), 401, "token_missing"),
        (Some("nonsense"), 401, "token_malformed"),
        (Some(expired.as_str()), 401, "token_expired"),
        (Some(early.as_str()), 401, "token_not_yet_valid"),
        (Some(foreign.as_str()), 401, "token_signature"),
        (Some("eyJhbGciOiJub25lIn0.e30."), 401, "token_algorithm"),
    ];
    for line in [
        "GET /api/v1/rooms/lobby",
        "DELETE /api/v1/rooms/lobby",
        "GET /api/v1/rooms",
        "POST /whip/lobby",
        "POST /whep/lobby",
    ] {
        for (token, status, code) in cases {
            let reply = Ask { token, ..Ask::new(line) }.send(doors.address).await;
            assert_eq!((reply.status, reply.code().as_str()), (status, code), "{line} {token:?}");
            assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
        }
    }
    let other_room = Ask { token: Some(&participant("other")), ..Ask::new("GET /api/v1/rooms/lobby") }
        .send(doors.address)
        .await;
    assert_eq!((other_room.status, other_room.code().as_str()), (403, "wrong_room"));
    let basic = Ask { headers: &[("Authorization", "Basic YTpi")], ..Ask::new("GET /api/v1/rooms") }
        .send(doors.address)
        .await;
    assert_eq!(basic.code(), "token_missing");
}

#[tokio::test]
async fn bodies_are_checked() {
    let doors = open(Setup::default());
    let all = admin("*");
    let post = async |headers: &[(&str, &str)], body: &[u8]| {
        Ask { token: Some(&all), headers, body, ..Ask::new("POST /api/v1/rooms") }.send(doors.address).await
    };
    let unknown = post(&[JSON], br#"{"name":"lobby","colour":"red"}"#).await;
    assert_eq!((unknown.status, unknown.code().as_str()), (400, "bad_json"));
    assert!(unknown.text().contains("colour"), "{}", unknown.text());
    let missing = post(&[JSON], b"{}").await;
    assert!(missing.status == 400 && missing.text().contains("name"), "{}", missing.text());
    let broken = post(&[JSON], b"{\"name\":").await;
    assert_eq!((broken.status, broken.code().as_str()), (400, "bad_json"));
    let wrong_type = post(&[("Content-Type", "text/plain")], b"{}").await;
    assert_eq!((wrong_type.status, wrong_type.code().as_str()), (415, "wrong_content_type"));
    let large = post(&[JSON], &vec![b' '; crate::support::MAX_BODY + 1]).await;
    assert_eq!((large.status, large.code().as_str()), (413, "too_large"));
    let bad_name = post(&[JSON], br#"{"name":"../../etc"}"#).await;
    assert_eq!((bad_name.status, bad_name.code().as_str()), (400, "bad_name"));
    let charset = post(&[("Content-Type", "Application/JSON; charset=utf-8")], br#"{"name":"fine"}"#).await;
    assert_eq!(charset.status, 201);
}

#[tokio::test]
async fn unknown_addresses_and_methods_have_the_same_shape() {
    let doors = open(Setup::default());
    for line in [
        "GET /nothing",
        "GET /api/v1/nothing",
        "GET /whip",
        "GET /../../etc/passwd",
        "GET /%2e%2e/etc/passwd",
        "POST /nothing",
    ] {
        let reply = Ask::new(line).send(doors.address).await;
        assert!([404, 405].contains(&reply.status), "{line}: {}", reply.status);
        reply.code();
    }
    let method = Ask::new("PUT /api/v1/rooms").send(doors.address).await;
    assert_eq!((method.status, method.code().as_str()), (405, "method_not_allowed"));
    assert!(method.header("allow").is_some());
}

#[tokio::test]
async fn development_tokens_are_for_development() {
    let ask =
        Ask { headers: &[JSON], body: br#"{"room":"lobby","name":"Ada"}"#, ..Ask::new("POST /dev/token") };
    let production = ask.send(open(Setup::default()).address).await;
    assert_eq!((production.status, production.code().as_str()), (404, "not_found"));
    let doors = open(Setup { development: true, ..Setup::default() });
    let given = ask.send(doors.address).await;
    assert_eq!(given.status, 200);
    let claims = tokens().verify(given.json()["token"].as_str().unwrap()).unwrap();
    assert_eq!(
        (claims.room.as_str(), claims.name.as_deref(), claims.grants.admin),
        ("lobby", Some("Ada"), false)
    );
    assert_eq!(
        given.header("access-control-allow-origin"),
        None,
        "pages of other origins must not fetch tokens"
    );
    let info = Ask::new("GET /api/v1/info").send(doors.address).await.json();
    assert_eq!((info["name"].as_str(), info["development"].as_bool()), (Some("kaname"), Some(true)));
}

#[tokio::test]
async fn health_and_metrics_answer() {
    let doors = open(Setup::default());
    assert_eq!(Ask::new("GET /healthz").send(doors.address).await.text(), "ok\n");
    let metrics = Ask::new("GET /metrics").send(doors.address).await;
    assert_eq!(metrics.status, 200);
    assert!(metrics.text().contains("kaname_peers 0\n"), "{}", metrics.text());
}

#[tokio::test]
async fn other_origins_may_call_what_needs_a_token() {
    let doors = open(Setup::default());
    let headers = [
        ("Origin", "https://example.com"),
        ("Access-Control-Request-Method", "POST"),
        ("Access-Control-Request-Headers", "authorization"),
    ];
    let preflight = Ask { headers: &headers, ..Ask::new("OPTIONS /whip/lobby") }.send(doors.address).await;
    assert_eq!(preflight.status, 204);
    assert_eq!(preflight.header("access-control-allow-origin"), Some("*"));
    assert!(preflight.header("access-control-allow-headers").unwrap().contains("Authorization"));
    let options = Ask::new("OPTIONS /whip/lobby").send(doors.address).await;
    assert_eq!((options.status, options.header("accept-post")), (204, Some("application/sdp")));
}
