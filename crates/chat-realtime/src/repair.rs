//! Which sessions are compared with the log, and when. Pure: the caller passes the time and the results, and performs
//! the task that is returned.
//!
//! * After a suspected gap, the sessions concerned; reports within [`RepairRules::patience`] are one.
//! * All sessions every [`RepairRules::sweep`], every [`RepairRules::sweep_unreachable`] while the other nodes are
//!   unreachable, and at once when that changes.
//! * A session whose log is ahead of its subscriptions becomes a suspect. Usually the event is on its way. If it has
//!   not come after the patience, the subscriptions are sent to the log.
//! * After a failed query the log is not queried for a pause, which doubles with each failure.

use std::collections::VecDeque;
use std::time::Duration;

use chat_domain::model::{Seq, SessionId};
use chat_domain::ports::MAX_HEADS;

use crate::peers::SuspectedGap;
use crate::reports::GapReports;
use crate::settings::RepairRules;
use crate::timer::pause_after;

/// The next task of the driver.
#[derive(Debug, PartialEq, Eq)]
pub enum RepairTask {
    /// List the sessions in these gaps that have subscriptions, and call `listed`.
    List(Vec<SuspectedGap>),
    /// Query the log for the heads of these sessions, at most `MAX_HEADS`, and call `compared` or `failed`.
    Compare(Vec<SessionId>),
    /// Send the session's subscriptions to the log, up to this event, unless they know of it by now; call `repaired` if
    /// not.
    MarkGap(SessionId, Seq),
    /// Wait for reports, but not beyond this time.
    WaitUntil(Duration),
}

/// A change that is logged for the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RepairNotice {
    /// The other nodes are unreachable from now on.
    PeersUnreachable,
    /// They are reachable again, and all sessions have been compared.
    PeersReachable {
        /// How many sessions had missed events meanwhile and were repaired.
        repaired: u64,
    },
    /// The log cannot be queried.
    LogUnavailable,
    /// It can be queried again.
    LogAvailable,
}

/// The state of the repair.
#[derive(Debug)]
pub struct Repair {
    rules: RepairRules,
    peers_reachable: bool,
    next_sweep: Duration,
    /// The suspected gaps, and when to compare their sessions.
    gaps: Vec<SuspectedGap>,
    check_at: Duration,
    /// The sessions of this round that have not been compared.
    pending: Vec<SessionId>,
    /// Until when the subscriptions of a session may get an event in the usual way, in order of time.
    suspects: VecDeque<(Duration, SessionId, Seq)>,
    failures: u32,
    not_before: Duration,
    /// How many sessions were repaired since the other nodes became unreachable. `None` when that is over and was
    /// logged.
    repaired_meanwhile: Option<u64>,
    notices: Vec<RepairNotice>,
}

impl Repair {
    /// Starts with reachable peers, and a sweep after the usual time.
    pub fn new(rules: RepairRules, now: Duration) -> Self {
        Self {
            rules,
            peers_reachable: true,
            next_sweep: now + rules.sweep,
            gaps: Vec::new(),
            check_at: now,
            pending: Vec::new(),
            suspects: VecDeque::new(),
            failures: 0,
            not_before: now,
            repaired_meanwhile: None,
            notices: Vec::new(),
        }
    }

    /// Takes reports.
    pub fn report(&mut self, reports: GapReports, now: Duration) {
        if let Some(peers_reachable) =
            reports.peers_reachable.filter(|peers_reachable| *peers_reachable != self.peers_reachable)
        {
            self.peers_reachable = peers_reachable;
            self.next_sweep = now;
            if !peers_reachable && self.repaired_meanwhile.is_none() {
                self.repaired_meanwhile = Some(0);
                self.notices.push(RepairNotice::PeersUnreachable);
            }
        }
        if self.gaps.is_empty() && !reports.gaps.is_empty() {
            self.check_at = now + self.rules.patience;
        }
        for gap in reports.gaps {
            if !self.gaps.contains(&gap) {
                self.gaps.push(gap);
            }
        }
        self.suspect(reports.suspects, now);
    }

    /// The next task.
    pub fn next(&mut self, now: Duration) -> RepairTask {
        if let Some(&(due, session, head)) = self.suspects.front()
            && due <= now
        {
            self.suspects.pop_front();
            return RepairTask::MarkGap(session, head);
        }
        if self.not_before > now {
            return RepairTask::WaitUntil(self.or_first_suspect(self.not_before));
        }
        if !self.pending.is_empty() {
            let rest = self.pending.len().saturating_sub(MAX_HEADS);
            return RepairTask::Compare(self.pending.split_off(rest));
        }
        if self.next_sweep <= now {
            self.next_sweep = now + if self.peers_reachable { self.rules.sweep } else { self.rules.sweep_unreachable };
            self.gaps.clear();
            return RepairTask::List(vec![SuspectedGap::AllSessions]);
        }
        if !self.gaps.is_empty() && self.check_at <= now {
            return RepairTask::List(std::mem::take(&mut self.gaps));
        }
        if self.peers_reachable
            && self.suspects.is_empty()
            && let Some(repaired) = self.repaired_meanwhile.take()
        {
            self.notices.push(RepairNotice::PeersReachable { repaired });
        }
        let check_at = if self.gaps.is_empty() { self.next_sweep } else { self.check_at.min(self.next_sweep) };
        RepairTask::WaitUntil(self.or_first_suspect(check_at))
    }

    /// Takes the sessions of `RepairTask::List`.
    pub fn listed(&mut self, sessions: Vec<SessionId>) {
        self.pending = sessions;
    }

    /// Takes the sessions of a `RepairTask::Compare` whose log is ahead of their subscriptions, with its head.
    pub fn compared(&mut self, ahead: impl IntoIterator<Item = (SessionId, Seq)>, now: Duration) {
        if self.failures > 0 {
            self.failures = 0;
            self.notices.push(RepairNotice::LogAvailable);
        }
        self.suspect(ahead, now);
    }

    /// The query for these sessions failed; it will be repeated.
    pub fn failed(&mut self, sessions: Vec<SessionId>, now: Duration) {
        self.pending.extend(sessions);
        if self.failures == 0 {
            self.notices.push(RepairNotice::LogUnavailable);
        }
        self.not_before = now + pause_after(self.failures, self.rules.first_pause, self.rules.longest_pause);
        self.failures = self.failures.saturating_add(1);
    }

    /// The subscriptions of a session were sent to the log.
    pub fn repaired(&mut self) {
        if let Some(repaired) = &mut self.repaired_meanwhile {
            *repaired += 1;
        }
    }

    /// The changes that have not been logged yet.
    pub fn notices(&mut self) -> Vec<RepairNotice> {
        std::mem::take(&mut self.notices)
    }

    fn suspect(&mut self, suspects: impl IntoIterator<Item = (SessionId, Seq)>, now: Duration) {
        let due = now + self.rules.patience;
        self.suspects.extend(suspects.into_iter().map(|(session, head)| (due, session, head)));
    }

    /// The given time, or that of the first suspect if it is earlier.
    fn or_first_suspect(&self, time: Duration) -> Duration {
        self.suspects.front().map_or(time, |(due, ..)| time.min(*due))
    }
}
