//! The last key set on the disk, so that a node can start while the identity provider is unreachable.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use chat_domain::model::Timestamp;
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use super::location::KeySetLocation;

/// How old keys may be that a node starts with: a key that was removed meanwhile counts for so long at most.
const MAX_AGE: Duration = Duration::from_hours(24);

/// A file for the key set of one location.
pub(super) struct KeptKeys {
    path: PathBuf,
    location: String,
}

/// What the file holds.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct KeptFile {
    location: String,
    fetched_at_ms: i64,
    key_set: String,
}

impl KeptKeys {
    pub(super) fn new(path: PathBuf, location: &KeySetLocation) -> Self {
        // With its kind: the same text may be a URL of keys and an issuer, whose keys are elsewhere.
        let kind = match location {
            KeySetLocation::Url(_) => "url",
            KeySetLocation::Issuer(_) => "issuer",
        };
        Self { path, location: format!("{kind} {location}") }
    }

    /// The text of the kept key set and when it was fetched; `None` if there is none of this location, or only an old one.
    pub(super) fn read(&self, now: Timestamp) -> Option<(String, Timestamp)> {
        let kept: KeptFile = serde_json::from_slice(&fs::read(&self.path).ok()?).ok()?;
        let fetched_at = Timestamp::from_unix_ms(kept.fetched_at_ms);
        let is_usable = kept.location == self.location && fetched_at <= now && now.since(fetched_at) <= MAX_AGE;
        is_usable.then_some((kept.key_set, fetched_at))
    }

    /// Replaces the kept key set. The file is whole at any moment, and only its owner may write it.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn write(&self, key_set: &str, fetched_at: Timestamp) -> io::Result<()> {
        let kept = KeptFile {
            location: self.location.clone(),
            fetched_at_ms: fetched_at.unix_ms(),
            key_set: key_set.to_owned(),
        };
        let directory = self.path.parent().unwrap_or_else(|| Path::new("."));
        let mut draft = NamedTempFile::new_in(directory)?;
        draft.write_all(&serde_json::to_vec(&kept)?)?;
        draft.as_file().sync_all()?;
        draft.persist(&self.path)?;
        File::open(directory)?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_keys_are_read_for_a_day_and_for_their_location_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token-keys.json");
        let url = |text| KeySetLocation::parse_url(text).unwrap();
        let kept = KeptKeys::new(path.clone(), &url("https://one/"));
        let at = |hours| Timestamp::from_unix_ms(0).plus(Duration::from_hours(hours));
        assert_eq!(kept.read(at(10)), None);
        kept.write("first", at(9)).unwrap();
        kept.write("second", at(10)).unwrap();
        assert_eq!(kept.read(at(34)), Some(("second".to_owned(), at(10))));
        assert_eq!(kept.read(at(35)), None, "they are older than a day");
        assert_eq!(kept.read(at(9)), None, "they are from the future");
        let others =
            [url("https://two/"), url("https://one/keys"), KeySetLocation::parse_issuer("https://one/").unwrap()];
        for other in others {
            assert_eq!(KeptKeys::new(path.clone(), &other).read(at(10)), None, "{other}");
        }
        fs::write(&path, "{").unwrap();
        assert_eq!(kept.read(at(10)), None);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
