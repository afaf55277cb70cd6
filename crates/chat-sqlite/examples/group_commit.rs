//! Measures how many messages a second 64 concurrent callers append through the repository, each acknowledged only when
//! it is durable. Compare with `one_row_per_transaction`, which stores the same rows one by one:
//!
//! `cargo run --release -p chat-sqlite --example group_commit [seconds [callers]]`

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "an example that prints its result")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use chat_domain::model::LiveEvent;
use chat_domain::ports::{MessageRepository as _, Notifier, SessionRepository as _};
use chat_sqlite::{SqliteConfig, SqliteStore, migrate};
use chat_testkit::fixtures;

struct NoNotifier;

impl Notifier for NoNotifier {
    fn publish(&self, _event: LiveEvent) {}
}

fn argument(position: usize, default: u64) -> u64 {
    std::env::args().nth(position).map_or(default, |text| text.parse().unwrap())
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let (seconds, callers) = (argument(1, 5), argument(2, 64));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chat.db");
    migrate::up(&path).unwrap();
    let store = SqliteStore::open(SqliteConfig::new(&path), Arc::new(NoNotifier)).await.unwrap();
    for caller in 0..callers {
        store.sessions.open(fixtures::new_session(caller), fixtures::alice(), None).await.unwrap();
    }
    let started = Instant::now();
    let tasks: Vec<_> = (0..callers)
        .map(|caller| {
            let messages = Arc::clone(&store.messages);
            tokio::spawn(async move {
                let mut sent = 0_u64;
                while started.elapsed() < Duration::from_secs(seconds) {
                    let draft = fixtures::draft(fixtures::session_id(caller), &fixtures::alice(), sent);
                    messages.append(draft).await.unwrap();
                    sent += 1;
                }
                sent
            })
        })
        .collect();
    let mut rows = 0;
    for task in tasks {
        rows += task.await.unwrap();
    }
    let millis = u64::try_from(started.elapsed().as_millis()).unwrap();
    store.close().await;
    println!("group commit, {callers} callers: {} rows/s", rows * 1_000 / millis);
}
