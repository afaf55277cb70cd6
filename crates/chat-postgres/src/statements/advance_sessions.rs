//! Advances sessions: the position and the counters of each that has changed, its new messages, and the statistics. One
//! statement, one round trip, atomic by itself.
//!
//! The rows are kept as columns, because `unnest` takes an array for each and diesel binds a parameter by reference: rows
//! would have to be turned into the same columns first.
//!
//! A repeated idempotency key that the writer does not know of violates the unique index of the messages. Then the batch is
//! decided once more under locks, with the earlier message among its facts (`chat_sql::WriteStore`).
//!
//! A session moves only from the position that the writer takes it to be at, and only moved sessions get their messages.
//! So the statement may be run on what the writer remembers of a session: when another node has changed it meanwhile, the
//! session and its messages are skipped, and the result does not name it. The position is not all that is
//! compared: what decides about a message is, so that a row that has come to the same position in another way is not
//! written over. The same becomes of a session in which an agent writes whom the directory has deactivated: the way with
//! locks then tells who of its authors that is.

use chat_domain::model::{
    AgentId, ChatMessage, ChatSession, Fingerprint, IdempotencyKey, SessionId, Timestamp, UserId,
};
use chat_domain::write::{Effects, SessionEffect};
use chat_sql::{last_message_to_json, to_db};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment};
use diesel::sql_types::Integer;
use uuid::Uuid;

use super::columns::Columns;
use super::prepared;

/// The statement with its rows.
#[derive(Default)]
pub(crate) struct AdvanceSessions<'a> {
    writer: i32,
    sessions: Sessions<'a>,
    messages: Messages<'a>,
    agents: Agents<'a>,
}

/// A column each.
#[derive(Default)]
struct Sessions<'a> {
    ids: Vec<Uuid>,
    expected_seq: Vec<i64>,
    expected_count: Vec<i64>,
    expected_agent: Vec<Option<&'a str>>,
    expected_active: Vec<bool>,
    last_seq: Vec<i64>,
    message_count: Vec<i64>,
    waiting_since: Vec<Option<i64>>,
    unread_by_user: Vec<i64>,
    unread_by_support: Vec<i64>,
    user_delivered_seq: Vec<i64>,
    support_delivered_seq: Vec<i64>,
    user_read_seq: Vec<i64>,
    support_read_seq: Vec<i64>,
    last_event_at: Vec<i64>,
    last_message: Vec<Option<String>>,
    last_activity_at: Vec<i64>,
    queue_place: Vec<Option<i64>>,
    new_messages: Vec<i64>,
    responses: Vec<i64>,
    response_time_ms: Vec<i64>,
}

/// Who must not be deactivated for a session to move. A column each.
#[derive(Default)]
struct Agents<'a> {
    session_ids: Vec<Uuid>,
    ids: Vec<&'a str>,
}

/// A column each.
#[derive(Default)]
struct Messages<'a> {
    session_ids: Vec<Uuid>,
    seqs: Vec<i64>,
    ids: Vec<Uuid>,
    author_ids: Vec<&'a str>,
    senders: Vec<&'static str>,
    contents: Vec<&'a str>,
    created_at: Vec<i64>,
    attachment_counts: Vec<i32>,
    keys: Vec<Option<&'a str>>,
    fingerprints: Vec<Option<&'a [u8]>>,
}

impl<'a> AdvanceSessions<'a> {
    /// The statement of a batch, which counts for this writer. The sessions come in the order of their ids, which is the
    /// order in which every writer locks them.
    pub(crate) fn new(writer: i32, effects: &'a Effects) -> Self {
        let mut statement = Self { writer, ..Self::default() };
        for (before, effect) in effects.changed_sessions() {
            statement.session(before, effect);
        }
        for (message, key) in effects.messages() {
            statement.message(message, key);
        }
        statement
    }

    fn session(&mut self, before: &'a ChatSession, effect: &'a SessionEffect) {
        let (progress, statistics, sessions) = (&effect.after.progress, &effect.statistics, &mut self.sessions);
        sessions.ids.push(before.id.as_uuid());
        sessions.expected_seq.push(to_db(before.progress.last_seq.get()));
        sessions.expected_count.push(to_db(before.progress.message_count));
        sessions.expected_agent.push(before.agent().map(AgentId::as_str));
        sessions.expected_active.push(before.is_active());
        sessions.last_seq.push(to_db(progress.last_seq.get()));
        sessions.message_count.push(to_db(progress.message_count));
        sessions.waiting_since.push(progress.waiting_since.map(Timestamp::unix_ms));
        sessions.unread_by_user.push(to_db(progress.unread_by_user));
        sessions.unread_by_support.push(to_db(progress.unread_by_support));
        sessions.user_delivered_seq.push(to_db(progress.user_delivered_seq.get()));
        sessions.support_delivered_seq.push(to_db(progress.support_delivered_seq.get()));
        sessions.user_read_seq.push(to_db(progress.user_read_seq.get()));
        sessions.support_read_seq.push(to_db(progress.support_read_seq.get()));
        sessions.last_event_at.push(progress.last_event_at.unix_ms());
        sessions.last_message.push(last_message_to_json(&effect.after));
        sessions.last_activity_at.push(effect.after.latest.activity_at.unix_ms());
        sessions.queue_place.push(effect.after.queue_place());
        sessions.new_messages.push(to_db(statistics.messages));
        sessions.responses.push(to_db(statistics.responses));
        sessions.response_time_ms.push(to_db(statistics.response_time_ms));
    }

    fn message(&mut self, message: &'a ChatMessage, key: Option<(&'a IdempotencyKey, &'a Fingerprint)>) {
        let messages = &mut self.messages;
        messages.session_ids.push(message.session_id.as_uuid());
        messages.seqs.push(to_db(message.seq.get()));
        messages.ids.push(message.id.as_uuid());
        messages.author_ids.push(UserId::as_str(&message.author));
        messages.senders.push(message.sender.as_str());
        messages.contents.push(message.content.as_str());
        messages.created_at.push(message.sent_at.unix_ms());
        messages.attachment_counts.push(i32::try_from(message.attachments.len()).unwrap_or(i32::MAX));
        messages.keys.push(key.map(|(key, _)| key.as_str()));
        messages.fingerprints.push(key.map(|(_, fingerprint)| fingerprint.as_bytes().as_slice()));
    }

    /// Lets the session move only unless this agent, who writes in it, is deactivated.
    pub(crate) fn agent(&mut self, session: SessionId, agent: &'a AgentId) {
        self.agents.session_ids.push(session.as_uuid());
        self.agents.ids.push(agent.as_str());
    }

    /// Whether there is nothing to do.
    pub(crate) fn is_empty(&self) -> bool {
        self.sessions.ids.is_empty()
    }

    /// Runs it and returns the sessions that have moved on.
    pub(crate) fn run(self, connection: &mut PgConnection) -> QueryResult<Vec<Uuid>> {
        self.load(connection)
    }
}

impl QueryFragment<Pg> for AdvanceSessions<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let Self { writer, sessions, messages, agents } = self;
        out.push_sql(
            "WITH moved AS (\
             UPDATE chat_sessions AS s SET last_seq = i.last_seq, message_count = i.message_count, \
             waiting_since = i.waiting_since, unread_by_user = i.unread_by_user, \
             unread_by_support = i.unread_by_support, user_delivered_seq = i.user_delivered_seq, \
             support_delivered_seq = i.support_delivered_seq, user_read_seq = i.user_read_seq, \
             support_read_seq = i.support_read_seq, last_event_at = i.last_event_at, \
             last_message = i.last_message, last_activity_at = i.last_activity_at, queue_place = i.queue_place \
             FROM unnest(",
        );
        Columns::of(&mut out)
            .uuids(&sessions.ids)?
            .numbers(&sessions.expected_seq)?
            .numbers(&sessions.expected_count)?
            .maybe_texts(&sessions.expected_agent)?
            .flags(&sessions.expected_active)?
            .numbers(&sessions.last_seq)?
            .numbers(&sessions.message_count)?
            .maybe_numbers(&sessions.waiting_since)?
            .numbers(&sessions.unread_by_user)?
            .numbers(&sessions.unread_by_support)?
            .numbers(&sessions.user_delivered_seq)?
            .numbers(&sessions.support_delivered_seq)?
            .numbers(&sessions.user_read_seq)?
            .numbers(&sessions.support_read_seq)?
            .numbers(&sessions.last_event_at)?
            .maybe_texts(&sessions.last_message)?
            .numbers(&sessions.last_activity_at)?
            .maybe_numbers(&sessions.queue_place)?
            .numbers(&sessions.new_messages)?
            .numbers(&sessions.responses)?
            .numbers(&sessions.response_time_ms)?;
        out.push_sql(
            ") AS i(id, expected_seq, expected_count, expected_agent, expected_active, last_seq, message_count, \
             waiting_since, unread_by_user, unread_by_support, user_delivered_seq, support_delivered_seq, user_read_seq, \
             support_read_seq, last_event_at, last_message, last_activity_at, queue_place, messages, responses, \
             response_time_ms) \
             WHERE s.id = i.id AND s.last_seq = i.expected_seq AND s.message_count = i.expected_count \
             AND s.agent_id IS NOT DISTINCT FROM i.expected_agent AND (s.status = 'active') = i.expected_active \
             AND s.id <> ALL (ARRAY(SELECT a.session_id FROM unnest(",
        );
        // The array does not depend on the session: it is made once, and empty with rare exceptions. LATERAL with LIMIT makes
        // each agent one look-up by their key.
        Columns::of(&mut out).uuids(&agents.session_ids)?.texts(&agents.ids)?;
        out.push_sql(
            ") AS a(session_id, id) CROSS JOIN LATERAL \
             (SELECT FROM chat_agents AS d WHERE d.id = a.id AND NOT d.active LIMIT 1) AS deactivated)) \
             RETURNING s.id, i.messages, i.responses, i.response_time_ms), \
             added AS (INSERT INTO chat_messages (session_id, seq, id, author_id, sender, content, created_at, \
             attachment_count, idempotency_key, fingerprint) \
             SELECT m.* FROM unnest(",
        );
        Columns::of(&mut out)
            .uuids(&messages.session_ids)?
            .numbers(&messages.seqs)?
            .uuids(&messages.ids)?
            .texts(&messages.author_ids)?
            .texts(&messages.senders)?
            .texts(&messages.contents)?
            .numbers(&messages.created_at)?
            .integers(&messages.attachment_counts)?
            .maybe_texts(&messages.keys)?
            .maybe_bytes(&messages.fingerprints)?;
        out.push_sql(
            ") AS m(session_id, seq, id, author_id, sender, content, created_at, attachment_count, idempotency_key, \
             fingerprint) WHERE m.session_id IN (SELECT id FROM moved)), \
             counted AS (INSERT INTO chat_stats AS c \
             (writer, opened, closed, messages, responses, response_time_ms) SELECT ",
        );
        out.push_bind_param::<Integer, _>(writer)?;
        out.push_sql(
            "::integer, 0, 0, d.messages, d.responses, d.response_time_ms FROM (\
             SELECT sum(messages)::bigint AS messages, sum(responses)::bigint AS responses, \
             sum(response_time_ms)::bigint AS response_time_ms FROM moved) AS d WHERE d.messages > 0 \
             ON CONFLICT (writer) DO UPDATE SET messages = c.messages + excluded.messages, \
             responses = c.responses + excluded.responses, \
             response_time_ms = c.response_time_ms + excluded.response_time_ms",
        );
        out.push_sql(") SELECT id FROM moved");
        Ok(())
    }
}

impl Query for AdvanceSessions<'_> {
    type SqlType = diesel::sql_types::Uuid;
}

prepared!(AdvanceSessions<'_>);
