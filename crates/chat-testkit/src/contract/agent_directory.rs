//! What every `AgentDirectory` does.

use std::sync::Arc;

use chat_domain::ChatError;
use chat_domain::error::Refusal;
use chat_domain::model::{
    Agent, AgentId, AgentStatus, AgentUpdate, DetailsUpdate, DisplayName, Principal, Role, Seq, SessionAction,
};

use super::checks::{assert_published_as_logged, at_once};
use super::{StoreUnderTest, contract_cases};
use crate::fixtures::{agent_id, alice, assign, at, bob, carol, change, draft, keyed, root, transfer, update};

contract_cases! { $ agent_directory_contract for agent_directory on crate::contract::StoreUnderTest:
    an_unknown_agent_is_not_found,
    a_new_agent_is_active_unless_the_update_says_otherwise,
    an_update_leaves_what_it_does_not_name,
    agents_are_listed_by_ascending_id_with_deactivated_ones,
    registering_enters_an_active_agent,
    registering_keeps_an_agent_as_they_are,
    registering_keeps_a_deactivated_agent_deactivated,
    concurrent_registrations_enter_one_agent,
    concurrent_puts_enter_one_agent,
    deactivating_keeps_the_agent_in_the_directory,
    deactivating_an_unknown_agent_finds_nothing,
    a_deactivated_agent_is_brought_back_by_an_update,
    the_deactivated_among_many_agents_are_found,
    a_status_stays_until_it_is_set_again,
    the_status_of_a_deactivated_agent_stays_as_it_is,
    setting_the_status_of_an_unknown_agent_finds_nothing,
    a_deactivated_agent_changes_nothing,
    a_person_who_is_no_agent_any_more_is_not_refused_as_one,
}

fn name(text: &str) -> Option<DisplayName> {
    DisplayName::parse(text).ok()
}

async fn an_unknown_agent_is_not_found(store: &StoreUnderTest) {
    assert_eq!(store.agents.find(&agent_id(&bob())).await.unwrap(), None);
    assert_eq!(store.agents.list().await.unwrap(), []);
}

async fn a_new_agent_is_active_unless_the_update_says_otherwise(store: &StoreUnderTest) {
    let bob = agent_id(&bob());
    let update = AgentUpdate { display_name: name("Bob — 🦀"), active: None };
    let (agent, is_new) = store.agents.put(bob.clone(), update, at(1)).await.unwrap();
    assert!(is_new);
    assert_eq!(
        agent,
        Agent {
            id: bob.clone(),
            display_name: name("Bob — 🦀"),
            active: true,
            status: AgentStatus::Online,
            created_at: at(1)
        }
    );
    assert_eq!(store.agents.find(&bob).await.unwrap(), Some(agent));

    let carol = agent_id(&carol());
    let update = AgentUpdate { display_name: None, active: Some(false) };
    let (agent, is_new) = store.agents.put(carol.clone(), update, at(2)).await.unwrap();
    assert!(is_new);
    assert_eq!(
        agent,
        Agent { id: carol.clone(), display_name: None, active: false, status: AgentStatus::Online, created_at: at(2) }
    );
    assert_eq!(store.agents.find(&carol).await.unwrap(), Some(agent));
}

async fn an_update_leaves_what_it_does_not_name(store: &StoreUnderTest) {
    let id = agent_id(&bob());
    let agents = &store.agents;
    let update = |display_name, active| AgentUpdate { display_name, active };
    agents.put(id.clone(), update(name("Bob"), None), at(1)).await.unwrap();
    let expected = |display_name, active| {
        let status = AgentStatus::Online;
        Agent { id: id.clone(), display_name, active, status, created_at: at(1) }
    };
    let steps = [
        (update(None, None), expected(name("Bob"), true)),
        (update(None, Some(false)), expected(name("Bob"), false)),
        (update(name("Robert"), None), expected(name("Robert"), false)),
        (update(None, Some(true)), expected(name("Robert"), true)),
    ];
    for (update, expected) in steps {
        let answer = agents.put(id.clone(), update, at(9)).await.unwrap();
        assert_eq!(answer, (expected.clone(), false));
        assert_eq!(agents.find(&id).await.unwrap(), Some(expected));
    }
}

async fn agents_are_listed_by_ascending_id_with_deactivated_ones(store: &StoreUnderTest) {
    let ids = ["b", "B", "ä", "a", "agent 10", "agent 2", "🦀"].map(|id| AgentId::parse(id).expect("a valid id"));
    for id in &ids {
        store.agents.register(id.clone(), None, at(1)).await.unwrap();
    }
    store.agents.deactivate(&ids[0]).await.unwrap();
    let listed = store.agents.list().await.unwrap();
    let mut sorted = ids.to_vec();
    sorted.sort();
    assert_eq!(listed.iter().map(|agent| agent.id.clone()).collect::<Vec<_>>(), sorted);
    assert!(listed.iter().all(|agent| agent.active == (agent.id != ids[0])));
}

async fn registering_enters_an_active_agent(store: &StoreUnderTest) {
    let id = agent_id(&bob());
    let agent = store.agents.register(id.clone(), name("Bob"), at(3)).await.unwrap();
    assert_eq!(
        agent,
        Agent {
            id: id.clone(),
            display_name: name("Bob"),
            active: true,
            status: AgentStatus::Online,
            created_at: at(3)
        }
    );
    assert_eq!(store.agents.find(&id).await.unwrap(), Some(agent));
}

async fn registering_keeps_an_agent_as_they_are(store: &StoreUnderTest) {
    let id = agent_id(&bob());
    let first = store.agents.register(id.clone(), None, at(3)).await.unwrap();
    assert_eq!(store.agents.register(id.clone(), name("Bob"), at(9)).await.unwrap(), first);
    assert_eq!(store.agents.find(&id).await.unwrap(), Some(first));
}

async fn registering_keeps_a_deactivated_agent_deactivated(store: &StoreUnderTest) {
    let id = agent_id(&bob());
    store.on_duty(&bob()).await;
    store.agents.deactivate(&id).await.unwrap();
    assert!(!store.agents.register(id.clone(), name("Bob"), at(9)).await.unwrap().active);
    assert!(store.agents.find(&id).await.unwrap().is_some_and(|agent| !agent.active));
}

async fn concurrent_registrations_enter_one_agent(store: &StoreUnderTest) {
    let id = agent_id(&bob());
    let register = |n| {
        let (agents, id) = (Arc::clone(&store.agents), id.clone());
        async move { agents.register(id, None, at(n)).await.unwrap() }
    };
    let answers = at_once((0..16).map(register)).await;
    let stored = store.agents.list().await.unwrap();
    let [agent] = stored.as_slice() else { panic!("one agent, not {stored:?}") };
    assert!(answers.iter().all(|answer| answer == agent), "everyone gets the agent who was entered");
}

async fn concurrent_puts_enter_one_agent(store: &StoreUnderTest) {
    let id = agent_id(&bob());
    let put = |n| {
        let (agents, id) = (Arc::clone(&store.agents), id.clone());
        async move { agents.put(id, AgentUpdate::default(), at(n)).await.unwrap() }
    };
    let answers = at_once((0..16).map(put)).await;
    assert_eq!(answers.iter().filter(|(_, is_new)| *is_new).count(), 1, "one of them is the first");
    assert_eq!(store.agents.list().await.unwrap().len(), 1);
}

async fn deactivating_keeps_the_agent_in_the_directory(store: &StoreUnderTest) {
    let id = agent_id(&bob());
    let agent = store.agents.register(id.clone(), name("Bob"), at(3)).await.unwrap();
    let deactivated = Some(Agent { active: false, ..agent });
    assert_eq!(store.agents.deactivate(&id).await.unwrap(), deactivated);
    assert_eq!(store.agents.deactivate(&id).await.unwrap(), deactivated, "doing it again changes nothing");
    assert_eq!(store.agents.find(&id).await.unwrap(), deactivated);
}

async fn deactivating_an_unknown_agent_finds_nothing(store: &StoreUnderTest) {
    assert_eq!(store.agents.deactivate(&agent_id(&bob())).await.unwrap(), None);
    assert_eq!(store.agents.list().await.unwrap(), []);
}

async fn a_deactivated_agent_is_brought_back_by_an_update(store: &StoreUnderTest) {
    let session = store.waiting(1).await;
    store.on_duty(&bob()).await;
    store.agents.deactivate(&agent_id(&bob())).await.unwrap();
    let update = AgentUpdate { display_name: None, active: Some(true) };
    store.agents.put(agent_id(&bob()), update, at(9)).await.unwrap();
    store.change(session, &bob(), assign(&bob())).await;
}

async fn the_deactivated_among_many_agents_are_found(store: &StoreUnderTest) {
    let agents: Vec<AgentId> = (0..600).map(|n| AgentId::parse(&format!("agent {n}")).expect("a valid id")).collect();
    // Every third is in the directory, every ninth deactivated.
    for id in agents.iter().step_by(3) {
        store.agents.register(id.clone(), None, at(1)).await.unwrap();
    }
    let mut expected: Vec<AgentId> = agents.iter().step_by(9).cloned().collect();
    for id in &expected {
        store.agents.deactivate(id).await.unwrap();
    }
    let mut found = store.agents.deactivated_among(agents).await.unwrap();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
    assert!(store.agents.deactivated_among(Vec::new()).await.unwrap().is_empty());
}

async fn a_status_stays_until_it_is_set_again(store: &StoreUnderTest) {
    let (id, agents) = (agent_id(&bob()), &store.agents);
    store.on_duty(&bob()).await;
    store.on_duty(&carol()).await;
    for status in [AgentStatus::Away, AgentStatus::Away, AgentStatus::Online, AgentStatus::Away] {
        let set = agents.set_status(&id, status).await.unwrap();
        assert_eq!(set.as_ref().map(|agent| agent.status), Some(status));
        assert_eq!(agents.find(&id).await.unwrap(), set);
    }
    let update = |active| AgentUpdate { display_name: name("Bob"), active };
    agents.put(id.clone(), update(None), at(2)).await.unwrap();
    agents.deactivate(&id).await.unwrap();
    agents.put(id.clone(), update(Some(true)), at(3)).await.unwrap();
    let registered = agents.register(id.clone(), name("Robert"), at(4)).await.unwrap();
    assert_eq!((registered.status, registered.active), (AgentStatus::Away, true));
    let listed = agents.list().await.unwrap();
    let statuses: Vec<AgentStatus> = listed.into_iter().map(|agent| agent.status).collect();
    assert_eq!(statuses, [AgentStatus::Away, AgentStatus::Online], "that of Carol was not set");
}

async fn the_status_of_a_deactivated_agent_stays_as_it_is(store: &StoreUnderTest) {
    let id = agent_id(&bob());
    store.on_duty(&bob()).await;
    let deactivated = store.agents.deactivate(&id).await.unwrap();
    assert_eq!(store.agents.set_status(&id, AgentStatus::Away).await.unwrap(), deactivated);
    assert_eq!(store.agents.find(&id).await.unwrap(), deactivated);
    assert!(deactivated.is_some_and(|agent| !agent.active && agent.status == AgentStatus::Online));
}

async fn setting_the_status_of_an_unknown_agent_finds_nothing(store: &StoreUnderTest) {
    assert_eq!(store.agents.set_status(&agent_id(&bob()), AgentStatus::Away).await.unwrap(), None);
    assert_eq!(store.agents.list().await.unwrap(), []);
}

/// Checks that a write was refused because of the agent who asked for it.
#[track_caller]
fn assert_refused<T: std::fmt::Debug>(outcome: &chat_domain::Result<T>) {
    assert!(matches!(outcome, Err(ChatError::Forbidden(Refusal::AgentDeactivated))), "{outcome:?}");
}

async fn a_deactivated_agent_changes_nothing(store: &StoreUnderTest) {
    let (held, waiting) = (store.held_by_bob(1).await, store.waiting(2).await);
    store.on_duty(&carol()).await;
    let asked = store.say(held, &alice(), 1).await;
    // Twice, so that a store has the session in mind, and with a key, which is no way around it either.
    store.say(held, &bob(), 2).await;
    store.messages.append(keyed(draft(held, &bob(), 3), "k")).await.unwrap();
    store.agents.deactivate(&agent_id(&bob())).await.unwrap();
    let (before, messages) = (store.session(held).await, &store.messages);

    assert_refused(&messages.append(draft(held, &bob(), 4)).await);
    assert_refused(&messages.append(keyed(draft(held, &bob(), 3), "k")).await);
    assert_refused(&messages.mark_read(held, bob(), vec![asked.id], at(2_000)).await);
    assert_refused(&messages.mark_read_up_to(held, bob(), Seq::new(99), at(2_000)).await);
    assert_refused(&messages.mark_delivered(held, bob(), Seq::new(99), at(2_000)).await);
    for (session, action) in [
        (waiting, assign(&bob())),
        (held, transfer(&carol())),
        (held, update(DetailsUpdate::default())),
        (held, SessionAction::Close),
        (held, assign(&bob())),
    ] {
        assert_refused(&store.sessions.change(session, change(&bob(), action, 2_000)).await);
    }
    assert_eq!(store.session(held).await, before);

    // In one batch with the messages of others, those are taken and theirs are not.
    let send = |author: Principal, n| {
        let messages = Arc::clone(messages);
        async move { messages.append(draft(held, &author, n)).await }
    };
    let outcomes = at_once((5..25).map(|n| send(if n % 2 == 0 { alice() } else { bob() }, n))).await;
    for (n, outcome) in (5..25).zip(outcomes) {
        if n % 2 == 0 { drop(outcome.unwrap()) } else { assert_refused(&outcome) }
    }
    assert_eq!(store.session(held).await.progress.message_count, before.progress.message_count + 10);
    let update = AgentUpdate { display_name: None, active: Some(true) };
    store.agents.put(agent_id(&bob()), update, at(9)).await.unwrap();
    store.say(held, &bob(), 30).await;
    store.change(held, &root(), SessionAction::Close).await;
    assert_published_as_logged(store, held).await;
}

async fn a_person_who_is_no_agent_any_more_is_not_refused_as_one(store: &StoreUnderTest) {
    store.on_duty(&alice()).await;
    store.agents.deactivate(&agent_id(&alice())).await.unwrap();
    let session = store.waiting(1).await;
    store.say(session, &alice(), 1).await;
    let admin = Principal { role: Role::Admin, ..alice() };
    store.change(session, &admin, SessionAction::Close).await;
}
