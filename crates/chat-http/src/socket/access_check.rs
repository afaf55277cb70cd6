//! When the right to see the session is checked, and whether events may be sent meanwhile. It does no I/O; the checks
//! are jobs of the socket.

use std::time::Duration;

use tokio::time::Instant;

use super::times::RETRY_AFTER;

/// The state of the checks of one socket.
#[derive(Debug)]
pub(super) struct AccessCheck {
    recheck_at: Instant,
    /// A newer token has lowered the role, and it is not known yet whether the lower role may see the session.
    role_is_unconfirmed: bool,
    /// An event that may have taken the right away was passed over, and no recheck that began after it has finished.
    recheck_is_required: bool,
}

impl AccessCheck {
    pub(super) fn new(now: Instant, every: Duration) -> Self {
        Self { recheck_at: now + every, role_is_unconfirmed: false, recheck_is_required: false }
    }

    /// Whether no event may be sent until the result of a check is known.
    pub(super) fn is_pending(&self) -> bool {
        self.role_is_unconfirmed || self.recheck_is_required
    }

    /// When the next recheck is due.
    pub(super) fn deadline(&self) -> Instant {
        self.recheck_at
    }

    /// Whether a recheck is due now; schedules the next one.
    pub(super) fn take_due(&mut self, now: Instant, every: Duration) -> bool {
        let is_due = now >= self.recheck_at;
        if is_due {
            self.recheck_at = now + if self.is_pending() { RETRY_AFTER.min(every) } else { every };
        }
        is_due
    }

    /// A newer token with a lower role has come.
    pub(super) fn role_lowered(&mut self) {
        self.role_is_unconfirmed = true;
    }

    /// An event that may have taken the right away was passed over. A recheck that runs may have read the session as it
    /// was before, so the caller stops it.
    pub(super) fn require_recheck(&mut self, now: Instant) {
        self.recheck_is_required = true;
        self.recheck_at = now;
    }

    /// A check has found that the session may be seen. While a renewal runs, its result counts for the new role.
    pub(super) fn confirmed(&mut self, renewal_is_running: bool) {
        // A required recheck stops the recheck that ran before it, so this one began after the event.
        self.recheck_is_required = false;
        self.role_is_unconfirmed &= renewal_is_running;
    }

    /// The check of a newer token has failed. The former role is gone all the same, and whether the lower one suffices is
    /// still to be found out.
    pub(super) fn renewal_failed(&mut self, now: Instant) {
        if self.role_is_unconfirmed {
            self.recheck_at = self.recheck_at.min(now + RETRY_AFTER);
        }
    }

    /// The newer token expired while the stores were asked. It may have had a higher role than the unconfirmed one.
    pub(super) fn renewal_expired(&mut self, now: Instant) {
        if self.role_is_unconfirmed {
            self.recheck_at = now;
        }
    }

    /// The newer token counts from now on. Returns whether a recheck must run all the same, in place of one that runs with
    /// the former role: the renewal may have read the session before the event that was passed over.
    pub(super) fn renewed(&mut self, now: Instant) -> bool {
        self.role_is_unconfirmed = false;
        if self.recheck_is_required {
            self.recheck_at = now;
        }
        self.recheck_is_required
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: Duration = Duration::from_mins(1);

    #[test]
    fn a_recheck_is_due_at_intervals_and_sooner_while_one_is_required() {
        let start = Instant::now();
        let mut access = AccessCheck::new(start, EVERY);
        assert!(!access.take_due(start, EVERY));
        assert!(access.take_due(start + EVERY, EVERY));
        assert_eq!(access.deadline(), start + EVERY * 2);
        access.require_recheck(start + EVERY);
        assert!(access.is_pending());
        assert!(access.take_due(start + EVERY, EVERY));
        assert_eq!(access.deadline(), start + EVERY + RETRY_AFTER);
        access.confirmed(false);
        assert!(!access.is_pending());
    }

    #[test]
    fn a_lowered_role_is_confirmed_by_its_renewal_only() {
        let start = Instant::now();
        let mut access = AccessCheck::new(start, EVERY);
        access.role_lowered();
        access.confirmed(true);
        assert!(access.is_pending());
        assert!(!access.renewed(start));
        assert!(!access.is_pending());
    }

    #[test]
    fn a_renewal_does_not_replace_a_required_recheck() {
        let start = Instant::now();
        let mut access = AccessCheck::new(start, EVERY);
        access.require_recheck(start);
        assert!(access.take_due(start, EVERY));
        assert!(access.renewed(start));
        assert!(access.is_pending());
        assert_eq!(access.deadline(), start);
    }
}
