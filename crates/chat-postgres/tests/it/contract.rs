//! The contract suite of the store's ports. Each case also checks the plans of the statements it ran.

use std::sync::Arc;
use std::thread;

use chat_domain::ports::TicketStore;
use chat_postgres::{PgConfig, PgStore};
use chat_testkit::RecordingNotifier;
use chat_testkit::contract::StoreUnderTest;
use chat_testkit::contract::nodes::Nodes;
use chat_testkit::contract::ticket_store::TicketStores;
use test_postgres::TestDatabase;

use crate::support::{reused, unhurried};
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
        messages: Arc::<chat_postgres::PgMessageRepository>::clone(&store.messages),
        events: Arc::<chat_postgres::PgEventLog>::clone(&store.events),
        stats: Arc::<chat_postgres::PgStatsReader>::clone(&store.stats),
        agents: Arc::<chat_postgres::PgAgentDirectory>::clone(&store.agents),
        orphans: Arc::<chat_postgres::PgOrphanRegistry>::clone(&store.orphans),
        notifier,
        guard: Box::new(Guard { database: Arc::clone(database), _store: store }),
    }
}

async fn make_store() -> StoreUnderTest {
    recorder::install();
    let database = Arc::new(reused());
    open(&database, PgConfig::new(database.url())).await
}

/// A node with several writers that remember what they wrote, and one that remembers next to nothing.
async fn make_nodes() -> Nodes {
    recorder::install();
    let database = Arc::new(reused());
    let config = unhurried(PgConfig { readers: 2, ..PgConfig::new(database.url()) });
    let remembering = open(&database, PgConfig { writers: 2, ..config.clone() }).await;
    let forgetful = open(&database, PgConfig { writers: 1, remembered_sessions: 0, ..config }).await;
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
    let config = PgConfig { readers: 1, writers: 1, ..PgConfig::new(database.url()) };
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
