//! The number of sockets that a person may have on a node.

use std::sync::{Arc, Mutex};

use chat_domain::error::{ChatError, LimitReached};
use chat_domain::model::{Connection, ConnectionId, ConnectionLimits, LiveEvent, SessionId};
use chat_domain::ports::{ConnectionRegistry, EventSink, Missed};
use chat_realtime::LocalConnections;
use chat_testkit::fixtures;

use crate::support::{connection, user};

#[derive(Default)]
struct Replaced(Mutex<Vec<ConnectionId>>);

impl EventSink for Replaced {
    fn deliver(&self, _: LiveEvent) {}
    fn missed(&self, _: Missed) {}
    fn heard(&self, _: bool) {}
    fn replaced(&self, _: SessionId, connection: ConnectionId) {
        self.0.lock().unwrap().push(connection);
    }
}

fn alices(n: u64, session: u64) -> Connection {
    Connection { id: connection(n), session_id: fixtures::session_id(session), user_id: user("alice") }
}

#[tokio::test]
async fn one_too_many_in_a_session_replaces_the_oldest_there() {
    let ended = Arc::new(Replaced::default());
    let registry = LocalConnections::new(Arc::clone(&ended) as _);
    let limits = ConnectionLimits::default();
    registry.enter(&alices(1, 2), limits).await.unwrap();
    for n in 2..=11 {
        registry.enter(&alices(n, 1), limits).await.unwrap();
    }
    assert!(ended.0.lock().unwrap().is_empty());
    registry.enter(&alices(12, 1), limits).await.unwrap();
    assert_eq!(*ended.0.lock().unwrap(), [connection(2)]);
    assert_eq!(registry.len(), 11);
    registry.leave(&alices(2, 1));
    assert_eq!(registry.len(), 11, "who was replaced has no place to give back");
}

#[tokio::test]
async fn one_too_many_in_all_is_refused_unless_it_replaces() {
    let ended = Arc::new(Replaced::default());
    let registry = LocalConnections::new(Arc::clone(&ended) as _);
    let limits = ConnectionLimits { per_session: 2, per_user: 4 };
    for n in 1..=4 {
        registry.enter(&alices(n, n.div_ceil(2)), limits).await.unwrap();
    }
    let refused = registry.enter(&alices(5, 3), limits).await.unwrap_err();
    assert!(matches!(refused, ChatError::LimitReached(LimitReached::Connections { limit: 4 })));
    assert_eq!(registry.len(), 4);
    registry.enter(&alices(6, 1), limits).await.unwrap();
    assert_eq!(*ended.0.lock().unwrap(), [connection(1)]);
    registry.leave(&alices(3, 2));
    registry.enter(&alices(5, 3), limits).await.unwrap();
    let other = Connection { user_id: user("bob"), ..alices(7, 1) };
    registry.enter(&other, limits).await.unwrap();
    for n in 1..=6 {
        registry.leave(&alices(n, 1));
    }
    registry.leave(&other);
    assert!(registry.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_concurrent_entries_no_more_remain_than_the_limits_allow() {
    let ended = Arc::new(Replaced::default());
    let registry = LocalConnections::new(Arc::clone(&ended) as _);
    let limits = ConnectionLimits { per_session: 3, per_user: 5 };
    let mut entering = tokio::task::JoinSet::new();
    for n in 1..=60 {
        let registry = Arc::clone(&registry);
        entering.spawn(async move { registry.enter(&alices(n, n % 3), limits).await.is_ok() });
    }
    let entered = entering.join_all().await.into_iter().filter(|entered| *entered).count();
    assert_eq!(registry.len(), 5);
    assert_eq!(entered - ended.0.lock().unwrap().len(), 5);
}
