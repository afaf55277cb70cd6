//! A database names its history, until the operator begins another history.

use chat_domain::ports::EventLog as _;
use chat_sqlite::{OpenError, epoch, migrate};

use crate::support::Place;

#[tokio::test]
async fn an_epoch_lasts_until_the_operator_begins_another() {
    let place = Place::migrated();
    let first = epoch::read(place.path()).unwrap();
    assert!(first.as_str().len() == 32 && first.as_str().bytes().all(|byte| byte.is_ascii_hexdigit()), "{first}");
    let store = place.open().await;
    assert_eq!(store.events.epoch().await.unwrap(), first);
    let second = store.rotate_epoch().await.unwrap();
    assert_ne!(second, first);
    assert_eq!(store.events.epoch().await.unwrap(), second);
    store.close().await;

    let third = epoch::rotate(place.path()).unwrap();
    assert!(third != first && third != second);
    assert_eq!(epoch::read(place.path()).unwrap(), third);
    let store = place.open().await;
    assert_eq!(store.events.epoch().await.unwrap(), third);
    assert_eq!(store.identity().len(), 32, "the identity is another thing");
    store.close().await;
}

#[tokio::test]
async fn an_epoch_begun_beside_a_running_server_is_seen_by_it() {
    let place = Place::migrated();
    let store = place.open().await;
    let identity = store.identity().to_owned();
    let begun = epoch::rotate(place.path()).unwrap();
    assert_eq!(store.events.epoch().await.unwrap(), begun);
    store.close().await;
    let again = place.open().await;
    assert_eq!(again.identity(), identity);
    again.close().await;
}

#[test]
fn the_epoch_of_a_database_that_is_not_ready_is_not_told() {
    let place = Place::new();
    assert!(matches!(epoch::read(place.path()), Err(OpenError::File { .. })));
    assert!(!place.path().exists());
    migrate::up(place.path()).unwrap();
    let undone = migrate::down(place.path(), 2).unwrap();
    for answer in [epoch::read(place.path()), epoch::rotate(place.path())] {
        let Err(OpenError::PendingMigrations { pending, .. }) = answer else { panic!("{answer:?}") };
        assert_eq!(pending.len(), undone.len());
    }
}
