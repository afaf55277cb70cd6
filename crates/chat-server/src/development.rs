//! Development mode: without any token setting the server makes its own secret, and tells a newcomer what to do next.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::net::SocketAddr;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use chat_domain::model::{AgentId, DisplayName, Role, Timestamp};
use chat_domain::ports::AgentDirectory;
use secrecy::SecretString;

use crate::data_dir;
use crate::tokens::TokenMaker;

/// Where the secret is, inside the data directory.
const SECRET_FILE: &str = "development-secret";
/// Where the tokens are, when there is no terminal to print them on.
const TOKENS_FILE: &str = "development-tokens";
const SECRET_BYTES: usize = 32;
/// How long the printed tokens are valid: a working day and some.
const TOKEN_LIFETIME: Duration = Duration::from_hours(24);

/// The secret of the data directory; made by whoever asks first, the same for everyone after.
///
/// # Errors
/// The file cannot be made or read, or others may read it.
pub(crate) fn secret(data_dir: &Path) -> anyhow::Result<SecretString> {
    data_dir::make(data_dir)?;
    let path = data_dir.join(SECRET_FILE);
    if !path.try_exists().with_context(|| format!("cannot look for {}", path.display()))? {
        make_secret(data_dir, &path).with_context(|| format!("cannot make the secret {}", path.display()))?;
    }
    read_secret(&path)
}

/// Whether the data directory has its secret already.
pub(crate) fn has_secret(data_dir: &Path) -> bool {
    data_dir.join(SECRET_FILE).exists()
}

/// Writes the secret beside its place and links it there, so that the file is either missing or whole, and of two
/// processes that start at the same time one makes the secret of both.
fn make_secret(data_dir: &Path, path: &Path) -> anyhow::Result<()> {
    let draft = Draft::new(data_dir, SECRET_FILE, &random_hex::<SECRET_BYTES>()?)?;
    match fs::hard_link(&draft.path, path) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error.into()),
    }
    drop(draft);
    Ok(File::open(data_dir)?.sync_all()?)
}

/// A file for its owner's eyes only that vanishes when it is dropped, unless it was given another name.
struct Draft {
    path: PathBuf,
}

impl Draft {
    fn new(data_dir: &Path, name: &str, content: &str) -> anyhow::Result<Self> {
        let path = data_dir.join(format!("{name}.{}", random_hex::<8>()?));
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        let draft = Self { path };
        file.write_all(content.as_bytes())?;
        file.sync_all()?;
        Ok(draft)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        let _best_effort = fs::remove_file(&self.path);
    }
}

fn random_hex<const BYTES: usize>() -> anyhow::Result<String> {
    let mut random = [0; BYTES];
    getrandom::fill(&mut random)?;
    Ok(random.iter().fold(String::new(), |mut hex, byte| {
        let _infallible = fmt::Write::write_fmt(&mut hex, format_args!("{byte:02x}"));
        hex
    }))
}

fn read_secret(path: &Path) -> anyhow::Result<SecretString> {
    let shown = path.display();
    let mode = fs::metadata(path).with_context(|| format!("cannot read {shown}"))?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        bail!(
            "others may read the secret {shown} (mode {mode:04o}); run `chmod 600 {shown}`, or delete it to \
             get a new one"
        );
    }
    let secret = fs::read_to_string(path).with_context(|| format!("cannot read {shown}"))?;
    if secret.trim().len() < SECRET_BYTES {
        bail!("the secret {shown} is too short; delete it to get a new one");
    }
    Ok(SecretString::from(secret.trim()))
}

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
    let draft = Draft::new(data_dir, TOKENS_FILE, greeting)?;
    fs::rename(&draft.path, &path).with_context(|| format!("cannot write {}", path.display()))?;
    tracing::info!(
        development.file = %path.display(),
        "development mode: how to begin, with a token each of a user, an agent and an admin, is in {}",
        path.display(),
    );
    Ok(())
}

/// What a newcomer reads first: where the server is, who they can be, and what to type.
///
/// # Errors
/// The tokens cannot be made.
pub(crate) fn greeting(
    addr: SocketAddr,
    data_dir: &Path,
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
    writeln!(out, "  documentation  {base}/docs")?;
    writeln!(out, "  data           {}", data_dir.display())?;
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
    use std::thread;

    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn everyone_who_asks_at_the_same_time_gets_the_same_secret() {
        let dir = tempfile::tempdir().unwrap();
        let secrets: Vec<String> = thread::scope(|scope| {
            let askers: Vec<_> =
                (0..8).map(|_| scope.spawn(|| secret(dir.path()).unwrap().expose_secret().to_owned())).collect();
            askers.into_iter().map(|asker| asker.join().unwrap()).collect()
        });
        assert!(secrets.windows(2).all(|pair| pair[0] == pair[1]));
        assert_eq!(secrets[0].len(), 2 * SECRET_BYTES);
        let files: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(files, [SECRET_FILE]);
    }

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

    #[test]
    fn a_secret_that_others_may_read_is_refused_with_the_remedy() {
        let dir = tempfile::tempdir().unwrap();
        secret(dir.path()).unwrap();
        let path = dir.path().join(SECRET_FILE);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let refused = secret(dir.path()).unwrap_err().to_string();
        assert!(refused.contains("chmod 600"), "{refused}");
    }
}
