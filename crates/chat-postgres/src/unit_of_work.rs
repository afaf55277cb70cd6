//! The unit of work: what the members of one batch share inside their transaction.
//!
//! A batch costs as many round trips as a single write. Its sessions are locked by one statement, in the order of their
//! ids; its members decide in memory; what they add is kept and written by one statement a table at the end.
//!
//! A batch of nothing but messages does without locks: the writer remembers the sessions that it wrote last, the members
//! decide on those, and the one statement that writes everything moves a session only from the position and the state
//! that it was remembered in. Sessions that another node has moved meanwhile are left out, and their messages take the way with locks.

use std::collections::{HashMap, HashSet};

use chat_domain::ChatError;
use chat_domain::error::{Conflict, Refusal};
use chat_domain::model::{
    AgentId, Change, ChatMessage, ChatSession, Fingerprint, Idempotency, IdempotencyKey, MessageDraft, Principal,
    SessionEvent, SessionId, StatisticsDelta, UserId,
};
use chat_sql::{Batch, Committed, Footing, Held, Transaction, Trouble, Unsaved};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{Array, Text};
use uuid::Uuid;

use crate::collect_orphans::HOLD_FILES;
use crate::error::{Failure, is_lost, is_serialization_failure};
use crate::rows::NewAttachment;
use crate::schema::chat_attachments;
use crate::statements::{AddToCounts, AddToStatistics, AppendMessages, InsertEvents, SentBefore, UpdateStates};
use crate::writing_connection::WritingConnection;
use crate::{agent_directory, get_messages, get_session};

/// What a write looks at.
#[derive(Clone, Debug)]
pub(crate) enum Need {
    /// Its session and, when it has a key, the message that was sent under it before.
    Append { session: SessionId, author: Principal, key: Option<IdempotencyKey>, has_files: bool },
    /// A session that it changes, and who does so.
    Session { id: SessionId, by: Principal },
    /// Nothing that is there already, unless a session was opened under the same key before.
    Open { creator: UserId, key: Option<IdempotencyKey> },
    /// Nothing at all: a look whether the writer works.
    Nothing,
}

impl Need {
    pub(crate) fn of(draft: &MessageDraft) -> Self {
        Self::Append {
            session: draft.session_id,
            author: draft.author.clone(),
            key: draft.idempotency.as_ref().map(|idempotency| idempotency.key.clone()),
            has_files: !draft.attachments.is_empty(),
        }
    }

    fn session(&self) -> Option<SessionId> {
        match self {
            Self::Append { session: id, .. } | Self::Session { id, .. } => Some(*id),
            Self::Open { .. } | Self::Nothing => None,
        }
    }

    /// The agent who writes, whom the directory may have deactivated.
    fn agent(&self) -> Option<AgentId> {
        match self {
            Self::Append { author: by, .. } | Self::Session { by, .. } => by.agent(),
            Self::Open { .. } | Self::Nothing => None,
        }
    }
}

/// A message that an earlier request sent under a key.
enum Earlier {
    /// Of this batch: the index of its event.
    Here(usize),
    /// In the table, at this position.
    Stored(i64),
    /// Read from the table, as it was when it was sent.
    Read(Box<ChatMessage>),
}

type KeyOfMessage = (SessionId, UserId, IdempotencyKey);

/// The connection that writes, and what the current batch has read and changed.
pub(crate) struct UnitOfWork {
    connection: WritingConnection,
    footing: Footing,
    batch: Batch,
    /// How many of the batch's events the tables have.
    flushed: usize,
    /// The idempotency of the batch's messages, by the index of their event.
    idempotency: HashMap<usize, Idempotency>,
    keys: HashMap<KeyOfMessage, (Fingerprint, Earlier)>,
    /// The agents who write in this batch and are deactivated; with locks, when it began.
    deactivated: HashSet<AgentId>,
    /// On memory, the agents who write and the sessions that they write in: the statement that writes looks at them.
    writing_agents: HashSet<(SessionId, AgentId)>,
    remembered: lru::LruCache<SessionId, ChatSession>,
    /// Which connection the sessions were read and written over.
    remembered_over: u64,
    /// The sessions that the last commit left out.
    left_out: HashSet<SessionId>,
    /// Whether the connection was lost in a statement of a member of the current batch.
    lost: bool,
}

impl UnitOfWork {
    pub(crate) fn new(connection: WritingConnection, remembered: usize) -> Self {
        // A capacity of none is one that holds no more than the session in hand.
        let capacity = std::num::NonZeroUsize::new(remembered).unwrap_or(std::num::NonZeroUsize::MIN);
        Self {
            connection,
            footing: Footing::Locks,
            batch: Batch::default(),
            flushed: 0,
            idempotency: HashMap::new(),
            keys: HashMap::new(),
            deactivated: HashSet::new(),
            writing_agents: HashSet::new(),
            // Grows as it is filled: room for all would be taken for idle servers too.
            remembered: bounded(capacity),
            remembered_over: 0,
            left_out: HashSet::new(),
            lost: false,
        }
    }

    /// The connection, for statements of a transaction with locks.
    pub(crate) fn connection(&mut self) -> Result<&mut PgConnection, Failure> {
        self.connection.get()
    }

    /// The number of the writer's rows in tables where each writer has its own.
    pub(crate) fn slot(&self) -> i32 {
        self.connection.slot()
    }

    /// The failure of a member, for its caller. A connection that is of no use any more is given up: a rollback works on
    /// one to a server that has become a standby, which would be kept and fail every later write.
    pub(crate) fn failed(&mut self, failure: Failure) -> ChatError {
        self.lost = matches!(&failure, Failure::NotConnected(_))
            || matches!(&failure, Failure::Database(error) if is_lost(error));
        let error = ChatError::from(failure);
        if self.lost {
            self.connection.drop_lost(&error);
        }
        error
    }

    /// The session as it is at this point of the batch.
    pub(crate) fn session(&self, id: SessionId) -> Option<ChatSession> {
        self.batch.session(id).cloned()
    }

    /// Refuses an agent who is deactivated.
    ///
    /// # Errors
    /// `Forbidden(AgentDeactivated)`.
    pub(crate) fn require_active(&self, who: &Principal) -> Result<(), Failure> {
        match who.agent() {
            Some(agent) if self.deactivated.contains(&agent) => Err(Refusal::AgentDeactivated.into()),
            _ => Ok(()),
        }
    }

    /// The message that an earlier request with the draft's key sent, as it was then.
    ///
    /// # Errors
    /// The key was used for something else.
    pub(crate) fn sent_before(&mut self, draft: &MessageDraft) -> Result<Option<ChatMessage>, Failure> {
        let Some(Idempotency { key, fingerprint }) = &draft.idempotency else { return Ok(None) };
        let name = (draft.session_id, draft.author.id.clone(), key.clone());
        let Some((earlier, place)) = self.keys.get_mut(&name) else { return Ok(None) };
        if earlier != fingerprint {
            return Err(Conflict::IdempotencyKeyReused(key.clone()).into());
        }
        match place {
            Earlier::Here(event) => Ok(self.batch.events().get(*event).and_then(message_of).cloned()),
            Earlier::Read(message) => Ok(Some(message.as_ref().clone())),
            Earlier::Stored(seq) => {
                let message = get_messages::at(self.connection.get()?, draft.session_id, *seq)?;
                let message = message.map(ChatMessage::as_sent);
                // A client that repeats in a hurry often does so several times in a batch.
                if let Some(message) = &message {
                    *place = Earlier::Read(Box::new(message.clone()));
                }
                Ok(message)
            }
        }
    }

    /// Takes over a message and its session after it.
    pub(crate) fn appended(
        &mut self,
        session: ChatSession,
        message: ChatMessage,
        idempotency: Option<&Idempotency>,
        statistics: StatisticsDelta,
    ) {
        let event = self.batch.events().len();
        if let Some(idempotency) = idempotency {
            let name = (message.session_id, message.author.clone(), idempotency.key.clone());
            self.keys.insert(name, (idempotency.fingerprint, Earlier::Here(event)));
            self.idempotency.insert(event, idempotency.clone());
        }
        self.batch.appended(session, message, idempotency.map(|idempotency| idempotency.key.clone()), statistics);
    }

    /// Takes over a session of which only a mark has moved that says where to look.
    pub(crate) fn marked(&mut self, session: ChatSession) {
        self.batch.marked(session);
    }

    /// Takes over a session whose row has just been inserted, with the event that opened it.
    pub(crate) fn opened(&mut self, session: &ChatSession, actor: UserId) {
        self.batch.opened(session, actor);
    }

    /// Takes over a session after a change, with the event that tells of it. The last step of a member: whatever may
    /// refuse comes before.
    pub(crate) fn changed(&mut self, session: ChatSession, actor: UserId, change: Change, statistics: StatisticsDelta) {
        self.batch.changed(session, actor, change, statistics);
    }

    /// Writes what the batch has kept back, so that a member's own statements see it. Only with locks.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        let writer = self.connection.slot();
        let statement = append_statement(&self.batch, self.flushed, &self.idempotency, writer);
        let connection = self.connection.get()?;
        if !statement.is_empty() {
            let wanted = statement.sessions().len();
            if statement.run(connection)?.len() != wanted {
                return Err(Failure::corrupt(
                    "chat_sessions.last_seq",
                    "or what else decides moved under the lock of its row",
                ));
            }
        }
        let new = self.batch.events().get(self.flushed..).unwrap_or_default();
        let files: Vec<NewAttachment<'_>> = new.iter().filter_map(message_of).flat_map(NewAttachment::of).collect();
        if !files.is_empty() {
            diesel::insert_into(chat_attachments::table).values(files).execute(connection)?;
        }
        let mut events = InsertEvents::default();
        new.iter().try_for_each(|event| events.event(event))?;
        events.run(connection)?;
        let mut states = UpdateStates::default();
        let held = self.batch.held().filter(|held| held.unsaved == Unsaved::StateAndProgress);
        held.for_each(|held| states.session(&held.session));
        states.run(connection)?;
        AddToCounts::new(writer, self.batch.counts()).run(connection)?;
        AddToStatistics::new(writer, &self.batch.statistics()).run(connection)?;
        self.flushed = self.batch.events().len();
        self.batch.saved();
        Ok(())
    }

    /// Prepares a batch of messages to be decided on what is remembered, after reading what is not.
    fn begin_on_memory(&mut self, needs: &[&Need]) -> Result<(), Failure> {
        self.writing_agents = needs.iter().filter_map(|need| need.session().zip(need.agent())).collect();
        self.connection.get()?;
        let connections = self.connection.made();
        let connection = self.connection.get()?;
        if self.remembered_over != connections {
            self.remembered.clear();
            self.remembered_over = connections;
        }
        let mut missing: Vec<Uuid> = Vec::new();
        for id in needs.iter().filter_map(|need| need.session()) {
            if self.batch.session(id).is_some() {
                continue;
            }
            match self.remembered.get(&id) {
                Some(session) => self.batch.hold(session.clone()),
                None => missing.push(id.as_uuid()),
            }
        }
        if !missing.is_empty() {
            missing.sort_unstable();
            missing.dedup();
            get_session::find_many(connection, &missing)?.into_iter().for_each(|session| self.batch.hold(session));
        }
        Ok(())
    }

    /// Begins a transaction and locks the sessions of the batch, waiting for those that somebody else has locked or
    /// leaving them out.
    fn begin_on_locks(&mut self, needs: &[&Need], in_turn: bool) -> Result<(), Failure> {
        let mut begin = if in_turn { "BEGIN".to_owned() } else { self.connection.begin() };
        if needs.iter().any(|need| matches!(need, Need::Append { has_files: true, .. })) {
            begin = format!("{begin}; {HOLD_FILES}");
        }
        let connection = self.connection.get()?;
        connection.batch_execute(&begin)?;
        let mut ids: Vec<Uuid> = needs.iter().filter_map(|need| need.session()).map(|id| id.as_uuid()).collect();
        ids.sort_unstable();
        ids.dedup();
        if !ids.is_empty() {
            let locked = if in_turn {
                get_session::lock_many_in_turn(connection, &ids)?
            } else {
                get_session::lock_many(connection, &ids)?
            };
            for session in locked {
                self.batch.hold(session);
            }
            ids.retain(|id| self.batch.session(SessionId::new(*id)).is_none());
        }
        if !ids.is_empty() {
            // Somebody else has locked them, unless they are the ids of nothing.
            let locked = get_session::existing(connection, &ids)?;
            self.left_out.extend(locked.into_iter().map(SessionId::new));
        }
        lock_keys_of_sessions(connection, needs)?;
        // Last, since waiting for a lock may take long.
        let mut agents: Vec<AgentId> = needs.iter().filter_map(|need| need.agent()).collect();
        agents.sort_unstable();
        agents.dedup();
        if !agents.is_empty() {
            self.deactivated.extend(agent_directory::deactivated_among(connection, &agents)?);
        }
        let mut keys = SentBefore::default();
        for need in needs {
            if let Need::Append { session, author, key: Some(key), .. } = need {
                keys.key(*session, &author.id, key);
            }
        }
        for (session, seq, author, key, fingerprint) in keys.run(connection)? {
            let author = chat_sql::valid("chat_messages.author_id", UserId::parse(&author))?;
            let key = chat_sql::valid("chat_messages.idempotency_key", IdempotencyKey::parse(&key))?;
            let fingerprint = <[u8; 32]>::try_from(fingerprint)
                .map_err(|_| Failure::corrupt("chat_messages.fingerprint", "has not 32 bytes"))?;
            let known = (Fingerprint::from_bytes(fingerprint), Earlier::Stored(seq));
            self.keys.insert((SessionId::new(session), author, key), known);
        }
        Ok(())
    }

    fn begin_once(&mut self, needs: &[&Need], footing: Footing) -> Result<(), Failure> {
        self.left_out.clear();
        self.deactivated.clear();
        self.writing_agents.clear();
        self.lost = false;
        let begun = match footing {
            Footing::Memory => self.begin_on_memory(needs),
            Footing::Locks => self.begin_on_locks(needs, false),
            Footing::LocksInTurn => self.begin_on_locks(needs, true),
        };
        if begun.is_err() {
            self.rollback();
        }
        begun
    }

    fn trouble_of(&mut self, failure: Failure) -> Trouble {
        let (lost, collision) = match &failure {
            Failure::Database(error) => (is_lost(error), is_serialization_failure(error)),
            Failure::NotConnected(_) => (true, false),
            Failure::Refused(_) | Failure::Corrupt(_) => (false, false),
        };
        let error = ChatError::from(failure);
        if lost {
            self.connection.drop_lost(&error);
            return Trouble::Lost(error);
        }
        // What fails on memory may work with locks: a key that another node has just used, for one.
        if collision || self.footing == Footing::Memory { Trouble::Collision(error) } else { Trouble::Failed(error) }
    }

    /// Remembers the sessions as the batch leaves them.
    fn remember(&mut self, held: HashMap<SessionId, Held>) {
        for (id, held) in held {
            // A closed session takes no message any more.
            if held.session.is_active() && !self.left_out.contains(&id) {
                self.remembered.put(id, held.session);
            } else {
                self.remembered.pop(&id);
            }
        }
    }

    fn forget_batch(&mut self) {
        self.batch.clear();
        self.flushed = 0;
        self.idempotency.clear();
        self.keys.clear();
    }

    fn write(&mut self) -> Result<(), Failure> {
        if self.footing != Footing::Memory {
            self.flush()?;
            return Ok(self.connection.get()?.batch_execute("COMMIT")?);
        }
        let mut statement = append_statement(&self.batch, self.flushed, &self.idempotency, self.connection.slot());
        self.writing_agents.iter().for_each(|(session, agent)| statement.agent(*session, agent));
        if !statement.is_empty() {
            let wanted: Vec<Uuid> = statement.sessions().to_vec();
            let moved: HashSet<Uuid> = statement.run(self.connection.get()?)?.into_iter().collect();
            let behind = wanted.into_iter().filter(|id| !moved.contains(id));
            self.left_out.extend(behind.map(SessionId::new));
        }
        Ok(())
    }
}

fn bounded<V>(capacity: std::num::NonZeroUsize) -> lru::LruCache<SessionId, V> {
    let mut cache = lru::LruCache::unbounded();
    cache.resize(capacity);
    cache
}

/// Locks the keys under which sessions are opened, in their order: opening one waits for another transaction that opens a
/// session under the same key, and batches that waited for each other's keys would wait for ever.
fn lock_keys_of_sessions(connection: &mut PgConnection, needs: &[&Need]) -> QueryResult<()> {
    let mut keys: Vec<String> = Vec::new();
    for need in needs {
        if let Need::Open { creator, key: Some(key) } = need {
            keys.push(format!("{}\n{}", creator.as_str(), key.as_str()));
        }
    }
    keys.sort_unstable();
    keys.dedup();
    if !keys.is_empty() {
        diesel::sql_query("SELECT pg_advisory_xact_lock(hashtextextended(key, 0)) FROM unnest($1) AS key")
            .bind::<Array<Text>, _>(keys)
            .execute(connection)?;
    }
    Ok(())
}

/// The statement that moves the sessions of a batch on and inserts the messages among its events from `first` on.
fn append_statement<'a>(
    batch: &'a Batch,
    first: usize,
    idempotency: &'a HashMap<usize, Idempotency>,
    writer: i32,
) -> AppendMessages<'a> {
    let mut statement = AppendMessages::new(writer);
    let mut held: Vec<&Held> = batch.held().filter(|held| held.unsaved != Unsaved::Nothing).collect();
    held.sort_unstable_by_key(|held| held.session.id);
    for held in held {
        statement.session(held);
    }
    for (index, event) in batch.events().iter().enumerate().skip(first) {
        if let Some(message) = message_of(event) {
            statement.message(message, idempotency.get(&index));
        }
    }
    statement
}

fn message_of(event: &SessionEvent) -> Option<&ChatMessage> {
    match &event.change {
        Change::Message(message) => Some(message),
        _ => None,
    }
}

/// Transactions are driven by plain statements and not by diesel's transaction manager, which would take a round trip for
/// what it knows already.
impl Transaction for UnitOfWork {
    type Need = Need;
    type Event = SessionEvent;

    fn begin(&mut self, needs: &[&Need], wish: Footing) -> Result<Footing, Trouble> {
        let only_messages = needs.iter().all(|need| matches!(need, Need::Append { has_files: false, .. }));
        self.footing = if wish == Footing::Memory && !only_messages { Footing::Locks } else { wish };
        let begun = match self.begin_once(needs, self.footing) {
            // Nothing has been done yet, so a connection that turns out to be gone may be replaced at once.
            Err(Failure::Database(error)) if is_lost(&error) => {
                self.connection.drop_lost(&Failure::from(error).into());
                self.begin_once(needs, self.footing)
            }
            begun => begun,
        };
        begun.map_err(|failure| self.trouble_of(failure))?;
        Ok(self.footing)
    }

    fn commit(&mut self) -> Result<Committed<SessionEvent>, Trouble> {
        self.write().map_err(|failure| self.trouble_of(failure))?;
        let (mut events, held) = self.batch.finish();
        let partly = !self.left_out.is_empty();
        if partly {
            events.retain(|event| !self.left_out.contains(&event.session_id));
        }
        self.remember(held);
        self.forget_batch();
        Ok(Committed { events, partly })
    }

    fn trouble(&mut self, failure: ChatError) -> Trouble {
        if self.lost { Trouble::Lost(failure) } else { Trouble::Failed(failure) }
    }

    fn left_out(&self, need: &Need) -> bool {
        need.session().is_some_and(|session| self.left_out.contains(&session))
    }

    fn rollback(&mut self) {
        if self.footing != Footing::Memory {
            self.connection.rollback();
        }
        self.forget_batch();
    }

    fn close(&mut self) {
        self.connection.close();
    }
}
