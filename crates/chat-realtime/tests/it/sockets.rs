//! The number of sockets that a person may have on a node: the contract, and that nothing is left of who was there.

use std::sync::Arc;

use chat_domain::model::{OpenSocket, SocketLimits};
use chat_domain::ports::SocketRegistry;
use chat_realtime::LocalSockets;
use chat_testkit::contract::socket_registry::RegistryUnderTest;
use chat_testkit::{Replacements, fixtures};

use crate::support::{socket, user};

async fn make_registry() -> RegistryUnderTest {
    let ended = Arc::new(Replacements::new());
    let registry = LocalSockets::new(Arc::clone(&ended) as _);
    RegistryUnderTest { registry, ended }
}

mod contract {
    chat_testkit::socket_registry_contract!(super::make_registry);
}

#[tokio::test]
async fn replaced_left_and_refused_sockets_are_not_kept() {
    let registry = LocalSockets::new(Arc::new(Replacements::new()));
    let limits = SocketLimits { per_session: 2, per_user: 3 };
    let of = |who: &str, n, session| OpenSocket {
        id: socket(n),
        session_id: Some(fixtures::session_id(session)),
        user_id: user(who),
        is_subscription: false,
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
