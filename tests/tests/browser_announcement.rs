//! What is played to a room is heard at the page, though nobody is shown who says it; and not after it was stopped.

use kaname_bench::client::{Trust, web};
use kaname_tests::Node;
use kaname_tests::call::Person;
use kaname_tests::compare::level_db;
use kaname_tests::footage::{Cast, SAMPLE_RATE};
use kaname_tests::node::artefacts;
use kaname_tests::telephony::wav::Wav;

const HZ: f64 = 700.0;
/// Stretches that are listened to at most, as a browser without time to spare breaks its own sound.
const STRETCHES: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_plays_what_is_played_to_the_room() {
    let test = "announcement";
    let folder = artefacts(test).unwrap();
    let samples =
        (0..8_000).map(|at| 0.2 * (std::f64::consts::TAU * HZ * f64::from(at) / 8_000.0).sin() as f32);
    Wav { rate: 8_000, samples: samples.collect() }.write(&folder.join("tone.wav")).unwrap();
    let node = Node::start_with(test, &["--calls-prompts", &folder.display().to_string()]).await.unwrap();
    let ada = Person::arrive(test, &node, "lobby", "Ada", Cast::Ada, "?sound=original").await.unwrap();
    ada.join().await.unwrap();

    let bearer = format!("Bearer {}", node.admin_token("lobby").await.unwrap());
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    let url = node.url("api/v1/rooms/lobby/play");
    let wish = r#"{"file":"tone.wav","times":1000}"#;
    let played = web::request("POST", &url, &headers, wish, &Trust::Plain).await.unwrap();
    assert_eq!(played.status, 200, "{}", played.body);
    ada.page
        .until("!byId('announcer-audio').paused && byId('announcer-audio').currentTime > 0")
        .await
        .unwrap();
    let mut verdicts = Vec::new();
    while verdicts.len() < STRETCHES {
        let heard = Wav { rate: 48_000, samples: ada.listen_to_announcer(2).await.unwrap() };
        let verdict = heard.verdict(HZ);
        verdicts.push(verdict);
        if verdict.tone * 10 >= (verdict.tone + verdict.silent + verdict.other) * 9 {
            break;
        }
        assert!(verdicts.len() < STRETCHES, "{verdicts:?}");
    }
    ada.page.until("allById('tile').length === 1 && kaname.peers.length === 1").await.unwrap();

    let stopped = web::request("DELETE", &url, &headers, "", &Trust::Plain).await.unwrap();
    assert_eq!(stopped.status, 204, "{}", stopped.body);
    // The first second still brings what was under way.
    let heard = ada.listen_to_announcer(3).await.unwrap();
    let level = level_db(&heard[2 * SAMPLE_RATE..]);
    assert!(level < -60.0, "{level} dB");
    assert_eq!(ada.complaints(), Vec::<String>::new());
}
