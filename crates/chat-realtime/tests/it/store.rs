//! The hub between a store that publishes its commits and people who come and go.

use std::sync::Arc;
use std::time::Duration;

use chat_domain::model::{LiveEvent, Seq, SessionEvent};
use chat_domain::ports::{EventLog, LogLimit, MessageRepository, SessionFeed, SessionRepository};
use chat_realtime::{Hub, HubFeed, HubSettings};
use chat_testkit::{FixedClock, MemoryStore, fixtures};

use crate::support::{TestSubscriber, after, epoch, subscribe_request};

const WRITERS: u64 = 4;
const MESSAGES: u64 = 50;
/// The opening and every message.
const LAST: u64 = 1 + WRITERS * MESSAGES;

async fn durable_up_to_last(subscriber: &mut TestSubscriber) -> Vec<SessionEvent> {
    let mut events: Vec<SessionEvent> = Vec::new();
    while events.last().is_none_or(|event| event.seq.get() < LAST) {
        let next = tokio::time::timeout(Duration::from_secs(30), subscriber.event()).await.expect("an event comes");
        if let LiveEvent::Durable(event) = next.event() {
            events.push(event.clone());
        }
    }
    events
}

/// Also an overloaded subscriber says what the log says: the queues are far too short for what is written. Nothing
/// waits for a gap, since the store publishes in order; the patience is endless to show it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_stream_returns_the_log_of_the_store() {
    for _ in 0..20 {
        let settings = HubSettings { queue_events: 8, patience: Duration::from_hours(1), ..HubSettings::default() };
        let hub = Hub::new(settings, Arc::new(FixedClock::new()));
        let store = MemoryStore::new(Arc::clone(&hub) as _);
        let feed = HubFeed::new(Arc::clone(&hub), Arc::clone(&store) as _, epoch());
        let session = fixtures::new_session(1);
        let id = session.id;
        store.open(session, fixtures::alice(), None).await.unwrap();

        let mut tasks = tokio::task::JoinSet::new();
        for writer in 0..WRITERS {
            let store = Arc::clone(&store);
            tasks.spawn(async move {
                for n in 0..MESSAGES {
                    store.append(fixtures::draft(id, &fixtures::alice(), writer * MESSAGES + n)).await.unwrap();
                    tokio::task::yield_now().await;
                }
            });
        }
        for viewer in [fixtures::alice(), fixtures::root()] {
            let (feed, store) = (Arc::clone(&feed), Arc::clone(&store));
            tasks.spawn(async move {
                let request = subscribe_request(id, viewer.id.as_str(), after(0));
                let mut subscriber = TestSubscriber::of(feed.subscribe(request).await.unwrap());
                let seen = durable_up_to_last(&mut subscriber).await;
                let limit = LogLimit::events(u32::MAX);
                assert_eq!(seen, store.read(id, Seq::ZERO, limit).await.unwrap().events);
            });
        }
        while let Some(task) = tasks.join_next().await {
            task.unwrap();
        }
        assert_eq!((hub.subscriptions(), hub.sessions()), (0, 0));
    }
}
