//! How far a message has come never goes back.

use chat_domain::model::{Delivery, DeliveryStatus, Timestamp};
use proptest::prelude::*;

fn rank(delivery: Delivery) -> u8 {
    match delivery.status() {
        DeliveryStatus::Sent => 0,
        DeliveryStatus::Delivered => 1,
        DeliveryStatus::Read => 2,
    }
}

proptest! {
    #[test]
    fn a_message_never_goes_back_and_keeps_its_first_moments(
        steps in proptest::collection::vec((any::<bool>(), 0..1_000_i64), 0..12),
    ) {
        let mut delivery = Delivery::Sent;
        let (mut delivered_at, mut read_at) = (None, None);
        for (is_read, ms) in steps {
            let at = Timestamp::from_unix_ms(ms);
            let before = delivery;
            delivery = if is_read { delivery.read(at) } else { delivery.delivered(at) };
            delivered_at = delivered_at.or(Some(at));
            read_at = read_at.or(is_read.then_some(at));
            prop_assert!(rank(delivery) >= rank(before));
            prop_assert_eq!((delivery.delivered_at(), delivery.read_at()), (delivered_at, read_at));
            prop_assert_eq!(Delivery::from_moments(delivered_at, read_at), delivery, "stores keep it in two columns");
        }
    }
}

#[test]
fn a_message_that_was_read_counts_as_delivered_then() {
    let at = Timestamp::from_unix_ms(5);
    assert_eq!(Delivery::from_moments(None, Some(at)), Delivery::Read { delivered_at: at, at });
    assert_eq!(Delivery::Sent.read(at), Delivery::Read { delivered_at: at, at });
}
