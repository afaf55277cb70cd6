//! The writer on a database that adds numbers.

use std::mem;
use std::sync::mpsc::{Sender, channel};

use chat_domain::error::Conflict;

use super::*;

/// Adds numbers; each committed sum is an event.
struct Sum {
    committed: u64,
    pending: u64,
    /// What the next transactions fail to start with, last first.
    trouble: Vec<Trouble>,
    /// Whether it decides on memory when it may.
    remembers: bool,
    /// The needs that a commit on memory leaves out.
    stale: Vec<u32>,
    /// The needs that a commit on locks leaves out.
    locked: Vec<u32>,
    /// What was wished for and needed, for the test to see.
    footings: Vec<Footing>,
    needs: Vec<u32>,
}

impl Sum {
    fn behind(&self) -> &[u32] {
        if self.footings.last() == Some(&Footing::Memory) { &self.stale } else { &self.locked }
    }
}

impl Transaction for Sum {
    type Need = u32;
    type Event = u64;

    fn begin(&mut self, needs: &[&u32], wish: Footing) -> Result<Footing, Trouble> {
        self.footings.push(wish);
        self.needs = needs.iter().map(|need| **need).collect();
        match self.trouble.pop() {
            Some(trouble) => Err(trouble),
            None => Ok(if self.remembers { wish } else { Footing::Locks }),
        }
    }

    fn commit(&mut self) -> Result<Committed<u64>, Trouble> {
        let partly = !self.behind().is_empty();
        self.committed += mem::take(&mut self.pending);
        Ok(Committed { events: vec![self.committed], partly })
    }

    fn left_out(&self, need: &u32) -> bool {
        self.behind().contains(need)
    }

    fn rollback(&mut self) {
        self.pending = 0;
    }

    fn close(&mut self) {}
}

fn writer(trouble: Vec<Trouble>, events: Sender<u64>) -> Writer<Sum, impl FnMut(u64)> {
    let transaction = Sum {
        committed: 0,
        pending: 0,
        trouble,
        remembers: false,
        stale: Vec::new(),
        locked: Vec::new(),
        footings: Vec::new(),
        needs: Vec::new(),
    };
    let meters = Meters {
        waiting: Gauge::noop(),
        size: Histogram::noop(),
        duration: Histogram::noop(),
        retries: Counter::noop(),
    };
    Writer { transaction, publish: move |event| events.send(event).unwrap(), meters }
}

type Answer = oneshot::Receiver<Result<()>>;

fn call(work: fn(&mut Sum) -> Result<()>) -> (Box<dyn Member<Sum>>, Answer) {
    needing(0, work)
}

fn needing(need: u32, work: fn(&mut Sum) -> Result<()>) -> (Box<dyn Member<Sum>>, Answer) {
    let (reply, answer) = oneshot::channel();
    (Box::new(Call { need, work, outcome: None, held_up_since: None, reply }), answer)
}

#[expect(clippy::unnecessary_wraps, reason = "has the form of every work")]
fn add_one(sum: &mut Sum) -> Result<()> {
    sum.pending += 1;
    Ok(())
}

#[test]
fn a_member_that_panics_fails_alone_and_the_writer_goes_on() {
    let (events, published) = channel();
    let mut writer = writer(Vec::new(), events);
    let (first, mut first_answer) = call(add_one);
    let (second, mut second_answer) = call(|sum| {
        sum.pending += 100;
        panic!("a seeded fault")
    });
    let (third, mut third_answer) = call(add_one);
    writer.commit(vec![first, second, third], Footing::Memory);
    assert!(first_answer.try_recv().unwrap().is_ok());
    assert!(matches!(second_answer.try_recv().unwrap(), Err(ChatError::Internal(_))));
    assert!(third_answer.try_recv().unwrap().is_ok());
    assert_eq!(published.try_iter().collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn a_batch_is_committed_once() {
    let (events, published) = channel();
    let mut writer = writer(Vec::new(), events);
    let (members, answers): (Vec<_>, Vec<_>) = (0..10).map(|_| call(add_one)).unzip();
    writer.commit(members, Footing::Memory);
    assert_eq!(published.try_iter().collect::<Vec<_>>(), [10]);
    assert!(answers.into_iter().all(|mut answer| answer.try_recv().unwrap().is_ok()));
}

#[test]
fn without_a_transaction_all_members_fail_at_once() {
    let (events, published) = channel();
    let mut writer = writer(vec![Trouble::Lost(ChatError::unavailable("locked"))], events);
    let (members, answers): (Vec<_>, Vec<_>) = (0..3).map(|_| call(add_one)).unzip();
    writer.commit(members, Footing::Memory);
    for mut answer in answers {
        assert!(matches!(answer.try_recv().unwrap(), Err(ChatError::Unavailable { .. })));
    }
    assert_eq!(published.try_iter().count(), 0);
}

#[test]
fn what_memory_gets_wrong_is_decided_again_on_locks() {
    let (events, published) = channel();
    let mut writer = writer(Vec::new(), events);
    writer.transaction.remembers = true;
    writer.transaction.stale = vec![2];
    let (fresh, mut fresh_answer) = needing(1, add_one);
    let (stale, mut stale_answer) = needing(2, |sum| {
        if sum.footings.last() == Some(&Footing::Locks) {
            sum.pending += 10;
        }
        Ok(())
    });
    let (refused, mut refused_answer) = needing(3, |sum| match sum.footings.last() {
        Some(Footing::Locks) => add_one(sum),
        _ => Err(Conflict::SessionClosed.into()),
    });
    writer.commit(vec![fresh, stale, refused], Footing::Memory);
    for answer in [&mut fresh_answer, &mut stale_answer, &mut refused_answer] {
        assert!(answer.try_recv().unwrap().is_ok());
    }
    assert_eq!(writer.transaction.footings, [Footing::Memory, Footing::Locks]);
    assert_eq!(writer.transaction.needs, [2, 3], "what was done is not done again");
    assert_eq!(published.try_iter().collect::<Vec<_>>(), [1, 12]);
}

#[test]
fn a_refusal_on_locks_is_final() {
    let (events, _published) = channel();
    let mut writer = writer(Vec::new(), events);
    let (refused, mut answer) = call(|_| Err(Conflict::SessionClosed.into()));
    writer.commit(vec![refused], Footing::Memory);
    assert!(matches!(answer.try_recv().unwrap(), Err(ChatError::Conflict(Conflict::SessionClosed))));
    assert_eq!(writer.transaction.footings.len(), 1);
}

#[test]
fn a_collision_is_run_again_as_it_was() {
    let (events, published) = channel();
    let collision = || Trouble::Collision(ChatError::unavailable("deadlock"));
    let mut writer = writer(vec![collision(), collision()], events);
    let (members, answers): (Vec<_>, Vec<_>) = (0..3).map(|_| call(add_one)).unzip();
    writer.commit(members, Footing::Memory);
    assert!(answers.into_iter().all(|mut answer| answer.try_recv().unwrap().is_ok()));
    assert_eq!(published.try_iter().collect::<Vec<_>>(), [3], "in one transaction");
}

#[test]
fn collisions_without_end_are_given_up() {
    let (events, _published) = channel();
    let endless = (0..100).map(|_| Trouble::Collision(ChatError::unavailable("deadlock"))).collect();
    let mut writer = writer(endless, events);
    let (member, mut answer) = call(add_one);
    writer.commit(vec![member], Footing::Memory);
    assert!(matches!(answer.try_recv().unwrap(), Err(ChatError::Unavailable { .. })));
}

#[test]
fn what_somebody_else_has_locked_keeps_nobody_waiting() {
    let (events, published) = channel();
    let mut writer = writer(Vec::new(), events);
    writer.transaction.locked = vec![2];
    let (free, mut free_answer) = needing(1, add_one);
    let (locked, mut locked_answer) =
        needing(2, |sum| if sum.locked.is_empty() { add_one(sum) } else { Err(Conflict::SessionClosed.into()) });
    let held_up = writer.commit(vec![free, locked], Footing::Locks);
    assert!(free_answer.try_recv().unwrap().is_ok());
    assert!(locked_answer.try_recv().is_err(), "neither done nor refused");
    writer.transaction.locked.clear();
    assert!(writer.commit(held_up, Footing::Locks).is_empty());
    assert!(locked_answer.try_recv().unwrap().is_ok());
    assert_eq!(published.try_iter().collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn what_stays_locked_for_too_long_is_given_up() {
    let (events, _published) = channel();
    let mut writer = writer(Vec::new(), events);
    writer.transaction.locked = vec![2];
    let (reply, mut answer) = oneshot::channel();
    let held_up_since = Instant::now().checked_sub(HELD_UP);
    let locked = Box::new(Call { need: 2, work: add_one, outcome: None, held_up_since, reply });
    assert!(writer.commit(vec![locked], Footing::Locks).is_empty());
    assert!(matches!(answer.try_recv().unwrap(), Err(ChatError::Unavailable { .. })));
}
