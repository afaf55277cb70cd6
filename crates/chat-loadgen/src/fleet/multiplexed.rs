//! A multiplexed socket of a fleet: its inbox and its subscriptions, which resume one by one when it is lost.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until, timeout};

use super::counts::{FleetCounts, SocketProgress};
use super::plan::{FleetPlan, MultiplexPlan};
use crate::http::stamp_of;
use crate::socket::multiplexed::{InboxItemPreview, ack_of, open_inbox, subscribe};
use crate::socket::{ClientCloseReason, IncomingFrame, MultiplexedFrame, Socket};

/// The least time between two acknowledgements of a session.
const ACK_EVERY: Duration = Duration::from_secs(1);
/// Items of a snapshot: the most that the service gives.
const SNAPSHOT_LIMIT: usize = 100;

/// What all sockets of the fleet share.
#[derive(Clone, Copy)]
pub(super) struct SharedState<'a> {
    pub(super) plan: &'a FleetPlan,
    pub(super) counts: &'a RefCell<FleetCounts>,
    pub(super) received: &'a Notify,
}

/// Up to where each of its sessions has got, and what its inbox showed of it.
#[derive(Debug, Default)]
pub(super) struct SessionsProgress(RefCell<HashMap<String, SessionProgress>>);

#[derive(Debug, Default)]
struct SessionProgress {
    /// Its place among the sessions of the plan.
    place: usize,
    events: SocketProgress,
    acknowledged: u64,
    /// When the newest message was sent that the inbox has shown of it.
    shown_us: u64,
}

impl SessionsProgress {
    /// Opens the inbox and all subscriptions behind the hello, within `limit`. `lost_for` is how long there was no socket,
    /// when there was one before.
    pub(super) async fn begin(
        &self,
        state: SharedState<'_>,
        number: usize,
        socket: &mut Socket,
        lost_for: Option<Duration>,
    ) -> Result<(), ClientCloseReason> {
        let Some(plan) = &state.plan.multiplexed else { return Ok(()) };
        let began = timeout(state.plan.timeout, self.begin_all(state, plan, number, socket, lost_for));
        began.await.unwrap_or(Err(ClientCloseReason::Lost))
    }

    async fn begin_all(
        &self,
        state: SharedState<'_>,
        plan: &MultiplexPlan,
        number: usize,
        socket: &mut Socket,
        lost_for: Option<Duration>,
    ) -> Result<(), ClientCloseReason> {
        if socket.next_multiplexed().await? != MultiplexedFrame::Hello {
            return Err(ClientCloseReason::Malformed);
        }
        let mut awaited = plan.views.len();
        if !plan.views.is_empty() {
            socket.queue(open_inbox(&plan.views, SNAPSHOT_LIMIT));
        }
        for (place, session) in plan.sessions_of(number) {
            let mut sessions = self.0.borrow_mut();
            let progress = sessions.entry(session.to_owned()).or_default();
            progress.place = place;
            socket.queue(subscribe(session, progress.events.cursor.since()));
            awaited += 1;
        }
        while awaited > 0 {
            match socket.next_multiplexed().await? {
                MultiplexedFrame::Snapshot { items } => {
                    for item in &items {
                        let _sent_before_the_snapshot = self.show(item);
                    }
                    awaited -= 1;
                }
                MultiplexedFrame::Subscribed { session, hello } => {
                    let mut sessions = self.0.borrow_mut();
                    let progress = &mut sessions.entry(session).or_default().events;
                    state.counts.borrow_mut().resume(lost_for, &hello);
                    progress.cursor.begin(&hello);
                    progress.head = hello.seq;
                    awaited -= 1;
                }
                MultiplexedFrame::Unsubscribed { code, .. } => return Err(ClientCloseReason::Closed(code)),
                MultiplexedFrame::Refused(_) => return Err(ClientCloseReason::Declined),
                frame => self.count(state, frame),
            }
        }
        Ok(())
    }

    /// Reads and parses everything.
    pub(super) async fn read(&self, state: SharedState<'_>, socket: &mut Socket) -> ClientCloseReason {
        let mut next_ack = Instant::now() + ACK_EVERY;
        loop {
            let received = tokio::select! {
                biased;
                () = sleep_until(next_ack), if state.plan.acknowledge => {
                    self.acknowledge(socket);
                    next_ack = Instant::now() + ACK_EVERY;
                    continue;
                }
                received = socket.next_multiplexed() => received,
            };
            match received {
                // The other subscriptions go on; this one is missing from now on.
                Ok(MultiplexedFrame::Unsubscribed { code, .. }) => {
                    let reason = ClientCloseReason::Closed(code);
                    *state.counts.borrow_mut().closed.entry(reason).or_default() += 1;
                }
                Ok(frame) => self.count(state, frame),
                Err(reason) => return reason,
            }
            state.received.notify_one();
        }
    }

    fn count(&self, state: SharedState<'_>, frame: MultiplexedFrame) {
        match frame {
            MultiplexedFrame::OfSession { session, frame } => {
                let mut sessions = self.0.borrow_mut();
                let SessionProgress { place, events, .. } = sessions.entry(session).or_default();
                let mut counts = state.counts.borrow_mut();
                match frame {
                    IncomingFrame::Message { id, content, seq } => counts.message(*place, (&id, &content), seq, events),
                    IncomingFrame::Other { seq } => counts.other(*place, seq, events),
                    IncomingFrame::Heartbeat(Some(seq)) => {
                        // An event of a kind that the service does not know, if it is one, is no gap.
                        events.cursor.passes(seq);
                    }
                    _ => {}
                }
            }
            MultiplexedFrame::Update { item } => {
                let sent_us = item.and_then(|item| self.show(&item));
                state.counts.borrow_mut().inbox_update(sent_us);
            }
            _ => {}
        }
    }

    /// Takes note of an item of the inbox; returns when its newest message was sent, if no item before had it.
    fn show(&self, item: &InboxItemPreview) -> Option<u64> {
        let sent_us = stamp_of(&item.preview)?;
        let mut sessions = self.0.borrow_mut();
        let progress = sessions.entry(item.session.clone()).or_default();
        let is_new = sent_us > progress.shown_us;
        progress.shown_us = progress.shown_us.max(sent_us);
        is_new.then_some(sent_us)
    }

    /// Acknowledges what came of each session since the last time.
    fn acknowledge(&self, socket: &mut Socket) {
        for (session, progress) in self.0.borrow_mut().iter_mut() {
            let seq = progress.events.cursor.seq();
            if seq > progress.acknowledged && seq > progress.events.head {
                progress.acknowledged = seq;
                socket.queue(ack_of(session, seq));
            }
        }
    }
}
