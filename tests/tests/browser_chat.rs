//! Text over the data channel, both ways, with whatever people write.

use kaname_tests::call::Two;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_write_to_each_other() {
    let two = Two::meet("chat").await.unwrap();
    let said = "Hello Bo, 要 <b>not bold</b> & \"quoted\"";
    for (from, to, text) in [(&two.ada, &two.bo, said), (&two.bo, &two.ada, "Hello Ada")] {
        from.page.click("chat-toggle").await.unwrap();
        from.page.type_text("chat-input", text).await.unwrap();
        from.page.click("chat-send").await.unwrap();
        let text = serde_json::to_string(text).unwrap();
        let came = format!(
            "allById('chat-message').some((m) => m.dataset.name === '{}' && \
             m.querySelector('[data-testid=\"chat-text\"]').textContent === {text})",
            from.name
        );
        to.page.until(&came).await.unwrap();
    }
    two.ada.page.screenshot("chat").await.unwrap();
    two.bo.page.screenshot("chat").await.unwrap();
    // Text is text: nothing that was written became an element.
    let bold = "document.querySelectorAll('[data-testid=\"chat-message\"] b').length";
    assert_eq!(two.bo.page.eval(bold).await.unwrap(), 0);
}
