//! What readiness says of a service with an outage: the node stays ready.

use chat_domain::ports::HealthProbe;
use test_servers::s3::{S3Fault, S3RequestFilter};
use tokio::time::{sleep, timeout};

use super::S3Store;
use crate::support::PATIENCE;

/// Asks as a supervisor does until the state is that one.
async fn until(store: &S3Store, expected: Option<&'static str>) {
    let reached = async {
        loop {
            assert_eq!(store.store.check().await, Ok(()), "the node stays ready");
            if store.store.degraded() == expected {
                return;
            }
            sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    let reached = timeout(PATIENCE, reached).await;
    assert!(reached.is_ok(), "{expected:?} in time, not {:?}", store.store.degraded());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_with_an_outage_is_degraded_and_then_not() {
    let store = S3Store::open();
    until(&store, None).await;
    store.put(1, b"bytes").await;
    let cases = [
        (S3Fault::Disconnects, "files are out of reach; texts can be sent"),
        (S3Fault::Status(403, "AccessDenied"), "files are out of reach; texts can be sent"),
        (S3Fault::Status(507, "XMinioStorageFull"), "no room for files; texts can be sent"),
    ];
    for (fault, expected) in cases {
        store.server.fail(S3RequestFilter::ALL, fault);
        // As a use finds it, without waiting for the next trial.
        assert!(store.store.try_out().await.is_err());
        until(&store, Some(expected)).await;
        store.server.heal();
        until(&store, None).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn trials_are_few_however_often_readiness_is_asked() {
    let store = S3Store::open();
    until(&store, None).await;
    store.server.take_seen();
    for _ in 0..50 {
        store.store.check().await.unwrap();
    }
    assert!(store.server.take_seen().len() <= 2, "one trial at most");
}
