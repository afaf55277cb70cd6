//! Whether files can be stored and read, for the readiness of the node.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chat_domain::ports::HealthProbe;
use object_store::PutMode;
use tokio::time::timeout;

use super::S3AttachmentStore;
use super::client::S3Client;
use super::failure::S3Failure;

const NAME: &str = "health";
const TEXT: &str = "chat-server writes this to see whether it can\n";
/// How long a check waits for the trial before it reports what was known before. A service that hangs must not hold up
/// the check of the node.
const WAIT: Duration = Duration::from_millis(500);
/// How long it takes from one trial to the next: each is a request that is paid for.
const TRIED_EVERY: Duration = Duration::from_secs(10);

impl S3AttachmentStore {
    /// Writes and reads a small object.
    ///
    /// # Errors
    /// Why that cannot be done.
    pub async fn try_out(&self) -> Result<(), String> {
        try_out(&self.client).await.map_err(|failure| failure.reason())
    }

    /// Tries it now and then, one trial at a time.
    async fn try_now_and_then(&self) {
        let Ok(mut last) = Arc::clone(&self.tried).try_lock_owned() else { return };
        let has_outage = self.client.unreachable.is_active() || self.client.full.is_active();
        if !has_outage && last.is_some_and(|last: Instant| last.elapsed() < TRIED_EVERY) {
            return;
        }
        let store = self.clone();
        let trial = self.client.runtime.spawn(async move {
            // Before it is known whose objects these are, nothing is written among them.
            if store.verified().await.is_ok() {
                let _noted_by_the_client = try_out(&store.client).await;
            }
            *last = Some(Instant::now());
        });
        let _goes_on = timeout(WAIT, trial).await;
    }
}

async fn try_out(client: &S3Client) -> Result<(), S3Failure> {
    let key = client.location.key(NAME);
    client.put_small(key.clone(), TEXT, PutMode::Overwrite).await?;
    let found = client.small(key).await?;
    if found.is_some_and(|(bytes, _)| bytes == TEXT) {
        return Ok(());
    }
    Err(S3Failure::Unavailable("what was written reads differently".to_owned()))
}

/// A service that is unreachable or full does not prevent texts, and every node would report the same: the node stays
/// ready.
#[async_trait]
impl HealthProbe for S3AttachmentStore {
    fn name(&self) -> &'static str {
        "attachments"
    }

    async fn check(&self) -> Result<(), String> {
        self.try_now_and_then().await;
        Ok(())
    }

    fn degraded(&self) -> Option<&'static str> {
        if self.client.unreachable.is_active() || self.is_unverified.load(Ordering::Acquire) {
            return Some("files are out of reach; texts can be sent");
        }
        self.client.full.is_active().then_some("no room for files; texts can be sent")
    }
}
