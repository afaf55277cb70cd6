//! What every `PresenceStore` does.
//!
//! The store's clock goes on while a case runs, so the ages of a case lie further apart than a case may last.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chat_domain::model::AgentId;
use chat_domain::ports::PresenceStore;

use super::checks::at_once;
use super::{StoreUnderTest, contract_cases};
use crate::fixtures::{agent_id, bob, carol, start};

contract_cases! { $ presence_store_contract for presence_store on crate::contract::StoreUnderTest:
    an_agent_who_was_never_seen_is_not_found,
    an_agent_is_seen_as_long_ago_as_was_noted,
    time_passes_for_an_agent_who_is_not_noted_again,
    a_newer_time_replaces_an_older_one,
    an_older_time_takes_nothing_back,
    an_agent_need_not_be_in_the_directory_to_be_seen,
    many_agents_are_noted_and_found_at_once,
    concurrent_notes_of_the_same_agents_keep_the_newest_times,
}

/// Longer than a case lasts.
const HOUR: Duration = Duration::from_hours(1);

async fn note(store: &StoreUnderTest, agent: &AgentId, ago: Duration) {
    store.presence.note(BTreeMap::from([(agent.clone(), ago)])).await.expect("it is noted");
}

/// How long ago the agent was seen, in whole hours.
async fn hours(store: &StoreUnderTest, agent: &AgentId) -> Option<u64> {
    let seen = store.presence.last_seen(vec![agent.clone()]).await.expect("the store responds");
    assert!(seen.keys().all(|found| found == agent), "no other agent than the one who was asked for: {seen:?}");
    seen.get(agent).map(|ago| ago.as_secs() / HOUR.as_secs())
}

async fn an_agent_who_was_never_seen_is_not_found(store: &StoreUnderTest) {
    let (bob, carol) = (agent_id(&bob()), agent_id(&carol()));
    store.agents.register(bob.clone(), None, start()).await.unwrap();
    note(store, &carol, HOUR).await;
    assert_eq!(hours(store, &bob).await, None);
    assert!(store.presence.last_seen(Vec::new()).await.unwrap().is_empty());
    store.presence.note(BTreeMap::new()).await.unwrap();
}

async fn an_agent_is_seen_as_long_ago_as_was_noted(store: &StoreUnderTest) {
    let bob = agent_id(&bob());
    note(store, &bob, 5 * HOUR).await;
    assert_eq!(hours(store, &bob).await, Some(5));
    let years = AgentId::parse("years ago").expect("a valid id");
    note(store, &years, Duration::MAX).await;
    assert!(hours(store, &years).await.is_some_and(|hours| hours > 24 * 365));
}

async fn time_passes_for_an_agent_who_is_not_noted_again(store: &StoreUnderTest) {
    let bob = agent_id(&bob());
    note(store, &bob, Duration::ZERO).await;
    let look = async || store.presence.last_seen(vec![bob.clone()]).await.unwrap()[&bob];
    let first = look().await;
    // As soon as the clock of the store has moved, which it does in milliseconds. To look does not note.
    while look().await <= first {
        tokio::task::yield_now().await;
    }
}

async fn a_newer_time_replaces_an_older_one(store: &StoreUnderTest) {
    let bob = agent_id(&bob());
    for hours_ago in [3, 2, 0] {
        note(store, &bob, hours_ago * HOUR).await;
        assert_eq!(hours(store, &bob).await, Some(u64::from(hours_ago)));
    }
}

async fn an_older_time_takes_nothing_back(store: &StoreUnderTest) {
    let bob = agent_id(&bob());
    note(store, &bob, HOUR).await;
    for hours_ago in [2, 1, 30] {
        note(store, &bob, hours_ago * HOUR).await;
        assert_eq!(hours(store, &bob).await, Some(1));
    }
}

async fn an_agent_need_not_be_in_the_directory_to_be_seen(store: &StoreUnderTest) {
    let bob = agent_id(&bob());
    note(store, &bob, Duration::ZERO).await;
    assert_eq!(hours(store, &bob).await, Some(0));
    assert_eq!(store.agents.list().await.unwrap(), []);
}

async fn many_agents_are_noted_and_found_at_once(store: &StoreUnderTest) {
    let agent = |n: u32| AgentId::parse(&format!("agent {n} — 🦀")).expect("a valid id");
    let noted = (0..600).step_by(2).map(|n| (agent(n), n * HOUR)).collect();
    store.presence.note(noted).await.unwrap();
    let found = store.presence.last_seen((100..600).map(agent).collect()).await.unwrap();
    let hours = found.into_iter().map(|(agent, ago)| (agent, ago.as_secs() / HOUR.as_secs()));
    let expected: BTreeMap<AgentId, u64> = (100..600).step_by(2).map(|n| (agent(n), u64::from(n))).collect();
    assert_eq!(hours.collect::<BTreeMap<_, _>>(), expected);
}

async fn concurrent_notes_of_the_same_agents_keep_the_newest_times(store: &StoreUnderTest) {
    race(|_| Arc::clone(&store.presence), store).await;
}

fn agents() -> Vec<AgentId> {
    (0..40).map(|n| AgentId::parse(&format!("agent {n}")).expect("a valid id")).collect()
}

/// Sixteen notes of the same agents at once, each through the store that is given for its number. The newest time of each
/// agent is an hour ago, in another note for each.
pub(super) async fn race(presence: impl Fn(u64) -> Arc<dyn PresenceStore>, store: &StoreUnderTest) {
    for _ in 0..4 {
        let note = |n: u32| {
            let presence = presence(u64::from(n));
            let seen = agents().into_iter().zip(0..).map(|(agent, m)| (agent, (1 + (n + m) % 16) * HOUR)).collect();
            async move { presence.note(seen).await }
        };
        for outcome in at_once((0..16).map(note)).await {
            outcome.unwrap();
        }
        for agent in agents() {
            assert_eq!(hours(store, &agent).await, Some(1), "{agent}");
        }
    }
}

/// What one node notes, all of these read; and what several note, as if one had.
pub(super) async fn assert_seen_on_all(nodes: &[StoreUnderTest]) {
    let bob = agent_id(&bob());
    for (node, hours_ago) in nodes.iter().cycle().zip([3, 1, 2, 4]) {
        note(node, &bob, hours_ago * HOUR).await;
    }
    for node in nodes {
        assert_eq!(hours(node, &bob).await, Some(1));
    }
}
