//! The directory for everything the server keeps on this machine.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use anyhow::Context;

/// Makes the directory when it is missing, for its owner's eyes only.
///
/// # Errors
/// It cannot be made.
pub(crate) fn make(path: &Path) -> anyhow::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).with_context(|| {
        format!("cannot make the directory {}; choose another with --data-dir (CHAT_DATA_DIR)", path.display())
    })
}
