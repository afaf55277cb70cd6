//! What runs beside the requests for as long as the server does.

use std::time::Duration;

use chat_domain::service::ChatService;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use crate::wire::System;

/// How often stored bytes without a message are looked for; the first time at start.
const COLLECT_EVERY: Duration = Duration::from_hours(1);
/// How old such bytes must be: longer than any upload takes, since a message is stored after its files. The slowest
/// sender that is tolerated, 8 KiB/s, brings 675 MiB in that time.
const COLLECT_GRACE: Duration = Duration::from_hours(24);

/// Starts the tasks. They end when the set is dropped, at any point without harm.
pub(crate) fn start(system: &System) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    tasks.spawn(collect_orphans(system.service.clone()));
    tasks.spawn(system.typing_expiry());
    tasks
}

async fn collect_orphans(service: ChatService) {
    let mut rounds = interval(COLLECT_EVERY);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        rounds.tick().await;
        match service.collect_orphans(COLLECT_GRACE).await {
            Ok(found) if found.removed > 0 => tracing::info!(
                orphans.examined = found.examined,
                orphans.removed = found.removed,
                "removed {} stored files that belong to no message",
                found.removed,
            ),
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "cannot look for stored files without a message; next try in an hour"),
        }
    }
}
