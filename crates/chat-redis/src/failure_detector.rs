//! Detects from the messages of other nodes whether events were missed, whether a node failed, and whether Redis itself
//! is reachable. No I/O; the caller passes the time.
//!
//! Each node counts the events that it publishes, in every shard from 1, and takes the count before it publishes. Once
//! a second it publishes a heartbeat with its 64 counts, behind all events that they count. So a receiver cannot miss
//! an event without noticing: the count of a later event jumps, or that of the heartbeat does, or no heartbeat comes.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use chat_realtime::SuspectedGap;
use uuid::Uuid;

use crate::names::SHARDS;

/// How often a node publishes a heartbeat.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(1);

/// After how long without a heartbeat a node counts as failed, or the connection to Redis as lost.
pub(crate) const PEER_TIMEOUT: Duration = Duration::from_secs(3);

/// After how long without its own heartbeat a node suspects its connection. It may miss events of the others, so
/// sessions are compared with the database more often; the connection is kept.
pub(crate) const SUSPECT_AFTER: Duration = Duration::from_millis(1_500);

/// How long a node that failed without a goodbye is expected back. It may be cut off from Redis and not from the
/// database, where it may write events that reach no other node.
const RETURN_WINDOW: Duration = Duration::from_mins(5);

/// The most nodes that are tracked. No deployment has more, so further ones come from a foreign writer in Redis.
const MAX_PEERS: usize = 1_000;

/// With gaps in more shards than this, all sessions are suspected at once.
const MANY_SHARDS: usize = 16;

/// How many events a node has published, by shard.
pub(crate) type ShardCounters = [u64; SHARDS as usize];

/// A conclusion from a message, or from the absence of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PeerVerdict {
    /// Events may have been missed.
    Gap(SuspectedGap),
    /// The other nodes are reachable from here on. Everything before may have been missed.
    Reachable,
    /// The own heartbeats are late: events of the others may be late too, or lost.
    Suspect,
    /// The own heartbeats do not come back: the connection is dead, whatever TCP says.
    Disconnected,
}

const ALL_SESSIONS: PeerVerdict = PeerVerdict::Gap(SuspectedGap::AllSessions);

/// Another node.
#[derive(Debug)]
struct Peer {
    counters: ShardCounters,
    /// Whether all of its events since its first were received, or it has announced its counts since.
    complete: bool,
    /// Whether it has announced its counts.
    announced: bool,
    last_seen: Instant,
}

/// The state of the connection to Redis and back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LinkState {
    /// There is no connection.
    Down,
    /// Subscribed at this moment; no own heartbeat has come back yet.
    Subscribed(Instant),
    /// The last own heartbeat came back at this moment.
    Reachable(Instant),
    /// As `Reachable`, but longer ago than `SUSPECT_AFTER`.
    Suspect(Instant),
}

/// A node that failed.
#[derive(Debug)]
struct LostPeer {
    since: Instant,
    /// When all sessions are to be compared again, for what it may have written.
    next_check: Instant,
}

/// Detects gaps, failed nodes and a dead connection.
#[derive(Debug)]
pub(crate) struct FailureDetector {
    node: Uuid,
    state: LinkState,
    peers: HashMap<Uuid, Peer>,
    lost: HashMap<Uuid, LostPeer>,
}

impl FailureDetector {
    pub(crate) fn new(node: Uuid) -> Self {
        Self { node, state: LinkState::Down, peers: HashMap::new(), lost: HashMap::new() }
    }

    /// A new connection is subscribed to all channels. What was known of the others is out of date.
    pub(crate) fn subscribed(&mut self, now: Instant) {
        self.state = LinkState::Subscribed(now);
        self.peers.clear();
        self.lost.clear();
    }

    /// The connection is lost. Returns whether the others were reachable until now.
    pub(crate) fn disconnected(&mut self) -> bool {
        let was_open = matches!(self.state, LinkState::Reachable(_) | LinkState::Suspect(_));
        self.state = LinkState::Down;
        was_open
    }

    /// A node published its event number `counter` of the shard.
    pub(crate) fn event(&mut self, node: Uuid, shard: u16, counter: u64, now: Instant) -> Option<PeerVerdict> {
        let peer = self.peer(node, now)?;
        peer.last_seen = now;
        let last = peer.counters.get_mut(usize::from(shard))?;
        let follows = counter == last.saturating_add(1);
        let jumps = counter > *last && !follows;
        *last = counter.max(*last);
        if peer.announced {
            return jumps.then_some(PeerVerdict::Gap(SuspectedGap::Shard { index: shard, of: SHARDS }));
        }
        // Its first heartbeat decides.
        peer.complete &= follows;
        None
    }

    /// A node announced how much it has published. Counts for another number of shards cannot be compared.
    pub(crate) fn heartbeat(&mut self, node: Uuid, counters: &[u64], now: Instant) -> Vec<PeerVerdict> {
        if node == self.node {
            return self.echo(now);
        }
        let Some(peer) = self.peer(node, now) else { return vec![ALL_SESSIONS] };
        peer.last_seen = now;
        let Ok(counters) = ShardCounters::try_from(counters) else { return vec![ALL_SESSIONS] };
        let behind = |(_, (known, announced)): &(u16, (&u64, &u64))| known < announced;
        let gaps: Vec<u16> =
            (0..SHARDS).zip(peer.counters.iter().zip(&counters)).filter(behind).map(|(index, _)| index).collect();
        for (known, announced) in peer.counters.iter_mut().zip(counters) {
            *known = announced.max(*known);
        }
        let first = !std::mem::replace(&mut peer.announced, true);
        let complete = std::mem::replace(&mut peer.complete, true);
        if first {
            // A node that started while this one was subscribed has published nothing that was not received.
            return if complete && gaps.is_empty() { Vec::new() } else { vec![ALL_SESSIONS] };
        }
        if gaps.len() > MANY_SHARDS {
            return vec![ALL_SESSIONS];
        }
        gaps.into_iter().map(|index| PeerVerdict::Gap(SuspectedGap::Shard { index, of: SHARDS })).collect()
    }

    /// A node shut down, having published this much.
    pub(crate) fn goodbye(&mut self, node: Uuid, counters: &[u64], now: Instant) -> Vec<PeerVerdict> {
        if node == self.node {
            return Vec::new();
        }
        let verdicts = self.heartbeat(node, counters, now);
        self.peers.remove(&node);
        self.lost.remove(&node);
        verdicts
    }

    /// Time has passed.
    pub(crate) fn tick(&mut self, now: Instant) -> Vec<PeerVerdict> {
        let is_timed_out = |since: Instant| now.saturating_duration_since(since) > PEER_TIMEOUT;
        match self.state {
            LinkState::Down => return Vec::new(),
            LinkState::Subscribed(since) | LinkState::Reachable(since) | LinkState::Suspect(since)
                if is_timed_out(since) =>
            {
                self.state = LinkState::Down;
                return vec![PeerVerdict::Disconnected];
            }
            LinkState::Reachable(since) if now.saturating_duration_since(since) > SUSPECT_AFTER => {
                self.state = LinkState::Suspect(since);
                return vec![PeerVerdict::Suspect];
            }
            LinkState::Subscribed(_) | LinkState::Reachable(_) | LinkState::Suspect(_) => {}
        }
        for (node, _) in self.peers.extract_if(|_, peer| is_timed_out(peer.last_seen)) {
            self.lost.insert(node, LostPeer { since: now, next_check: now });
        }
        self.lost.retain(|_, lost| now.saturating_duration_since(lost.since) <= RETURN_WINDOW);
        let mut is_due = false;
        for lost in self.lost.values_mut().filter(|lost| now >= lost.next_check) {
            lost.next_check = now + HEARTBEAT;
            is_due = true;
        }
        if is_due { vec![ALL_SESSIONS] } else { Vec::new() }
    }

    fn echo(&mut self, now: Instant) -> Vec<PeerVerdict> {
        let before = self.state;
        match before {
            LinkState::Down => return Vec::new(),
            LinkState::Subscribed(_) | LinkState::Reachable(_) | LinkState::Suspect(_) => {
                self.state = LinkState::Reachable(now);
            }
        }
        if matches!(before, LinkState::Reachable(_)) { Vec::new() } else { vec![ALL_SESSIONS, PeerVerdict::Reachable] }
    }

    fn peer(&mut self, node: Uuid, now: Instant) -> Option<&mut Peer> {
        if self.peers.len() >= MAX_PEERS && !self.peers.contains_key(&node) {
            return None;
        }
        self.lost.remove(&node);
        Some(self.peers.entry(node).or_insert_with(|| Peer {
            counters: [0; SHARDS as usize],
            complete: true,
            announced: false,
            last_seen: now,
        }))
    }
}

#[cfg(test)]
mod tests;
