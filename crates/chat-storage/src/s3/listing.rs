//! Finding objects by age, page by page.

use chat_domain::Result;
use chat_domain::model::{AttachmentId, Timestamp};
use object_store::ObjectMeta;
use object_store::list::{PaginatedListOptions, PaginatedListStore};

use super::client::{REQUEST_LIMIT, S3Client};

/// How many keys a service returns at once.
const MOST_KEYS: usize = 1_000;

/// At most `limit` objects last written before `before`, ascending, right after `after`.
///
/// Keys ascend like the ids in them, and so does what S3 lists (`ListObjectsV2`). Memory: a page of keys and `limit` ids.
pub(super) async fn stored_before(
    client: &S3Client,
    before: Timestamp,
    after: Option<AttachmentId>,
    limit: usize,
) -> Result<Vec<AttachmentId>> {
    let prefix = client.location.objects();
    let offset = after.map(|after| client.location.object(after).to_string());
    let (mut found, mut page_token) = (Vec::new(), None);
    while found.len() < limit {
        let options = PaginatedListOptions {
            offset: offset.clone(),
            max_keys: Some(limit.min(MOST_KEYS)),
            page_token,
            ..PaginatedListOptions::default()
        };
        let (store, wanted) = (client.store.clone(), prefix.clone());
        let listed = client.run(REQUEST_LIMIT, async move { store.list_paginated(Some(&wanted), options).await }).await;
        let page = listed.map_err(|failure| failure.into_error("list attachments"))?;
        let old = page.result.objects.iter().filter(|object| written_at(object) < before);
        found.extend(old.filter_map(|object| id_of(object, &prefix)).take(limit.saturating_sub(found.len())));
        page_token = page.page_token;
        if page_token.is_none() {
            break;
        }
    }
    Ok(found)
}

/// The object that a key stands for; `None` for a key that is not ours.
fn id_of(object: &ObjectMeta, prefix: &str) -> Option<AttachmentId> {
    AttachmentId::parse(object.location.as_ref().strip_prefix(prefix)?)
}

fn written_at(object: &ObjectMeta) -> Timestamp {
    Timestamp::from_unix_ms(object.last_modified.timestamp_millis())
}
