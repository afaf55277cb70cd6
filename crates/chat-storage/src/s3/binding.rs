//! To which database the objects belong: the object `database-id` beside them.
//!
//! It is made by the first node that uses them, and never changes. A node that starts while S3 is unreachable checks it
//! before the first file: texts need no S3, and a node that refused to start would not serve them.

use std::sync::atomic::Ordering;

use chat_domain::{ChatError, Result};
use object_store::PutMode;
use object_store::path::Path;

use super::S3AttachmentStore;
use super::client::S3Client;
use super::failure::S3Failure;

const NAME: &str = "database-id";

/// Why the objects cannot be used by a database.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum S3BindError {
    /// The objects belong to another database.
    #[error("the attachments in {location} belong to another database; the object `database-id` there says which")]
    OtherDatabase {
        /// Where they lie.
        location: String,
    },
    /// No database has used them.
    #[error("no database has used the attachments in {location} yet")]
    Unused {
        /// Where they lie.
        location: String,
    },
    /// The service ignores conditions, without which two nodes could replace what the other one wrote.
    #[error(
        "the service of {location} ignores `If-None-Match`; use one with conditional writes, as Amazon S3 has them"
    )]
    NoConditions {
        /// Where they lie.
        location: String,
    },
    /// The service cannot be reached or does not answer in time.
    #[error("{location} cannot be reached: {reason}")]
    Unreachable {
        /// Where they lie.
        location: String,
        /// What happened.
        reason: String,
    },
    /// The service refuses.
    #[error(
        "{location} cannot be used: {reason}; check the bucket, AWS_REGION, AWS_ENDPOINT_URL and the rights of the key"
    )]
    Refused {
        /// Where they lie.
        location: String,
        /// What it said.
        reason: String,
    },
}

/// A database of which it is not known yet whether the objects belong to it.
#[derive(Debug)]
pub(super) struct Unverified {
    pub(super) identity: String,
    /// Whether it was logged that the objects belong to another database.
    is_reported: bool,
}

impl S3AttachmentStore {
    /// Makes the objects those of the database with this identity where they belong to none, and checks it otherwise.
    /// Nothing else is done with them before.
    ///
    /// # Errors
    /// They belong to another database, or S3 cannot be used. After [`S3BindError::Unreachable`] the store may be used
    /// all the same: everything is unavailable until S3 answers, and then this is done first.
    pub async fn bind(&self, identity: &str) -> Result<(), S3BindError> {
        *self.unverified.lock().await = Some(Unverified { identity: identity.to_owned(), is_reported: false });
        self.is_unverified.store(true, Ordering::Release);
        bind(&self.client, identity).await?;
        *self.unverified.lock().await = None;
        self.is_unverified.store(false, Ordering::Release);
        Ok(())
    }

    /// Checks that the objects belong to the database with this identity, and changes nothing.
    ///
    /// # Errors
    /// They do not, or S3 cannot be used.
    pub async fn verify_bound(&self, identity: &str) -> Result<(), S3BindError> {
        match identity_there(&self.client).await? {
            Some(found) => compare(&self.client, &found, identity),
            None => Err(S3BindError::Unused { location: self.client.location.to_string() }),
        }
    }

    /// That the objects belong to the database, where that could not be found out at start.
    pub(super) async fn verified(&self) -> Result<()> {
        if !self.is_unverified.load(Ordering::Acquire) {
            return Ok(());
        }
        // Each attempt may take seconds, so the others do not wait for one after the other.
        let Ok(mut unverified) = self.unverified.try_lock() else {
            return Err(ChatError::unavailable("to which database the objects in S3 belong is being looked up"));
        };
        let Some(Unverified { identity, is_reported }) = unverified.as_mut() else { return Ok(()) };
        if let Err(error) = bind(&self.client, identity).await {
            // Requests would repeat the line.
            if !matches!(error, S3BindError::Unreachable { .. }) && !std::mem::replace(is_reported, true) {
                tracing::warn!("attachments cannot be used: {error}");
            }
            return Err(ChatError::unavailable(error.to_string()));
        }
        *unverified = None;
        self.is_unverified.store(false, Ordering::Release);
        Ok(())
    }
}

async fn bind(client: &S3Client, identity: &str) -> Result<(), S3BindError> {
    if identity_there(client).await?.is_none() {
        match create(client, identity).await {
            // Of two nodes that start at once, one has made it.
            Ok(()) | Err(S3Failure::Condition) => {}
            Err(failure) => return Err(failed(client, &failure)),
        }
    }
    let found = identity_there(client).await?.unwrap_or_default();
    compare(client, &found, identity)?;
    // The same text again: a service that takes it ignores the condition, and nothing was changed.
    match create(client, identity).await {
        Err(S3Failure::Condition) => Ok(()),
        Ok(()) => Err(S3BindError::NoConditions { location: client.location.to_string() }),
        Err(failure) => Err(failed(client, &failure)),
    }
}

async fn create(client: &S3Client, identity: &str) -> Result<(), S3Failure> {
    client.put_small(key(client), format!("{identity}\n"), PutMode::Create).await
}

async fn identity_there(client: &S3Client) -> Result<Option<String>, S3BindError> {
    let found = client.small(key(client)).await.map_err(|failure| failed(client, &failure))?;
    Ok(found.map(|(bytes, _)| String::from_utf8_lossy(&bytes).trim().to_owned()))
}

fn compare(client: &S3Client, found: &str, identity: &str) -> Result<(), S3BindError> {
    if found == identity {
        return Ok(());
    }
    Err(S3BindError::OtherDatabase { location: client.location.to_string() })
}

fn key(client: &S3Client) -> Path {
    client.location.key(NAME)
}

/// A service that answers and refuses will refuse again, and the operator must know it at the start.
fn failed(client: &S3Client, failure: &S3Failure) -> S3BindError {
    let location = client.location.to_string();
    let reason = failure.reason();
    let refuses = ["status code: 400", "status code: 401", "status code: 403", "does not exist", "redirect"]
        .iter()
        .any(|part| reason.contains(part));
    match failure {
        S3Failure::Unavailable(_) if !refuses => S3BindError::Unreachable { location, reason },
        _ => S3BindError::Refused { location, reason },
    }
}
