//! The contract suite of the store's ports. Each case also checks the plans of the statements it ran.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use chat_domain::ports::{SigningKeyStore, TicketStore};
use chat_sqlite::{SqliteConfig, SqliteStore};
use chat_testkit::RecordingNotifier;
use chat_testkit::contract::StoreUnderTest;
use chat_testkit::contract::nodes::Nodes;
use chat_testkit::contract::signing_key_store::SigningKeyStores;
use chat_testkit::contract::ticket_store::TicketStores;

use crate::plans;
use crate::support::Place;

/// Lives a little longer than the ports, so that what the case ran can be checked.
struct Guard {
    place: Place,
    _store: SqliteStore,
}

impl Drop for Guard {
    fn drop(&mut self) {
        if !thread::panicking() {
            plans::check(&self.place.path());
        }
    }
}

async fn make_store() -> StoreUnderTest {
    let place = Place::migrated();
    let notifier = Arc::new(RecordingNotifier::default());
    // So much time that the speed of the machine decides nothing: some cases start hundreds of writes at once.
    let waits = Duration::from_mins(2);
    let config = SqliteConfig { read_timeout: waits, write_timeout: waits, ..SqliteConfig::new(place.path()) };
    let store = place.open_with(config, Arc::<RecordingNotifier>::clone(&notifier)).await;
    StoreUnderTest {
        sessions: Arc::<chat_sqlite::SqliteSessionRepository>::clone(&store.sessions),
        inbox_reader: Arc::<chat_sqlite::SqliteSessionRepository>::clone(&store.sessions),
        messages: Arc::<chat_sqlite::SqliteMessageRepository>::clone(&store.messages),
        events: Arc::<chat_sqlite::SqliteEventLog>::clone(&store.events),
        stats: Arc::<chat_sqlite::SqliteStatsReader>::clone(&store.stats),
        agents: Arc::<chat_sqlite::SqliteAgentDirectory>::clone(&store.agents),
        people: Arc::<chat_sqlite::SqlitePeopleDirectory>::clone(&store.people),
        presence: Arc::<chat_sqlite::SqlitePresenceStore>::clone(&store.presence),
        revocations: Arc::<chat_sqlite::SqliteRevocationStore>::clone(&store.revocations),
        uploads: Arc::<chat_sqlite::SqliteUploadRegistry>::clone(&store.uploads),
        orphans: Arc::<chat_sqlite::SqliteOrphanRegistry>::clone(&store.orphans),
        notifier,
        guard: Box::new(Guard { place, _store: store }),
    }
}

chat_testkit::store_contract!(make_store);

/// A file belongs to one server, which locks it while it runs: its nodes are handles of one store.
async fn make_nodes() -> Nodes {
    Nodes::handles_of(make_store().await)
}

mod nodes {
    chat_testkit::nodes_contract!(super::make_nodes);
}

/// As `make_nodes`.
async fn make_tickets() -> TicketStores {
    let place = Place::migrated();
    let store = place.open().await;
    let node = || Arc::<chat_sqlite::SqliteTicketStore>::clone(&store.tickets) as Arc<dyn TicketStore>;
    let nodes = vec![node(), node()];
    TicketStores::new(nodes, Box::new(Guard { place, _store: store }))
}

mod tickets {
    chat_testkit::ticket_store_contract!(super::make_tickets);
}

/// A store, the same file opened again, and a copy of the file.
async fn make_signing_keys() -> SigningKeyStores {
    let (place, other) = (Place::migrated(), Place::new());
    let (store, again) = (Arc::new(place.open().await), place.open().await);
    chat_sqlite::backup::copy(place.path(), other.path()).unwrap();
    let copy = other.open().await;
    let key = |store: &SqliteStore| {
        Arc::<chat_sqlite::SqliteSigningKeyStore>::clone(&store.signing_keys) as Arc<dyn SigningKeyStore>
    };
    let rotated = Arc::clone(&store);
    SigningKeyStores {
        nodes: vec![key(&store), key(&again)],
        copy: key(&copy),
        rotate: Box::new(move || {
            let store = Arc::clone(&rotated);
            Box::pin(async move {
                store.rotate_epoch().await.unwrap();
            })
        }),
        guard: Box::new((place, other, store, again, copy)),
    }
}

mod signing_keys {
    chat_testkit::signing_key_store_contract!(super::make_signing_keys);
}
