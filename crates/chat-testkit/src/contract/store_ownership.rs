//! What every `StoreOwnership` does.

use chat_domain::model::{DatabaseInstance, Generation, StoreOwner};
use uuid::Uuid;

use super::{AttachmentStoreUnderTest, contract_cases};

contract_cases! { $ store_ownership_contract for store_ownership on crate::contract::AttachmentStoreUnderTest:
    files_have_no_owner_at_first,
    an_owner_is_read_back_as_it_was_written,
    an_owner_is_replaced_by_a_database_that_knows_it,
    an_owner_is_no_attachment,
}

fn owner(database: &str, round: u128) -> StoreOwner {
    let database = DatabaseInstance::parse(database).expect("a valid name");
    StoreOwner { database, generation: Generation::new(Uuid::from_u128(round)), is_contested: false }
}

async fn files_have_no_owner_at_first(subject: &AttachmentStoreUnderTest) {
    assert_eq!(subject.ownership.owner().await.unwrap(), None);
}

async fn an_owner_is_read_back_as_it_was_written(subject: &AttachmentStoreUnderTest) {
    let mut last = None;
    for next in [owner("a", 1), owner("postgres:7301234567890123456/16384", 2), owner("b", 3).contested()] {
        assert!(subject.ownership.replace(last, next.clone()).await.unwrap());
        assert_eq!(subject.ownership.owner().await.unwrap(), Some(next.clone()));
        last = Some(next);
    }
}

async fn an_owner_is_replaced_by_a_database_that_knows_it(subject: &AttachmentStoreUnderTest) {
    let (first, second) = (owner("a", 1), owner("a", 2));
    assert!(!subject.ownership.replace(Some(first.clone()), second.clone()).await.unwrap(), "nothing is there");
    assert_eq!(subject.ownership.owner().await.unwrap(), None);
    assert!(subject.ownership.replace(None, first.clone()).await.unwrap());
    for wrong in [None, Some(second.clone()), Some(first.clone().contested()), Some(owner("b", 1))] {
        assert!(!subject.ownership.replace(wrong.clone(), second.clone()).await.unwrap(), "{wrong:?}");
        assert_eq!(subject.ownership.owner().await.unwrap(), Some(first.clone()));
    }
    assert!(subject.ownership.replace(Some(first), second.clone()).await.unwrap());
    assert_eq!(subject.ownership.owner().await.unwrap(), Some(second));
}

async fn an_owner_is_no_attachment(subject: &AttachmentStoreUnderTest) {
    assert!(subject.ownership.replace(None, owner("a", 1)).await.unwrap());
    let end_of_time = chat_domain::model::Timestamp::from_unix_ms(i64::MAX);
    assert_eq!(subject.store.stored_before(end_of_time, None, 10).await.unwrap(), []);
}
