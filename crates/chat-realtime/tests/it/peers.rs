//! The shards of sessions, which all nodes agree about.

use chat_domain::model::SessionId;
use chat_realtime::{SuspectedGap, session_shard};
use proptest::prelude::*;
use uuid::Uuid;

fn id(number: u128) -> SessionId {
    SessionId::new(Uuid::from_u128(number))
}

#[test]
fn the_shard_of_a_session_is_the_remainder_of_its_last_eight_bytes() {
    // What every version and every node must agree on.
    assert_eq!(session_shard(id(0x0192_0000_0000_7000_8000_0000_0000_0041), 64), 1);
    assert_eq!(session_shard(id(0x0192_0000_0000_7000_8000_0000_0000_003f), 64), 63);
    assert_eq!(session_shard(id(0xffff_ffff_ffff_ffff_0000_0000_0000_0100), 100), 56);
    assert_eq!(session_shard(id(u128::MAX), u16::MAX), 0, "2^64 - 1 is a multiple of 2^16 - 1");
    assert_eq!((session_shard(id(77), 1), session_shard(id(77), 0)), (0, 0));
}

proptest! {
    #[test]
    fn a_shard_is_below_their_number_and_a_gap_includes_its_shard_only(
        number: u128,
        of in 1..=u16::MAX,
        index: u16,
    ) {
        let shard = session_shard(id(number), of);
        prop_assert!(shard < of);
        prop_assert_eq!(SuspectedGap::Shard { index, of }.includes(id(number)), shard == index);
        prop_assert!(SuspectedGap::AllSessions.includes(id(number)));
    }
}
