//! A database says which one it is.

use diesel::prelude::*;
use diesel::sql_types::Text;

use crate::support::Place;

#[tokio::test]
async fn a_database_keeps_its_identity_and_shares_it_with_its_copies_alone() {
    let place = Place::migrated();
    let first = place.open().await;
    let identity = first.identity().to_owned();
    assert!(identity.len() == 32 && identity.bytes().all(|byte| byte.is_ascii_hexdigit()), "{identity}");
    first.close().await;

    let backup = Place::new();
    let mut connection = SqliteConnection::establish(place.path().to_str().unwrap()).unwrap();
    let copy = diesel::sql_query("VACUUM INTO ?").bind::<Text, _>(backup.path().to_str().unwrap().to_owned());
    copy.execute(&mut connection).unwrap();
    for place in [&place, &backup] {
        let store = place.open().await;
        assert_eq!(store.identity(), identity);
        store.close().await;
    }

    let other = Place::migrated().open().await;
    assert_ne!(other.identity(), identity);
    other.close().await;
}
