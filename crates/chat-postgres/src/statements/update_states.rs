//! Writes the columns that an assignment, a transfer or a close moves. They are indexed, so they are left alone otherwise.

use chat_domain::inbox::settled_activity;
use chat_domain::model::{AgentId, ChatSession, Timestamp};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment};
use uuid::Uuid;

use super::columns::Columns;
use super::prepared;
use crate::rows::status_of;

/// The statement with its rows, a column each.
#[derive(Default)]
pub(crate) struct UpdateStates<'a> {
    ids: Vec<Uuid>,
    agent_ids: Vec<Option<&'a str>>,
    statuses: Vec<&'static str>,
    ended_at: Vec<Option<i64>>,
    settled_at: Vec<Option<i64>>,
}

impl<'a> UpdateStates<'a> {
    /// Adds a session, which the transaction has locked.
    pub(crate) fn session(&mut self, session: &'a ChatSession) {
        self.ids.push(session.id.as_uuid());
        self.agent_ids.push(session.agent().map(AgentId::as_str));
        self.statuses.push(status_of(session).as_str());
        self.ended_at.push(session.ended_at().map(Timestamp::unix_ms));
        self.settled_at.push(settled_activity(session).map(Timestamp::unix_ms));
    }

    /// Runs it, if there is anything to update, and returns whether each session was there.
    pub(crate) fn run(self, connection: &mut PgConnection) -> QueryResult<bool> {
        let sessions = self.ids.len();
        Ok(sessions == 0 || self.execute(connection)? == sessions)
    }
}

impl QueryFragment<Pg> for UpdateStates<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(
            "UPDATE chat_sessions AS s SET agent_id = i.agent_id, status = i.status, ended_at = i.ended_at, \
             settled_at = i.settled_at FROM unnest(",
        );
        Columns::of(&mut out)
            .uuids(&self.ids)?
            .maybe_texts(&self.agent_ids)?
            .texts(&self.statuses)?
            .maybe_numbers(&self.ended_at)?
            .maybe_numbers(&self.settled_at)?;
        out.push_sql(") AS i(id, agent_id, status, ended_at, settled_at) WHERE s.id = i.id");
        Ok(())
    }
}

prepared!(UpdateStates<'_>);
