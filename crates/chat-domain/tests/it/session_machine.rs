//! The session's state machine under random sequences of transitions, beside a model that keeps plain numbers.

use std::time::Duration;

use chat_domain::error::Conflict;
use chat_domain::model::{
    AgentId, AttemptedTransition, ChatSession, DetailsUpdate, EventChange, ExpectedVersion, Party, Priority, Progress,
    Seq, SessionAction, SessionChange, SessionDetails, SessionState, SessionUpdate, Subject, Tags, Timestamp,
};
use chat_domain::write::{Facts, SessionWrite, WriteBatch};
use chat_domain::{ChatError, model::TransitionError};
use chat_testkit::fixtures::{agent_id, alice, bob, carol, change, new_session, root, start, update};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Assign(u8),
    Transfer(Option<u8>),
    Update(u8),
    Close,
    Message(Party),
    Read(Party, u64),
    ReadUpTo(Party, u64, u64),
    Delivery(Party, u64),
}

fn party() -> impl Strategy<Value = Party> {
    prop_oneof![Just(Party::User), Just(Party::Support)]
}

fn steps() -> impl Strategy<Value = Vec<(Step, i64)>> {
    let step = prop_oneof![
        3 => (0..3_u8).prop_map(Step::Assign),
        3 => proptest::option::of(0..3_u8).prop_map(Step::Transfer),
        3 => (0..5_u8).prop_map(Step::Update),
        1 => Just(Step::Close),
        8 => party().prop_map(Step::Message),
        3 => (party(), 0..4_u64).prop_map(|(reader, read)| Step::Read(reader, read)),
        3 => (party(), 0..4_u64, 0..40_u64).prop_map(|(reader, read, up_to)| Step::ReadUpTo(reader, read, up_to)),
        3 => (party(), 0..40_u64).prop_map(|(reader, up_to)| Step::Delivery(reader, up_to)),
    ];
    // Each step comes with the time since the one before, in milliseconds: the next node's clock may be behind.
    proptest::collection::vec((step, -3_000..5_000_i64), 0..40)
}

fn agent(n: u8) -> AgentId {
    AgentId::parse(&format!("agent-{n}")).unwrap()
}

/// What a session is about after an update of this number. 0 is what it was opened with.
fn about(n: u8) -> SessionDetails {
    let opened = ChatSession::open(new_session(1)).details();
    match n {
        0 => opened,
        1 => SessionDetails { priority: Priority::Low, ..opened },
        2 => SessionDetails { subject: None, ..opened },
        3 => SessionDetails { tags: Tags::default(), ..opened },
        _ => SessionDetails { subject: Subject::parse("Another").unwrap(), priority: Priority::Low, tags: opened.tags },
    }
}

fn about_or_opening(update: Option<u8>) -> SessionDetails {
    about(update.unwrap_or(0))
}

/// The update to exactly these details.
fn whole(SessionDetails { subject, priority, tags }: SessionDetails) -> DetailsUpdate {
    DetailsUpdate { subject: Some(subject), priority: Some(priority), tags: Some(tags) }
}

/// What a session should be, kept without its state machine.
#[derive(Clone, Debug, Default)]
struct Model {
    agent: Option<AgentId>,
    closed_at: Option<Timestamp>,
    changes: u64,
    /// When the newest change was made.
    changed_at: Option<Timestamp>,
    messages: u64,
    /// The number of the update that counts; `None` before the first.
    about: Option<u8>,
    updated_first_at: Option<u64>,
    /// When each customer message came that has no answer yet.
    unanswered: Vec<Timestamp>,
    unread_by: [u64; 2],
    delivery_watermarks: [u64; 2],
    read_watermarks: [u64; 2],
}

fn side(party: Party) -> usize {
    match party {
        Party::User => 0,
        Party::Support => 1,
    }
}

impl Model {
    /// Whether the step is allowed, and how long the customer waited for it.
    fn apply(&mut self, step: &Step, clock: Timestamp) -> Result<Option<Duration>, AttemptedTransition> {
        // No time goes back.
        let now = clock.max(self.changed_at.unwrap_or(clock)).max(new_session(1).started_at);
        let open = self.closed_at.is_none();
        let (before, before_about) = (self.agent.clone(), self.about);
        match step {
            Step::Assign(to) if open && self.agent.is_none() => self.agent = Some(agent(*to)),
            Step::Assign(_) => return Err(AttemptedTransition::Assign),
            Step::Transfer(to) if open => self.agent = to.map(agent),
            Step::Transfer(_) => return Err(AttemptedTransition::Transfer),
            Step::Update(to) if open => {
                if about(*to) != about_or_opening(self.about) {
                    self.about = Some(*to);
                    self.updated_first_at.get_or_insert(self.changes + 2);
                }
            }
            Step::Update(_) => return Err(AttemptedTransition::Update),
            Step::Close if open => self.closed_at = Some(now),
            Step::Close => return Err(AttemptedTransition::Close),
            Step::Message(_) if !open => return Err(AttemptedTransition::Send),
            Step::Message(sender) => {
                self.messages += 1;
                self.unread_by[side(sender.other())] += 1;
                self.changes += 1;
                self.changed_at = Some(now);
                if *sender == Party::User {
                    self.unanswered.push(now);
                    return Ok(None);
                }
                let first = std::mem::take(&mut self.unanswered).into_iter().min();
                return Ok(first.map(|first| Duration::from_millis((now.unix_ms() - first.unix_ms()).unsigned_abs())));
            }
            Step::Read(reader, read) => {
                let unread = &mut self.unread_by[side(*reader)];
                *unread -= (*unread).min(*read);
                if *unread == 0 {
                    // Everything there is has been read.
                    self.read(*reader, self.changes + 1);
                }
            }
            Step::ReadUpTo(reader, read, up_to) => {
                self.read(*reader, *up_to);
                return self.apply(&Step::Read(*reader, *read), now);
            }
            Step::Delivery(reader, up_to) => {
                let mark = &mut self.delivery_watermarks[side(*reader)];
                *mark = (*mark).max(*up_to);
            }
        }
        let stays = match step {
            Step::Transfer(_) => self.agent == before,
            Step::Update(_) => about_or_opening(self.about) == about_or_opening(before_about),
            _ => false,
        };
        if !stays {
            self.changes += 1;
            self.changed_at = Some(now);
        }
        Ok(None)
    }

    /// What was read has arrived too, and neither goes back.
    fn read(&mut self, reader: Party, up_to: u64) {
        for marks in [&mut self.read_watermarks, &mut self.delivery_watermarks] {
            let mark = &mut marks[side(reader)];
            *mark = (*mark).max(up_to);
        }
    }

    fn assert_describes(&self, session: &ChatSession) {
        let state = match self.closed_at {
            Some(at) => SessionState::Closed { agent: self.agent.clone(), at },
            None => SessionState::Active { agent: self.agent.clone() },
        };
        assert_eq!(session.state, state);
        assert_eq!((session.is_active(), session.ended_at()), (self.closed_at.is_none(), self.closed_at));
        let progress = Progress {
            last_seq: Seq::new(self.changes + 1),
            last_event_at: self.changed_at.unwrap_or(new_session(1).started_at),
            message_count: self.messages,
            waiting_since: self.unanswered.first().copied(),
            unread_by_user: self.unread_by[0],
            unread_by_support: self.unread_by[1],
            user_delivered_seq: Seq::new(self.delivery_watermarks[0]),
            support_delivered_seq: Seq::new(self.delivery_watermarks[1]),
            user_read_seq: Seq::new(self.read_watermarks[0]),
            support_read_seq: Seq::new(self.read_watermarks[1]),
        };
        assert_eq!(session.progress, progress);
        assert_eq!(session.details(), about_or_opening(self.about));
        assert_eq!(session.opened_with.as_ref().map(|opening| opening.until.get()), self.updated_first_at);
    }
}

/// The session after the change, and the change as its event carries it. All agents are active.
fn decide(session: &ChatSession, change: SessionChange) -> chat_domain::Result<(ChatSession, Option<EventChange>)> {
    let mut facts = Facts::default();
    facts.add_session(session.clone());
    change.action.receiving_agent().into_iter().for_each(|agent| facts.add_agent(agent.clone(), true));
    let mut batch = WriteBatch::new(facts);
    let after = batch.decide(&SessionWrite::ChangeSession(session.id, change))?.changed()?.session;
    let change = batch.into_effects().events().first().map(|event| event.change.clone());
    Ok((after, change))
}

fn take(session: ChatSession, step: &Step, now: Timestamp) -> Result<(ChatSession, Option<Duration>), TransitionError> {
    let plain = |session| (session, None);
    match step {
        Step::Assign(to) => session.assign(agent(*to), now).map(plain),
        Step::Transfer(to) => session.transfer(to.map(agent), now).map(plain),
        Step::Update(to) => session.update(&whole(about(*to)), now).map(plain),
        Step::Close => session.close(now).map(plain),
        Step::Message(sender) => session.record_message(*sender, now),
        Step::Read(reader, read) => Ok(plain(session.record_read(*reader, *read, now))),
        Step::ReadUpTo(reader, read, up_to) => {
            Ok(plain(session.record_read_up_to(*reader, *read, Seq::new(*up_to), now)))
        }
        Step::Delivery(reader, up_to) => Ok(plain(session.record_delivery(*reader, Seq::new(*up_to), now))),
    }
}

proptest! {
    #[test]
    fn a_session_does_what_the_model_says(steps in steps()) {
        let (mut session, mut model) = (ChatSession::open(new_session(1)), Model::default());
        model.assert_describes(&session);
        let mut now = start();
        for (step, pause) in steps {
            now = Timestamp::from_unix_ms(now.unix_ms() + pause);
            let before = session.clone();
            match (take(session.clone(), &step, now), model.apply(&step, now)) {
                (Ok((after, waited)), Ok(expected)) => {
                    prop_assert_eq!(waited, expected, "the response time of {:?}", step);
                    session = after;
                }
                (Err(error), Err(attempted)) => {
                    prop_assert_eq!(error, TransitionError { attempted, from: before.state.clone() });

                }
                (taken, expected) => prop_assert!(false, "{:?} gives {:?}, not {:?}", step, taken, expected),
            }
            model.assert_describes(&session);
            let steps_taken = session.progress.last_seq.get() - before.progress.last_seq.get();
            prop_assert!(steps_taken <= 1, "a change takes one position");
            prop_assert_eq!(steps_taken == 0, session == before, "a position is taken exactly by a change");
            if !before.is_active() {
                prop_assert_eq!(&session.state, &before.state, "closed is terminal");
            }
            prop_assert_eq!(session.as_opened(), ChatSession::open(new_session(1)));
        }
    }

    #[test]
    fn a_decided_change_carries_the_session_after_it(steps in steps()) {
        let mut session = ChatSession::open(new_session(1));
        for (step, _) in steps {
            let action = match step {
                Step::Assign(to) => SessionAction::Assign(agent(to)),
                Step::Transfer(to) => SessionAction::Transfer(to.map(agent)),
                Step::Update(to) => update(whole(about(to))),
                Step::Close => SessionAction::Close,
                Step::Message(_) | Step::Read(..) | Step::ReadUpTo(..) | Step::Delivery(..) => continue,
            };
            let asked = change(&root(), action, 60);
            match decide(&session, asked) {
                Ok((after, None)) => prop_assert_eq!(&after, &session),
                Ok((after, Some(change))) => {
                    prop_assert_eq!(change.session(), Some(&after.clone().in_event()));
                    prop_assert_eq!(after.progress.last_seq, session.progress.last_seq.next());
                    session = after;
                }
                Err(ChatError::Conflict(conflict)) => {
                    let expected =
                        if session.is_active() { Conflict::AlreadyAssigned } else { Conflict::SessionClosed };
                    prop_assert_eq!(conflict, expected);
                }
                Err(error) => prop_assert!(false, "{}", error),
            }
        }
    }
}

#[test]
fn a_change_has_the_name_of_its_action() {
    let open = ChatSession::open(new_session(1));
    let decide = |session: ChatSession, action| decide(&session, change(&root(), action, 60)).unwrap();
    let (session, assigned) = decide(open, SessionAction::Assign(agent_id(&bob())));
    assert!(matches!(assigned, Some(EventChange::Assigned(_))));
    let (session, transferred) = decide(session, SessionAction::Transfer(Some(agent_id(&carol()))));
    assert!(matches!(transferred, Some(EventChange::Transferred(_))));
    let (session, updated) = decide(session, update(whole(about(1))));
    assert!(matches!(updated, Some(EventChange::Updated(_))));
    let (_, closed) = decide(session, SessionAction::Close);
    assert!(matches!(closed, Some(EventChange::Closed(_))));
}

#[test]
fn a_right_is_checked_before_the_state_when_a_change_is_decided() {
    let closed = ChatSession::open(new_session(1)).close(start()).unwrap();
    let refused = decide(&closed, change(&alice(), SessionAction::Transfer(None), 60)).unwrap_err();
    assert!(matches!(refused, ChatError::Forbidden(_)), "{refused}");
}

#[test]
fn a_refused_transition_says_what_was_attempted_from_which_state() {
    let held = ChatSession::open(new_session(1)).assign(agent(1), start()).unwrap();
    assert_eq!(
        held.clone().assign(agent(2), start()).unwrap_err().to_string(),
        "cannot assign a session that is active and assigned"
    );
    let closed = held.close(start()).unwrap();
    let refusals = [
        (closed.clone().assign(agent(1), start()).unwrap_err(), "cannot assign a session that is closed"),
        (closed.clone().transfer(None, start()).unwrap_err(), "cannot transfer a session that is closed"),
        (closed.clone().update(&whole(about(1)), start()).unwrap_err(), "cannot update a session that is closed"),
        (closed.clone().close(start()).unwrap_err(), "cannot close a session that is closed"),
        (closed.record_message(Party::User, start()).unwrap_err(), "cannot send a message in a session that is closed"),
    ];
    for (error, text) in refusals {
        assert_eq!(error.to_string(), text);
    }
}

#[test]
fn an_update_is_made_only_of_a_version_that_is_expected() {
    let session = ChatSession::open(new_session(1)).assign(agent_id(&bob()), start()).unwrap();
    let update = |expected| SessionAction::Update(SessionUpdate { details: whole(about(1)), expected });
    for (expected, admitted) in [
        (ExpectedVersion::Any, true),
        (ExpectedVersion::OneOf(vec![Seq::new(2)]), true),
        (ExpectedVersion::OneOf(vec![Seq::new(1), Seq::new(2)]), true),
        (ExpectedVersion::OneOf(vec![Seq::new(1)]), false),
        (ExpectedVersion::OneOf(vec![Seq::new(3)]), false),
        (ExpectedVersion::OneOf(Vec::new()), false),
    ] {
        match decide(&session, change(&bob(), update(expected.clone()), 60)) {
            Ok((after, Some(EventChange::Updated(_)))) if admitted => assert_eq!(after.details(), about(1)),
            Err(ChatError::VersionMismatch { current }) if !admitted => assert_eq!(current, Seq::new(2)),
            other => panic!("{expected:?} gives {other:?}"),
        }
    }
    // The right comes first, the state last.
    let other = || update(ExpectedVersion::OneOf(Vec::new()));
    assert!(matches!(decide(&session, change(&carol(), other(), 60)), Err(ChatError::Forbidden(_))));
    let closed = session.close(start()).unwrap();
    assert!(matches!(decide(&closed, change(&bob(), other(), 60)), Err(ChatError::VersionMismatch { .. })));
    let any = update(ExpectedVersion::Any);
    assert!(matches!(decide(&closed, change(&bob(), any, 60)), Err(ChatError::Conflict(Conflict::SessionClosed))));
}
