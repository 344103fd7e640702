//! The measuring equipment itself: footage through a browser's own loopback call, with no node in between, is
//! recognised as what was sent and as nothing else.

use kaname_tests::browser::Browser;
use kaname_tests::call::{HEIGHT, Likeness, SAME_PICTURE, SAME_SOUND, WIDTH};
use kaname_tests::compare::{level_db, sound_likeness};
use kaname_tests::footage::{Cast, Footage, write_wav};
use kaname_tests::node::artefacts;
use serde_json::Value;

/// A page that calls itself.
const LOOPBACK: &str =
    "<!doctype html><title>loopback</title><video data-testid=far autoplay muted></video><script>
addEventListener('load', async () => {
  const audio = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  const near = await navigator.mediaDevices.getUserMedia({ video: true, audio });
  const [a, b] = [new RTCPeerConnection(), new RTCPeerConnection()];
  a.onicecandidate = (e) => b.addIceCandidate(e.candidate);
  b.onicecandidate = (e) => a.addIceCandidate(e.candidate);
  b.ontrack = (e) => { byId('far').srcObject = e.streams[0]; };
  near.getTracks().forEach((t) => a.addTrack(t, near));
  await a.setLocalDescription();
  await b.setRemoteDescription(a.localDescription);
  await b.setLocalDescription();
  await a.setRemoteDescription(b.localDescription);
});
</script>";

fn numbers(value: &Value) -> Vec<f32> {
    value.as_array().unwrap().iter().map(|n| n.as_f64().unwrap() as f32).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn footage_is_recognised_and_told_apart() {
    let test = "equipment";
    let (own, foreign) = (Footage::of(Cast::Ada).unwrap(), Footage::of(Cast::Bo).unwrap());
    let file = artefacts(test).unwrap().join("loopback.html");
    std::fs::write(&file, LOOPBACK).unwrap();
    let browser = Browser::start(test, "one", &own).await.unwrap();
    let page = browser.open("one", &format!("file://{}", file.display())).await.unwrap();
    page.until("plays(byId('far'))").await.unwrap();

    let grabbed = page.eval(&format!("grab(byId('far'), {WIDTH}, {HEIGHT}, 12)")).await.unwrap();
    let grabbed: Vec<Vec<f32>> = grabbed.as_array().unwrap().iter().map(numbers).collect();
    let (right, wrong) = (Likeness::of(&grabbed, &own).unwrap(), Likeness::of(&grabbed, &foreign).unwrap());
    page.note("picture", &format!("{right:?}\n{wrong:?}\n")).unwrap();

    let heard = page.eval("listen(byId('far').srcObject.getAudioTracks()[0], 5)").await.unwrap();
    assert_eq!(heard["rate"], 48_000);
    let heard: Vec<f32> = numbers(&heard["samples"]).into_iter().map(|s| s / 32_768.0).collect();
    write_wav(&artefacts(test).unwrap().join("heard.wav"), &heard).unwrap();
    let said = sound_likeness(&heard, &own.samples().unwrap());
    let not_said = sound_likeness(&heard, &foreign.samples().unwrap());
    page.note("sound", &format!("{said} {not_said} {} dB\n", level_db(&heard))).unwrap();
    page.screenshot("loopback").await.unwrap();

    assert!(right.worst() > SAME_PICTURE, "{right:?}");
    assert!(wrong.greatest() < SAME_PICTURE, "{wrong:?}");
    assert!(said > SAME_SOUND, "{said} against {not_said}, {} dB", level_db(&heard));
    assert!(not_said < SAME_SOUND, "{not_said} against {said}");
}
