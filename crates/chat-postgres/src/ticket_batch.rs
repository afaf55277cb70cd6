//! A write batch of tickets: the transaction in which pending writes issue tickets and use them.
//!
//! One statement at the beginning deletes the tickets to use; the transaction that deletes a row has the ticket. One
//! statement at the end inserts the issued tickets. Only one transaction at a time inserts tickets of a person, so that
//! they are counted exactly across all nodes: it holds an advisory lock of the person. If another transaction holds that
//! lock, the pending write is skipped, and is part of the next batch.

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;

use chat_domain::ChatError;
use chat_domain::model::{SessionId, Ticket, TicketDigest, Timestamp, UserId};
use chat_sql::{Committed, Footing, Transaction, Trouble, ticket_from_db};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{Array, Text};

use crate::error::{Failure, is_lost, is_serialization_failure};
use crate::statements::{PutTickets, TakeTickets};
use crate::writing_connection::WritingConnection;

/// What a pending write locks.
#[derive(Clone, Debug)]
pub(crate) enum TicketLocks {
    /// The number of a person's tickets.
    Put(UserId),
    /// A ticket.
    Take(TicketDigest),
}

/// The connection, and what the current batch has taken and will insert.
pub(crate) struct TicketBatch {
    connection: WritingConnection,
    in_transaction: bool,
    taken: HashMap<TicketDigest, Ticket>,
    new: Vec<(TicketDigest, Ticket)>,
    now: Timestamp,
    /// The people whose locks other transactions hold.
    blocked: HashSet<UserId>,
}

impl TicketBatch {
    pub(crate) fn new(connection: WritingConnection) -> Self {
        Self {
            connection,
            in_transaction: false,
            taken: HashMap::new(),
            new: Vec::new(),
            now: Timestamp::from_unix_ms(i64::MIN),
            blocked: HashSet::new(),
        }
    }

    /// Adds a ticket.
    pub(crate) fn put(&mut self, digest: TicketDigest, ticket: &Ticket, now: Timestamp) {
        if !self.blocked.contains(&ticket.holder.id) {
            self.now = self.now.max(now);
            self.new.push((digest, ticket.clone()));
        }
    }

    /// The ticket, for the first pending write that uses it.
    pub(crate) fn take(&mut self, digest: TicketDigest) -> Option<Ticket> {
        self.taken.remove(&digest)
    }

    fn begin_once(&mut self, members: &[&TicketLocks], in_turn: bool) -> Result<(), Failure> {
        self.forget();
        let (mut people, mut digests) = (Vec::new(), Vec::new());
        for member in members {
            match member {
                TicketLocks::Put(person) => people.push(person),
                TicketLocks::Take(digest) => digests.push(digest.as_bytes().as_slice()),
            }
        }
        let connection = self.connection.get()?;
        if !people.is_empty() {
            connection.batch_execute("BEGIN")?;
            self.in_transaction = true;
            people.sort_unstable();
            people.dedup();
            let mine = lock(connection, &people, in_turn)?;
            self.blocked = people.into_iter().filter(|person| !mine.contains(person.as_str())).cloned().collect();
        }
        // Without BEGIN, a statement is a transaction of its own.
        for row in TakeTickets::new(digests).run(connection)? {
            let (digest, user, role, name, session, token_expires_at, expires_at) = row;
            let digest = <[u8; 32]>::try_from(digest)
                .map_err(|_| Failure::corrupt("chat_tickets.digest", "has not 32 bytes"))?;
            let session = SessionId::new(session);
            let ticket = ticket_from_db((&user, &role, name), session, token_expires_at, expires_at)?;
            self.taken.extend(ticket.map(|ticket| (TicketDigest::from_bytes(digest), ticket)));
        }
        Ok(())
    }

    fn write(&mut self) -> Result<(), Failure> {
        let connection = self.connection.get()?;
        PutTickets::new(&self.new, self.now).run(connection)?;
        if self.in_transaction {
            connection.batch_execute("COMMIT")?;
            self.in_transaction = false;
        }
        Ok(())
    }

    fn trouble(&mut self, failure: Failure) -> Trouble {
        let (lost, conflict) = match &failure {
            Failure::Database(error) => (is_lost(error), is_serialization_failure(error)),
            Failure::NotConnected(_) => (true, false),
            Failure::Refused(_) | Failure::Corrupt(_) => (false, false),
        };
        let error = ChatError::from(failure);
        if lost {
            self.connection.drop_lost(&error);
            return Trouble::Lost(error);
        }
        if conflict { Trouble::Collision(error) } else { Trouble::Failed(error) }
    }

    fn forget(&mut self) {
        self.in_transaction = false;
        self.taken.clear();
        self.new.clear();
        self.now = Timestamp::from_unix_ms(i64::MIN);
        self.blocked.clear();
    }
}

/// Locks people, in the order of their ids, until the end of the transaction. Waits for locks that other transactions
/// hold if `in_turn`, and skips them otherwise. Returns the people that are locked now.
fn lock(connection: &mut PgConnection, people: &[&UserId], in_turn: bool) -> QueryResult<HashSet<String>> {
    let names: Vec<&str> = people.iter().map(|person| person.as_str()).collect();
    if in_turn {
        let all = names.iter().map(|name| (*name).to_owned()).collect();
        diesel::sql_query(
            "SELECT pg_advisory_xact_lock(hashtextextended('ticket ' || person, 0)) FROM unnest($1) AS person",
        )
        .bind::<Array<Text>, _>(names)
        .execute(connection)?;
        return Ok(all);
    }
    let locked: Vec<Locked> = diesel::sql_query(
        "SELECT person FROM unnest($1) AS person \
         WHERE pg_try_advisory_xact_lock(hashtextextended('ticket ' || person, 0))",
    )
    .bind::<Array<Text>, _>(names)
    .load(connection)?;
    Ok(locked.into_iter().map(|locked| locked.person).collect())
}

#[derive(QueryableByName)]
struct Locked {
    #[diesel(sql_type = Text)]
    person: String,
}

impl Transaction for TicketBatch {
    type Need = TicketLocks;
    /// Tickets change no session, so there are no events.
    type Event = Infallible;

    fn begin(&mut self, members: &[&TicketLocks], wish: Footing) -> Result<Footing, Trouble> {
        let in_turn = wish == Footing::LocksInTurn;
        let mut begun = self.begin_once(members, in_turn);
        // Nothing has been written yet, so a lost connection is replaced at once.
        if let Err(Failure::Database(error)) = &begun
            && is_lost(error)
        {
            let reason = ChatError::unavailable(format!("database: {error}"));
            self.connection.drop_lost(&reason);
            begun = self.begin_once(members, in_turn);
        }
        begun.map_err(|failure| {
            if self.in_transaction {
                self.connection.rollback();
            }
            self.trouble(failure)
        })?;
        Ok(if in_turn { Footing::LocksInTurn } else { Footing::Locks })
    }

    fn commit(&mut self) -> Result<Committed<Infallible>, Trouble> {
        self.write().map_err(|failure| self.trouble(failure))?;
        Ok(Committed { events: Vec::new(), partly: !self.blocked.is_empty() })
    }

    fn left_out(&self, member: &TicketLocks) -> bool {
        matches!(member, TicketLocks::Put(person) if self.blocked.contains(person))
    }

    fn rollback(&mut self) {
        if self.in_transaction {
            self.connection.rollback();
        }
        self.forget();
    }

    fn close(&mut self) {
        self.connection.close();
    }
}
