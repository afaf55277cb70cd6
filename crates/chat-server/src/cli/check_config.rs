//! `check-config`: the effective configuration, and whether the server would start with it.

use std::io::Write;

use clap::{ArgMatches, Command};

use super::{UNSET, source};
use crate::config::{Config, TokenKey};
use crate::wire;

/// Prints every option with its value and source.
///
/// # Errors
/// The configuration that the server would refuse.
pub(super) fn run(config: &Config, command: &Command, matches: &ArgMatches, out: &mut dyn Write) -> anyhow::Result<()> {
    let variable = |id: &str| {
        let option = command.get_arguments().find(|option| option.get_id() == id);
        option.and_then(|option| option.get_env()).map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    };
    let rows: Vec<[String; 3]> = config
        .shown()
        .into_iter()
        .map(|(option, value)| [variable(option), source_of_value(matches, option).to_owned(), value])
        .collect();
    let width = rows.iter().map(|[variable, _, _]| variable.len()).max().unwrap_or_default();
    for [variable, source, value] in rows {
        writeln!(out, "{variable:width$}  {source:7}  {value}")?;
    }
    writeln!(out)?;
    let unused = wire::unused_aws_variables(config);
    if !unused.is_empty() {
        writeln!(out, "Set and not used by the node: {}", unused.join(", "))?;
    }
    match config.token_key()? {
        TokenKey::Configured(_) => writeln!(out, "The configuration is valid.")?,
        TokenKey::Development => writeln!(out, "The configuration is valid, for development mode on this machine.")?,
    }
    Ok(())
}

/// Where an option's value comes from: also from the file that its companion names, such as `CHAT_DATABASE_URL_FILE`.
fn source_of_value(matches: &ArgMatches, option: &str) -> &'static str {
    let is_set = |option: &str| matches.ids().any(|id| id == option) && source(matches, option) != UNSET;
    if !is_set(option) && is_set(&format!("{option}_file")) { "file" } else { source(matches, option) }
}
