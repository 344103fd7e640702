//! The page's WebSocket.

use std::net::SocketAddr;

use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::support::{Ask, MAX_BODY, Setup, admin, audio_offer, open, participant, token};
use kaname_sfu::token::GrantClaims;

struct Page {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Page {
    async fn open(address: SocketAddr) -> Page {
        Page { socket: connect_async(format!("ws://{address}/ws")).await.unwrap().0 }
    }

    /// Joins and gives the node's word.
    async fn join(address: SocketAddr, token: &str, name: &str) -> (Page, Value) {
        let mut page = Page::open(address).await;
        page.say(json!({ "type": "join", "token": token, "name": name })).await;
        let joined = page.hear().await.unwrap();
        assert_eq!(joined["type"], "joined", "{joined}");
        (page, joined)
    }

    async fn say(&mut self, message: Value) {
        self.say_raw(Message::text(message.to_string())).await;
    }

    async fn say_raw(&mut self, message: Message) {
        use futures_util::SinkExt as _;
        self.socket.send(message).await.unwrap();
    }

    /// The next message; `None` when the connection has ended.
    async fn hear(&mut self) -> Option<Value> {
        use futures_util::StreamExt as _;
        loop {
            match self.socket.next().await? {
                Ok(Message::Text(text)) => return Some(serde_json::from_str(text.as_str()).unwrap()),
                Ok(Message::Ping(_) | Message::Pong(_)) => {}
                Ok(_) | Err(_) => return None,
            }
        }
    }

    /// The next message of that type; others are passed over.
    async fn hear_of(&mut self, kind: &str) -> Value {
        loop {
            let message = self.hear().await.unwrap_or_else(|| panic!("the connection ended before {kind}"));
            if message["type"] == kind {
                return message;
            }
        }
    }
}

#[tokio::test]
async fn two_pages_meet_publish_and_part() {
    let doors = open(Setup::default());
    let (mut ada, joined) = Page::join(doors.address, &participant("lobby"), "Ada").await;
    assert_eq!(joined["room"], json!({ "name": "lobby" }));
    assert_eq!(joined["peer"]["name"], "Ada");
    assert_eq!(joined["peers"], json!([]));
    assert_eq!((&joined["grants"]["publish"], &joined["grants"]["admin"]), (&json!(true), &json!(false)));
    let ada_id = joined["peer"]["id"].clone();

    let (mut bo, joined) = Page::join(doors.address, &participant("lobby"), "Bo").await;
    assert_eq!(joined["peers"][0]["id"], ada_id);
    let bo_id = joined["peer"]["id"].clone();
    assert_eq!(ada.hear_of("peer_joined").await["peer"]["name"], "Bo");

    ada.say(json!({ "type": "offer", "id": 7, "sdp": audio_offer("sendonly"), "publish": { "0": { "source": "microphone" } } })).await;
    let answer = ada.hear_of("answer").await;
    assert_eq!(answer["id"], 7);
    assert!(answer["sdp"].as_str().unwrap().contains("a=ice-lite"));
    let track = answer["publish"]["0"].clone();
    let published = bo.hear_of("track_published").await;
    assert_eq!(
        (&published["peer"], &published["track"]["id"], &published["track"]["kind"]),
        (&ada_id, &track, &json!("audio"))
    );

    bo.say(json!({ "type": "offer", "id": 1, "sdp": audio_offer("recvonly"), "subscribe": { "0": track } }))
        .await;
    assert_eq!(bo.hear_of("answer").await["subscribe"]["0"], track);
    ada.say(json!({ "type": "mute", "track": track, "muted": true })).await;
    assert_eq!(
        bo.hear_of("track_muted").await,
        json!({ "type": "track_muted", "track": track, "muted": true })
    );
    bo.say(json!({ "type": "mute", "track": track, "muted": false })).await;
    assert_eq!(bo.hear_of("error").await["code"], "forbidden");
    ada.say(json!({ "type": "stats" })).await;
    assert_eq!(ada.hear_of("stats").await["peer"], ada_id);
    ada.say(json!({ "type": "ping" })).await;
    ada.hear_of("pong").await;

    bo.say(json!({ "type": "leave" })).await;
    assert_eq!(
        ada.hear_of("peer_left").await,
        json!({ "type": "peer_left", "peer": bo_id, "reason": "left" })
    );
    while bo.hear().await.is_some() {}
}

#[tokio::test]
async fn hanging_up_is_leaving() {
    let doors = open(Setup::default());
    let (mut ada, _) = Page::join(doors.address, &participant("lobby"), "Ada").await;
    let (bo, joined) = Page::join(doors.address, &participant("lobby"), "Bo").await;
    drop(bo);
    assert_eq!(ada.hear_of("peer_left").await["peer"], joined["peer"]["id"]);
}

#[tokio::test]
async fn mistakes_are_named_and_survived() {
    let doors = open(Setup::default());
    let (mut page, _) = Page::join(doors.address, &participant("lobby"), "Ada").await;
    let cases = [
        (Message::text("garbage"), "bad_message", ""),
        (Message::text(r#"{"type":"dance"}"#), "bad_message", "dance"),
        (Message::text(r#"{"type":"ping","extra":1}"#), "bad_message", "extra"),
        (Message::binary(vec![1, 2, 3]), "bad_message", "text"),
        (Message::text(r#"{"type":"join","token":"x"}"#), "already_joined", ""),
        (Message::text(r#"{"type":"mute","track":"t_none","muted":true}"#), "no_such_track", ""),
    ];
    for (message, code, part) in cases {
        page.say_raw(message.clone()).await;
        let error = page.hear_of("error").await;
        assert_eq!(error["code"], code, "{message:?}: {error}");
        assert!(error["message"].as_str().unwrap().contains(part), "{error}");
    }
    page.say(json!({ "type": "offer", "id": 9, "sdp": "not SDP" })).await;
    let error = page.hear_of("error").await;
    assert_eq!(error["id"], 9, "{error}");
    page.say(json!({ "type": "ping" })).await;
    page.hear_of("pong").await;
}

#[tokio::test]
async fn the_first_message_decides() {
    let doors = open(Setup::default());
    let no_join = token("lobby", GrantClaims { join: false, ..GrantClaims::PARTICIPANT });
    let cases = [
        (json!({ "type": "ping" }), "join_first"),
        (json!({ "type": "join", "token": "nonsense" }), "token_malformed"),
        (json!({ "type": "join", "token": participant("*") }), "wrong_room"),
        (json!({ "type": "join", "token": no_join }), "forbidden"),
        (json!({ "type": "join", "token": participant("lobby"), "name": "a\nb" }), "bad_name"),
        (json!({ "type": "jion" }), "bad_message"),
    ];
    for (first, code) in cases {
        let mut page = Page::open(doors.address).await;
        page.say(first.clone()).await;
        let error = page.hear().await.unwrap();
        assert_eq!((&error["type"], &error["code"]), (&json!("error"), &json!(code)), "{first}: {error}");
        assert_eq!(page.hear().await, None, "the connection ends after a refused join");
    }
    assert_eq!(doors.node.counters().await.peers, 0);
}

#[tokio::test]
async fn a_message_that_is_too_large_ends_the_connection_alone() {
    let doors = open(Setup::default());
    let (mut ada, _) = Page::join(doors.address, &participant("lobby"), "Ada").await;
    let (mut bo, joined) = Page::join(doors.address, &participant("lobby"), "Bo").await;
    bo.say_raw(Message::text("x".repeat(MAX_BODY + 1))).await;
    while bo.hear().await.is_some() {}
    assert_eq!(ada.hear_of("peer_left").await["peer"], joined["peer"]["id"]);
}

#[tokio::test]
async fn whoever_is_removed_is_told() {
    let doors = open(Setup::default());
    let (mut ada, joined) = Page::join(doors.address, &participant("lobby"), "Ada").await;
    let line = format!("DELETE /api/v1/rooms/lobby/peers/{}", joined["peer"]["id"].as_str().unwrap());
    assert_eq!(
        Ask { token: Some(&participant("lobby")), ..Ask::new(&line) }.send(doors.address).await.status,
        403
    );
    assert_eq!(Ask { token: Some(&admin("other")), ..Ask::new(&line) }.send(doors.address).await.status, 403);
    assert_eq!(Ask { token: Some(&admin("lobby")), ..Ask::new(&line) }.send(doors.address).await.status, 204);
    assert_eq!(ada.hear_of("closed").await["reason"], "kicked");
    assert_eq!(ada.hear().await, None);
}

#[tokio::test]
async fn a_stop_tells_everyone() {
    let doors = open(Setup::default());
    let (mut ada, _) = Page::join(doors.address, &participant("lobby"), "Ada").await;
    doors.node.drain().await;
    assert_eq!(ada.hear_of("closed").await["reason"], "shutdown");
    assert_eq!(ada.hear().await, None);
    assert!(doors.server.stop(crate::support::PATIENT).await);
}

#[tokio::test]
async fn the_name_in_the_token_counts() {
    let doors = open(Setup::default());
    let claims = kaname_sfu::token::Claims {
        name: Some("Ada by token".into()),
        ..kaname_sfu::token::Claims::new(
            "lobby",
            GrantClaims::PARTICIPANT,
            std::time::Duration::from_secs(60),
        )
    };
    let (_, joined) =
        Page::join(doors.address, &crate::support::tokens().sign(&claims).unwrap(), "Somebody else").await;
    assert_eq!(joined["peer"]["name"], "Ada by token");
}
