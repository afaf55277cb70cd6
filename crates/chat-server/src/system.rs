//! The clock and the random ids of this machine.

use chat_domain::model::Timestamp;
use chat_domain::ports::{Clock, IdGenerator};
use time::OffsetDateTime;
use uuid::Uuid;

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        OffsetDateTime::now_utc().into()
    }
}

/// UUIDs of version 7: the time in front, random bits behind, ascending within the process.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct UuidV7Generator;

impl IdGenerator for UuidV7Generator {
    fn next_id(&self) -> Uuid {
        Uuid::now_v7()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_of_version_7_and_ascend() {
        let ids: Vec<Uuid> = (0..1000).map(|_| UuidV7Generator.next_id()).collect();
        assert!(ids.iter().all(|id| id.get_version_num() == 7));
        assert!(ids.is_sorted_by(|a, b| a < b));
    }
}
