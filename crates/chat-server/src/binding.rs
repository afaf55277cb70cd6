//! The database and the attachment store belong together: what no message of the database refers to is removed from
//! the attachment store after a day, and beside another database, or a second server, that would be what others need.
//! So the store is held by one server at a time, and carries the identity of its database.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, bail};

use crate::exclusive::{self, Held};

/// Names the database, inside the attachments' directory.
const MARK: &str = "database-id";
/// The mark while it is written.
const DRAFT: &str = "database-id.new";
/// What the server that uses the directory holds.
const LOCK: &str = "lock";

/// A database as the mark and the operator know it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bound<'a> {
    /// Which database it is, wherever it lies.
    pub(crate) identity: &'a str,
    /// What the operator calls it.
    pub(crate) name: &'a str,
}

/// Holds the attachments' directory `root` for this process, and marks it as the database's where it has no mark yet.
///
/// # Errors
/// Another server holds the directory, it belongs to another database, or it cannot be read or written.
pub(crate) fn bind(root: &Path, database: Bound<'_>) -> anyhow::Result<Held> {
    let what = format!("the attachments {}", root.display());
    let held = exclusive::hold(&root.join(LOCK), &what, "--attachments-url (CHAT_ATTACHMENTS_URL)")?;
    let path = root.join(MARK);
    let shown = path.display();
    match fs::read_to_string(&path) {
        Ok(mark) if mark.trim() == database.identity => {}
        Ok(_) => bail!(
            "{what} belong to another database than {} ({shown} says which); choose the database they belong to with \
             --database-url (CHAT_DATABASE_URL), or another directory with --attachments-url (CHAT_ATTACHMENTS_URL)",
            database.name,
        ),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            mark(root, database.identity).with_context(|| format!("cannot write {shown}"))?;
        }
        Err(error) => return Err(error).with_context(|| format!("cannot read {shown}")),
    }
    Ok(held)
}

/// Writes the mark beside its place and moves it there, so that it is missing or whole whenever the power goes. What
/// is left of an earlier try is written over: nobody else writes here while the directory is held.
fn mark(root: &Path, identity: &str) -> io::Result<()> {
    let draft = root.join(DRAFT);
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&draft)?;
    writeln!(file, "{identity}")?;
    file.sync_all()?;
    fs::rename(&draft, root.join(MARK))?;
    File::open(root)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const OURS: Bound<'_> = Bound { identity: "0123456789abcdef", name: "sqlite:///ours.db" };
    const OTHER: Bound<'_> = Bound { identity: "fedcba9876543210", name: "sqlite:///other.db" };

    #[test]
    fn a_directory_stays_with_the_database_that_used_it_first() {
        let dir = tempfile::tempdir().unwrap();
        drop(bind(dir.path(), OURS).unwrap());
        let refused = bind(dir.path(), OTHER).unwrap_err().to_string();
        for part in [OTHER.name, "--database-url (CHAT_DATABASE_URL)", "--attachments-url (CHAT_ATTACHMENTS_URL)"] {
            assert!(refused.contains(part), "{refused}");
        }
        drop(bind(dir.path(), OURS).unwrap());
    }

    #[test]
    fn the_mark_is_whole_and_for_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(DRAFT), "what a crash left of an earlier and longer try").unwrap();
        fs::set_permissions(dir.path().join(DRAFT), fs::Permissions::from_mode(0o600)).unwrap();
        drop(bind(dir.path(), OURS).unwrap());
        let path = dir.path().join(MARK);
        assert_eq!(fs::read_to_string(&path).unwrap(), "0123456789abcdef\n");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!dir.path().join(DRAFT).exists());
    }

    #[test]
    fn a_mark_that_cannot_be_read_is_not_taken_for_a_missing_one() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join(MARK)).unwrap();
        let refused = bind(dir.path(), OURS).unwrap_err().to_string();
        assert!(refused.contains("cannot read") && refused.contains(MARK), "{refused}");
    }

    #[test]
    fn a_directory_has_one_server_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let held = bind(dir.path(), OURS).unwrap();
        let refused = bind(dir.path(), OURS).unwrap_err().to_string();
        assert!(refused.contains("another chat-server uses the attachments"), "{refused}");
        assert!(refused.contains("--attachments-url (CHAT_ATTACHMENTS_URL)"), "{refused}");
        drop(held);
        bind(dir.path(), OURS).unwrap();
    }
}
