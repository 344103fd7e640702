//! Leaving, joining again, and reloading: nobody stays behind as a ghost, and the call goes on.

use kaname_tests::call::{Two, assert_picture};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leave_rejoin_and_reload_leave_no_ghosts() {
    let two = Two::meet("leave_and_rejoin").await.unwrap();

    two.ada.page.click("leave").await.unwrap();
    two.ada.page.until("kaname.state === 'lobby'").await.unwrap();
    two.bo.page.until("!tileOf('Ada') && kaname.peers.length === 1").await.unwrap();
    two.bo.page.screenshot("alone").await.unwrap();

    // Leaving stops every device: they are wanted again before joining.
    two.ada.page.click("lobby-both").await.unwrap();
    two.ada.page.until("plays(byId('preview'))").await.unwrap();
    two.ada.join().await.unwrap();
    two.bo.sees("Ada").await.unwrap();
    two.ada.sees("Bo").await.unwrap();
    assert_picture(&two.bo, &two.ada, &two.bo.footage).await.unwrap();

    // A reload is a goodbye without words.
    two.ada.page.reload().await.unwrap();
    two.ada.join().await.unwrap();
    two.ada.sees("Bo").await.unwrap();
    two.bo.page.until("allById('tile').filter((t) => t.dataset.name === 'Ada').length === 1").await.unwrap();
    two.bo.sees("Ada").await.unwrap();
    assert_picture(&two.bo, &two.ada, &two.bo.footage).await.unwrap();
    assert_picture(&two.ada, &two.bo, &two.ada.footage).await.unwrap();
}
