//! How fast `attachments migrate` moves files from the disk to S3.

use std::time::Instant;

use super::s3::S3;
use super::transfer::{Service, upload};
use super::{BenchRun, LOADS, Place};
use crate::chat::{Database, run as run_chat};
use crate::figures::Figures;

pub(super) fn measure(run: &BenchRun, s3: &S3, figures: &mut Figures) -> anyhow::Result<()> {
    for load in LOADS {
        let name = format!("moving-{}", load.bytes);
        {
            let chat = Place::Disk.start(run, &name)?;
            upload(&Service::of(&chat)?, load)?;
        }
        let data = run.path(&format!("files-{name}-disk"));
        let from = format!("file://{}", data.join("attachments").display());
        let settings: Vec<(&str, &str)> = s3.variables().iter().map(|(name, value)| (&**name, &**value)).collect();
        for round in run.rounds("moving files to S3") {
            let to = s3.url(&format!("{name}-{round}"));
            let started = Instant::now();
            let arguments = ["attachments", "migrate", "--from", &from, "--to", &to];
            run_chat(&arguments, Database::Sqlite, &data, &settings)?;
            let bytes = u32::try_from(load.files * load.bytes).unwrap_or(u32::MAX);
            let rate = f64::from(bytes) / 1e6 / started.elapsed().as_secs_f64();
            let files = if load.connections == 1 { "4 × 25 MB" } else { "100 × 20 KB" };
            figures.record(format!("attachments migrate of {files}, disk to S3, with its start"), "MB/s", rate);
        }
    }
    Ok(())
}
