//! The names of channels in Redis. There are no keys.

/// How many shards the sessions are divided into, each with a channel of its own. All nodes of all versions have the
/// same number. It is small enough to subscribe to all of them at once, and large enough to make a repair of one cheap.
pub(crate) const SHARDS: u16 = 64;

/// Makes names that begin with the deployment's prefix.
#[derive(Clone, Debug)]
pub(crate) struct ChannelNames {
    prefix: String,
}

impl ChannelNames {
    pub(crate) fn new(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned() }
    }

    /// The channel of the events of a shard.
    fn shard(&self, index: u16) -> String {
        format!("{}:{index}", self.prefix)
    }

    /// The channel of heartbeats and goodbyes.
    ///
    /// One channel is enough: what a node publishes on one connection reaches a subscriber's one connection in that
    /// order, whatever the channels. So a heartbeat comes after all events that its counters count.
    fn nodes(&self) -> String {
        format!("{}:nodes", self.prefix)
    }

    /// The name of a channel.
    pub(crate) fn of(&self, channel: Channel) -> String {
        match channel {
            Channel::Shard(index) => self.shard(index),
            Channel::Nodes => self.nodes(),
        }
    }

    /// Every channel that a node subscribes to.
    pub(crate) fn channels(&self) -> Vec<String> {
        (0..SHARDS).map(|index| self.shard(index)).chain([self.nodes()]).collect()
    }

    /// The channel of this name. `None` for a foreign name.
    pub(crate) fn channel(&self, name: &[u8]) -> Option<Channel> {
        let name = std::str::from_utf8(name).ok()?.strip_prefix(self.prefix.as_str())?.strip_prefix(':')?;
        if name == "nodes" {
            return Some(Channel::Nodes);
        }
        name.parse().ok().filter(|index| *index < SHARDS).map(Channel::Shard)
    }
}

/// A channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Channel {
    /// Events of the sessions of this shard.
    Shard(u16),
    /// Heartbeats and goodbyes of nodes.
    Nodes,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channel_names_are_parsed_back() {
        let names = ChannelNames::new("chat");
        for index in 0..SHARDS {
            assert_eq!(names.channel(names.shard(index).as_bytes()), Some(Channel::Shard(index)));
        }
        assert_eq!(names.channel(names.nodes().as_bytes()), Some(Channel::Nodes));
        for other in ["chat:64", "chat:x", "chat:", "chat", "chatty:1", "other:1"] {
            assert_eq!(names.channel(other.as_bytes()), None, "{other}");
        }
        assert_eq!(names.channels().len(), 65);
    }
}
