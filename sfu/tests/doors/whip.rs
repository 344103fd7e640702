//! WHIP and WHEP: the happy way over a pretended engine, and every way to get it wrong.

use kaname_sfu::token::GrantClaims;

use crate::support::{Ask, Doors, MAX_BODY, Reply, Setup, audio_offer, open, participant, token};

const SDP: (&str, &str) = ("Content-Type", "application/sdp");
const FRAGMENT: (&str, &str) = ("Content-Type", "application/trickle-ice-sdpfrag");

async fn post(doors: &Doors, path: &str, token: &str, body: &[u8]) -> Reply {
    Ask { token: Some(token), headers: &[SDP], body, ..Ask::new(&format!("POST {path}")) }
        .send(doors.address)
        .await
}

async fn peers(doors: &Doors) -> usize {
    doors.node.room("lobby".into()).await.map_or(0, |room| room.peers.len())
}

#[tokio::test]
async fn a_publisher_comes_restarts_and_goes() {
    let doors = open(Setup::default());
    let mine = participant("lobby");
    let made = post(&doors, "/whip/lobby", &mine, audio_offer("sendonly").as_bytes()).await;
    assert_eq!(made.status, 201, "{}", made.text());
    assert_eq!(made.header("content-type"), Some("application/sdp"));
    assert!(made.text().contains("a=ice-lite") && made.text().contains("a=recvonly"), "{}", made.text());
    let (session, etag) = (made.header("location").unwrap(), made.header("etag").unwrap());
    assert!(session.starts_with("/whip/lobby/") && session.len() >= "/whip/lobby/".len() + 32, "{session}");
    assert_eq!(peers(&doors).await, 1);
    let room = doors.node.room("lobby".into()).await.unwrap();
    assert_eq!(room.peers[0].tracks.len(), 1);

    let patch_line = format!("PATCH {session}");
    let patch = async |headers: &[(&str, &str)], body: &str| {
        Ask { token: Some(&mine), headers, body: body.as_bytes(), ..Ask::new(&patch_line) }
            .send(doors.address)
            .await
    };
    let candidate = "a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n\
                     a=candidate:1 1 udp 2130706431 127.0.0.1 5000 typ host\r\na=end-of-candidates\r\n";
    let trickled = patch(&[FRAGMENT, ("If-Match", etag)], candidate).await;
    assert_eq!(trickled.status, 204, "{}", trickled.text());
    assert_eq!(patch(&[FRAGMENT], candidate).await.status, 428);
    assert_eq!(patch(&[FRAGMENT, ("If-Match", "\"other\"")], candidate).await.status, 412);
    assert_eq!(patch(&[SDP, ("If-Match", etag)], candidate).await.status, 415);
    let restart =
        candidate.replace("abcd", "efgh").replace("0123456789012345678901", "9876543210987654321098");
    let restarted = patch(&[FRAGMENT, ("If-Match", "*")], &restart).await;
    assert_eq!(restarted.status, 200, "{}", restarted.text());
    assert!(
        restarted.text().contains("a=ice-ufrag:") && restarted.header("etag").is_some_and(|new| new != etag)
    );
    assert_eq!(
        patch(&[FRAGMENT, ("If-Match", etag)], candidate).await.status,
        412,
        "the tag of the former session is stale"
    );

    let delete_line = format!("DELETE {session}");
    let delete = Ask { token: Some(&mine), ..Ask::new(&delete_line) };
    assert_eq!(Ask::new(&delete_line).send(doors.address).await.status, 401);
    assert_eq!(delete.send(doors.address).await.status, 200);
    assert_eq!(peers(&doors).await, 0);
    assert_eq!(delete.send(doors.address).await.status, 404);
}

#[tokio::test]
async fn a_watcher_gets_what_is_published() {
    let doors = open(Setup::default());
    let mine = participant("lobby");
    let nothing = post(&doors, "/whep/lobby", &mine, audio_offer("recvonly").as_bytes()).await;
    assert_eq!((nothing.status, nothing.code().as_str()), (409, "nothing_published"));
    assert_eq!(peers(&doors).await, 0, "a refused watcher leaves nothing behind");
    assert_eq!(post(&doors, "/whip/lobby", &mine, audio_offer("sendonly").as_bytes()).await.status, 201);
    let watching = post(&doors, "/whep/lobby", &mine, audio_offer("recvonly").as_bytes()).await;
    assert_eq!(watching.status, 201, "{}", watching.text());
    assert!(watching.text().contains("a=sendonly"), "{}", watching.text());
    let session = watching.header("location").unwrap();
    assert!(session.starts_with("/whep/lobby/"));
    let confused = format!("DELETE {}", session.replace("whep", "whip"));
    assert_eq!(Ask { token: Some(&mine), ..Ask::new(&confused) }.send(doors.address).await.status, 404);
    let delete = format!("DELETE {session}");
    assert_eq!(Ask { token: Some(&mine), ..Ask::new(&delete) }.send(doors.address).await.status, 200);
    assert_eq!(peers(&doors).await, 1);
}

#[tokio::test]
async fn a_watcher_chooses_a_peer_or_a_track() {
    let doors = open(Setup::default());
    let mine = participant("lobby");
    for _ in 0..2 {
        let made = post(&doors, "/whip/lobby", &mine, audio_offer("sendonly").as_bytes()).await;
        assert_eq!(made.status, 201, "{}", made.text());
    }
    let room = doors.node.room("lobby".into()).await.unwrap();
    let (first, second) = (&room.peers[0], &room.peers[1]);
    let watch = async |query: &str| {
        let reply =
            post(&doors, &format!("/whep/lobby{query}"), &mine, audio_offer("recvonly").as_bytes()).await;
        (reply.status, reply.text().to_owned())
    };
    // An answer names the track it sends.
    for (query, track) in [
        (String::new(), &first.tracks[0]),
        (format!("?peer={}", second.id), &second.tracks[0]),
        (format!("?track={}", second.tracks[0].id), &second.tracks[0]),
        (format!("?track={}", first.tracks[0].id), &first.tracks[0]),
    ] {
        let (status, answer) = watch(&query).await;
        assert_eq!(status, 201, "{query}: {answer}");
        assert!(answer.contains(track.id.as_str()), "{query}: {} is not in {answer}", track.id);
    }

    let here = peers(&doors).await;
    let track = &first.tracks[0].id;
    for (query, status, code) in [
        ("?peer=p_none".to_owned(), 404, "no_such_peer"),
        ("?peer=".to_owned(), 404, "no_such_peer"),
        (format!("?peer={track}"), 404, "no_such_peer"),
        ("?track=t_none".to_owned(), 404, "no_such_track"),
        (format!("?track={}", first.id), 404, "no_such_track"),
        (format!("?peer={}&track={track}", first.id), 400, "bad_request"),
        (format!("?track={track}&track={track}"), 400, "bad_request"),
        (format!("?trak={track}"), 400, "bad_request"),
    ] {
        let (got, body) = watch(&query).await;
        assert_eq!(got, status, "{query}: {body}");
        assert!(body.contains(&format!("\"code\":\"{code}\"")), "{query}: {body}");
    }
    assert_eq!(peers(&doors).await, here, "a refused watcher leaves nothing behind");
    // Without a token, nobody is told what exists.
    let line = format!("POST /whep/lobby?peer={}", first.id);
    assert_eq!(Ask::new(&line).send(doors.address).await.status, 401);
}

#[tokio::test]
async fn a_session_ends_with_its_peer() {
    let doors = open(Setup::default());
    let mine = participant("lobby");
    let made = post(&doors, "/whip/lobby", &mine, audio_offer("sendonly").as_bytes()).await;
    let peer = doors.node.room("lobby".into()).await.unwrap().peers[0].id.clone();
    doors.node.kick("lobby".into(), peer).await.unwrap();
    let delete = format!("DELETE {}", made.header("location").unwrap());
    let status = Ask { token: Some(&mine), ..Ask::new(&delete) }.send(doors.address).await.status;
    // The news of the kick and this request race; either way nothing is left.
    assert!([200, 404].contains(&status), "{status}");
    assert_eq!(Ask { token: Some(&mine), ..Ask::new(&delete) }.send(doors.address).await.status, 404);
}

#[tokio::test]
async fn bad_offers_are_refused_and_leave_nothing_behind() {
    let doors = open(Setup::default());
    let mine = participant("lobby");
    let huge = format!("{}{}", audio_offer("sendonly"), "a=x:y\r\n".repeat(MAX_BODY / 7));
    let cases: [(&[u8], &[u16]); 6] = [
        (b"hello, this is not SDP", &[400]),
        (b"{\"sdp\":\"v=0\"}", &[400]),
        (b"v=0\r\n", &[400, 422]),
        (b"\xff\xfe\x00", &[400]),
        (huge.as_bytes(), &[413]),
        (b"v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n", &[400, 422]),
    ];
    for path in ["/whip/lobby", "/whep/lobby"] {
        for (body, statuses) in cases {
            let reply = post(&doors, path, &mine, body).await;
            assert!(
                statuses.contains(&reply.status),
                "{path} {:?}: {} {}",
                String::from_utf8_lossy(&body[..body.len().min(40)]),
                reply.status,
                reply.text()
            );
            reply.code();
        }
        let (line, offer) = (format!("POST {path}"), audio_offer("sendonly"));
        let headers = [("Content-Type", "text/plain")];
        let wrong_type =
            Ask { token: Some(&mine), headers: &headers, body: offer.as_bytes(), ..Ask::new(&line) };
        assert_eq!(wrong_type.send(doors.address).await.status, 415);
    }
    assert_eq!(peers(&doors).await, 0);
}

#[tokio::test]
async fn grants_are_needed() {
    let doors = open(Setup::default());
    let none = GrantClaims { publish: false, subscribe: false, ..GrantClaims::PARTICIPANT };
    let watcher = token("lobby", GrantClaims { subscribe: true, ..none });
    let refused = post(&doors, "/whip/lobby", &watcher, audio_offer("sendonly").as_bytes()).await;
    assert_eq!((refused.status, refused.code().as_str()), (403, "grant_missing"));
    let publisher = token("lobby", GrantClaims { publish: true, ..none });
    let refused = post(&doors, "/whep/lobby", &publisher, audio_offer("recvonly").as_bytes()).await;
    assert_eq!((refused.status, refused.code().as_str()), (403, "grant_missing"));
    let elsewhere =
        post(&doors, "/whip/lobby", &participant("other"), audio_offer("sendonly").as_bytes()).await;
    assert_eq!((elsewhere.status, elsewhere.code().as_str()), (403, "wrong_room"));
    for line in [
        "GET /whip/lobby",
        "PUT /whip/lobby",
        "DELETE /whip/lobby",
        "GET /whip/lobby/x",
        "POST /whip/lobby/x",
    ] {
        assert_eq!(Ask::new(line).send(doors.address).await.status, 405, "{line}");
    }
}
