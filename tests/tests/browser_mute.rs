//! Mute and camera off: the far side is told, hears silence, sees no picture; and both come back.

use kaname_tests::call::{Two, assert_picture, assert_sound};
use kaname_tests::compare::level_db;
use kaname_tests::footage::SAMPLE_RATE;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mute_silences_and_camera_off_hides() {
    let two = Two::meet("mute").await.unwrap();
    let speaking = level_db(&two.bo.listen("Ada", 3).await.unwrap());

    two.ada.page.click("mute-mic").await.unwrap();
    two.bo.page.until("tileOf('Ada').dataset.mic === 'muted'").await.unwrap();
    // The first seconds still bring what was under way when the button was pressed.
    let heard = two.bo.listen("Ada", 4).await.unwrap();
    let muted = level_db(&heard[3 * SAMPLE_RATE..]);
    assert!(muted < speaking - 20.0, "muted {muted} dB, speaking {speaking} dB");
    two.bo.page.screenshot("ada-muted").await.unwrap();

    two.ada.page.click("mute-camera").await.unwrap();
    two.bo.page.until("tileOf('Ada').dataset.video === 'off'").await.unwrap();
    two.bo.page.screenshot("ada-without-camera").await.unwrap();

    two.ada.page.click("mute-mic").await.unwrap();
    two.ada.page.click("mute-camera").await.unwrap();
    two.bo
        .page
        .until("tileOf('Ada').dataset.mic === 'on' && tileOf('Ada').dataset.video === 'on'")
        .await
        .unwrap();
    two.bo.sees("Ada").await.unwrap();
    assert_picture(&two.bo, &two.ada, &two.bo.footage).await.unwrap();
    assert_sound(&two.bo, &two.ada, &two.bo.footage).await.unwrap();
}
