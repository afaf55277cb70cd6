//! Whether attachments can be written, read and deleted.

use std::fs;
use std::os::unix::fs::MetadataExt;

use rustix::process::geteuid;

use super::{Diagnosis, wire};
use crate::config::{AttachmentsUrl, Config};
use crate::wire::{FallbackCheck, StoreCheck};

/// Writes, reads and deletes a file in the place of the attachments.
pub(super) async fn check(config: &Config) -> Diagnosis {
    const CHECK: &str = "attachments";
    let remedy = match &config.attachments_url {
        AttachmentsUrl::File(_) => {
            "let the user of the node read and write there, or choose another place with --attachments-url \
             (CHAT_ATTACHMENTS_URL)"
        }
        AttachmentsUrl::S3(_) => {
            "check the bucket, AWS_REGION, AWS_ENDPOINT_URL and the rights of the key: GetObject, PutObject, DeleteObject, \
             ListBucket and AbortMultipartUpload"
        }
    };
    let place = &config.attachments_url;
    match wire::try_store(config).await {
        Ok(StoreCheck::Unused) => Diagnosis::warn(
            CHECK,
            format!("no node has used {place} yet, so nothing was tried"),
            "start the node, which creates it, and look again",
        ),
        Ok(StoreCheck::Usable) => {
            let done = format!("a file was written, read and deleted in {place}");
            match owner_beside_root(place) {
                Some(owner) => Diagnosis::warn(
                    CHECK,
                    format!("{done} as root, who may do that anywhere; it belongs to the user {owner}"),
                    "run this command as the user of the node",
                ),
                None => Diagnosis::ok(CHECK, done),
            }
        }
        Err(error) => failed(CHECK, &error, remedy),
    }
}

/// Looks at the place where files are read that are not in the first one.
pub(super) async fn check_fallback(config: &Config) -> Option<Diagnosis> {
    const CHECK: &str = "attachments fallback";
    let place = config.attachments_fallback_url.as_ref()?;
    Some(match wire::try_fallback(config).await? {
        Ok(FallbackCheck::Used) => Diagnosis::ok(CHECK, format!("files can be read in {place} too")),
        Ok(FallbackCheck::Empty) => Diagnosis::warn(
            CHECK,
            format!("{place} has no files"),
            "if no files are being moved, take --attachments-fallback-url (CHAT_ATTACHMENTS_FALLBACK_URL) away: each file \
             that is missing is looked for there",
        ),
        Ok(FallbackCheck::Unknown) => Diagnosis::warn(
            CHECK,
            format!("the database could not be asked whether the files in {place} are its own, so nothing was tried"),
            "see the check of the database; a node creates it when it starts",
        ),
        // The error may name the option of the first place, which is not the one to change.
        Err(error) => Diagnosis::fail(
            CHECK,
            format!("{error:#}"),
            "set --attachments-fallback-url (CHAT_ATTACHMENTS_FALLBACK_URL) to the place where files of this database lie, \
             make that place reachable, or take the option away",
        ),
    })
}

/// The variables for S3 that have no effect.
pub(super) fn check_variables(config: &Config) -> Option<Diagnosis> {
    let unused = wire::unused_aws_variables(config);
    (!unused.is_empty()).then(|| {
        Diagnosis::warn(
            "AWS variables",
            format!("set and not used by the node: {}", unused.join(", ")),
            "correct their names, or take them away unless other programs need them; they are used if --attachments-url \
             (CHAT_ATTACHMENTS_URL) or --attachments-fallback-url (CHAT_ATTACHMENTS_FALLBACK_URL) names S3, and profiles \
             are not read",
        )
    })
}

/// A failure, with the remedy unless its text has one, which names the option.
fn failed(check: &'static str, error: &anyhow::Error, remedy: &str) -> Diagnosis {
    let finding = format!("{error:#}");
    if finding.contains("(CHAT_ATTACHMENTS_URL)") {
        Diagnosis::fail_with_remedy_in_text(check, finding)
    } else {
        Diagnosis::fail(check, finding, remedy)
    }
}

/// Whose directory it is, if this process is root and it belongs to another user.
fn owner_beside_root(place: &AttachmentsUrl) -> Option<u32> {
    let AttachmentsUrl::File(path) = place else { return None };
    let owner = fs::metadata(path).ok()?.uid();
    (geteuid().is_root() && owner != geteuid().as_raw()).then_some(owner)
}
