//! Messages on their way from Redis to the reader. The driver puts them in on the task that reads the connection, which
//! must never wait: what finds no room is dropped, and its shard is remembered.

use std::sync::Arc;

use redis::{PushInfo, PushKind, Value};
use tokio::sync::Notify;

use crate::dirty::Dirty;
use crate::metering::{Metering, Rejection};
use crate::names::{Channel, Names};
use crate::queue::{self, Receiver, Sender};

/// The most bytes of messages that wait to be read.
const BYTES: usize = 16 << 20;

/// The most bytes of one message. The largest of a node, a message of 10,000 characters that JSON writes in six bytes each,
/// with ten attachments, has not a tenth of it.
pub(crate) const MESSAGE_BYTES: usize = 1 << 20;

/// A message as it came.
pub(crate) struct Inbound {
    /// The connection that it came on.
    pub(crate) generation: u64,
    pub(crate) channel: Channel,
    pub(crate) payload: Vec<u8>,
}

/// The end that the driver puts messages into.
#[derive(Clone)]
pub(crate) struct Inbox {
    queue: Sender<Inbound>,
    dirty: Arc<Dirty>,
    names: Names,
    /// What our own events begin with. They come back, as everyone's do, and are of no use here.
    own_prefix: Arc<[u8]>,
    metering: Metering,
}

impl Inbox {
    pub(crate) fn new(
        length: usize,
        names: Names,
        own_prefix: Vec<u8>,
        metering: Metering,
    ) -> (Self, Receiver<Inbound>, Arc<Dirty>) {
        let (sender, receiver) = queue::bounded(length, BYTES);
        let dirty = Arc::new(Dirty::default());
        let inbox = Self { queue: sender, dirty: Arc::clone(&dirty), names, own_prefix: own_prefix.into(), metering };
        (inbox, receiver, dirty)
    }

    /// What the driver calls for every push of a connection; `gone` is told when the connection ends.
    pub(crate) fn of_connection(
        &self,
        generation: u64,
        gone: Arc<Notify>,
    ) -> impl Fn(PushInfo) -> Result<(), std::convert::Infallible> + Send + Sync + 'static {
        let inbox = self.clone();
        move |info| {
            match info.kind {
                PushKind::Message => inbox.put(generation, info.data),
                PushKind::Disconnection => gone.notify_one(),
                _ => {}
            }
            Ok(())
        }
    }

    /// Takes `[channel, payload]`.
    fn put(&self, generation: u64, data: Vec<Value>) {
        let Ok([Value::BulkString(channel), Value::BulkString(payload)]) = <[Value; 2]>::try_from(data) else { return };
        let Some(channel) = self.names.channel(&channel) else { return };
        // Our own heartbeats are wanted: they prove that the connection works.
        if channel != Channel::Nodes && payload.starts_with(&self.own_prefix) {
            return;
        }
        let weight = payload.len();
        // No node says so much. Nothing of it is kept, hashed or read, and nothing is missed with it.
        if weight > MESSAGE_BYTES {
            self.metering.rejected(Rejection::TooLarge);
            return;
        }
        if self.queue.offer(Inbound { generation, channel, payload }, weight) {
            return;
        }
        self.metering.overflows.increment(1);
        match channel {
            Channel::Shard(index) => self.dirty.mark(index),
            // The next heartbeat says what this one did.
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
    fn what_finds_no_room_marks_its_shard() {
        let (inbox, mut receiver, dirty) = Inbox::new(1, Names::new("chat"), b"own".to_vec(), Metering::new());
        let push = inbox.of_connection(1, Arc::new(Notify::new()));
        for text in ["own 1", "theirs", "own 2", "dropped"] {
            push(message("chat:63", text)).unwrap();
        }
        push(message("chat:0", "dropped")).unwrap();
        push(message("chat:nodes", "dropped")).unwrap();
        push(message("other:5", "not for us")).unwrap();
        assert_eq!(dirty.take().collect::<Vec<_>>(), [0, 63]);
        assert_eq!(dirty.take().count(), 0);
        let only = receiver.take_now().unwrap();
        assert_eq!((only.generation, only.channel, only.payload), (1, Channel::Shard(63), b"theirs".to_vec()));
        assert!(receiver.take_now().is_none());
    }

    #[test]
    fn what_no_node_would_say_at_such_length_is_dropped_and_marks_nothing() {
        let (inbox, mut receiver, dirty) = Inbox::new(1, Names::new("chat"), b"own".to_vec(), Metering::new());
        let push = inbox.of_connection(1, Arc::new(Notify::new()));
        let at_most = "x".repeat(MESSAGE_BYTES);
        for channel in ["chat:5", "chat:nodes"] {
            push(message(channel, &format!("{at_most}x"))).unwrap();
            // Even one that the queue has no room for.
            push(message(channel, &"x".repeat(BYTES + 1))).unwrap();
        }
        assert!(receiver.take_now().is_none());
        assert_eq!(dirty.take().count(), 0);
        push(message("chat:5", &at_most)).unwrap();
        assert_eq!(receiver.take_now().unwrap().payload.len(), MESSAGE_BYTES);
    }
}
