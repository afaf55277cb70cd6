//! The queue of messages from Redis to the reader. The driver pushes them on the task that reads the connection, which
//! must never wait: a message that finds no room is dropped, and its shard is remembered.

use std::sync::Arc;

use redis::{PushInfo, PushKind, Value};
use tokio::sync::Notify;

use crate::metering::{RedisMetrics, Rejection};
use crate::names::{Channel, ChannelNames};
use crate::overflowed_shards::OverflowedShards;
use crate::queue::{self, QueueReceiver, QueueSender};

/// The most bytes of messages that wait to be read.
const BYTES: usize = 16 << 20;

/// The most bytes of one message. The largest of a node, a message of 10,000 characters that JSON writes in six bytes
/// each, with ten attachments, has not a tenth of it.
pub(crate) const MESSAGE_BYTES: usize = 1 << 20;

/// A message as it was received.
pub(crate) struct Inbound {
    /// The generation of the connection that it came through.
    pub(crate) generation: u64,
    pub(crate) channel: Channel,
    pub(crate) payload: Vec<u8>,
}

/// The end that the driver pushes messages into.
#[derive(Clone)]
pub(crate) struct Inbox {
    queue: QueueSender<Inbound>,
    overflowed: Arc<OverflowedShards>,
    names: ChannelNames,
    /// The first bytes of the own events, which come back and are not needed.
    own_prefix: Arc<[u8]>,
    metering: RedisMetrics,
}

impl Inbox {
    pub(crate) fn new(
        length: usize,
        names: ChannelNames,
        own_prefix: Vec<u8>,
        metering: RedisMetrics,
    ) -> (Self, QueueReceiver<Inbound>, Arc<OverflowedShards>) {
        let (sender, receiver) = queue::bounded(length, BYTES);
        let overflowed = Arc::new(OverflowedShards::default());
        let inbox =
            Self { queue: sender, overflowed: Arc::clone(&overflowed), names, own_prefix: own_prefix.into(), metering };
        (inbox, receiver, overflowed)
    }

    /// What the driver calls for every push of a connection; `gone` is notified when the connection ends.
    pub(crate) fn of_connection(
        &self,
        generation: u64,
        gone: Arc<Notify>,
    ) -> impl Fn(PushInfo) -> Result<(), std::convert::Infallible> + Send + Sync + 'static {
        let inbox = self.clone();
        move |info| {
            match info.kind {
                PushKind::Message => inbox.push(generation, info.data),
                PushKind::Disconnection => gone.notify_one(),
                _ => {}
            }
            Ok(())
        }
    }

    /// Takes `[channel, payload]`.
    fn push(&self, generation: u64, data: Vec<Value>) {
        let Ok([Value::BulkString(channel), Value::BulkString(payload)]) = <[Value; 2]>::try_from(data) else { return };
        let Some(channel) = self.names.channel(&channel) else { return };
        // The own heartbeats are needed: they prove that the connection works.
        if channel != Channel::Nodes && payload.starts_with(&self.own_prefix) {
            return;
        }
        let weight = payload.len();
        // No message of a node is that long. It is not kept, hashed or parsed, and nothing is missed with it.
        if weight > MESSAGE_BYTES {
            self.metering.rejected(Rejection::TooLarge);
            return;
        }
        if self.queue.try_push(Inbound { generation, channel, payload }, weight) {
            return;
        }
        self.metering.overflows.increment(1);
        match channel {
            Channel::Shard(index) => self.overflowed.mark(index),
            // The next heartbeat has the same counts or later ones.
            Channel::Nodes => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(channel: &str, payload: &str) -> PushInfo {
        let data = [channel, payload].map(|text| Value::BulkString(text.into())).to_vec();
        PushInfo { kind: PushKind::Message, data }
    }

    #[test]
    fn a_message_that_finds_no_room_marks_its_shard() {
        let (inbox, mut receiver, overflowed) =
            Inbox::new(1, ChannelNames::new("chat"), b"own".to_vec(), RedisMetrics::new());
        let push = inbox.of_connection(1, Arc::new(Notify::new()));
        for text in ["own 1", "theirs", "own 2", "dropped"] {
            push(message("chat:63", text)).unwrap();
        }
        push(message("chat:0", "dropped")).unwrap();
        push(message("chat:nodes", "dropped")).unwrap();
        push(message("other:5", "not for us")).unwrap();
        assert_eq!(overflowed.take().collect::<Vec<_>>(), [0, 63]);
        assert_eq!(overflowed.take().count(), 0);
        let only = receiver.try_recv().unwrap();
        assert_eq!((only.generation, only.channel, only.payload), (1, Channel::Shard(63), b"theirs".to_vec()));
        assert!(receiver.try_recv().is_none());
    }

    #[test]
    fn an_oversized_message_is_dropped_and_marks_nothing() {
        let (inbox, mut receiver, overflowed) =
            Inbox::new(1, ChannelNames::new("chat"), b"own".to_vec(), RedisMetrics::new());
        let push = inbox.of_connection(1, Arc::new(Notify::new()));
        let at_most = "x".repeat(MESSAGE_BYTES);
        for channel in ["chat:5", "chat:nodes"] {
            push(message(channel, &format!("{at_most}x"))).unwrap();
            // Even a message for which the queue has no room.
            push(message(channel, &"x".repeat(BYTES + 1))).unwrap();
        }
        assert!(receiver.try_recv().is_none());
        assert_eq!(overflowed.take().count(), 0);
        push(message("chat:5", &at_most)).unwrap();
        assert_eq!(receiver.try_recv().unwrap().payload.len(), MESSAGE_BYTES);
    }
}
