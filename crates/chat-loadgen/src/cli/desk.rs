//! `chat-loadgen desk`.

use clap::Args;

use super::RunVerdict;
use super::options::{OutputOptions, ServiceOptions, check_server_pid, run_name};
use crate::desk::{self, DeskOptions, DeskPlan};
use crate::error::LoadError;
use crate::http::Target;
use crate::measure::print_report;

/// Let customers write to the sessions of many agents, who have an inbox and their sessions open
#[derive(Debug, Args)]
pub(super) struct DeskCommand {
    #[command(flatten)]
    service: ServiceOptions,
    /// A further node of the service; may be given several times. Sockets begin at all nodes in turn, and messages are
    /// sent to --url.
    #[arg(long, value_name = "URL", value_parser = Target::parse)]
    node_url: Vec<Target>,
    #[command(flatten)]
    options: DeskOptions,
    #[command(flatten)]
    output: OutputOptions,
}

impl DeskCommand {
    /// Bad when a message did not reach the socket of its agent, or in the wrong order, or none was sent.
    pub(super) async fn run(&self) -> Result<RunVerdict, LoadError> {
        check_server_pid(self.options.server_pid)?;
        let plan = DeskPlan {
            options: self.options.clone(),
            nodes: std::iter::once(&self.service.url).chain(&self.node_url).cloned().collect(),
            tokens: self.service.tokens.tokens()?,
            timeout: self.service.timeout,
            run_name: run_name(),
        };
        let report = desk::desk(plan, self.output.progress()).await?;
        print_report(&report, self.output.json)?;
        Ok(RunVerdict(report.succeeded > 0 && report.missing == 0 && report.order_faults == 0))
    }
}
