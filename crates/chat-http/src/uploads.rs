//! How many uploads run at the same time: each holds memory, a file and a connection for as long as its client likes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actix_web::http::header::{HeaderValue, RETRY_AFTER};
use chat_domain::model::UserId;
use metrics::{Counter, Gauge, counter, gauge};

use crate::error::{ApiError, ErrorCode};
use crate::metering::GaugeGuard;

/// When it makes sense to try again: uploads of usual size over usual lines end within seconds.
const RETRY_SECONDS: u64 = 5;

/// What an operator decides about messages with files while they arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UploadSettings {
    /// The most uploads of one person at the same time on this node.
    pub per_person: usize,
    /// The most uploads of all people at the same time on this node.
    pub per_node: usize,
    /// How long a whole upload may take, however steadily it gets on.
    pub time_limit: Duration,
}

impl Default for UploadSettings {
    fn default() -> Self {
        Self { per_person: 8, per_node: 128, time_limit: Duration::from_hours(1) }
    }
}

/// The uploads that run on this node.
pub(crate) struct Uploads {
    running: Mutex<Running>,
    settings: UploadSettings,
    gauge: Gauge,
    refused_person: Counter,
    refused_node: Counter,
}

#[derive(Default)]
struct Running {
    total: usize,
    /// People without an upload are not in it.
    by_person: HashMap<UserId, usize>,
}

impl Uploads {
    pub(crate) fn new(settings: UploadSettings) -> Arc<Self> {
        Arc::new(Self {
            running: Mutex::default(),
            settings,
            gauge: gauge!("chat_uploads_running"),
            refused_person: counter!("chat_uploads_refused_total", "limit" => "person"),
            refused_node: counter!("chat_uploads_refused_total", "limit" => "node"),
        })
    }

    /// Takes a slot for an upload of `who`, which is free again when the returned value is dropped.
    ///
    /// # Errors
    /// 429 when the person has as many uploads as one may have, 503 when the node has.
    pub(crate) fn begin(self: &Arc<Self>, who: &UserId) -> Result<UploadSlot, ApiError> {
        let UploadSettings { per_person, per_node, .. } = self.settings;
        let mut running = self.lock();
        let own = running.by_person.get(who).copied().unwrap_or_default();
        if own >= per_person {
            self.refused_person.increment(1);
            let message = format!("you have {own} uploads running, and no more are allowed; let one end first");
            return Err(refused(ErrorCode::TooManyUploads, message));
        }
        if running.total >= per_node {
            self.refused_node.increment(1);
            return Err(refused(ErrorCode::Unavailable, "the service takes no more uploads now; try again later"));
        }
        running.total += 1;
        running.by_person.insert(who.clone(), own + 1);
        drop(running);
        Ok(UploadSlot { uploads: Arc::clone(self), who: who.clone(), _gauge: GaugeGuard::new(self.gauge.clone()) })
    }

    /// A panic under the lock is none of ours: nothing in there can panic.
    fn lock(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn refused(code: ErrorCode, message: impl Into<String>) -> ApiError {
    ApiError::new(code, message).with_header(RETRY_AFTER, HeaderValue::from(RETRY_SECONDS))
}

/// The right to run one upload.
pub(crate) struct UploadSlot {
    uploads: Arc<Uploads>,
    who: UserId,
    _gauge: GaugeGuard<Gauge>,
}

impl Drop for UploadSlot {
    fn drop(&mut self) {
        let mut running = self.uploads.lock();
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

    fn uploads(per_person: usize, per_node: usize) -> Arc<Uploads> {
        Uploads::new(UploadSettings { per_person, per_node, ..UploadSettings::default() })
    }

    fn user(id: &str) -> UserId {
        UserId::parse(id).unwrap()
    }

    fn refusal(outcome: Result<UploadSlot, ApiError>) -> ErrorCode {
        outcome.map(|_| "a slot").unwrap_err().code()
    }

    #[test]
    fn a_person_has_so_many_slots_and_others_have_their_own() {
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
