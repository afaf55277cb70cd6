//! `attachments migrate`: the stored files move to another place, while nodes serve from both.

use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::ensure;
use chat_domain::Result;
use chat_domain::model::AttachmentId;
use chat_domain::service::{AttachmentMigration, FileMigration};
use clap::Args;
use tokio::task::JoinSet;

use crate::cli::block_on;
use crate::config::{AttachmentsUrl, Config, values};
use crate::wire::MigratingFiles;

/// How often a line says how far it is.
const REPORTED_EVERY: Duration = Duration::from_secs(5);

/// How many of the files that could not be copied are named. While a store is out of reach, that may be all.
const MOST_NAMED: u64 = 100;

/// From where to where.
#[derive(Args)]
pub(super) struct MigrateArguments {
    /// Where the files lie, such as `file:///var/lib/chat/attachments`. Nothing is changed there.
    #[arg(long, value_name = "URL", value_parser = values::attachments_url)]
    from: AttachmentsUrl,
    /// Where they are copied to, such as `s3://bucket/prefix`.
    #[arg(long, value_name = "URL", value_parser = values::attachments_url)]
    to: AttachmentsUrl,
    /// How many files are copied at the same time. With S3, each takes up to 12 MiB of memory.
    #[arg(long, value_name = "NUMBER", default_value = "8", value_parser = values::count::<usize, 64>)]
    parallel: usize,
}

/// Copies what the new place does not have. A file that cannot be copied is left out, and the others are copied.
///
/// # Errors
/// The places are the same or belong to another database; a file is damaged or could not be copied; the files cannot be
/// listed.
pub(super) fn run(config: &Config, arguments: &MigrateArguments, out: &mut dyn Write) -> anyhow::Result<()> {
    let MigrateArguments { from, to, parallel } = arguments;
    ensure!(from != to, "--from and --to name the same place");
    block_on(async {
        let files = MigratingFiles::open(config, from, to).await?;
        let moved = MigrationProgress::new(out).copy_all(&files.migration, *parallel).await;
        files.close().await;
        moved
    })
}

/// How far the copying is.
struct MigrationProgress<'a> {
    out: &'a mut dyn Write,
    started: Instant,
    reported: Instant,
    copied: u64,
    bytes: u64,
    present: u64,
    gone: u64,
    damaged: u64,
    failed: u64,
}

type Copies = JoinSet<(AttachmentId, Result<FileMigration>)>;

impl<'a> MigrationProgress<'a> {
    fn new(out: &'a mut dyn Write) -> Self {
        let now = Instant::now();
        Self { out, started: now, reported: now, copied: 0, bytes: 0, present: 0, gone: 0, damaged: 0, failed: 0 }
    }

    async fn copy_all(mut self, migration: &AttachmentMigration, parallel: usize) -> anyhow::Result<()> {
        let listed = self.copy_listed(migration, parallel).await;
        self.summary()?;
        listed?;
        ensure!(
            self.failed == 0,
            "{} files could not be copied; run the same command again, which copies what the new place does not have",
            self.failed
        );
        ensure!(
            self.damaged == 0,
            "{} files are not what they were uploaded with, and were not copied; restore them from a backup of the \
             attachments",
            self.damaged
        );
        Ok(())
    }

    /// Copies file after file until there are no more, or they cannot be listed.
    async fn copy_listed(&mut self, migration: &AttachmentMigration, parallel: usize) -> anyhow::Result<()> {
        let (mut running, mut after) = (Copies::new(), None);
        let listed = loop {
            let batch = match migration.batch(after).await {
                Ok(Some(batch)) => batch,
                Ok(None) => break Ok(()),
                // What is being copied comes to its end.
                Err(error) => break Err(error),
            };
            self.present += u64::try_from(batch.present)?;
            for id in batch.missing {
                while running.len() >= parallel {
                    self.wait(&mut running).await?;
                }
                let migration = migration.clone();
                running.spawn(async move { (id, migration.copy(id).await) });
            }
            after = Some(batch.last);
        };
        while !running.is_empty() {
            self.wait(&mut running).await?;
        }
        Ok(listed?)
    }

    /// Waits for one of the files.
    async fn wait(&mut self, running: &mut Copies) -> anyhow::Result<()> {
        let Some(done) = running.join_next().await else { return Ok(()) };
        let (id, outcome) = done?;
        match outcome {
            Ok(FileMigration::Copied(bytes)) => {
                self.copied += 1;
                self.bytes += bytes;
            }
            Ok(FileMigration::Gone) => self.gone += 1,
            Ok(FileMigration::Damaged) => {
                self.damaged += 1;
                writeln!(self.out, "damaged\t{id}")?;
            }
            Err(error) => {
                self.failed += 1;
                if self.failed <= MOST_NAMED {
                    writeln!(self.out, "failed\t{id}\t{}", error.to_string().escape_debug())?;
                }
                if self.failed == MOST_NAMED {
                    writeln!(self.out, "files that fail from here on are counted and not named")?;
                }
            }
        }
        if self.reported.elapsed() >= REPORTED_EVERY {
            self.reported = Instant::now();
            let rate = self.bytes / self.started.elapsed().as_secs().max(1) / 1024;
            let Self { out, copied, bytes, failed, .. } = self;
            writeln!(out, "{copied} files copied, {bytes} bytes, {rate} KiB/s, {failed} failed; last {id}")?;
            self.out.flush()?;
        }
        Ok(())
    }

    fn summary(&mut self) -> anyhow::Result<()> {
        let Self { out, copied, bytes, present, gone, damaged, failed, .. } = self;
        Ok(writeln!(
            out,
            "{copied} files copied ({bytes} bytes), {present} were there, {gone} gone meanwhile, {damaged} damaged, \
             {failed} failed"
        )?)
    }
}
