//! Tickets as rows: expired ones are removed, and no ticket waits for a person whose tickets another transaction counts.

use std::sync::Arc;

use chat_domain::ChatError;
use chat_domain::model::{Principal, Ticket, TicketDigest};
use chat_domain::ports::TicketStore as _;
use chat_postgres::{PgConfig, PgStore};
use chat_testkit::RecordingNotifier;
use chat_testkit::fixtures::{alice, at, bob, person, session_id};
use test_servers::postgres::TestDatabase;

use crate::support::{connect, reused};

fn ticket(holder: Principal, until: u64) -> Ticket {
    Ticket { holder, session_id: Some(session_id(1)), token_expires_at: at(3_600), expires_at: at(until) }
}

fn digest(n: u64) -> TicketDigest {
    TicketDigest::of(&n.to_string())
}

async fn open(database: &TestDatabase) -> PgStore {
    let config = PgConfig { readers: 1, ..PgConfig::new(database.url()) };
    PgStore::open(config, Arc::new(RecordingNotifier::default())).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres: cargo xtask test"]
async fn tickets_that_have_expired_are_swept_a_few_at_a_time() {
    let database = reused();
    let store = open(&database).await;
    let rows = || database.sql("SELECT count(*) FROM chat_tickets");
    for n in 0..20 {
        store.tickets.put(digest(n), ticket(person(&format!("user {n}"), alice().role), 30), at(0)).await.unwrap();
    }
    assert_eq!(rows(), "20");
    // Clocks differ: what has expired just now may be good for another node.
    store.tickets.put(digest(20), ticket(alice(), 90), at(60)).await.unwrap();
    assert_eq!(rows(), "21");
    let mut left = 21;
    for n in 21..26 {
        store.tickets.put(digest(n), ticket(alice(), 150), at(100)).await.unwrap();
        left = left + 1 - 4;
        assert_eq!(rows(), left.to_string(), "four for each that comes");
    }
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Postgres: cargo xtask test"]
async fn a_node_that_hangs_while_it_counts_tickets_delays_no_other_person() {
    let database = reused();
    let store = open(&database).await;
    store.tickets.put(digest(0), ticket(alice(), 30), at(0)).await.unwrap();
    let mut other = connect(&database);
    diesel::connection::SimpleConnection::batch_execute(
        &mut other,
        "BEGIN; SELECT pg_advisory_xact_lock(hashtextextended('ticket alice', 0))",
    )
    .unwrap();
    let tickets = Arc::clone(&store.tickets);
    let blocked = tokio::spawn(async move { tickets.put(digest(1), ticket(alice(), 30), at(0)).await });
    for n in 2..20 {
        store.tickets.put(digest(n), ticket(bob(), 30), at(0)).await.unwrap();
        assert!(store.tickets.take(digest(n), at(1)).await.unwrap().is_some());
    }
    assert!(store.tickets.take(digest(0), at(1)).await.unwrap().is_some(), "using one counts nothing");
    let refused = blocked.await.unwrap();
    assert!(matches!(refused, Err(ChatError::Unavailable { .. })), "{refused:?}");
    diesel::connection::SimpleConnection::batch_execute(&mut other, "ROLLBACK").unwrap();
    store.tickets.put(digest(1), ticket(alice(), 30), at(0)).await.unwrap();
    store.close().await;
}
