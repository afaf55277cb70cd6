//! Nothing is left behind by those who go away.

use std::fs::{self, File};
use std::sync::mpsc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use chat_domain::model::Timestamp;
use chat_domain::ports::{AttachmentStore, ByteSource};
use chat_storage::LocalAttachmentStore;
use chat_testkit::media::png;
use tokio::runtime::{Builder, Runtime};

use crate::support::{End, TestStore, pieces, scripted, upload};

/// A runtime whose only thread for blocking work stands at a gate whenever the test wants, so that a test knows which
/// file operation an upload waits for.
struct Gated {
    runtime: Runtime,
}

impl Gated {
    fn new() -> Self {
        let mut builder = Builder::new_multi_thread();
        Self { runtime: builder.worker_threads(1).max_blocking_threads(1).enable_all().build().unwrap() }
    }

    /// Lets no file operation begin until the gate is dropped.
    fn close(&self) -> mpsc::Sender<()> {
        let (gate, closed) = mpsc::channel::<()>();
        self.runtime.spawn_blocking(move || closed.recv());
        gate
    }

    /// Waits for the file operations that have been asked for so far.
    fn drain(&self) {
        self.runtime.block_on(self.runtime.spawn_blocking(|| ())).unwrap();
    }
}

/// Polls an upload until it has waited for `waits` file operations, then drops it. Whether it was done before.
fn drop_after(gated: &Gated, store: &TestStore, source: Box<dyn ByteSource>, waits: usize) -> bool {
    let mut put = store.store.put(upload(1), source);
    for wait in 1.. {
        let gate = gated.close();
        match put.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(stored) => return stored.is_ok(),
            Poll::Pending if wait == waits => drop(put),
            Poll::Pending => {
                drop(gate);
                gated.drain();
                continue;
            }
        }
        drop(gate);
        break;
    }
    gated.drain();
    false
}

#[test]
fn an_upload_dropped_at_any_point_leaves_nothing() {
    let gated = Gated::new();
    let _inside = gated.runtime.enter();
    for waits in 1.. {
        let store = TestStore::open();
        let source = pieces(&[&png(3, 4), &vec![9; 300_000], b"end"]);
        if drop_after(&gated, &store, source, waits) {
            assert!(waits > 5, "an upload waits for creating, writing twice, probing and publishing");
            assert_eq!(store.files().len(), 1);
            break;
        }
        gated.runtime.block_on(store.wait_until_empty());
    }
}

#[test]
fn an_upload_dropped_while_its_source_hangs_leaves_nothing() {
    let gated = Gated::new();
    let _inside = gated.runtime.enter();
    let store = TestStore::open();
    let source = scripted(vec![Ok(Bytes::from(vec![1; 300_000]))], End::Hangs);
    assert!(!drop_after(&gated, &store, source, 5));
    gated.runtime.block_on(store.wait_until_empty());
}

#[tokio::test]
async fn opening_removes_what_a_crash_left() {
    let store = TestStore::open();
    store.put(1, b"an object").await;
    fs::write(store.incoming().join("00000000-0000-0000-0000-000000000002.99-7"), b"half of").unwrap();
    let _again = LocalAttachmentStore::open(store.path()).unwrap();
    assert_eq!(store.files().len(), 1);
    assert_eq!(store.read(1, None).await, Some(b"an object".to_vec()));
}

#[tokio::test]
async fn an_upload_in_progress_is_not_taken_for_abandoned() {
    let store = TestStore::open();
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let putting = store.store.put(upload(1), Box::new(Waits(Some(receiver))));
    let meddling = async {
        while store.files().is_empty() {
            tokio::task::yield_now().await;
        }
        let other = LocalAttachmentStore::open(store.path()).unwrap();
        let future = SystemTime::now() + Duration::from_hours(1);
        other.stored_before(Timestamp::from(time::OffsetDateTime::from(future)), None, 10).await.unwrap();
        assert_eq!(store.files().len(), 1, "it is still there");
        sender.send(Bytes::from_static(b"late")).unwrap();
    };
    let (stored, ()) = tokio::join!(putting, meddling);
    assert_eq!(stored.unwrap().size, 4);
    assert_eq!(store.read(1, None).await, Some(b"late".to_vec()));
}

/// A source of one piece that comes when the test says so.
struct Waits(Option<tokio::sync::oneshot::Receiver<Bytes>>);

#[async_trait::async_trait]
impl ByteSource for Waits {
    async fn next_chunk(&mut self) -> chat_domain::Result<Option<Bytes>> {
        match self.0.take() {
            Some(receiver) => Ok(receiver.await.ok()),
            None => Ok(None),
        }
    }
}

#[tokio::test]
async fn collecting_removes_only_old_leftovers() {
    let store = TestStore::open();
    let (old, fresh) = (store.incoming().join("old"), store.incoming().join("fresh"));
    for (path, seconds) in [(&old, 1_000), (&fresh, 3_000)] {
        let file = File::create(path).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
    }
    let found = store.store.stored_before(Timestamp::from_unix_ms(2_000_000), None, 10).await.unwrap();
    assert_eq!(found, []);
    assert_eq!(store.files(), [fresh]);
}
