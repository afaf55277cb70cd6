//! What goes wrong with storage, and how the operating system's errors become the domain's.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use chat_domain::ChatError;
use chat_domain::error::Invalid;
use tokio::task::JoinError;

use crate::intake::FIELD;

/// Why a store could not be opened. Meant for the operator: it names the path and what to do.
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
    /// The settings of S3 are wrong.
    #[error("cannot use {location} for attachments: {problem}; check the variables that begin with AWS_")]
    S3 {
        /// The bucket.
        location: String,
        /// What is wrong.
        problem: String,
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
///
/// A disk that is full stays so until a person makes room, and a file that is larger than the file system or a limit of
/// the process allows never fits: neither passes within a second.
pub(crate) fn file_error(doing: &'static str, error: &io::Error) -> ChatError {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => ChatError::StorageFull,
        ErrorKind::FileTooLarge => Invalid::new(FIELD, "must not be larger than this server can store").into(),
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
    use std::fs::File;
    use std::io::{self, Write as _};

    use chat_domain::ChatError;

    use super::file_error;

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_neither_busy_nor_the_fault_of_the_code() {
        let mut full = File::options().write(true).open("/dev/full").unwrap();
        let no_room = full.write_all(b"x").unwrap_err();
        for error in [no_room, io::Error::from_raw_os_error(122)] {
            assert!(matches!(file_error("write an attachment", &error), ChatError::StorageFull), "{error}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_that_never_fits_is_too_large() {
        let error = file_error("write an attachment", &io::Error::from_raw_os_error(27));
        assert_eq!(error.to_string(), "attachments must not be larger than this server can store");
        assert!(matches!(error, ChatError::Invalid(_)));
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
