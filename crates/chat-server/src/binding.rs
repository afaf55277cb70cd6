//! The database and the attachment store belong together: what no message of the database refers to is removed from
//! the attachment store after some days, and beside another database, or a second server, that would be what others
//! need. So the store carries the identity of its database, and is held by one server at a time, or by several that all
//! use the same database. A copy of the database has the same identity: that it collects nothing is the business of the
//! file `collector` beside the mark, which the attachment store keeps.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, ensure};

use uuid::Uuid;

use crate::exclusive::{self, FileLock, Sharing};

/// Names the database, inside the attachments' directory.
const MARK: &str = "database-id";
/// What the servers that use the directory hold.
const LOCK: &str = "lock";

/// A database as the mark and the operator know it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bound<'a> {
    /// Which database it is, wherever it lies.
    pub(crate) identity: &'a str,
    /// What the operator calls it.
    pub(crate) name: &'a str,
    /// Whether several servers may use it.
    pub(crate) sharing: Sharing,
}

/// Holds the attachments' directory `root` for this process, and marks it as the database's where it has no mark yet.
///
/// # Errors
/// Another server holds the directory, it belongs to another database, or it cannot be read or written.
pub(crate) fn bind(root: &Path, database: Bound<'_>) -> anyhow::Result<FileLock> {
    let held = hold(root, database.sharing)?;
    join(root, database)?;
    Ok(held)
}

/// Marks the attachments' directory `root` as the database's where it has no mark, beside the processes that hold it.
///
/// # Errors
/// It belongs to another database, or it cannot be read or written.
pub(crate) fn join(root: &Path, database: Bound<'_>) -> anyhow::Result<()> {
    if !is_marked(root)? {
        mark(root, database.identity).with_context(|| format!("cannot write {}", root.join(MARK).display()))?;
    }
    // Read in any case: of two servers that share the directory and start at once, one has made the mark.
    verify(root, database)
}

/// Holds the attachments' directory `root` for this process, whichever database it belongs to.
///
/// # Errors
/// Another server holds the directory, or it cannot be written.
pub(crate) fn hold(root: &Path, sharing: Sharing) -> anyhow::Result<FileLock> {
    let what = format!("the attachments {}", root.display());
    exclusive::hold(&root.join(LOCK), &what, "--attachments-url (CHAT_ATTACHMENTS_URL)", sharing)
}

/// Whether a database was ever used with the attachments' directory `root`.
///
/// # Errors
/// It cannot be looked at.
pub(crate) fn is_marked(root: &Path) -> anyhow::Result<bool> {
    let path = root.join(MARK);
    path.try_exists().with_context(|| format!("cannot look for {}", path.display()))
}

/// Checks that the attachments' directory `root` belongs to the database, and changes nothing.
///
/// # Errors
/// It belongs to another database, or to none, or it cannot be read.
pub(crate) fn verify(root: &Path, database: Bound<'_>) -> anyhow::Result<()> {
    let path = root.join(MARK);
    let shown = path.display();
    let mark = fs::read_to_string(&path).with_context(|| format!("cannot read {shown}"))?;
    ensure!(
        mark.trim() == database.identity,
        "the attachments {} belong to another database than {} ({shown} says which); choose the database they belong \
         to with --database-url (CHAT_DATABASE_URL), or another directory with --attachments-url \
         (CHAT_ATTACHMENTS_URL)",
        root.display(),
        database.name,
    );
    Ok(())
}

/// Writes the mark beside its place and links it there unless there is one, so that it is missing or whole whenever
/// the power goes, and never changes. After a crash a draft may be left, which means nothing.
fn mark(root: &Path, identity: &str) -> io::Result<()> {
    // A name of its own: a server on another machine may do the same at this moment.
    let draft = root.join(format!("{MARK}.{}", Uuid::now_v7()));
    let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&draft)?;
    let linked = writeln!(file, "{identity}")
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::hard_link(&draft, root.join(MARK)));
    fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    File::open(root)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::sync::Barrier;
    use std::thread;

    use super::*;

    const OURS: Bound<'_> = Bound { identity: "0123456789abcdef", name: "sqlite:///ours.db", sharing: Sharing::Alone };
    const OTHER: Bound<'_> = Bound { identity: "fedcba9876543210", name: "sqlite:///other.db", ..OURS };

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
        drop(bind(dir.path(), OURS).unwrap());
        let path = dir.path().join(MARK);
        assert_eq!(fs::read_to_string(&path).unwrap(), "0123456789abcdef\n");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let names = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name());
        assert_eq!(names.filter(|name| name != LOCK).collect::<Vec<_>>(), [MARK]);
    }

    #[test]
    fn a_mark_that_cannot_be_read_is_not_taken_for_a_missing_one() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join(MARK)).unwrap();
        let refused = bind(dir.path(), OURS).unwrap_err().to_string();
        assert!(refused.contains("cannot read") && refused.contains(MARK), "{refused}");
    }

    #[test]
    fn of_databases_that_share_a_directory_from_the_same_moment_one_gets_it() {
        // Several rounds, since in some of them no two servers meet between the same two steps.
        for _round in 0..50 {
            let dir = tempfile::tempdir().unwrap();
            let identities: Vec<String> = (0..8).map(|number| format!("{number:032x}")).collect();
            let outcomes = bind_at_once(dir.path(), &identities);
            let mark = fs::read_to_string(dir.path().join(MARK)).unwrap();
            for (identity, outcome) in identities.iter().zip(outcomes) {
                assert_eq!(outcome.is_ok(), mark.trim() == identity, "{identity} beside {mark}: {outcome:?}");
            }
        }
    }

    fn bind_at_once(root: &Path, identities: &[String]) -> Vec<anyhow::Result<FileLock>> {
        let begin = Barrier::new(identities.len());
        thread::scope(|scope| {
            let begin = &begin;
            let bind = |identity| {
                begin.wait();
                bind(root, Bound { identity, name: "postgres://db/chat", sharing: Sharing::Shared })
            };
            let servers: Vec<_> = identities.iter().map(|identity| scope.spawn(move || bind(identity))).collect();
            servers.into_iter().map(|server| server.join().unwrap()).collect()
        })
    }

    #[test]
    fn servers_of_one_database_share_a_directory_but_not_with_one_that_wants_it_alone() {
        let dir = tempfile::tempdir().unwrap();
        let shared = Bound { sharing: Sharing::Shared, ..OURS };
        let nodes = [bind(dir.path(), shared).unwrap(), bind(dir.path(), shared).unwrap()];
        let refused = bind(dir.path(), OURS).unwrap_err().to_string();
        assert!(refused.contains("another chat-server uses the attachments"), "{refused}");
        drop(nodes);
        bind(dir.path(), OURS).unwrap();
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
