//! Who gets a thumbnail that is being made, and who waits in vain.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use chat_domain::model::{AttachmentId, ByteRange, StoredObject, ThumbnailOutcome, ThumbnailSize, Timestamp};
use chat_domain::ports::{AttachmentStore, ByteSource, ThumbnailMaker, ThumbnailStore, Upload};
use chat_domain::{ChatError, Result};
use chat_testkit::fixtures::attachment_id;
use chat_testkit::latch::is_waiting;
use chat_testkit::{FixedClock, MemoryAttachmentStore};
use chat_thumbnails::{ImageThumbnailMaker, ThumbnailTimeouts};
use image::{DynamicImage, ImageFormat};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::support::{encoded, put};

/// How long a test waits before it fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// Longer than a test.
const LONG: ThumbnailTimeouts = ThumbnailTimeouts { slot: PATIENCE, reading: PATIENCE, making: PATIENCE };

/// A store whose objects can be withheld from their readers, and that counts these.
struct GatedStore {
    inner: Arc<MemoryAttachmentStore>,
    opened: AtomicUsize,
    /// One permit lets one reader go on.
    gate: Semaphore,
    takes_thumbnails: AtomicBool,
}

impl GatedStore {
    fn until_opened(&self, times: usize) -> impl Future<Output = ()> {
        let opened = async move {
            while self.opened.load(Ordering::SeqCst) < times {
                tokio::task::yield_now().await;
            }
        };
        async { timeout(PATIENCE, opened).await.unwrap() }
    }

    fn let_all_go_on(&self) {
        self.gate.add_permits(1_000);
    }

    fn opened(&self) -> usize {
        self.opened.load(Ordering::SeqCst)
    }

    async fn saved(&self, n: u64, size: ThumbnailSize) -> Option<ThumbnailOutcome> {
        self.inner.find(attachment_id(n), size).await.unwrap()
    }

    async fn until_saved(&self, n: u64) {
        let saved = async {
            while self.saved(n, ThumbnailSize::Large).await.is_none() {
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, saved).await.unwrap();
    }
}

#[async_trait]
impl AttachmentStore for GatedStore {
    async fn put(&self, upload: Upload, source: Box<dyn ByteSource>) -> Result<StoredObject> {
        self.inner.put(upload, source).await
    }

    async fn open(&self, id: AttachmentId, range: Option<ByteRange>) -> Result<Option<Box<dyn ByteSource>>> {
        self.opened.fetch_add(1, Ordering::SeqCst);
        self.gate.acquire().await.unwrap().forget();
        if id == attachment_id(99) {
            return Err(ChatError::unavailable("the store is unreachable"));
        }
        self.inner.open(id, range).await
    }

    async fn delete(&self, id: AttachmentId) -> Result<()> {
        self.inner.delete(id).await
    }

    async fn stored_before(&self, _: Timestamp, _: Option<AttachmentId>, _: usize) -> Result<Vec<AttachmentId>> {
        Ok(Vec::new())
    }
}

#[async_trait]
impl ThumbnailStore for GatedStore {
    async fn find(&self, id: AttachmentId, size: ThumbnailSize) -> Result<Option<ThumbnailOutcome>> {
        self.inner.find(id, size).await
    }

    async fn save(&self, id: AttachmentId, size: ThumbnailSize, outcome: ThumbnailOutcome) -> Result<()> {
        if self.takes_thumbnails.load(Ordering::SeqCst) {
            self.inner.save(id, size, outcome).await
        } else {
            Err(ChatError::StorageFull)
        }
    }
}

/// A maker of thumbnails of the pictures of such a store, and the store.
async fn maker_on_gated_store(patience: ThumbnailTimeouts) -> (ImageThumbnailMaker, Arc<GatedStore>) {
    let inner = MemoryAttachmentStore::new(Arc::new(FixedClock::new()));
    for n in 1..=5 {
        put(&inner, n, encoded(&DynamicImage::new_rgb8(1_000, 800), ImageFormat::Png)).await;
    }
    put(&inner, 6, "no picture").await;
    let store = Arc::new(GatedStore {
        inner,
        opened: AtomicUsize::new(0),
        gate: Semaphore::new(0),
        takes_thumbnails: AtomicBool::new(true),
    });
    let (files, thumbnails) = (store.clone(), store.clone());
    (ImageThumbnailMaker::with_timeouts(Handle::current(), files, thumbnails, patience), store)
}

fn make(maker: &ImageThumbnailMaker, n: u64, size: ThumbnailSize) -> tokio::task::JoinHandle<Result<ThumbnailOutcome>> {
    let maker = maker.clone();
    tokio::spawn(async move { maker.make(attachment_id(n), size).await })
}

fn is_made(outcome: &Result<ThumbnailOutcome>) -> bool {
    matches!(outcome, Ok(ThumbnailOutcome::Made(_)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_callers_at_once_get_what_is_made_once() {
    let (maker, store) = maker_on_gated_store(LONG).await;
    let sizes = [ThumbnailSize::Small, ThumbnailSize::Large];
    let calls: Vec<_> = (0..100).map(|call| make(&maker, 1, *sizes.get(call % 2).unwrap())).collect();
    store.until_opened(1).await;
    store.let_all_go_on();
    for call in calls {
        assert!(is_made(&call.await.unwrap()));
    }
    // Nor is it made again for a caller who looked too early.
    assert!(is_made(&make(&maker, 1, ThumbnailSize::Small).await.unwrap()));
    assert_eq!(store.opened(), 1);
    for size in sizes {
        assert_eq!(store.saved(1, size).await, make(&maker, 1, size).await.unwrap().ok());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_are_made_at_a_time_and_a_third_that_waits_in_vain_may_come_again() {
    let (maker, store) = maker_on_gated_store(ThumbnailTimeouts { slot: Duration::from_millis(100), ..LONG }).await;
    let running = [1, 2].map(|n| make(&maker, n, ThumbnailSize::Large));
    store.until_opened(2).await;
    let refused = make(&maker, 3, ThumbnailSize::Large).await.unwrap();
    let Err(ChatError::Unavailable { retry_after, .. }) = refused else { panic!("{refused:?}") };
    assert!(retry_after >= Duration::from_secs(1));
    assert_eq!((store.opened(), store.saved(3, ThumbnailSize::Large).await), (2, None));
    store.let_all_go_on();
    for call in running {
        assert!(is_made(&call.await.unwrap()));
    }
    assert!(is_made(&make(&maker, 3, ThumbnailSize::Large).await.unwrap()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_than_sixty_four_wait() {
    let (maker, store) = maker_on_gated_store(LONG).await;
    let mut waiting: Vec<_> = (1..=64).map(|n| maker.make(attachment_id(n), ThumbnailSize::Large)).collect();
    for call in &mut waiting {
        assert!(is_waiting(call).await);
    }
    let refused = maker.make(attachment_id(65), ThumbnailSize::Large).await;
    assert!(matches!(refused, Err(ChatError::Unavailable { .. })), "{refused:?}");
    store.let_all_go_on();
    for call in waiting {
        let _made_or_missing = call.await;
    }
    assert!(is_made(&make(&maker, 1, ThumbnailSize::Large).await.unwrap()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thumbnail_whose_caller_has_gone_is_made_and_saved() {
    let (maker, store) = maker_on_gated_store(LONG).await;
    let call = make(&maker, 1, ThumbnailSize::Small);
    store.until_opened(1).await;
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    store.let_all_go_on();
    store.until_saved(1).await;
    assert!(is_made(&make(&maker, 1, ThumbnailSize::Large).await.unwrap()));
    assert_eq!(store.opened(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn that_none_can_be_made_is_saved_for_all_sizes_and_not_tried_again() {
    let (maker, store) = maker_on_gated_store(LONG).await;
    store.let_all_go_on();
    for size in ThumbnailSize::ALL {
        assert_eq!(make(&maker, 6, size).await.unwrap().unwrap(), ThumbnailOutcome::Impossible);
        assert_eq!(store.saved(6, size).await, Some(ThumbnailOutcome::Impossible));
    }
    assert_eq!(store.opened(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_that_do_not_come_free_the_slot_and_say_nothing_of_the_picture() {
    let (maker, store) = maker_on_gated_store(ThumbnailTimeouts { reading: Duration::from_millis(50), ..LONG }).await;
    for n in 1..=4 {
        let late = make(&maker, n, ThumbnailSize::Large).await.unwrap();
        assert!(matches!(late, Err(ChatError::Unavailable { .. })), "{late:?}");
        assert_eq!(store.saved(n, ThumbnailSize::Large).await, None);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_of_the_store_are_no_property_of_the_picture() {
    let (maker, store) = maker_on_gated_store(LONG).await;
    store.let_all_go_on();
    let missing = make(&maker, 50, ThumbnailSize::Large).await.unwrap();
    assert!(matches!(missing, Err(ChatError::Internal(_))), "{missing:?}");
    let unreachable = make(&maker, 99, ThumbnailSize::Large).await.unwrap();
    assert!(matches!(unreachable, Err(ChatError::Unavailable { .. })), "{unreachable:?}");
    for n in [50, 99] {
        assert_eq!(store.saved(n, ThumbnailSize::Large).await, None);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thumbnail_that_there_is_no_room_for_is_made_all_the_same() {
    let (maker, store) = maker_on_gated_store(LONG).await;
    store.takes_thumbnails.store(false, Ordering::SeqCst);
    store.let_all_go_on();
    for times in 1..=2 {
        assert!(is_made(&make(&maker, 1, ThumbnailSize::Small).await.unwrap()));
        assert_eq!(store.opened(), times);
    }
}
