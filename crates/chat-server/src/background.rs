//! Tasks that run for as long as the server does, supervised: a server that has lost one would go on half dead, and
//! unnoticed.

use std::collections::HashMap;

use tokio::task::{Id, JoinSet};

/// Why the server cannot go on.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FatalFailure {
    /// A fault of the program. What it was has been printed.
    #[error("the task \"{0}\" panicked")]
    Panicked(&'static str),
    /// The same, in another way.
    #[error("the task \"{0}\" ended before the server")]
    Ended(&'static str),
    /// What a task says that found out.
    #[error("{0}")]
    Found(String),
}

/// Tasks of which none ends before the server does. They are aborted when this is dropped.
#[derive(Default)]
pub(crate) struct Background {
    tasks: JoinSet<Option<FatalFailure>>,
    names: HashMap<Id, &'static str>,
}

impl Background {
    /// Starts a task that never completes.
    pub(crate) fn spawn(&mut self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        self.enter(name, async {
            task.await;
            None
        });
    }

    /// Starts a task that waits for a reason to end the server.
    pub(crate) fn watch(&mut self, name: &'static str, reason: impl Future<Output = FatalFailure> + Send + 'static) {
        self.enter(name, async { Some(reason.await) });
    }

    /// Waits until a task is no more, or has found a reason to end the server.
    pub(crate) async fn failure(&mut self) -> FatalFailure {
        let Some(ended) = self.tasks.join_next_with_id().await else { return std::future::pending().await };
        match ended {
            Ok((_, Some(failure))) => failure,
            Ok((id, None)) => FatalFailure::Ended(self.name(id)),
            Err(error) if error.is_panic() => FatalFailure::Panicked(self.name(error.id())),
            Err(error) => FatalFailure::Ended(self.name(error.id())),
        }
    }

    fn enter(&mut self, name: &'static str, task: impl Future<Output = Option<FatalFailure>> + Send + 'static) {
        let id = self.tasks.spawn(task).id();
        self.names.insert(id, name);
    }

    fn name(&self, id: Id) -> &'static str {
        self.names.get(&id).copied().unwrap_or("unnamed")
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    #[tokio::test]
    async fn a_task_that_is_no_more_is_named_with_how_it_ended() {
        let mut tasks = Background::default();
        tasks.spawn("endless", pending());
        tasks.spawn("faulty", async { panic!("the test says so") });
        assert_eq!(tasks.failure().await, FatalFailure::Panicked("faulty"));
        tasks.spawn("short", async {});
        assert_eq!(tasks.failure().await, FatalFailure::Ended("short"));
        tasks.watch("watchful", async { FatalFailure::Found("something is wrong".to_owned()) });
        assert_eq!(tasks.failure().await.to_string(), "something is wrong");
    }
}
