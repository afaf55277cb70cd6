//! Environment variables that look like options but are none: most likely a typo, which would otherwise change nothing
//! and say nothing.

use std::ffi::OsString;

use clap::Command;
use clap::error::ErrorKind;

const PREFIX: &str = "CHAT_";

/// Refuses a variable that starts with `CHAT_` and is no option.
///
/// # Errors
/// The first such variable by name, with the option that it resembles.
pub(crate) fn reject_unknown_variables(
    command: &mut Command,
    names: impl Iterator<Item = OsString>,
) -> Result<(), clap::Error> {
    let known: Vec<String> = command
        .get_arguments()
        .filter_map(|option| option.get_env().and_then(|name| name.to_str()).map(str::to_owned))
        .collect();
    let unknown = names
        .filter_map(|name| name.into_string().ok())
        .filter(|name| name.starts_with(PREFIX) && !known.contains(name) && !is_service_link(name))
        .min();
    let Some(unknown) = unknown else { return Ok(()) };
    let hint = match nearest(&known, &unknown) {
        Some(name) => format!("; did you mean `{name}`?"),
        None => "; unset it, or see `chat-server --help` for all of them".to_owned(),
    };
    Err(command.error(
        ErrorKind::UnknownArgument,
        format!("the environment variable `{unknown}` is no option of chat-server{hint}"),
    ))
}

/// The option that a typo has made into this name: at most every third letter behind the prefix is another.
fn nearest<'a>(known: &'a [String], unknown: &str) -> Option<&'a String> {
    let at_most = unknown.len().saturating_sub(PREFIX.len()) / 3;
    let distances = known.iter().map(|name| (strsim::damerau_levenshtein(name, unknown), name));
    distances.min().filter(|(distance, _)| *distance <= at_most).map(|(_, name)| name)
}

/// Whether an orchestrator has set the variable: Kubernetes and Docker describe a service named `chat` to every
/// container beside it as `CHAT_SERVICE_HOST`, `CHAT_PORT`, `CHAT_PORT_8080_TCP_ADDR` and so on.
fn is_service_link(name: &str) -> bool {
    name.ends_with("_SERVICE_HOST")
        || name.ends_with("_SERVICE_PORT")
        || name.contains("_SERVICE_PORT_")
        || name.ends_with("_PORT")
        || name.split_once("_PORT_").is_some_and(|(_, rest)| rest.starts_with(|first: char| first.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use clap::Args as _;

    use super::*;
    use crate::config::Options;

    fn check(names: &[&str]) -> Result<(), String> {
        let mut command = Options::augment_args(Command::new("test"));
        reject_unknown_variables(&mut command, names.iter().map(OsString::from)).map_err(|error| error.to_string())
    }

    #[test]
    fn a_mistyped_variable_is_named_with_the_nearest_one() {
        let message = check(&["PATH", "CHAT_LISTEN", "CHAT_JWT_SECERT"]).unwrap_err();
        assert!(message.contains("`CHAT_JWT_SECERT`") && message.contains("`CHAT_JWT_SECRET`"), "{message}");
    }

    #[test]
    fn a_variable_that_resembles_no_option_is_refused_without_a_guess() {
        let message = check(&["CHAT_FOO"]).unwrap_err();
        assert!(message.contains("`CHAT_FOO`") && !message.contains("did you mean"), "{message}");
    }

    #[test]
    fn variables_that_an_orchestrator_sets_for_a_service_named_chat_are_ignored() {
        let links = [
            "CHAT_SERVICE_HOST",
            "CHAT_SERVICE_PORT",
            "CHAT_SERVICE_PORT_HTTP",
            "CHAT_PORT",
            "CHAT_PORT_8080_TCP",
            "CHAT_PORT_8080_TCP_ADDR",
            "CHAT_SERVER_SERVICE_HOST",
            "CHAT_SERVER_PORT_80_TCP_PROTO",
        ];
        assert_eq!(check(&links), Ok(()));
    }
}
