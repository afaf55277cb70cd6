//! Tell which attachments no message refers to, and remember those.
//!
//! A message with files and a condemnation must not pass each other unseen: the message looks whether its files are
//! condemned, the condemnation looks whether they have a message, and neither sees what the other has not committed. So
//! both hold an advisory lock until they have committed, messages a shared one ([`HOLD_FILES`]), a condemnation one of
//! its own. Messages without files do without.
//!
//! A condemnation does not wait in the queue of that lock: every message with files that came after it would wait behind
//! it, for as long as one node is frozen with a message on its way. It looks a few times whether the lock is free.

use std::collections::{BTreeSet, HashSet};
use std::thread;
use std::time::Duration;

use chat_domain::model::{AttachmentId, Generation, Generations, OrphanMark, Timestamp};
use chat_domain::ports::Marking;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Bool};
use uuid::Uuid;

use crate::schema::chat_orphans::dsl;
use crate::schema::{chat_attachments, chat_collector, chat_orphans, chat_uploads};

/// Keeps condemnations away until the transaction ends. The class is "chat" in ASCII, in which writers have the numbers
/// from 1 on.
pub(crate) const HOLD_FILES: &str = "SELECT pg_advisory_xact_lock_shared(1667785076, -1)";
/// If no message with files is on its way, keeps those that come until the transaction ends.
const HOLD_ALL_FILES: &str = "SELECT pg_try_advisory_xact_lock(1667785076, -1) AS is_held";
/// How often a condemnation tries to hold them, …
const TRIES: u32 = 5;
/// … and how long it waits in between.
const PAUSE: Duration = Duration::from_millis(20);

#[derive(QueryableByName)]
struct FilesHeldRow {
    #[diesel(sql_type = Bool)]
    is_held: bool,
}

pub(crate) fn unknown(connection: &mut PgConnection, ids: &[AttachmentId]) -> QueryResult<Vec<AttachmentId>> {
    let known = known(connection, ids)?;
    Ok(ids.iter().copied().filter(|id| !known.contains(&id.as_uuid())).collect())
}

/// Those that a message refers to, and those that wait to be sent. Uploads are read first: an upload that is sent between the two
/// statements is in the second.
fn known(connection: &mut PgConnection, ids: &[AttachmentId]) -> QueryResult<HashSet<Uuid>> {
    let unsent = chat_uploads::table.select(chat_uploads::id).filter(chat_uploads::id.eq_any(uuids(ids)));
    let unsent: Vec<Uuid> = unsent.load(connection)?;
    let sent = chat_attachments::table.select(chat_attachments::id).filter(chat_attachments::id.eq_any(uuids(ids)));
    let sent: Vec<Uuid> = sent.load(connection)?;
    Ok(unsent.into_iter().chain(sent).collect())
}

/// The files that messages refer to or that wait to be sent, after that one. Uploads are read first, as in [`known`].
pub(crate) fn referenced(
    connection: &mut PgConnection,
    after: Option<AttachmentId>,
    limit: usize,
) -> QueryResult<Vec<AttachmentId>> {
    // No id of ours has only zeros.
    let after = after.map_or_else(Uuid::nil, |after| after.as_uuid());
    let unsent = chat_uploads::table.select(chat_uploads::id).filter(chat_uploads::id.gt(after));
    let unsent: Vec<Uuid> = unsent.order(chat_uploads::id).limit(bounded(limit)).load(connection)?;
    let sent = chat_attachments::table.select(chat_attachments::id).filter(chat_attachments::id.gt(after));
    let sent: Vec<Uuid> = sent.order(chat_attachments::id).limit(bounded(limit)).load(connection)?;
    let ids: BTreeSet<AttachmentId> = unsent.into_iter().chain(sent).map(AttachmentId::new).collect();
    Ok(ids.into_iter().take(limit).collect())
}

pub(crate) fn marked(connection: &mut PgConnection, ids: &[AttachmentId]) -> QueryResult<Vec<OrphanMark>> {
    let found: Vec<(Uuid, i64)> = chat_orphans::table
        .select((dsl::id, dsl::marked_at))
        .filter(dsl::id.eq_any(uuids(ids)))
        .filter(dsl::condemned_at.is_null())
        .load(connection)?;
    Ok(found.into_iter().map(mark_of).collect())
}

pub(crate) fn generations(connection: &mut PgConnection) -> QueryResult<Generations> {
    let row: Option<(Option<Uuid>, Option<Uuid>)> = chat_collector::table
        .select((chat_collector::generation, chat_collector::next))
        .first(connection)
        .optional()?;
    let of = |id: Option<Uuid>| id.map(Generation::new);
    Ok(row.map_or_else(Generations::default, |(current, next)| Generations { current: of(current), next: of(next) }))
}

pub(crate) fn announce(connection: &mut PgConnection, next: Generation) -> QueryResult<()> {
    let next = chat_collector::next.eq(next.as_uuid());
    let row = diesel::insert_into(chat_collector::table).values((chat_collector::only_row.eq(true), next));
    row.on_conflict(chat_collector::only_row).do_update().set(next).execute(connection).map(drop)
}

pub(crate) fn confirm(connection: &mut PgConnection, current: Generation) -> QueryResult<()> {
    let current = chat_collector::generation.eq(current.as_uuid());
    let row = diesel::update(chat_collector::table.find(true));
    row.set((current, chat_collector::next.eq(None::<Uuid>))).execute(connection).map(drop)
}

/// A message may be stored between the look and the mark. The condemnation finds that one.
pub(crate) fn mark(connection: &mut PgConnection, ids: &[AttachmentId], at: Timestamp) -> QueryResult<Marking> {
    let unknown = unknown(connection, ids)?;
    if unknown.is_empty() {
        return Ok(Marking::default());
    }
    let insert = "INSERT INTO chat_orphans (id, marked_at) SELECT id, $2::BIGINT FROM unnest($1::UUID[]) AS id \
                  ON CONFLICT DO NOTHING";
    let marked = diesel::sql_query(insert)
        .bind::<Array<diesel::sql_types::Uuid>, _>(uuids(&unknown))
        .bind::<BigInt, _>(at.unix_ms())
        .execute(connection)?;
    let mut marking = Marking { marked, condemned: Vec::new() };
    if marked < unknown.len() {
        let condemned: Vec<Uuid> = chat_orphans::table
            .select(dsl::id)
            .filter(dsl::id.eq_any(uuids(&unknown)))
            .filter(dsl::condemned_at.is_not_null())
            .load(connection)?;
        marking.condemned = condemned.into_iter().map(AttachmentId::new).collect();
    }
    Ok(marking)
}

pub(crate) fn due(
    connection: &mut PgConnection,
    before: Timestamp,
    after: Option<OrphanMark>,
    limit: usize,
) -> QueryResult<Vec<OrphanMark>> {
    // Two ranges instead of `(marked_at, id) > (…)`: the rest of the moment of `after`, and what came later.
    let open = || chat_orphans::table.select((dsl::id, dsl::marked_at)).filter(dsl::condemned_at.is_null());
    let mut found: Vec<(Uuid, i64)> = Vec::new();
    let mut later_than = i64::MIN;
    if let Some(after) = after {
        later_than = after.marked_at.unix_ms();
        let same = open().filter(dsl::marked_at.eq(later_than)).filter(dsl::id.gt(after.id.as_uuid()));
        found = same.order((dsl::marked_at, dsl::id)).limit(bounded(limit)).load(connection)?;
    }
    let left = limit.saturating_sub(found.len());
    let later = open().filter(dsl::marked_at.gt(later_than)).filter(dsl::marked_at.lt(before.unix_ms()));
    found.extend(later.order((dsl::marked_at, dsl::id)).limit(bounded(left)).load::<(Uuid, i64)>(connection)?);
    Ok(found.into_iter().map(mark_of).collect())
}

/// Condemns none when there is a message with files on its way at each look.
pub(crate) fn condemn(
    connection: &mut PgConnection,
    ids: &[AttachmentId],
    at: Timestamp,
) -> QueryResult<Vec<AttachmentId>> {
    for attempt in 0..TRIES {
        // Between transactions, so that nothing is held meanwhile.
        if attempt > 0 {
            thread::sleep(PAUSE);
        }
        if let Some(condemned) = try_to_condemn(connection, ids, at)? {
            return Ok(condemned);
        }
    }
    Ok(Vec::new())
}

fn try_to_condemn(
    connection: &mut PgConnection,
    ids: &[AttachmentId],
    at: Timestamp,
) -> QueryResult<Option<Vec<AttachmentId>>> {
    connection.transaction(|connection| {
        let hold: FilesHeldRow = diesel::sql_query(HOLD_ALL_FILES).get_result(connection)?;
        if !hold.is_held {
            return Ok(None);
        }
        // Read committed: each statement sees everything that was committed before it, the messages that held the lock too.
        let known = known(connection, ids)?;
        let open = |ids: Vec<Uuid>| chat_orphans::table.filter(dsl::id.eq_any(ids)).filter(dsl::condemned_at.is_null());
        let (with_message, without): (Vec<Uuid>, Vec<Uuid>) = uuids(ids).into_iter().partition(|id| known.contains(id));
        diesel::delete(open(with_message)).execute(connection)?;
        let condemned: Vec<Uuid> = diesel::update(open(without))
            .set(dsl::condemned_at.eq(at.unix_ms()))
            .returning(dsl::id)
            .get_results(connection)?;
        Ok(Some(condemned.into_iter().map(AttachmentId::new).collect()))
    })
}

pub(crate) fn condemned(
    connection: &mut PgConnection,
    before: Timestamp,
    limit: usize,
) -> QueryResult<Vec<AttachmentId>> {
    let old = chat_orphans::table.select(dsl::id).filter(dsl::condemned_at.lt(before.unix_ms()));
    // In the order of the index: without one, a limit makes reading the whole table look cheap.
    let ids: Vec<Uuid> = old.order((dsl::condemned_at, dsl::id)).limit(bounded(limit)).load(connection)?;
    Ok(ids.into_iter().map(AttachmentId::new).collect())
}

pub(crate) fn forget(connection: &mut PgConnection, ids: &[AttachmentId]) -> QueryResult<()> {
    let rows = chat_orphans::table.filter(dsl::id.eq_any(uuids(ids))).filter(dsl::condemned_at.is_not_null());
    diesel::delete(rows).execute(connection).map(drop)
}

/// Takes some marks away; `false` when none was left.
pub(crate) fn unmark_some(connection: &mut PgConnection) -> QueryResult<bool> {
    let marks = due(connection, Timestamp::from_unix_ms(i64::MAX), None, 1_000)?;
    let ids: Vec<Uuid> = marks.iter().map(|mark| mark.id.as_uuid()).collect();
    let open = chat_orphans::table.filter(dsl::id.eq_any(ids)).filter(dsl::condemned_at.is_null());
    diesel::delete(open).execute(connection)?;
    Ok(!marks.is_empty())
}

fn uuids(ids: &[AttachmentId]) -> Vec<Uuid> {
    ids.iter().map(AttachmentId::as_uuid).collect()
}

fn mark_of((id, marked_at): (Uuid, i64)) -> OrphanMark {
    OrphanMark { marked_at: Timestamp::from_unix_ms(marked_at), id: AttachmentId::new(id) }
}

fn bounded(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
