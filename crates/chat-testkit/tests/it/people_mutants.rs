//! The suite of the directory of people notices directories, logs and stores of messages that are broken.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chat_domain::Result;
use chat_domain::model::{
    AttachmentId, Epoch, KnownPeople, MessageId, MessageQuery, Seq, SessionEvent, SessionId, SessionSnapshot, UserId,
};
use chat_domain::ports::{
    AttachmentLookup, EventLog, LogLimit, LogPage, MessageLookup, MessageRepository, PeopleDirectory,
};
use chat_domain::write::{SessionWrite, WriteReply};
use chat_testkit::contract::{StoreUnderTest, people_directory};

use crate::support::{make_store, notices};

/// Finds each time what it found the first time.
struct NeverForgetting {
    people: Arc<dyn PeopleDirectory>,
    found: Mutex<HashMap<Vec<UserId>, KnownPeople>>,
}

#[async_trait]
impl PeopleDirectory for NeverForgetting {
    async fn find(&self, ids: Vec<UserId>) -> Result<KnownPeople> {
        let found = self.people.find(ids.clone()).await?;
        Ok(self.found.lock().unwrap().entry(ids).or_insert(found).clone())
    }
}

async fn never_forgetting() -> StoreUnderTest {
    let store = make_store().await;
    let people = NeverForgetting { people: store.people.clone(), found: Mutex::default() };
    StoreUnderTest { people: Arc::new(people), ..store }
}

/// Shows the people of no event.
struct Anonymous(Arc<dyn EventLog>);

#[async_trait]
impl EventLog for Anonymous {
    async fn head(&self, session: SessionId) -> Result<Option<Seq>> {
        self.0.head(session).await
    }

    async fn heads(&self, sessions: Vec<SessionId>) -> Result<Vec<(SessionId, Seq)>> {
        self.0.heads(sessions).await
    }

    async fn read(&self, session: SessionId, after: Seq, limit: LogLimit) -> Result<LogPage> {
        let page = self.0.read(session, after, limit).await?;
        let anonymous = |event| SessionEvent { people: KnownPeople::default(), ..event };
        Ok(LogPage { events: page.events.into_iter().map(anonymous).collect(), ..page })
    }

    async fn position_of(&self, session: SessionId, message: MessageId) -> Result<Option<Seq>> {
        self.0.position_of(session, message).await
    }

    async fn epoch(&self) -> Result<Epoch> {
        self.0.epoch().await
    }
}

async fn anonymous() -> StoreUnderTest {
    let store = make_store().await;
    StoreUnderTest { events: Arc::new(Anonymous(store.events.clone())), ..store }
}

/// Takes every token for a new one.
struct Credulous(Arc<dyn MessageRepository>);

#[async_trait]
impl MessageRepository for Credulous {
    async fn write(&self, write: SessionWrite) -> Result<WriteReply> {
        let write = match write {
            SessionWrite::AppendMessage(mut draft) => {
                draft.author.token_issued_at = None;
                SessionWrite::AppendMessage(draft)
            }
            other => other,
        };
        self.0.write(write).await
    }

    async fn page(&self, session: SessionId, query: MessageQuery) -> Result<Option<SessionSnapshot>> {
        self.0.page(session, query).await
    }

    async fn find(&self, session: SessionId, message: MessageId) -> Result<Option<MessageLookup>> {
        self.0.find(session, message).await
    }

    async fn find_attachment(&self, id: AttachmentId) -> Result<Option<AttachmentLookup>> {
        self.0.find_attachment(id).await
    }

    async fn unknown_attachments(&self, ids: Vec<AttachmentId>) -> Result<Vec<AttachmentId>> {
        self.0.unknown_attachments(ids).await
    }
}

async fn credulous() -> StoreUnderTest {
    let store = make_store().await;
    StoreUnderTest { messages: Arc::new(Credulous(store.messages.clone())), ..store }
}

notices! { a_directory_that_never_forgets_is_noticed: never_forgetting(), unlike make_store =>
    people_directory::a_person_is_found_once_they_have_written,
    people_directory::an_older_token_does_not_undo_what_a_newer_one_said,
    people_directory::the_name_in_the_directory_of_agents_comes_first,
}

notices! { a_log_without_people_is_noticed: anonymous(), unlike make_store =>
    people_directory::events_show_people_as_they_are_published_and_as_they_are_read,
    people_directory::a_page_of_the_log_counts_the_people_of_its_events,
    people_directory::after_a_transfer_each_message_shows_who_wrote_it,
}

notices! { a_store_that_takes_every_token_for_new_is_noticed: credulous(), unlike make_store =>
    people_directory::an_older_token_does_not_undo_what_a_newer_one_said,
}
