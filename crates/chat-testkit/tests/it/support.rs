//! The in-memory stores as the suites want them, and what finds out whether a suite notices a fault.

use std::future::Future;
use std::sync::Arc;

use chat_testkit::contract::nodes::Nodes;
use chat_testkit::contract::signing_key_store::SigningKeyStores;
use chat_testkit::contract::socket_registry::RegistryUnderTest;
use chat_testkit::contract::ticket_store::TicketStores;
use chat_testkit::contract::{AttachmentStoreUnderTest, StoreUnderTest, ThumbnailStoreUnderTest, run_on_one_thread};
use chat_testkit::{
    FixedClock, MemoryAttachmentStore, MemorySockets, MemoryStore, MemoryTicketStore, RecordingNotifier, Replacements,
};

pub(crate) async fn make_store() -> StoreUnderTest {
    let notifier = Arc::new(RecordingNotifier::new());
    let store = MemoryStore::new(notifier.clone());
    StoreUnderTest {
        sessions: store.clone(),
        inbox_reader: store.clone(),
        messages: store.clone(),
        events: store.clone(),
        stats: store.clone(),
        agents: store.clone(),
        people: store.clone(),
        presence: store.clone(),
        revocations: store.clone(),
        orphans: store.clone(),
        uploads: store,
        notifier,
        guard: Box::new(()),
    }
}

/// What is in the memory of a process belongs to that process: its nodes are handles.
pub(crate) async fn make_nodes() -> Nodes {
    Nodes::handles_of(make_store().await)
}

pub(crate) async fn make_attachment_store() -> AttachmentStoreUnderTest {
    let clock = Arc::new(FixedClock::new());
    let store = MemoryAttachmentStore::new(clock);
    AttachmentStoreUnderTest { store: store.clone(), ownership: store, guard: Box::new(()) }
}

pub(crate) async fn make_thumbnail_store() -> ThumbnailStoreUnderTest {
    let store = MemoryAttachmentStore::new(Arc::new(FixedClock::new()));
    ThumbnailStoreUnderTest { thumbnails: store.clone(), store, guard: Box::new(()) }
}

pub(crate) async fn make_tickets() -> TicketStores {
    TicketStores::new(vec![Arc::new(MemoryTicketStore::new())], Box::new(()))
}

pub(crate) async fn make_signing_keys() -> SigningKeyStores {
    let make = || MemoryStore::new(Arc::new(RecordingNotifier::new()));
    let (store, copy) = (make(), make());
    let rotated = store.clone();
    SigningKeyStores {
        nodes: vec![store.clone(), store],
        copy,
        rotate: Box::new(move || {
            rotated.rotate_epoch();
            Box::pin(async {})
        }),
        guard: Box::new(()),
    }
}

pub(crate) async fn make_registry() -> RegistryUnderTest {
    let ended = Arc::new(Replacements::new());
    let registry = Arc::new(MemorySockets::new(Arc::clone(&ended) as _));
    RegistryUnderTest { registry, ended }
}

/// Whether the case fails on the subject, told from a thread of its own because a case fails by panicking.
///
/// All its tasks share one thread, so a mutant that yields between its check and its act lets each of the others check
/// first, however busy the machine is. On several threads a race that a mutant permits might not happen.
pub(crate) fn fails<Make, Made, Subject, Case, Cased>(make: Make, case: Case) -> bool
where
    Make: FnOnce() -> Made + Send + 'static,
    Made: Future<Output = Subject>,
    Case: FnOnce(Subject) -> Cased + Send + 'static,
    Cased: Future<Output = ()>,
{
    std::thread::spawn(move || run_on_one_thread(async { case(make().await).await })).join().is_err()
}

/// A test that the mutant, which a future makes, fails the cases, and that what the `async fn` makes passes them.
macro_rules! notices {
    ($test:ident: $mutant:expr, unlike $sound:path => $($module:ident::$case:ident),+ $(,)?) => {
        #[test]
        fn $test() {
            use crate::support::fails;
            $(
                assert!(fails(|| $mutant, $module::cases::$case), "the mutant passes {}", stringify!($case));
                assert!(!fails($sound, $module::cases::$case), "the sound one fails {}", stringify!($case));
            )+
        }
    };
}
pub(crate) use notices;
