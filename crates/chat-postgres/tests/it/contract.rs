//! The contract suite of the store's ports. Each case also checks the plans of the statements it ran.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use chat_domain::ports::{SigningKeyStore, TicketStore};
use chat_postgres::{PgConfig, PgStore};
use chat_testkit::RecordingNotifier;
use chat_testkit::contract::StoreUnderTest;
use chat_testkit::contract::nodes::Nodes;
use chat_testkit::contract::signing_key_store::SigningKeyStores;
use chat_testkit::contract::ticket_store::TicketStores;
use test_servers::postgres::TestDatabase;

use crate::support::{migrated, reused, unhurried};
use crate::{plans, recorder};

/// Lives a little longer than the ports, so that what the case ran can be checked.
struct Guard {
    database: Arc<TestDatabase>,
    _store: PgStore,
}

impl Drop for Guard {
    fn drop(&mut self) {
        if !thread::panicking() {
            plans::check(self.database.name());
        }
    }
}

async fn open(database: &Arc<TestDatabase>, config: PgConfig) -> StoreUnderTest {
    let notifier = Arc::new(RecordingNotifier::default());
    let store = PgStore::open(config, Arc::<RecordingNotifier>::clone(&notifier)).await.unwrap();
    StoreUnderTest {
        sessions: Arc::<chat_postgres::PgSessionRepository>::clone(&store.sessions),
        inbox_reader: Arc::<chat_postgres::PgSessionRepository>::clone(&store.sessions),
        messages: Arc::<chat_postgres::PgMessageRepository>::clone(&store.messages),
        events: Arc::<chat_postgres::PgEventLog>::clone(&store.events),
        stats: Arc::<chat_postgres::PgStatsReader>::clone(&store.stats),
        agents: Arc::<chat_postgres::PgAgentDirectory>::clone(&store.agents),
        people: Arc::<chat_postgres::PgPeopleDirectory>::clone(&store.people),
        presence: Arc::<chat_postgres::PgPresenceStore>::clone(&store.presence),
        revocations: Arc::<chat_postgres::PgRevocationStore>::clone(&store.revocations),
        uploads: Arc::<chat_postgres::PgUploadRegistry>::clone(&store.uploads),
        orphans: Arc::<chat_postgres::PgOrphanRegistry>::clone(&store.orphans),
        notifier,
        guard: Box::new(Guard { database: Arc::clone(database), _store: store }),
    }
}

async fn make_store() -> StoreUnderTest {
    recorder::install();
    let database = Arc::new(reused());
    open(&database, unhurried(PgConfig::new(database.url()))).await
}

/// A node with several writers that remember what they wrote, and a node that remembers next to nothing.
async fn make_nodes() -> Nodes {
    recorder::install();
    let database = Arc::new(reused());
    let config = unhurried(PgConfig { readers: 2, ..PgConfig::new(database.url()) });
    let remembering = open(&database, PgConfig { writers: 2, ..config.clone() }).await;
    let forgetful =
        open(&database, PgConfig { writers: 1, session_cache: 0, people_max_age: Duration::ZERO, ..config }).await;
    Nodes::new(vec![remembering, forgetful])
}

chat_testkit::store_contract!(
    #[ignore = "needs Postgres: cargo xtask test"]
    make_store
);

mod nodes {
    chat_testkit::nodes_contract!(
        #[ignore = "needs Postgres: cargo xtask test"]
        super::make_nodes
    );
}

/// Two nodes on one database.
async fn make_tickets() -> TicketStores {
    recorder::install();
    let database = Arc::new(reused());
    let config = unhurried(PgConfig { readers: 1, writers: 1, ..PgConfig::new(database.url()) });
    let (mut nodes, mut guards) = (Vec::<Arc<dyn TicketStore>>::new(), Vec::new());
    for _ in 0..2 {
        let store = PgStore::open(config.clone(), Arc::new(RecordingNotifier::default())).await.unwrap();
        nodes.push(Arc::<chat_postgres::PgTicketStore>::clone(&store.tickets));
        guards.push(Guard { database: Arc::clone(&database), _store: store });
    }
    TicketStores::new(nodes, Box::new(guards))
}

mod tickets {
    chat_testkit::ticket_store_contract!(
        #[ignore = "needs Postgres: cargo xtask test"]
        super::make_tickets
    );
}

/// Two nodes on one database, and one on a copy of it.
async fn make_signing_keys() -> SigningKeyStores {
    let database = migrated();
    let copied = database.copy();
    let open = async |url: &str| {
        let config = PgConfig { readers: 1, writers: 1, ..PgConfig::new(url) };
        Arc::new(PgStore::open(config, Arc::new(RecordingNotifier::default())).await.unwrap())
    };
    let (store, other) = (open(database.url()).await, open(database.url()).await);
    let copy = open(copied.url()).await;
    let key = |store: &PgStore| {
        Arc::<chat_postgres::PgSigningKeyStore>::clone(&store.signing_keys) as Arc<dyn SigningKeyStore>
    };
    let rotated = Arc::clone(&store);
    SigningKeyStores {
        nodes: vec![key(&store), key(&other)],
        copy: key(&copy),
        rotate: Box::new(move || {
            let store = Arc::clone(&rotated);
            Box::pin(async move {
                store.rotate_epoch().await.unwrap();
            })
        }),
        guard: Box::new((store, other, copy, database, copied)),
    }
}

mod signing_keys {
    chat_testkit::signing_key_store_contract!(
        #[ignore = "needs Postgres: cargo xtask test"]
        super::make_signing_keys
    );
}
