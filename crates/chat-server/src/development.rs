//! Development mode: without any token setting the server makes its own secret, and shows a newcomer what to do next.

use std::fmt;
use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use chat_domain::model::{AgentId, DisplayName, Role, Timestamp};
use chat_domain::ports::{AgentDirectory, Clock};
use chat_web::{DevelopmentPeople, DevelopmentPerson};

use crate::config::{Config, Switch};
use crate::private_file::PrivateFile;
use crate::tokens::TokenMaker;

/// Where the tokens are, when there is no terminal to print them on.
const TOKENS_FILE: &str = "development-tokens";
/// How long the printed tokens are valid: a working day and some.
const TOKEN_LIFETIME: Duration = Duration::from_hours(24);

/// The people whose tokens are given out.
const PEOPLE: [(&str, Role, &str); 3] =
    [("alice", Role::User, "a customer"), ("bob", Role::Agent, "a support agent"), ("root", Role::Admin, "an admin")];

/// Enters the agent `bob` into the directory, so that sessions can be assigned to him from the first minute.
///
/// # Errors
/// What the directory fails with.
pub(crate) async fn enter_agent(agents: &dyn AgentDirectory, now: Timestamp) -> anyhow::Result<()> {
    let bob = AgentId::parse("bob").map_err(|rule| rule.of("the agent's id"))?;
    agents.register(bob, DisplayName::parse("Bob").ok(), now).await?;
    Ok(())
}

/// Prints the greeting on a terminal. Elsewhere standard output is read by who knows whom, is kept and collected, so there
/// the greeting, which has tokens in it, goes into a file of the data directory that its owner alone may read.
///
/// # Errors
/// It cannot be written.
pub(crate) fn greet(
    greeting: &str,
    on_a_terminal: bool,
    data_dir: &Path,
    terminal: &mut dyn Write,
) -> anyhow::Result<()> {
    if on_a_terminal {
        terminal.write_all(greeting.as_bytes())?;
        return Ok(terminal.flush()?);
    }
    let path = data_dir.join(TOKENS_FILE);
    let file = PrivateFile::new(data_dir, TOKENS_FILE, greeting)?;
    fs::rename(file.path(), &path).with_context(|| format!("cannot write {}", path.display()))?;
    tracing::info!(
        development.file = %path.display(),
        "development mode: how to begin, with a token each of a user, an agent and an admin, is in {}",
        path.display(),
    );
    Ok(())
}

/// The people, each with a new token, for the pages that sign a newcomer in.
pub(crate) fn people(tokens: Arc<TokenMaker>, clock: Arc<dyn Clock>) -> DevelopmentPeople {
    Arc::new(move || {
        let person = |(id, role, _): (&str, Role, &str)| {
            let token = tokens.make(id, role, None, clock.now(), TOKEN_LIFETIME).ok()?;
            Some(DevelopmentPerson { id: id.to_owned(), role: role.as_str().to_owned(), token })
        };
        PEOPLE.into_iter().map(person).collect()
    })
}

/// What a newcomer reads first: where the server is, who they can be, and what to type.
///
/// # Errors
/// The tokens cannot be made.
pub(crate) fn greeting(
    addr: SocketAddr,
    config: &Config,
    tokens: &TokenMaker,
    now: Timestamp,
) -> anyhow::Result<String> {
    use fmt::Write;

    let mut text = String::new();
    let out = &mut text;
    let [alice, bob, root] = PEOPLE.map(|(name, role, _)| tokens.make(name, role, None, now, TOKEN_LIFETIME));
    let (alice, bob, root) = (alice?, bob?, root?);
    let base = format!("http://{addr}");
    writeln!(out, "chat-server is ready: {base}")?;
    writeln!(out)?;
    let has_console = config.pages.console == Switch::On;
    if has_console && config.pages.widget == Switch::On {
        writeln!(out, "  demo           {base}/  (open it in a browser: a customer and an agent, side by side)")?;
    }
    if has_console {
        writeln!(out, "  console        {base}/console")?;
    }
    writeln!(out, "  documentation  {base}/docs")?;
    writeln!(out, "  data           {}", config.data_dir.display())?;
    writeln!(out)?;
    writeln!(
        out,
        "Development mode: only this machine can reach it. Three people are ready, each with a token for 24 hours"
    )?;
    writeln!(out, "(`chat-server token --sub carol --role user` makes more):")?;
    for ((name, _, what), token) in PEOPLE.iter().zip([&alice, &bob, &root]) {
        writeln!(out)?;
        writeln!(out, "  {name}, {what}:")?;
        writeln!(out, "  {token}")?;
    }
    writeln!(out)?;
    writeln!(out, "Open a chat session as alice:")?;
    writeln!(out)?;
    writeln!(out, "  curl -sS {base}/api/chat/sessions \\")?;
    writeln!(out, "    -H 'Authorization: Bearer {alice}' \\")?;
    writeln!(out, "    -H 'Content-Type: application/json' \\")?;
    writeln!(out, "    -d '{{\"subject\":\"My order is late\"}}'")?;
    writeln!(out)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn tokens_are_printed_on_a_terminal_and_nowhere_else() {
        let dir = tempfile::tempdir().unwrap();
        let (file, mut terminal) = (dir.path().join(TOKENS_FILE), Vec::new());
        greet("the tokens", true, dir.path(), &mut terminal).unwrap();
        assert_eq!((terminal.as_slice(), file.exists()), (b"the tokens".as_slice(), false));
        // One of an earlier start is replaced, whatever its mode.
        fs::write(&file, "older and longer tokens").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        terminal.clear();
        greet("the tokens", false, dir.path(), &mut terminal).unwrap();
        assert_eq!((terminal.len(), fs::read_to_string(&file).unwrap().as_str()), (0, "the tokens"));
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let files: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(files, [TOKENS_FILE]);
    }
}
