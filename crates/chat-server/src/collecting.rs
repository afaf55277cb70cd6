//! Collecting the stored files that no message refers to, by the clock.

use std::time::Duration;

use chat_domain::Result;
use chat_domain::model::NotOwner;
use chat_domain::service::{Collected, OrphanCollector, Removal, Round};
use metrics::{counter, gauge};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

/// After how many rounds that were done a server removes files. A copy of a data directory, or of a machine, cannot be told
/// from the original until one of them has begun a round and the other one looks. A server begins one at its start; by the
/// time of its second round after that, the original has had one too, and has forbidden both to go on. A round that failed
/// has shown the original nothing, and does not count.
const DONE_BEFORE_REMOVAL: u64 = 2;

/// The rounds that this server has done since its start.
#[derive(Default)]
struct CollectingProgress {
    done: u64,
}

impl CollectingProgress {
    fn count(&mut self, round: &Result<Round>) {
        if matches!(round, Ok(Round::Done(_))) {
            self.done = self.done.saturating_add(1);
        }
    }

    /// What the next round may remove.
    fn removal(&self) -> Removal {
        if self.done < DONE_BEFORE_REMOVAL { Removal::Never } else { Removal::OfFew }
    }
}

/// Collects for as long as it is polled.
pub(crate) fn run(collector: OrphanCollector, every: Duration) -> impl Future<Output = ()> + Send {
    // Shown from the start on, and not only once they move.
    gauge!("chat_orphans_collecting").set(1);
    for name in ["chat_orphans_marked_total", "chat_orphans_removed_total", "chat_orphans_refused_total"] {
        counter!(name).increment(0);
    }
    async move {
        let mut progress = CollectingProgress::default();
        let mut round = collector.claim().await;
        let mut rounds = rounds(every);
        loop {
            progress.count(&round);
            report(&round);
            rounds.tick().await;
            round = collector.collect(progress.removal()).await;
        }
    }
}

/// Not at start: there is time to notice a mistake before anything is marked.
fn rounds(every: Duration) -> Interval {
    let mut rounds = interval_at(Instant::now() + every, every);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    rounds
}

/// What an operator must know who finds that a database does not collect.
pub(crate) fn remedy(reason: &NotOwner) -> String {
    format!(
        "{reason}; stored files without a message are not removed any more. If this database is the one that the files \
         belong to, such as after a restore, and no other server uses them, run `chat-server attachments adopt`; if it \
         is a copy, give its servers a copy of the files with --attachments-url (CHAT_ATTACHMENTS_URL)"
    )
}

/// What an operator must know when a round refuses to remove so many files.
pub(crate) fn too_many(due: usize, examined: usize) -> String {
    format!(
        "at least {due} of {examined} old files belong to no message and their wait is over, which is more than uploads \
         leave behind; none was removed. Check that the database is complete; if it is, run `chat-server attachments \
         collect --force`"
    )
}

fn report(round: &Result<Round>) {
    let collecting = gauge!("chat_orphans_collecting");
    match round {
        Ok(Round::Done(collected)) => {
            collecting.set(1);
            report_files(collected);
        }
        Ok(Round::Busy) => tracing::debug!("another server collects stored files without a message"),
        Ok(Round::NotOwner(reason)) => {
            collecting.set(0);
            tracing::error!("this server does not collect stored files: {}", remedy(reason));
        }
        Err(error) => tracing::warn!(%error, "cannot look for stored files without a message; trying again later"),
    }
}

fn report_files(collected: &Collected) {
    let Collected { examined, marked, removed, refused } = *collected;
    counter!("chat_orphans_marked_total").increment(marked as u64);
    counter!("chat_orphans_removed_total").increment(removed as u64);
    if let Some(due) = refused {
        counter!("chat_orphans_refused_total").increment(1);
        tracing::warn!(orphans.examined = examined, orphans.due = due, "{}", too_many(due, examined));
    }
    if marked > 0 || removed > 0 {
        tracing::info!(
            orphans.examined = examined,
            orphans.marked = marked,
            orphans.removed = removed,
            "marked {marked} and removed {removed} stored files that belong to no message",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn nothing_is_collected_before_the_server_has_run_for_a_while() {
        let every = Duration::from_hours(1);
        let mut rounds = rounds(every);
        let start = Instant::now();
        rounds.tick().await;
        assert_eq!(start.elapsed(), every);
    }

    /// What the rounds after the start may remove, when the claim and they end so.
    fn removals(ends: Vec<Result<Round>>) -> Vec<Removal> {
        let mut progress = CollectingProgress::default();
        let after = |round: Result<Round>| {
            progress.count(&round);
            progress.removal()
        };
        ends.into_iter().map(after).collect()
    }

    #[test]
    fn a_server_removes_nothing_in_its_first_round() {
        let done = || Ok(Round::Done(Collected::default()));
        assert_eq!(removals(vec![done(), done(), done()]), [Removal::Never, Removal::OfFew, Removal::OfFew]);
    }

    #[test]
    fn rounds_that_were_not_done_bring_a_server_no_nearer_to_removing() {
        let done = || Ok(Round::Done(Collected::default()));
        let unreachable = || Err(chat_domain::ChatError::unavailable("the database is unreachable"));
        let none = Removal::Never;
        assert_eq!(removals(vec![unreachable(), unreachable(), done(), done()]), [none, none, none, Removal::OfFew]);
        let others = [Ok(Round::Busy), Ok(Round::NotOwner(NotOwner::Contested))];
        assert_eq!(removals(others.into()), [none, none]);
    }

    #[test]
    fn reports_name_the_command_that_helps() {
        assert!(remedy(&NotOwner::Contested).contains("chat-server attachments adopt"));
        assert!(too_many(101, 500).contains("chat-server attachments collect --force"));
    }
}
