//! Tell which attachments no message refers to, and remember those.
//!
//! All of this runs in the writer's transactions, which come one after the other: what one has seen is so until it ends.

use std::collections::{BTreeSet, HashSet};

use chat_domain::model::{AttachmentId, Generation, Generations, OrphanMark, Timestamp};
use chat_domain::ports::Marking;
use diesel::prelude::*;

use crate::schema::chat_orphans::dsl;
use crate::schema::{chat_attachments, chat_collector, chat_orphans, chat_uploads};
use crate::values::DbId;

/// How many attachments one statement names.
const CHUNK: usize = 250;

pub(crate) fn unknown(connection: &mut SqliteConnection, ids: &[AttachmentId]) -> QueryResult<Vec<AttachmentId>> {
    let known = known(connection, ids)?;
    Ok(ids.iter().copied().filter(|id| !known.contains(id)).collect())
}

/// Those that a message refers to, and those that wait to be sent.
fn known(connection: &mut SqliteConnection, ids: &[AttachmentId]) -> QueryResult<HashSet<AttachmentId>> {
    let mut known: HashSet<AttachmentId> = HashSet::new();
    for chunk in ids.chunks(CHUNK) {
        let ids = || chunk.iter().copied().map(DbId::from);
        let unsent = chat_uploads::table.select(chat_uploads::id).filter(chat_uploads::id.eq_any(ids()));
        known.extend(unsent.load::<DbId>(connection)?.into_iter().map(AttachmentId::from));
        let sent = chat_attachments::table.select(chat_attachments::id).filter(chat_attachments::id.eq_any(ids()));
        known.extend(sent.load::<DbId>(connection)?.into_iter().map(AttachmentId::from));
    }
    Ok(known)
}

/// The files that messages refer to or that wait to be sent, after that one.
pub(crate) fn referenced(
    connection: &mut SqliteConnection,
    after: Option<AttachmentId>,
    limit: usize,
) -> QueryResult<Vec<AttachmentId>> {
    // No id of ours has only zeros.
    let after = DbId(after.map_or_else(uuid::Uuid::nil, |after| after.as_uuid()));
    let unsent = chat_uploads::table.select(chat_uploads::id).filter(chat_uploads::id.gt(after));
    let unsent: Vec<DbId> = unsent.order(chat_uploads::id).limit(bounded(limit)).load(connection)?;
    let sent = chat_attachments::table.select(chat_attachments::id).filter(chat_attachments::id.gt(after));
    let sent: Vec<DbId> = sent.order(chat_attachments::id).limit(bounded(limit)).load(connection)?;
    let ids: BTreeSet<AttachmentId> = unsent.into_iter().chain(sent).map(AttachmentId::from).collect();
    Ok(ids.into_iter().take(limit).collect())
}

pub(crate) fn marked(connection: &mut SqliteConnection, ids: &[AttachmentId]) -> QueryResult<Vec<OrphanMark>> {
    let mut marks = Vec::new();
    for chunk in ids.chunks(CHUNK) {
        let found: Vec<(DbId, i64)> = chat_orphans::table
            .select((dsl::id, dsl::marked_at))
            .filter(dsl::id.eq_any(chunk.iter().copied().map(DbId::from)))
            .filter(dsl::condemned_at.is_null())
            .load(connection)?;
        marks.extend(found.into_iter().map(mark_of));
    }
    Ok(marks)
}

pub(crate) fn generations(connection: &mut SqliteConnection) -> QueryResult<Generations> {
    let row: Option<(Option<DbId>, Option<DbId>)> = chat_collector::table
        .select((chat_collector::generation, chat_collector::next))
        .first(connection)
        .optional()?;
    let of = |id: Option<DbId>| id.map(|id| Generation::new(id.0));
    Ok(row.map_or_else(Generations::default, |(current, next)| Generations { current: of(current), next: of(next) }))
}

pub(crate) fn announce(connection: &mut SqliteConnection, next: Generation) -> QueryResult<()> {
    let next = chat_collector::next.eq(DbId(next.as_uuid()));
    let row = diesel::insert_into(chat_collector::table).values((chat_collector::only_row.eq(true), next));
    row.on_conflict(chat_collector::only_row).do_update().set(next).execute(connection).map(drop)
}

pub(crate) fn confirm(connection: &mut SqliteConnection, current: Generation) -> QueryResult<()> {
    let current = chat_collector::generation.eq(DbId(current.as_uuid()));
    let row = diesel::update(chat_collector::table.find(true));
    row.set((current, chat_collector::next.eq(None::<DbId>))).execute(connection).map(drop)
}

pub(crate) fn mark(connection: &mut SqliteConnection, ids: &[AttachmentId], at: Timestamp) -> QueryResult<Marking> {
    let mut marking = Marking::default();
    for id in unknown(connection, ids)? {
        let row = diesel::insert_or_ignore_into(chat_orphans::table);
        let added = row.values((dsl::id.eq(DbId::from(id)), dsl::marked_at.eq(at.unix_ms()))).execute(connection)?;
        if added == 1 {
            marking.marked += 1;
            continue;
        }
        let row = chat_orphans::table.find(DbId::from(id)).select(dsl::condemned_at);
        if row.first::<Option<i64>>(connection)?.is_some() {
            marking.condemned.push(id);
        }
    }
    Ok(marking)
}

pub(crate) fn due(
    connection: &mut SqliteConnection,
    before: Timestamp,
    after: Option<OrphanMark>,
    limit: usize,
) -> QueryResult<Vec<OrphanMark>> {
    // Two ranges instead of `(marked_at, id) > (…)`: the rest of the moment of `after`, and what came later.
    let open = || chat_orphans::table.select((dsl::id, dsl::marked_at)).filter(dsl::condemned_at.is_null());
    let mut found: Vec<(DbId, i64)> = Vec::new();
    let mut later_than = i64::MIN;
    if let Some(after) = after {
        later_than = after.marked_at.unix_ms();
        let same = open().filter(dsl::marked_at.eq(later_than)).filter(dsl::id.gt(DbId::from(after.id)));
        found = same.order(dsl::id).limit(bounded(limit)).load(connection)?;
    }
    let left = limit.saturating_sub(found.len());
    let later = open().filter(dsl::marked_at.gt(later_than)).filter(dsl::marked_at.lt(before.unix_ms()));
    found.extend(later.order((dsl::marked_at, dsl::id)).limit(bounded(left)).load::<(DbId, i64)>(connection)?);
    Ok(found.into_iter().map(mark_of).collect())
}

pub(crate) fn condemn(
    connection: &mut SqliteConnection,
    ids: &[AttachmentId],
    at: Timestamp,
) -> QueryResult<Vec<AttachmentId>> {
    let known = known(connection, ids)?;
    let mut condemned = Vec::new();
    for id in ids {
        let row = chat_orphans::table.find(DbId::from(*id)).filter(dsl::condemned_at.is_null());
        if known.contains(id) {
            diesel::delete(row).execute(connection)?;
        } else if diesel::update(row).set(dsl::condemned_at.eq(at.unix_ms())).execute(connection)? == 1 {
            condemned.push(*id);
        }
    }
    Ok(condemned)
}

pub(crate) fn condemned(
    connection: &mut SqliteConnection,
    before: Timestamp,
    limit: usize,
) -> QueryResult<Vec<AttachmentId>> {
    let old = chat_orphans::table.select(dsl::id).filter(dsl::condemned_at.lt(before.unix_ms()));
    let ids: Vec<DbId> = old.limit(bounded(limit)).load(connection)?;
    Ok(ids.into_iter().map(AttachmentId::from).collect())
}

pub(crate) fn forget(connection: &mut SqliteConnection, ids: &[AttachmentId]) -> QueryResult<()> {
    for id in ids {
        let row = chat_orphans::table.find(DbId::from(*id)).filter(dsl::condemned_at.is_not_null());
        diesel::delete(row).execute(connection)?;
    }
    Ok(())
}

/// Takes some marks away; `false` when none was left.
pub(crate) fn unmark_some(connection: &mut SqliteConnection) -> QueryResult<bool> {
    let marks = due(connection, Timestamp::from_unix_ms(i64::MAX), None, CHUNK)?;
    for mark in &marks {
        diesel::delete(chat_orphans::table.find(DbId::from(mark.id))).execute(connection)?;
    }
    Ok(!marks.is_empty())
}

fn mark_of((id, marked_at): (DbId, i64)) -> OrphanMark {
    OrphanMark { marked_at: Timestamp::from_unix_ms(marked_at), id: id.into() }
}

fn bounded(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
