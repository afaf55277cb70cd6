//! What a backup says of itself. It is written last, so that a directory with it is complete.

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The name of the file.
const FILE: &str = "manifest.json";
/// The form of backups that this version writes and reads.
const FORMAT: u32 = 1;

/// What a backup holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    format: u32,
    /// The version of the program that made it.
    pub(super) version: String,
    /// When it was made (RFC 3339).
    pub(super) made_at: String,
    /// The SHA-256 of the copy of the database, in hexadecimal digits.
    pub(super) database_sha256: String,
    /// How many attachments there are.
    pub(super) attachments: u64,
    /// How many bytes they have together.
    pub(super) attachment_bytes: u64,
}

impl Manifest {
    pub(super) fn new(made_at: String, database_sha256: String, attachments: u64, attachment_bytes: u64) -> Self {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        Self { format: FORMAT, version, made_at, database_sha256, attachments, attachment_bytes }
    }

    /// Writes it into the backup, durably.
    pub(super) fn write(&self, backup: &Path) -> anyhow::Result<()> {
        let path = backup.join(FILE);
        let text = serde_json::to_string_pretty(self)?;
        let written = create_private(&path).and_then(|mut file| {
            writeln!(file, "{text}")?;
            file.sync_all()
        });
        written.with_context(|| format!("cannot write {}", path.display()))
    }

    /// Compares what it says about the attachments with those that the messages of the database have.
    ///
    /// # Errors
    /// They are others.
    pub(super) fn require_counts(&self, attachments: u64, bytes: u64) -> anyhow::Result<()> {
        ensure!(
            (self.attachments, self.attachment_bytes) == (attachments, bytes),
            "its {FILE} has {} attachments of {} bytes, and its database {attachments} of {bytes} bytes; use another \
             backup",
            self.attachments,
            self.attachment_bytes,
        );
        Ok(())
    }

    /// Reads it from a backup.
    ///
    /// # Errors
    /// There is none, so that the directory is no complete backup, or it is of another form.
    pub(super) fn read(backup: &Path) -> anyhow::Result<Self> {
        let path = backup.join(FILE);
        let shown = path.display();
        let text = fs::read_to_string(&path).with_context(|| {
            format!("cannot read {shown}; choose a directory that `chat-server backup` has completed")
        })?;
        let manifest: Self = serde_json::from_str(&text).with_context(|| format!("{shown} is damaged"))?;
        ensure!(
            manifest.format == FORMAT,
            "{shown} has the format {}, and this version reads {FORMAT}; use the version that made it ({})",
            manifest.format,
            manifest.version,
        );
        Ok(manifest)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        let _infallible = write!(hex, "{byte:02x}");
        hex
    })
}

/// Makes a file that only its owner may read, and that is not there yet.
pub(super) fn create_private(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Reads all of a file, hands it piece by piece to `take`, and returns its SHA-256 in hexadecimal digits.
pub(super) fn digest(path: &Path, mut take: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let count = file.read(&mut buffer)?;
        let Some(piece) = buffer.get(..count).filter(|piece| !piece.is_empty()) else { break };
        hash.update(piece);
        take(piece)?;
    }
    Ok(hex(&hash.finalize()))
}
