//! Advances sessions: the position and the counters of each that has changed, its new messages, and the statistics. One
//! statement, one round trip, atomic by itself.
//!
//! The statement holds columns, because `unnest` takes an array for each and diesel binds a parameter by reference. They
//! are made of the rows one by one, so that each has its final size at once.
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
    AgentId, ChatMessage, ChatSession, Fingerprint, IdempotencyKey, Progress, SessionId, StatisticsDelta, Timestamp,
};
use chat_domain::write::{Effects, SessionEffect};
use chat_sql::{last_message_to_text, to_db};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment};
use diesel::sql_types::Integer;
use uuid::Uuid;

use super::columns::Columns;
use super::prepared;

/// A session before the batch, and what the batch makes of it.
type SessionMove<'a> = (&'a ChatSession, &'a SessionEffect);
/// A message, with its key and what it meant.
type KeyedMessage<'a> = (&'a ChatMessage, Option<(&'a IdempotencyKey, &'a Fingerprint)>);

/// The statement with its rows.
pub(crate) struct AdvanceSessions<'a> {
    writer: i32,
    sessions: Sessions<'a>,
    messages: Messages<'a>,
    agents: Agents<'a>,
}

/// A column each.
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
        let sessions: Vec<SessionMove<'a>> = effects.changed_sessions().collect();
        let messages: Vec<KeyedMessage<'a>> = effects.messages().collect();
        Self { writer, sessions: Sessions::of(&sessions), messages: Messages::of(&messages), agents: Agents::default() }
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

impl<'a> Sessions<'a> {
    fn of(changed: &[SessionMove<'a>]) -> Self {
        let after = |value: fn(&Progress) -> i64| column(changed, |(_, effect)| value(&effect.after.progress));
        let added =
            |value: fn(&StatisticsDelta) -> u64| column(changed, |(_, effect)| to_db(value(&effect.statistics)));
        Self {
            ids: column(changed, |(before, _)| before.id.as_uuid()),
            expected_seq: column(changed, |(before, _)| to_db(before.progress.last_seq.get())),
            expected_count: column(changed, |(before, _)| to_db(before.progress.message_count)),
            expected_agent: column(changed, |(before, _)| before.agent().map(AgentId::as_str)),
            expected_active: column(changed, |(before, _)| before.is_active()),
            last_seq: after(|progress| to_db(progress.last_seq.get())),
            message_count: after(|progress| to_db(progress.message_count)),
            waiting_since: column(changed, |(_, effect)| effect.after.progress.waiting_since.map(Timestamp::unix_ms)),
            unread_by_user: after(|progress| to_db(progress.unread_by_user)),
            unread_by_support: after(|progress| to_db(progress.unread_by_support)),
            user_delivered_seq: after(|progress| to_db(progress.user_delivered_seq.get())),
            support_delivered_seq: after(|progress| to_db(progress.support_delivered_seq.get())),
            user_read_seq: after(|progress| to_db(progress.user_read_seq.get())),
            support_read_seq: after(|progress| to_db(progress.support_read_seq.get())),
            last_event_at: after(|progress| progress.last_event_at.unix_ms()),
            last_message: column(changed, |(_, effect)| last_message_to_text(&effect.after)),
            last_activity_at: column(changed, |(_, effect)| effect.after.latest.activity_at.unix_ms()),
            queue_place: column(changed, |(_, effect)| effect.after.queue_place()),
            new_messages: added(|statistics| statistics.messages),
            responses: added(|statistics| statistics.responses),
            response_time_ms: added(|statistics| statistics.response_time_ms),
        }
    }
}

impl<'a> Messages<'a> {
    fn of(messages: &[KeyedMessage<'a>]) -> Self {
        Self {
            session_ids: column(messages, |(message, _)| message.session_id.as_uuid()),
            seqs: column(messages, |(message, _)| to_db(message.seq.get())),
            ids: column(messages, |(message, _)| message.id.as_uuid()),
            author_ids: column(messages, |(message, _)| message.author.as_str()),
            senders: column(messages, |(message, _)| message.sender.as_str()),
            contents: column(messages, |(message, _)| message.content.as_str()),
            created_at: column(messages, |(message, _)| message.sent_at.unix_ms()),
            attachment_counts: column(messages, |(message, _)| {
                i32::try_from(message.attachments.len()).unwrap_or(i32::MAX)
            }),
            keys: column(messages, |(_, key)| key.map(|(key, _)| key.as_str())),
            fingerprints: column(messages, |(_, key)| key.map(|(_, meant)| meant.as_bytes().as_slice())),
        }
    }
}

/// The values of a column, one for each row.
fn column<R: Copy, T>(rows: &[R], value: impl Fn(R) -> T) -> Vec<T> {
    rows.iter().map(|row| value(*row)).collect()
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
