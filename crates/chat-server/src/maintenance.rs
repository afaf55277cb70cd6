//! What runs beside the requests for as long as the server does.

use std::time::{Duration, Instant};

use chat_domain::service::ChatService;
use tokio::time::{MissedTickBehavior, interval};

use crate::background::{Background, FatalFailure};
use crate::collecting;
use crate::telemetry::Metrics;
use crate::wire::{DatabaseHistory, Desk, HubCounts, System};

/// How often the metrics are tidied: at 30,000 requests a second a megabyte gathers meanwhile.
const TIDY_EVERY: Duration = Duration::from_secs(5);

/// How often subscriptions and inboxes are counted.
const COUNT_EVERY: Duration = Duration::from_secs(1);

/// How often the sessions that wait for an agent are counted: two look-ups by index on each node.
const QUEUE_EVERY: Duration = Duration::from_secs(5);

/// How often the epoch is looked at.
const EPOCH_EVERY: Duration = Duration::from_secs(5);

/// How often it is looked whether agents with sockets here were deactivated. Their sockets end within 2 s, whichever node or
/// tool deactivated them, and whether Redis is there or not.
const AGENTS_EVERY: Duration = Duration::from_secs(1);

/// How often it is looked whose access was ended at other nodes. Their sockets end within 2 s and their requests are
/// refused, whether Redis is there or not.
const REVOCATIONS_EVERY: Duration = Duration::from_secs(1);

/// How often it is looked whether agents have opened inboxes or closed their last one, which the other nodes learn of by
/// that. While nothing has changed it costs no statement but one in twenty seconds.
pub(crate) const PRESENCE_EVERY: Duration = Duration::from_secs(1);

/// How often sign-outs that refuse no token any more are removed: they are few, and harm nothing meanwhile.
const SWEEP_EVERY: Duration = Duration::from_mins(10);

/// How often it is looked where the database is. Until all servers have looked after it has moved, they read from it what
/// they do not hear of each other.
const LOCATION_EVERY: Duration = Duration::from_secs(5);

/// Starts the tasks. They end when they are dropped, at any point without harm.
pub(crate) fn start(system: &System, collect_every: Duration, metrics: Option<&Metrics>) -> Background {
    let mut tasks = Background::default();
    tasks.spawn("collection of files without a message", collecting::run(system.collector.clone(), collect_every));
    tasks.spawn("end of typing", system.typing_expiry());
    tasks.spawn("repair of live events", system.repair());
    tasks.spawn("reading for open inboxes", system.inboxes());
    tasks.spawn("end of deactivated agents' sockets", close_sockets_of_deactivated_agents(system.service.clone()));
    tasks.spawn("report of agents with open inboxes", report_presence(system.service.clone()));
    tasks.spawn("refresh of revocations", refresh_revocations(system.service.clone()));
    tasks.spawn("sweep of revocations", sweep_revocations(system.service.clone()));
    tasks.watch("look at the epoch", another_epoch(system.history(), EPOCH_EVERY));
    tasks.spawn("following of the database", system.fanout_renewal(LOCATION_EVERY));
    if let Some(metrics) = metrics {
        tasks.spawn("tidying of metrics", tidy(metrics.clone()));
        tasks.spawn("report of subscriptions", report_subscriptions(system.hub_counts()));
        tasks.spawn("counting of the queue", count_queue(system.desk(), QUEUE_EVERY));
    }
    tasks
}

/// Waits until the operator has begun a new epoch. What this server remembers, and what the sockets on it have been
/// told, belongs to a history that the database does not have any more.
async fn another_epoch(history: DatabaseHistory, every: Duration) -> FatalFailure {
    let mut rounds = interval(every);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        rounds.tick().await;
        match history.now().await {
            Ok(epoch) if epoch != history.at_start => {
                return FatalFailure::Found(format!(
                    "the epoch of the database is {epoch} and was {} when this server started: what it remembers is of \
                     another history; start it again",
                    history.at_start,
                ));
            }
            Ok(_) => {}
            // Readiness shows that a database fails.
            Err(error) => tracing::debug!("cannot look at the epoch: {error}"),
        }
    }
}

async fn close_sockets_of_deactivated_agents(service: ChatService) {
    let mut rounds = interval(AGENTS_EVERY);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        rounds.tick().await;
        match service.close_sockets_of_deactivated_agents().await {
            Ok(0) => {}
            Ok(ended) => tracing::info!("ended {ended} sockets of agents who were deactivated"),
            // Readiness tells about a database that fails, and while it does nothing durable is said.
            Err(error) => tracing::debug!("cannot look for deactivated agents: {error}"),
        }
    }
}

async fn report_presence(service: ChatService) {
    let failures = metrics::counter!("chat_presence_failures_total");
    let mut rounds = interval(PRESENCE_EVERY);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut is_failing = false;
    loop {
        rounds.tick().await;
        match service.report_presence(Instant::now()).await {
            Ok(0) => {}
            Ok(noted) => {
                tracing::debug!("noted {noted} agents with open inboxes");
                if std::mem::take(&mut is_failing) {
                    tracing::info!("the agents with open inboxes are noted again");
                }
            }
            // Once, and not with each attempt. Sockets are not concerned.
            Err(error) => {
                failures.increment(1);
                if !std::mem::replace(&mut is_failing, true) {
                    tracing::warn!(
                        error.cause = %error,
                        "cannot note which agents have an inbox open; other nodes show them as offline after a minute"
                    );
                }
            }
        }
    }
}

async fn refresh_revocations(service: ChatService) {
    let revocations = metrics::gauge!("chat_revocations");
    let mut rounds = interval(REVOCATIONS_EVERY);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        rounds.tick().await;
        match service.refresh_revocations().await {
            Ok(0) => {}
            Ok(closed) => tracing::info!("closed {closed} sockets of people who were signed out or blocked"),
            // As above.
            Err(error) => tracing::debug!("cannot look for revocations: {error}"),
        }
        // Far below 2^32, and `f64` counts exactly up to 2^53.
        revocations.set(u32::try_from(service.revocation_count()).unwrap_or(u32::MAX));
    }
}

async fn sweep_revocations(service: ChatService) {
    let mut rounds = interval(SWEEP_EVERY);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        rounds.tick().await;
        match service.sweep_revocations().await {
            Ok(0) => {}
            Ok(removed) => tracing::info!("removed {removed} revocations that refuse no token any more"),
            // As above.
            Err(error) => tracing::debug!("cannot remove ended revocations: {error}"),
        }
    }
}

async fn tidy(metrics: Metrics) {
    let mut rounds = interval(TIDY_EVERY);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        rounds.tick().await;
        metrics.tidy();
    }
}

/// Shows the queue of the desk, and who is there. What cannot be read is no number, rather than the last one: an alert on
/// an old number would be about sessions that may have been answered.
async fn count_queue(desk: Desk, every: Duration) {
    let (waiting, longest, online) = (
        metrics::gauge!("chat_sessions_waiting"),
        metrics::gauge!("chat_session_longest_wait_seconds"),
        metrics::gauge!("chat_agents_online"),
    );
    let mut rounds = interval(every);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        rounds.tick().await;
        online.set(u32::try_from(desk.agents_online()).unwrap_or(u32::MAX));
        match desk.waiting().await {
            Ok((count, longest_wait)) => {
                waiting.set(u32::try_from(count).unwrap_or(u32::MAX));
                longest.set(longest_wait.as_secs_f64());
            }
            // Readiness shows that a database fails.
            Err(error) => {
                tracing::debug!("cannot count the sessions that wait: {error}");
                waiting.set(f64::NAN);
                longest.set(f64::NAN);
            }
        }
    }
}

/// Reports subscriptions and inboxes. The figures are sums over all parts of the hub, so they are made now and then and
/// not with each change.
async fn report_subscriptions(counts: HubCounts) {
    let (subscriptions, sessions, inboxes) = (
        metrics::gauge!("chat_subscriptions"),
        metrics::gauge!("chat_sessions_subscribed"),
        metrics::gauge!("chat_inboxes_open"),
    );
    let mut rounds = interval(COUNT_EVERY);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        rounds.tick().await;
        // Far below 2^32, and `f64` counts exactly up to 2^53.
        subscriptions.set(u32::try_from(counts.subscriptions()).unwrap_or(u32::MAX));
        sessions.set(u32::try_from(counts.sessions()).unwrap_or(u32::MAX));
        inboxes.set(u32::try_from(counts.inboxes()).unwrap_or(u32::MAX));
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use clap::{Args as _, Command, FromArgMatches};
    use tokio::task;
    use tokio::time::timeout;

    use super::*;
    use crate::config::{Config, Options};
    use crate::wire;

    fn config(data_dir: &Path) -> Config {
        let arguments = ["test", "--data-dir", data_dir.to_str().unwrap()];
        let matches = Options::augment_args(Command::new("test")).get_matches_from(arguments);
        Config::load(Options::from_arg_matches(&matches).unwrap()).unwrap()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_new_epoch_is_noticed() {
        let home = tempfile::tempdir().unwrap();
        let config = config(home.path());
        let system = System::assemble(&config).await.unwrap();
        let (first, every) = (system.history().at_start, Duration::from_millis(1));
        let noticing = another_epoch(system.history(), every);
        tokio::pin!(noticing);
        assert!(timeout(Duration::from_millis(50), &mut noticing).await.is_err(), "it is still the first one");
        let second = task::spawn_blocking(move || wire::rotate_epoch(&config).unwrap()).await.unwrap();
        let FatalFailure::Found(reason) = timeout(Duration::from_secs(30), noticing).await.unwrap() else { panic!() };
        for epoch in [first, second] {
            assert!(reason.contains(epoch.as_str()), "{reason}");
        }
        system.close().await;
    }
}
