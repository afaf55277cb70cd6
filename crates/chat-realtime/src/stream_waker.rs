//! The waker of a stream that is fed from another task. While the stream waits for its close alone, what is pushed does
//! not wake it.

use std::task::{Context, Waker};

/// The waker that the stream has left, if it waits.
#[derive(Default)]
pub(crate) struct StreamWaker {
    waker: Option<Waker>,
    only_when_closed: bool,
}

impl StreamWaker {
    /// The stream waits for its next item, and for its close.
    pub(crate) fn wait_for_item(&mut self, context: &Context<'_>) {
        self.only_when_closed = false;
        self.leave(context);
    }

    /// The stream waits for its close alone.
    pub(crate) fn wait_for_close(&mut self, context: &Context<'_>) {
        self.only_when_closed = true;
        self.leave(context);
    }

    /// There is an item: returns the waker that the caller wakes once it holds no lock.
    pub(crate) fn take_for_item(&mut self) -> Option<Waker> {
        if self.only_when_closed { None } else { self.waker.take() }
    }

    /// The stream closes: returns the waker as `take_for_item` does.
    pub(crate) fn take_for_close(&mut self) -> Option<Waker> {
        self.waker.take()
    }

    fn leave(&mut self, context: &Context<'_>) {
        match &mut self.waker {
            Some(waker) => waker.clone_from(context.waker()),
            none => *none = Some(context.waker().clone()),
        }
    }
}
