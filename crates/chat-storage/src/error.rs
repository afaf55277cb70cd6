//! What goes wrong with storage, and how the operating system's errors become the domain's.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use chat_domain::ChatError;
use tokio::task::JoinError;

/// Why a store could not be opened. Meant for whoever starts the process: it names the path and what to do.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// `open` was called outside a tokio runtime.
    #[error("the attachment store must be opened inside a tokio runtime, on which it then does its file work")]
    NoRuntime,
    /// The directory cannot be used.
    #[error("cannot use {} for attachments: {source}; {remedy}", path.display())]
    Directory {
        /// The directory or file that could not be used.
        path: PathBuf,
        /// What to do about it.
        remedy: &'static str,
        /// What the operating system said.
        source: io::Error,
    },
}

impl StorageError {
    pub(crate) fn directory(path: &Path, source: io::Error) -> Self {
        let remedy = match source.kind() {
            ErrorKind::PermissionDenied => {
                "let the user that runs this process write there, or choose another directory"
            }
            ErrorKind::ReadOnlyFilesystem => "it is mounted read-only: mount it writable, or choose another directory",
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "free some space, or choose another directory",
            ErrorKind::NotADirectory | ErrorKind::AlreadyExists => {
                "a file is in the way: move it, or choose another directory"
            }
            _ => "make it a directory that this process can write to, or choose another one",
        };
        Self::Directory { path: path.to_owned(), remedy, source }
    }
}

/// Translates an error of the file system. `doing` says what was attempted. No path gets into the error, because it
/// may be logged.
pub(crate) fn file_error(doing: &'static str, error: &io::Error) -> ChatError {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => ChatError::unavailable("the attachment disk is full"),
        ErrorKind::ReadOnlyFilesystem => ChatError::unavailable("the attachment disk is read-only"),
        _ if is_out_of_files(error) => ChatError::unavailable("too many files are open to reach attachments"),
        _ => ChatError::internal(format!("cannot {doing}: {error}")),
    }
}

/// Translates the end of a blocking task that gave no result.
pub(crate) fn task_error(error: &JoinError) -> ChatError {
    if error.is_cancelled() {
        ChatError::unavailable("the attachment store is shutting down")
    } else {
        ChatError::internal("a file operation of the attachment store panicked")
    }
}

/// `EMFILE` and `ENFILE`, which `ErrorKind` does not name. They have the same numbers on every Unix.
fn is_out_of_files(error: &io::Error) -> bool {
    cfg!(unix) && matches!(error.raw_os_error(), Some(23 | 24))
}

#[cfg(test)]
mod tests {
    use std::io;

    use chat_domain::ChatError;

    use super::file_error;

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_passes_and_is_not_blamed_on_the_code() {
        for errno in [28, 122] {
            let error = file_error("write an attachment", &io::Error::from_raw_os_error(errno));
            assert!(matches!(error, ChatError::Unavailable { reason, .. } if reason == "the attachment disk is full"));
        }
    }

    #[cfg(unix)]
    #[test]
    fn running_out_of_file_handles_passes() {
        let error = file_error("read an attachment", &io::Error::from_raw_os_error(24));
        assert!(matches!(error, ChatError::Unavailable { .. }));
    }

    #[test]
    fn any_other_failure_is_internal_and_says_what_was_attempted() {
        let error = file_error("read an attachment", &io::Error::from(io::ErrorKind::InvalidData));
        assert_eq!(error.to_string(), "internal error: cannot read an attachment: invalid data");
    }
}
