//! `token`: a bearer token for a person, signed with the server's own key.

use std::io::{self, Write};
use std::time::Duration;

use chat_domain::model::{Role, UserId};
use chat_domain::ports::Clock;
use clap::Args;

use crate::config::{Config, TokenKey, units};
use crate::development_secret;
use crate::system::SystemClock;
use crate::tokens::{TokenMaker, subject};

/// What the token says.
#[derive(Args)]
pub(super) struct TokenArguments {
    /// Who the person is: the `sub` of the token.
    #[arg(long, value_parser = subject)]
    sub: UserId,
    /// What they may do.
    #[arg(long, value_parser = role, value_name = "user|agent|admin")]
    role: Role,
    /// What they are called.
    #[arg(long)]
    name: Option<String>,
    /// How long it is valid.
    #[arg(long, value_parser = units::duration, value_name = "TIME", default_value = "1h")]
    ttl: Duration,
}

fn role(text: &str) -> Result<Role, String> {
    Role::parse(text).ok_or_else(|| "must be one of user, agent, admin".to_owned())
}

/// Prints the token alone, so that it can be used as `$(chat-server token …)`.
///
/// # Errors
/// A configuration without a usable key.
pub(super) fn run(config: &Config, arguments: TokenArguments, out: &mut dyn Write) -> anyhow::Result<()> {
    let TokenArguments { sub, role, name, ttl } = arguments;
    let makes_a_secret =
        matches!(config.token_key()?, TokenKey::Development) && !development_secret::exists(&config.data_dir);
    let token = TokenMaker::new(config)?.make(sub.as_str(), role, name, SystemClock.now(), ttl)?;
    if makes_a_secret {
        let data_dir = config.data_dir.display();
        let _nowhere_left_to_complain = writeln!(
            io::stderr(),
            "note: made a new secret in {data_dir}; only a server with this data directory accepts the token. For one \
             that runs already, name its directory with --data-dir (CHAT_DATA_DIR), or its secret with --jwt-secret \
             (CHAT_JWT_SECRET)"
        );
    }
    Ok(writeln!(out, "{token}")?)
}
