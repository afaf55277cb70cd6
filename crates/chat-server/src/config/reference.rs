//! The reference document of the configuration, made from the options' definition.

use std::fmt::Write as _;

use clap::{Arg, Command};

use super::options::derived_defaults;

const INTRODUCTION: &str = "\
# Configuration

<!-- Generated from the options' definition by `cargo xtask docs`. Do not edit. -->

Each option is a flag of `chat-server` and an environment variable; the flag wins. Sizes and durations take units
(`500KiB`, `25MiB`; `30s`, `1h`). A value that cannot be used, and a variable that starts with `CHAT_` but is no
option, stop the start with a message that names it. `chat-server check-config` prints the effective configuration and
where each value comes from.
";

/// Stands between an option's help and its derived default.
const DEFAULT_MARK: &str = " [default: ";

/// Completes the help of the options whose default is worked out at start.
pub(crate) fn with_derived_defaults(command: Command) -> Command {
    command.mut_args(|option| match derived_default(&option) {
        Some(default) => {
            let help = option.get_help().map(ToString::to_string).unwrap_or_default();
            option.help(format!("{help}{DEFAULT_MARK}{default}]"))
        }
        None => option,
    })
}

fn derived_default(option: &Arg) -> Option<String> {
    derived_defaults().into_iter().find(|(id, _)| *id == option.get_id().as_str()).map(|(_, default)| default)
}

/// The document in Markdown.
pub(crate) fn render(command: &Command) -> String {
    let mut page = INTRODUCTION.to_owned();
    let mut heading = None;
    for option in command.get_arguments().filter(|option| option.get_env().is_some()) {
        if option.get_help_heading() != heading {
            heading = option.get_help_heading();
            let title = heading.unwrap_or_default();
            let _infallible =
                write!(page, "\n## {title}\n\n| variable | flag | default | meaning |\n|---|---|---|---|\n");
        }
        let _infallible = writeln!(page, "{}", row(option));
    }
    page.push_str("\n## Commands\n\n| command | purpose |\n|---|---|\n");
    let offered = |subcommand: &&Command| !subcommand.is_hide_set() && subcommand.get_name() != "help";
    for subcommand in command.get_subcommands().filter(offered) {
        let purpose = subcommand.get_about().map(ToString::to_string).unwrap_or_default();
        let _infallible = writeln!(page, "| `chat-server {}` | {} |", subcommand.get_name(), escaped(&purpose));
    }
    page
}

fn row(option: &Arg) -> String {
    let variable = option.get_env().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let flag = option.get_long().unwrap_or_default();
    let value = option.get_value_names().and_then(|names| names.first()).map(ToString::to_string).unwrap_or_default();
    let help = option.get_help().map(ToString::to_string).unwrap_or_default();
    let help = help.split(DEFAULT_MARK).next().unwrap_or_default();
    format!("| `{variable}` | `--{flag} {value}` | {} | {}{} |", default(option), escaped(help), choices(option))
}

fn default(option: &Arg) -> String {
    match (option.get_default_values().first(), derived_default(option)) {
        (Some(value), _) => format!("`{}`", value.to_string_lossy()),
        (None, Some(words)) if words.contains("://") => format!("`{words}`"),
        (None, Some(words)) => escaped(&words),
        (None, None) => "unset".to_owned(),
    }
}

fn choices(option: &Arg) -> String {
    let values: Vec<String> =
        option.get_possible_values().iter().map(|value| format!("`{}`", value.get_name())).collect();
    if values.is_empty() { String::new() } else { format!(" One of {}.", values.join(", ")) }
}

/// Text for a cell of a Markdown table. Names in angle brackets would be taken for HTML.
fn escaped(text: &str) -> String {
    let sentence = text.replace('|', "\\|").replace('<', "\\<");
    if sentence.ends_with(['.', '?']) || !sentence.contains(' ') || sentence.starts_with(char::is_lowercase) {
        sentence
    } else {
        format!("{sentence}.")
    }
}
