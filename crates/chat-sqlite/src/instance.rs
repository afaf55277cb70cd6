//! What tells a database file from a copy of it.

use std::fs;
use std::path::Path;
use std::time::UNIX_EPOCH;

use chat_domain::model::DatabaseInstance;
use chat_domain::{ChatError, Result};

/// The file's number in its file system and the moment at which it was made there: both are new for a copy, and stay
/// when the file is renamed. A file system that does not know the moment leaves the number.
pub(crate) fn of_file(path: &Path) -> Result<DatabaseInstance> {
    let unreadable = |error| ChatError::internal(format!("cannot look at the database file: {error}"));
    let metadata = fs::metadata(path).map_err(unreadable)?;
    let made = metadata.created().ok().and_then(|made| made.duration_since(UNIX_EPOCH).ok());
    let made = made.map_or_else(|| "unknown".to_owned(), |made| made.as_nanos().to_string());
    let name = format!("sqlite:{}-{made}", number(&metadata));
    DatabaseInstance::parse(&name)
        .map_err(|_rule| ChatError::internal("the database file has a number that is no name"))
}

#[cfg(unix)]
fn number(metadata: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

#[cfg(not(unix))]
fn number(_: &fs::Metadata) -> u64 {
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_keeps_its_name_and_a_copy_has_another() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        fs::write(at("chat.db"), "one").unwrap();
        let original = of_file(&at("chat.db")).unwrap();
        fs::copy(at("chat.db"), at("copy.db")).unwrap();
        assert_ne!(of_file(&at("copy.db")).unwrap(), original);
        fs::write(at("chat.db"), "two").unwrap();
        fs::rename(at("chat.db"), at("moved.db")).unwrap();
        assert_eq!(of_file(&at("moved.db")).unwrap(), original);
        assert!(of_file(&at("chat.db")).is_err());
    }
}
