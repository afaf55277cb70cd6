//! What a view of the inbox costs as the database grows, on both databases, and what a snapshot of a hundred sessions is.

use std::cmp::min;
use std::fs::{self, File};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use test_servers::postgres::PrivatePostgres;

use super::chat::{Chat, Database, migrate};
use super::figures::{Figures, Goal};
use super::load::Load;
use super::process::command;
use super::sockets::snapshot_latency;
use super::{BenchRun, postgres};

const FILL: &str = include_str!("inbox/fill.sql");
/// Sessions of the databases, which are compared.
const SIZES: [u64; 2] = [10_000, 1_000_000];
/// There are many measurements, and each is of one kind of request.
const AT_MOST: Duration = Duration::from_secs(2);
/// Latency is measured at the one, throughput at the other.
const CONNECTIONS: [usize; 2] = [1, 8];
/// The cost at the large size, by that at the small one.
const GROWTH: Goal = Goal::AtMost(1.3);

/// Whose view, in which role.
const VIEWS: [(&str, &str, &str); 8] = [
    ("agent-3", "agent", "mine"),
    ("agent-3", "agent", "waiting"),
    ("agent-3", "agent", "closed"),
    ("root", "admin", "waiting"),
    ("root", "admin", "assigned"),
    ("root", "admin", "closed"),
    ("user-5", "user", "mine"),
    ("user-5", "user", "closed"),
];
/// The view of a snapshot: in both databases it has a hundred sessions or more.
const SNAPSHOT: &str = "/api/chat/inbox?view=waiting&limit=100";
const SNAPSHOT_ITEMS: usize = 100;

/// A service on a database of its own.
struct InboxNode {
    chat: Chat,
    store: &'static str,
    sessions: u64,
}

pub(super) fn measure(run: &BenchRun) -> anyhow::Result<Figures> {
    let mut figures = Figures::default();
    let server = postgres::start()?;
    let mut stores = Vec::new();
    for sessions in SIZES {
        stores.push(InboxNode::on_postgres(run, &server, sessions)?);
        stores.push(InboxNode::on_sqlite(run, sessions)?);
    }
    let length = min(run.length, AT_MOST);
    for round in run.rounds("views by size of the database") {
        for (person, role, view) in VIEWS {
            // Each round begins with another database.
            let by = usize::try_from(round).unwrap_or_default() % stores.len();
            let (later, first) = stores.split_at(by);
            for node in first.iter().chain(later) {
                node.measure(&mut figures, (person, role, view), length)?;
            }
        }
        for node in &stores {
            node.snapshot(run, &mut figures, length)?;
        }
    }
    for store in ["PostgreSQL", "SQLite"] {
        for (_, role, view) in VIEWS {
            let [small, large] = SIZES.map(|sessions| InboxFigure { store, role, view, sessions });
            let slower = figures.median(&large.latency())? / figures.median(&small.latency())?;
            figures.add(format!("{}: p50 at 1 connection, {SIZE_RATIO}", small.name()), "", slower, Some(GROWTH));
            let fewer = figures.median(&small.throughput())? / figures.median(&large.throughput())?;
            figures.add(format!("{}: time each at 8 connections, {SIZE_RATIO}", small.name()), "", fewer, Some(GROWTH));
        }
    }
    Ok(figures)
}

const SIZE_RATIO: &str = "10^6 ÷ 10^4 sessions";

/// The names of what is measured of a view.
struct InboxFigure {
    store: &'static str,
    role: &'static str,
    view: &'static str,
    sessions: u64,
}

impl InboxFigure {
    fn name(&self) -> String {
        format!("{} of an inbox ({}), {}", self.view, self.role, self.store)
    }

    fn latency(&self) -> String {
        format!("{}, p50 at 1 connection [{} sessions]", self.name(), self.sessions)
    }

    fn throughput(&self) -> String {
        format!("{}, 8 connections [{} sessions]", self.name(), self.sessions)
    }
}

impl InboxNode {
    fn on_postgres(run: &BenchRun, server: &PrivatePostgres, sessions: u64) -> anyhow::Result<Self> {
        let started = Instant::now();
        let name = format!("inbox_{sessions}");
        let (url, data) = (postgres::create(server, &name)?, run.path(&name));
        migrate(Database::Postgres(&url), &data)?;
        let fill = fill(
            sessions,
            "md5('session ' || n)::UUID",
            "'00000000-0000-7000-8000-' || lpad(n::TEXT, 12, '0')",
            "sha256(int8send(n))",
        );
        let numbers = format!("generate_series(1::BIGINT, {sessions}) AS n");
        server.sql(
            &name,
            &format!(
                "CREATE TEMPORARY VIEW numbers AS SELECT n FROM {numbers};\n{fill}{}",
                counters("writer, ", "0, ")
            ),
        )?;
        server.sql(&name, "VACUUM (FREEZE, ANALYZE)")?;
        server.sql("postgres", "CHECKPOINT")?;
        // With the defaults: there is no cache of inboxes.
        let node = Self { chat: Chat::start(Database::Postgres(&url), &data, &[])?, store: "PostgreSQL", sessions };
        node.check(started)
    }

    fn on_sqlite(run: &BenchRun, sessions: u64) -> anyhow::Result<Self> {
        let started = Instant::now();
        let data = run.path(&format!("inbox-sqlite-{sessions}"));
        fs::create_dir_all(&data)?;
        migrate(Database::Sqlite, &data)?;
        let numbers = format!(
            "CREATE TEMPORARY VIEW numbers AS WITH RECURSIVE counted(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted \
             WHERE n < {sessions}) SELECT n FROM counted;"
        );
        let message_id = "printf('00000000-0000-7000-8000-%012d', n)";
        let fill = fill(sessions, "randomblob(16)", message_id, "randomblob(32)");
        let script = run.path("inbox.sql");
        // The file is filled once and thrown away if that fails.
        let pragmas = "PRAGMA synchronous = OFF;\nPRAGMA cache_size = -1000000;\n";
        fs::write(&script, format!("{pragmas}{numbers}\nBEGIN;\n{fill}{}COMMIT;\n", counters("", "")))?;
        let mut shell = command(Path::new("sqlite3"));
        let filled =
            shell.arg("-bail").arg(data.join("chat.db")).stdin(File::open(&script)?).stdout(Stdio::null()).output();
        let filled = filled.context("sqlite3 is missing; on Debian: apt-get install sqlite3")?;
        ensure!(filled.status.success(), "sqlite3 failed: {}", String::from_utf8_lossy(&filled.stderr));
        let node = Self { chat: Chat::start(Database::Sqlite, &data, &[])?, store: "SQLite", sessions };
        node.check(started)
    }

    /// Whether the service finds in the database what was put there.
    fn check(self, started: Instant) -> anyhow::Result<Self> {
        let found = self.chat.number("/api/chat/sessions?limit=1", "totalCount")?;
        ensure!(found == self.sessions, "the service finds {found} sessions, not {}", self.sessions);
        let snapshot = String::from_utf8(self.chat.get(SNAPSHOT)?).context("the snapshot")?;
        let items = snapshot.matches("\"lastActivityAt\"").count();
        ensure!(items == SNAPSHOT_ITEMS, "the queue has {items} sessions on its first page: {snapshot}");
        let previews = snapshot.matches("\"preview\":\"Where is my parcel?").count();
        ensure!(previews == SNAPSHOT_ITEMS, "{previews} sessions of the page have their newest message: {snapshot}");
        let seconds = started.elapsed().as_secs_f64();
        println!("  {} sessions on {}, made in {seconds:.0} s", self.sessions, self.store);
        Ok(self)
    }

    /// A view: first its latency, then its throughput.
    fn measure(
        &self,
        figures: &mut Figures,
        (person, role, view): (&str, &'static str, &'static str),
        length: Duration,
    ) -> anyhow::Result<()> {
        let names = InboxFigure { store: self.store, role, view, sessions: self.sessions };
        let token = self.chat.token_of(person, role)?;
        let load = Load::getting(&self.chat, &format!("/api/chat/inbox?view={view}")).in_the_name_of(token);
        for connections in CONNECTIONS {
            let outcome = load.run(connections, length)?;
            if connections == 1 {
                figures.record(names.latency(), "ms", outcome.p50_ms);
            } else {
                figures.record(names.throughput(), "/s", outcome.per_second);
            }
        }
        Ok(())
    }

    /// A hundred sessions: over REST, and as a socket's first frame.
    fn snapshot(&self, run: &BenchRun, figures: &mut Figures, length: Duration) -> anyhow::Result<()> {
        let at = format!("{SNAPSHOT_ITEMS} sessions, {} [{} sessions]", self.store, self.sessions);
        let bytes = u32::try_from(self.chat.get(SNAPSHOT)?.len()).context("a large snapshot")?;
        figures.record(format!("snapshot of {at}"), "bytes", f64::from(bytes));
        let outcome = Load::getting(&self.chat, SNAPSHOT).run(1, length)?;
        figures.record(format!("GET of {at}, p50"), "ms", outcome.p50_ms);
        let data = match self.store {
            "SQLite" => run.path(&format!("inbox-sqlite-{}", self.sessions)),
            _ => run.path(&format!("inbox_{}", self.sessions)),
        };
        let open = snapshot_latency(&self.chat, &data)?;
        figures.record(format!("socket opened until its snapshot of {at}, p50"), "ms", open);
        Ok(())
    }
}

/// The sessions, for one of the databases.
fn fill(sessions: u64, id: &str, message_id: &str, fingerprint: &str) -> String {
    let sessions = sessions.to_string();
    let blanks =
        [("{sessions}", sessions.as_str()), ("{id}", id), ("{message_id}", message_id), ("{fingerprint}", fingerprint)];
    blanks.iter().fold(FILL.to_owned(), |text, (blank, value)| text.replace(blank, value))
}

/// The counters of the sessions; on PostgreSQL each has a writer.
fn counters(column: &str, value: &str) -> String {
    let count = |scope: &str, holder: &str, condition: &str| {
        format!(
            "INSERT INTO chat_session_counts (scope, holder, status, {column}count) SELECT '{scope}', {holder}, status, \
             {value}count(*) FROM chat_sessions WHERE {condition} GROUP BY 2, 3;\n"
        )
    };
    [
        count("all", "''", "true"),
        count("user", "user_id", "true"),
        count("agent", "agent_id", "agent_id IS NOT NULL"),
        count("unassigned", "''", "agent_id IS NULL"),
    ]
    .concat()
}
