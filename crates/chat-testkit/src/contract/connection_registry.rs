//! What every `ConnectionRegistry` does, on one node and on several.

use std::any::Any;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use chat_domain::error::LimitReached;
use chat_domain::model::{Connection, ConnectionId, ConnectionLimits, Principal, Role, SessionId};
use chat_domain::ports::ConnectionRegistry;
use chat_domain::{ChatError, Result};

use super::checks::{ROUNDS, at_once};
use super::contract_cases;
use crate::Replacements;
use crate::fixtures::{Kind, alice, mallory, person, session_id, uuid};

contract_cases! { $ connection_registry_contract for connection_registry
    on crate::contract::connection_registry::Registries:
    one_too_many_in_a_session_replaces_its_oldest_and_only_that,
    a_replaced_connection_gives_its_place_up_at_once,
    the_one_that_enters_stays_whatever_its_id,
    one_too_many_in_all_is_refused_and_changes_nothing,
    one_that_replaces_is_let_in_although_every_place_is_taken,
    people_take_no_places_of_each_other,
    sessions_take_no_places_of_each_other,
    a_connection_that_leaves_gives_its_place_back,
    leaving_twice_or_without_having_entered_frees_nothing,
    a_replaced_connection_that_leaves_frees_nothing,
    concurrent_entries_stay_within_both_limits,
    concurrent_entries_in_a_session_replace_exactly_the_surplus,
}

/// A node's registry and what it tells this node.
pub struct RegistryNode {
    /// The registry.
    pub registry: Arc<dyn ConnectionRegistry>,
    /// The sink that it ends connections of this node through.
    pub ended: Arc<Replacements>,
}

/// The registry as one node or several see it, empty and for one case alone.
pub struct Registries {
    nodes: Vec<RegistryNode>,
    delay: Duration,
    probes: AtomicU64,
    /// Whatever must live as long as the nodes. Dropped after them.
    _guard: Box<dyn Any + Send>,
}

/// A session that only probes are in, and the least number of a probe.
const PROBED: u64 = 1_000_000;
/// What probes are entered with: the second ends the first.
const ONE: ConnectionLimits = ConnectionLimits { per_session: 1, per_user: 1 };

impl Registries {
    /// These nodes, and what must live as long as they do. A place that a connection has left may be taken for `delay`:
    /// zero in a registry that is not shared.
    ///
    /// # Panics
    /// When there is no node.
    pub fn new(nodes: Vec<RegistryNode>, delay: Duration, guard: Box<dyn Any + Send>) -> Self {
        assert!(!nodes.is_empty(), "there is a node");
        Self { nodes, delay, probes: AtomicU64::new(PROBED), _guard: guard }
    }

    /// The node of connection `n`.
    fn at(&self, n: u64) -> &RegistryNode {
        &self.nodes[usize::try_from(n % self.nodes.len() as u64).expect("there are few nodes")]
    }

    /// The number of a connection of the first node.
    fn on_first(&self, n: u64) -> u64 {
        n * self.nodes.len() as u64
    }

    /// Enters connection `n` of Alice on its node.
    async fn enter(&self, n: u64, session: u64, limits: ConnectionLimits) -> Result<()> {
        self.at(n).registry.enter(&connection(&alice(), n, session), limits).await
    }

    /// Enters connection `n` of Alice, who may do that.
    async fn let_in(&self, n: u64, session: u64, limits: ConnectionLimits) {
        self.enter(n, session, limits).await.expect("there is a place");
    }

    /// The same when the place has only just become free.
    async fn let_in_soon(&self, n: u64, session: u64, limits: ConnectionLimits) {
        let started = Instant::now();
        loop {
            match self.enter(n, session, limits).await {
                Err(ChatError::LimitReached(_)) if started.elapsed() < self.delay => {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                answer => return answer.expect("the place is free"),
            }
        }
    }

    /// Checks that connection `n` of Alice is not let in.
    async fn refuse(&self, n: u64, session: u64, limits: ConnectionLimits) {
        let refused = self.enter(n, session, limits).await;
        let expected = LimitReached::Connections { limit: limits.per_user };
        assert!(matches!(&refused, Err(ChatError::LimitReached(reached)) if *reached == expected), "{refused:?}");
    }

    fn leave(&self, n: u64, session: u64) {
        self.at(n).registry.leave(&connection(&alice(), n, session));
    }

    /// Everything that the nodes were told by now, and that is on its way to them.
    async fn replaced(&self) -> BTreeSet<(SessionId, ConnectionId)> {
        for node in &self.nodes {
            node.ended.told(session_id(PROBED), self.probe(node).await).await;
        }
        let all = self.nodes.iter().flat_map(|node| node.ended.all());
        all.filter(|(session, _)| *session != session_id(PROBED)).collect()
    }

    /// Replaces a connection of the node through another node, and answers which: the news of it comes last.
    async fn probe(&self, node: &RegistryNode) -> ConnectionId {
        let n = self.probes.fetch_add(2, Ordering::Relaxed);
        let who = person(&format!("probe {n}"), Role::User);
        let [first, second] = [n, n + 1].map(|n| connection(&who, n, PROBED));
        node.registry.enter(&first, ONE).await.expect("nobody else is there");
        let position = self.nodes.iter().position(|other| std::ptr::eq(node, other)).expect("it is one of them");
        self.at(position as u64 + 1).registry.enter(&second, ONE).await.expect("it replaces");
        first.id
    }

    /// Checks that exactly these connections of Alice were replaced, each named by session and number, and that the node
    /// of each was told.
    async fn assert_replaced(&self, expected: &[(u64, u64)]) {
        let all = self.replaced().await;
        let expected = expected.iter().map(|(session, n)| (*n, (session_id(*session), id(*n))));
        for (n, told) in expected.clone() {
            assert!(self.at(n).ended.all().contains(&told), "connection {n} is told to its node");
        }
        assert_eq!(all, expected.map(|(_, told)| told).collect());
    }
}

fn id(n: u64) -> ConnectionId {
    ConnectionId::new(uuid(Kind::Generated, n))
}

/// Connection `n`; larger numbers are newer.
fn connection(who: &Principal, n: u64, session: u64) -> Connection {
    Connection { id: id(n), session_id: session_id(session), user_id: who.id.clone() }
}

fn limits(per_session: usize, per_user: usize) -> ConnectionLimits {
    ConnectionLimits { per_session, per_user }
}

async fn one_too_many_in_a_session_replaces_its_oldest_and_only_that(registries: &Registries) {
    let limits = limits(3, 20);
    registries.let_in(1, 2, limits).await;
    for n in 2..=4 {
        registries.let_in(n, 1, limits).await;
    }
    registries.assert_replaced(&[]).await;
    registries.let_in(5, 1, limits).await;
    registries.assert_replaced(&[(1, 2)]).await;
    registries.let_in(6, 1, limits).await;
    registries.assert_replaced(&[(1, 2), (1, 3)]).await;
}

async fn a_replaced_connection_gives_its_place_up_at_once(registries: &Registries) {
    let limits = limits(1, 2);
    registries.let_in(1, 1, limits).await;
    registries.let_in(2, 1, limits).await;
    // The first has not left yet.
    registries.let_in(3, 2, limits).await;
    registries.refuse(4, 3, limits).await;
    registries.assert_replaced(&[(1, 1)]).await;
}

async fn the_one_that_enters_stays_whatever_its_id(registries: &Registries) {
    let limits = limits(1, 5);
    registries.let_in(7, 1, limits).await;
    registries.let_in(2, 1, limits).await;
    registries.assert_replaced(&[(1, 7)]).await;
    registries.let_in(5, 1, limits).await;
    registries.assert_replaced(&[(1, 2), (1, 7)]).await;
}

async fn one_too_many_in_all_is_refused_and_changes_nothing(registries: &Registries) {
    let limits = limits(2, 3);
    for n in 1..=3 {
        registries.let_in(n, n, limits).await;
    }
    for n in 4..=5 {
        registries.refuse(n, n, limits).await;
        registries.leave(n, n);
    }
    registries.refuse(6, 6, limits).await;
    registries.assert_replaced(&[]).await;
    // Exactly as many have places as before.
    registries.leave(1, 1);
    registries.let_in_soon(7, 7, limits).await;
    registries.refuse(8, 8, limits).await;
    registries.assert_replaced(&[]).await;
}

async fn one_that_replaces_is_let_in_although_every_place_is_taken(registries: &Registries) {
    let limits = limits(2, 3);
    registries.let_in(1, 1, limits).await;
    registries.let_in(2, 2, limits).await;
    registries.let_in(3, 1, limits).await;
    registries.let_in(4, 1, limits).await;
    registries.assert_replaced(&[(1, 1)]).await;
    registries.refuse(5, 2, limits).await;
    registries.refuse(6, 3, limits).await;
    registries.let_in(7, 1, limits).await;
    registries.assert_replaced(&[(1, 1), (1, 3)]).await;
}

async fn people_take_no_places_of_each_other(registries: &Registries) {
    let limits = limits(1, 2);
    for n in 1..=2 {
        registries.let_in(n, n, limits).await;
    }
    for n in 3..=5 {
        let mallorys = connection(&mallory(), n, n - 2);
        let answer = registries.at(n).registry.enter(&mallorys, limits).await;
        assert_eq!(answer.is_ok(), n < 5, "{answer:?}");
    }
    registries.assert_replaced(&[]).await;
}

async fn sessions_take_no_places_of_each_other(registries: &Registries) {
    let limits = limits(2, 20);
    for n in 0..10 {
        registries.let_in(n, n % 5, limits).await;
    }
    registries.assert_replaced(&[]).await;
}

async fn a_connection_that_leaves_gives_its_place_back(registries: &Registries) {
    let limits = limits(2, 3);
    for (n, session) in [(1, 1), (2, 1), (3, 2)] {
        registries.let_in(n, session, limits).await;
    }
    registries.leave(1, 1);
    registries.let_in_soon(4, 3, limits).await;
    // In session 1 as well: one more would find a place there, and has none in all.
    registries.refuse(5, 1, limits).await;
    registries.assert_replaced(&[]).await;
}

async fn leaving_twice_or_without_having_entered_frees_nothing(registries: &Registries) {
    let limits = limits(1, 3);
    // All on one node, which knows who leaves in the order in which they do.
    let [first, second, third, more, last, unknown] = [1, 2, 3, 4, 5, 9].map(|n| registries.on_first(n));
    for (session, n) in (1..).zip([first, second, third]) {
        registries.let_in(n, session, limits).await;
    }
    registries.leave(unknown, 1);
    registries.leave(first, 1);
    registries.let_in_soon(more, 4, limits).await;
    registries.leave(first, 1);
    registries.leave(unknown, 1);
    registries.leave(second, 2);
    registries.let_in_soon(last, 5, limits).await;
    registries.refuse(registries.on_first(6), 6, limits).await;
    registries.assert_replaced(&[]).await;
}

async fn a_replaced_connection_that_leaves_frees_nothing(registries: &Registries) {
    let limits = limits(1, 2);
    let [first, second, more] = [1, 2, 5].map(|n| registries.on_first(n));
    // Another node's, when there is one.
    let newer = registries.on_first(3) + 1;
    registries.let_in(first, 1, limits).await;
    registries.let_in(second, 2, limits).await;
    registries.let_in(newer, 1, limits).await;
    registries.leave(first, 1);
    registries.leave(second, 2);
    registries.let_in_soon(more, 3, limits).await;
    registries.refuse(registries.on_first(6), 4, limits).await;
    registries.assert_replaced(&[(1, first)]).await;
}

/// Has a person enter so many connections at once, over all nodes and that many sessions, and answers with those that
/// remain.
async fn enter_at_once(
    registries: &Registries,
    (round, entries, sessions): (u64, u64, u64),
    limits: ConnectionLimits,
) -> Vec<(SessionId, ConnectionId)> {
    let who = person(&format!("user {round}"), Role::User);
    // In another order than their ids have: 7 and 61 have no factor in common.
    let connections = (1..=entries).map(|n| connection(&who, round * 100 + n * 7 % 61, n % sessions));
    let enter = |(n, connection): (u64, Connection)| {
        let registry = Arc::clone(&registries.at(n).registry);
        async move { (registry.enter(&connection, limits).await, connection) }
    };
    let (mut entered, mut refused) = (BTreeSet::new(), BTreeSet::new());
    for (answer, connection) in at_once((0..).zip(connections).map(enter)).await {
        let part = match answer {
            Ok(()) => &mut entered,
            Err(ChatError::LimitReached(_)) => &mut refused,
            Err(error) => panic!("{error}"),
        };
        part.insert((connection.session_id, connection.id));
    }
    let replaced = registries.replaced().await;
    assert!(replaced.is_disjoint(&refused), "nobody replaces who was not let in");
    entered.difference(&replaced).copied().collect()
}

async fn concurrent_entries_stay_within_both_limits(registries: &Registries) {
    let limits = limits(3, 5);
    for round in 0..ROUNDS {
        let remaining = enter_at_once(registries, (round, 60, 3), limits).await;
        assert_eq!(remaining.len(), limits.per_user);
        for session in (0..3).map(session_id) {
            let here = remaining.iter().filter(|(other, _)| *other == session).count();
            assert!(here <= limits.per_session, "{here} remain in a session");
        }
    }
}

async fn concurrent_entries_in_a_session_replace_exactly_the_surplus(registries: &Registries) {
    let limits = limits(3, 50);
    for round in 0..ROUNDS {
        // Odd and even numbers, in case that a mistake comes right with every second.
        let remaining = enter_at_once(registries, (round, 40 + round % 2, 1), limits).await;
        assert_eq!(remaining.len(), limits.per_session);
    }
}
