//! Who is there, as rows: the clock that counts, and what a newer version has written.

use std::collections::BTreeMap;
use std::time::Duration;

use chat_domain::model::{AgentStatus, AgentUpdate, OFFLINE_AFTER};
use chat_domain::ports::{AgentDirectory as _, PresenceStore as _};
use chat_testkit::fixtures::{agent_id, bob, start};
use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use diesel::sql_types::{Nullable, Text};

use crate::support::Place;

fn connect(place: &Place) -> SqliteConnection {
    SqliteConnection::establish(place.path().to_str().unwrap()).unwrap()
}

/// A clock that was set back.
#[tokio::test]
async fn a_time_ahead_of_the_clock_ends_like_any_other_and_is_replaced() {
    let place = Place::migrated();
    let store = place.open().await;
    let bob = agent_id(&bob());
    let note = async |ago| store.presence.note(BTreeMap::from([(bob.clone(), ago)])).await.unwrap();
    let seen = async || store.presence.last_seen(vec![bob.clone()]).await.unwrap()[&bob];
    let move_by = |seconds: i64| {
        let moved = format!("UPDATE chat_agent_presence SET seen_at = seen_at + {}", seconds * 1_000);
        connect(&place).batch_execute(&moved).unwrap();
    };
    note(Duration::ZERO).await;
    move_by(30);
    assert!(seen().await < OFFLINE_AFTER, "a little ahead is here");
    move_by(3_600);
    assert!(seen().await > OFFLINE_AFTER, "far ahead is not");
    note(Duration::from_secs(5)).await;
    assert!((5..50).contains(&seen().await.as_secs()), "{:?}", seen().await);
    move_by(-600);
    assert!(seen().await >= 10 * OFFLINE_AFTER);
    store.close().await;
}

#[derive(QueryableByName)]
struct Status {
    #[diesel(sql_type = Nullable<Text>)]
    status: Option<String>,
}

#[tokio::test]
async fn a_status_of_a_newer_version_stays_until_the_agent_sets_another() {
    let place = Place::migrated();
    let store = place.open().await;
    let id = agent_id(&bob());
    let written = || {
        let row: Status = diesel::sql_query("SELECT status FROM chat_agents").get_result(&mut connect(&place)).unwrap();
        row.status
    };
    store.agents.register(id.clone(), None, start()).await.unwrap();
    assert_eq!(written(), None, "an agent who has set nothing");
    connect(&place).batch_execute("UPDATE chat_agents SET status = 'lunch'").unwrap();
    assert_eq!(store.agents.find(&id).await.unwrap().unwrap().status, AgentStatus::Away);
    store.agents.put(id.clone(), AgentUpdate::default(), start()).await.unwrap();
    assert_eq!(written().as_deref(), Some("lunch"));
    store.agents.set_status(&id, AgentStatus::Online).await.unwrap();
    assert_eq!(written().as_deref(), Some("online"));
    store.close().await;
}
