//! The keys that an identity provider publishes, kept current.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use chat_domain::model::Timestamp;
use chat_domain::ports::{Clock, HealthProbe};
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};

use super::fetch::{FetchedKeys, KeySetClient, KeySetError};
use super::kept_keys::KeptKeys;
use super::location::KeySetLocation;
use super::schedule::{FetchSchedule, REFRESH_EVERY, RETRY_AFTER};
use crate::keys::{KeySet, MAX_KEYS};

/// How often the age of the keys is shown.
const SHOW_AGE_EVERY: Duration = Duration::from_secs(1);

/// How a key set is fetched and kept.
#[derive(Clone, Debug)]
pub struct KeySetSettings {
    /// Where it is published.
    pub location: KeySetLocation,
    /// Whether it may be fetched over plain HTTP and from private addresses: for tests, and for an identity provider in
    /// the same cluster.
    pub allow_private_hosts: bool,
    /// The file in which the last one is kept for the next start, if any.
    pub kept_in: Option<PathBuf>,
}

/// The keys that an identity provider publishes.
///
/// [`open`](Self::open) fetches them, [`keep_current`](Self::keep_current) fetches them again every minute. A token with an
/// unknown `kid` causes a fetch at once, at most every 30 seconds. While the provider is unreachable, the last keys count.
pub struct RemoteKeySet {
    location: KeySetLocation,
    client: KeySetClient,
    kept: Option<Arc<KeptKeys>>,
    clock: Arc<dyn Clock>,
    schedule: FetchSchedule,
    current: RwLock<Arc<PublishedKeys>>,
    /// The version of `current`, read without a lock.
    version: AtomicU64,
    /// Milliseconds since 1970.
    fetched_at: AtomicI64,
    is_unreachable: AtomicBool,
}

/// One version of the key set.
#[derive(Debug)]
pub(crate) struct PublishedKeys {
    pub(crate) keys: KeySet,
    pub(crate) version: u64,
    text: String,
}

impl RemoteKeySet {
    /// Fetches the key set; if that fails, takes the key set that was kept less than a day ago.
    ///
    /// # Errors
    /// There is neither; or the provider publishes no key that can be used.
    pub async fn open(settings: KeySetSettings, clock: Arc<dyn Clock>) -> Result<Arc<Self>, KeySetError> {
        let KeySetSettings { location, allow_private_hosts, kept_in } = settings;
        let client = KeySetClient::new(allow_private_hosts)?;
        let kept = kept_in.map(|path| Arc::new(KeptKeys::new(path, &location)));
        let (fetched, fetched_at, is_unreachable) = match client.fetch(&location).await {
            Ok(fetched) => (fetched, clock.now(), false),
            Err(error) => {
                let (fetched, fetched_at) =
                    kept.as_deref().and_then(|kept| last_kept(kept, clock.now())).ok_or(error.clone())?;
                log_outage(&location, &error, clock.now().since(fetched_at));
                (fetched, fetched_at, true)
            }
        };
        if fetched.keys.len() == 0 {
            return Err(no_usable_key(&location, &fetched));
        }
        log_keys(&location, &fetched);
        let keys = PublishedKeys { keys: fetched.keys, version: 0, text: fetched.text };
        let opened = Self {
            location,
            client,
            kept,
            clock,
            schedule: FetchSchedule::default(),
            current: RwLock::new(Arc::new(keys)),
            version: AtomicU64::new(0),
            fetched_at: AtomicI64::new(fetched_at.unix_ms()),
            is_unreachable: AtomicBool::new(is_unreachable),
        };
        if !is_unreachable {
            opened.keep(fetched_at).await;
        }
        Ok(Arc::new(opened))
    }

    /// Keeps the keys current for as long as it is polled.
    pub async fn keep_current(&self) {
        tokio::join!(self.fetch_when_due(), self.show_age());
    }

    /// How long ago the keys were fetched.
    pub fn age(&self) -> Duration {
        self.clock.now().since(Timestamp::from_unix_ms(self.fetched_at.load(Ordering::Relaxed)))
    }

    /// How many fetches have finished since the key set was opened.
    pub fn finished_fetches(&self) -> watch::Receiver<u64> {
        self.schedule.finished()
    }

    /// The keys as they are now.
    pub(crate) fn current(&self) -> Arc<PublishedKeys> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The version of the keys. It changes whenever they do.
    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// Waits for the fetch that an unknown key causes. Returns whether one has finished, after which another look may
    /// find the key.
    pub(crate) async fn fetched_for_unknown_key(&self) -> bool {
        self.schedule.fetched_for_unknown_key().await
    }

    async fn fetch_when_due(&self) {
        loop {
            let wait = if self.is_unreachable.load(Ordering::Relaxed) { RETRY_AFTER } else { REFRESH_EVERY };
            self.schedule.due(wait).await;
            self.schedule.run(self.refresh()).await;
        }
    }

    /// Fetches the keys. What the provider publishes is the truth, also when it is a set without a key.
    async fn refresh(&self) {
        let outcome = match self.client.fetch(&self.location).await {
            Ok(fetched) => {
                let fetched_at = self.clock.now();
                self.publish(fetched, fetched_at);
                self.keep(fetched_at).await;
                "ok"
            }
            Err(error) => {
                if !self.is_unreachable.swap(true, Ordering::Relaxed) {
                    log_outage(&self.location, &error, self.age());
                }
                "failed"
            }
        };
        metrics::counter!("chat_key_set_fetches_total", "outcome" => outcome).increment(1);
    }

    fn publish(&self, fetched: FetchedKeys, fetched_at: Timestamp) {
        self.fetched_at.store(fetched_at.unix_ms(), Ordering::Relaxed);
        if self.is_unreachable.swap(false, Ordering::Relaxed) {
            tracing::info!("the key set of {} can be fetched again", self.location);
        }
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if current.text == fetched.text {
            return;
        }
        log_keys(&self.location, &fetched);
        let version = current.version + 1;
        *current = Arc::new(PublishedKeys { keys: fetched.keys, version, text: fetched.text });
        self.version.store(version, Ordering::Release);
    }

    /// Keeps the keys for the next start.
    async fn keep(&self, fetched_at: Timestamp) {
        let Some(kept) = self.kept.clone() else { return };
        let current = self.current();
        match spawn_blocking(move || kept.write(&current.text, fetched_at)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!("cannot keep the key set for the next start: {error}"),
            Err(error) => tracing::error!("cannot keep the key set for the next start: {error}"),
        }
    }

    async fn show_age(&self) {
        let gauge = metrics::gauge!("chat_key_set_age_seconds");
        let mut rounds = interval(SHOW_AGE_EVERY);
        rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            rounds.tick().await;
            gauge.set(self.age().as_secs_f64());
        }
    }
}

/// Ready also while the provider is unreachable: the last keys count.
#[async_trait]
impl HealthProbe for RemoteKeySet {
    fn name(&self) -> &'static str {
        "token keys"
    }

    async fn check(&self) -> Result<(), String> {
        Ok(())
    }

    fn degraded(&self) -> Option<&'static str> {
        if self.is_unreachable.load(Ordering::Relaxed) {
            Some("the key set cannot be fetched; the last keys are used")
        } else if self.current().keys.len() == 0 {
            Some("the key set has no key that can be used; every token is refused")
        } else {
            None
        }
    }
}

fn last_kept(kept: &KeptKeys, now: Timestamp) -> Option<(FetchedKeys, Timestamp)> {
    let (text, fetched_at) = kept.read(now)?;
    let fetched = FetchedKeys::parse(text).ok()?;
    Some((fetched, fetched_at))
}

fn no_usable_key(location: &KeySetLocation, fetched: &FetchedKeys) -> KeySetError {
    let reasons = &fetched.passed_over;
    let reasons = if reasons.is_empty() { "it is empty".to_owned() } else { reasons.join("; ") };
    KeySetError::NoUsableKey { location: location.to_string(), reasons }
}

fn log_keys(location: &KeySetLocation, fetched: &FetchedKeys) {
    let (keys, passed_over) = (fetched.keys.len(), fetched.passed_over.len());
    if keys == 0 {
        tracing::warn!("the key set of {location} has no key that can be used: every token is refused");
    }
    if fetched.unread > 0 {
        tracing::warn!(
            "the key set of {location} has {} keys more than the first {MAX_KEYS}, and these are not read: tokens that \
             they signed are refused",
            fetched.unread,
        );
    }
    tracing::info!(keys, passed_over, "the key set of {location} has {keys} keys for tokens");
    for reason in &fetched.passed_over {
        tracing::debug!("the key set of {location}: {reason}");
    }
}

/// Once for each outage.
fn log_outage(location: &KeySetLocation, error: &KeySetError, age: Duration) {
    tracing::warn!(
        "the key set of {location} cannot be fetched: {error}; the keys of {} seconds ago are used until it can",
        age.as_secs(),
    );
}
