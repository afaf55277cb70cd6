//! Where objects lie: a bucket, and what their keys begin with.

use std::fmt;

use chat_domain::model::{AttachmentId, ThumbnailSize};
use object_store::path::Path;

/// A bucket of S3 and the beginning of all keys in it, as in `s3://bucket/prefix`.
///
/// ```text
/// PREFIX/objects/0198c3a1-7b2e-7c4d-9f10-2233445566aa    an object
/// PREFIX/collector                                       which database collects what no message refers to
/// PREFIX/database-id                                     to which database the objects belong
/// PREFIX/thumbnails/0198c3a1-7b2e-….640                  a thumbnail of it, which can be made again
/// PREFIX/health                                          what readiness writes
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S3Location {
    bucket: String,
    prefix: Vec<String>,
}

impl S3Location {
    /// Reads what follows `s3://`.
    ///
    /// # Errors
    /// Which rule it breaks.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let mut parts = text.trim_end_matches('/').split('/');
        let bucket = parts.next().unwrap_or_default();
        if !is_bucket(bucket) {
            return Err("the bucket must have 3 to 63 characters of a to z, 0 to 9, `.` and `-`");
        }
        let prefix: Vec<String> = parts.map(str::to_owned).collect();
        if prefix.iter().any(|part| !is_part(part)) {
            return Err("each part of the prefix must have 1 to 100 characters of A to Z, a to z, 0 to 9, `-`, `_` \
                        and `.`, and must not be `.` or `..`");
        }
        Ok(Self { bucket: bucket.to_owned(), prefix })
    }

    /// The name of the bucket.
    pub(super) fn bucket(&self) -> &str {
        &self.bucket
    }

    /// The key of an object.
    pub(super) fn object(&self, id: AttachmentId) -> Path {
        self.key("objects").join(id.to_string())
    }

    /// The key of a thumbnail.
    pub(super) fn thumbnail(&self, id: AttachmentId, size: ThumbnailSize) -> Path {
        self.key("thumbnails").join(format!("{id}.{}", size.pixels()))
    }

    /// What the keys of all objects begin with.
    pub(super) fn objects(&self) -> String {
        format!("{}/", self.key("objects"))
    }

    /// The key of a single object beside the others.
    pub(super) fn key(&self, name: &str) -> Path {
        self.prefix.iter().map(String::as_str).chain([name]).collect()
    }
}

/// The name of a bucket (Amazon S3, rules for general purpose buckets).
fn is_bucket(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'.';
    (3..=63).contains(&text.len()) && text.bytes().all(fits) && !text.starts_with(['-', '.'])
}

/// A part of a key that no service and no URL writes in another way.
fn is_part(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=100).contains(&text.len()) && text.bytes().all(fits) && text != "." && text != ".."
}

impl fmt::Display for S3Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}", self.bucket)?;
        self.prefix.iter().try_for_each(|part| write!(f, "/{part}"))
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_location_is_a_bucket_and_perhaps_a_prefix() {
        let id = AttachmentId::new(Uuid::from_u128(1));
        for (text, shown, key) in [
            ("files", "s3://files", "objects/00000000-0000-0000-0000-000000000001"),
            ("my.files/", "s3://my.files", "objects/00000000-0000-0000-0000-000000000001"),
            ("files/chat/Prod_1", "s3://files/chat/Prod_1", "chat/Prod_1/objects/00000000-0000-0000-0000-000000000001"),
        ] {
            let location = S3Location::parse(text).unwrap();
            assert_eq!(location.to_string(), shown);
            assert_eq!(location.object(id).as_ref(), key);
            assert_eq!(location.objects(), key.trim_end_matches(&id.to_string()));
        }
    }

    #[test]
    fn names_that_a_service_or_a_url_would_change_are_refused() {
        for text in
            ["", "ab", "Files", "-files", "files_1", "files//x", "files/a b", "files/../x", "files/a?b", "files/ü"]
        {
            assert!(S3Location::parse(text).is_err(), "{text:?}");
        }
    }
}
