//! No statement reads more of a table than it needs.
//!
//! Every store of the contract suite checks, when its case is over, the plans of all statements that the case ran: so
//! a new statement is checked as soon as any case reaches it. A plan depends on what is in the tables, so the statements
//! are explained in a database that is filled as in use, and by their generic plans, which the store's connections use.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use chat_postgres::migrate;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::Text;
use serde_json::Value;
use test_servers::postgres::{KeepRows, TestDatabase};

use crate::recorder;
use crate::support::connect;

/// Tables that are read as a whole, and why.
const SMALL: [(&str, &str); 7] = [
    ("chat_agents", "a few hundred rows at most; the list of agents is all of them"),
    ("chat_collector", "one row"),
    ("chat_epoch", "one row"),
    ("chat_fanout_key", "one row"),
    ("chat_identity", "one row"),
    ("chat_revocation_version", "one row"),
    ("chat_stats", "a row per writer"),
];

/// Indexes that are walked from their end, and why.
const WALKED: [(&str, &str); 2] = [
    ("chat_sessions_by_start", "is in the order of the list of all sessions, and the walk ends at LIMIT"),
    ("chat_agents_pkey", "is in the order of the list of agents, which is all of them"),
];

/// Statements that may sort, by a part of their text, and why.
const SORTED: [(&str, &str); 2] = [
    ("FROM \"chat_agents\" ORDER BY", "the list of agents is all of them, a few hundred rows at most"),
    ("FOR UPDATE", "the sessions of a batch, a few hundred at most, are locked in the order of their ids"),
];

/// 20,000 sessions of 20 customers and 8 agents with two messages each, and 200 sessions with 250; their rows lie
/// scattered, as they do when sessions are in use at the same time. Every fifth message has a file; as many files have no
/// message, and as many wait to be sent. The counters are those of 2,000 customers.
const FILL: &str = "
    INSERT INTO chat_sessions
        SELECT gen_random_uuid(), 'user ' || n % 20, CASE WHEN n % 3 > 0 THEN 'agent ' || n % 8 END,
               CASE WHEN n % 5 > 0 THEN 'closed' ELSE 'active' END, 'low', NULL, '[]', n,
               CASE WHEN n % 5 > 0 THEN n END, CASE WHEN n % 101 = 0 THEN 251 ELSE 3 END,
               CASE WHEN n % 101 = 0 THEN 250 ELSE 2 END, NULL, 0, 0, 0, 0, 'user ' || n % 20, 'key ' || n,
               sha256(n::TEXT::BYTEA)
        FROM generate_series(1, 20200) AS n;
    INSERT INTO chat_session_events
        SELECT id, 1, 'opened', user_id, started_at, '{}' FROM chat_sessions;
    INSERT INTO chat_messages
        SELECT id, seq, gen_random_uuid(), user_id, CASE WHEN seq % 2 = 0 THEN 'user' ELSE 'support' END,
               repeat('x', 80), seq, NULL, NULL, CASE WHEN seq % 5 = 0 THEN 1 ELSE 0 END, 'key ' || seq,
               sha256(seq::TEXT::BYTEA)
        FROM chat_sessions, generate_series(2, 251) AS seq
        WHERE seq <= last_seq
        ORDER BY seq, id;
    INSERT INTO chat_attachments
        SELECT session_id, seq, 0, gen_random_uuid(), 'a.png', 'image/png', 1, sha256('x'), 1, 1, NULL
        FROM chat_messages
        WHERE attachment_count > 0;
    INSERT INTO chat_tickets
        SELECT sha256(n::TEXT::BYTEA), 'user ' || n % 2000, 'user', NULL, gen_random_uuid(), n, n
        FROM generate_series(1, 20000) AS n;
    INSERT INTO chat_revocations SELECT 'user ' || n, n, false, n FROM generate_series(1, 20000) AS n;
    INSERT INTO chat_revocation_version VALUES (true, 20000);
    INSERT INTO chat_agents SELECT 'agent ' || n, NULL, true, 0 FROM generate_series(0, 39) AS n;
    INSERT INTO chat_agent_presence SELECT 'agent ' || n, n FROM generate_series(1, 20000) AS n;
    INSERT INTO chat_people SELECT 'user ' || n, 'name', 'https://example.com', n FROM generate_series(1, 20000) AS n;
    INSERT INTO chat_orphans
        SELECT gen_random_uuid(), n, CASE WHEN n % 2 = 0 THEN n END FROM generate_series(1, 20000) AS n;
    INSERT INTO chat_uploads
        SELECT gen_random_uuid(), gen_random_uuid(), 'user ' || n % 2000, n, 'a.png', 'image/png', 1, sha256('x'), 1, 1,
               NULL
        FROM generate_series(1, 20000) AS n;
    TRUNCATE chat_stats, chat_session_counts;
    INSERT INTO chat_stats SELECT n, 1, 1, 1, 1, 1 FROM generate_series(0, 15) AS n;
    INSERT INTO chat_session_counts
        SELECT 'user', 'user ' || n, status, writer, 5
        FROM generate_series(0, 1999) AS n, unnest('{active, closed}'::TEXT[]) AS status,
             generate_series(0, 3) AS writer";

/// A migrated database that is filled as in use. It is only looked at.
fn filled() -> TestDatabase {
    TestDatabase::reused("filled", KeepRows::All, |url| {
        migrate::up(url).unwrap();
        let mut connection = PgConnection::establish(url).unwrap();
        connection.batch_execute(FILL).unwrap();
        // A sample of all rows: plans that differ by little must not depend on which rows were drawn.
        connection.batch_execute("SET default_statistics_target = 1000").unwrap();
        // What the planner knows, and which pages every transaction sees, as autovacuum would have found out.
        connection.batch_execute("VACUUM ANALYZE").unwrap();
    })
}

#[derive(QueryableByName)]
struct Plan {
    #[diesel(sql_type = Text)]
    #[diesel(column_name = "QUERY PLAN")]
    plan: String,
}

/// How the store's connections plan. Each check looks whether they were told so.
const SETTINGS: [(&str, &str); 4] = [
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_seqscan", "off"),
    ("enable_bitmapscan", "off"),
    ("enable_sort", "off"),
];

/// What is wrong with the plan of a statement.
fn objections(connection: &mut PgConnection, statement: &str) -> Vec<String> {
    let bound = (1..=u16::MAX).take_while(|number| statement.contains(&format!("${number}"))).count();
    // Scans are allowed here, so that a statement shows that it has no fitting index.
    let planned = SETTINGS.iter().filter(|(name, _)| *name != "enable_seqscan");
    let settings = planned.map(|(name, value)| format!("SET {name} = {value};")).collect::<Vec<_>>().concat();
    let arguments = if bound == 0 { String::new() } else { format!("({})", vec!["NULL"; bound].join(", ")) };
    let explain = format!("EXPLAIN (FORMAT JSON) EXECUTE it{arguments}");
    let plans: QueryResult<Vec<Plan>> = connection
        .batch_execute(&format!("{settings} PREPARE it AS {statement}"))
        .and_then(|()| diesel::sql_query(explain).load(connection));
    let plans = plans.unwrap_or_else(|error| panic!("{error}: {statement}"));
    connection.batch_execute("DEALLOCATE it").unwrap();
    let mut objections = Vec::new();
    let may_sort = SORTED.iter().any(|(part, _reason)| statement.contains(part));
    for plan in plans {
        let plan: Value = serde_json::from_str(&plan.plan).unwrap();
        walk(plan.pointer("/0/Plan").unwrap(), may_sort, &mut objections);
    }
    objections
}

fn walk(node: &Value, may_sort: bool, objections: &mut Vec<String>) {
    let text = |field: &str| node[field].as_str().unwrap_or_default();
    let (kind, table, index) = (text("Node Type"), text("Relation Name"), text("Index Name"));
    let meant = match kind {
        "Seq Scan" => SMALL.iter().any(|(small, _reason)| *small == table),
        "Sort" | "Incremental Sort" => may_sort,
        "Index Scan" | "Index Only Scan" | "Bitmap Index Scan" => {
            !node["Index Cond"].is_null() || WALKED.iter().any(|(walked, _reason)| *walked == index)
        }
        _ => true,
    };
    if !meant {
        objections.push([kind, table, index].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" "));
    }
    for child in node["Plans"].as_array().into_iter().flatten() {
        walk(child, may_sort, objections);
    }
}

/// The statements whose plans are known to be good.
static GOOD: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Checks all statements that were run on the database so far.
///
/// # Panics
/// When one of them scans or sorts.
pub(crate) fn check(database: &str) {
    let statements = recorder::statements(database);
    assert!(!statements.is_empty(), "the recorder has seen no statement");
    for (name, value) in SETTINGS {
        let told = recorder::times(database, &format!("SET {name} = {value}"));
        assert!(told > 0, "the connections are planned with another {name} than the check");
    }
    let mut good = GOOD.lock().unwrap_or_else(PoisonError::into_inner);
    let new: Vec<&String> = statements.difference(&good).collect();
    if new.is_empty() {
        return;
    }
    let filled = filled();
    let mut connection = connect(&filled);
    for statement in new {
        let objections = objections(&mut connection, statement);
        assert!(objections.is_empty(), "{objections:?} in the plan of {statement}");
    }
    good.extend(statements);
}

#[test]
#[ignore = "needs Postgres: cargo xtask test"]
fn the_check_objects_to_scans_and_sorts() {
    let filled = filled();
    let mut connection = connect(&filled);
    let mut objections = |statement: &str| objections(&mut connection, statement);
    assert_eq!(objections("SELECT * FROM chat_messages WHERE content = $1"), ["Seq Scan chat_messages"]);
    assert_eq!(objections("SELECT id FROM chat_sessions WHERE priority = $1"), ["Seq Scan chat_sessions"]);
    assert_eq!(objections("SELECT * FROM chat_messages WHERE session_id = $1 ORDER BY created_at"), ["Sort"]);
    assert_eq!(objections("DELETE FROM chat_attachments WHERE position = $1"), ["Seq Scan chat_attachments"]);
    let walk = objections("SELECT session_id, seq FROM chat_messages ORDER BY session_id, seq LIMIT $1");
    assert_eq!(walk, ["Index Only Scan chat_messages chat_messages_pkey"]);
    let good = "SELECT * FROM chat_messages WHERE session_id = $1 AND seq > $2 ORDER BY seq LIMIT $3";
    assert_eq!(objections(good), [""; 0]);
}
