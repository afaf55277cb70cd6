//! The connection for questions that somebody waits for: tickets and connections. It is another one than that for events,
//! so that no answer stands behind a large pipeline, and in a cluster it goes to the member that has the keys.
//!
//! Who asks has a time limit. Whoever's question is not answered in time gives the connection up, and so does whoever is
//! told that this server does not have the keys (any more): until there is a new one, nobody else waits.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redis::{AsyncConnectionConfig, Cmd, FromRedisValue, Pipeline, PushInfo, PushKind, RedisError, ScriptInvocation};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tracing::{debug, warn};

use crate::backoff::{Backoff, random};
use crate::dial::{Connection, Dialer};
use crate::error::{self, Failure};
use crate::signal::reached;

/// A connection that lasted this long is followed by an attempt without much delay.
const LASTED: Duration = Duration::from_secs(2);

/// How often the log says at most that Redis refuses what it is asked, as when its memory is full.
const COMPLAIN_EVERY: Duration = Duration::from_mins(1);

/// The connection, when there is one, and how many there have been.
#[derive(Clone, Default)]
struct Current {
    generation: u64,
    connection: Option<Connection>,
}

/// Asks Redis.
pub(crate) struct Commands {
    current: watch::Sender<Current>,
    /// How long somebody who opens a socket waits for Redis.
    pub(crate) budget: Duration,
    /// Where this is, all are.
    key: String,
    complained_at: Mutex<Option<Instant>>,
}

impl Commands {
    pub(crate) fn new(budget: Duration, key: String) -> Arc<Self> {
        Arc::new(Self { current: watch::Sender::new(Current::default()), budget, key, complained_at: Mutex::new(None) })
    }

    /// Asks one thing.
    pub(crate) async fn ask<T: FromRedisValue>(&self, budget: Duration, command: &Cmd) -> Result<T, Failure> {
        self.with(budget, async |mut connection: Connection| command.query_async(&mut *connection).await).await
    }

    /// Asks many things at once; they are not a transaction.
    pub(crate) async fn ask_all<T: FromRedisValue>(&self, budget: Duration, all: &Pipeline) -> Result<T, Failure> {
        self.with(budget, async |mut connection: Connection| all.query_async(&mut *connection).await).await
    }

    /// Runs a script. Its text is sent only to a server that does not know it yet.
    pub(crate) async fn invoke<T: FromRedisValue>(
        &self,
        budget: Duration,
        script: &ScriptInvocation<'_>,
    ) -> Result<T, Failure> {
        self.with(budget, async |mut connection: Connection| script.invoke_async(&mut *connection).await).await
    }

    /// Follows which connection is in use: a change to `Some` is a new one.
    pub(crate) fn watch(&self) -> CurrentWatch {
        CurrentWatch(self.current.subscribe())
    }

    /// Keeps a connection until the node closes, beginning at server number `first`.
    pub(crate) async fn run(self: Arc<Self>, dialer: Dialer, first: u64, mut closing: watch::Receiver<bool>) {
        let mut backoff = Backoff::new();
        for generation in 1.. {
            tokio::select! {
                biased;
                () = reached(&mut closing, true) => break,
                () = self.keep_one(&dialer, first.wrapping_add(generation), generation, &mut backoff) => {}
            }
        }
        self.current.send_replace(Current::default());
    }

    /// Connects, and returns when that connection is no longer in use, after a pause.
    async fn keep_one(self: &Arc<Self>, dialer: &Dialer, from: u64, generation: u64, backoff: &mut Backoff) {
        let started = Instant::now();
        // Weak, because the connection is kept in what it refers to.
        let me = Arc::downgrade(self);
        let config = AsyncConnectionConfig::new().set_response_timeout(None).set_push_sender(move |info: PushInfo| {
            if let (PushKind::Disconnection, Some(me)) = (info.kind, me.upgrade()) {
                me.give_up(generation);
            }
            Ok::<(), std::convert::Infallible>(())
        });
        match dialer.connect_to_owner(from, &self.key, &config).await {
            Ok(connection) => {
                self.current.send_replace(Current { generation, connection: Some(connection) });
                let mut current = self.current.subscribe();
                // The sender is ours, so it does not go away meanwhile.
                let _given_up = current.wait_for(|current| current.connection.is_none()).await;
            }
            Err(failure) => debug!(reason = %failure, "no connection for questions to Redis"),
        }
        if started.elapsed() > LASTED {
            backoff.reset();
        }
        sleep(backoff.pause(random())).await;
    }

    async fn with<T>(
        &self,
        budget: Duration,
        ask: impl AsyncFnOnce(Connection) -> Result<T, RedisError>,
    ) -> Result<T, Failure> {
        let Current { generation, connection } = self.current.borrow().clone();
        let connection = connection.ok_or(Failure::Down)?;
        let (failure, give_up) = match timeout(budget, ask(connection)).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => {
                let of_no_use = error::is_of_no_use(&error);
                let passes = of_no_use || error::is_on_the_move(&error);
                let failure = Failure::from(error);
                if let Failure::Refused(reason) = &failure
                    && !passes
                {
                    self.complain(reason);
                }
                let give_up = of_no_use || matches!(failure, Failure::Uncertain(_));
                (failure, give_up)
            }
            Err(_) => (Failure::Uncertain(format!("no answer within {} ms", budget.as_millis())), true),
        };
        if give_up {
            self.give_up(generation);
        }
        Err(failure)
    }

    /// Such a refusal lasts until an operator does something, and nothing else shows it but a counter.
    fn complain(&self, reason: &str) {
        if is_due(&mut self.complained_at.lock().unwrap_or_else(PoisonError::into_inner), Instant::now()) {
            warn!(
                reason,
                "Redis refuses what it is asked: tickets, and the limits of sockets, hold for this server alone"
            );
        }
    }

    fn give_up(&self, generation: u64) {
        self.current
            .send_if_modified(|current| current.generation == generation && current.connection.take().is_some());
    }
}

fn is_due(last: &mut Option<Instant>, now: Instant) -> bool {
    let due = last.is_none_or(|at| now.duration_since(at) >= COMPLAIN_EVERY);
    if due {
        *last = Some(now);
    }
    due
}

/// Follows which connection is in use.
pub(crate) struct CurrentWatch(watch::Receiver<Current>);

impl CurrentWatch {
    /// Waits for a new connection. Never returns when there will be none.
    pub(crate) async fn renewed(&mut self) {
        loop {
            if self.0.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
            if self.0.borrow_and_update().connection.is_some() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_said_at_once_and_then_once_a_minute() {
        let (mut last, start) = (None, Instant::now());
        assert!(is_due(&mut last, start));
        assert!(!is_due(&mut last, start + COMPLAIN_EVERY / 2));
        assert!(is_due(&mut last, start + COMPLAIN_EVERY));
        assert!(!is_due(&mut last, start + COMPLAIN_EVERY));
    }
}
