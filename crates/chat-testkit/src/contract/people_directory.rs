//! What every `PeopleDirectory` does, and how people come into it.

use std::sync::Arc;

use chat_domain::model::{
    AgentUpdate, DisplayName, EventChange, KnownPeople, Person, PersonName, Principal, Role, Seq, SessionAction, UserId,
};
use chat_domain::ports::LogLimit;

use super::checks::{assert_published_as_logged, at_once, whole_log};
use super::{StoreUnderTest, contract_cases};
use crate::fixtures::{
    agent_id, alice, assign, at, avatar, bob, carol, draft, keyed, mallory, named, new_session, new_session_of, person,
    root, transfer,
};

contract_cases! { $ people_directory_contract for people_directory on crate::contract::StoreUnderTest:
    a_person_is_found_once_they_have_written,
    people_of_whom_no_token_says_anything_are_left_out,
    a_claim_that_is_absent_leaves_what_is_known,
    an_older_token_does_not_undo_what_a_newer_one_said,
    a_write_that_is_refused_or_repeated_writes_no_person,
    the_name_in_the_directory_of_agents_comes_first,
    many_people_are_found_at_once,
    events_show_people_as_they_are_published_and_as_they_are_read,
    a_page_of_the_log_counts_the_people_of_its_events,
    after_a_transfer_each_message_shows_who_wrote_it,
    of_concurrent_writes_with_several_tokens_the_newest_counts,
}

impl StoreUnderTest {
    /// What the directory has of a person.
    pub(super) async fn known(&self, who: &Principal) -> Option<Person> {
        let people = self.people.find(vec![who.id.clone()]).await.expect("the directory answers");
        people.find(&who.id).cloned()
    }

    /// The name under which the directory has a person.
    pub(super) async fn name_of(&self, who: &Principal) -> Option<String> {
        self.known(who).await.and_then(|person| person.name).map(|name| name.as_str().to_owned())
    }
}

/// The person with a token that was issued so many seconds after the start.
fn issued(who: Principal, seconds: u64) -> Principal {
    Principal { token_issued_at: Some(at(seconds)), ..who }
}

async fn a_person_is_found_once_they_have_written(store: &StoreUnderTest) {
    let alice = named(alice(), "Alice \"A\" — 🦀");
    assert_eq!(store.known(&alice).await, None);
    store.sessions.open(new_session(1), alice.clone(), None).await.unwrap();
    let expected = Person { id: alice.id.clone(), name: alice.name.clone(), avatar_url: alice.avatar_url.clone() };
    assert_eq!(store.known(&alice).await, Some(expected));
    assert_eq!(store.known(&mallory()).await, None);
    // With each kind of write.
    let id = new_session(1).id;
    store.on_duty(&bob()).await;
    store.change(id, &named(root(), "Ruth"), assign(&bob())).await;
    assert_eq!(store.name_of(&root()).await.as_deref(), Some("Ruth"));
    store.messages.append(draft(id, &named(bob(), "Bob"), 1)).await.unwrap();
    assert_eq!(store.name_of(&bob()).await.as_deref(), Some("Bob"));
    store.messages.mark_read_up_to(id, named(alice, "Alicia"), Seq::new(3), at(9)).await.unwrap();
    assert_eq!(store.name_of(&bob()).await.as_deref(), Some("Bob"));
}

async fn people_of_whom_no_token_says_anything_are_left_out(store: &StoreUnderTest) {
    let id = store.held_by_bob(1).await;
    store.say(id, &alice(), 1).await;
    let asked = vec![alice().id, bob().id, carol().id, alice().id];
    assert_eq!(store.people.find(asked).await.unwrap(), KnownPeople::default());
    assert_eq!(store.people.find(Vec::new()).await.unwrap(), KnownPeople::default());
}

async fn a_claim_that_is_absent_leaves_what_is_known(store: &StoreUnderTest) {
    let id = store.waiting(1).await;
    let alice = named(alice(), "Alice");
    store.say(id, &alice, 1).await;
    store.say(id, &Principal { name: None, avatar_url: None, ..alice.clone() }, 2).await;
    store.say(id, &Principal { name: None, avatar_url: avatar("https://example.com/new"), ..alice.clone() }, 3).await;
    store.say(id, &Principal { name: PersonName::parse("Alicia").ok(), avatar_url: None, ..alice.clone() }, 4).await;
    let person = store.known(&alice).await.unwrap();
    assert_eq!(person.name.as_ref().map(PersonName::as_str), Some("Alicia"));
    assert_eq!(person.avatar_url, avatar("https://example.com/new"));
}

async fn an_older_token_does_not_undo_what_a_newer_one_said(store: &StoreUnderTest) {
    let id = store.waiting(1).await;
    let (old, new) = (issued(named(alice(), "Alice"), 10), issued(named(alice(), "Alicia"), 20));
    let steps = [(&old, "Alice"), (&new, "Alicia"), (&old, "Alicia"), (&new, "Alicia")];
    for (n, (who, expected)) in (1..).zip(steps) {
        store.say(id, who, n).await;
        assert_eq!(store.name_of(who).await.as_deref(), Some(expected), "step {n}");
    }
    // A token that does not say when it was issued is taken for a new one.
    store.say(id, &named(alice(), "Al"), 60).await;
    assert_eq!(store.name_of(&alice()).await.as_deref(), Some("Al"));
}

async fn a_write_that_is_refused_or_repeated_writes_no_person(store: &StoreUnderTest) {
    let id = store.waiting(1).await;
    store.messages.append(draft(id, &named(mallory(), "Mallory"), 1)).await.unwrap_err();
    assert_eq!(store.known(&mallory()).await, None);
    store.messages.append(keyed(draft(id, &alice(), 2), "k")).await.unwrap();
    let repeated = keyed(draft(id, &named(alice(), "Alice"), 2), "k");
    assert!(store.messages.append(repeated).await.unwrap().replayed);
    assert_eq!(store.known(&alice()).await, None);
    store.change(id, &alice(), SessionAction::Close).await;
    store.messages.append(draft(id, &named(alice(), "Alice"), 3)).await.unwrap_err();
    assert_eq!(store.known(&alice()).await, None);
}

async fn the_name_in_the_directory_of_agents_comes_first(store: &StoreUnderTest) {
    let id = store.held_by_bob(1).await;
    let bob = named(bob(), "Bobby");
    store.say(id, &bob, 1).await;
    assert_eq!(store.name_of(&bob).await.as_deref(), Some("Bobby"));
    let update = |name| AgentUpdate { display_name: DisplayName::parse(name).ok(), active: None };
    for name in ["Bob of sales", "Robert"] {
        store.agents.put(agent_id(&bob), update(name), at(2)).await.unwrap();
        assert_eq!(store.name_of(&bob).await.as_deref(), Some(name));
    }
    assert_eq!(store.known(&bob).await.unwrap().avatar_url, bob.avatar_url, "the picture is that of the token");
    store.agents.register(agent_id(&carol()), DisplayName::parse("Carol").ok(), at(3)).await.unwrap();
    assert_eq!(store.name_of(&carol()).await.as_deref(), Some("Carol"), "who has written nothing has a name too");
    store.say(id, &bob, 3).await;
    let log = whole_log(store, id).await;
    let shown = log.last().and_then(|event| event.people.find(&bob.id)).and_then(|person| person.name.as_ref());
    assert_eq!(shown.map(PersonName::as_str), Some("Robert"));
}

async fn many_people_are_found_at_once(store: &StoreUnderTest) {
    let customers: Vec<Principal> =
        (0..600).map(|n| named(person(&format!("customer {n}"), Role::User), &format!("Customer {n}"))).collect();
    for (n, customer) in (1..).zip(&customers).filter(|(n, _)| n % 20 == 0) {
        let session = new_session_of(customer, n);
        store.sessions.open(session, customer.clone(), None).await.unwrap();
    }
    let ids: Vec<UserId> = customers.iter().chain(&customers).map(|customer| customer.id.clone()).collect();
    let found = store.people.find(ids).await.unwrap();
    assert_eq!(found.iter().count(), 30);
    for (n, customer) in (1..).zip(&customers) {
        let expected = (n % 20 == 0).then(|| customer.name.clone()).flatten();
        assert_eq!(found.find(&customer.id).and_then(|person| person.name.clone()), expected, "customer {n}");
    }
}

async fn events_show_people_as_they_are_published_and_as_they_are_read(store: &StoreUnderTest) {
    let (alice, bob, root) = (named(alice(), "Alice"), named(bob(), "Bob"), named(root(), "Ruth"));
    let id = store.sessions.open(new_session(1), alice.clone(), None).await.unwrap().session.id;
    store.on_duty(&bob).await;
    store.change(id, &bob, assign(&bob)).await;
    store.say(id, &alice, 1).await;
    store.say(id, &root, 2).await;
    store.messages.mark_read_up_to(id, bob.clone(), Seq::new(9), at(3)).await.unwrap();
    store.change(id, &bob, SessionAction::Close).await;
    let log = assert_published_as_logged(store, id).await;
    for event in &log {
        let shown: Vec<&UserId> = event.people.iter().map(|person| &person.id).collect();
        let expected: Vec<&UserId> = match &event.change {
            EventChange::Opened(_) => vec![&alice.id],
            EventChange::Message(message) => vec![&message.author],
            EventChange::Receipt(_) => vec![],
            _ => vec![&alice.id, &bob.id],
        };
        assert_eq!(shown, expected, "{event:?}");
    }
    let author = log[3].people.find(&root.id).unwrap();
    assert_eq!((&author.name, &author.avatar_url), (&root.name, &root.avatar_url));
}

async fn a_page_of_the_log_counts_the_people_of_its_events(store: &StoreUnderTest) {
    let id = store.waiting(1).await;
    let long = format!("https://example.com/{}", "p".repeat(2_000));
    let alice = Principal { avatar_url: avatar(&long), ..named(alice(), "Alice") };
    for n in 1..=5 {
        store.say(id, &alice, n).await;
    }
    let read = async |bytes| store.events.read(id, Seq::ZERO, LogLimit { events: 100, bytes }).await.unwrap();
    let whole = read(usize::MAX).await;
    let bytes: usize = whole.events.iter().map(LogLimit::bytes_of).sum();
    assert!(bytes > 6 * long.len(), "each of {} events shows the picture: {bytes}", whole.events.len());
    for (bytes, events) in [(bytes, 6), (bytes - 1, 5), (bytes / 2, 2), (1, 1)] {
        let page = read(bytes).await;
        assert_eq!((page.events.len(), page.is_full), (events, events < 6), "{bytes} bytes");
    }
}

async fn after_a_transfer_each_message_shows_who_wrote_it(store: &StoreUnderTest) {
    let id = store.held_by_bob(1).await;
    store.on_duty(&carol()).await;
    store.say(id, &named(bob(), "Bob"), 1).await;
    store.change(id, &bob(), transfer(&carol())).await;
    store.say(id, &named(carol(), "Carol"), 2).await;
    for events in [store.notifier.changes_of(id), whole_log(store, id).await] {
        let authors = events.iter().filter_map(|event| match &event.change {
            EventChange::Message(message) => event.people.find(&message.author)?.name.as_ref(),
            _ => None,
        });
        assert_eq!(authors.map(PersonName::as_str).collect::<Vec<_>>(), ["Bob", "Carol"]);
    }
}

async fn of_concurrent_writes_with_several_tokens_the_newest_counts(store: &StoreUnderTest) {
    let id = store.waiting(1).await;
    let send = |n: u64| {
        let messages = Arc::clone(&store.messages);
        let author = issued(named(alice(), &format!("Alice {}", n / 4)), n);
        async move { messages.append(draft(id, &author, n)).await.unwrap() }
    };
    at_once((1..=40).map(send)).await;
    assert_eq!(store.name_of(&alice()).await.as_deref(), Some("Alice 10"));
}
