//! The suites notice stores that are broken: each mutant breaks one promise and fails a case about that promise,
//! which the store without the fault passes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use chat_domain::Result;
use chat_domain::error::LimitReached;
use chat_domain::inbox::{ActiveSession, InboxPage, InboxQuery, InboxRange};
use chat_domain::model::{
    AttachmentId, ChatMessage, ChatSession, Epoch, Idempotency, LiveEvent, MessageDraft, MessageId, MessageQuery,
    NewSession, PageLimit, PageNumber, Principal, Receipt, Role, Seq, SessionChange, SessionEvent, SessionId,
    SessionPage, SessionPosition, SessionQuery, SessionSnapshot, SessionStatus, Timestamp, Visibility,
};
use chat_domain::ports::{
    AttachmentLookup, EventLog, InboxReader, LogLimit, LogPage, MessageLookup, MessageRepository, Notifier,
    SessionRepository,
};
use chat_domain::write::{Appended, Opened, SessionWrite, WriteReply};
use chat_testkit::contract::{
    StoreUnderTest, event_log, inbox, inbox_reader, message_repository, read_up_to, receipts, session_list,
    session_repository, session_update,
};
use chat_testkit::{MemoryStore, RecordingNotifier};

use crate::support::{make_store, notices};

/// Passes on only some of the events, or some of them twice.
struct FaultyNotifier {
    heard: AtomicUsize,
    copies_of_the_third: usize,
    next: Arc<RecordingNotifier>,
}

impl Notifier for FaultyNotifier {
    fn publish(&self, event: LiveEvent) {
        let third = self.heard.fetch_add(1, Ordering::Relaxed) % 3 == 2;
        for _ in 0..if third { self.copies_of_the_third } else { 1 } {
            self.next.publish(event.clone());
        }
    }
}

fn store_that_publishes(copies_of_the_third: usize) -> StoreUnderTest {
    let recorder = Arc::new(RecordingNotifier::new());
    let notifier = FaultyNotifier { heard: AtomicUsize::new(0), copies_of_the_third, next: recorder.clone() };
    let store = MemoryStore::new(Arc::new(notifier));
    StoreUnderTest {
        sessions: store.clone(),
        inbox_reader: store.clone(),
        messages: store.clone(),
        events: store.clone(),
        stats: store.clone(),
        agents: store.clone(),
        people: store.clone(),
        presence: store.clone(),
        revocations: store.clone(),
        orphans: store.clone(),
        uploads: store,
        notifier: recorder,
        guard: Box::new(()),
    }
}

/// A store with a fault in most of its methods, each told at its place.
struct Careless {
    sessions: Arc<dyn SessionRepository>,
    messages: Arc<dyn MessageRepository>,
}

#[async_trait]
impl SessionRepository for Careless {
    async fn write(&self, write: SessionWrite) -> Result<WriteReply> {
        self.sessions.write(write).await
    }

    /// Forgets the key.
    async fn open(&self, session: NewSession, creator: Principal, _key: Option<Idempotency>) -> Result<Opened> {
        self.sessions.open(session, creator, None).await
    }

    /// Forgets the key, and counts before it opens.
    async fn open_within(
        &self,
        limit: u32,
        session: NewSession,
        creator: Principal,
        _key: Option<Idempotency>,
    ) -> Result<Opened> {
        let visible = Visibility::OwnedBy(session.owner.clone());
        let position = SessionPosition::Page(PageNumber::FIRST);
        let query = SessionQuery { visible, status: Some(SessionStatus::Active), position, limit: PageLimit::SESSIONS };
        if self.sessions.list(&query).await?.total >= u64::from(limit) {
            return Err(LimitReached::OpenSessions { limit }.into());
        }
        tokio::task::yield_now().await;
        self.sessions.open(session, creator, None).await
    }

    async fn find(&self, id: SessionId) -> Result<Option<ChatSession>> {
        self.sessions.find(id).await
    }

    /// Counts the page and not the list.
    async fn list(&self, query: &SessionQuery) -> Result<SessionPage> {
        let page = self.sessions.list(query).await?;
        Ok(SessionPage { total: page.sessions.len() as u64, ..page })
    }

    /// Passes over a session at the border of two pages.
    async fn inbox(&self, query: &InboxQuery) -> Result<InboxPage> {
        let mut page = self.sessions.inbox(query).await?;
        if page.next.is_some() {
            page.sessions.pop();
        }
        Ok(page)
    }

    /// Pretends that a repeated change succeeded.
    async fn change(&self, id: SessionId, change: SessionChange) -> Result<ChatSession> {
        let before = self.sessions.find(id).await?;
        match (self.sessions.change(id, change).await, before) {
            (Err(_), Some(session)) => Ok(session),
            (answer, _) => answer,
        }
    }
}

#[async_trait]
impl MessageRepository for Careless {
    async fn write(&self, write: SessionWrite) -> Result<WriteReply> {
        self.messages.write(write).await
    }

    /// Forgets the key, and answers late, so that a caller may have gone before.
    async fn append(&self, draft: MessageDraft) -> Result<Appended> {
        let answer = self.messages.append(MessageDraft { idempotency: None, ..draft }).await;
        tokio::task::yield_now().await;
        answer
    }

    async fn page(&self, session: SessionId, query: MessageQuery) -> Result<Option<SessionSnapshot>> {
        self.messages.page(session, query).await
    }

    /// Keeps quiet about ids that it does not know.
    async fn mark_read(
        &self,
        session: SessionId,
        reader: Principal,
        messages: Vec<MessageId>,
        at: Timestamp,
    ) -> Result<Option<Receipt>> {
        match self.messages.mark_read(session, reader, messages, at).await {
            Err(chat_domain::ChatError::Invalid(_)) => Ok(None),
            answer => answer,
        }
    }

    /// Does what it can for someone who may not, and takes a position beyond the end for all that is to come.
    async fn mark_read_up_to(
        &self,
        session: SessionId,
        reader: Principal,
        up_to: Seq,
        at: Timestamp,
    ) -> Result<Option<Receipt>> {
        match self.messages.mark_read_up_to(session, reader, up_to, at).await {
            Err(chat_domain::ChatError::Forbidden(_) | chat_domain::ChatError::NotFound(_)) => Ok(None),
            Ok(Some(receipt)) => Ok(Some(Receipt { up_to, ..receipt })),
            answer => answer,
        }
    }

    /// Takes everyone for the owner.
    async fn mark_delivered(
        &self,
        s: SessionId,
        _who: Principal,
        up_to: Seq,
        at: Timestamp,
    ) -> Result<Option<Receipt>> {
        let owner = self.sessions.find(s).await?.map(|session| session.owner);
        match owner {
            Some(owner) => self.messages.mark_delivered(s, Principal::new(owner, Role::User), up_to, at).await,
            None => Ok(None),
        }
    }

    /// Forgets how far the message has come.
    async fn find(&self, session: SessionId, message: MessageId) -> Result<Option<MessageLookup>> {
        let record = self.messages.find(session, message).await?;
        Ok(record.map(|record| MessageLookup { message: record.message.map(ChatMessage::as_sent), ..record }))
    }

    async fn find_attachment(&self, id: AttachmentId) -> Result<Option<AttachmentLookup>> {
        self.messages.find_attachment(id).await
    }

    /// Knows nothing.
    async fn unknown_attachments(&self, ids: Vec<AttachmentId>) -> Result<Vec<AttachmentId>> {
        Ok(ids)
    }
}

/// A reader with a fault in each of its methods.
struct CarelessReader(Arc<dyn InboxReader>);

#[async_trait]
impl InboxReader for CarelessReader {
    /// Passes over one.
    async fn find_many(&self, ids: Vec<SessionId>) -> Result<Vec<ChatSession>> {
        let mut found = self.0.find_many(ids).await?;
        found.pop();
        Ok(found)
    }

    /// Does not read on.
    async fn active(&self, ranges: Vec<InboxRange>) -> Result<Vec<ActiveSession>> {
        let mut active = self.0.active(ranges).await?;
        active.truncate(500);
        Ok(active)
    }

    /// Does not know how far they are.
    async fn ended(&self, range: InboxRange) -> Result<Vec<(SessionId, Seq)>> {
        let ended = self.0.ended(range).await?;
        Ok(ended.into_iter().map(|(id, _)| (id, Seq::ZERO)).collect())
    }
}

async fn careless_store() -> StoreUnderTest {
    let store = make_store().await;
    let mutant = Arc::new(Careless { sessions: store.sessions.clone(), messages: store.messages.clone() });
    let inbox_reader = Arc::new(CarelessReader(store.inbox_reader.clone()));
    StoreUnderTest { sessions: mutant.clone(), messages: mutant, inbox_reader, ..store }
}

/// A log with a fault in most of its methods, each told at its place.
struct Forgetful {
    events: Arc<dyn EventLog>,
    asked: AtomicUsize,
}

#[async_trait]
impl EventLog for Forgetful {
    async fn head(&self, session: SessionId) -> Result<Option<Seq>> {
        self.events.head(session).await
    }

    /// Takes a session that does not exist for one without changes, and tells twice what it is asked twice.
    async fn heads(&self, sessions: Vec<SessionId>) -> Result<Vec<(SessionId, Seq)>> {
        let mut heads = Vec::with_capacity(sessions.len());
        for session in sessions {
            heads.push((session, self.events.head(session).await?.unwrap_or_default()));
        }
        Ok(heads)
    }

    /// Forgets the keys, and counts events but does not weigh them.
    async fn read(&self, session: SessionId, after: Seq, limit: LogLimit) -> Result<LogPage> {
        let page = self.events.read(session, after, LogLimit::events(limit.events)).await?;
        let events = page.events.into_iter().map(|event| SessionEvent { key: None, ..event }).collect();
        Ok(LogPage { events, ..page })
    }

    async fn position_of(&self, session: SessionId, message: MessageId) -> Result<Option<Seq>> {
        self.events.position_of(session, message).await
    }

    /// Makes up another epoch each time.
    async fn epoch(&self) -> Result<Epoch> {
        let number = self.asked.fetch_add(1, Ordering::Relaxed);
        let epoch = Epoch::parse(&number.to_string());
        epoch.map_err(|violation| violation.of("epoch").into())
    }
}

async fn forgetful_store() -> StoreUnderTest {
    let store = make_store().await;
    let events = Arc::new(Forgetful { events: store.events.clone(), asked: AtomicUsize::new(0) });
    StoreUnderTest { events, ..store }
}

notices! { a_lost_event_is_noticed: async { store_that_publishes(0) }, unlike make_store =>
    event_log::the_log_replays_what_was_published,
    message_repository::concurrent_messages_take_positions_without_gap,
    message_repository::a_message_whose_sender_went_away_is_published_all_the_same,
    session_repository::a_change_whose_caller_went_away_is_published_all_the_same,
    receipts::a_receipt_whose_reader_went_away_is_published_all_the_same,
    read_up_to::a_reading_up_to_whose_reader_went_away_is_published_all_the_same,
}

notices! { a_repeated_event_is_noticed: async { store_that_publishes(2) }, unlike make_store =>
    event_log::the_log_replays_what_was_published,
    session_repository::concurrent_changes_are_published_once_and_in_order,
}

notices! { a_forgotten_key_is_noticed: careless_store(), unlike make_store =>
    session_repository::concurrent_repetitions_of_a_key_open_one_session,
    message_repository::concurrent_repetitions_of_a_key_append_one_message,
    message_repository::a_message_whose_sender_went_away_is_published_all_the_same,
}

notices! { a_session_lost_between_two_pages_is_noticed: careless_store(), unlike make_store =>
    inbox::pages_divide_a_view,
    inbox::filters_show_what_they_name_and_leave_the_counts,
    inbox::a_walk_through_a_view_sees_each_lasting_session_once_while_others_come_and_go,
}

notices! { a_session_that_an_inbox_does_not_see_is_noticed: careless_store(), unlike make_store =>
    inbox_reader::sessions_are_found_by_their_ids_as_they_are_alone,
    inbox_reader::more_sessions_than_are_read_at_once_are_all_read,
    inbox_reader::sessions_that_ended_last_are_read_with_their_positions,
}

notices! { an_inexact_limit_is_noticed: careless_store(), unlike make_store =>
    session_repository::a_repeated_key_is_answered_at_the_limit,
    session_repository::of_concurrent_openings_as_many_succeed_as_there_is_room_for,
}

notices! { a_second_winner_is_noticed: careless_store(), unlike make_store =>
    session_repository::of_concurrent_assignments_one_wins,
    session_repository::of_concurrent_closings_one_wins,
}

notices! { an_update_that_is_not_refused_is_noticed: careless_store(), unlike make_store =>
    session_update::an_update_of_another_version_changes_nothing,
    session_update::a_refused_update_leaves_no_trace,
    session_update::a_closed_session_is_not_updated,
    session_update::of_concurrent_updates_of_one_version_one_wins,
}

notices! { a_wrong_total_is_noticed: careless_store(), unlike make_store =>
    session_list::pages_divide_the_list,
    session_list::a_far_away_page_is_empty_and_knows_the_total,
    session_list::every_list_is_right_after_any_history,
}

notices! { a_careless_receipt_is_noticed: careless_store(), unlike make_store =>
    receipts::an_id_that_is_no_message_of_the_session_is_named_and_nothing_changes,
    receipts::delivery_to_an_onlooker_is_ignored,
    receipts::delivery_goes_up_to_its_position,
}

notices! { a_careless_reading_up_to_is_noticed: careless_store(), unlike make_store =>
    read_up_to::reading_up_to_in_an_unknown_session_is_not_found_for_any_role,
    read_up_to::a_missing_right_to_read_up_to_is_refused_and_nothing_changes,
    read_up_to::reading_up_to_beyond_the_end_marks_no_later_message,
    read_up_to::a_long_absence_is_read_in_receipts_of_a_bounded_size,
}

notices! { a_log_that_forgets_is_noticed: forgetful_store(), unlike make_store =>
    event_log::the_heads_are_those_of_the_sessions_that_exist,
    event_log::a_session_that_is_named_twice_has_one_head,
    event_log::a_message_has_its_authors_key_and_nothing_else_has_one,
    event_log::a_page_is_the_longest_within_its_limits,
    event_log::a_page_has_one_event_whatever_it_weighs,
    event_log::the_log_replays_what_was_published,
    event_log::the_epoch_stays_whatever_happens_in_the_sessions,
}

notices! { a_message_without_its_receipts_is_noticed: careless_store(), unlike make_store =>
    message_repository::a_message_is_found_with_its_session,
}

notices! { an_orphan_that_is_none_is_noticed: careless_store(), unlike make_store =>
    message_repository::attachments_that_no_message_refers_to_are_told_apart,
}
