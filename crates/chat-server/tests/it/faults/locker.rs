//! Another client of the same database, which holds locks.

use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use test_servers::postgres::{TestDatabase, find_programs};
use tokio::time::sleep;

use crate::support::{Lines, PATIENCE};

/// An open transaction. It ends with the value.
pub(super) struct Locker<'a> {
    database: &'a TestDatabase,
    session: Child,
}

impl<'a> Locker<'a> {
    /// Locks a table against everybody.
    pub(super) fn table(database: &'a TestDatabase, table: &str) -> Self {
        Self::holding(database, &format!("LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"))
    }

    /// Locks the row of a session against everybody who writes.
    pub(super) fn session(database: &'a TestDatabase, id: &str) -> Self {
        Self::holding(database, &format!("SELECT FROM chat_sessions WHERE id = '{id}' FOR UPDATE"))
    }

    fn holding(database: &'a TestDatabase, statement: &str) -> Self {
        let mut psql = Command::new(find_programs().unwrap().join("psql"));
        psql.args(["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-d", database.url()]);
        psql.env("PGAPPNAME", "another-client").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut session = psql.spawn().unwrap();
        let stdin = session.stdin.as_mut().expect("a pipe");
        writeln!(stdin, "BEGIN; {statement}; SELECT 'locked';").unwrap();
        let said = Lines::collect(session.stdout.take().expect("a pipe"));
        said.wait_for(PATIENCE, |lines| lines.iter().any(|line| line == "locked").then_some(()));
        Self { database, session }
    }

    /// Waits until so many connections of servers wait for locks.
    pub(super) async fn until_blocked(&self, connections: usize) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let waiting = self.database.sql(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
                 AND application_name = 'chat-server' AND wait_event_type = 'Lock'",
            );
            if waiting.parse::<usize>().unwrap() >= connections {
                return;
            }
            assert!(Instant::now() < deadline, "{waiting} connections wait");
            sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Locker<'_> {
    fn drop(&mut self) {
        // `psql` ends at the end of its input, and its transaction with it.
        drop(self.session.stdin.take());
        let _already_gone = self.session.wait();
    }
}
