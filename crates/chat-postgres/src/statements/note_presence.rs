//! Takes note that agents had an inbox open.
//!
//! The newer time stays, unless it is ahead of the clock, which was set back then, or of which another server took over.
//! The clock is read again where a row was locked by another node, whose time is later than the beginning of this
//! statement. The rows come in the order of their ids, in which every node locks them.

use std::collections::BTreeMap;
use std::time::Duration;

use chat_domain::model::AgentId;
use chat_sql::age_to_db;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment};

use super::columns::Columns;
use super::prepared;

/// The statement with its rows, a column each.
pub(crate) struct NotePresence<'a> {
    agents: Vec<&'a str>,
    ages: Vec<i64>,
}

impl<'a> NotePresence<'a> {
    /// The statement for these agents.
    pub(crate) fn new(seen: &'a BTreeMap<AgentId, Duration>) -> Self {
        let (agents, ages) = seen.iter().map(|(agent, ago)| (agent.as_str(), age_to_db(*ago))).unzip();
        Self { agents, ages }
    }

    /// Runs it.
    pub(crate) fn run(self, connection: &mut PgConnection) -> QueryResult<()> {
        self.execute(connection).map(drop)
    }
}

impl QueryFragment<Pg> for NotePresence<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(
            "INSERT INTO chat_agent_presence AS p (agent_id, seen_at) \
             SELECT s.agent_id, (extract(epoch FROM clock_timestamp()) * 1000)::BIGINT - s.age FROM unnest(",
        );
        Columns::of(&mut out).texts(&self.agents)?.numbers(&self.ages)?;
        out.push_sql(
            ") AS s(agent_id, age) ON CONFLICT (agent_id) DO UPDATE SET seen_at = excluded.seen_at \
             WHERE p.seen_at NOT BETWEEN excluded.seen_at AND (extract(epoch FROM clock_timestamp()) * 1000)::BIGINT",
        );
        Ok(())
    }
}

prepared!(NotePresence<'_>);
