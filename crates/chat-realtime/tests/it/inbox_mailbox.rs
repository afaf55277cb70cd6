//! What waits for an open inbox, and when it is taken.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use chat_domain::inbox::{InboxCounts, InboxView};
use chat_domain::model::{ChatSession, NewSession, Seq, SessionId};
use chat_domain::ports::StreamCloseReason;
use chat_realtime::internals::{InboxMailbox, PACE};
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
        let _no_task =
            mailbox.push(InboxView::Waiting, session_id(n), is_there.then(|| session(n)), InboxCounts::default());
    };
    push(1, true);
    push(2, true);
    push(1, false);
    assert_eq!(take(&mailbox, start), Some((session_id(1), false)), "in the order in which they first changed");
    push(1, true);
    assert_eq!(take(&mailbox, start), Some((session_id(2), true)));
    assert_eq!(take(&mailbox, start), None);
    assert_eq!(mailbox.deadline(), Some(start + PACE));
    push(1, false);
    push(1, true);
    assert_eq!(take(&mailbox, start + PACE / 2), None);
    assert_eq!(take(&mailbox, start + PACE), Some((session_id(1), true)));
    assert_eq!((take(&mailbox, start + PACE), mailbox.deadline()), (None, None));
    assert_eq!(take(&mailbox, start + PACE * 3), None);
    push(2, false);
    assert_eq!(take(&mailbox, start + PACE * 3), Some((session_id(2), false)), "at once after a pause");
}

#[test]
fn a_session_in_two_views_has_a_state_in_each() {
    let (mailbox, now) = (InboxMailbox::default(), Instant::now());
    for view in [InboxView::Waiting, InboxView::Assigned] {
        let _no_task = mailbox.push(view, session_id(1), None, InboxCounts::default());
    }
    assert!(take(&mailbox, now).is_some() && take(&mailbox, now).is_some());
    assert!(take(&mailbox, now).is_none());
}

#[test]
fn a_closed_inbox_keeps_nothing() {
    let mailbox = InboxMailbox::default();
    let _no_task = mailbox.close(StreamCloseReason::Replaced);
    let _no_task = mailbox.close(StreamCloseReason::NodeStopping);
    let _no_task = mailbox.push(InboxView::Mine, session_id(1), None, InboxCounts::default());
    let closed = mailbox.poll_next(&Context::from_waker(Waker::noop()), Instant::now());
    assert_eq!(closed, Poll::Ready(Err(StreamCloseReason::Replaced)));
    assert_eq!(mailbox.deadline(), None);
}

#[test]
fn a_state_of_before_the_snapshot_is_not_taken() {
    let (mailbox, now) = (InboxMailbox::default(), Instant::now());
    let at = |seq| {
        let mut session = session(1).as_ref().clone();
        session.progress.last_seq = Seq::new(seq);
        Some(Arc::new(session))
    };
    let push = |seq| {
        let _no_task = mailbox.push(InboxView::Waiting, session_id(1), at(seq), InboxCounts::default());
    };
    push(5);
    mailbox.note_shown(InboxView::Waiting, session_id(1), Seq::new(6));
    assert_eq!(take(&mailbox, now), None, "it waited");
    push(5);
    assert_eq!(take(&mailbox, now), None, "it was being read");
    push(6);
    assert_eq!(take(&mailbox, now), Some((session_id(1), true)));
    push(7);
    mailbox.note_shown(InboxView::Waiting, session_id(1), Seq::new(6));
    assert_eq!(take(&mailbox, now + PACE), Some((session_id(1), true)), "a newer one is");
    mailbox.note_shown(InboxView::Waiting, session_id(1), Seq::new(9));
    let _no_task = mailbox.push(InboxView::Waiting, session_id(1), None, InboxCounts::default());
    assert_eq!(take(&mailbox, now + 2 * PACE), Some((session_id(1), false)), "nor is it kept from leaving the view");
}
