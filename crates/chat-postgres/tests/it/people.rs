//! What people cost: nothing for those whom a node knows, and one statement for those of whom a token says something new.

use std::sync::Arc;
use std::time::Duration;

use chat_domain::model::{PersonName, Principal, SessionId};
use chat_domain::ports::{AgentDirectory as _, MessageRepository as _, PeopleDirectory as _, SessionRepository as _};
use chat_postgres::{PgConfig, PgStore};
use chat_testkit::RecordingNotifier;
use chat_testkit::fixtures::{
    agent_id, alice, assign, bob, change, draft, message_id, named, new_session, root, start,
};
use test_servers::postgres::TestDatabase;

use crate::recorder;
use crate::support::reused;

/// The statements that look people up, write people, append messages, and lock sessions.
const STATEMENTS: [&str; 4] =
    ["AS p ON true LEFT JOIN LATERAL", "INSERT INTO chat_people", "WITH moved AS", "FOR UPDATE"];

/// A node that knows Alice and Bob, in a session of theirs.
struct Node {
    database: TestDatabase,
    store: PgStore,
    session: SessionId,
}

impl Node {
    async fn open(change_config: impl FnOnce(PgConfig) -> PgConfig) -> Self {
        recorder::install();
        let database = reused();
        let config = change_config(PgConfig { readers: 1, writers: 1, ..PgConfig::new(database.url()) });
        let store = PgStore::open(config, Arc::new(RecordingNotifier::new())).await.unwrap();
        let session = store.sessions.open(new_session(1), named(alice(), "Alice"), None).await.unwrap().session.id;
        store.agents.register(agent_id(&bob()), None, start()).await.unwrap();
        store.sessions.change(session, change(&root(), assign(&bob()), 1)).await.unwrap();
        let node = Self { database, store, session };
        node.say(&named(bob(), "Bob"), 1).await;
        node
    }

    async fn say(&self, who: &Principal, n: u64) {
        self.store.messages.append(draft(self.session, who, n)).await.unwrap();
    }

    fn counts(&self) -> [usize; 4] {
        STATEMENTS.map(|part| recorder::times(self.database.name(), part))
    }

    /// How many of the statements a message of `who` takes.
    async fn cost(&self, who: &Principal, n: u64) -> [usize; 4] {
        let before = self.counts();
        self.say(who, n).await;
        let mut taken = self.counts();
        taken.iter_mut().zip(before).for_each(|(taken, before)| *taken -= before);
        taken
    }

    async fn name_of(&self, who: &Principal) -> Option<String> {
        let people = self.store.people.find(vec![who.id.clone()]).await.unwrap();
        people.find(&who.id)?.name.as_ref().map(PersonName::as_str).map(str::to_owned)
    }
}

#[tokio::test]
#[ignore = "needs Postgres: cargo xtask test"]
async fn a_message_of_a_person_who_is_known_takes_one_statement() {
    let node = Node::open(|config| config).await;
    for (n, who) in (2..).zip([named(alice(), "Alice"), named(bob(), "Bob"), alice(), bob()]) {
        assert_eq!(node.cost(&who, n).await, [0, 0, 1, 0], "message {n}");
    }
}

#[tokio::test]
#[ignore = "needs Postgres: cargo xtask test"]
async fn a_person_is_written_under_locks_once_when_their_token_says_something_new() {
    let node = Node::open(|config| config).await;
    assert_eq!(node.cost(&named(alice(), "Alicia"), 2).await, [0, 1, 1, 1]);
    assert_eq!(node.cost(&named(alice(), "Alicia"), 3).await, [0, 0, 1, 0]);
    assert_eq!(node.name_of(&alice()).await.as_deref(), Some("Alicia"));
    let updated_at = "SELECT updated_at::text FROM chat_people WHERE id = 'alice'";
    let written = node.database.sql(updated_at);
    node.say(&named(alice(), "Alicia"), 4).await;
    assert_eq!(node.database.sql(updated_at), written);
}

#[tokio::test]
#[ignore = "needs Postgres: cargo xtask test"]
async fn a_person_who_is_not_remembered_is_looked_up_in_one_statement() {
    let node = Node::open(|config| PgConfig { people_max_age: Duration::ZERO, ..config }).await;
    for (n, who) in (2..).zip([named(alice(), "Alice"), bob()]) {
        assert_eq!(node.cost(&who, n).await, [1, 0, 1, 0], "message {n}");
    }
    let before = node.counts();
    node.store.people.find(vec![alice().id, bob().id, root().id]).await.unwrap();
    assert_eq!(node.counts()[0], before[0] + 1);
}

#[tokio::test]
#[ignore = "needs Postgres: cargo xtask test"]
async fn a_person_is_not_known_by_a_transaction_that_failed() {
    let node = Node::open(|config| config).await;
    // No rule of the domain forbids that an id comes again, and the table does.
    let mut again = draft(node.session, &named(alice(), "Alicia"), 2);
    again.id = message_id(1);
    node.store.messages.append(again).await.unwrap_err();
    assert_eq!(node.name_of(&alice()).await.as_deref(), Some("Alice"));
    assert_eq!(node.database.sql("SELECT name FROM chat_people WHERE id = 'alice'").trim(), "Alice");
    assert_eq!(node.cost(&named(alice(), "Alicia"), 3).await, [0, 1, 1, 1]);
    assert_eq!(node.name_of(&alice()).await.as_deref(), Some("Alicia"));
}
