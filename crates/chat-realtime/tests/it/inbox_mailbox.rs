//! What waits for an open inbox, and when it is taken.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use chat_domain::inbox::{InboxCounts, InboxView};
use chat_domain::model::{ChatSession, NewSession, Seq, SessionId};
use chat_domain::ports::StreamCloseReason;
use chat_realtime::internals::{INBOX_PACE, InboxMailbox, PushedState};
use chat_testkit::fixtures::{new_session, session_id};

fn session(n: u64) -> Arc<ChatSession> {
    Arc::new(ChatSession::open(NewSession { id: session_id(n), ..new_session(n) }))
}

fn take(mailbox: &InboxMailbox, now: Instant) -> Option<(SessionId, bool)> {
    match mailbox.poll_next(&Context::from_waker(Waker::noop()), now) {
        Poll::Ready(update) => {
            let update = update.unwrap();
            Some((update.session_id, update.session.is_some()))
        }
        Poll::Pending => None,
    }
}

#[test]
fn of_many_states_of_a_session_the_newest_is_taken_and_two_a_second_at_most() {
    let (mailbox, start) = (InboxMailbox::default(), Instant::now());
    let push = |n, is_there: bool| {
        let session = is_there.then(|| session(n));
        let _no_task =
            mailbox.push((InboxView::Waiting, session_id(n)), Some(Seq::new(1)), session, InboxCounts::default());
    };
    push(1, true);
    push(2, true);
    push(1, false);
    assert_eq!(take(&mailbox, start), Some((session_id(1), false)), "in the order in which they first changed");
    push(1, true);
    assert_eq!(take(&mailbox, start), Some((session_id(2), true)));
    assert_eq!(take(&mailbox, start), None);
    assert_eq!(mailbox.deadline(), Some(start + INBOX_PACE));
    push(1, false);
    push(1, true);
    assert_eq!(take(&mailbox, start + INBOX_PACE / 2), None);
    assert_eq!(take(&mailbox, start + INBOX_PACE), Some((session_id(1), true)));
    assert_eq!((take(&mailbox, start + INBOX_PACE), mailbox.deadline()), (None, None));
    assert_eq!(take(&mailbox, start + INBOX_PACE * 3), None);
    push(2, false);
    assert_eq!(take(&mailbox, start + INBOX_PACE * 3), Some((session_id(2), false)), "at once after a pause");
}

#[test]
fn a_session_in_two_views_has_a_state_in_each() {
    let (mailbox, now) = (InboxMailbox::default(), Instant::now());
    for view in [InboxView::Waiting, InboxView::Assigned] {
        let _no_task = mailbox.push((view, session_id(1)), Some(Seq::new(1)), None, InboxCounts::default());
    }
    assert!(take(&mailbox, now).is_some() && take(&mailbox, now).is_some());
    assert!(take(&mailbox, now).is_none());
}

#[test]
fn a_closed_inbox_keeps_nothing() {
    let mailbox = InboxMailbox::default();
    let _no_task = mailbox.close(StreamCloseReason::Replaced);
    let _no_task = mailbox.close(StreamCloseReason::NodeStopping);
    let _no_task = mailbox.push((InboxView::Mine, session_id(1)), Some(Seq::new(1)), None, InboxCounts::default());
    let closed = mailbox.poll_next(&Context::from_waker(Waker::noop()), Instant::now());
    assert_eq!(closed, Poll::Ready(Err(StreamCloseReason::Replaced)));
    assert_eq!(mailbox.deadline(), None);
}

#[test]
fn a_state_of_before_the_snapshot_is_not_taken() {
    let (mailbox, now) = (InboxMailbox::default(), Instant::now());
    let push = |view, seq, is_there: bool| {
        let mut session = session(1).as_ref().clone();
        session.progress.last_seq = Seq::new(seq);
        let session = is_there.then(|| Arc::new(session));
        let pushed = mailbox.push((view, session_id(1)), Some(Seq::new(seq)), session, InboxCounts::default());
        matches!(pushed, PushedState::Waits(_))
    };
    let (mine, waiting) = (InboxView::Mine, InboxView::Waiting);
    assert!(push(waiting, 5, true));
    assert_eq!(mailbox.note_shown(session_id(1), Seq::new(6)), [waiting], "it waited");
    assert_eq!(take(&mailbox, now), None);
    assert!(!push(waiting, 5, true) && !push(mine, 5, false), "they were being read");
    assert_eq!(take(&mailbox, now), None);
    assert!(push(waiting, 6, false) && push(mine, 6, true));
    assert_eq!([take(&mailbox, now), take(&mailbox, now)], [Some((session_id(1), false)), Some((session_id(1), true))]);
    assert!(push(mine, 7, true));
    assert_eq!(mailbox.note_shown(session_id(1), Seq::new(6)), [], "what waits is newer");
    assert_eq!(take(&mailbox, now + INBOX_PACE), Some((session_id(1), true)));
}

#[test]
fn counts_come_with_what_waits_and_alone_once() {
    let (mailbox, now) = (InboxMailbox::default(), Instant::now());
    let counts = |waiting| InboxCounts { waiting, ..InboxCounts::default() };
    let push_counts = |n, waiting| {
        let _no_task = mailbox.push_counts((InboxView::Mine, session_id(n)), Some(Seq::new(1)), counts(waiting));
    };
    let next = || match mailbox.poll_next(&Context::from_waker(Waker::noop()), now) {
        Poll::Ready(update) => update.ok().map(|update| (update.session_id, update.counts.waiting)),
        Poll::Pending => None,
    };
    // Of a thousand sessions in the queue, a client that does not read keeps one.
    for n in 1..=1_000 {
        push_counts(n, n);
    }
    assert_eq!(next(), Some((session_id(1), 1_000)));
    assert_eq!(next(), None);
    push_counts(1_001, 1_000);
    assert_eq!(next(), None, "they are known");
}
