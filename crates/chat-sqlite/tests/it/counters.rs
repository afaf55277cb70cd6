//! The counters are those of the rows, also when they are made again on a database that is in use.

use std::os::unix::fs::PermissionsExt;

use chat_domain::model::{
    ChatSession, NewSession, PageLimit, PageNumber, SessionAction, SessionPage, SessionPosition, SessionQuery,
    SessionStatus, Statistics, Timestamp, Visibility,
};
use chat_domain::ports::{AgentDirectory as _, MessageRepository as _, SessionRepository as _, StatsReader as _};
use chat_sqlite::{SqliteStore, migrate};
use chat_testkit::fixtures::{self, agent_id, alice, bob, mallory, root};
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, Text};

use crate::support::Place;

/// Sessions in every state, with answered and unanswered messages.
pub(crate) async fn fill(store: &SqliteStore) {
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
        for status in [None, Some(SessionStatus::Active), Some(SessionStatus::Closed)] {
            let query = SessionQuery {
                visible: visible.clone(),
                status,
                position: SessionPosition::Page(PageNumber::FIRST),
                limit: PageLimit::SESSIONS,
            };
            let mut page = store.sessions.list(&query).await.unwrap();
            // What happened last in a session is no counter.
            page.sessions = page.sessions.into_iter().map(ChatSession::in_event).collect();
            pages.push(page);
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
struct BucketSum {
    #[diesel(sql_type = Text)]
    scope: String,
    #[diesel(sql_type = Integer)]
    level: i32,
    #[diesel(sql_type = BigInt)]
    oldest: i64,
    #[diesel(sql_type = BigInt)]
    active: i64,
    #[diesel(sql_type = BigInt)]
    closed: i64,
}

#[tokio::test]
async fn undoing_the_removal_of_the_buckets_counts_the_sessions_that_are_there() {
    let place = Place::migrated();
    let store = place.open().await;
    fill(&store).await;
    let long_ago = Timestamp::from_unix_ms(-1);
    let old = NewSession { started_at: long_ago, ..fixtures::new_session(9) };
    store.sessions.open(old, alice(), None).await.unwrap();
    store.close().await;
    drop(store);

    let all = migrate::status(place.path()).unwrap();
    let kept = all.iter().position(|migration| migration.name.ends_with("_no_session_buckets")).unwrap();
    migrate::down(place.path(), all.len() - kept).unwrap();
    let mut connection = SqliteConnection::establish(place.path().to_str().unwrap()).unwrap();
    let sums: Vec<BucketSum> = diesel::sql_query(
        "SELECT scope, level, min(bucket) AS oldest, sum(active) AS active, sum(closed) AS closed
         FROM chat_session_buckets WHERE scope IN ('all', 'agent') GROUP BY scope, level ORDER BY scope DESC, level",
    )
    .load(&mut connection)
    .unwrap();
    let started = fixtures::new_session(1).started_at.unix_ms();
    let sum = |(scope, level, oldest, active, closed): (&str, _, _, _, _)| BucketSum {
        scope: scope.to_owned(),
        level,
        oldest,
        active,
        closed,
    };
    let of_all = [16, 24, 32].map(|level| ("all", level, -1, 3, 2));
    let of_bob = [16, 24, 32].map(|level| ("agent", level, started >> level, 1, 1));
    assert_eq!(sums, of_all.into_iter().chain(of_bob).map(sum).collect::<Vec<_>>());
    migrate::up(place.path()).unwrap();
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
