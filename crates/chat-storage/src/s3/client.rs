//! The way to S3: its settings, and every limit of time and of attempts.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey};
use object_store::path::Path;
use object_store::{
    Attributes, BackoffConfig, ClientOptions, GetOptions, ObjectStore, ObjectStoreExt, PutMode, RetryConfig,
};
use tokio::runtime::Handle;
use tokio::task::{JoinError, JoinSet};
use tokio::time::timeout;

use super::connector::ConditionalConnector;
use super::failure::S3Failure;
use super::location::S3Location;
use crate::outage::{OutageMonitor, StoreOutage};

/// How long a request may take that sends and gets little, with all its attempts.
pub(super) const REQUEST_LIMIT: Duration = Duration::from_secs(5);
/// A service that takes less than so many bytes a second is as good as away.
const LEAST_BYTES_PER_SECOND: u64 = 128 * 1024;
/// How long completing an upload may take: the service puts its parts together.
pub(super) const COMPLETION_LIMIT: Duration = Duration::from_mins(1);
/// How long the next piece of an object may take to come.
pub(super) const PIECE_LIMIT: Duration = Duration::from_secs(10);
/// How often a read that broke off is taken up again without a byte in between.
pub(super) const READ_ATTEMPTS: u32 = 3;
const CONNECT_LIMIT: Duration = Duration::from_secs(2);
const RETRIES: usize = 3;
const RETRY_LIMIT: Duration = Duration::from_secs(4);
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// How many connections stay open without a request.
const IDLE_CONNECTIONS: usize = 32;

/// How long it may take to send so many bytes, with all attempts.
pub(super) fn transfer_limit(bytes: u64) -> Duration {
    REQUEST_LIMIT.saturating_add(Duration::from_secs(bytes / LEAST_BYTES_PER_SECOND))
}

/// What is needed to use S3.
#[derive(Clone)]
pub struct S3Settings {
    /// Where objects lie.
    pub location: S3Location,
    /// Variables as those of the environment whose names begin with `AWS_`: keys, region, endpoint. `object_store` says
    /// which there are (`AmazonS3ConfigKey`); others are ignored.
    pub variables: Vec<(String, String)>,
}

/// The client of one bucket. Every request is made on the runtime in which it was opened, whichever thread waits for it.
pub(super) struct S3Client {
    pub(super) store: AmazonS3,
    pub(super) location: S3Location,
    pub(super) runtime: Handle,
    pub(super) full: OutageMonitor,
    pub(super) unreachable: OutageMonitor,
}

/// Without the keys that the inner store has.
impl fmt::Debug for S3Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Client").field("location", &self.location).finish_non_exhaustive()
    }
}

impl S3Client {
    /// Nothing is sent yet.
    ///
    /// # Errors
    /// What is wrong with the variables.
    pub(super) fn new(settings: S3Settings, runtime: Handle) -> Result<Self, String> {
        check_endpoint(&settings.variables)?;
        let options = ClientOptions::new()
            .with_timeout_disabled()
            .with_connect_timeout(CONNECT_LIMIT)
            .with_pool_max_idle_per_host(IDLE_CONNECTIONS);
        if !settings.variables.iter().any(|(name, _)| name == "AWS_ACCESS_KEY_ID") {
            tracing::info!("AWS_ACCESS_KEY_ID is not set: S3 is used with the credentials of this machine");
        }
        let mut builder = AmazonS3Builder::new().with_client_options(options);
        for (name, value) in settings.variables {
            if let Some(key) = setting(&name) {
                builder = builder.with_config(key, value);
            }
        }
        let backoff = BackoffConfig { init_backoff: FIRST_WAIT, max_backoff: LONGEST_WAIT, base: 2.0 };
        let store = builder
            .with_bucket_name(settings.location.bucket())
            .with_retry(RetryConfig { backoff, max_retries: RETRIES, retry_timeout: RETRY_LIMIT })
            // One object at a time is deleted, which every service can do.
            .with_disable_bulk_delete(true)
            .with_http_connector(ConditionalConnector)
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Self {
            store,
            location: settings.location,
            runtime,
            full: OutageMonitor::new(StoreOutage::ServiceFull),
            unreachable: OutageMonitor::new(StoreOutage::ServiceUnreachable),
        })
    }

    /// Makes a request, and gives it up when it takes longer than `limit` or the caller goes away.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        limit: Duration,
        request: impl Future<Output = object_store::Result<T>> + Send + 'static,
    ) -> Result<T, S3Failure> {
        let mut task = JoinSet::new();
        task.spawn_on(within(limit, request), &self.runtime);
        let outcome = task.join_next().await;
        self.noted(outcome.unwrap_or_else(|| Ok(Err(S3Failure::Unexpected("no task was started".to_owned())))))
    }

    /// Notes what the outcome of a task says about the service.
    pub(super) fn noted<T>(&self, outcome: Result<Result<T, S3Failure>, JoinError>) -> Result<T, S3Failure> {
        let outcome = outcome.unwrap_or_else(|error| {
            Err(if error.is_cancelled() {
                S3Failure::Unavailable("the attachment store is shutting down".to_owned())
            } else {
                S3Failure::Unexpected("a request to S3 panicked".to_owned())
            })
        });
        match &outcome {
            Ok(_) | Err(S3Failure::Missing | S3Failure::Condition) => self.unreachable.record_success(),
            Err(S3Failure::Full(reason)) => {
                self.unreachable.record_success();
                self.full.record_failure(reason);
            }
            Err(S3Failure::Unavailable(reason)) => self.unreachable.record_failure(reason),
            Err(S3Failure::Unexpected(_)) => {}
        }
        outcome
    }

    /// A small object; `None` when it is not there. With what it is replaced under a condition.
    pub(super) async fn small(&self, key: Path) -> Result<Option<(Bytes, Option<String>)>, S3Failure> {
        let store = self.store.clone();
        let read = self.run(REQUEST_LIMIT, async move {
            let found = store.get_opts(&key, GetOptions::default()).await?;
            let tag = found.meta.e_tag.clone();
            Ok((found.bytes().await?, tag))
        });
        match read.await {
            Ok(found) => Ok(Some(found)),
            Err(S3Failure::Missing) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Writes a small object under a condition.
    pub(super) async fn put_small(&self, key: Path, text: impl Into<Bytes>, mode: PutMode) -> Result<(), S3Failure> {
        let (store, text) = (self.store.clone(), text.into());
        let written =
            self.run(REQUEST_LIMIT, async move { store.put_opts(&key, text.into(), mode.into()).await }).await;
        if written.is_ok() {
            self.full.record_success();
        }
        written.map(|_| ())
    }

    /// Deletes an object; a missing one is as good as deleted.
    pub(super) async fn delete(&self, key: Path) -> Result<(), S3Failure> {
        let store = self.store.clone();
        match self.run(REQUEST_LIMIT, async move { store.delete(&key).await }).await {
            Err(S3Failure::Missing) => Ok(()),
            deleted => deleted,
        }
    }

    /// What an object was stored with; `None` when it is not there.
    pub(super) async fn attributes(&self, key: Path) -> Result<Option<Attributes>, S3Failure> {
        let store = self.store.clone();
        let asked = self.run(REQUEST_LIMIT, async move { attributes(&store, &key).await });
        match asked.await {
            Ok(found) => Ok(Some(found)),
            Err(S3Failure::Missing) => Ok(None),
            Err(failure) => Err(failure),
        }
    }
}

/// What a variable sets, by its name. `None` if it sets nothing.
fn setting(variable: &str) -> Option<AmazonS3ConfigKey> {
    let key = variable.to_ascii_lowercase().parse().ok()?;
    // The bucket is that of the location.
    (key != AmazonS3ConfigKey::Bucket).then_some(key)
}

/// Whether a variable of this name, such as `AWS_REGION`, has an effect.
pub fn is_s3_variable(name: &str) -> bool {
    setting(name).is_some()
}

/// Checks that requests can be sent to the address of the service.
fn check_endpoint(variables: &[(String, String)]) -> Result<(), String> {
    let value = |wanted: &str| variables.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
    for name in ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT"] {
        let Some(url) = value(name) else { continue };
        let is_plain = url.starts_with("http://");
        if !is_plain && !url.starts_with("https://") {
            return Err(format!("{name} must begin with https:// or http://, such as https://s3.example.com"));
        }
        // The address is shown in errors and in the log.
        let authority = url.split_once("://").map_or("", |(_, rest)| rest.split(['/', '?', '#']).next().unwrap_or(""));
        if authority.contains('@') {
            return Err(format!(
                "{name} must have no user name and no password; the keys for S3 are AWS_ACCESS_KEY_ID and \
                 AWS_SECRET_ACCESS_KEY, and a valid address is https://s3.example.com"
            ));
        }
        if is_plain && value("AWS_ALLOW_HTTP").is_none_or(|allows| !allows.eq_ignore_ascii_case("true")) {
            return Err(format!("{name} begins with http://, which needs AWS_ALLOW_HTTP=true"));
        }
    }
    Ok(())
}

/// What an object was stored with.
pub(super) async fn attributes(store: &AmazonS3, key: &Path) -> object_store::Result<Attributes> {
    let options = GetOptions { head: true, ..GetOptions::default() };
    Ok(store.get_opts(key, options).await?.attributes)
}

/// A request that is given up after `limit`.
pub(super) async fn within<T>(
    limit: Duration,
    request: impl Future<Output = object_store::Result<T>>,
) -> Result<T, S3Failure> {
    match timeout(limit, request).await {
        Ok(outcome) => outcome.map_err(S3Failure::from),
        Err(_) => Err(S3Failure::Unavailable(format!("S3 did not answer within {} s", limit.as_secs()))),
    }
}
