//! The yardstick for `group_commit`: a plain diesel loop that inserts the same message rows into the same schema with
//! the same settings, one transaction each, without reading or updating anything else.
//!
//! `cargo run --release -p chat-sqlite --example one_row_per_transaction [seconds]`

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "an example that prints its result")]
#![expect(missing_docs, reason = "diesel makes items of a table")]

use std::time::{Duration, Instant};

use chat_sqlite::migrate;
use chat_testkit::fixtures;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;

diesel::table! {
    chat_messages (session_id, seq) {
        session_id -> Binary,
        seq -> BigInt,
        id -> Binary,
        author_id -> Text,
        sender -> Text,
        content -> Text,
        created_at -> BigInt,
        attachment_count -> Integer,
    }
}

fn main() {
    let seconds = std::env::args().nth(1).map_or(5, |text| text.parse().unwrap());
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    migrate::up(&path).unwrap();
    let mut connection = SqliteConnection::establish(path.to_str().unwrap()).unwrap();
    connection.batch_execute("PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 20000;").unwrap();
    let started = Instant::now();
    let mut rows = 0_u64;
    while started.elapsed() < Duration::from_secs(seconds) {
        let draft = fixtures::draft(fixtures::session_id(rows % 64), &fixtures::alice(), rows);
        connection
            .immediate_transaction(|connection| {
                diesel::insert_into(chat_messages::table)
                    .values((
                        chat_messages::session_id.eq(draft.session_id.as_uuid().as_bytes().as_slice()),
                        chat_messages::seq.eq(i64::try_from(rows).unwrap()),
                        chat_messages::id.eq(draft.id.as_uuid().as_bytes().as_slice()),
                        chat_messages::author_id.eq(draft.author.id.as_str()),
                        chat_messages::sender.eq("user"),
                        chat_messages::content.eq(draft.content.as_str()),
                        chat_messages::created_at.eq(draft.sent_at.unix_ms()),
                        chat_messages::attachment_count.eq(0),
                    ))
                    .execute(connection)
            })
            .unwrap();
        rows += 1;
    }
    let millis = u64::try_from(started.elapsed().as_millis()).unwrap();
    println!("one row per transaction: {} rows/s", rows * 1_000 / millis);
}
