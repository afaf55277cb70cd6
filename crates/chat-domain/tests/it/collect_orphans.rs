//! Bytes that no message refers to are removed once they are old enough.

use std::time::Duration;

use chat_domain::ports::{AttachmentStore, Upload};
use chat_domain::service::Collected;
use chat_testkit::fixtures::{alice, attachment_id};
use chat_testkit::source::{from_bytes, read_to_end};

use crate::support::App;

const GRACE: Duration = Duration::from_hours(24);

async fn orphan(app: &App, n: u64) {
    let upload = Upload { id: attachment_id(n), claimed_type: None, max_bytes: 100 };
    app.attachments.put(upload, from_bytes("left behind")).await.unwrap();
}

#[tokio::test]
async fn only_old_objects_without_a_message_are_removed() {
    let app = App::new();
    let id = app.held_by_bob(1).await;
    let mut message = app.service.compose_message(&alice(), id).await.unwrap();
    message.attach(0, "a.txt", None, from_bytes("kept")).await.unwrap();
    let kept = message.send(String::new(), None).await.unwrap().message.attachments[0].id;
    orphan(&app, 1).await;
    let mut abandoned = app.service.compose_message(&alice(), id).await.unwrap();
    abandoned.attach(0, "b.txt", None, from_bytes("never sent")).await.unwrap();
    drop(abandoned);
    app.clock.advance(GRACE);
    orphan(&app, 2).await;

    let collected = app.service.collect_orphans(GRACE).await.unwrap();
    assert_eq!(collected, Collected { examined: 3, removed: 2 });
    let mut left = [kept, attachment_id(2)];
    left.sort();
    assert_eq!(app.attachments.ids(), left, "the referenced and the young");
    let bytes = app.attachments.open(kept, None).await.unwrap().expect("it is there");
    assert_eq!(read_to_end(bytes).await.unwrap(), "kept");
}

#[tokio::test]
async fn a_round_goes_through_any_number_of_objects() {
    let app = App::new();
    for n in 0..1_001 {
        orphan(&app, n).await;
    }
    app.clock.advance(GRACE);
    let collected = app.service.collect_orphans(GRACE).await.unwrap();
    assert_eq!(collected, Collected { examined: 1_001, removed: 1_001 });
    assert_eq!(app.attachments.ids(), []);
    assert_eq!(app.service.collect_orphans(GRACE).await.unwrap(), Collected::default());
}
