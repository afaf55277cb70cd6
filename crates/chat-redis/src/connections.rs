//! How many sockets a person has on all nodes together.
//!
//! A person's connections are one hash in Redis, and entering is one script, which Redis runs alone. Each entry stands
//! under a lease of its node, which the node renews every second: when a node is killed, its entries count no longer
//! after [`LEASE`].
//!
//! Everything in Redis can be made again from what the nodes know. A node enters its connections again, under a new
//! lease, whenever Redis may not know what is true: after it was out of reach or had lost its memory, after more people
//! left than could be told, and from time to time. Until then, and whenever Redis is down or slow, the limits hold on
//! each node alone.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chat_domain::error::{LimitReached, Result};
use chat_domain::model::{Connection, ConnectionId, ConnectionLimits};
use chat_domain::ports::{ConnectionRegistry, EventSink};
use redis::{Script, ScriptInvocation};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tracing::debug;
use uuid::Uuid;

use crate::commands::Commands;
use crate::error::Failure;
use crate::link::HEARTBEAT;
use crate::metering::fallbacks;
use crate::names::{Lease, Names, field};
use crate::queue::{self, Receiver, Sender};
use crate::signal::reached;

static ENTER: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("enter.lua")));

/// For how long a node's connections count after it was last heard of.
const LEASE: Duration = Duration::from_secs(5);
/// How often a node enters all its connections again although nothing is known to be wrong.
const AGAIN: Duration = Duration::from_mins(15);
/// For the registry of this node when Redis has decided.
const NO_LIMITS: ConnectionLimits = ConnectionLimits { per_session: usize::MAX, per_user: usize::MAX };
/// How soon after that was done it may be done again.
const BREATH: Duration = Duration::from_secs(2);
/// How long a person's connections are kept when no node enters any of them again.
const KEPT: Duration = Duration::from_hours(1);
/// The most people who leave at the same moment and are told to Redis one by one.
const LEAVING: usize = 8_192;
/// How many entries are sent at once, and how long the answer may take when nobody waits for it.
const CHUNK: usize = 100;
const PATIENCE: Duration = Duration::from_secs(2);

/// The connections of this node, in Redis and here.
pub(crate) struct RedisConnections {
    shared: Arc<Shared>,
    local: Arc<dyn ConnectionRegistry>,
}

/// What the registry and its worker share.
struct Shared {
    commands: Arc<Commands>,
    names: Names,
    node: Uuid,
    sink: Arc<dyn EventSink>,
    state: Mutex<State>,
    leaving: Sender<Connection>,
    /// Whether Redis may have something else than the truth about this node.
    stale: AtomicBool,
    wake: Notify,
}

/// What this node knows to be true.
struct State {
    generation: u64,
    entered: HashMap<ConnectionId, (Connection, ConnectionLimits)>,
}

impl RedisConnections {
    /// The registry, and the worker that tells Redis what nobody waits for.
    pub(crate) fn new(
        commands: Arc<Commands>,
        names: Names,
        node: Uuid,
        sink: Arc<dyn EventSink>,
        local: Arc<dyn ConnectionRegistry>,
    ) -> (Self, Worker) {
        // Their weight is not counted: each was counted when it entered.
        let (leaving, left) = queue::bounded(LEAVING, usize::MAX);
        let shared = Arc::new(Shared {
            commands,
            names,
            node,
            sink,
            state: Mutex::new(State { generation: 1, entered: HashMap::new() }),
            leaving,
            stale: AtomicBool::new(true),
            wake: Notify::new(),
        });
        (Self { shared: Arc::clone(&shared), local }, Worker { shared, left })
    }
}

#[async_trait]
impl ConnectionRegistry for RedisConnections {
    async fn enter(&self, connection: &Connection, limits: ConnectionLimits) -> Result<()> {
        let shared = &self.shared;
        let (lease, noted) = shared.note(connection, limits);
        let script = shared.script(connection, limits, lease, false);
        let limits_here = match shared.commands.invoke::<Vec<redis::Value>>(shared.commands.budget, &script).await {
            Ok(answer) => {
                let Some(replaced) = read_answer(answer) else {
                    return Err(LimitReached::Connections { limit: limits.per_user }.into());
                };
                shared.end(connection, &replaced);
                // Decided for all nodes. Here, one that was replaced keeps its place until its task has noticed.
                NO_LIMITS
            }
            Err(failure) => {
                fallbacks("connections").increment(1);
                debug!(reason = %failure, "a connection is counted on this node only");
                shared.ask_for_repair();
                limits
            }
        };
        self.local.enter(connection, limits_here).await?;
        if shared.state().generation != lease.generation {
            // All were entered anew meanwhile, and this one perhaps last under the old lease.
            shared.ask_for_repair();
        }
        noted.keep();
        Ok(())
    }

    fn leave(&self, connection: &Connection) {
        self.local.leave(connection);
        self.shared.forget(connection);
    }
}

/// A connection that is being entered. Unless it is kept, it leaves, also when its request ends while Redis is asked.
struct Noted<'a> {
    shared: &'a Shared,
    connection: Option<Connection>,
}

impl Noted<'_> {
    fn keep(mut self) {
        self.connection = None;
    }
}

impl Drop for Noted<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.shared.forget(&connection);
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes the connection before Redis is asked, so that it is among those that are entered again if that begins now.
    fn note(&self, connection: &Connection, limits: ConnectionLimits) -> (Lease, Noted<'_>) {
        let mut state = self.state();
        state.entered.insert(connection.id, (connection.clone(), limits));
        let lease = Lease { node: self.node, generation: state.generation };
        (lease, Noted { shared: self, connection: Some(connection.clone()) })
    }

    fn forget(&self, connection: &Connection) {
        if self.state().entered.remove(&connection.id).is_none() {
            return;
        }
        if !self.leaving.offer(connection.clone(), 0) {
            self.ask_for_repair();
        }
    }

    fn ask_for_repair(&self) {
        self.stale.store(true, Ordering::Relaxed);
        self.wake.notify_one();
    }

    /// Ends those of this node's connections that were replaced. Their node hears of it through Redis as well, but that
    /// may be lost. They have no place any more, so they are not entered again either.
    fn end(&self, by: &Connection, replaced: &[ConnectionId]) {
        for id in replaced {
            let was_ours = self.state().entered.remove(id).is_some();
            if was_ours {
                self.sink.replaced(by.session_id, *id);
            }
        }
    }

    fn script(
        &self,
        connection: &Connection,
        limits: ConnectionLimits,
        lease: Lease,
        again: bool,
    ) -> ScriptInvocation<'static> {
        let mut script = ENTER.prepare_invoke();
        script.key(self.names.connections(&connection.user_id));
        script.arg(field(connection.id)).arg(connection.session_id.to_string()).arg(lease.to_string());
        script.arg(limits.per_session).arg(limits.per_user).arg(self.names.leases());
        script.arg(milliseconds(LEASE)).arg(milliseconds(KEPT)).arg(self.names.nodes());
        script.arg(u8::from(again)).arg(self.node.to_string());
        script
    }

    fn lease_key(&self, lease: Lease) -> String {
        format!("{}{lease}", self.names.leases())
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The connections that were replaced, or `None` when the script let nobody in.
fn read_answer(answer: Vec<redis::Value>) -> Option<Vec<ConnectionId>> {
    let mut parts = answer.into_iter();
    if parts.next() == Some(redis::Value::Int(0)) {
        return None;
    }
    let id = |part| match part {
        redis::Value::BulkString(bytes) => ConnectionId::parse(std::str::from_utf8(&bytes).ok()?),
        _ => None,
    };
    Some(parts.filter_map(id).collect())
}

/// Tells Redis what nobody waits for: who left, that this node lives, and everything again when that is needed.
pub(crate) struct Worker {
    shared: Arc<Shared>,
    left: Receiver<Connection>,
}

impl Worker {
    /// Works until the node closes; then nothing of it counts any more.
    pub(crate) async fn run(mut self, mut heard: watch::Receiver<bool>, mut closing: watch::Receiver<bool>) {
        let shared = Arc::clone(&self.shared);
        let mut connection = shared.commands.watch();
        let mut beat = interval(HEARTBEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut entered_at = Instant::now();
        let mut not_before = entered_at;
        loop {
            tokio::select! {
                biased;
                () = reached(&mut closing, true) => break,
                () = connection.renewed() => shared.stale.store(true, Ordering::Relaxed),
                // Replacements may have been told to this node while it could not hear.
                Ok(()) = heard.changed() => if *heard.borrow_and_update() {
                    shared.stale.store(true, Ordering::Relaxed);
                },
                _ = beat.tick() => self.renew().await,
                Some(first) = self.left.take() => self.tell_who_left(first).await,
                () = shared.wake.notified() => {}
            }
            let wanted = entered_at.elapsed() > AGAIN || shared.stale.load(Ordering::Relaxed);
            // All connections are much work, for Redis too: not with each one that came while it was away.
            if wanted && Instant::now() >= not_before {
                entered_at = Instant::now();
                let pause = if self.enter_all_again().await { BREATH } else { HEARTBEAT };
                not_before = Instant::now() + pause;
            }
        }
        let lease = Lease { node: shared.node, generation: shared.state().generation };
        let mut end = redis::cmd("DEL");
        end.arg(shared.lease_key(lease));
        // Otherwise it ends by itself.
        let _best_effort = shared.commands.ask::<u64>(PATIENCE, &end).await;
    }

    /// Renews the lease. One that is not there was too old, or Redis has lost its memory.
    async fn renew(&self) {
        let shared = &self.shared;
        let lease = Lease { node: shared.node, generation: shared.state().generation };
        let mut renew = redis::cmd("SET");
        renew.arg(shared.lease_key(lease)).arg("").arg("XX").arg("PX").arg(milliseconds(LEASE));
        if let Ok(None) = shared.commands.ask::<Option<String>>(HEARTBEAT, &renew).await {
            shared.stale.store(true, Ordering::Relaxed);
        }
    }

    async fn tell_who_left(&mut self, first: Connection) {
        let shared = Arc::clone(&self.shared);
        let mut all = redis::pipe();
        let mut next = Some(first);
        for _ in 0..CHUNK {
            let Some(connection) = next.take() else { break };
            all.cmd("HDEL").arg(shared.names.connections(&connection.user_id)).arg(field(connection.id)).ignore();
            next = self.left.take_now();
        }
        // The last one taken may not have been sent.
        if let Some(connection) = next {
            all.cmd("HDEL").arg(shared.names.connections(&connection.user_id)).arg(field(connection.id)).ignore();
        }
        if shared.commands.ask_all::<()>(PATIENCE, &all).await.is_err() {
            shared.stale.store(true, Ordering::Relaxed);
        }
    }

    /// Enters all connections under a new lease and ends the old one, and with it whatever stands under it and is not
    /// true. Answers whether that was done; else it is tried again with a later heartbeat.
    async fn enter_all_again(&self) -> bool {
        let shared = &self.shared;
        shared.stale.store(false, Ordering::Relaxed);
        let (old, lease, mut ids) = {
            let mut state = shared.state();
            let old = Lease { node: shared.node, generation: state.generation };
            state.generation += 1;
            let lease = Lease { node: shared.node, generation: state.generation };
            (old, lease, state.entered.keys().copied().collect::<Vec<_>>())
        };
        // Oldest first, as they came.
        ids.sort_unstable();
        if let Err(failure) = self.enter_again(lease, &ids).await {
            debug!(reason = %failure, "the connections of this node are not entered yet");
            shared.stale.store(true, Ordering::Relaxed);
            return false;
        }
        let mut end = redis::cmd("DEL");
        end.arg(shared.lease_key(old));
        // Otherwise it ends by itself.
        let _best_effort = shared.commands.ask::<u64>(PATIENCE, &end).await;
        true
    }

    async fn enter_again(&self, lease: Lease, ids: &[ConnectionId]) -> std::result::Result<(), Failure> {
        let shared = &self.shared;
        let mut begin = redis::cmd("SET");
        begin.arg(shared.lease_key(lease)).arg("").arg("PX").arg(milliseconds(LEASE));
        shared.commands.ask::<()>(PATIENCE, &begin).await?;
        for chunk in ids.chunks(CHUNK) {
            // Who has left since is told after this, by the same task on the same connection.
            let still_here: Vec<(Connection, ConnectionLimits)> = {
                let state = shared.state();
                chunk.iter().filter_map(|id| state.entered.get(id).cloned()).collect()
            };
            if still_here.is_empty() {
                continue;
            }
            let mut all = redis::pipe();
            all.load_script(&ENTER).ignore();
            for (connection, limits) in &still_here {
                all.invoke_script(&shared.script(connection, *limits, lease, true));
            }
            let answers: Vec<Vec<redis::Value>> = shared.commands.ask_all(PATIENCE, &all).await?;
            for ((connection, _), answer) in still_here.iter().zip(answers) {
                shared.end(connection, &read_answer(answer).unwrap_or_default());
            }
        }
        Ok(())
    }
}
