//! The suite of thumbnails notices stores that are broken.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chat_domain::Result;
use chat_domain::model::{
    AttachmentId, ByteRange, StoredObject, Thumbnail, ThumbnailOutcome, ThumbnailSize, Timestamp,
};
use chat_domain::ports::{AttachmentStore, ByteSource, ThumbnailStore, Upload};
use chat_testkit::contract::{ThumbnailStoreUnderTest, thumbnail_store};
use chat_testkit::{FixedClock, MemoryAttachmentStore, fixtures};

use crate::support::{make_thumbnail_store, notices};

/// What is wrong with a store.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// Finds an outcome that was never saved.
    Invents,
    /// Forgets the last byte.
    Cuts,
    /// Keeps one outcome for all sizes.
    MixesSizes,
    /// Keeps the first outcome.
    KeepsTheFirst,
    /// Writes the first half, lets others look, and then writes all.
    WritesInTwo,
    /// Keeps outcomes when objects are deleted, and of objects that are not there.
    OutlivesObjects,
    /// Lists a thumbnail as an object.
    Lists,
}

type Key = (AttachmentId, ThumbnailSize);

struct Faulty {
    fault: Fault,
    objects: Arc<MemoryAttachmentStore>,
    outcomes: Mutex<HashMap<Key, ThumbnailOutcome>>,
}

fn faulty(fault: Fault) -> ThumbnailStoreUnderTest {
    let objects = MemoryAttachmentStore::new(Arc::new(FixedClock::new()));
    let store = Arc::new(Faulty { fault, objects, outcomes: Mutex::default() });
    ThumbnailStoreUnderTest { thumbnails: store.clone(), store, guard: Box::new(()) }
}

/// The outcome with so many bytes less.
fn without(outcome: ThumbnailOutcome, fewer: impl Fn(usize) -> usize) -> ThumbnailOutcome {
    match outcome {
        ThumbnailOutcome::Made(Thumbnail { format, bytes }) => {
            let kept = bytes.len() - fewer(bytes.len());
            ThumbnailOutcome::Made(Thumbnail { format, bytes: bytes.slice(..kept) })
        }
        ThumbnailOutcome::Impossible => ThumbnailOutcome::Impossible,
    }
}

impl Faulty {
    fn keep(&self, key: Key, outcome: ThumbnailOutcome) {
        self.outcomes.lock().unwrap().insert(key, outcome);
    }
}

#[async_trait]
impl ThumbnailStore for Faulty {
    async fn find(&self, id: AttachmentId, size: ThumbnailSize) -> Result<Option<ThumbnailOutcome>> {
        let size = if self.fault == Fault::MixesSizes { ThumbnailSize::Small } else { size };
        let found = self.outcomes.lock().unwrap().get(&(id, size)).cloned();
        if self.fault == Fault::Invents {
            return Ok(found.or(Some(ThumbnailOutcome::Impossible)));
        }
        Ok(found)
    }

    async fn save(&self, id: AttachmentId, size: ThumbnailSize, outcome: ThumbnailOutcome) -> Result<()> {
        let size = if self.fault == Fault::MixesSizes { ThumbnailSize::Small } else { size };
        if self.fault != Fault::OutlivesObjects && !self.objects.ids().contains(&id) {
            return Ok(());
        }
        match self.fault {
            Fault::Cuts => self.keep((id, size), without(outcome, |_| 1)),
            Fault::KeepsTheFirst => {
                self.outcomes.lock().unwrap().entry((id, size)).or_insert(outcome);
            }
            Fault::WritesInTwo => {
                self.keep((id, size), without(outcome.clone(), |length| length / 2));
                tokio::task::yield_now().await;
                self.keep((id, size), outcome);
            }
            _ => self.keep((id, size), outcome),
        }
        Ok(())
    }
}

#[async_trait]
impl AttachmentStore for Faulty {
    async fn put(&self, upload: Upload, source: Box<dyn ByteSource>) -> Result<StoredObject> {
        self.objects.put(upload, source).await
    }

    async fn open(&self, id: AttachmentId, range: Option<ByteRange>) -> Result<Option<Box<dyn ByteSource>>> {
        self.objects.open(id, range).await
    }

    async fn delete(&self, id: AttachmentId) -> Result<()> {
        if self.fault != Fault::OutlivesObjects {
            self.outcomes.lock().unwrap().retain(|(of, _), _| *of != id);
        }
        self.objects.delete(id).await
    }

    async fn stored_before(
        &self,
        before: Timestamp,
        after: Option<AttachmentId>,
        limit: usize,
    ) -> Result<Vec<AttachmentId>> {
        let mut listed = self.objects.stored_before(before, after, limit).await?;
        if self.fault == Fault::Lists {
            listed.extend(self.outcomes.lock().unwrap().keys().map(|_| fixtures::attachment_id(9)));
        }
        Ok(listed)
    }
}

notices! { an_outcome_from_nowhere_is_noticed: async { faulty(Fault::Invents) }, unlike make_thumbnail_store =>
    thumbnail_store::nothing_is_found_before_it_is_saved,
}

notices! { a_missing_byte_is_noticed: async { faulty(Fault::Cuts) }, unlike make_thumbnail_store =>
    thumbnail_store::an_outcome_is_read_back_as_it_was_saved,
}

notices! { one_outcome_for_all_sizes_is_noticed: async { faulty(Fault::MixesSizes) }, unlike make_thumbnail_store =>
    thumbnail_store::sizes_and_objects_are_kept_apart,
}

notices! { an_outcome_that_stays_is_noticed: async { faulty(Fault::KeepsTheFirst) }, unlike make_thumbnail_store =>
    thumbnail_store::a_later_outcome_replaces_an_earlier_one,
}

notices! { half_of_an_outcome_is_noticed: async { faulty(Fault::WritesInTwo) }, unlike make_thumbnail_store =>
    thumbnail_store::a_reader_sees_one_outcome_whole_while_they_replace_each_other,
}

notices! { an_outcome_without_its_object_is_noticed: async { faulty(Fault::OutlivesObjects) }, unlike make_thumbnail_store =>
    thumbnail_store::the_thumbnails_of_a_deleted_object_are_gone,
    thumbnail_store::nothing_is_kept_of_an_object_that_is_not_stored,
}

notices! { a_thumbnail_that_is_listed_is_noticed: async { faulty(Fault::Lists) }, unlike make_thumbnail_store =>
    thumbnail_store::thumbnails_are_not_listed_among_the_objects,
}
