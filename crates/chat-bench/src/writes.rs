//! Durable messages on PostgreSQL, beside pgbench that stores the same rows in the same tables, a transaction each.

use test_servers::postgres::PrivatePostgres;

use super::chat::{Chat, Database};
use super::figures::{Figures, Goal, counted};
use super::load::Load;
use super::pgbench::Script;
use super::{BenchRun, postgres, sample};

/// On both sides, each with its own.
pub(super) const SESSIONS: usize = 1_000;
const DATABASE: &str = "chat";

/// The sessions that pgbench sends to.
pub(super) const SETUP: &str = include_str!("writes/setup.sql");
/// Lock and read the session, look for the key, insert the message, update the session.
const FOUR_STATEMENTS: &str = include_str!("writes/four_statements.sql");
/// Update and insert in one statement.
pub(super) const ONE_STATEMENT: &str = include_str!("writes/one_statement.sql");

const PGBENCH: &str = "pgbench, four statements a message";
const PGBENCH_ONE: &str = "pgbench, one statement a message";

/// What is measured in a round, in this order: what is compared is next to each other.
enum Step {
    Four(usize),
    One(usize),
    Chat(usize),
}

const STEPS: [Step; 8] = [
    Step::One(1),
    Step::Chat(1),
    Step::Four(1),
    Step::Four(8),
    Step::Chat(8),
    Step::Four(64),
    Step::Chat(64),
    Step::Chat(256),
];

pub(super) fn measure(run: &BenchRun) -> anyhow::Result<Figures> {
    let server = postgres::start()?;
    let url = postgres::create(&server, DATABASE)?;
    let chat = Chat::start(Database::Postgres(&url), &run.path("writes"), &[])?;
    let sessions = chat.open_sessions(SESSIONS)?;
    server.sql(DATABASE, SETUP)?;
    let sides = Sides {
        chat: Load::sending(&chat, &sample::draw(run.path("writes-sessions"), &sessions)?),
        four: script(run, &server, "four.sql", FOUR_STATEMENTS)?,
        one: script(run, &server, "one.sql", ONE_STATEMENT)?,
    };
    let mut figures = Figures::default();
    println!("  warming up");
    // Tables that were empty get rows, and the planner gets to know them.
    for step in [Step::Four(8), Step::One(8), Step::Chat(8)] {
        sides.measure(&step, run, &mut Figures::default())?;
    }
    server.sql(DATABASE, "VACUUM ANALYZE; CHECKPOINT")?;
    for _ in run.rounds("PostgreSQL, durable messages") {
        for step in &STEPS {
            sides.measure(step, run, &mut figures)?;
        }
    }
    figures.record("resident memory after the load on PostgreSQL", "MiB", chat.process.resident_mib()?);
    ratios(&mut figures)?;
    Ok(figures)
}

fn script<'a>(run: &BenchRun, server: &'a PrivatePostgres, file: &str, text: &str) -> anyhow::Result<Script<'a>> {
    Script::new(server, DATABASE, run.path(file), text, SESSIONS)
}

struct Sides<'a> {
    chat: Load,
    four: Script<'a>,
    one: Script<'a>,
}

impl Sides<'_> {
    fn measure(&self, step: &Step, run: &BenchRun, figures: &mut Figures) -> anyhow::Result<()> {
        let (script, name, clients) = match step {
            Step::Chat(connections) => {
                self.chat.run(*connections, run.length)?.record(figures, &post(*connections));
                return Ok(());
            }
            Step::Four(clients) => (&self.four, PGBENCH, *clients),
            Step::One(clients) => (&self.one, PGBENCH_ONE, *clients),
        };
        let speed = script.run(clients, run.length)?;
        let name = format!("{name}, {}", counted(clients, "client"));
        figures.record(format!("{name}, mean"), "ms", speed.mean_ms);
        figures.record(name, "/s", speed.per_second);
        Ok(())
    }
}

fn ratios(figures: &mut Figures) -> anyhow::Result<()> {
    let four_at = |clients: usize| format!("{PGBENCH}, {}", counted(clients, "client"));
    for (connections, clients, goal) in
        [(8, 8, None), (64, 64, Some(Goal::AtLeast(5.0))), (256, 64, Some(Goal::AtLeast(6.5)))]
    {
        figures.ratio(&post(connections), &four_at(clients), goal)?;
    }
    let one = format!("{PGBENCH_ONE}, 1 client, mean");
    figures.ratio(&format!("{}, p50", post(1)), &one, Some(Goal::AtMost(1.5)))?;
    let four = format!("{}, mean", four_at(64));
    figures.ratio(&format!("{}, p99", post(64)), &four, Some(Goal::AtMost(0.5)))
}

fn post(connections: usize) -> String {
    format!("POST …/messages on PostgreSQL, {}", counted(connections, "connection"))
}
