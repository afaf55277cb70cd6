//! A copy of a database that is restored has nothing whose bytes are not in the backup.

use chat_domain::model::{UnsentUpload, UploadQuota};
use chat_domain::ports::{SessionRepository as _, UploadRegistry as _};
use chat_sqlite::backup;
use chat_testkit::fixtures;

use crate::support::Place;

#[tokio::test]
async fn a_restored_copy_has_forgotten_what_was_not_sent() {
    let (place, copy) = (Place::migrated(), Place::new());
    let store = place.open().await;
    let session_id = store.sessions.open(fixtures::new_session(1), fixtures::alice(), None).await.unwrap().session.id;
    let attachment = fixtures::attachment(1, b"x");
    let id = attachment.id;
    let uploader = fixtures::alice().id;
    let upload = UnsentUpload { attachment, session_id, uploader, uploaded_at: fixtures::start() };
    store.uploads.register(upload, UploadQuota { files: 1, bytes: 1 }).await.unwrap();
    backup::copy(place.path(), copy.path()).unwrap();
    assert_eq!(backup::stored_files(copy.path(), None, 10).unwrap(), []);
    backup::forget_uploads(copy.path()).unwrap();
    assert!(store.uploads.find(id).await.unwrap().is_some());
    store.close().await;
    let restored = copy.open().await;
    assert_eq!(restored.uploads.find(id).await.unwrap(), None);
    restored.close().await;
}
