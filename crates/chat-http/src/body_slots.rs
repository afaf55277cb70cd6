//! How many bodies are being received at the same time: an upload holds memory, a file and a connection for as long as its
//! client likes, and a JSON body that does not come in one packet holds memory and a connection.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use actix_web::http::header::{HeaderValue, RETRY_AFTER};
use chat_domain::model::UserId;
use metrics::{Counter, Gauge, counter, gauge};

use crate::error::{ApiError, ErrorCode};
use crate::metering::GaugeGuard;
use crate::settings::UploadSettings;

/// When it makes sense to try again: uploads of usual size over usual lines end within seconds.
const RETRY_SECONDS: u64 = 5;

/// The bodies of one kind that are being received on this node.
pub(crate) struct BodySlots {
    running: Mutex<RunningBodies>,
    limits: SlotLimits,
    gauge: Gauge,
    refused_person: Counter,
    refused_node: Counter,
}

#[derive(Default)]
struct RunningBodies {
    total: usize,
    /// People without a body are not in it.
    by_person: HashMap<UserId, usize>,
}

/// How many bodies of a kind there may be, and what is said where there are as many.
struct SlotLimits {
    per_person: usize,
    per_node: usize,
    code: ErrorCode,
    /// What a person has so many of.
    bodies: &'static str,
}

/// The most unfinished JSON bodies of one person at the same time on a node. A body is nearly always one packet.
pub(crate) const JSON_PER_PERSON: usize = 16;
/// The most unfinished JSON bodies of all people at the same time on a node; each may hold 256 KiB.
pub(crate) const JSON_PER_NODE: usize = 512;

impl BodySlots {
    /// For messages with files.
    pub(crate) fn for_uploads(settings: UploadSettings) -> Arc<Self> {
        let UploadSettings { per_person, per_node, .. } = settings;
        let limits = SlotLimits { per_person, per_node, code: ErrorCode::TooManyUploads, bodies: "uploads running" };
        Self::new(limits, gauge!("chat_uploads_running"), "chat_uploads_refused_total")
    }

    /// For JSON bodies of which a part has not come yet.
    pub(crate) fn for_json() -> Arc<Self> {
        let limits = SlotLimits {
            per_person: JSON_PER_PERSON,
            per_node: JSON_PER_NODE,
            code: ErrorCode::TooManyRequests,
            bodies: "requests whose bodies have not come whole",
        };
        Self::new(limits, gauge!("chat_json_bodies_unfinished"), "chat_json_bodies_refused_total")
    }

    fn new(limits: SlotLimits, gauge: Gauge, refused: &'static str) -> Arc<Self> {
        Arc::new(Self {
            running: Mutex::default(),
            limits,
            gauge,
            refused_person: counter!(refused, "limit" => "person"),
            refused_node: counter!(refused, "limit" => "node"),
        })
    }

    /// Takes a slot for a body of `who`, which is free again when the returned value is dropped.
    ///
    /// # Errors
    /// 429 when the person has as many as one may have, 503 when the node has.
    pub(crate) fn begin(self: &Arc<Self>, who: &UserId) -> Result<BodySlot, ApiError> {
        let SlotLimits { per_person, per_node, code, bodies } = self.limits;
        let mut running = self.lock();
        let own = running.by_person.get(who).copied().unwrap_or_default();
        if own >= per_person {
            self.refused_person.increment(1);
            let message = format!("you have {own} {bodies}, and no more are allowed; let one end first");
            return Err(refused(code, message));
        }
        if running.total >= per_node {
            self.refused_node.increment(1);
            return Err(refused(ErrorCode::Unavailable, "the service can receive no more at present; try again later"));
        }
        running.total += 1;
        running.by_person.insert(who.clone(), own + 1);
        drop(running);
        Ok(BodySlot { slots: Arc::clone(self), who: who.clone(), _gauge: GaugeGuard::new(self.gauge.clone()) })
    }

    /// A panic under the lock is none of ours: nothing in there can panic.
    fn lock(&self) -> MutexGuard<'_, RunningBodies> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn refused(code: ErrorCode, message: impl Into<String>) -> ApiError {
    ApiError::new(code, message).with_header(RETRY_AFTER, HeaderValue::from(RETRY_SECONDS))
}

/// The right to receive one body.
pub(crate) struct BodySlot {
    slots: Arc<BodySlots>,
    who: UserId,
    _gauge: GaugeGuard<Gauge>,
}

impl Drop for BodySlot {
    fn drop(&mut self) {
        let mut running = self.slots.lock();
        running.total = running.total.saturating_sub(1);
        let own = running.by_person.remove(&self.who).unwrap_or_default();
        if own > 1 {
            running.by_person.insert(self.who.clone(), own - 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    fn uploads(per_person: usize, per_node: usize) -> Arc<BodySlots> {
        BodySlots::for_uploads(UploadSettings { per_person, per_node, ..UploadSettings::default() })
    }

    fn user(id: &str) -> UserId {
        UserId::parse(id).unwrap()
    }

    fn refusal(outcome: Result<BodySlot, ApiError>) -> ErrorCode {
        outcome.map(|_| "a slot").unwrap_err().code()
    }

    #[test]
    fn each_person_has_their_own_limited_number_of_slots() {
        let uploads = uploads(2, 10);
        let first = uploads.begin(&user("alice")).unwrap();
        let _second = uploads.begin(&user("alice")).unwrap();
        assert_eq!(refusal(uploads.begin(&user("alice"))), ErrorCode::TooManyUploads);
        let _of_another = uploads.begin(&user("bob")).unwrap();
        drop(first);
        let _third = uploads.begin(&user("alice")).unwrap();
        assert_eq!(refusal(uploads.begin(&user("alice"))), ErrorCode::TooManyUploads);
    }

    #[test]
    fn a_node_has_so_many_slots_for_all() {
        let uploads = uploads(2, 3);
        let slots: Vec<_> = ["alice", "alice", "bob"].map(|who| uploads.begin(&user(who)).unwrap()).into();
        assert_eq!(refusal(uploads.begin(&user("carol"))), ErrorCode::Unavailable);
        // What the person can do something about comes first.
        assert_eq!(refusal(uploads.begin(&user("alice"))), ErrorCode::TooManyUploads);
        drop(slots);
        let _slot = uploads.begin(&user("carol")).unwrap();
    }

    #[test]
    fn a_panic_gives_its_slot_back_and_nothing_is_remembered_of_a_person() {
        let uploads = uploads(1, 1);
        for _ in 0..3 {
            let panicked = catch_unwind(AssertUnwindSafe(|| {
                let _slot = uploads.begin(&user("alice")).unwrap();
                panic!("a seeded fault");
            }));
            panicked.unwrap_err();
        }
        let running = uploads.lock();
        assert_eq!((running.total, running.by_person.len()), (0, 0));
    }
}
