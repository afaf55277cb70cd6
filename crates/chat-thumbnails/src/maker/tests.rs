//! Decoders that panic, and stored bytes that are damaged: what callers get, and what is logged and counted.

use std::collections::HashMap;
use std::fmt::Debug;
use std::panic;
use std::sync::Once;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use chat_domain::model::FileName;
use chat_domain::ports::Upload;
use chat_testkit::fixtures::{alice, attachment_id};
use chat_testkit::source::from_bytes;
use chat_testkit::{FixedClock, MemoryAttachmentStore};
use metrics::{Gauge, Histogram, Key, KeyName, Recorder, SharedString, Unit, set_default_local_recorder};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use super::*;

/// The lines that this process logs, of all tests.
static LINES: Mutex<Vec<(Level, String)>> = Mutex::new(Vec::new());

/// The lines with this text.
fn lines(text: &str) -> Vec<Level> {
    LINES.lock().unwrap().iter().filter(|(_, line)| line.contains(text)).map(|(level, _)| *level).collect()
}

/// Logs as a program does that logs panics: for all threads.
fn start_log() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        tracing::subscriber::set_global_default(LogLines).unwrap();
        let print = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            tracing::error!("a thread panicked: {}", panic.payload_as_str().unwrap_or_default());
            print(panic);
        }));
    });
}

struct LogLines;

struct LineText(String);

impl Visit for LineText {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

impl Subscriber for LogLines {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut text = LineText(String::new());
        event.record(&mut text);
        LINES.lock().unwrap().push((*event.metadata().level(), text.0));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// The counters by their results.
#[derive(Default)]
struct Results(Mutex<HashMap<String, Arc<AtomicU64>>>);

impl Results {
    fn of(&self, result: &str) -> u64 {
        self.0.lock().unwrap().get(result).map_or(0, |count| count.load(Ordering::Relaxed))
    }
}

impl Recorder for Results {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn register_counter(&self, key: &Key, _: &metrics::Metadata<'_>) -> Counter {
        let result = key.labels().find(|label| label.key() == "result").unwrap().value().to_owned();
        Counter::from_arc(Arc::clone(self.0.lock().unwrap().entry(result).or_default()))
    }
    fn register_gauge(&self, _: &Key, _: &metrics::Metadata<'_>) -> Gauge {
        Gauge::noop()
    }
    fn register_histogram(&self, _: &Key, _: &metrics::Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

/// A maker with another decoder, and a store with two pictures.
async fn maker_with(decode: DecodeFn) -> (ImageThumbnailMaker, Arc<MemoryAttachmentStore>, [Attachment; 2]) {
    let store = MemoryAttachmentStore::new(Arc::new(FixedClock::new()));
    let mut pictures = Vec::new();
    for id in [1, 2].map(attachment_id) {
        let upload = Upload { id, claimed_type: None, max_bytes: 100 };
        let object = store.put(upload, from_bytes("a picture")).await.unwrap();
        pictures.push(Attachment { id, name: FileName::sanitize("a"), object, dominant_color: None });
    }
    // A panic takes long to print on a busy machine.
    let long = Duration::from_mins(2);
    let patience = ThumbnailTimeouts { slot: long, reading: long, making: long, color: long };
    let maker = ImageThumbnailMaker::with_timeouts(Handle::current(), store.clone(), store.clone(), patience);
    let mut jobs = Arc::into_inner(maker.0).unwrap();
    jobs.decode = decode;
    (ImageThumbnailMaker(Arc::new(jobs)), store, pictures.try_into().unwrap())
}

// On one thread, so that what its tasks count is counted here.
#[tokio::test]
async fn a_decoder_that_panics_is_no_thumbnail_and_one_warning() {
    static DECODED: AtomicUsize = AtomicUsize::new(0);
    start_log();
    let results = Results::default();
    let _here = set_default_local_recorder(&results);
    let (maker, store, pictures) = maker_with(|_, _| {
        DECODED.fetch_add(1, Ordering::SeqCst);
        panic!("a decoder has met a picture that it is not made for")
    })
    .await;
    let who = alice().id;
    for picture in &pictures {
        assert_eq!(maker.dominant_color(&who, picture).await.unwrap(), None);
        for size in ThumbnailSize::ALL {
            assert_eq!(maker.make(&who, picture, size).await.unwrap(), ThumbnailOutcome::Impossible);
            assert_eq!(store.find(picture.id, size).await.unwrap(), Some(ThumbnailOutcome::Impossible));
        }
    }
    assert_eq!(DECODED.load(Ordering::SeqCst), 2, "each was tried once");
    assert_eq!(lines("a picture that it is not made for"), [Level::WARN]);
    assert_eq!(results.of("panicked"), 2);
    assert_eq!(results.of("impossible"), 2, "what was saved is not counted again");
    assert_eq!((results.of("failed"), results.of("made")), (0, 0));
}

#[tokio::test]
async fn damaged_bytes_are_logged_once_however_often_they_are_asked_for() {
    start_log();
    let (maker, _, pictures) = maker_with(|_, _| None).await;
    let who = alice().id;
    for mut picture in pictures {
        picture.object.sha256 = [0; 32];
        for _ in 0..3 {
            let refused = maker.make(&who, &picture, ThumbnailSize::Large).await;
            assert!(matches!(refused, Err(ChatError::DamagedFile)), "{refused:?}");
        }
    }
    assert_eq!(lines("another SHA-256"), [Level::ERROR]);
}

/// An upload may be taken back while its thumbnail waits for a slot, which is no fault of the store.
#[tokio::test]
async fn missing_bytes_are_reported_to_the_caller_and_not_logged() {
    start_log();
    let (maker, store, [picture, _]) = maker_with(|_, _| None).await;
    store.delete(picture.id).await.unwrap();
    let refused = maker.make(&alice().id, &picture, ThumbnailSize::Large).await;
    assert!(matches!(refused, Err(ChatError::Internal(_))), "{refused:?}");
    assert!(lines("missing from the store").is_empty());
}
