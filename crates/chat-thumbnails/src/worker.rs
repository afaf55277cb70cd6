//! A thread for one piece of work.
//!
//! Each has a thread of its own, not one of a pool's: the thread has the lowest claim to a processor that matters here,
//! which cannot be taken back, and with its end its memory goes back to the system.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use tokio::sync::oneshot;

/// What a decoder needs of a stack, with room to spare.
const STACK_BYTES: usize = 2 * 1024 * 1024;

/// How much less the thread claims of a processor than the threads that serve requests, as `nice` counts it.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;

/// Does the work on its own thread. The result is `None` when the work panicked.
///
/// # Errors
/// There is no room for one more thread.
pub(crate) fn start<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<oneshot::Receiver<Option<T>>> {
    let (done, result) = oneshot::channel();
    let run = move || {
        step_back();
        // A decoder of strangers' files. Nothing of it is used after a panic.
        let outcome = catch_unwind(AssertUnwindSafe(work)).ok();
        let _caller_has_gone = done.send(outcome);
    };
    thread::Builder::new().name("thumbnail".to_owned()).stack_size(STACK_BYTES).spawn(run)?;
    Ok(result)
}

/// Lets the threads of requests go first. On Linux a thread has a niceness of its own.
fn step_back() {
    #[cfg(target_os = "linux")]
    let _best_effort = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICENESS);
}

#[cfg(test)]
mod tests {
    use super::start;

    #[tokio::test]
    async fn work_that_panics_has_no_result() {
        assert_eq!(start(|| 7).unwrap().await, Ok(Some(7)));
        assert_eq!(start(|| -> u8 { panic!("on purpose") }).unwrap().await, Ok(None));
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn the_thread_lets_others_go_first() {
        let niceness = || rustix::process::getpriority_process(Some(rustix::thread::gettid())).unwrap();
        let mine = niceness();
        let theirs = start(niceness).unwrap().await.unwrap().unwrap();
        assert_eq!(theirs, (super::NICENESS).max(mine));
        assert_eq!(niceness(), mine);
    }
}
