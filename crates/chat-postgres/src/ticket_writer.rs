//! The writer of tickets: a batch of writes that issue tickets and use them.
//!
//! One statement at the beginning deletes the tickets to use; the transaction that deletes a row has the ticket. One
//! statement at the end inserts the issued tickets. Only one transaction at a time inserts tickets of a person, so that
//! they are counted exactly across all nodes: it holds an advisory lock of the person. If another transaction holds that
//! lock, the write is skipped, and is part of the next batch.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::convert::Infallible;

use chat_domain::model::{Ticket, TicketDigest, Timestamp, UserId};
use chat_sql::{Committed, LockMode, TicketToken, TransactionError, WriteOutcome, WriteStore, ticket_from_db};
use diesel::prelude::*;

use crate::advisory_locks;
use crate::error::{Failure, is_lost};
use crate::statements::{PutTickets, TakeTickets};
use crate::writing_connection::WritingConnection;

/// A write to the tickets.
pub(crate) enum TicketWrite {
    /// Issues a ticket, at this moment.
    Put(TicketDigest, Ticket, Timestamp),
    /// Uses a ticket.
    Take(TicketDigest),
}

/// The connection that writes tickets.
pub(crate) struct TicketWriter {
    connection: WritingConnection,
}

impl TicketWriter {
    pub(crate) fn new(connection: WritingConnection) -> Self {
        Self { connection }
    }

    fn run(
        &mut self,
        writes: &[&mut TicketWrite],
        mode: LockMode,
    ) -> Result<Vec<WriteOutcome<Option<Ticket>>>, Failure> {
        let (mut people, mut digests) = (BTreeSet::new(), Vec::new());
        for write in writes {
            match &**write {
                TicketWrite::Put(_, ticket, _) => {
                    people.insert(&ticket.holder.id);
                }
                TicketWrite::Take(digest) => digests.push(digest.as_bytes().as_slice()),
            }
        }
        let locked = self.begin(&people, mode)?;
        let connection = self.connection.get()?;
        let mut taken = take(connection, digests)?;
        let mut issued = Vec::new();
        let mut latest = Timestamp::from_unix_ms(i64::MIN);
        let outcomes = writes.iter().map(|write| match &**write {
            TicketWrite::Put(digest, ticket, now) if locked.contains(ticket.holder.id.as_str()) => {
                latest = latest.max(*now);
                issued.push((*digest, ticket.clone()));
                WriteOutcome::Decided(Ok(None))
            }
            TicketWrite::Put(..) => WriteOutcome::Skipped,
            // For the first write that uses it.
            TicketWrite::Take(digest) => WriteOutcome::Decided(Ok(taken.remove(digest))),
        });
        let outcomes = outcomes.collect();
        PutTickets::new(&issued, latest).run(connection)?;
        self.connection.commit()?;
        Ok(outcomes)
    }

    /// Begins a transaction and locks people, if tickets are issued to any; without BEGIN, a statement is a transaction of
    /// its own. Nothing has been written yet, so a lost connection is replaced.
    fn begin(&mut self, people: &BTreeSet<&UserId>, mode: LockMode) -> Result<HashSet<String>, Failure> {
        if people.is_empty() {
            return Ok(HashSet::new());
        }
        match self.begin_once(people, mode) {
            Err(Failure::Database(error)) if is_lost(&error) => {
                self.connection.drop_lost(&Failure::from(error).into());
                self.begin_once(people, mode)
            }
            begun => begun,
        }
    }

    fn begin_once(&mut self, people: &BTreeSet<&UserId>, mode: LockMode) -> Result<HashSet<String>, Failure> {
        self.connection.begin("BEGIN")?;
        let people: Vec<&str> = people.iter().map(|person| person.as_str()).collect();
        Ok(advisory_locks::people(self.connection.get()?, "ticket ", &people, mode)?)
    }
}

/// Deletes the tickets of these digests, and returns those that were there.
fn take(connection: &mut PgConnection, digests: Vec<&[u8]>) -> Result<HashMap<TicketDigest, Ticket>, Failure> {
    let mut taken = HashMap::new();
    for row in TakeTickets::new(digests).run(connection)? {
        let (digest, user, role, name, session, token_issued_at, token_key, token_expires_at, expires_at) = row;
        let digest =
            <[u8; 32]>::try_from(digest).map_err(|_| Failure::corrupt("chat_tickets.digest", "has not 32 bytes"))?;
        let token = TicketToken { issued_at: token_issued_at, expires_at: token_expires_at, key: token_key.as_deref() };
        let ticket = ticket_from_db((&user, &role, name), session, token, expires_at)?;
        taken.extend(ticket.map(|ticket| (TicketDigest::from_bytes(digest), ticket)));
    }
    Ok(taken)
}

impl WriteStore for TicketWriter {
    type Write = TicketWrite;
    /// The ticket that was used, if it was there; `None` for a ticket that was issued.
    type Reply = Option<Ticket>;
    /// Tickets change no session, so there are no events.
    type Event = Infallible;

    fn commit(
        &mut self,
        writes: &mut [&mut TicketWrite],
        mode: LockMode,
    ) -> Result<Committed<Option<Ticket>, Infallible>, TransactionError> {
        let mode = mode.max(LockMode::SkipLocked);
        let outcomes = self.run(writes, mode).map_err(|failure| self.connection.transaction_error(failure))?;
        Ok(Committed { mode, outcomes, events: Vec::new() })
    }

    fn rollback(&mut self) {
        self.connection.rollback();
    }

    fn close(&mut self) {
        self.connection.close();
    }
}
