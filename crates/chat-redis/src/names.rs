//! The names of channels in Redis. There are no keys.

/// Into how many parts the sessions are cut, each with a channel of its own. All nodes of all versions have the same
/// number; it is as small as subscribing to all of them at once asks for, and as large as makes a loss in one of them
/// cheap to repair.
pub(crate) const SHARDS: u16 = 64;

/// Makes names that begin with the deployment's prefix.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    prefix: String,
}

impl Names {
    pub(crate) fn new(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned() }
    }

    /// The channel of the events of a part of the sessions.
    fn shard(&self, index: u16) -> String {
        format!("{}:{index}", self.prefix)
    }

    /// The channel on which nodes speak of themselves.
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
}

/// What a channel is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Channel {
    /// Events of the sessions of this part.
    Shard(u16),
    /// What nodes say of themselves.
    Nodes,
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
}
