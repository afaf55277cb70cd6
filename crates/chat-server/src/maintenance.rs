//! What runs beside the requests for as long as the server does.

use std::time::Duration;

use chat_domain::service::ChatService;
use tokio::task::JoinSet;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, interval_at};

use crate::telemetry::Metrics;
use crate::wire::{System, Watched};

/// How often stored bytes without a message are looked for.
const COLLECT_EVERY: Duration = Duration::from_hours(1);
/// How old such bytes must be: longer than any upload takes, since a message is stored after its files. The slowest
/// sender that is tolerated, 8 KiB/s, brings 675 MiB in that time.
const COLLECT_GRACE: Duration = Duration::from_hours(24);

/// How often the metrics are tidied: at 30,000 requests a second a megabyte gathers meanwhile.
const TIDY_EVERY: Duration = Duration::from_secs(5);

/// How often what is watched is counted.
const COUNT_EVERY: Duration = Duration::from_secs(1);

/// Starts the tasks. They end when the set is dropped, at any point without harm.
pub(crate) fn start(system: &System, metrics: Option<&Metrics>) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    tasks.spawn(collect_orphans(system.service.clone()));
    tasks.spawn(system.typing_expiry());
    tasks.spawn(system.repair());
    if let Some(metrics) = metrics {
        tasks.spawn(tidy(metrics.clone()));
        tasks.spawn(count_watched(system.watched()));
    }
    tasks
}

async fn tidy(metrics: Metrics) {
    let mut rounds = interval(TIDY_EVERY);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        rounds.tick().await;
        metrics.tidy();
    }
}

/// Shows what is watched. The figures are sums over all parts of the hub, so they are made now and then and not with each
/// change.
async fn count_watched(watched: Watched) {
    let (subscriptions, sessions) = (metrics::gauge!("chat_subscriptions"), metrics::gauge!("chat_sessions_watched"));
    let mut rounds = interval(COUNT_EVERY);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        rounds.tick().await;
        // Far below 2^32, and `f64` counts exactly up to 2^53.
        subscriptions.set(u32::try_from(watched.subscriptions()).unwrap_or(u32::MAX));
        sessions.set(u32::try_from(watched.sessions()).unwrap_or(u32::MAX));
    }
}

/// When to collect. Not at start: after an operator's mistake, such as a restored database that is older than the
/// attachments beside it, there is an hour to notice before anything is removed.
fn rounds() -> Interval {
    let mut rounds = interval_at(Instant::now() + COLLECT_EVERY, COLLECT_EVERY);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    rounds
}

async fn collect_orphans(service: ChatService) {
    let mut rounds = rounds();
    loop {
        rounds.tick().await;
        collect_once(&service).await;
    }
}

async fn collect_once(service: &ChatService) {
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

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::time::SystemTime;

    use clap::{Args as _, Command, FromArgMatches};

    use super::*;
    use crate::config::{Config, Options};

    #[tokio::test(start_paused = true)]
    async fn nothing_is_collected_before_the_server_has_run_for_an_hour() {
        let mut rounds = rounds();
        let start = Instant::now();
        rounds.tick().await;
        assert_eq!(start.elapsed(), COLLECT_EVERY);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_round_removes_old_files_without_a_message_from_the_configured_store() {
        let home = tempfile::tempdir().unwrap();
        let data_dir = home.path().to_str().unwrap();
        let matches = Options::augment_args(Command::new("test")).get_matches_from(["test", "--data-dir", data_dir]);
        let config = Config::load(Options::from_arg_matches(&matches).unwrap()).unwrap();
        let system = System::assemble(&config).await.unwrap();
        // Files as uploads leave them whose senders went away: one long ago, one just now.
        let bucket = home.path().join("attachments/objects/0198c3");
        fs::create_dir_all(&bucket).unwrap();
        let [old, young] = ["0", "1"].map(|last| bucket.join(format!("0198c3a1-7b2e-7c4d-9f10-2233445566a{last}")));
        for (path, age) in [(&old, COLLECT_GRACE + COLLECT_EVERY), (&young, COLLECT_GRACE / 2)] {
            File::create_new(path).unwrap().set_modified(SystemTime::now() - age).unwrap();
        }
        collect_once(&system.service).await;
        assert_eq!((old.exists(), young.exists()), (false, true));
        system.close().await;
    }
}
