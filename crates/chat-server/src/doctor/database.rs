//! Whether the database can be used, keeps what it acknowledges, and counts right.

use super::{Diagnosis, shown_ms, wire};
use crate::config::{Config, DatabaseUrl, Switch};
use crate::wire::{DatabaseFacts, PgFacts, RecountReport, RecountScope, SqliteFacts};

/// Connections of a node besides those that read and write: for look-ups of sessions, and for tickets.
const FURTHER_CONNECTIONS: i64 = 2;
/// How far the clocks may differ without a warning. The way to the server and back is part of it.
const CLOCK_WARN_MS: u64 = 1_000;
/// Beyond this, nodes reject each other's messages.
const CLOCK_FAIL_MS: u64 = 60_000;

const REACHABLE: &str = "database";
const SCHEMA: &str = "schema";

/// All checks of the database.
pub(super) fn check(config: &Config, scope: RecountScope) -> Vec<Diagnosis> {
    match wire::database_facts(config) {
        Ok(DatabaseFacts::Missing) => vec![missing(config)],
        Ok(DatabaseFacts::Sqlite(facts)) => sqlite(config, &facts, scope),
        Ok(DatabaseFacts::Postgres(facts, pending)) => postgres(config, &facts, pending, scope),
        Err(error) => vec![Diagnosis::fail(
            REACHABLE,
            format!("{error:#}"),
            match &config.database_url {
                DatabaseUrl::Sqlite(_) => {
                    "restore it from a backup, or choose another with --database-url \
                                           (CHAT_DATABASE_URL)"
                }
                DatabaseUrl::Postgres(_) => "start the server, or correct --database-url (CHAT_DATABASE_URL)",
            },
        )],
    }
}

fn missing(config: &Config) -> Diagnosis {
    let finding = format!("{} is not there yet", config.database_url);
    match config.migrate {
        Switch::On => Diagnosis::warn(REACHABLE, finding, "start the node, which creates it"),
        Switch::Off => Diagnosis::fail(REACHABLE, finding, "run `chat-server migrate up`, which creates it"),
    }
}

fn sqlite(config: &Config, facts: &SqliteFacts, scope: RecountScope) -> Vec<Diagnosis> {
    let place = &config.database_url;
    let mut found = vec![Diagnosis::ok(REACHABLE, format!("{place} can be opened (SQLite {})", facts.version))];
    found.push(encoding(&facts.encoding, "UTF-8", "sqlite3 OLD .dump | sqlite3 NEW"));
    found.push(schema(config, &facts.pending));
    if facts.pending.is_empty() {
        found.push(counters(config, scope));
    }
    found
}

fn postgres(
    config: &Config,
    facts: &PgFacts,
    pending: Result<Vec<String>, String>,
    scope: RecountScope,
) -> Vec<Diagnosis> {
    let mut found = vec![reached(config, facts), writable(facts)];
    let create = "CREATE DATABASE chat ENCODING 'UTF8' LOCALE 'C' TEMPLATE template0";
    found.push(encoding(&facts.encoding, "UTF8", create));
    found.extend(durability(facts));
    found.push(connections(config, facts));
    found.push(clock(facts.clock_ahead_ms));
    match pending {
        Ok(pending) => {
            found.push(schema(config, &pending));
            if pending.is_empty() {
                found.push(counters(config, scope));
            }
        }
        Err(reason) => found.push(Diagnosis::fail(
            SCHEMA,
            reason,
            "name a database that takes writes and has the schema of this version in --database-url \
             (CHAT_DATABASE_URL)",
        )),
    }
    found
}

fn reached(config: &Config, facts: &PgFacts) -> Diagnosis {
    let round_trip = shown_ms(facts.round_trip);
    let place = &config.database_url;
    Diagnosis::ok(REACHABLE, format!("{place} responds within {round_trip} (PostgreSQL {})", facts.version))
}

fn writable(facts: &PgFacts) -> Diagnosis {
    const CHECK: &str = "standby";
    if facts.is_read_only {
        return Diagnosis::fail(
            CHECK,
            "the server takes no writes: it is a standby, or set to be read-only",
            "name the primary in --database-url (CHAT_DATABASE_URL), or promote the standby",
        );
    }
    Diagnosis::ok(CHECK, "the server takes writes")
}

fn encoding(found: &str, wanted: &str, remedy: &str) -> Diagnosis {
    const CHECK: &str = "encoding";
    if found == wanted {
        return Diagnosis::ok(CHECK, found);
    }
    let remedy = format!("the encoding of a database cannot be changed; make another one with `{remedy}`");
    Diagnosis::fail(CHECK, format!("{found}, and it must be {wanted}"), remedy)
}

fn durability(facts: &PgFacts) -> [Diagnosis; 2] {
    let commit = if facts.synchronous_commit == "off" {
        Diagnosis::warn(
            "synchronous_commit",
            "off: nodes set it to on for themselves, and what others write may be lost in a crash",
            "ALTER DATABASE … SET synchronous_commit = on",
        )
    } else {
        Diagnosis::ok("synchronous_commit", facts.synchronous_commit.as_str())
    };
    let sync = if facts.fsync {
        Diagnosis::ok("fsync", "on")
    } else {
        Diagnosis::fail(
            "fsync",
            "off: a crash of the machine loses acknowledged messages, and may destroy the database",
            "ALTER SYSTEM SET fsync = on, then reload the configuration of the server",
        )
    };
    [commit, sync]
}

fn connections(config: &Config, facts: &PgFacts) -> Diagnosis {
    const CHECK: &str = "connections";
    const REMEDY: &str = "lower --database-readers (CHAT_DATABASE_READERS), or raise max_connections of the server or \
                          the limit of its database or role";
    let writers = i64::try_from(config.database_writers).unwrap_or(i64::MAX);
    let needed = i64::from(config.database_readers).saturating_add(writers).saturating_add(FURTHER_CONNECTIONS);
    let PgFacts { max_connections: most, node_connections: nodes, other_connections: others, .. } = *facts;
    let finding =
        format!("a node makes up to {needed} of {most}; at the moment nodes have {nodes} and other programs {others}");
    if needed > most {
        Diagnosis::fail(CHECK, finding, REMEDY)
    } else if others + nodes.max(needed) > most {
        Diagnosis::warn(CHECK, format!("{finding}, which leaves too few"), REMEDY)
    } else {
        Diagnosis::ok(CHECK, finding)
    }
}

fn clock(ahead_ms: i64) -> Diagnosis {
    const CHECK: &str = "clock";
    const REMEDY: &str = "synchronise the clocks of this machine and of the database server (NTP)";
    let finding = format!("the clock of the database is {ahead_ms} ms ahead of this machine's");
    let apart = ahead_ms.unsigned_abs();
    if apart <= CLOCK_WARN_MS {
        Diagnosis::ok(CHECK, finding)
    } else if apart <= CLOCK_FAIL_MS {
        Diagnosis::warn(CHECK, finding, REMEDY)
    } else {
        Diagnosis::fail(CHECK, finding, REMEDY)
    }
}

fn schema(config: &Config, pending: &[String]) -> Diagnosis {
    if pending.is_empty() {
        return Diagnosis::ok(SCHEMA, "has all migrations of this version and no others");
    }
    let finding = format!("misses {}", pending.join(", "));
    match config.migrate {
        Switch::On => Diagnosis::warn(SCHEMA, finding, "start the node, which applies them; make a backup before"),
        Switch::Off => Diagnosis::fail(SCHEMA, finding, "run `chat-server migrate up`; make a backup before"),
    }
}

fn counters(config: &Config, scope: RecountScope) -> Diagnosis {
    const CHECK: &str = "counters";
    let found = match wire::recount(config, scope) {
        Ok(found) => found,
        Err(error) => {
            return Diagnosis::fail(CHECK, format!("{error:#}"), "see what the database logs");
        }
    };
    let RecountReport { is_complete, sessions, wrong_sessions, missing_sessions, wrong_counters } = found;
    let extent = if is_complete { "all rows" } else { "a sample; --full counts all rows" };
    if found.is_clean() {
        return Diagnosis::ok(CHECK, format!("those of {sessions} sessions are what their rows say ({extent})"));
    }
    Diagnosis::fail(
        CHECK,
        format!(
            "{wrong_sessions} of {sessions} sessions have a wrong number of messages or events, {missing_sessions} \
             sessions that messages or events name are missing, {wrong_counters} figures of the statistics and of the \
             lists are wrong ({extent})"
        ),
        "rows were changed by hand, or a part of the database is lost: find out which, and restore a backup if messages \
         are missing",
    )
}
