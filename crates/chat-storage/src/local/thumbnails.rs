//! Thumbnails beside the objects.
//!
//! A file is on the disk before it has its name, so that a crash leaves no half of one. Its name need not be: a thumbnail
//! that a crash takes is made again.

use std::fs;
use std::io;

use chat_domain::model::{AttachmentId, ThumbnailOutcome, ThumbnailSize};
use tokio::runtime::Handle;

use super::layout::Layout;
use super::staging::{Complete, create_directory, if_there, remove_if_there};
use crate::thumbnail_text;

/// What is kept. `None` when that is nothing, or no file of ours.
pub(super) fn find(layout: &Layout, id: AttachmentId, size: ThumbnailSize) -> io::Result<Option<ThumbnailOutcome>> {
    Ok(if_there(fs::read(layout.thumbnail(id, size)))?.and_then(|file| thumbnail_text::parse(&file.into())))
}

/// Keeps an outcome, unless the object is not there.
pub(super) fn save(
    layout: &Layout,
    id: AttachmentId,
    size: ThumbnailSize,
    outcome: &ThumbnailOutcome,
    runtime: &Handle,
) -> io::Result<()> {
    let file = Complete::of(&thumbnail_text::pieces(outcome), layout, id, runtime)?;
    // Both: an operator may delete all thumbnails at any time.
    create_directory(&layout.thumbnails)?;
    create_directory(&layout.thumbnail_bucket(id))?;
    let place = layout.thumbnail(id, size);
    file.replace(&place)?;
    // Asked last: a removal of the object that this does not see removes its thumbnails afterwards.
    if layout.object(id).try_exists()? { Ok(()) } else { remove_if_there(&place) }
}

/// Removes all that is kept of an object.
pub(super) fn remove(layout: &Layout, id: AttachmentId) -> io::Result<()> {
    ThumbnailSize::ALL.into_iter().try_for_each(|size| remove_if_there(&layout.thumbnail(id, size)))
}
