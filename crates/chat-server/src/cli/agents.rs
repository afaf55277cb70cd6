//! `agents`: the directory of support agents, also while the server runs: so the database is used as it is.

use std::io::Write;
use std::sync::Arc;

use anyhow::Context;
use chat_domain::model::{Agent, AgentId, AgentUpdate, DisplayName};
use chat_domain::ports::{AgentDirectory, Clock};
use clap::{Args, Subcommand};

use super::block_on;
use crate::config::Config;
use crate::system::SystemClock;
use crate::wire;

/// What to do with the directory.
#[derive(Args)]
pub(super) struct AgentsArguments {
    #[command(subcommand)]
    task: AgentsTask,
}

#[derive(Subcommand)]
enum AgentsTask {
    /// Enter an agent, or activate one who was deactivated.
    Add {
        /// The `sub` of their tokens.
        #[arg(value_parser = agent)]
        id: AgentId,
        /// What they are called.
        #[arg(long, value_parser = display_name)]
        name: Option<DisplayName>,
    },
    /// Print all agents: id, state, name.
    List,
    /// Turn an agent away from now on. They keep their sessions.
    Deactivate {
        /// The `sub` of their tokens.
        #[arg(value_parser = agent)]
        id: AgentId,
    },
}

fn agent(text: &str) -> Result<AgentId, String> {
    AgentId::parse(text).map_err(|rule| rule.of("it").to_string())
}

fn display_name(text: &str) -> Result<DisplayName, String> {
    DisplayName::parse(text).map_err(|rule| rule.of("it").to_string())
}

/// Changes or prints the directory.
///
/// # Errors
/// An unknown agent; a database that is missing or lacks migrations; what the database fails with.
pub(super) fn run(config: &Config, arguments: AgentsArguments, out: &mut dyn Write) -> anyhow::Result<()> {
    block_on(async {
        let store = wire::Store::open_as_it_is(config, Arc::new(wire::NullNotifier)).await?;
        let done = carry_out(store.agents().as_ref(), arguments.task, out).await;
        store.close().await;
        done
    })
}

async fn carry_out(agents: &dyn AgentDirectory, task: AgentsTask, out: &mut dyn Write) -> anyhow::Result<()> {
    match task {
        AgentsTask::Add { id, name } => {
            let update = AgentUpdate { display_name: name, active: Some(true) };
            let (agent, is_new) = agents.put(id, update, SystemClock.now()).await?;
            let verb = if is_new { "added" } else { "updated" };
            writeln!(out, "{verb} {}", line(&agent))?;
        }
        AgentsTask::List => {
            for agent in agents.list().await? {
                writeln!(out, "{}", line(&agent))?;
            }
        }
        AgentsTask::Deactivate { id } => {
            let agent = agents.deactivate(&id).await?.with_context(|| {
                format!("there is no agent {id} in the directory; `chat-server agents list` prints all of them")
            })?;
            writeln!(out, "deactivated {}", line(&agent))?;
        }
    }
    Ok(())
}

/// An agent in fields that are set apart by tabs.
fn line(agent: &Agent) -> String {
    let state = if agent.active { "active" } else { "deactivated" };
    let name = agent.display_name.as_ref().map_or("-", DisplayName::as_str);
    format!("{}\t{state}\t{name}", agent.id)
}
