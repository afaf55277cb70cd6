//! What several nodes on one database promise together. What each of them promises alone stands in the other suites.
//!
//! The nodes of an adapter are stores with a notifier each over the same data. Where one process has the data for itself,
//! as with memory, its nodes are handles of one store: then the cases still say what callers may rely on.

use std::sync::Arc;

use chat_domain::ChatError;
use chat_domain::error::{Conflict, Resource};
use chat_domain::model::{
    AgentUpdate, EventChange, MessageDraft, PersonName, Role, Seq, SessionAction, SessionPosition, SessionQuery,
    SessionStatus, UploadQuota, Visibility,
};

use super::checks::{Choices, ROUNDS, at_once, messages_in, whole_history};
pub use super::node_stores::Nodes;
use super::node_stores::{assert_published_once, assert_publisher};
use super::{
    StoreUnderTest, contract_cases, inbox, presence_store, revocation_store, session_update, stats_reader, times,
    upload_registry,
};
use crate::fixtures::{
    agent_id, alice, assign, at, bob, carol, change, draft, idempotency, keyed, limit, message_id, named, new_session,
    new_session_of, page, person, root, session_id, start, transfer,
};

contract_cases! { $ nodes_contract for nodes on crate::contract::nodes::Nodes:
    of_assignments_on_all_nodes_one_wins,
    of_updates_of_one_version_on_all_nodes_one_wins,
    a_close_on_one_node_ends_the_messages_of_all_and_loses_none,
    repetitions_of_a_key_on_all_nodes_append_one_message,
    repetitions_of_a_key_on_all_nodes_open_one_session,
    of_openings_on_all_nodes_as_many_succeed_as_there_is_room_for,
    of_messages_with_an_upload_on_all_nodes_one_is_sent,
    uploads_on_all_nodes_do_not_exceed_the_quota,
    messages_of_all_nodes_take_positions_without_gap,
    each_node_publishes_what_it_committed_once_and_in_order,
    receipts_of_one_node_count_the_messages_of_another,
    readings_up_to_a_position_on_all_nodes_name_each_message_once,
    all_nodes_know_the_same_heads_and_the_same_epoch,
    statistics_and_totals_equal_a_recount_after_writes_on_all_nodes,
    an_agent_deactivated_on_one_node_receives_nothing_on_another,
    a_node_that_reads_on_misses_no_revocation_of_any_node,
    concurrent_changes_of_a_persons_access_on_all_nodes_are_all_kept,
    times_do_not_go_back_between_nodes_whose_clocks_differ,
    an_inbox_shows_on_every_node_what_was_written_on_any,
    a_name_that_is_changed_through_one_node_is_shown_by_another,
    people_who_write_on_all_nodes_at_once_do_not_deadlock,
    an_agent_who_was_seen_at_one_node_is_seen_by_all,
    concurrent_notes_of_the_same_agents_on_all_nodes_keep_the_newest_times,
}

async fn of_assignments_on_all_nodes_one_wins(nodes: &Nodes) {
    let agents: Vec<_> = (0..16).map(|n| person(&format!("agent-{n}"), Role::Agent)).collect();
    for agent in &agents {
        nodes.on_duty(agent).await;
    }
    for round in 1..=ROUNDS {
        let id = nodes.waiting(round).await;
        let claim = |(n, agent)| {
            let sessions = Arc::clone(&nodes.at(n).sessions);
            async move { sessions.change(id, change(&agent, assign(&agent), 60)).await }
        };
        let answers = at_once((0..).zip(agents.clone()).map(claim)).await;
        let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
        let [Ok(winner)] = won.as_slice() else { panic!("one winner, not {}", won.len()) };
        for error in lost.into_iter().filter_map(Result::err) {
            assert!(matches!(error, ChatError::Conflict(Conflict::AlreadyAssigned)), "{error}");
        }
        for node in &nodes.0 {
            assert_eq!(node.session(id).await, *winner);
        }
        assert_eq!(assert_published_once(nodes, id).await.len(), 2);
    }
}

async fn of_updates_of_one_version_on_all_nodes_one_wins(nodes: &Nodes) {
    for round in 1..=ROUNDS {
        let id = nodes.waiting(round).await;
        let winner = session_update::race(|n| Arc::clone(&nodes.at(n).sessions), id, 1).await;
        let log = assert_published_once(nodes, id).await;
        assert_eq!((log.len(), &log[1].change), (2, &EventChange::Updated(winner.in_event())));
    }
}

async fn a_close_on_one_node_ends_the_messages_of_all_and_loses_none(nodes: &Nodes) {
    for round in 1..=ROUNDS {
        let id = nodes.waiting(round).await;
        let send = |sender: u64| {
            // The ninth closes, each round on another node.
            let node = nodes.at(if sender == 8 { round } else { sender });
            let (messages, sessions) = (Arc::clone(&node.messages), Arc::clone(&node.sessions));
            async move {
                let mut taken = Vec::new();
                for n in 0..16 {
                    if sender == 8 && n == 3 {
                        sessions.change(id, change(&alice(), SessionAction::Close, 2_000)).await.unwrap();
                    }
                    match messages.append(draft(id, &alice(), sender * 100 + n)).await {
                        Ok(appended) => taken.push(appended.message),
                        Err(ChatError::Conflict(Conflict::SessionClosed)) => break,
                        Err(error) => panic!("{error}"),
                    }
                }
                taken
            }
        };
        let mut taken: Vec<_> = at_once((0..=8).map(send)).await.into_iter().flatten().collect();
        taken.sort_by_key(|message| message.seq);
        let log = assert_published_once(nodes, id).await;
        assert!(
            matches!(log.last().map(|event| &event.change), Some(EventChange::Closed(_))),
            "nothing after the close"
        );
        assert_eq!(messages_in(&log), taken, "every acknowledged message, and no other");
        for node in &nodes.0 {
            assert_eq!(whole_history(node, id).await, taken);
        }
    }
}

async fn repetitions_of_a_key_on_all_nodes_append_one_message(nodes: &Nodes) {
    const SESSIONS: u64 = 20;
    const KEYS: u64 = 1_000;
    const REPETITIONS: u64 = 32;
    /// How many keys are repeated at the same time.
    const TOGETHER: u64 = 50;
    for n in 0..SESSIONS {
        nodes.waiting(n).await;
    }
    let mut answered = Vec::new();
    for first in (0..KEYS).step_by(usize::try_from(TOGETHER).expect("small")) {
        let send = |n: u64| {
            let (key, repetition) = (first + n / REPETITIONS, n % REPETITIONS);
            let messages = Arc::clone(&nodes.at(repetition).messages);
            let sent = keyed(draft(session_id(key % SESSIONS), &alice(), key), &format!("k{key}"));
            let sent = MessageDraft { id: message_id(key * REPETITIONS + repetition), ..sent };
            async move { messages.append(sent).await.unwrap() }
        };
        let answers = at_once((0..TOGETHER * REPETITIONS).map(send)).await;
        for of_key in answers.chunks(usize::try_from(REPETITIONS).expect("small")) {
            assert_eq!(of_key.iter().filter(|answer| !answer.replayed).count(), 1, "one request appends it");
            let first = &of_key[0].message;
            assert!(of_key.iter().all(|answer| answer.message == *first), "everyone gets the same answer");
            answered.push(first.clone());
        }
    }
    answered.sort_by_key(|message| (message.session_id, message.seq));
    let mut stored = Vec::new();
    for n in 0..SESSIONS {
        stored.extend(messages_in(&assert_published_once(nodes, session_id(n)).await));
    }
    assert_eq!(stored.len() as u64, KEYS);
    assert!(stored == answered, "what was answered is what is stored");
    assert_eq!(nodes.stats.read().await.unwrap().messages, KEYS);
}

async fn repetitions_of_a_key_on_all_nodes_open_one_session(nodes: &Nodes) {
    const KEYS: u64 = 50;
    const REPETITIONS: u64 = 8;
    let open = |n: u64| {
        let sessions = Arc::clone(&nodes.at(n).sessions);
        let key = Some(idempotency(&format!("k{}", n / REPETITIONS), "same"));
        async move { sessions.open(new_session(n), alice(), key).await.unwrap() }
    };
    let answers = at_once((0..KEYS * REPETITIONS).map(open)).await;
    for of_key in answers.chunks(usize::try_from(REPETITIONS).expect("small")) {
        assert_eq!(of_key.iter().filter(|answer| !answer.replayed).count(), 1, "one request opens it");
        let first = &of_key[0].session;
        assert!(of_key.iter().all(|answer| answer.session == *first), "everyone gets the same answer");
        assert_eq!(assert_published_once(nodes, first.id).await.len(), 1);
    }
    for node in &nodes.0 {
        assert_eq!(node.stats.read().await.unwrap().total_sessions, KEYS);
        assert_eq!(total(node, Visibility::Everything, None).await, KEYS);
    }
}

async fn of_openings_on_all_nodes_as_many_succeed_as_there_is_room_for(nodes: &Nodes) {
    const LIMIT: u32 = 20;
    for round in 1..=ROUNDS {
        let customer = person(&format!("customer-{round}"), Role::User);
        let open = |n: u64| {
            let sessions = Arc::clone(&nodes.at(n).sessions);
            let (session, creator) = (new_session_of(&customer, round * 100 + n), customer.clone());
            async move { sessions.open_within(LIMIT, session, creator, None).await }
        };
        let answers = at_once((0..40).map(open)).await;
        let (opened, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
        for error in refused.into_iter().filter_map(Result::err) {
            assert!(matches!(error, ChatError::LimitReached(_)), "{error}");
        }
        assert_eq!(opened.len(), 20, "round {round}");
        for node in &nodes.0 {
            assert_eq!(total(node, Visibility::OwnedBy(customer.id.clone()), None).await, 20);
        }
    }
}

async fn of_messages_with_an_upload_on_all_nodes_one_is_sent(nodes: &Nodes) {
    let id = nodes.waiting(1).await;
    for round in 1..=ROUNDS {
        let upload = upload_registry::upload(round, &alice(), id, 5);
        nodes.at(round).uploads.register(upload, upload_registry::QUOTA).await.unwrap();
        let send = |n: u64| {
            let messages = Arc::clone(&nodes.at(n).messages);
            let message = upload_registry::draft_with(id, &alice(), round * 100 + n, &[round]);
            async move { messages.append(message).await }
        };
        let answers = at_once((0..8).map(send)).await;
        let (sent, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
        assert_eq!(sent.len(), 1, "round {round}");
        for answer in &refused {
            upload_registry::assert_blames(answer, "attachmentIds[0]");
        }
    }
    assert_eq!(messages_in(&assert_published_once(nodes, id).await).len() as u64, ROUNDS);
}

async fn uploads_on_all_nodes_do_not_exceed_the_quota(nodes: &Nodes) {
    let id = nodes.waiting(1).await;
    let quota = UploadQuota { files: 6, bytes: 40 };
    for round in 1..=ROUNDS {
        let uploader = person(&format!("customer-{round}"), Role::User);
        let register = |n: u64| {
            let uploads = Arc::clone(&nodes.at(n).uploads);
            let upload = upload_registry::upload(round * 100 + n, &uploader, id, 10);
            async move { uploads.register(upload, quota).await.is_ok() }
        };
        let taken = at_once((0..16).map(register)).await;
        assert_eq!(taken.into_iter().filter(|taken| *taken).count(), 4, "round {round}");
    }
}

async fn messages_of_all_nodes_take_positions_without_gap(nodes: &Nodes) {
    const SESSIONS: u64 = 4;
    for n in 0..SESSIONS {
        nodes.waiting(n).await;
    }
    let send = |sender: u64| {
        let messages = Arc::clone(&nodes.at(sender).messages);
        async move {
            let mut answered = Vec::new();
            for n in 0..24 {
                // All go through all sessions, half of them from the last to the first.
                let turn = if sender.is_multiple_of(4) { SESSIONS * 6 - 1 - n } else { n };
                let message = draft(session_id(turn % SESSIONS), &alice(), sender * 100 + n);
                answered.push(messages.append(message).await.unwrap().message);
            }
            answered
        }
    };
    let answers = at_once((0..12).map(send)).await;
    for (sender, message) in (0..).zip(&answers).flat_map(|(sender, sent)| sent.iter().map(move |m| (sender, m))) {
        assert_publisher(nodes.at(sender), message);
    }
    for n in 0..SESSIONS {
        let id = session_id(n);
        let mut answered: Vec<_> = answers.iter().flatten().filter(|message| message.session_id == id).collect();
        answered.sort_by_key(|message| message.seq);
        // That the log has no gap, and is the same on all nodes, is checked as it is read.
        let logged = messages_in(&assert_published_once(nodes, id).await);
        assert_eq!(logged.iter().collect::<Vec<_>>(), answered);
        for node in &nodes.0 {
            assert_eq!(whole_history(node, id).await, logged, "every node pages in the same order");
            assert_eq!(node.session(id).await.progress.message_count, 72);
        }
    }
}

async fn each_node_publishes_what_it_committed_once_and_in_order(nodes: &Nodes) {
    let ids = [nodes.held_by_bob(0).await, nodes.held_by_bob(1).await, nodes.held_by_bob(2).await];
    nodes.on_duty(&carol()).await;
    let work = |n: u64| {
        let node = nodes.at(n);
        let (messages, sessions) = (Arc::clone(&node.messages), Arc::clone(&node.sessions));
        let id = ids[usize::try_from(n / 2 % 3).expect("small")];
        async move {
            let mut answered = Vec::new();
            for step in 0..8 {
                let number = n * 10 + step;
                answered.push(messages.append(draft(id, &alice(), number)).await.unwrap().message);
                match (n + step) % 4 {
                    0 => drop(messages.mark_read(id, root(), vec![message_id(number)], at(number)).await.unwrap()),
                    1 => drop(sessions.change(id, change(&root(), transfer(&carol()), number)).await.unwrap()),
                    2 => drop(sessions.change(id, change(&root(), transfer(&bob()), number)).await.unwrap()),
                    _ => {}
                }
            }
            answered
        }
    };
    let answers = at_once((0..12).map(work)).await;
    for (n, answered) in (0..).zip(&answers) {
        for message in answered {
            assert_publisher(nodes.at(n), message);
        }
    }
    for id in ids {
        let log = assert_published_once(nodes, id).await;
        assert_eq!(messages_in(&log).len(), 32);
        assert!(log.iter().any(|event| matches!(event.change, EventChange::Transferred(_))), "not only messages");
    }
}

async fn receipts_of_one_node_count_the_messages_of_another(nodes: &Nodes) {
    let ids = [nodes.held_by_bob(0).await, nodes.held_by_bob(1).await];
    let work = |n: u64| {
        let (sender, reader) = (Arc::clone(&nodes.at(n).messages), Arc::clone(&nodes.at(n + 1).messages));
        let id = ids[usize::try_from(n / 2 % 2).expect("small")];
        let (author, other) = if n < 8 { (alice(), bob()) } else { (bob(), alice()) };
        async move {
            for step in 0..6 {
                let number = n * 10 + step;
                let sent = sender.append(draft(id, &author, number)).await.unwrap().message;
                reader.mark_delivered(id, other.clone(), sent.seq, at(number)).await.unwrap();
                // Every third stays unread.
                if step % 3 > 0 {
                    let receipt = reader.mark_read(id, other.clone(), vec![sent.id], at(number)).await.unwrap();
                    assert!(receipt.is_some(), "the message was unread");
                }
            }
        }
    };
    at_once((0..16).map(work)).await;
    for id in ids {
        let log = assert_published_once(nodes, id).await;
        assert_eq!(messages_in(&log).len(), 48);
        for node in &nodes.0 {
            let progress = node.session(id).await.progress;
            assert_eq!(progress.message_count, 48);
            assert_eq!((progress.unread_by_user, progress.unread_by_support), (8, 8));
        }
    }
}

async fn readings_up_to_a_position_on_all_nodes_name_each_message_once(nodes: &Nodes) {
    const EACH: u64 = 24;
    let id = nodes.held_by_bob(1).await;
    let work = |worker: u64| {
        let (sender, reader) = (Arc::clone(&nodes.at(worker).messages), Arc::clone(&nodes.at(worker + 1).messages));
        async move {
            for n in 0..EACH {
                let number = worker * EACH + n;
                let sent = sender.append(draft(id, &alice(), number)).await.unwrap().message;
                // Up to just before it, so that something is left to those who come later.
                reader.mark_read_up_to(id, bob(), Seq::new(sent.seq.get() - 1), at(number)).await.unwrap();
            }
        }
    };
    at_once((0..4).map(work)).await;
    nodes.at(1).messages.mark_read_up_to(id, bob(), Seq::new(u64::MAX), at(200)).await.unwrap();
    let log = assert_published_once(nodes, id).await;
    let read = log.iter().filter_map(|event| match &event.change {
        EventChange::Receipt(receipt) => Some(receipt.messages.clone()),
        _ => None,
    });
    let mut read: Vec<_> = read.flatten().collect();
    read.sort();
    assert_eq!(read, (0..4 * EACH).map(message_id).collect::<Vec<_>>());
    for node in &nodes.0 {
        assert_eq!(node.session(id).await.progress.unread_by_support, 0);
    }
}

async fn all_nodes_know_the_same_heads_and_the_same_epoch(nodes: &Nodes) {
    let ids = [nodes.at(0).waiting(1).await, nodes.at(1).waiting(2).await];
    nodes.at(0).say(ids[1], &alice(), 1).await;
    let epoch = nodes.events.epoch().await.unwrap();
    for node in &nodes.0 {
        let mut heads = node.events.heads(ids.to_vec()).await.unwrap();
        heads.sort();
        assert_eq!(heads, [(ids[0], Seq::new(1)), (ids[1], Seq::new(2))]);
        assert_eq!(node.events.epoch().await.unwrap(), epoch);
    }
}

async fn statistics_and_totals_equal_a_recount_after_writes_on_all_nodes(nodes: &Nodes) {
    const SESSIONS: u64 = 6;
    stats_reader::prepare(nodes, SESSIONS).await;
    let work = |worker: u64| {
        let node = nodes.at(worker);
        let (sessions, messages) = (Arc::clone(&node.sessions), Arc::clone(&node.messages));
        async move {
            let mut choices = Choices::seeded(worker);
            for n in 0..40 {
                stats_reader::step(&*sessions, &*messages, &mut choices, (worker * 1_000 + n, SESSIONS)).await;
            }
        }
    };
    at_once((1..=8).map(work)).await;
    let mut all = Vec::new();
    for n in 0..SESSIONS {
        assert_published_once(nodes, session_id(n)).await;
        all.push(nodes.session(session_id(n)).await);
    }
    let [bobs, carols] = [bob(), carol()].map(|agent| Visibility::AssignedToOrWaiting(agent_id(&agent)));
    for node in &nodes.0 {
        stats_reader::assert_recount(node, SESSIONS).await;
        for visible in [Visibility::Everything, Visibility::OwnedBy(alice().id), bobs.clone(), carols.clone()] {
            for status in [None, Some(SessionStatus::Active), Some(SessionStatus::Closed)] {
                let counts = |session: &&_| visible.includes(session) && status.is_none_or(|of| of.includes(session));
                let recounted = all.iter().filter(counts).count() as u64;
                assert_eq!(total(node, visible.clone(), status).await, recounted, "{visible:?} {status:?}");
            }
        }
    }
}

/// How many sessions a list says that it has.
async fn total(node: &StoreUnderTest, visible: Visibility, status: Option<SessionStatus>) -> u64 {
    let query = SessionQuery { visible, status, position: SessionPosition::Page(page(1)), limit: limit(1) };
    node.sessions.list(&query).await.unwrap().total
}

async fn an_agent_deactivated_on_one_node_receives_nothing_on_another(nodes: &Nodes) {
    for round in 0..4 {
        let id = nodes.waiting(round).await;
        let (one, other) = (nodes.at(round), nodes.at(round + 1));
        one.on_duty(&bob()).await;
        one.agents.deactivate(&agent_id(&bob())).await.unwrap();
        let refused = other.sessions.change(id, change(&root(), assign(&bob()), 60)).await;
        assert!(matches!(refused, Err(ChatError::NotFound(Resource::Agent))), "{refused:?}");
        let active = AgentUpdate { active: Some(true), ..AgentUpdate::default() };
        other.agents.put(agent_id(&bob()), active, start()).await.unwrap();
        one.change(id, &root(), assign(&bob())).await;
        assert_eq!(assert_published_once(nodes, id).await.len(), 2);
    }
}

async fn a_node_that_reads_on_misses_no_revocation_of_any_node(nodes: &Nodes) {
    revocation_store::assert_reading_on_misses_nothing(&nodes.0).await;
}

async fn concurrent_changes_of_a_persons_access_on_all_nodes_are_all_kept(nodes: &Nodes) {
    revocation_store::assert_concurrent_changes_are_kept(&nodes.0).await;
}

async fn times_do_not_go_back_between_nodes_whose_clocks_differ(nodes: &Nodes) {
    let id = nodes.held_by_bob(1).await;
    // The second node is three seconds behind the first. Questions come to the one and answers to the other.
    for n in 0..20_u64 {
        let (question, answer) = (100 + 2 * n, 100 + 2 * n + 1);
        nodes.at(0).messages.append(draft(id, &alice(), question)).await.unwrap();
        let late = MessageDraft { sent_at: at(answer - 3), ..draft(id, &bob(), answer) };
        nodes.at(1).messages.append(late).await.unwrap();
        let up_to = Seq::new(2 * n + 4);
        let node = nodes.at(n);
        node.messages.mark_delivered(id, alice(), up_to, at(answer - 3)).await.unwrap();
    }
    let closed = nodes.at(1).sessions.change(id, change(&alice(), SessionAction::Close, 1)).await.unwrap();
    let log = assert_published_once(nodes, id).await;
    times::assert_times_in_order(&log);
    assert_eq!(closed.ended_at(), log.last().map(|event| event.at));
    let messages = whole_history(nodes, id).await;
    assert!(messages.is_sorted_by_key(|message| message.sent_at), "no answer before its question");
    let figures = nodes.stats.read().await.unwrap();
    assert_eq!((figures.responses, figures.response_time_ms), (20, 0), "a time of a clock that is behind is no time");
}

async fn an_inbox_shows_on_every_node_what_was_written_on_any(nodes: &Nodes) {
    inbox::check_on_all(&nodes.0.iter().collect::<Vec<_>>()).await;
}

/// The last node remembers no person, so that it shows at once what the others show within `MAX_PEOPLE_AGE`.
async fn a_name_that_is_changed_through_one_node_is_shown_by_another(nodes: &Nodes) {
    let (first, last) = (&nodes.0[0], &nodes.0[nodes.0.len() - 1]);
    let id = nodes.waiting(1).await;
    for (n, name) in (1..).zip(["Alice", "Alicia", "Al"]) {
        first.say(id, &named(alice(), name), n).await;
        for node in [first, last] {
            assert_eq!(node.name_of(&alice()).await.as_deref(), Some(name));
        }
        last.say(id, &alice(), 10 + n).await;
        let published = last.notifier.changes_of(id);
        let shown = published.last().and_then(|event| event.people.find(&alice().id)?.name.as_ref());
        assert_eq!(shown.map(PersonName::as_str), Some(name), "its events show it too");
    }
}

async fn people_who_write_on_all_nodes_at_once_do_not_deadlock(nodes: &Nodes) {
    const PEOPLE: u64 = 20;
    for n in 1..=PEOPLE {
        let owner = person(&format!("customer {n}"), Role::User);
        nodes.sessions.open(new_session_of(&owner, n), owner, None).await.unwrap();
    }
    for round in 1..=ROUNDS {
        let send = |n: u64| {
            let (customer, node) = (1 + n % PEOPLE, nodes.at(n / PEOPLE));
            let messages = Arc::clone(&node.messages);
            let owner = named(person(&format!("customer {customer}"), Role::User), &format!("Name {round}"));
            async move { messages.append(draft(session_id(customer), &owner, round * 1_000 + n)).await.unwrap() }
        };
        at_once((0..PEOPLE * 4).map(send)).await;
    }
    for n in 1..=PEOPLE {
        let name = nodes.at(1).name_of(&person(&format!("customer {n}"), Role::User)).await;
        assert_eq!(name, Some(format!("Name {ROUNDS}")));
    }
}

async fn an_agent_who_was_seen_at_one_node_is_seen_by_all(nodes: &Nodes) {
    presence_store::assert_seen_on_all(&nodes.0).await;
}

async fn concurrent_notes_of_the_same_agents_on_all_nodes_keep_the_newest_times(nodes: &Nodes) {
    presence_store::race(|n| Arc::clone(&nodes.at(n).presence), nodes).await;
}
