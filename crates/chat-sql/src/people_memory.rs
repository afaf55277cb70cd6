//! What a node remembers of people, so that who has a known name costs no statement.
//!
//! Writers and readers share it. It is bounded in bytes, and in age, since other nodes write people too. Not here: what a
//! database holds of people, and what of it is shown ([`KnownPerson`]).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chat_domain::model::{KnownPeople, KnownPerson, SessionEvent, UserId};
use lru::LruCache;

/// The most bytes, about, that all remembered people take: some 20,000 with a name and a picture, or 4,000 with the
/// longest.
const MAX_BYTES: usize = 8 * 1024 * 1024;
/// What an entry takes besides the texts: the places in the map and in the list, the claims and the counts of references.
const ENTRY_BYTES: usize = 320;

/// The people whom a node has seen last.
pub struct PeopleMemory {
    inner: Mutex<RememberedPeople>,
    max_age: Duration,
}

struct RememberedPeople {
    people: LruCache<UserId, RememberedPerson>,
    bytes: usize,
}

struct RememberedPerson {
    /// `None` for a person who has changed and was not read since.
    person: Option<Arc<KnownPerson>>,
    /// The database was not asked before this.
    as_of: Instant,
}

impl RememberedPerson {
    fn bytes(&self, id: &UserId) -> usize {
        let shown = self.person.as_ref().map_or(0, |person| person.shown().bytes());
        ENTRY_BYTES + id.as_str().len() + shown
    }
}

impl PeopleMemory {
    /// An empty memory that shows no person as they were longer ago than this.
    pub fn new(max_age: Duration) -> Arc<Self> {
        // Grows as it is filled: room for all of them would be taken by idle nodes too.
        let inner = RememberedPeople { people: LruCache::unbounded(), bytes: 0 };
        Arc::new(Self { inner: Mutex::new(inner), max_age })
    }

    /// Of these people those who are remembered at `now`, and the ids of the others, each once.
    pub fn recall(&self, ids: impl IntoIterator<Item = UserId>, now: Instant) -> (Vec<Arc<KnownPerson>>, Vec<UserId>) {
        let (mut known, mut unknown) = (Vec::new(), Vec::new());
        let mut inner = self.lock();
        for id in ids {
            let entry = inner.people.get(&id);
            let entry = entry.filter(|entry| now.saturating_duration_since(entry.as_of) < self.max_age);
            match entry.and_then(|entry| entry.person.as_ref()) {
                Some(person) => known.push(Arc::clone(person)),
                None => unknown.push(id),
            }
        }
        unknown.sort_unstable();
        unknown.dedup();
        (known, unknown)
    }

    /// Remembers people whom a statement that was begun at `as_of` has read, or who were committed by then. What is known
    /// as of later stays.
    pub fn remember<'a>(&self, people: impl IntoIterator<Item = &'a Arc<KnownPerson>>, as_of: Instant) {
        let mut inner = self.lock();
        for person in people {
            inner.put(person.id(), RememberedPerson { person: Some(Arc::clone(person)), as_of });
        }
    }

    /// Adds to events the people whom they show. `read` reads those who are not remembered.
    ///
    /// # Errors
    /// What `read` fails with.
    pub fn complete<E>(
        &self,
        events: &mut [SessionEvent],
        read: impl FnOnce(&[UserId]) -> Result<Vec<Arc<KnownPerson>>, E>,
    ) -> Result<(), E> {
        let now = Instant::now();
        let (mut known, unknown) = self.recall(events.iter().flat_map(|event| event.change.shown_people()), now);
        if !unknown.is_empty() {
            let found = read(&unknown)?;
            self.remember(&found, now);
            known.extend(found);
        }
        let known: HashMap<&UserId, &Arc<KnownPerson>> = known.iter().map(|person| (person.id(), person)).collect();
        for event in events {
            let shown = event.change.shown_people().filter_map(|id| known.get(&id).map(|person| person.shown()));
            event.people = KnownPeople::new(shown.cloned());
        }
        Ok(())
    }

    /// Forgets what was read of a person before `now`, because they have changed.
    pub fn forget(&self, id: &UserId, now: Instant) {
        self.lock().put(id, RememberedPerson { person: None, as_of: now });
    }

    /// Forgets all of them.
    pub fn clear(&self) {
        let mut inner = self.lock();
        inner.people.clear();
        inner.bytes = 0;
    }

    /// A panic under the lock cannot leave a person half changed: entries are replaced as a whole.
    fn lock(&self) -> MutexGuard<'_, RememberedPeople> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RememberedPeople {
    fn put(&mut self, id: &UserId, entry: RememberedPerson) {
        if self.people.peek(id).is_some_and(|known| known.as_of > entry.as_of) {
            return;
        }
        self.bytes += entry.bytes(id);
        if let Some((id, replaced)) = self.people.push(id.clone(), entry) {
            self.bytes = self.bytes.saturating_sub(replaced.bytes(&id));
        }
        while self.bytes > MAX_BYTES
            && let Some((id, oldest)) = self.people.pop_lru()
        {
            self.bytes = self.bytes.saturating_sub(oldest.bytes(&id));
        }
    }
}

#[cfg(test)]
mod tests {
    use chat_domain::model::{DisplayName, PersonClaims, PersonName};
    use chat_testkit::fixtures::at;

    use super::*;

    const AGE: Duration = Duration::from_mins(1);

    fn id(text: &str) -> UserId {
        UserId::parse(text).unwrap()
    }

    fn named(person: &str, name: &str) -> Arc<KnownPerson> {
        let name = PersonName::parse(name).ok();
        let claims = PersonClaims { id: id(person), name, avatar_url: None, as_of: at(0) };
        Arc::new(KnownPerson::new(id(person), Some(claims), None))
    }

    fn recalled(memory: &PeopleMemory, person: &str, now: Instant) -> Option<Arc<KnownPerson>> {
        let (mut known, unknown) = memory.recall([id(person)], now);
        assert_eq!(known.len() + unknown.len(), 1);
        known.pop()
    }

    #[test]
    fn a_person_is_remembered_for_a_bounded_time() {
        let (memory, start) = (PeopleMemory::new(AGE), Instant::now());
        assert_eq!(recalled(&memory, "alice", start), None);
        memory.remember([&named("alice", "Alice")], start);
        let just_before = start + AGE.checked_sub(Duration::from_nanos(1)).unwrap();
        assert_eq!(recalled(&memory, "alice", just_before), Some(named("alice", "Alice")));
        assert_eq!(recalled(&memory, "alice", start + AGE), None);
    }

    #[test]
    fn people_read_before_a_change_do_not_come_back_after_it() {
        let (memory, start) = (PeopleMemory::new(AGE), Instant::now());
        let later = start + Duration::from_secs(1);
        memory.remember([&named("alice", "Alicia")], later);
        memory.remember([&named("alice", "Alice")], start);
        assert_eq!(recalled(&memory, "alice", later), Some(named("alice", "Alicia")));
        memory.forget(&id("bob"), later);
        memory.remember([&named("bob", "Bob")], start);
        assert_eq!(recalled(&memory, "bob", later), None);
        memory.remember([&named("bob", "Robert")], later);
        assert_eq!(recalled(&memory, "bob", later), Some(named("bob", "Robert")));
    }

    #[test]
    fn many_people_take_bounded_memory_and_the_last_stay() {
        let (memory, now) = (PeopleMemory::new(AGE), Instant::now());
        let long = "n".repeat(100);
        for n in 0..100_000 {
            memory.remember([&named(&format!("person {n}"), &long)], now);
        }
        let inner = memory.lock();
        let bytes: usize = inner.people.iter().map(|(id, entry)| entry.bytes(id)).sum();
        assert_eq!(bytes, inner.bytes, "the account is right");
        assert!((MAX_BYTES / 2..=MAX_BYTES).contains(&bytes), "{bytes}");
        drop(inner);
        assert!(recalled(&memory, "person 99999", now).is_some());
        assert!(recalled(&memory, "person 0", now).is_none());
        memory.clear();
        assert!(recalled(&memory, "person 99999", now).is_none());
    }

    #[test]
    fn who_is_asked_for_twice_is_unknown_once() {
        let memory = PeopleMemory::new(AGE);
        let (known, unknown) = memory.recall([id("bob"), id("alice"), id("bob")], Instant::now());
        assert_eq!((known.len(), unknown), (0, vec![id("alice"), id("bob")]));
    }

    #[test]
    fn the_name_of_the_directory_comes_first() {
        let claims = named("bob", "Bobby").claims().cloned();
        let known = KnownPerson::new(id("bob"), claims, DisplayName::parse("Bob of sales").ok());
        assert_eq!(known.shown().name.as_ref().map(PersonName::as_str), Some("Bob of sales"));
    }
}
