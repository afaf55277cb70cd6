//! The names of channels and keys in Redis.

use chat_domain::model::{ConnectionId, TicketDigest, UserId};
use uuid::Uuid;

/// Into how many parts the sessions are cut, each with a channel of its own. All nodes of all versions have the same
/// number; it is as small as subscribing to all of them at once asks for, and as large as makes a loss in one of them
/// cheap to repair.
pub(crate) const SHARDS: u16 = 64;

/// Makes names that begin with the deployment's prefix.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    prefix: String,
    /// What all keys begin with. The braces are a hash tag
    /// (<https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#hash-tags>): one member of a cluster
    /// has all of a deployment's keys, so one connection and one script reach them.
    tag: String,
}

impl Names {
    pub(crate) fn new(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned(), tag: format!("{{{prefix}}}") }
    }

    /// The channel of the events of a part of the sessions.
    pub(crate) fn shard(&self, index: u16) -> String {
        format!("{}:{index}", self.prefix)
    }

    /// The channel on which nodes speak of themselves.
    ///
    /// One channel is enough: what a node publishes on one connection reaches a subscriber's one connection in that
    /// order, whatever the channels. So a heartbeat comes after all events that its counters count.
    pub(crate) fn nodes(&self) -> String {
        format!("{}:nodes", self.prefix)
    }

    /// Every channel that a node listens to.
    pub(crate) fn channels(&self) -> Vec<String> {
        (0..SHARDS).map(|index| self.shard(index)).chain([self.nodes()]).collect()
    }

    /// What a channel's name says it is for. `None` for a channel that is none of ours.
    pub(crate) fn channel(&self, name: &[u8]) -> Option<Channel> {
        let name = std::str::from_utf8(name).ok()?.strip_prefix(self.prefix.as_str())?.strip_prefix(':')?;
        if name == "nodes" {
            return Some(Channel::Nodes);
        }
        name.parse().ok().filter(|index| *index < SHARDS).map(Channel::Shard)
    }

    /// A key that stands for all, and that nobody sets: who would have it has them.
    pub(crate) fn any_key(&self) -> String {
        format!("{}:any", self.tag)
    }

    /// The key of a ticket.
    pub(crate) fn ticket(&self, digest: &TicketDigest) -> String {
        format!("{}{}", self.ticket_prefix(), hexadecimal(digest))
    }

    /// What the keys of tickets begin with; the digest in hexadecimal follows.
    pub(crate) fn ticket_prefix(&self) -> String {
        format!("{}:ticket:", self.tag)
    }

    /// The key of a person's unused tickets.
    pub(crate) fn tickets_of(&self, user: &UserId) -> String {
        format!("{}:tickets:{user}", self.tag)
    }

    /// The key of a person's connections.
    pub(crate) fn connections(&self, user: &UserId) -> String {
        format!("{}:connections:{user}", self.tag)
    }

    /// What the keys of leases begin with.
    pub(crate) fn leases(&self) -> String {
        format!("{}:lease:", self.tag)
    }
}

/// What a channel is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Channel {
    /// Events of the sessions of this part.
    Shard(u16),
    /// What nodes say of themselves.
    Nodes,
}

/// Names a lease: a node's promise, renewed every second, that the connections entered under it are open. A node begins
/// another lease when it can no longer say what was entered under the old one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lease {
    pub(crate) node: Uuid,
    pub(crate) generation: u64,
}

impl std::fmt::Display for Lease {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.node, self.generation)
    }
}

/// A ticket's digest in lower-case hexadecimal, as it stands in keys and among its person's tickets.
pub(crate) fn hexadecimal(digest: &TicketDigest) -> String {
    use std::fmt::Write;
    let mut text = String::with_capacity(64);
    for byte in digest.as_bytes() {
        // Writing to a string does not fail.
        let _infallible = write!(text, "{byte:02x}");
    }
    text
}

/// The field of a connection among its person's.
pub(crate) fn field(connection: ConnectionId) -> String {
    connection.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channels_name_says_what_it_is_for() {
        let names = Names::new("chat");
        for index in 0..SHARDS {
            assert_eq!(names.channel(names.shard(index).as_bytes()), Some(Channel::Shard(index)));
        }
        assert_eq!(names.channel(names.nodes().as_bytes()), Some(Channel::Nodes));
        for other in ["chat:64", "chat:x", "chat:", "chat", "chatty:1", "other:1"] {
            assert_eq!(names.channel(other.as_bytes()), None, "{other}");
        }
        assert_eq!(names.channels().len(), 65);
    }

    #[test]
    fn a_tickets_key_is_its_digest_in_hexadecimal() {
        let key = Names::new("chat").ticket(&TicketDigest::of("abc"));
        assert_eq!(key, "{chat}:ticket:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
