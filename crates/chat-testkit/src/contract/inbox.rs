//! What every `SessionRepository` shows of an inbox.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::Arc;

use chat_domain::inbox::{InboxCounts, InboxFilter, InboxOwner, InboxQuery, InboxView, MAX_FILTERED};
use chat_domain::model::{
    ChatMessage, ChatSession, DetailsUpdate, EventChange, MessageDraft, NewSession, Party, Principal, Priority, Seq,
    SessionAction, SessionId, Tags, Timestamp,
};
use chat_domain::ports::SessionRepository;

use super::checks::{Choices, at_once, whole_history, whole_log};
use super::{StoreUnderTest, contract_cases};
use crate::fixtures::{
    agent_id, alice, assign, at, attachment, bob, carol, change, content, draft, limit, mallory, message_id,
    new_session, new_session_of, root, session_id, transfer, update,
};

contract_cases! { $ inbox_contract for inbox on crate::contract::StoreUnderTest:
    an_empty_inbox_counts_nothing,
    an_item_shows_the_newest_message_of_its_session,
    an_item_knows_since_when_its_customer_waits,
    activity_is_opening_assignment_transfer_and_message,
    equal_moments_are_ordered_by_descending_id,
    every_view_is_right_after_any_history,
    pages_divide_a_view,
    filters_show_what_they_name_and_leave_the_counts,
    a_filter_looks_at_a_bounded_number_and_says_where_to_go_on,
    a_walk_through_a_view_sees_each_lasting_session_once_while_others_come_and_go,
}

fn query(who: &Principal, view: InboxView) -> InboxQuery {
    let owner = InboxOwner::of(who);
    InboxQuery { owner, view, filter: InboxFilter::default(), after: None, limit: limit(100) }
}

/// All pages of a view from the query's on.
async fn walked(sessions: &dyn SessionRepository, mut query: InboxQuery) -> Vec<ChatSession> {
    let mut found = Vec::new();
    loop {
        let page = sessions.inbox(&query).await.unwrap();
        assert!(page.sessions.len() <= query.limit.get() as usize);
        found.extend(page.sessions);
        let Some(next) = page.next else { return found };
        assert!(query.after.is_none_or(|after| next < after), "a walk goes on");
        query.after = Some(next);
        // Lets the writes of a case run between the pages of a store that never waits.
        tokio::task::yield_now().await;
    }
}

async fn ids(store: &StoreUnderTest, query: InboxQuery) -> Vec<SessionId> {
    walked(store.sessions.as_ref(), query).await.iter().map(|session| session.id).collect()
}

async fn counts(store: &StoreUnderTest, who: &Principal, view: InboxView) -> InboxCounts {
    store.sessions.inbox(&query(who, view)).await.unwrap().counts
}

async fn an_empty_inbox_counts_nothing(store: &StoreUnderTest) {
    for (who, view) in [(alice(), InboxView::Mine), (bob(), InboxView::Waiting), (root(), InboxView::Assigned)] {
        let page = store.sessions.inbox(&query(&who, view)).await.unwrap();
        assert_eq!((page.sessions.len(), page.counts, page.next), (0, InboxCounts::default(), None), "{view:?}");
    }
}

async fn an_item_shows_the_newest_message_of_its_session(store: &StoreUnderTest) {
    let id = store.held_by_bob(1).await;
    let shown = async || walked(store.sessions.as_ref(), query(&bob(), InboxView::Mine)).await.remove(0);
    assert_eq!(shown().await.latest.message, None);
    let texts = [("  two\n\n lines\t", "two lines"), ("\u{1f469}\u{200d}\u{1f680}", "\u{1f469}\u{200d}\u{1f680}")];
    for (n, (text, preview)) in (2..).zip(texts) {
        let sent = store.messages.append(MessageDraft { content: content(text), ..draft(id, &alice(), n) }).await;
        let sent = sent.unwrap().message;
        let last = shown().await.latest.message.unwrap();
        assert_eq!((last.id, last.seq, &last.author, last.sender), (sent.id, sent.seq, &sent.author, sent.sender));
        assert_eq!((last.preview.as_str(), last.at, last.attachment_count), (preview, sent.sent_at, 0));
        assert_eq!(last.number, n - 1);
    }
    let files = vec![attachment(1, b"one"), attachment(2, b"two")];
    let with_files = MessageDraft { content: content(""), attachments: files.into(), ..draft(id, &bob(), 9) };
    store.messages.append(with_files).await.unwrap();
    let last = shown().await.latest.message.unwrap();
    assert_eq!((last.preview.as_str(), last.attachment_count, last.sender), ("", 2, Party::Support));
    // What is no message leaves it, and so does a batch of several messages but for its last.
    store.messages.mark_read_up_to(id, alice(), Seq::new(50), at(10)).await.unwrap();
    assert_eq!(shown().await.latest.message.unwrap(), last);
    let repository = &store.messages;
    at_once((11..19).map(|n| {
        let (repository, draft) = (Arc::clone(repository), draft(id, &alice(), n));
        async move { repository.append(draft).await.unwrap() }
    }))
    .await;
    let newest = whole_history(store, id).await.pop().unwrap();
    assert_eq!(shown().await.latest.message.unwrap().id, newest.id);
    assert_eq!(store.session(id).await, shown().await, "a session is the same in the inbox and by itself");
}

async fn an_item_knows_since_when_its_customer_waits(store: &StoreUnderTest) {
    store.on_duty(&bob()).await;
    let id = store.waiting(1).await;
    let waits = async || store.session(id).await.waiting_since();
    let longest = async || counts(store, &bob(), InboxView::Waiting).await.longest_waiting_since;
    assert_eq!((waits().await, longest().await), (Some(at(1)), Some(at(1))), "from the opening");
    store.say(id, &alice(), 5).await;
    store.say(id, &alice(), 7).await;
    assert_eq!((waits().await, longest().await), (Some(at(5)), Some(at(5))), "from the first message");
    store.change(id, &root(), assign(&bob())).await;
    assert_eq!((waits().await, longest().await), (Some(at(5)), None), "a claim keeps it");
    store.change(id, &bob(), SessionAction::Transfer(None)).await;
    assert_eq!((waits().await, longest().await), (Some(at(5)), Some(at(5))), "so does the way back");
    // Of several sessions, the one that has waited longest, whatever its priority.
    let low = NewSession { priority: Priority::Low, started_at: at(3), ..new_session(2) };
    store.sessions.open(low, alice(), None).await.unwrap();
    assert_eq!(longest().await, Some(at(3)));
    store.say(id, &root(), 20).await;
    assert_eq!(waits().await, None, "answered");
    let order = ids(store, query(&bob(), InboxView::Waiting)).await;
    assert_eq!(order, [1, 2].map(session_id), "the priority comes before the time");
    let high = NewSession { started_at: at(30), ..new_session(3) };
    store.sessions.open(high, alice(), None).await.unwrap();
    let order = ids(store, query(&bob(), InboxView::Waiting)).await;
    assert_eq!(order, [3, 1, 2].map(session_id), "one that was answered comes last of its priority");
    store.say(id, &alice(), 40).await;
    assert_eq!(waits().await, Some(at(40)));
    store.change(id, &root(), SessionAction::Close).await;
    assert_eq!(waits().await, None, "no customer waits in a session that has ended");
}

async fn activity_is_opening_assignment_transfer_and_message(store: &StoreUnderTest) {
    for agent in [bob(), carol()] {
        store.on_duty(&agent).await;
    }
    let id = store.waiting(1).await;
    let active = async || store.session(id).await.latest.activity_at;
    assert_eq!(active().await, at(1));
    store.sessions.change(id, change(&root(), assign(&bob()), 3)).await.unwrap();
    assert_eq!(active().await, at(3));
    store.sessions.change(id, change(&root(), transfer(&carol()), 5)).await.unwrap();
    assert_eq!(active().await, at(5));
    store.say(id, &alice(), 7).await;
    assert_eq!(active().await, at(7));
    store.messages.mark_delivered(id, carol(), Seq::new(9), at(8)).await.unwrap();
    store.messages.mark_read_up_to(id, carol(), Seq::new(9), at(9)).await.unwrap();
    let details = DetailsUpdate { priority: Some(Priority::Low), ..DetailsUpdate::default() };
    store.sessions.change(id, change(&carol(), update(details), 10)).await.unwrap();
    store.sessions.change(id, change(&carol(), SessionAction::Close, 11)).await.unwrap();
    assert_eq!(active().await, at(7), "receipts, updates and the end are no activity");
}

async fn equal_moments_are_ordered_by_descending_id(store: &StoreUnderTest) {
    store.on_duty(&bob()).await;
    for n in [2, 5, 1, 4, 3] {
        let opened = NewSession { started_at: at(1), ..new_session(n) };
        store.sessions.open(opened, alice(), None).await.unwrap();
    }
    let descending = [5, 4, 3, 2, 1].map(session_id);
    assert_eq!(ids(store, query(&bob(), InboxView::Waiting)).await, descending);
    assert_eq!(ids(store, query(&alice(), InboxView::Mine)).await, descending);
    for n in 1..=5 {
        store.change(session_id(n), &root(), assign(&bob())).await;
    }
    assert_eq!(ids(store, query(&bob(), InboxView::Mine)).await, descending);
    assert_eq!(ids(store, query(&root(), InboxView::Assigned)).await, descending);
    for n in 1..=5 {
        store.change(session_id(n), &root(), SessionAction::Close).await;
    }
    for who in [alice(), bob(), root()] {
        assert_eq!(ids(store, query(&who, InboxView::Closed)).await, descending);
    }
    assert_eq!(ids(store, query(&alice(), InboxView::Mine)).await, descending);
}

/// What the log and the messages of a session say about it.
struct Recounted {
    session: ChatSession,
    activity: Timestamp,
    waiting: Option<Timestamp>,
    unread: [u64; 2],
    last: Option<ChatMessage>,
}

async fn recount(store: &StoreUnderTest, id: SessionId) -> Recounted {
    let (session, log, messages) =
        (store.session(id).await, whole_log(store, id).await, whole_history(store, id).await);
    let is_activity = |change: &EventChange| {
        matches!(
            change,
            EventChange::Opened(_) | EventChange::Assigned(_) | EventChange::Transferred(_) | EventChange::Message(_)
        )
    };
    let activity = log.iter().rev().find(|event| is_activity(&event.change)).unwrap().at;
    let unanswered = messages.iter().rev().take_while(|message| message.sender == Party::User).last();
    let waiting =
        if messages.is_empty() { Some(session.started_at) } else { unanswered.map(|message| message.sent_at) };
    let unread = [Party::User, Party::Support].map(|reader| {
        let is_unread = |message: &&ChatMessage| message.sender != reader && message.delivery.read_at().is_none();
        messages.iter().filter(is_unread).count() as u64
    });
    let waiting = waiting.filter(|_| session.is_active());
    Recounted { session, activity, waiting, unread, last: messages.last().cloned() }
}

/// The sessions of a view, in its order, by a straightforward recount.
fn expected(all: &[Recounted], who: &Principal, view: InboxView) -> Vec<SessionId> {
    let mine = |one: &&Recounted| match InboxOwner::of(who) {
        InboxOwner::Customer(me) => one.session.owner == me,
        InboxOwner::Agent(me) => one.session.agent() == Some(&me),
        InboxOwner::Admin => true,
    };
    let is_customer = matches!(InboxOwner::of(who), InboxOwner::Customer(_));
    let mut found: Vec<&Recounted> = all
        .iter()
        .filter(|one| {
            let (is_active, has_agent) = (one.session.is_active(), one.session.agent().is_some());
            match view {
                InboxView::Mine => mine(one) && (is_active || is_customer),
                InboxView::Waiting => is_active && !has_agent,
                InboxView::Assigned => is_active && has_agent,
                InboxView::Closed => !is_active && mine(one),
            }
        })
        .collect();
    found.sort_by_key(|one| Reverse(one.session.id));
    match view {
        InboxView::Mine => {
            found.sort_by_key(|one| Reverse(one.activity));
            found.sort_by_key(|one| !one.session.is_active());
        }
        InboxView::Waiting => {
            found.sort_by_key(|one| one.waiting.unwrap_or(Timestamp::MAX));
            found.sort_by_key(|one| Priority::ALL.iter().rev().position(|priority| *priority == one.session.priority));
        }
        InboxView::Assigned => found.sort_by_key(|one| Reverse(one.session.started_at)),
        InboxView::Closed => found.sort_by_key(|one| Reverse(one.session.ended_at())),
    }
    found.into_iter().map(|one| one.session.id).collect()
}

fn expected_counts(all: &[Recounted], who: &Principal) -> InboxCounts {
    let owner = InboxOwner::of(who);
    let mut counts = InboxCounts::default();
    for one in all.iter().filter(|one| one.session.is_active()) {
        let is_mine = match &owner {
            InboxOwner::Customer(me) => one.session.owner == *me,
            InboxOwner::Agent(me) => one.session.agent() == Some(me),
            InboxOwner::Admin => false,
        };
        if is_mine {
            counts.mine += 1;
            counts.mine_unread += one.unread[usize::from(owner.party() == Party::Support)];
        }
        if one.session.agent().is_none() && owner.party() == Party::Support {
            counts.waiting += 1;
            counts.longest_waiting_since = match (counts.longest_waiting_since, one.waiting) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
        }
    }
    counts
}

/// Everyone's views.
fn all_views() -> Vec<(Principal, InboxView)> {
    [alice(), mallory(), bob(), carol(), root()]
        .into_iter()
        .flat_map(|who| InboxView::ALL.map(|view| (who.clone(), view)))
        .filter(|(who, view)| view.is_for(who.role))
        .collect()
}

/// One random step in a random session of the first `sessions`. Many are refused, which is part of the history.
async fn step(store: &StoreUnderTest, choices: &mut Choices, sessions: u64, n: u64) {
    let id = session_id(choices.below(sessions));
    let owner = if choices.below(3) == 0 { mallory() } else { alice() };
    let now = n / 2;
    match choices.below(12) {
        0 | 1 => {
            let priority = Priority::ALL[usize::try_from(choices.below(3)).unwrap()];
            let opened = NewSession { id, priority, started_at: at(now), ..new_session_of(&owner, 0) };
            if store.sessions.find(id).await.unwrap().is_none() {
                store.sessions.open(opened, owner, None).await.unwrap();
            }
        }
        2 => drop(store.sessions.change(id, change(&root(), assign(&bob()), now)).await),
        3 => drop(store.sessions.change(id, change(&root(), transfer(&carol()), now)).await),
        4 => drop(store.sessions.change(id, change(&root(), SessionAction::Transfer(None), now)).await),
        5 => {
            let priority = Priority::ALL[usize::try_from(choices.below(3)).unwrap()];
            let details = DetailsUpdate { priority: Some(priority), ..DetailsUpdate::default() };
            drop(store.sessions.change(id, change(&root(), update(details), now)).await);
        }
        6 if choices.below(3) == 0 => {
            drop(store.sessions.change(id, change(&root(), SessionAction::Close, now)).await);
        }
        7 => drop(store.messages.mark_read_up_to(id, root(), Seq::new(choices.below(n + 1)), at(now)).await),
        8 => drop(store.messages.mark_read_up_to(id, owner, Seq::new(choices.below(n + 1)), at(now)).await),
        9 => drop(store.messages.append(message(id, &root(), n, now)).await),
        _ => drop(store.messages.append(message(id, &owner, n, now)).await),
    }
}

fn message(id: SessionId, author: &Principal, n: u64, now: u64) -> MessageDraft {
    MessageDraft { id: message_id(n), sent_at: at(now), ..draft(id, author, n) }
}

async fn every_view_is_right_after_any_history(store: &StoreUnderTest) {
    const SESSIONS: u64 = 24;
    for agent in [bob(), carol()] {
        store.on_duty(&agent).await;
    }
    let mut choices = Choices::seeded(41);
    for n in 1..=400 {
        step(store, &mut choices, SESSIONS, n).await;
        if n % 80 == 0 {
            check_views(store, SESSIONS).await;
        }
    }
}

async fn check_views(store: &StoreUnderTest, sessions: u64) {
    let mut all = Vec::new();
    for n in 0..sessions {
        if store.sessions.find(session_id(n)).await.unwrap().is_some() {
            all.push(recount(store, session_id(n)).await);
        }
    }
    for one in &all {
        let session = &one.session;
        assert_eq!((session.latest.activity_at, session.waiting_since()), (one.activity, one.waiting));
        let last = session.latest.message.as_ref().map(|message| (message.id, message.seq, message.at));
        assert_eq!(last, one.last.as_ref().map(|message| (message.id, message.seq, message.sent_at)));
        let unread = [Party::User, Party::Support].map(|reader| session.unread_by(reader));
        assert_eq!(unread, one.unread);
    }
    for (who, view) in all_views() {
        let small = InboxQuery { limit: limit(3), ..query(&who, view) };
        assert_eq!(ids(store, small).await, expected(&all, &who, view), "{view:?} of {}", who.id);
        assert_eq!(counts(store, &who, view).await, expected_counts(&all, &who), "counts of {}", who.id);
    }
}

async fn pages_divide_a_view(store: &StoreUnderTest) {
    store.on_duty(&bob()).await;
    for n in 1..=12 {
        let priority = Priority::ALL[usize::try_from(n % 3).unwrap()];
        // Three at a time start at the same moment, so that page borders fall between ties.
        let opened = NewSession { started_at: at(n / 3), priority, ..new_session(n) };
        store.sessions.open(opened, alice(), None).await.unwrap();
        if n % 4 == 0 {
            store.change(session_id(n), &root(), SessionAction::Close).await;
        }
    }
    for (who, view, expected) in
        [(bob(), InboxView::Waiting, 9), (alice(), InboxView::Mine, 12), (root(), InboxView::Closed, 3)]
    {
        let whole = ids(store, query(&who, view)).await;
        assert_eq!(whole.len(), expected);
        for size in [1, 2, 4, 9, 12, 13] {
            let pages = InboxQuery { limit: limit(size), ..query(&who, view) };
            assert_eq!(ids(store, pages).await, whole, "pages of {size} of {view:?}");
        }
    }
}

async fn filters_show_what_they_name_and_leave_the_counts(store: &StoreUnderTest) {
    for agent in [bob(), carol()] {
        store.on_duty(&agent).await;
    }
    for n in 1..=12 {
        let owner = if n % 2 == 0 { alice() } else { mallory() };
        let tags = Tags::parse([if n % 3 == 0 { "orders" } else { "billing" }]).unwrap();
        let priority = if n % 4 == 0 { Priority::High } else { Priority::Low };
        let opened = NewSession { tags, priority, ..new_session_of(&owner, n) };
        store.sessions.open(opened, owner, None).await.unwrap();
    }
    let filters = || {
        let none = InboxFilter::default;
        [
            (InboxFilter { priority: Some(Priority::High), ..none() }, vec![4, 8, 12]),
            (InboxFilter { tag: Some("orders".to_owned()), ..none() }, vec![3, 6, 9, 12]),
            (InboxFilter { user: Some(alice().id), ..none() }, vec![2, 4, 6, 8, 10, 12]),
            (InboxFilter { user: Some(alice().id), tag: Some("orders".to_owned()), ..none() }, vec![6, 12]),
            (InboxFilter { priority: Some(Priority::Medium), ..none() }, vec![]),
        ]
    };
    let check = async |who: &Principal, view: InboxView, filter: InboxFilter, expected: &[u64]| {
        let whole = counts(store, who, view).await;
        for size in [1, 2, 100] {
            let filtered = InboxQuery { filter: filter.clone(), limit: limit(size), ..query(who, view) };
            assert_eq!(store.sessions.inbox(&filtered).await.unwrap().counts, whole);
            let mut found = ids(store, filtered).await;
            found.sort_unstable();
            assert_eq!(found, expected.iter().map(|n| session_id(*n)).collect::<Vec<_>>(), "{filter:?} of {view:?}");
        }
    };
    for (filter, expected) in filters() {
        check(&bob(), InboxView::Waiting, filter, &expected).await;
    }
    for n in 1..=12 {
        store.change(session_id(n), &root(), assign(&if n <= 6 { bob() } else { carol() })).await;
    }
    for (filter, expected) in filters() {
        check(&root(), InboxView::Assigned, filter, &expected).await;
    }
    let of_bob = InboxFilter { agent: Some(agent_id(&bob())), ..InboxFilter::default() };
    check(&root(), InboxView::Assigned, of_bob.clone(), &[1, 2, 3, 4, 5, 6]).await;
    check(&root(), InboxView::Assigned, InboxFilter { user: Some(alice().id), ..of_bob }, &[2, 4, 6]).await;
    for n in 1..=12 {
        store.change(session_id(n), &root(), SessionAction::Close).await;
    }
    for (filter, expected) in filters() {
        check(&root(), InboxView::Closed, filter, &expected).await;
    }
}

async fn a_filter_looks_at_a_bounded_number_and_says_where_to_go_on(store: &StoreUnderTest) {
    let others = MAX_FILTERED as u64 + 50;
    let sessions = &store.sessions;
    at_once((1..=others).map(|n| {
        let sessions = Arc::clone(sessions);
        async move { sessions.open(new_session(n), alice(), None).await.unwrap() }
    }))
    .await;
    // The last of the queue.
    sessions.open(new_session_of(&mallory(), others + 1), mallory(), None).await.unwrap();
    let filter = InboxFilter { user: Some(mallory().id), ..InboxFilter::default() };
    let first = InboxQuery { filter, ..query(&bob(), InboxView::Waiting) };
    let page = sessions.inbox(&first).await.unwrap();
    assert_eq!(page.sessions, [], "the page has looked at as many as it may");
    assert_eq!(page.counts.waiting, others + 1);
    let second = sessions.inbox(&InboxQuery { after: page.next, ..first }).await.unwrap();
    assert!(page.next.is_some());
    assert_eq!(second.sessions.iter().map(|session| session.id).collect::<Vec<_>>(), [session_id(others + 1)]);
    assert_eq!(second.next, None);
}

async fn a_walk_through_a_view_sees_each_lasting_session_once_while_others_come_and_go(store: &StoreUnderTest) {
    const SESSIONS: u64 = 60;
    for agent in [bob(), carol()] {
        store.on_duty(&agent).await;
    }
    // Each third waits, each third is bob's, each third has ended. Of each kind every second one stays as it is.
    for n in 0..SESSIONS {
        let opened = NewSession { started_at: at(n / 3), ..new_session(n) };
        store.sessions.open(opened, alice(), None).await.unwrap();
        if n % 3 > 0 {
            store.change(session_id(n), &root(), assign(&bob())).await;
        }
        if n % 3 == 2 {
            store.change(session_id(n), &root(), SessionAction::Close).await;
        }
    }
    let lasts = |n: u64| (n / 3).is_multiple_of(2);
    let changes = async {
        let mut choices = Choices::seeded(7);
        for n in 0..SESSIONS {
            let opened = NewSession { started_at: at(choices.below(SESSIONS / 3)), ..new_session(SESSIONS + n) };
            store.sessions.open(opened, alice(), None).await.unwrap();
            let moved = session_id((2 * choices.below(SESSIONS / 6) + 1) * 3 + choices.below(3));
            let action = match choices.below(4) {
                0 => assign(&carol()),
                1 => transfer(&carol()),
                2 => SessionAction::Transfer(None),
                _ => SessionAction::Close,
            };
            // Some changes are refused, which is part of the history.
            let _outcome = store.sessions.change(moved, change(&root(), action, 500)).await;
            tokio::task::yield_now().await;
        }
    };
    let walk = async |who: Principal, view: InboxView, kind: u64| {
        let query = InboxQuery { limit: limit(3), ..query(&who, view) };
        let seen = ids(store, query).await;
        let unique: BTreeSet<&SessionId> = seen.iter().collect();
        assert_eq!(unique.len(), seen.len(), "no session is seen twice in {view:?}");
        for n in (0..SESSIONS).filter(|n| n % 3 == kind && lasts(*n)) {
            assert!(seen.contains(&session_id(n)), "session {n} is seen in {view:?}");
        }
    };
    let walks = async {
        walk(bob(), InboxView::Waiting, 0).await;
        walk(root(), InboxView::Assigned, 1).await;
        walk(root(), InboxView::Closed, 2).await;
        walk(bob(), InboxView::Closed, 2).await;
        walk(alice(), InboxView::Closed, 2).await;
    };
    tokio::join!(changes, walks);
}

/// What nodes show of an inbox after writes on each of them.
pub(super) async fn check_on_all(nodes: &[&StoreUnderTest]) {
    const SESSIONS: u64 = 12;
    for agent in [bob(), carol()] {
        nodes[0].on_duty(&agent).await;
    }
    let mut choices = Choices::seeded(5);
    for n in 1..=160 {
        let node = nodes[usize::try_from(choices.below(nodes.len() as u64)).unwrap()];
        step(node, &mut choices, SESSIONS, n).await;
    }
    for node in nodes {
        check_views(node, SESSIONS).await;
    }
}
