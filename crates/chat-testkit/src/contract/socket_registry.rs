//! What every `SocketRegistry` does.

use std::collections::BTreeSet;
use std::sync::Arc;

use chat_domain::error::LimitReached;
use chat_domain::model::{OpenSocket, Principal, Role, SessionId, SocketId, SocketLimits};
use chat_domain::ports::SocketRegistry;
use chat_domain::{ChatError, Result};

use super::checks::{ROUNDS, at_once};
use super::contract_cases;
use crate::Replacements;
use crate::fixtures::{FixtureKind, alice, mallory, person, session_id, uuid};

contract_cases! { $ socket_registry_contract for socket_registry
    on crate::contract::socket_registry::RegistryUnderTest:
    the_socket_over_the_session_limit_replaces_the_oldest_only,
    a_replaced_socket_frees_its_place_at_once,
    the_entering_socket_stays_whatever_its_id,
    the_socket_over_the_person_limit_is_refused_and_changes_nothing,
    a_replacing_socket_enters_although_every_place_is_taken,
    persons_do_not_share_places,
    sessions_do_not_share_places,
    a_leaving_socket_frees_its_place,
    leaving_twice_or_without_having_entered_frees_nothing,
    a_replaced_socket_that_leaves_frees_nothing,
    a_socket_without_a_session_counts_for_its_person_alone,
    a_subscription_counts_in_its_session_alone,
    a_socket_that_replaces_a_subscription_needs_a_place,
    concurrent_entries_stay_within_both_limits,
    concurrent_entries_in_a_session_replace_exactly_the_surplus,
}

/// The registry of a node, empty and for one case alone.
pub struct RegistryUnderTest {
    /// The registry.
    pub registry: Arc<dyn SocketRegistry>,
    /// The sink that it ends sockets through.
    pub ended: Arc<Replacements>,
}

impl RegistryUnderTest {
    /// Enters socket `n` of Alice.
    async fn enter(&self, n: u64, session: u64, limits: SocketLimits) -> Result<()> {
        self.registry.enter(&socket(&alice(), n, session), limits).await
    }

    /// Enters socket `n` of Alice, who may do that.
    async fn let_in(&self, n: u64, session: u64, limits: SocketLimits) {
        self.enter(n, session, limits).await.expect("there is a place");
    }

    /// Checks that socket `n` of Alice is not let in.
    async fn refuse(&self, n: u64, session: u64, limits: SocketLimits) {
        let refused = self.enter(n, session, limits).await;
        let expected = LimitReached::Sockets { limit: limits.per_user };
        assert!(matches!(&refused, Err(ChatError::LimitReached(reached)) if *reached == expected), "{refused:?}");
    }

    fn leave(&self, n: u64, session: u64) {
        self.registry.leave(&socket(&alice(), n, session));
    }

    /// Checks that exactly these sockets of Alice were replaced, each named by session and number.
    fn assert_replaced(&self, expected: &[(u64, u64)]) {
        let expected = expected.iter().map(|(session, n)| (session_id(*session), id(*n)));
        assert_eq!(self.ended.all(), expected.collect());
    }
}

fn id(n: u64) -> SocketId {
    SocketId::new(uuid(FixtureKind::Generated, n))
}

/// Socket `n`; larger numbers are newer.
fn socket(who: &Principal, n: u64, session: u64) -> OpenSocket {
    let session_id = Some(session_id(session));
    OpenSocket { id: id(n), session_id, user_id: who.id.clone(), is_subscription: false }
}

/// Socket `n` of Alice without a session of its own.
fn without_session(n: u64) -> OpenSocket {
    OpenSocket { session_id: None, ..socket(&alice(), n, 0) }
}

/// Subscription `n` of such a socket of Alice.
fn subscription(n: u64, session: u64) -> OpenSocket {
    OpenSocket { is_subscription: true, ..socket(&alice(), n, session) }
}

fn limits(per_session: usize, per_user: usize) -> SocketLimits {
    SocketLimits { per_session, per_user }
}

async fn the_socket_over_the_session_limit_replaces_the_oldest_only(registry: &RegistryUnderTest) {
    let limits = limits(3, 20);
    registry.let_in(1, 2, limits).await;
    for n in 2..=4 {
        registry.let_in(n, 1, limits).await;
    }
    registry.assert_replaced(&[]);
    registry.let_in(5, 1, limits).await;
    registry.assert_replaced(&[(1, 2)]);
    registry.let_in(6, 1, limits).await;
    registry.assert_replaced(&[(1, 2), (1, 3)]);
}

async fn a_replaced_socket_frees_its_place_at_once(registry: &RegistryUnderTest) {
    let limits = limits(1, 2);
    registry.let_in(1, 1, limits).await;
    registry.let_in(2, 1, limits).await;
    // The first has not left yet.
    registry.let_in(3, 2, limits).await;
    registry.refuse(4, 3, limits).await;
    registry.assert_replaced(&[(1, 1)]);
}

async fn the_entering_socket_stays_whatever_its_id(registry: &RegistryUnderTest) {
    let limits = limits(1, 5);
    registry.let_in(7, 1, limits).await;
    registry.let_in(2, 1, limits).await;
    registry.assert_replaced(&[(1, 7)]);
    registry.let_in(5, 1, limits).await;
    registry.assert_replaced(&[(1, 2), (1, 7)]);
}

async fn the_socket_over_the_person_limit_is_refused_and_changes_nothing(registry: &RegistryUnderTest) {
    let limits = limits(2, 3);
    for n in 1..=3 {
        registry.let_in(n, n, limits).await;
    }
    for n in 4..=5 {
        registry.refuse(n, n, limits).await;
        registry.leave(n, n);
    }
    registry.refuse(6, 6, limits).await;
    registry.assert_replaced(&[]);
    // Exactly as many have places as before.
    registry.leave(1, 1);
    registry.let_in(7, 7, limits).await;
    registry.refuse(8, 8, limits).await;
    registry.assert_replaced(&[]);
}

async fn a_replacing_socket_enters_although_every_place_is_taken(registry: &RegistryUnderTest) {
    let limits = limits(2, 3);
    registry.let_in(1, 1, limits).await;
    registry.let_in(2, 2, limits).await;
    registry.let_in(3, 1, limits).await;
    registry.let_in(4, 1, limits).await;
    registry.assert_replaced(&[(1, 1)]);
    registry.refuse(5, 2, limits).await;
    registry.refuse(6, 3, limits).await;
    registry.let_in(7, 1, limits).await;
    registry.assert_replaced(&[(1, 1), (1, 3)]);
}

async fn persons_do_not_share_places(registry: &RegistryUnderTest) {
    let limits = limits(1, 2);
    for n in 1..=2 {
        registry.let_in(n, n, limits).await;
    }
    for n in 3..=5 {
        let mallorys = socket(&mallory(), n, n - 2);
        let answer = registry.registry.enter(&mallorys, limits).await;
        assert_eq!(answer.is_ok(), n < 5, "{answer:?}");
    }
    registry.assert_replaced(&[]);
}

async fn sessions_do_not_share_places(registry: &RegistryUnderTest) {
    let limits = limits(2, 20);
    for n in 0..10 {
        registry.let_in(n, n % 5, limits).await;
    }
    registry.assert_replaced(&[]);
}

async fn a_leaving_socket_frees_its_place(registry: &RegistryUnderTest) {
    let limits = limits(2, 3);
    for (n, session) in [(1, 1), (2, 1), (3, 2)] {
        registry.let_in(n, session, limits).await;
    }
    registry.leave(1, 1);
    registry.let_in(4, 3, limits).await;
    // In session 1 as well: one more would find a place there, and has none in all.
    registry.refuse(5, 1, limits).await;
    registry.assert_replaced(&[]);
}

async fn leaving_twice_or_without_having_entered_frees_nothing(registry: &RegistryUnderTest) {
    let limits = limits(1, 3);
    let [first, second, third, more, last, unknown] = [1, 2, 3, 4, 5, 9];
    for (session, n) in (1..).zip([first, second, third]) {
        registry.let_in(n, session, limits).await;
    }
    registry.leave(unknown, 1);
    registry.leave(first, 1);
    registry.let_in(more, 4, limits).await;
    registry.leave(first, 1);
    registry.leave(unknown, 1);
    registry.leave(second, 2);
    registry.let_in(last, 5, limits).await;
    registry.refuse(6, 6, limits).await;
    registry.assert_replaced(&[]);
}

async fn a_replaced_socket_that_leaves_frees_nothing(registry: &RegistryUnderTest) {
    let limits = limits(1, 2);
    let [first, second, newer, more] = [1, 2, 3, 5];
    registry.let_in(first, 1, limits).await;
    registry.let_in(second, 2, limits).await;
    registry.let_in(newer, 1, limits).await;
    registry.leave(first, 1);
    registry.leave(second, 2);
    registry.let_in(more, 3, limits).await;
    registry.refuse(6, 4, limits).await;
    registry.assert_replaced(&[(1, first)]);
}

async fn a_socket_without_a_session_counts_for_its_person_alone(registry: &RegistryUnderTest) {
    let limits = limits(1, 3);
    for n in 1..=2 {
        registry.registry.enter(&without_session(n), limits).await.expect("there is a place");
    }
    registry.let_in(3, 1, limits).await;
    registry.refuse(4, 2, limits).await;
    let refused = registry.registry.enter(&without_session(5), limits).await;
    assert!(matches!(refused, Err(ChatError::LimitReached(_))), "{refused:?}");
    registry.registry.leave(&without_session(1));
    registry.let_in(6, 2, limits).await;
    registry.assert_replaced(&[]);
}

async fn a_subscription_counts_in_its_session_alone(registry: &RegistryUnderTest) {
    let limits = limits(2, 1);
    registry.registry.enter(&without_session(1), limits).await.expect("there is a place");
    for n in 2..=9 {
        registry.registry.enter(&subscription(n, n), limits).await.expect("subscriptions are not refused");
    }
    registry.refuse(10, 20, limits).await;
    for n in 11..=13 {
        registry.registry.enter(&subscription(n, 2), limits).await.expect("subscriptions are not refused");
    }
    // The oldest of the session, which are subscriptions too.
    registry.assert_replaced(&[(2, 2), (2, 11)]);
}

async fn a_socket_that_replaces_a_subscription_needs_a_place(registry: &RegistryUnderTest) {
    let limits = limits(1, 1);
    registry.registry.enter(&subscription(1, 1), limits).await.expect("subscriptions are not refused");
    registry.registry.enter(&without_session(2), limits).await.expect("there is a place");
    registry.refuse(3, 1, limits).await;
    registry.assert_replaced(&[]);
    registry.registry.leave(&without_session(2));
    registry.let_in(4, 1, limits).await;
    registry.assert_replaced(&[(1, 1)]);
    // A subscription replaces a socket as well.
    registry.registry.enter(&subscription(5, 1), limits).await.expect("subscriptions are not refused");
    registry.assert_replaced(&[(1, 1), (1, 4)]);
}

/// Has a person enter so many sockets at once, over that many sessions, and returns those that
/// remain.
async fn enter_at_once(
    registry: &RegistryUnderTest,
    (round, entries, sessions): (u64, u64, u64),
    limits: SocketLimits,
) -> Vec<(SessionId, SocketId)> {
    let who = person(&format!("user {round}"), Role::User);
    // In another order than their ids have: 7 and 61 have no factor in common.
    let sockets = (1..=entries).map(|n| socket(&who, round * 100 + n * 7 % 61, n % sessions));
    let enter = |socket: OpenSocket| {
        let registry = Arc::clone(&registry.registry);
        async move { (registry.enter(&socket, limits).await, socket) }
    };
    let (mut entered, mut refused) = (BTreeSet::new(), BTreeSet::new());
    for (answer, socket) in at_once(sockets.map(enter)).await {
        let part = match answer {
            Ok(()) => &mut entered,
            Err(ChatError::LimitReached(_)) => &mut refused,
            Err(error) => panic!("{error}"),
        };
        part.insert((socket.session_id.expect("a session"), socket.id));
    }
    let replaced = registry.ended.all();
    assert!(replaced.is_disjoint(&refused), "a refused socket replaces none");
    entered.difference(&replaced).copied().collect()
}

async fn concurrent_entries_stay_within_both_limits(registry: &RegistryUnderTest) {
    let limits = limits(3, 5);
    for round in 0..ROUNDS {
        let remaining = enter_at_once(registry, (round, 60, 3), limits).await;
        assert_eq!(remaining.len(), limits.per_user);
        for session in (0..3).map(session_id) {
            let here = remaining.iter().filter(|(other, _)| *other == session).count();
            assert!(here <= limits.per_session, "{here} remain in a session");
        }
    }
}

async fn concurrent_entries_in_a_session_replace_exactly_the_surplus(registry: &RegistryUnderTest) {
    let limits = limits(3, 50);
    for round in 0..ROUNDS {
        // Odd and even numbers, in case that a mistake comes right with every second.
        let remaining = enter_at_once(registry, (round, 40 + round % 2, 1), limits).await;
        assert_eq!(remaining.len(), limits.per_session);
    }
}
