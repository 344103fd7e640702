//! A third person joins a running call: everybody sees everybody, and the first two are not disturbed.

use kaname_tests::call::{Person, Two, assert_picture, assert_sound};
use kaname_tests::footage::Cast;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_third_person_joins() {
    let test = "third_peer";
    let two = Two::meet(test).await.unwrap();
    let eve = Person::arrive(test, &two.node, "lobby", "Eve", Cast::Bo, "?sound=original").await.unwrap();
    eve.join().await.unwrap();
    for (viewer, other) in [(&eve, "Ada"), (&eve, "Bo"), (&two.ada, "Eve"), (&two.bo, "Eve")] {
        viewer.sees(other).await.unwrap();
    }
    assert_picture(&eve, &two.ada, &eve.footage).await.unwrap();
    assert_picture(&two.ada, &eve, &two.ada.footage).await.unwrap();
    assert_picture(&two.bo, &two.ada, &two.bo.footage).await.unwrap();
    assert_sound(&eve, &two.ada, &eve.footage).await.unwrap();
    assert_eq!(eve.page.eval("kaname.peers.length").await.unwrap(), 3);
    eve.page.screenshot("three").await.unwrap();
    two.ada.page.screenshot("three").await.unwrap();
}
