//! The number of sockets that a person may have on a node: the contract, and that nothing is left of who was there.

use std::sync::Arc;

use chat_domain::model::{Connection, ConnectionLimits};
use chat_domain::ports::ConnectionRegistry;
use chat_realtime::LocalConnections;
use chat_testkit::contract::connection_registry::RegistryUnderTest;
use chat_testkit::{Replacements, fixtures};

use crate::support::{connection, user};

async fn make_registry() -> RegistryUnderTest {
    let ended = Arc::new(Replacements::new());
    let registry = LocalConnections::new(Arc::clone(&ended) as _);
    RegistryUnderTest { registry, ended }
}

mod contract {
    chat_testkit::connection_registry_contract!(super::make_registry);
}

#[tokio::test]
async fn those_who_were_replaced_or_left_or_were_refused_are_not_kept() {
    let registry = LocalConnections::new(Arc::new(Replacements::new()));
    let limits = ConnectionLimits { per_session: 2, per_user: 3 };
    let of = |who: &str, n, session| Connection {
        id: connection(n),
        session_id: fixtures::session_id(session),
        user_id: user(who),
    };
    for n in 1..=3 {
        registry.enter(&of("alice", n, 1), limits).await.unwrap();
    }
    assert_eq!(registry.len(), 2, "one was replaced");
    registry.enter(&of("alice", 4, 2), limits).await.unwrap();
    registry.enter(&of("alice", 5, 3), limits).await.unwrap_err();
    registry.enter(&of("bob", 6, 1), limits).await.unwrap();
    assert_eq!(registry.len(), 4);
    for n in 1..=5 {
        registry.leave(&of("alice", n, 1));
    }
    registry.leave(&of("bob", 6, 1));
    assert!(registry.is_empty());
}
