//! Reading an object piece by piece.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use async_trait::async_trait;
use bytes::Bytes;
use chat_domain::model::ByteRange;
use chat_domain::ports::ByteSource;
use chat_domain::{ChatError, Result};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::staging::if_there;
use crate::error::{file_error, task_error};

/// The most bytes that are read at once.
const PIECE_BYTES: u64 = 64 * 1024;

/// An object, or a part of it, that is being read.
pub(super) struct FileSource {
    runtime: Handle,
    state: ReadState,
}

enum ReadState {
    Idle {
        file: File,
        remaining: u64,
    },
    /// A piece is being read. It is kept here, so that a caller who drops the future and asks again loses nothing.
    Reading(JoinHandle<io::Result<Piece>>),
    Done,
}

/// A piece, and the file to read the next one from.
struct Piece {
    bytes: Bytes,
    file: File,
    remaining: u64,
}

/// Opens the file at the first byte of the range. `None` when there is no such file.
pub(super) fn open(path: &Path, range: Option<&ByteRange>) -> Result<Option<(File, u64)>> {
    let failed = |error: io::Error| file_error("read an attachment", &error);
    if !is_plain_file(path).map_err(failed)? {
        return Ok(None);
    }
    let Some(mut file) = if_there(File::open(path)).map_err(failed)? else { return Ok(None) };
    let size = file.metadata().map_err(failed)?.len();
    let Some(range) = range else { return Ok(Some((file, size))) };
    if range.last() >= size {
        return Err(ChatError::internal("a range of an attachment must lie inside it"));
    }
    file.seek(SeekFrom::Start(range.first())).map_err(failed)?;
    Ok(Some((file, range.length())))
}

/// Whether there are bytes of an object. What else a restored backup may have left under its name is no object: a directory,
/// a link that leads nowhere or in a circle, and a pipe, at which opening it would wait for a writer.
fn is_plain_file(path: &Path) -> io::Result<bool> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(metadata.is_file()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        // A circle has no stable kind of error.
        Err(error) if error.kind() != io::ErrorKind::PermissionDenied && path.is_symlink() => Ok(false),
        Err(error) => Err(error),
    }
}

impl FileSource {
    pub(super) fn new(runtime: Handle, file: File, remaining: u64) -> Self {
        Self { runtime, state: ReadState::Idle { file, remaining } }
    }
}

#[async_trait]
impl ByteSource for FileSource {
    async fn next_chunk(&mut self) -> Result<Option<Bytes>> {
        if let ReadState::Idle { .. } = self.state
            && let ReadState::Idle { file, remaining } = std::mem::replace(&mut self.state, ReadState::Done)
        {
            if remaining == 0 {
                return Ok(None);
            }
            self.state = ReadState::Reading(self.runtime.spawn_blocking(move || read_piece(file, remaining)));
        }
        let ReadState::Reading(reading) = &mut self.state else { return Ok(None) };
        let outcome = reading.await;
        self.state = ReadState::Done;
        let piece = outcome.map_err(|error| task_error(&error))?;
        let Piece { bytes, file, remaining } = piece.map_err(|error| file_error("read an attachment", &error))?;
        self.state = ReadState::Idle { file, remaining };
        Ok(Some(bytes))
    }
}

fn read_piece(mut file: File, remaining: u64) -> io::Result<Piece> {
    let wanted = remaining.min(PIECE_BYTES);
    let mut buffer = Vec::with_capacity(usize::try_from(wanted).unwrap_or_default());
    let read = (&mut file).take(wanted).read_to_end(&mut buffer)?;
    if buffer.is_empty() {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it is shorter than it was"));
    }
    let remaining = remaining.saturating_sub(u64::try_from(read).unwrap_or(u64::MAX));
    Ok(Piece { bytes: buffer.into(), file, remaining })
}
