//! What the service takes without requests: resident memory, and the time to start.

use super::chat::{Chat, Database};
use super::figures::{Figures, Goal};
use super::{BenchRun, postgres};

const AT_MOST_MIB: Goal = Goal::AtMost(25.0);

pub(super) fn measure(run: &BenchRun) -> anyhow::Result<Figures> {
    let mut figures = Figures::default();
    let server = postgres::start()?;
    let url = postgres::create(&server, "chat")?;
    for round in run.rounds("start and memory") {
        let data = run.path(&format!("memory-sqlite-{round}"));
        record(&mut figures, "SQLite", &Chat::start(Database::Sqlite, &data, &[])?)?;
        let data = run.path("memory-postgres");
        record(&mut figures, "PostgreSQL", &Chat::start(Database::Postgres(&url), &data, &[])?)?;
    }
    for database in ["SQLite", "PostgreSQL"] {
        figures.aim(&resident(database), AT_MOST_MIB);
    }
    Ok(figures)
}

fn record(figures: &mut Figures, database: &str, chat: &Chat) -> anyhow::Result<()> {
    let start_ms = chat.first_answer_after.as_secs_f64() * 1_000.0;
    figures.record(format!("start to first answer on {database}"), "ms", start_ms);
    figures.record(resident(database), "MiB", chat.process.resident_mib()?);
    Ok(())
}

fn resident(database: &str) -> String {
    format!("resident memory, idle on {database}")
}
