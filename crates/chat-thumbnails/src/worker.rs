//! A thread for one piece of work.
//!
//! Each has a thread of its own, not one of a pool's: the thread has the lowest claim to a processor that matters here,
//! which cannot be taken back, and with its end its memory goes back to the system.

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use tokio::sync::oneshot;
use tracing::Dispatch;
use tracing::dispatcher::with_default;

/// What a decoder needs of a stack, with room to spare.
const STACK_BYTES: usize = 2 * 1024 * 1024;

/// How much less the thread claims of a processor than the threads that serve requests, as `nice` counts it.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;

/// Does the work on its own thread. The result is the message of the panic when the work panicked.
///
/// The work logs nothing, and neither does a panic hook that logs: the sender of a picture could cause a line with each. The
/// caller decides what is logged.
///
/// # Errors
/// There is no room for one more thread.
pub(crate) fn start<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<oneshot::Receiver<Result<T, String>>> {
    let (done, result) = oneshot::channel();
    let run = move || {
        step_back();
        // A decoder of strangers' files. Nothing of it is used after a panic.
        let outcome = with_default(&Dispatch::none(), || catch_unwind(AssertUnwindSafe(work)));
        let outcome = outcome.map_err(|panic| message(panic.as_ref()));
        let _caller_has_gone = done.send(outcome);
    };
    thread::Builder::new().name("thumbnail".to_owned()).stack_size(STACK_BYTES).spawn(run)?;
    Ok(result)
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("no message").to_owned()
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
    async fn work_that_panics_has_a_message_and_no_result() {
        assert_eq!(start(|| 7).unwrap().await, Ok(Ok(7)));
        assert_eq!(start(|| -> u8 { panic!("on purpose") }).unwrap().await, Ok(Err("on purpose".to_owned())));
        let number = 7;
        let formatted = start(move || -> u8 { panic!("on purpose: {number}") });
        assert_eq!(formatted.unwrap().await, Ok(Err("on purpose: 7".to_owned())));
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
