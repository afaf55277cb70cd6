//! Who decodes next: a few slots, and people who wait for them in turn.
//!
//! A slot that becomes free goes to the person whose turn it is, and to the first of their pictures; then the next person
//! has a turn. So a person who asks for many pictures delays another person by the work of one slot, and not by all
//! the pictures that they asked for before.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chat_domain::model::UserId;
use tokio::sync::oneshot;

/// The slots. Clones share them.
#[derive(Clone)]
pub(crate) struct Slots(Arc<Mutex<State>>);

struct State {
    free: usize,
    /// Each person who waits, once: the first one has the next turn.
    turns: VecDeque<UserId>,
    /// What each of them waits for. Some may have given up.
    waiting: HashMap<UserId, VecDeque<oneshot::Sender<Slot>>>,
}

/// A slot, which is free again when this is dropped.
pub(crate) struct Slot {
    /// `None` once the slot is offered to the next one.
    slots: Option<Slots>,
}

impl Slots {
    /// So many slots, all of them free.
    pub(crate) fn new(count: usize) -> Self {
        Self(Arc::new(Mutex::new(State { free: count, turns: VecDeque::new(), waiting: HashMap::new() })))
    }

    /// A slot, when it is the turn of `who`. Dropping the future gives the place in the line up.
    pub(crate) async fn take(&self, who: &UserId) -> Slot {
        let granted = {
            let mut state = self.lock();
            // While people wait no slot is free.
            if state.free > 0 {
                state.free -= 1;
                return Slot { slots: Some(self.clone()) };
            }
            state.enter(who)
        };
        match granted.await {
            Ok(slot) => slot,
            // The line keeps every sender until it is used.
            Err(_) => std::future::pending().await,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn enter(&mut self, who: &UserId) -> oneshot::Receiver<Slot> {
        let (grant, granted) = oneshot::channel();
        let waiting = self.waiting.entry(who.clone()).or_default();
        if waiting.is_empty() {
            self.turns.push_back(who.clone());
        }
        waiting.push_back(grant);
        granted
    }

    /// Who gets the next slot. They may have given up.
    fn next(&mut self) -> Option<oneshot::Sender<Slot>> {
        let person = self.turns.pop_front()?;
        let waiting = self.waiting.get_mut(&person)?;
        let next = waiting.pop_front();
        if waiting.is_empty() {
            self.waiting.remove(&person);
        } else {
            self.turns.push_back(person);
        }
        next
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let Some(slots) = self.slots.take() else { return };
        loop {
            let next = {
                let mut state = slots.lock();
                let next = state.next();
                if next.is_none() {
                    state.free += 1;
                }
                next
            };
            let Some(next) = next else { return };
            match next.send(Slot { slots: Some(slots.clone()) }) {
                Ok(()) => return,
                // They have given up. The slot is offered to the next one here, and not by its own drop.
                Err(mut refused) => refused.slots = None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    type Take = Pin<Box<dyn Future<Output = Slot>>>;

    fn person(name: &str) -> UserId {
        UserId::parse(name).unwrap()
    }

    /// A wait that has taken its place in the line.
    fn begin(slots: &Slots, name: &str) -> Result<Slot, Take> {
        let (slots, who) = (slots.clone(), person(name));
        let mut take: Take = Box::pin(async move { slots.take(&who).await });
        poll(&mut take).ok_or(take)
    }

    fn poll(take: &mut Take) -> Option<Slot> {
        match take.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(slot) => Some(slot),
            Poll::Pending => None,
        }
    }

    #[test]
    fn a_person_who_wants_much_delays_another_one_by_one_turn() {
        let slots = Slots::new(1);
        let mut held = begin(&slots, "greedy").ok();
        let mut line: Vec<(String, Take)> = Vec::new();
        for (name, pictures) in [("greedy", 5), ("modest", 3)] {
            for number in 1..=pictures {
                line.push((format!("{name} {number}"), begin(&slots, name).err().unwrap()));
            }
        }
        let mut order = Vec::new();
        while !line.is_empty() {
            drop(held.take());
            let mut granted = None;
            line.retain_mut(|(name, take)| match poll(take) {
                Some(slot) => {
                    granted = Some((name.clone(), slot));
                    false
                }
                None => true,
            });
            let (name, slot) = granted.expect("a slot that is free goes to those who wait");
            order.push(name);
            held = Some(slot);
        }
        let expected = ["greedy 1", "modest 1", "greedy 2", "modest 2", "greedy 3", "modest 3", "greedy 4", "greedy 5"];
        assert_eq!(order, expected);
    }

    #[test]
    fn those_who_give_up_are_passed_over_and_no_slot_is_lost() {
        let slots = Slots::new(2);
        let held = [begin(&slots, "a").ok().unwrap(), begin(&slots, "b").ok().unwrap()];
        let gone: Vec<Take> = ["c", "d", "c"].map(|name| begin(&slots, name).err().unwrap()).into();
        let mut stays = begin(&slots, "d").err().unwrap();
        let granted_and_gone = begin(&slots, "e").err().unwrap();
        drop(gone);
        drop(held);
        let slot = poll(&mut stays).expect("the first who has not given up");
        // It was granted, and is given up before it was looked at.
        drop(granted_and_gone);
        drop(slot);
        let again = [begin(&slots, "f").ok(), begin(&slots, "f").ok()];
        assert!(again.iter().all(Option::is_some), "both slots are free again");
        assert!(begin(&slots, "f").is_err(), "and there are no more than two");
        drop(again);
        assert_eq!(slots.lock().free, 2);
    }
}
