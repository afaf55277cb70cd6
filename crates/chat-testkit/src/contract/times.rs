//! That no time of a session goes back, whatever the clocks of those say who write: a node whose clock is behind decides
//! after one whose clock is ahead.

use chat_domain::model::{ChatMessage, MessageCursor, MessageId, MessageQuery, Seq, SessionAction, SessionEvent};

use super::checks::{assert_published_as_logged, whole_history};
use super::{StoreUnderTest, contract_cases};
use crate::fixtures::{
    agent_id, alice, assign, at, bob, change, draft, limit, message_id, new_session, root, session_id, start, transfer,
};

contract_cases! { $ times_contract for times on crate::contract::StoreUnderTest:
    no_time_of_a_session_goes_back_when_a_clock_is_behind,
    a_response_by_a_clock_that_is_behind_took_no_time,
    messages_are_paged_by_position_where_ids_and_times_disagree,
}

/// Checks that the times of a log never go back.
pub(super) fn assert_times_in_order(log: &[SessionEvent]) {
    assert!(log.is_sorted_by_key(|event| event.at), "{:?}", log.iter().map(|event| event.at).collect::<Vec<_>>());
}

async fn no_time_of_a_session_goes_back_when_a_clock_is_behind(store: &StoreUnderTest) {
    let opened = store.sessions.open(new_session(100), alice(), None).await.unwrap().session;
    let id = opened.id;
    store.on_duty(&bob()).await;
    store.agents.register(agent_id(&root()), None, start()).await.unwrap();
    // Every other change is by a clock that is three seconds and more behind.
    store.sessions.change(id, change(&root(), assign(&bob()), 97)).await.unwrap();
    store.messages.append(draft(id, &alice(), 110)).await.unwrap();
    store.messages.append(draft(id, &bob(), 107)).await.unwrap();
    store.messages.mark_delivered(id, bob(), Seq::new(3), at(90)).await.unwrap().unwrap();
    store.messages.mark_read_up_to(id, bob(), Seq::new(3), at(80)).await.unwrap().unwrap();
    store.messages.mark_read(id, alice(), vec![message_id(107)], at(70)).await.unwrap().unwrap();
    store.messages.append(draft(id, &alice(), 60)).await.unwrap();
    store.sessions.change(id, change(&root(), transfer(&root()), 50)).await.unwrap();
    let closed = store.sessions.change(id, change(&alice(), SessionAction::Close, 40)).await.unwrap();
    store.messages.mark_read_up_to(id, root(), Seq::new(99), at(30)).await.unwrap().unwrap();

    let log = assert_published_as_logged(store, id).await;
    assert_times_in_order(&log);
    assert_eq!(log.iter().map(|event| event.at).collect::<Vec<_>>()[..3], [at(100), at(100), at(110)]);
    assert_eq!(closed.ended_at(), Some(at(110)));
    let session = store.session(id).await;
    assert_eq!((session.ended_at(), session.progress.last_event_at), (Some(at(110)), at(110)));
    for message in whole_history(store, id).await {
        assert_eq!(message.sent_at, at(110), "{message:?}");
        assert!(message.delivery.delivered_at().is_some_and(|delivered| delivered >= message.sent_at), "{message:?}");
        assert!(message.delivery.read_at() >= message.delivery.delivered_at(), "{message:?}");
    }
    // A clock that is ahead moves the time on.
    store.sessions.open(new_session(1), alice(), None).await.unwrap();
    store.messages.append(draft(session_id(1), &alice(), 9)).await.unwrap();
    assert_eq!(store.session(session_id(1)).await.progress.last_event_at, at(9));
}

async fn a_response_by_a_clock_that_is_behind_took_no_time(store: &StoreUnderTest) {
    let id = store.held_by_bob(1).await;
    store.say(id, &alice(), 20).await;
    let answer = store.say(id, &bob(), 17).await;
    assert_eq!(answer.sent_at, at(20));
    store.say(id, &alice(), 18).await;
    // From the time that the question has, and not from what its node's clock said.
    store.say(id, &bob(), 25).await;
    let figures = store.stats.read().await.unwrap();
    assert_eq!((figures.responses, figures.response_time_ms), (2, 5_000));
}

async fn messages_are_paged_by_position_where_ids_and_times_disagree(store: &StoreUnderTest) {
    let id = store.waiting(1).await;
    // The ids hold a time too, that of the node that made them.
    let numbers = [50, 20, 40, 10, 30];
    for number in numbers {
        store.say(id, &alice(), number).await;
    }
    let ids = |messages: Vec<ChatMessage>| messages.into_iter().map(|message| message.id).collect::<Vec<MessageId>>();
    let page = async |cursor| {
        let query = MessageQuery { cursor, limit: limit(2), known: None };
        let snapshot = store.messages.page(id, query).await.unwrap().unwrap();
        let page = snapshot.page.page().unwrap();
        (ids(page.messages), page.has_more)
    };
    let named = |numbers: &[u64]| numbers.iter().copied().map(message_id).collect::<Vec<_>>();
    assert_eq!(page(MessageCursor::Newest).await, (named(&[10, 30]), true));
    assert_eq!(page(MessageCursor::Before(message_id(10))).await, (named(&[20, 40]), true));
    assert_eq!(page(MessageCursor::Before(message_id(20))).await, (named(&[50]), false));
    assert_eq!(page(MessageCursor::After(message_id(50))).await, (named(&[20, 40]), true));
    assert_eq!(ids(whole_history(store, id).await), named(&numbers));
}
