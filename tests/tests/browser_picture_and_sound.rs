//! Two browsers in a room: the far picture is the sent picture, the far sound the sent sound, both ways.

use kaname_tests::call::{Two, assert_picture, assert_sound};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_people_see_and_hear_each_other() {
    let two = Two::meet("picture_and_sound").await.unwrap();
    assert_picture(&two.bo, &two.ada, &two.bo.footage).await.unwrap();
    assert_picture(&two.ada, &two.bo, &two.ada.footage).await.unwrap();
    assert_sound(&two.bo, &two.ada, &two.bo.footage).await.unwrap();
    assert_sound(&two.ada, &two.bo, &two.ada.footage).await.unwrap();
    for person in [&two.ada, &two.bo] {
        person.page.screenshot("in-the-call").await.unwrap();
        assert_eq!(person.complaints(), Vec::<String>::new());
    }
}
