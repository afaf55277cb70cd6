//! No statement reads more of a table than it needs.
//!
//! Every store of the contract suite checks, when its case is over, the plans of all statements that the case ran: so
//! a new statement is checked as soon as any case reaches it.

use std::path::Path;

use chat_domain::ports::{MessageRepository, SessionRepository};
use chat_testkit::fixtures::{alice, draft, new_session, session_id};
use diesel::prelude::*;
use diesel::sql_types::Text;

use crate::recorder;
use crate::support::Place;

/// Walks over a whole table or index that are meant to be.
const MEANT: [(&str, &str); 5] = [
    ("SCAN chat_agents", "lists the agents, all of them; there are a few hundred at most"),
    ("SCAN chat_collector", "reads the only row"),
    ("SCAN chat_epoch", "reads the only row"),
    ("SCAN chat_identity", "reads the only row"),
    ("SCAN chat_stats", "sums the rows of the writers; there are a few dozen at most"),
];

#[derive(QueryableByName)]
struct Step {
    #[diesel(sql_type = Text)]
    detail: String,
}

/// What is wrong with the plan of a statement.
fn objections(connection: &mut SqliteConnection, statement: &str) -> Vec<String> {
    let steps: Vec<Step> = diesel::sql_query(format!("EXPLAIN QUERY PLAN {statement}")).load(connection).unwrap();
    let bad = |step: &String| {
        let scans = step.starts_with("SCAN") && !step.contains("CONSTANT ROW") && !step.contains("VALUES");
        let meant = MEANT.iter().any(|(meant, _reason)| step == meant);
        (scans && !meant) || step.contains("TEMP B-TREE") || step.contains("AUTOMATIC")
    };
    steps.into_iter().map(|step| step.detail).filter(bad).collect()
}

/// Checks all statements that were run on the database so far.
///
/// # Panics
/// When one of them scans or sorts.
pub(crate) fn check(path: &Path) {
    let statements = recorder::statements(path.parent().unwrap());
    assert!(!statements.is_empty(), "the recorder has seen no statement");
    let mut connection = connect(path);
    for statement in statements {
        let objections = objections(&mut connection, &statement);
        assert!(objections.is_empty(), "{objections:?} in the plan of {statement}");
    }
}

fn connect(path: &Path) -> SqliteConnection {
    SqliteConnection::establish(path.to_str().unwrap()).unwrap()
}

#[derive(QueryableByName)]
struct Instruction {
    #[diesel(sql_type = Text)]
    opcode: String,
}

/// How many indexes a statement that changes a session may write. The sessions are in an index themselves (`WITHOUT ROWID`),
/// which is not counted.
fn indexes_written(connection: &mut SqliteConnection, statement: &str) -> usize {
    let program: Vec<Instruction> = diesel::sql_query(format!("EXPLAIN {statement}")).load(connection).unwrap();
    program.iter().filter(|instruction| instruction.opcode == "IdxInsert").count() - 1
}

/// The place in the queue is set when it changes, and not with each message: SQLite writes an index again when one of its
/// columns is set, whatever it is set to.
#[tokio::test]
async fn a_message_writes_no_index_of_its_session() {
    let place = Place::migrated();
    let store = place.open().await;
    store.sessions.open(new_session(1), alice(), None).await.unwrap();
    for n in 2..=3 {
        store.messages.append(draft(session_id(1), &alice(), n)).await.unwrap();
    }
    store.close().await;
    let statements = recorder::statements(place.path().parent().unwrap());
    let mut connection = connect(&place.path());
    let mut indexed = |column: &str| {
        let sets = format!("SET `{column}` =");
        let plain = format!("SET {column} =");
        let statement = statements.iter().find(|text| text.contains(&sets) || text.contains(&plain)).unwrap();
        indexes_written(&mut connection, statement)
    };
    assert_eq!(indexed("last_seq"), 0);
    assert_eq!(indexed("queue_place"), 1, "of the first message, which begins the wait");
}

#[test]
fn the_check_objects_to_scans_and_sorts() {
    let place = Place::migrated();
    let mut connection = connect(&place.path());
    let mut objections = |statement: &str| objections(&mut connection, statement).len();
    assert_eq!(objections("SELECT * FROM chat_messages WHERE content = ?"), 1);
    assert_eq!(objections("SELECT id FROM chat_sessions WHERE priority = ?"), 1);
    assert_eq!(objections("SELECT * FROM chat_messages WHERE session_id = ? ORDER BY created_at"), 1);
    assert_eq!(objections("DELETE FROM chat_attachments WHERE position = ?"), 1);
    assert_eq!(objections("SELECT * FROM chat_messages WHERE session_id = ? AND seq > ? ORDER BY seq"), 0);
}
