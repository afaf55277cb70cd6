//! Finding objects by age, page by page.

use std::collections::BinaryHeap;
use std::fs;
use std::io;
use std::path::Path;
use std::time::SystemTime;

use chat_domain::model::AttachmentId;

use super::layout::{Layout, bucket_name, is_bucket_name, parse_object_name};
use super::staging::if_there;

/// At most `limit` objects last written before `before`, ascending, right after `after`.
///
/// Memory: the names of the directories, and `limit` ids, however many objects there are.
pub(super) fn stored_before(
    layout: &Layout,
    before: SystemTime,
    after: Option<AttachmentId>,
    limit: usize,
) -> io::Result<Vec<AttachmentId>> {
    let mut found = Vec::new();
    for bucket in buckets(layout, after)? {
        let left = limit.saturating_sub(found.len());
        if left == 0 {
            break;
        }
        found.extend(first_of_bucket(&layout.objects.join(bucket), before, after, left)?);
    }
    Ok(found)
}

/// The directories that can hold objects after `after`, ascending.
fn buckets(layout: &Layout, after: Option<AttachmentId>) -> io::Result<Vec<String>> {
    let from = after.map(bucket_name).unwrap_or_default();
    let mut names = Vec::new();
    for entry in fs::read_dir(&layout.objects)? {
        let Ok(name) = entry?.file_name().into_string() else { continue };
        if is_bucket_name(&name) && name >= from {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// The `limit` smallest ids of a directory that are old enough.
fn first_of_bucket(
    bucket: &Path,
    before: SystemTime,
    after: Option<AttachmentId>,
    limit: usize,
) -> io::Result<Vec<AttachmentId>> {
    let mut smallest = BinaryHeap::new();
    for entry in fs::read_dir(bucket)? {
        let entry = entry?;
        let Some(id) = parse_object_name(&entry.file_name()) else { continue };
        if after.is_some_and(|after| id <= after) {
            continue;
        }
        let full = smallest.len() >= limit;
        if full && smallest.peek().is_some_and(|largest| id >= *largest) {
            continue;
        }
        let Some(metadata) = if_there(entry.metadata())? else { continue };
        if metadata.is_file() && metadata.modified()? < before {
            smallest.push(id);
            if full {
                smallest.pop();
            }
        }
    }
    Ok(smallest.into_sorted_vec())
}
