//! The counters are those of the rows, also when they are made again on a database that is in use.

use std::os::unix::fs::PermissionsExt;

use chat_domain::model::{
    NewSession, PageLimit, PageNumber, SessionAction, SessionPage, SessionQuery, Statistics, StatusFilter, Timestamp,
    Visibility,
};
use chat_domain::ports::{AgentDirectory as _, MessageRepository as _, SessionRepository as _, StatsReader as _};
use chat_sqlite::{SqliteStore, migrate};
use chat_testkit::fixtures::{self, agent_id, alice, bob, mallory, root};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, Text};

use crate::support::Place;

/// Sessions in every state, with answered and unanswered messages.
async fn fill(store: &SqliteStore) {
    store.agents.register(agent_id(&bob()), None, fixtures::start()).await.unwrap();
    for (n, owner) in [(1, alice()), (2, alice()), (3, mallory()), (4, mallory())] {
        let id =
            store.sessions.open(fixtures::new_session_of(&owner, n), owner.clone(), None).await.unwrap().session.id;
        let say = |author, m| store.messages.append(fixtures::draft(id, author, 100 * n + m));
        say(&owner, 1).await.unwrap();
        if n <= 2 {
            store.sessions.change(id, fixtures::change(&root(), fixtures::assign(&bob()), 60)).await.unwrap();
            for (m, author) in [(2, &owner), (5, &bob()), (6, &bob()), (9, &owner), (30, &bob()), (31, &owner)] {
                say(author, m).await.unwrap();
            }
        }
        if n % 2 == 0 {
            store.sessions.change(id, fixtures::change(&root(), SessionAction::Close, 99)).await.unwrap();
        }
    }
}

async fn counted(store: &SqliteStore) -> (Statistics, Vec<SessionPage>) {
    let bob = agent_id(&bob());
    let everyone = [
        Visibility::Everything,
        Visibility::OwnedBy(alice().id),
        Visibility::OwnedBy(mallory().id),
        Visibility::AssignedToOrWaiting(bob),
    ];
    let mut pages = Vec::new();
    for visible in everyone {
        for status in [None, Some(StatusFilter::Active), Some(StatusFilter::Closed)] {
            let query =
                SessionQuery { visible: visible.clone(), status, page: PageNumber::FIRST, limit: PageLimit::SESSIONS };
            pages.push(store.sessions.list(&query).await.unwrap());
        }
    }
    (store.stats.read().await.unwrap(), pages)
}

/// Undoes the migrations from `named` on and applies them again.
fn make_again(place: &Place, named: &str) {
    let all = migrate::status(place.path()).unwrap();
    let later = all.iter().rev().take_while(|migration| !migration.name.contains(named)).count();
    assert!(later < all.len(), "there is a migration {named}");
    migrate::down(place.path(), later + 1).unwrap();
    migrate::up(place.path()).unwrap();
}

#[derive(Debug, PartialEq, Eq, QueryableByName)]
struct BucketRow {
    #[diesel(sql_type = Text)]
    scope: String,
    #[diesel(sql_type = Text)]
    holder: String,
    #[diesel(sql_type = Integer)]
    level: i32,
    #[diesel(sql_type = BigInt)]
    bucket: i64,
    #[diesel(sql_type = BigInt)]
    active: i64,
    #[diesel(sql_type = BigInt)]
    closed: i64,
}

/// The buckets that have sessions in them. Rows of others may be there, or not.
fn buckets(place: &Place) -> Vec<BucketRow> {
    let mut connection = SqliteConnection::establish(place.path().to_str().unwrap()).unwrap();
    diesel::sql_query("SELECT * FROM chat_session_buckets WHERE active <> 0 OR closed <> 0 ORDER BY 1, 2, 3, 4")
        .load(&mut connection)
        .unwrap()
}

/// The migration counts the rows, so this compares with a recount too.
#[tokio::test]
async fn buckets_that_are_made_again_are_those_that_were_kept() {
    let place = Place::migrated();
    let store = place.open().await;
    fill(&store).await;
    let long_ago = Timestamp::from_unix_ms(-1);
    let old = NewSession { started_at: long_ago, ..fixtures::new_session(9) };
    store.sessions.open(old, alice(), None).await.unwrap();
    let back_to_the_queue = fixtures::change(&root(), SessionAction::Transfer(None), 100);
    store.sessions.change(fixtures::session_id(1), back_to_the_queue).await.unwrap();
    store.close().await;
    drop(store);

    let kept = buckets(&place);
    let of_all = |level| kept.iter().filter(move |row| row.scope == "all" && row.level == level);
    for level in [16, 24, 32] {
        assert_eq!(
            of_all(level).map(|row| (row.active, row.closed)).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1)),
            (3, 2)
        );
        assert_eq!(of_all(level).next().unwrap().bucket, -1);
    }
    make_again(&place, "session_buckets");
    assert_eq!(buckets(&place), kept);
}

#[tokio::test]
async fn counters_that_are_made_again_start_with_what_is_there() {
    let place = Place::migrated();
    let store = place.open().await;
    fill(&store).await;
    let before = counted(&store).await;
    assert_eq!((before.0.total_sessions, before.0.active_sessions, before.0.responses), (4, 2, 4));
    assert!(before.0.response_time_ms > 0);
    store.close().await;
    drop(store);

    make_again(&place, "counters");
    let store = place.open().await;
    assert_eq!(counted(&store).await, before);
    let open = fixtures::session_id(3);
    store.sessions.change(open, fixtures::change(&root(), SessionAction::Close, 120)).await.unwrap();
    assert_eq!(store.stats.read().await.unwrap().active_sessions, 1);
    store.close().await;
}

#[tokio::test]
async fn only_the_owner_of_the_process_can_read_the_database() {
    let place = Place::migrated();
    let store = place.open().await;
    fill(&store).await;
    for beside in ["", "-wal", "-shm"] {
        let mut path = place.path().into_os_string();
        path.push(beside);
        let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", path.display());
    }
    store.close().await;
}
