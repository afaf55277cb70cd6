//! Who gets a thumbnail that is being made, and who waits in vain.

use std::collections::HashMap;
use std::future::poll_fn;
use std::ops::Range;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;
use chat_domain::model::{
    Attachment, AttachmentId, ByteRange, Color, Role, StoredObject, ThumbnailOutcome, ThumbnailSize, Timestamp, UserId,
};
use chat_domain::ports::{AttachmentStore, ByteSource, ThumbnailMaker, ThumbnailStore, Upload};
use chat_domain::{ChatError, Result};
use chat_testkit::fixtures::{alice, attachment, attachment_id, bob, person};
use chat_testkit::latch::is_waiting;
use chat_testkit::{FixedClock, MemoryAttachmentStore};
use chat_thumbnails::{ImageThumbnailMaker, ThumbnailTimeouts};
use image::{DynamicImage, ImageFormat};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::support::{LONG, PATIENCE, encoded, put};

/// A store whose objects can be withheld from their readers, and that counts these.
struct GatedStore {
    inner: Arc<MemoryAttachmentStore>,
    opened: AtomicUsize,
    /// How often a thumbnail was looked for.
    searched: AtomicUsize,
    /// One permit lets one reader go on.
    gate: Semaphore,
    takes_thumbnails: AtomicBool,
    pictures: HashMap<u64, Attachment>,
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

    /// A picture, which there may be no bytes of.
    fn picture(&self, n: u64) -> Attachment {
        self.pictures.get(&n).cloned().unwrap_or_else(|| attachment(n, b"missing"))
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
        self.searched.fetch_add(1, Ordering::SeqCst);
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

/// The refusal of a call that does not wait.
async fn refused_at_once(call: impl Future<Output = Result<ThumbnailOutcome>>) -> ChatError {
    let mut call = pin!(call);
    let Poll::Ready(outcome) = poll_fn(|context| Poll::Ready(call.as_mut().poll(context))).await else {
        panic!("it waits");
    };
    outcome.unwrap_err()
}

fn customer(n: u64) -> UserId {
    person(&format!("customer-{n}"), Role::User).id
}

/// A maker of thumbnails of the pictures of such a store, and the store.
async fn maker_on_gated_store(patience: ThumbnailTimeouts) -> Making {
    let inner = MemoryAttachmentStore::new(Arc::new(FixedClock::new()));
    let mut pictures = HashMap::new();
    let picture = encoded(&DynamicImage::new_rgb8(1_000, 800), ImageFormat::Png);
    for n in 1..=5 {
        pictures.insert(n, put(&inner, n, picture.clone()).await);
    }
    pictures.insert(6, put(&inner, 6, "no picture").await);
    let tiny = encoded(&DynamicImage::new_rgb8(10, 8), ImageFormat::Png);
    for n in TINY {
        pictures.insert(n, put(&inner, n, tiny.clone()).await);
    }
    let store = Arc::new(GatedStore {
        inner,
        opened: AtomicUsize::new(0),
        searched: AtomicUsize::new(0),
        gate: Semaphore::new(0),
        takes_thumbnails: AtomicBool::new(true),
        pictures,
    });
    let (files, thumbnails) = (store.clone(), store.clone());
    (ImageThumbnailMaker::with_timeouts(Handle::current(), files, thumbnails, patience), store)
}

/// Pictures that are decoded quickly.
const TINY: Range<u64> = 100..160;

type Making = (ImageThumbnailMaker, Arc<GatedStore>);

fn make((maker, store): &Making, n: u64, size: ThumbnailSize) -> JoinHandle<Result<ThumbnailOutcome>> {
    let (maker, picture) = (maker.clone(), store.picture(n));
    tokio::spawn(async move { maker.make(&alice().id, &picture, size).await })
}

fn color((maker, store): &Making, n: u64) -> JoinHandle<Result<Option<Color>>> {
    let (maker, picture) = (maker.clone(), store.picture(n));
    tokio::spawn(async move { maker.dominant_color(&alice().id, &picture).await })
}

fn is_made(outcome: &Result<ThumbnailOutcome>) -> bool {
    matches!(outcome, Ok(ThumbnailOutcome::Made(_)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_callers_at_once_get_what_is_made_once() {
    let making = maker_on_gated_store(LONG).await;
    let sizes = [ThumbnailSize::Small, ThumbnailSize::Large];
    let calls: Vec<_> = (0..100).map(|call| make(&making, 1, *sizes.get(call % 2).unwrap())).collect();
    making.1.until_opened(1).await;
    making.1.let_all_go_on();
    for call in calls {
        assert!(is_made(&call.await.unwrap()));
    }
    // Nor is it made again for a caller who looked too early.
    assert!(is_made(&make(&making, 1, ThumbnailSize::Small).await.unwrap()));
    assert_eq!(making.1.opened(), 1);
    for size in sizes {
        assert_eq!(making.1.saved(1, size).await, make(&making, 1, size).await.unwrap().ok());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_are_made_at_a_time_and_a_third_that_waits_in_vain_may_come_again() {
    let making = maker_on_gated_store(ThumbnailTimeouts { slot: Duration::from_millis(100), ..LONG }).await;
    let running = [1, 2].map(|n| make(&making, n, ThumbnailSize::Large));
    making.1.until_opened(2).await;
    let refused = make(&making, 3, ThumbnailSize::Large).await.unwrap();
    let Err(ChatError::Unavailable { retry_after, .. }) = refused else { panic!("{refused:?}") };
    assert!(retry_after >= Duration::from_secs(1));
    assert_eq!((making.1.opened(), making.1.saved(3, ThumbnailSize::Large).await), (2, None));
    making.1.let_all_go_on();
    for call in running {
        assert!(is_made(&call.await.unwrap()));
    }
    assert!(is_made(&make(&making, 3, ThumbnailSize::Large).await.unwrap()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_than_sixty_four_wait() {
    let making = maker_on_gated_store(LONG).await;
    let (maker, store) = &making;
    let pictures: Vec<_> = (1..=65).map(|n| (customer(n / 10), store.picture(n))).collect();
    let (last, first) = pictures.split_last().unwrap();
    let mut waiting: Vec<_> =
        first.iter().map(|(who, picture)| maker.make(who, picture, ThumbnailSize::Large)).collect();
    for call in &mut waiting {
        assert!(is_waiting(call).await);
    }
    let refused = refused_at_once(maker.make(&last.0, &last.1, ThumbnailSize::Large)).await;
    assert!(matches!(refused, ChatError::Unavailable { .. }), "{refused:?}");
    making.1.let_all_go_on();
    for call in waiting {
        let _made_or_missing = call.await;
    }
    assert!(is_made(&make(&making, 1, ThumbnailSize::Large).await.unwrap()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_person_waits_for_sixteen_pictures_and_others_are_not_refused() {
    let making = maker_on_gated_store(LONG).await;
    let (maker, store) = &making;
    let (alice, bob) = (alice().id, bob().id);
    let pictures: Vec<_> = (1..=18).map(|n| store.picture(n)).collect();
    let mut waiting: Vec<_> =
        pictures[..16].iter().map(|picture| maker.make(&alice, picture, ThumbnailSize::Large)).collect();
    for call in &mut waiting {
        assert!(is_waiting(call).await);
    }
    let refused = refused_at_once(maker.make(&alice, &pictures[16], ThumbnailSize::Large)).await;
    let ChatError::Unavailable { retry_after, .. } = refused else { panic!("{refused:?}") };
    assert!(retry_after >= Duration::from_secs(1));
    // What is being made already takes no other place, and places of others are theirs.
    let mut joined = maker.make(&alice, &pictures[0], ThumbnailSize::Small);
    assert!(is_waiting(&mut joined).await);
    let mut other = maker.make(&bob, &pictures[16], ThumbnailSize::Large);
    assert!(is_waiting(&mut other).await);
    let mut joined_other = maker.make(&alice, &pictures[16], ThumbnailSize::Large);
    assert!(is_waiting(&mut joined_other).await);
    // Those who go away do not free their places: their pictures are still made.
    drop(waiting);
    refused_at_once(maker.make(&alice, &pictures[17], ThumbnailSize::Large)).await;
    store.let_all_go_on();
    assert!(is_made(&joined.await));
    let _made_or_missing = (other.await, joined_other.await);
    let again = async {
        // The picture that was refused is still refused until places of hers are free again.
        while matches!(
            maker.make(&alice, &pictures[17], ThumbnailSize::Large).await,
            Err(ChatError::Unavailable { .. })
        ) {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, again).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thumbnail_whose_caller_has_gone_is_made_and_saved() {
    let making = maker_on_gated_store(LONG).await;
    let call = make(&making, 1, ThumbnailSize::Small);
    making.1.until_opened(1).await;
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    making.1.let_all_go_on();
    making.1.until_saved(1).await;
    assert!(is_made(&make(&making, 1, ThumbnailSize::Large).await.unwrap()));
    assert_eq!(making.1.opened(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn that_none_can_be_made_is_saved_for_all_sizes_and_not_tried_again() {
    let making = maker_on_gated_store(LONG).await;
    making.1.let_all_go_on();
    for size in ThumbnailSize::ALL {
        assert_eq!(make(&making, 6, size).await.unwrap().unwrap(), ThumbnailOutcome::Impossible);
        assert_eq!(making.1.saved(6, size).await, Some(ThumbnailOutcome::Impossible));
    }
    assert_eq!(making.1.opened(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_that_do_not_come_free_the_slot_and_say_nothing_of_the_picture() {
    let making = maker_on_gated_store(ThumbnailTimeouts { reading: Duration::from_millis(50), ..LONG }).await;
    for n in 1..=4 {
        let late = make(&making, n, ThumbnailSize::Large).await.unwrap();
        assert!(matches!(late, Err(ChatError::Unavailable { .. })), "{late:?}");
        assert_eq!(making.1.saved(n, ThumbnailSize::Large).await, None);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_of_the_store_are_no_property_of_the_picture() {
    let making = maker_on_gated_store(LONG).await;
    making.1.let_all_go_on();
    let missing = make(&making, 50, ThumbnailSize::Large).await.unwrap();
    assert!(matches!(missing, Err(ChatError::Internal(_))), "{missing:?}");
    let unreachable = make(&making, 99, ThumbnailSize::Large).await.unwrap();
    assert!(matches!(unreachable, Err(ChatError::Unavailable { .. })), "{unreachable:?}");
    for n in [50, 99] {
        assert_eq!(making.1.saved(n, ThumbnailSize::Large).await, None);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thumbnail_that_there_is_no_room_for_is_made_all_the_same() {
    let making = maker_on_gated_store(LONG).await;
    making.1.takes_thumbnails.store(false, Ordering::SeqCst);
    making.1.let_all_go_on();
    for times in 1..=2 {
        assert!(is_made(&make(&making, 1, ThumbnailSize::Small).await.unwrap()));
        assert_eq!(making.1.opened(), times);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_colour_is_known_when_the_picture_is_decoded_and_its_thumbnails_are_saved() {
    let making = maker_on_gated_store(LONG).await;
    making.1.let_all_go_on();
    assert_eq!(color(&making, 1).await.unwrap().unwrap(), Color::from_number(0));
    making.1.until_saved(1).await;
    assert!(is_made(&make(&making, 1, ThumbnailSize::Small).await.unwrap()));
    assert_eq!(making.1.opened(), 1, "it was decoded once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_looked_for_of_a_picture_that_was_just_stored() {
    let making = maker_on_gated_store(LONG).await;
    making.1.let_all_go_on();
    assert!(color(&making, 1).await.unwrap().unwrap().is_some());
    assert_eq!(making.1.searched.load(Ordering::SeqCst), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pictures_that_are_stored_at_the_same_time_all_have_their_colours() {
    let making = maker_on_gated_store(LONG).await;
    let stored: Vec<_> = TINY.map(|n| color(&making, n)).collect();
    // The slots are taken, and the others wait for them.
    making.1.until_opened(2).await;
    making.1.let_all_go_on();
    for call in stored {
        assert_eq!(call.await.unwrap().unwrap(), Color::from_number(0));
    }
}

/// On one thread, so that all that was begun has its place in the line when the first two have been opened.
#[tokio::test]
async fn a_person_who_wants_sixteen_thumbnails_delays_the_colour_of_another_person_by_one_turn() {
    let making = maker_on_gated_store(LONG).await;
    let (maker, store) = &making;
    let (alice, bob) = (alice().id, bob().id);
    let wanted: Vec<_> = TINY.take(16).map(|n| store.picture(n)).collect();
    let mut calls: Vec<_> = wanted.iter().map(|picture| maker.make(&alice, picture, ThumbnailSize::Large)).collect();
    for call in &mut calls {
        assert!(is_waiting(call).await);
    }
    store.until_opened(2).await;
    let stored = store.picture(1);
    let color = maker.dominant_color(&bob, &stored);
    // Two that run, one more of hers, his.
    store.gate.add_permits(4);
    assert_eq!(timeout(PATIENCE, color).await.unwrap().unwrap(), Color::from_number(0));
    store.let_all_go_on();
    for call in calls {
        assert!(is_made(&call.await));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_colour_that_gets_no_slot_in_time_is_given_up_and_nothing_is_begun() {
    let making = maker_on_gated_store(ThumbnailTimeouts { color: Duration::from_millis(50), ..LONG }).await;
    let running = [1, 2].map(|n| make(&making, n, ThumbnailSize::Large));
    making.1.until_opened(2).await;
    let refused = color(&making, 3).await.unwrap();
    assert!(matches!(refused, Err(ChatError::Unavailable { .. })), "{refused:?}");
    making.1.let_all_go_on();
    for call in running {
        assert!(is_made(&call.await.unwrap()));
    }
    assert_eq!(making.1.opened(), 2, "nothing of it was begun");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_colour_that_comes_too_late_is_given_up_and_the_thumbnails_are_made() {
    let making = maker_on_gated_store(ThumbnailTimeouts { color: Duration::from_millis(50), ..LONG }).await;
    let late = color(&making, 1).await.unwrap();
    assert!(matches!(late, Err(ChatError::Unavailable { .. })), "{late:?}");
    making.1.let_all_go_on();
    making.1.until_saved(1).await;
    assert_eq!(making.1.opened(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_no_picture_has_no_colour_and_is_not_tried_again() {
    let making = maker_on_gated_store(LONG).await;
    making.1.let_all_go_on();
    assert_eq!(color(&making, 6).await.unwrap().unwrap(), None);
    assert_eq!(make(&making, 6, ThumbnailSize::Large).await.unwrap().unwrap(), ThumbnailOutcome::Impossible);
    assert_eq!(making.1.opened(), 1);
}

/// Bytes that are not those of the record say nothing of the picture: a backup of another day, or half of an object.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_that_are_not_those_that_were_stored_are_a_failure_and_not_remembered() {
    let making = maker_on_gated_store(LONG).await;
    making.1.let_all_go_on();
    let (maker, store) = &making;
    let right = store.picture(6);
    let changed = |change: fn(&mut StoredObject)| {
        let mut wrong = right.clone();
        change(&mut wrong.object);
        wrong
    };
    for wrong in [
        changed(|object| object.size += 1),
        changed(|object| object.size -= 1),
        changed(|object| object.sha256 = [0; 32]),
    ] {
        let refused = maker.make(&alice().id, &wrong, ThumbnailSize::Large).await;
        assert!(matches!(refused, Err(ChatError::DamagedFile)), "{refused:?}");
        assert!(maker.dominant_color(&alice().id, &wrong).await.is_err());
        assert_eq!(store.saved(6, ThumbnailSize::Large).await, None);
    }
    assert_eq!(maker.make(&alice().id, &right, ThumbnailSize::Large).await.unwrap(), ThumbnailOutcome::Impossible);
}
