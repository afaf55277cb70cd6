//! The attachment store: which one, to which database it belongs, and what holds it.

use std::env;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use chat_domain::ports::{AttachmentStore, HealthProbe, StoreOwnership, ThumbnailStore};
use chat_domain::service::AttachmentMigration;
use chat_storage::{
    FallbackAttachmentStore, LocalAttachmentStore, S3AttachmentStore, S3BindError, S3Location, S3Settings,
    is_s3_variable,
};

use super::{NullNotifier, Repositories, Store};
use crate::binding::{self, Bound};
use crate::config::{AttachmentsUrl, Config};
use crate::exclusive::FileLock;

/// The attachment store, what tells its state, and the hold on it.
pub(super) struct Attachments {
    pub(super) store: Arc<dyn AttachmentStore>,
    pub(super) thumbnails: Arc<dyn ThumbnailStore>,
    pub(super) ownership: Arc<dyn StoreOwnership>,
    pub(super) probe: Arc<dyn HealthProbe>,
    pub(super) held: Option<FileLock>,
}

/// Who else may use the stored files meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StoreAccess {
    /// No other node, or all nodes of a database that takes several.
    Alone,
    /// Anyone: nothing is changed.
    Look,
}

impl Attachments {
    /// Opens the attachment store of this database, and of no other.
    ///
    /// # Errors
    /// It cannot be used, or belongs to another database.
    pub(super) async fn open(config: &Config, database: &Store, access: StoreAccess) -> anyhow::Result<Self> {
        let name = config.database_url.to_string();
        let bound = Bound { identity: database.identity(), name: &name, sharing: database.sharing() };
        let files = match &config.attachments_url {
            AttachmentsUrl::File(path) => open_directory(path, bound, access)?,
            AttachmentsUrl::S3(location) => open_bucket(location, bound, access).await?,
        };
        let Some(url) = &config.attachments_fallback_url else { return Ok(files) };
        let fallback = open_fallback(url, bound).await?;
        tracing::info!("attachments that are not there are read in {url}");
        Ok(Self { store: Arc::new(FallbackAttachmentStore::new(files.store, fallback)), ..files })
    }

    fn of<T>(store: T, held: Option<FileLock>) -> Self
    where
        T: AttachmentStore + ThumbnailStore + StoreOwnership + HealthProbe + 'static,
    {
        let store = Arc::new(store);
        let (thumbnails, ownership) = (Arc::<T>::clone(&store), Arc::<T>::clone(&store));
        Self { store: Arc::clone(&store) as _, thumbnails, ownership, probe: store, held }
    }
}

fn open_directory(path: &Path, bound: Bound<'_>, access: StoreAccess) -> anyhow::Result<Attachments> {
    let store = LocalAttachmentStore::open(path)?;
    let held = match access {
        StoreAccess::Alone => Some(binding::bind(path, bound)?),
        StoreAccess::Look => {
            binding::verify(path, bound)?;
            None
        }
    };
    tracing::info!("attachments are kept in the directory {}", path.display());
    Ok(Attachments::of(store, held))
}

/// A bucket has no lock. What an SQLite database needs, one node at a time, the lock of its file holds.
async fn open_bucket(location: &S3Location, bound: Bound<'_>, access: StoreAccess) -> anyhow::Result<Attachments> {
    let store = bucket(location)?;
    let outcome = match access {
        StoreAccess::Alone => store.bind(bound.identity).await,
        StoreAccess::Look => store.verify_bound(bound.identity).await,
    };
    match (outcome, access) {
        (Ok(()), _) => tracing::info!("attachments are kept in {location}"),
        // Texts need no attachments, and a node that does not start serves none.
        (Err(error @ S3BindError::Unreachable { .. }), StoreAccess::Alone) => {
            tracing::warn!("attachments are kept in {location}, which is checked as soon as it answers: {error}");
        }
        (Err(error), _) => return Err(explained(error, bound)),
    }
    Ok(Attachments::of(store, None))
}

/// Opens a place to read from it alone: nothing is made, marked or held there.
pub(super) async fn open_fallback(url: &AttachmentsUrl, bound: Bound<'_>) -> anyhow::Result<Arc<dyn AttachmentStore>> {
    match url {
        AttachmentsUrl::File(path) => {
            binding::verify(path, bound)
                .context("the place of --attachments-fallback-url (CHAT_ATTACHMENTS_FALLBACK_URL) cannot be used")?;
            Ok(Arc::new(LocalAttachmentStore::open_to_read(path)?))
        }
        AttachmentsUrl::S3(location) => {
            let store = bucket(location)?;
            match store.verify_bound(bound.identity).await {
                Ok(()) => {}
                Err(error @ S3BindError::Unreachable { .. }) => {
                    tracing::warn!("{error}; files that are there alone are missing");
                }
                Err(error) => {
                    return Err(explained(error, bound)).context(
                        "the place of --attachments-fallback-url (CHAT_ATTACHMENTS_FALLBACK_URL) cannot be used",
                    );
                }
            }
            Ok(Arc::new(store))
        }
    }
}

/// Opens a place that nodes with another configuration use too: it is marked as this database's where it has no mark, and
/// held by none.
async fn open_beside(url: &AttachmentsUrl, bound: Bound<'_>) -> anyhow::Result<Arc<dyn AttachmentStore>> {
    match url {
        AttachmentsUrl::File(path) => {
            let store = LocalAttachmentStore::open(path)?;
            binding::join(path, bound)?;
            Ok(Arc::new(store))
        }
        AttachmentsUrl::S3(location) => {
            let store = bucket(location)?;
            match store.bind(bound.identity).await {
                Ok(()) => {}
                Err(error @ S3BindError::Unreachable { .. }) => {
                    tracing::warn!("{error}; it is checked as soon as it answers");
                }
                Err(error) => return Err(explained(error, bound)),
            }
            Ok(Arc::new(store))
        }
    }
}

/// The places of files that move, and the database that knows their hashes.
pub(crate) struct MigratingFiles {
    /// Copies them.
    pub(crate) migration: AttachmentMigration,
    database: Store,
}

impl MigratingFiles {
    /// Opens both places beside the nodes that use them.
    ///
    /// # Errors
    /// One of them cannot be used, or belongs to another database.
    pub(crate) async fn open(config: &Config, from: &AttachmentsUrl, to: &AttachmentsUrl) -> anyhow::Result<Self> {
        let database = Store::open_as_it_is(config, Arc::new(NullNotifier)).await?;
        let name = config.database_url.to_string();
        let bound = Bound { identity: database.identity(), name: &name, sharing: database.sharing() };
        let from: Arc<dyn AttachmentStore> = match from {
            AttachmentsUrl::File(path) => {
                binding::verify(path, bound)?;
                Arc::new(LocalAttachmentStore::open_to_read(path)?)
            }
            AttachmentsUrl::S3(location) => {
                let store = bucket(location)?;
                store.verify_bound(bound.identity).await.map_err(|error| explained(error, bound))?;
                Arc::new(store)
            }
        };
        let to = open_beside(to, bound).await?;
        let Repositories { messages, uploads, .. } = database.repositories();
        Ok(Self { migration: AttachmentMigration { from, to, messages, uploads }, database })
    }

    /// Closes the database.
    pub(crate) async fn close(self) {
        drop(self.migration);
        self.database.close().await;
    }
}

/// The store in a bucket, with the usual variables of the environment.
///
/// # Errors
/// The variables are wrong.
pub(super) fn bucket(location: &S3Location) -> anyhow::Result<S3AttachmentStore> {
    Ok(S3AttachmentStore::open(S3Settings { location: location.clone(), variables: aws_variables().collect() })?)
}

fn aws_variables() -> impl Iterator<Item = (String, String)> {
    let variables =
        env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    variables.filter(|(name, _)| name.starts_with("AWS_"))
}

/// The variables for S3 that are set and have no effect, in alphabetical order.
pub(crate) fn unused_aws_variables(config: &Config) -> Vec<String> {
    let places = [Some(&config.attachments_url), config.attachments_fallback_url.as_ref()];
    let uses_s3 = places.into_iter().flatten().any(|place| matches!(place, AttachmentsUrl::S3(_)));
    let names = aws_variables().map(|(name, _)| name);
    let mut unused: Vec<String> = names.filter(|name| !(uses_s3 && is_s3_variable(name))).collect();
    unused.sort_unstable();
    unused
}

/// The error with what to do about it.
pub(super) fn explained(error: S3BindError, bound: Bound<'_>) -> anyhow::Error {
    match error {
        S3BindError::OtherDatabase { .. } => anyhow!(
            "{error}, and it is not {}; choose the database they belong to with --database-url (CHAT_DATABASE_URL), or \
             another bucket or prefix with --attachments-url (CHAT_ATTACHMENTS_URL)",
            bound.name
        ),
        S3BindError::Unused { .. }
        | S3BindError::NoConditions { .. }
        | S3BindError::Unreachable { .. }
        | S3BindError::Refused { .. } => error.into(),
    }
}
