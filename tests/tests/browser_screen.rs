//! Screen sharing: the far side sees what the near side shares, beside its camera, and sees it end.

use kaname_tests::call::{Two, assert_picture};
use kaname_tests::compare::{best_frame, correlation};

/// The fake screen is a disc that fills; the codec blurs it. Another moment of it stays below.
const SAME_SCREEN: f32 = 0.99;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shared_screen_is_seen() {
    let two = Two::meet("screen").await.unwrap();
    two.ada.page.click("share-screen").await.unwrap();
    two.ada.page.until("byId('share-screen').dataset.on === 'true'").await.unwrap();
    two.bo.page.until("plays(videoOf('Ada', 'screen'))").await.unwrap();

    let (shared, seen) = tokio::join!(two.ada.grab("Ada", "screen", 45), two.bo.grab("Ada", "screen", 20));
    // The first pictures seen were shared before Ada's own were grabbed.
    let (shared, seen) = (shared.unwrap(), &seen.unwrap()[15..]);
    let best: Vec<f32> = seen.iter().map(|picture| best_frame(picture, &shared).1).collect();
    two.bo.page.note("screen", &format!("{best:?}")).unwrap();
    two.bo.page.screenshot("ada-shares").await.unwrap();
    two.ada.page.screenshot("shares").await.unwrap();
    assert!(best.iter().all(|b| *b > SAME_SCREEN), "{best:?}");
    // Negative controls: the measure tells moments of the screen apart, and Ada's camera is not her
    // screen.
    assert!(correlation(&shared[0], &shared[20]) < SAME_SCREEN, "the screen stands still");
    let camera = two.bo.grab("Ada", "camera", 1).await.unwrap();
    assert!(correlation(&camera[0], &seen[0]) < SAME_SCREEN);
    assert_picture(&two.bo, &two.ada, &two.bo.footage).await.unwrap();

    two.ada.page.click("share-screen").await.unwrap();
    two.bo.page.until("!tileOf('Ada', 'screen')").await.unwrap();
    assert_picture(&two.bo, &two.ada, &two.bo.footage).await.unwrap();
}
