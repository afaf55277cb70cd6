//! Which sessions are compared with the log, and when. Pure: it is told the time and what was found, and says what to
//! do next.
//!
//! * After a report of lost events, the sessions concerned; reports within [`RepairRules::patience`] are one.
//! * All sessions every [`RepairRules::sweep`], every [`RepairRules::sweep_unheard`] while other nodes cannot be heard,
//!   and at once when that changes.
//! * A session whose log is ahead of its watchers becomes a suspect. Usually the event is on its way. If it has not come
//!   after the patience, the watchers are sent to the log.
//! * A log that fails is left alone for a while, for longer each time.

use std::collections::VecDeque;
use std::time::Duration;

use chat_domain::model::{Seq, SessionId};
use chat_domain::ports::{MAX_HEADS, Missed};

use crate::reports::Reports;
use crate::settings::RepairRules;

/// What the driver has to do next.
#[derive(Debug, PartialEq, Eq)]
pub enum Task {
    /// List the sessions that are watched and concerned, and call `listed`.
    List(Vec<Missed>),
    /// Ask the log for the heads of these sessions, at most `MAX_HEADS`, and call `compared` or `failed`.
    Compare(Vec<SessionId>),
    /// Send the session's watchers to the log, up to this position, unless they know of it by now; call `told` if not.
    Tell(SessionId, Seq),
    /// Wait for reports, but not beyond this time.
    WaitUntil(Duration),
}

/// Something that an operator wants to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Other nodes cannot be heard from now on.
    Unheard,
    /// They can be heard again, all sessions have been compared, and so many had missed something meanwhile.
    HeardAgain {
        /// How many were repaired.
        repaired: u64,
    },
    /// The log cannot be asked.
    LogFails,
    /// It can be asked again.
    LogAnswers,
}

/// The state of the repair.
#[derive(Debug)]
pub struct Repair {
    rules: RepairRules,
    heard: bool,
    next_sweep: Duration,
    /// Where something was lost, and when to look.
    missed: Vec<Missed>,
    look_at: Duration,
    /// The sessions of this round that have not been compared.
    pending: Vec<SessionId>,
    /// Until when the watchers of a session may hear of a position, in order of time.
    suspects: VecDeque<(Duration, SessionId, Seq)>,
    failures: u32,
    not_before: Duration,
    /// How many sessions were repaired since the other nodes fell silent. `None` when that is over and has been told.
    repaired: Option<u64>,
    notices: Vec<Notice>,
}

impl Repair {
    /// Starts with all nodes heard, and a sweep after the usual time.
    pub fn new(rules: RepairRules, now: Duration) -> Self {
        Self {
            rules,
            heard: true,
            next_sweep: now + rules.sweep,
            missed: Vec::new(),
            look_at: now,
            pending: Vec::new(),
            suspects: VecDeque::new(),
            failures: 0,
            not_before: now,
            repaired: None,
            notices: Vec::new(),
        }
    }

    /// Takes what came up.
    pub fn report(&mut self, reports: Reports, now: Duration) {
        if let Some(heard) = reports.heard.filter(|heard| *heard != self.heard) {
            self.heard = heard;
            self.next_sweep = now;
            if !heard && self.repaired.is_none() {
                self.repaired = Some(0);
                self.notices.push(Notice::Unheard);
            }
        }
        if self.missed.is_empty() && !reports.missed.is_empty() {
            self.look_at = now + self.rules.patience;
        }
        for missed in reports.missed {
            if !self.missed.contains(&missed) {
                self.missed.push(missed);
            }
        }
        self.suspect(reports.suspects, now);
    }

    /// What to do next.
    pub fn next(&mut self, now: Duration) -> Task {
        if let Some(&(due, session, head)) = self.suspects.front()
            && due <= now
        {
            self.suspects.pop_front();
            return Task::Tell(session, head);
        }
        if self.not_before > now {
            return Task::WaitUntil(self.at_the_latest(self.not_before));
        }
        if !self.pending.is_empty() {
            let rest = self.pending.len().saturating_sub(MAX_HEADS);
            return Task::Compare(self.pending.split_off(rest));
        }
        if self.next_sweep <= now {
            self.next_sweep = now + if self.heard { self.rules.sweep } else { self.rules.sweep_unheard };
            self.missed.clear();
            return Task::List(vec![Missed::Everywhere]);
        }
        if !self.missed.is_empty() && self.look_at <= now {
            return Task::List(std::mem::take(&mut self.missed));
        }
        if self.heard
            && self.suspects.is_empty()
            && let Some(repaired) = self.repaired.take()
        {
            self.notices.push(Notice::HeardAgain { repaired });
        }
        let look_at = if self.missed.is_empty() { self.next_sweep } else { self.look_at.min(self.next_sweep) };
        Task::WaitUntil(self.at_the_latest(look_at))
    }

    /// Takes the sessions that were asked for by `Task::List`.
    pub fn listed(&mut self, sessions: Vec<SessionId>) {
        self.pending = sessions;
    }

    /// Takes the sessions of a `Task::Compare` whose log is ahead of their watchers, with its head.
    pub fn compared(&mut self, behind: impl IntoIterator<Item = (SessionId, Seq)>, now: Duration) {
        if self.failures > 0 {
            self.failures = 0;
            self.notices.push(Notice::LogAnswers);
        }
        self.suspect(behind, now);
    }

    /// The log failed over these sessions: they will be asked for again.
    pub fn failed(&mut self, sessions: Vec<SessionId>, now: Duration) {
        self.pending.extend(sessions);
        if self.failures == 0 {
            self.notices.push(Notice::LogFails);
        }
        let pause = self.rules.first_pause.saturating_mul(1 << self.failures.min(16));
        self.not_before = now + pause.min(self.rules.longest_pause);
        self.failures = self.failures.saturating_add(1);
    }

    /// The watchers of a session were sent to the log.
    pub fn told(&mut self) {
        if let Some(repaired) = &mut self.repaired {
            *repaired += 1;
        }
    }

    /// What an operator should know and has not been told.
    pub fn notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    fn suspect(&mut self, suspects: impl IntoIterator<Item = (SessionId, Seq)>, now: Duration) {
        let due = now + self.rules.patience;
        self.suspects.extend(suspects.into_iter().map(|(session, head)| (due, session, head)));
    }

    /// The given time, or that of the first suspect if it is earlier.
    fn at_the_latest(&self, time: Duration) -> Duration {
        self.suspects.front().map_or(time, |(due, ..)| time.min(*due))
    }
}
