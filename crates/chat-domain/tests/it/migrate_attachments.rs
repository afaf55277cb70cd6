//! Stored files move to another store.

use std::sync::Arc;

use chat_domain::model::AttachmentId;
use chat_domain::ports::{AttachmentStore as _, Upload};
use chat_domain::service::{AttachmentMigration, FileMigration};
use chat_testkit::MemoryAttachmentStore;
use chat_testkit::fixtures::{alice, attachment_id};
use chat_testkit::form::upload_of;
use chat_testkit::source::{from_bytes, read_to_end};

use crate::support::App;

fn migration(app: &App) -> (AttachmentMigration, Arc<MemoryAttachmentStore>) {
    let to = MemoryAttachmentStore::new(app.clock.clone());
    let (messages, uploads) = (app.store.clone(), app.store.clone());
    (AttachmentMigration { from: app.attachments.clone(), to: to.clone(), messages, uploads }, to)
}

/// Copies everything that is missing, as a command does, and returns what became of it.
async fn run(migration: &AttachmentMigration) -> (Vec<(AttachmentId, FileMigration)>, usize) {
    let (mut copied, mut present, mut after) = (Vec::new(), 0, None);
    while let Some(batch) = migration.batch(after).await.unwrap() {
        for id in batch.missing {
            copied.push((id, migration.copy(id).await.unwrap()));
        }
        present += batch.present;
        after = Some(batch.last);
    }
    (copied, present)
}

async fn orphan(app: &App, n: u64) {
    let upload = Upload { id: attachment_id(n), claimed_type: None, max_bytes: 100 };
    app.attachments.put(upload, from_bytes("left behind")).await.unwrap();
}

#[tokio::test]
async fn every_file_is_copied_once_however_often_it_is_begun() {
    let app = App::new();
    let session = app.held_by_bob(1).await;
    let kept = app.send_files(session, "with a file", &[(0, "kept")]).await.message.attachments[0].id;
    for n in 1_000..1_600 {
        orphan(&app, n).await;
    }
    let (migration, to) = migration(&app);
    assert_eq!(migration.copy(kept).await.unwrap(), FileMigration::Copied(4));
    let (copied, present) = run(&migration).await;
    assert_eq!((copied.len(), present), (600, 1));
    assert_eq!(to.ids(), app.attachments.ids());
    assert_eq!(run(&migration).await, (Vec::new(), 601));
    let bytes = read_to_end(to.open(kept, None).await.unwrap().unwrap()).await.unwrap();
    assert_eq!(bytes, "kept");
}

#[tokio::test]
async fn a_file_that_is_not_what_it_was_uploaded_with_is_not_copied() {
    let app = App::new();
    let session = app.held_by_bob(1).await;
    let sent = app.send_files(session, "with a file", &[(0, "kept")]).await.message.attachments[0].id;
    let unsent = app.service.upload_attachment(&alice(), session, Ok(upload_of("wait"))).await.unwrap().id;
    let (migration, to) = migration(&app);
    assert_eq!(migration.copy(unsent).await.unwrap(), FileMigration::Copied(4));
    to.delete(unsent).await.unwrap();
    for id in [sent, unsent] {
        let rotten = Upload { id, claimed_type: None, max_bytes: 100 };
        app.attachments.put(rotten, from_bytes("rots")).await.unwrap();
    }
    assert_eq!(run(&migration).await.0, [sent, unsent].map(|id| (id, FileMigration::Damaged)));
    assert_eq!(to.ids(), []);
    app.attachments.delete(sent).await.unwrap();
    assert_eq!(migration.copy(sent).await.unwrap(), FileMigration::Gone);
}
