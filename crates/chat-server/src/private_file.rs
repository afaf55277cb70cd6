//! Files of the data directory that only their owner may read, written beside their place so that they are missing or whole.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// A file that only its owner may read. It is removed when it is dropped, unless it was given another name.
pub(crate) struct PrivateFile {
    path: PathBuf,
}

impl PrivateFile {
    /// Writes the content to a new file that is named after `name`.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn new(data_dir: &Path, name: &str, content: &str) -> anyhow::Result<Self> {
        let path = data_dir.join(format!("{name}.{}", random_hex::<8>()?));
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        let private = Self { path };
        file.write_all(content.as_bytes())?;
        file.sync_all()?;
        Ok(private)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for PrivateFile {
    fn drop(&mut self) {
        let _best_effort = fs::remove_file(&self.path);
    }
}

/// Random bytes of the operating system, in hexadecimal digits.
///
/// # Errors
/// The system has none.
pub(crate) fn random_hex<const BYTES: usize>() -> anyhow::Result<String> {
    let mut random = [0; BYTES];
    getrandom::fill(&mut random)?;
    Ok(random.iter().fold(String::new(), |mut hex, byte| {
        let _infallible = std::fmt::Write::write_fmt(&mut hex, format_args!("{byte:02x}"));
        hex
    }))
}
