//! Which subscriptions of a socket may have something, so that one of a hundred that wakes costs no look at the others.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};

/// The subscriptions of one socket that were woken and not looked at since.
#[derive(Default)]
pub(super) struct ReadySet(Arc<ReadyList>);

#[derive(Default)]
struct ReadyList(Mutex<WokenMarks>);

#[derive(Default)]
struct WokenMarks {
    /// The places of the subscriptions. A place may be another's by now, which is looked at in vain then.
    places: Vec<usize>,
    /// Of the socket's task.
    task: Option<Waker>,
}

/// The waker of one subscription: marks it as woken, and wakes the task of its socket.
pub(super) struct ReadyMark {
    list: Arc<ReadyList>,
    place: usize,
    is_woken: AtomicBool,
}

impl ReadySet {
    /// The mark of the subscription at this place.
    pub(super) fn mark(&self, place: usize) -> Arc<ReadyMark> {
        Arc::new(ReadyMark { list: Arc::clone(&self.0), place, is_woken: AtomicBool::new(false) })
    }

    /// Moves the places that were woken to the end of `woken`. From now on `task` is woken for the next ones.
    pub(super) fn take(&self, task: &Waker, woken: &mut Vec<usize>) {
        let mut list = self.0.lock();
        match &mut list.task {
            Some(known) => known.clone_from(task),
            none => *none = Some(task.clone()),
        }
        woken.append(&mut list.places);
    }
}

impl ReadyList {
    fn lock(&self) -> MutexGuard<'_, WokenMarks> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ReadyMark {
    /// To be called before the subscription is looked at: what wakes it from now on marks it again.
    pub(super) fn clear(&self) {
        self.is_woken.store(false, Ordering::SeqCst);
    }
}

impl Wake for ReadyMark {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.is_woken.swap(true, Ordering::SeqCst) {
            return;
        }
        let task = {
            let mut list = self.list.lock();
            list.places.push(self.place);
            // The task has been woken for those that are in the list already.
            if list.places.len() == 1 { list.task.clone() } else { None }
        };
        if let Some(task) = task {
            task.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::thread;

    use super::*;

    #[derive(Default)]
    struct WakeCount(AtomicUsize);

    impl Wake for WakeCount {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn taken(set: &ReadySet) -> Vec<usize> {
        let mut woken = Vec::new();
        set.take(Waker::noop(), &mut woken);
        woken
    }

    #[test]
    fn a_subscription_is_marked_once_until_it_is_looked_at() {
        let set = ReadySet::default();
        let (first, second) = (set.mark(3), set.mark(5));
        for mark in [&first, &second, &first] {
            mark.wake_by_ref();
        }
        assert_eq!(taken(&set), [3, 5]);
        first.wake_by_ref();
        assert_eq!(taken(&set), [0; 0], "it was not looked at");
        first.clear();
        first.wake_by_ref();
        assert_eq!(taken(&set), [3]);
    }

    #[test]
    fn the_task_is_woken_once_for_all_that_wake_before_it_runs() {
        let set = ReadySet::default();
        let task = Arc::new(WakeCount::default());
        set.take(&Waker::from(Arc::clone(&task)), &mut Vec::new());
        let marks: Vec<_> = (0..100).map(|place| set.mark(place)).collect();
        for mark in &marks {
            mark.wake_by_ref();
        }
        assert_eq!(task.0.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn no_wake_of_another_thread_is_lost() {
        const TIMES: usize = 10_000;
        let set = ReadySet::default();
        let mark = set.mark(0);
        let value = Arc::new(AtomicUsize::new(0));
        let (other, theirs) = (Arc::clone(&mark), Arc::clone(&value));
        let thread = thread::spawn(move || {
            for _ in 0..TIMES {
                theirs.fetch_add(1, Ordering::SeqCst);
                other.wake_by_ref();
            }
        });
        let mut seen = 0;
        while seen < TIMES {
            if taken(&set).is_empty() {
                thread::yield_now();
                continue;
            }
            mark.clear();
            seen = value.load(Ordering::SeqCst);
        }
        thread.join().unwrap();
    }
}
