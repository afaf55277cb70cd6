//! The service under measurement, on a free port.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::Value;

use super::http::{call, free_address, wait_for};
use super::process::{MeasuredProcess, command};
use super::programs::release;

/// The server in development mode with all that it has switched on: tokens, idempotency, events, metrics.
pub(super) struct Chat {
    pub(super) process: MeasuredProcess,
    pub(super) address: String,
    /// Of an admin, who may do everything.
    pub(super) token: String,
    /// From the start of the process to the first answer of `/readyz`, which tries the database.
    pub(super) first_answer_after: Duration,
    home: Home,
}

/// What a subcommand needs to speak of the same service.
struct Home {
    database_url: Option<String>,
    data: PathBuf,
    settings: Vec<(String, String)>,
}

/// Where the service keeps its data.
#[derive(Clone, Copy)]
pub(super) enum Database<'a> {
    /// A file in the data directory.
    Sqlite,
    /// The database at this URL.
    Postgres(&'a str),
}

/// A few people do here, from one address, what many do elsewhere.
const WITHOUT_LIMITS: [(&str, &str); 6] = [
    ("CHAT_RATE_MESSAGES", "off"),
    ("CHAT_RATE_SESSIONS", "off"),
    ("CHAT_RATE_TYPING", "off"),
    ("CHAT_RATE_DOWNLOADS", "off"),
    ("CHAT_RATE_SOCKETS", "off"),
    ("CHAT_CONNECTIONS_PER_ADDRESS", "off"),
];

impl Home {
    fn token_of(&self, person: &str, role: &str) -> anyhow::Result<String> {
        let database = self.database_url.as_deref().map_or(Database::Sqlite, Database::Postgres);
        let settings: Vec<(&str, &str)> = self.settings.iter().map(|(name, value)| (&**name, &**value)).collect();
        run(&["token", "--sub", person, "--role", role, "--ttl", "24h"], database, &self.data, &settings)
    }
}

impl Chat {
    /// Starts it with a data directory of its own, which is kept, and these options besides.
    pub(super) fn start(database: Database<'_>, data: &Path, options: &[&str]) -> anyhow::Result<Self> {
        Self::start_with(database, data, options, &[])
    }

    /// The same with settings in the environment, such as the secret that several servers share.
    pub(super) fn start_with(
        database: Database<'_>,
        data: &Path,
        options: &[&str],
        settings: &[(&str, &str)],
    ) -> anyhow::Result<Self> {
        let address = free_address()?;
        let mut serve = command(&release("chat-server"));
        serve.args(["serve", "--listen", &address, "--admin-listen", "127.0.0.1:0", "--log", "warn", "--data-dir"]);
        serve.arg(data).args(options).envs(WITHOUT_LIMITS).envs(settings.iter().copied()).stdout(Stdio::null());
        if let Database::Postgres(url) = database {
            serve.env("CHAT_DATABASE_URL", url);
        }
        let started = Instant::now();
        let process = MeasuredProcess::start(&mut serve)?;
        wait_for(&address, "/readyz")?;
        let first_answer_after = started.elapsed();
        let home = Home {
            database_url: match database {
                Database::Sqlite => None,
                Database::Postgres(url) => Some(url.to_owned()),
            },
            data: data.to_owned(),
            settings: settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        };
        let token = home.token_of("root", "admin")?;
        Ok(Self { process, address, token, first_answer_after, home })
    }

    /// A token of another person.
    pub(super) fn token_of(&self, person: &str, role: &str) -> anyhow::Result<String> {
        self.home.token_of(person, role)
    }

    /// Opens sessions of the admin's own.
    pub(super) fn open_sessions(&self, count: usize) -> anyhow::Result<Vec<String>> {
        let open = || {
            let session: Value = serde_json::from_slice(&self.call("POST", "/api/chat/sessions", "{}")?)?;
            Ok(session.get("id").and_then(Value::as_str).context("no id")?.to_owned())
        };
        (0..count).map(|_| open()).collect()
    }

    /// The body of a `GET`.
    pub(super) fn get(&self, path: &str) -> anyhow::Result<Vec<u8>> {
        self.call("GET", path, "")
    }

    /// A `POST` without a body.
    pub(super) fn post(&self, path: &str) -> anyhow::Result<()> {
        self.call("POST", path, "").map(drop)
    }

    /// A number in the answer to a `GET`.
    pub(super) fn number(&self, path: &str, field: &str) -> anyhow::Result<u64> {
        let answer: Value = serde_json::from_slice(&self.get(path)?)?;
        answer.get(field).and_then(Value::as_u64).with_context(|| format!("no number {field} in {path}"))
    }

    /// The text in a field of an answer.
    pub(super) fn text(&self, path: &str, field: &str) -> anyhow::Result<String> {
        let answer: Value = serde_json::from_slice(&self.get(path)?)?;
        let text = answer.get(field).and_then(Value::as_str).with_context(|| format!("no text {field} in {path}"))?;
        Ok(text.to_owned())
    }

    fn call(&self, method: &str, path: &str, body: &str) -> anyhow::Result<Vec<u8>> {
        let headers = format!("Authorization: Bearer {}\r\nContent-Type: application/json\r\n", self.token);
        call(&self.address, method, path, &headers, body)
    }
}

/// Makes the tables of an empty database.
pub(super) fn migrate(database: Database<'_>, data: &Path) -> anyhow::Result<()> {
    run(&["migrate", "up"], database, data, &[]).map(drop)
}

/// Runs a subcommand of the server and returns what it prints.
pub(super) fn run(
    arguments: &[&str],
    database: Database<'_>,
    data: &Path,
    settings: &[(&str, &str)],
) -> anyhow::Result<String> {
    let mut command = command(&release("chat-server"));
    command.args(arguments).args(["--log", "warn", "--data-dir"]).arg(data).envs(settings.iter().copied());
    if let Database::Postgres(url) = database {
        command.env("CHAT_DATABASE_URL", url);
    }
    let done = command.output()?;
    ensure!(done.status.success(), "{arguments:?} failed: {}", String::from_utf8_lossy(&done.stderr));
    Ok(String::from_utf8(done.stdout)?.trim().to_owned())
}
