//! The lines a process writes, as they come.

use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// Lines that a thread of its own collects, so that the process never waits for its reader.
#[derive(Clone)]
pub(crate) struct Lines(Arc<(Mutex<State>, Condvar)>);

#[derive(Default)]
struct State {
    lines: Vec<String>,
    ended: bool,
}

impl Lines {
    pub(crate) fn collect(from: impl Read + Send + 'static) -> Self {
        let shared = Self(Arc::default());
        let collected = shared.clone();
        thread::spawn(move || {
            for line in BufReader::new(from).lines() {
                let Ok(line) = line else { break };
                collected.change(|state| state.lines.push(line));
            }
            collected.change(|state| state.ended = true);
        });
        shared
    }

    /// The first answer that `find` gives about the lines so far.
    pub(crate) fn wait_for<T>(&self, patience: Duration, mut find: impl FnMut(&[String]) -> Option<T>) -> T {
        let deadline = Instant::now() + patience;
        let (state, changed) = &*self.0;
        let mut state = state.lock().unwrap();
        loop {
            if let Some(found) = find(&state.lines) {
                return found;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if state.ended || left.is_zero() {
                let lines = state.lines.join("\n");
                drop(state);
                panic!("what was waited for is not among:\n{lines}");
            }
            state = changed.wait_timeout(state, left).unwrap().0;
        }
    }

    /// The lines so far.
    pub(crate) fn so_far(&self) -> Vec<String> {
        self.0.0.lock().unwrap().lines.clone()
    }

    /// All lines, once the process has closed its end.
    pub(crate) fn all(&self) -> Vec<String> {
        let (state, changed) = &*self.0;
        changed.wait_while(state.lock().unwrap(), |state| !state.ended).unwrap().lines.clone()
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.0.0.lock().unwrap());
        self.0.1.notify_all();
    }
}
