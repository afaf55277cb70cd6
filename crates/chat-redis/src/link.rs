//! What this node knows of the others from what it hears of them: whether something was missed, whether a node went
//! silent, whether Redis itself can still be heard. No I/O, and the time is told.
//!
//! Each node counts what it publishes, in every shard from 1, and takes the count before it publishes. It says its 64
//! counts in a heartbeat, once a second, behind everything that they count. So of what a node published, a listener
//! misses nothing without noticing: either a later event's count jumps, or the heartbeat's does, or no heartbeat comes.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use chat_domain::ports::Missed;
use uuid::Uuid;

use crate::names::SHARDS;

/// How often a node says that it lives.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(1);

/// After how long without a heartbeat a node, or the way to Redis and back, counts as gone.
pub(crate) const SILENCE: Duration = Duration::from_secs(3);

/// After how long without our own heartbeat the way to Redis and back is doubted. The others may say things that are not
/// heard, so the database is looked at more often; the connection is kept.
pub(crate) const DOUBT: Duration = Duration::from_millis(1_500);

/// How long a node that went silent without a goodbye is expected back. It may be cut off from Redis and not from the
/// database, where it goes on writing what nobody hears of.
const EXPECTED: Duration = Duration::from_mins(5);

/// The most nodes that are kept in mind. More than that are no deployment, but somebody who writes nonsense to Redis.
const MAX_PEERS: usize = 1_000;

/// With gaps in more shards than this, all sessions are compared at once.
const MANY_SHARDS: usize = 16;

/// How many events a node has published, by shard.
pub(crate) type Counters = [u64; SHARDS as usize];

/// What follows from something heard, or from nothing heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    /// Events may have been lost.
    Missed(Missed),
    /// From here on the others are heard. Everything before may have been missed.
    Heard,
    /// Our own heartbeats are late: what the others say may be late too, or lost.
    Doubtful,
    /// Our own heartbeats do not come back: the connection is of no use, whatever it looks like.
    Deaf,
}

const EVERYWHERE: Finding = Finding::Missed(Missed::Everywhere);

/// What is known of another node.
#[derive(Debug)]
struct Peer {
    counters: Counters,
    /// Whether all of its events since its first were heard, or it has told its counts since.
    complete: bool,
    /// Whether it has told its counts.
    told: bool,
    heard_at: Instant,
}

/// How the way to Redis and back is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// There is no connection.
    Down,
    /// Subscribed at this moment; nothing of our own has come back yet.
    Trying(Instant),
    /// Our own heartbeat came back last at this moment.
    Open(Instant),
    /// As `Open`, but that is a while ago.
    Doubted(Instant),
}

/// A node that went silent.
#[derive(Debug)]
struct Silent {
    since: Instant,
    /// When what it may have written is to be looked for again.
    look_at: Instant,
}

/// The state.
#[derive(Debug)]
pub(crate) struct Link {
    me: Uuid,
    way: Way,
    peers: HashMap<Uuid, Peer>,
    silent: HashMap<Uuid, Silent>,
}

impl Link {
    pub(crate) fn new(me: Uuid) -> Self {
        Self { me, way: Way::Down, peers: HashMap::new(), silent: HashMap::new() }
    }

    /// A new connection is subscribed to everything. What was known of the others is out of date.
    pub(crate) fn subscribed(&mut self, now: Instant) {
        self.way = Way::Trying(now);
        self.peers.clear();
        self.silent.clear();
    }

    /// The connection is gone. Says whether it was heard until now.
    pub(crate) fn lost(&mut self) -> bool {
        let was_open = matches!(self.way, Way::Open(_) | Way::Doubted(_));
        self.way = Way::Down;
        was_open
    }

    /// A node published its event number `counter` of the shard.
    pub(crate) fn event(&mut self, node: Uuid, shard: u16, counter: u64, now: Instant) -> Option<Finding> {
        let peer = self.peer(node, now)?;
        peer.heard_at = now;
        let last = peer.counters.get_mut(usize::from(shard))?;
        let follows = counter == last.saturating_add(1);
        let jumps = counter > *last && !follows;
        *last = counter.max(*last);
        if peer.told {
            return jumps.then_some(Finding::Missed(Missed::Shard { index: shard, of: SHARDS }));
        }
        // Its first heartbeat will say.
        peer.complete &= follows;
        None
    }

    /// A node said how much it has published. Numbers of another count of shards cannot be compared.
    pub(crate) fn heartbeat(&mut self, node: Uuid, counters: &[u64], now: Instant) -> Vec<Finding> {
        if node == self.me {
            return self.echo(now);
        }
        let Some(peer) = self.peer(node, now) else { return vec![EVERYWHERE] };
        peer.heard_at = now;
        let Ok(counters) = Counters::try_from(counters) else { return vec![EVERYWHERE] };
        let behind = |(_, (known, told)): &(u16, (&u64, &u64))| known < told;
        let gaps: Vec<u16> =
            (0..SHARDS).zip(peer.counters.iter().zip(&counters)).filter(behind).map(|(index, _)| index).collect();
        for (known, told) in peer.counters.iter_mut().zip(counters) {
            *known = told.max(*known);
        }
        let first = !std::mem::replace(&mut peer.told, true);
        let complete = std::mem::replace(&mut peer.complete, true);
        if first {
            // A node that starts while we listen has published nothing that we have not heard.
            return if complete && gaps.is_empty() { Vec::new() } else { vec![EVERYWHERE] };
        }
        if gaps.len() > MANY_SHARDS {
            return vec![EVERYWHERE];
        }
        gaps.into_iter().map(|index| Finding::Missed(Missed::Shard { index, of: SHARDS })).collect()
    }

    /// A node said goodbye, and how much it has published in the end.
    pub(crate) fn goodbye(&mut self, node: Uuid, counters: &[u64], now: Instant) -> Vec<Finding> {
        if node == self.me {
            return Vec::new();
        }
        let findings = self.heartbeat(node, counters, now);
        self.peers.remove(&node);
        self.silent.remove(&node);
        findings
    }

    /// Time has passed.
    pub(crate) fn tick(&mut self, now: Instant) -> Vec<Finding> {
        let is_silent = |since: Instant| now.saturating_duration_since(since) > SILENCE;
        match self.way {
            Way::Down => return Vec::new(),
            Way::Trying(since) | Way::Open(since) | Way::Doubted(since) if is_silent(since) => {
                self.way = Way::Down;
                return vec![Finding::Deaf];
            }
            Way::Open(since) if now.saturating_duration_since(since) > DOUBT => {
                self.way = Way::Doubted(since);
                return vec![Finding::Doubtful];
            }
            Way::Trying(_) | Way::Open(_) | Way::Doubted(_) => {}
        }
        for (node, _) in self.peers.extract_if(|_, peer| is_silent(peer.heard_at)) {
            self.silent.insert(node, Silent { since: now, look_at: now });
        }
        self.silent.retain(|_, silent| now.saturating_duration_since(silent.since) <= EXPECTED);
        let mut look = false;
        for silent in self.silent.values_mut().filter(|silent| now >= silent.look_at) {
            silent.look_at = now + HEARTBEAT;
            look = true;
        }
        if look { vec![EVERYWHERE] } else { Vec::new() }
    }

    fn echo(&mut self, now: Instant) -> Vec<Finding> {
        let before = self.way;
        match before {
            Way::Down => return Vec::new(),
            Way::Trying(_) | Way::Open(_) | Way::Doubted(_) => self.way = Way::Open(now),
        }
        if matches!(before, Way::Open(_)) { Vec::new() } else { vec![EVERYWHERE, Finding::Heard] }
    }

    fn peer(&mut self, node: Uuid, now: Instant) -> Option<&mut Peer> {
        if self.peers.len() >= MAX_PEERS && !self.peers.contains_key(&node) {
            return None;
        }
        self.silent.remove(&node);
        Some(self.peers.entry(node).or_insert_with(|| Peer {
            counters: [0; SHARDS as usize],
            complete: true,
            told: false,
            heard_at: now,
        }))
    }
}

#[cfg(test)]
mod tests;
