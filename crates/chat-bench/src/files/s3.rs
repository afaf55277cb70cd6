//! An S3 server in a process of its own, in a release build: `crates/test-servers/examples/s3.rs`.

use std::io::{BufRead, BufReader};

use anyhow::{Context, ensure};

use crate::process::{MeasuredProcess, command};
use crate::programs::release;

pub(super) struct S3 {
    _process: MeasuredProcess,
    bucket: String,
    variables: Vec<(String, String)>,
}

impl S3 {
    pub(super) fn start() -> anyhow::Result<Self> {
        let (process, output) = MeasuredProcess::start_with_output(&mut command(&release("examples/s3")))?;
        let mut variables = Vec::new();
        let mut bucket = None;
        for line in BufReader::new(output).lines() {
            let line = line?;
            match line.split_once('=') {
                Some(("bucket", name)) => bucket = Some(name.to_owned()),
                Some((name, value)) => variables.push((name.to_owned(), value.to_owned())),
                // The end of the settings.
                None => break,
            }
        }
        ensure!(!variables.is_empty(), "the S3 server has printed no settings");
        Ok(Self { _process: process, bucket: bucket.context("no bucket")?, variables })
    }

    /// The place in the bucket that a name gives.
    pub(super) fn url(&self, name: &str) -> String {
        format!("s3://{}/{name}", self.bucket)
    }

    /// What a client needs to reach it.
    pub(super) fn variables(&self) -> &[(String, String)] {
        &self.variables
    }

    /// Settings of a service that keeps its files there, in a place of its own.
    pub(super) fn settings(&self, name: &str) -> Vec<(String, String)> {
        let place = ("CHAT_ATTACHMENTS_URL".to_owned(), self.url(name));
        self.variables.iter().cloned().chain([place]).collect()
    }
}
