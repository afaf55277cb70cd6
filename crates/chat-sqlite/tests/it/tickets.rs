//! Tickets as rows: what has expired goes.

use chat_domain::model::{Ticket, TicketDigest};
use chat_domain::ports::TicketStore as _;
use chat_testkit::fixtures::{alice, at, person, session_id};
use diesel::prelude::*;
use diesel::sql_types::BigInt;

use crate::support::Place;

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

#[tokio::test]
async fn tickets_that_have_expired_are_swept_a_few_at_a_time() {
    let place = Place::migrated();
    let store = place.open().await;
    let rows = || {
        let mut connection = SqliteConnection::establish(place.path().to_str().unwrap()).unwrap();
        let count: Count =
            diesel::sql_query("SELECT count(*) AS count FROM chat_tickets").get_result(&mut connection).unwrap();
        count.count
    };
    let put = async |n: u64, who: &str, until, now| {
        let holder = person(who, alice().role);
        let ticket =
            Ticket { holder, session_id: Some(session_id(1)), token_expires_at: at(3_600), expires_at: at(until) };
        store.tickets.put(TicketDigest::of(&n.to_string()), ticket, at(now)).await.unwrap();
    };
    for n in 0..20 {
        put(n, &format!("user {n}"), 30, 0).await;
    }
    assert_eq!(rows(), 20);
    put(20, "alice", 90, 60).await;
    assert_eq!(rows(), 21, "what has expired just now may be good for a clock that is behind");
    for (n, left) in (21..26).zip([18, 15, 12, 9, 6]) {
        put(n, "alice", 150, 100).await;
        assert_eq!(rows(), left, "four for each that comes");
    }
    store.close().await;
}
