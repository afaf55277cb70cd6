//! A writer's connection: made when it is needed, dropped when it is lost, made again; and its transaction.
//!
//! Transactions are driven by plain statements and not by diesel's transaction manager, which would take a round trip for
//! what is known already.

use std::time::{Duration, Instant};

use chat_domain::ChatError;
use chat_sql::TransactionError;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::Integer;
use metrics::{Counter, counter};
use tracing::{info, warn};

use crate::connection::PgTarget;
use crate::error::{Failure, is_lost, is_serialization_failure};

/// Advisory locks of this class ("chat" in ASCII) stand for the rows that writers have in the counter tables.
const SLOTS: i32 = 0x6368_6174;
/// How many writers of all nodes together have rows of their own. Later ones share the rows of number 0, and wait for
/// each other's commits there.
const OWN_SLOTS: i32 = 64;

/// How long a statement that stands alone waits for a lock. It holds all other sessions of its writer up meanwhile. Other
/// writers hold locks for the time of a commit; after longer, the transaction with locks knows how to leave them out.
const SHORT_WAIT: Duration = Duration::from_millis(100);

/// How long to leave a database alone that could not be connected to.
const PAUSE: Duration = Duration::from_millis(100);

/// The connection of one writer.
pub(crate) struct WritingConnection {
    target: PgTarget,
    /// Whether it writes to the counter tables.
    counts: bool,
    open: Option<Open>,
    /// Whether a transaction has begun on it that has not ended.
    in_transaction: bool,
    was_lost: bool,
    /// When and why the last attempt to connect failed.
    failed: Option<(Instant, String)>,
    made: u64,
    reconnects: Counter,
}

struct Open {
    connection: PgConnection,
    /// The number of the writer's rows in the counter tables, held as long as the connection lives.
    slot: i32,
}

impl WritingConnection {
    /// Connects.
    ///
    /// # Errors
    /// The database cannot be reached, or lacks its tables.
    pub(crate) fn open(target: PgTarget) -> Result<Self, Failure> {
        let mut this = Self { counts: true, ..Self::without_counters(target) };
        this.get()?;
        Ok(this)
    }

    /// A connection that is made when it is first used, for a writer that has no rows in the counter tables.
    pub(crate) fn without_counters(target: PgTarget) -> Self {
        let reconnects = counter!("chat_database_reconnects_total", "store" => "postgres");
        Self {
            target,
            counts: false,
            open: None,
            in_transaction: false,
            was_lost: false,
            failed: None,
            made: 0,
            reconnects,
        }
    }

    /// The connection, made again if it was lost.
    pub(crate) fn get(&mut self) -> Result<&mut PgConnection, Failure> {
        let open = match self.open.take() {
            Some(open) => open,
            None => self.connect()?,
        };
        Ok(&mut self.open.insert(open).connection)
    }

    fn connect(&mut self) -> Result<Open, Failure> {
        // Each attempt costs the server a process, most of all while it has trouble.
        if let Some((at, reason)) = &self.failed
            && at.elapsed() < PAUSE
        {
            return Err(Failure::NotConnected(reason.clone()));
        }
        let mut connection = match self.target.connect() {
            Ok(connection) => connection,
            Err(error) => {
                let reason = error.to_string();
                self.failed = Some((Instant::now(), reason.clone()));
                return Err(Failure::NotConnected(reason));
            }
        };
        self.failed = None;
        self.made += 1;
        set_lock_timeout(&mut connection, self.target.lock_timeout())?;
        let slot = if self.counts { take_slot(&mut connection)? } else { 0 };
        if self.was_lost {
            self.was_lost = false;
            self.reconnects.increment(1);
            info!("a database writer is connected again");
        }
        Ok(Open { connection, slot })
    }

    /// The statements that begin a transaction which waits for locks as long as the operator wants.
    pub(crate) fn begin_with_lock_timeout(&self) -> String {
        format!("BEGIN; SET LOCAL lock_timeout = {}", self.target.lock_timeout().as_millis())
    }

    /// Begins a transaction by these statements.
    pub(crate) fn begin(&mut self, statements: &str) -> Result<(), Failure> {
        self.get()?.batch_execute(statements)?;
        self.in_transaction = true;
        Ok(())
    }

    /// Commits the transaction, if one has begun.
    pub(crate) fn commit(&mut self) -> Result<(), Failure> {
        if self.in_transaction {
            self.get()?.batch_execute("COMMIT")?;
            self.in_transaction = false;
        }
        Ok(())
    }

    /// How many connections there have been. What was known of the database before the last one may not be so any more:
    /// a standby that has taken over may lack the last commits.
    pub(crate) fn made(&self) -> u64 {
        self.made
    }

    /// The number of the writer's rows in the counter tables.
    pub(crate) fn slot(&self) -> i32 {
        self.open.as_ref().map_or(0, |open| open.slot)
    }

    /// Gives up a connection that is of no use any more.
    pub(crate) fn drop_lost(&mut self, reason: &ChatError) {
        self.in_transaction = false;
        if self.open.take().is_some() {
            self.was_lost = true;
            warn!(error = %reason, "a database writer has lost its connection");
        }
    }

    /// What a failure of a transaction means for its writes. A connection that it shows to be lost is given up.
    pub(crate) fn transaction_error(&mut self, failure: Failure) -> TransactionError {
        let (is_lost, is_conflict) = match &failure {
            Failure::Database(error) => (is_lost(error), is_serialization_failure(error)),
            Failure::NotConnected(_) => (true, false),
            Failure::Corrupt(_) => (false, false),
        };
        let error = ChatError::from(failure);
        if is_lost {
            // A rollback works on a connection to a server that has become a standby, which would be kept and fail every
            // later write.
            self.drop_lost(&error);
            return TransactionError::ConnectionLost(error);
        }
        if is_conflict { TransactionError::SerializationConflict(error) } else { TransactionError::Failed(error) }
    }

    /// Ends the transaction without effect, if one has begun. A connection on which that fails is given up.
    pub(crate) fn rollback(&mut self) {
        if std::mem::take(&mut self.in_transaction)
            && let Some(open) = &mut self.open
            && let Err(error) = open.connection.batch_execute("ROLLBACK")
        {
            self.drop_lost(&Failure::from(error).into());
        }
    }

    /// Disconnects.
    pub(crate) fn close(&mut self) {
        self.open = None;
    }
}

#[derive(QueryableByName)]
struct CounterSlot {
    #[diesel(sql_type = Integer)]
    slot: i32,
}

fn set_lock_timeout(connection: &mut PgConnection, lock_timeout: Duration) -> Result<(), Failure> {
    let wait = lock_timeout.min(SHORT_WAIT).as_millis();
    Ok(connection.batch_execute(&format!("SET lock_timeout = {wait}"))?)
}

/// Takes the number of a writer's rows in the counter tables.
fn take_slot(connection: &mut PgConnection) -> Result<i32, Failure> {
    // Tried in order until one is free: the function is called row by row, and no further than the limit needs.
    let slot: Option<CounterSlot> = diesel::sql_query(
        "SELECT slot FROM generate_series(1, $2) AS slot WHERE pg_try_advisory_lock($1, slot) LIMIT 1",
    )
    .bind::<Integer, _>(SLOTS)
    .bind::<Integer, _>(OWN_SLOTS)
    .get_result(connection)
    .optional()?;
    Ok(slot.map_or(0, |slot| slot.slot))
}
