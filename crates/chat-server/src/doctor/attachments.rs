//! Whether attachments can be written, read and deleted.

use std::fs;
use std::os::unix::fs::MetadataExt;

use rustix::process::geteuid;

use super::{Diagnosis, wire};
use crate::config::{AttachmentsUrl, Config};
use crate::wire::StoreCheck;

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
        Err(error) => Diagnosis::fail(CHECK, format!("{error:#}"), remedy),
    }
}

/// Whose directory it is, if this process is root and it belongs to another user.
fn owner_beside_root(place: &AttachmentsUrl) -> Option<u32> {
    let AttachmentsUrl::File(path) = place else { return None };
    let owner = fs::metadata(path).ok()?.uid();
    (geteuid().is_root() && owner != geteuid().as_raw()).then_some(owner)
}
