//! The databases' schemas go the same way, step by step. What the steps do is tested by the stores' own tests.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use crate::support::{assert_none, files, read, relative, root, table};

const DATABASES: [&str; 2] = ["postgres", "sqlite"];

/// The directories of a database's steps, in their order.
fn steps(database: &str) -> Vec<PathBuf> {
    let directory = root().join("migrations").join(database);
    let mut steps: Vec<PathBuf> = fs::read_dir(&directory)
        .unwrap_or_else(|error| panic!("{}: {error}", directory.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    steps.sort();
    assert!(!steps.is_empty(), "{} has no steps", directory.display());
    steps
}

fn names(database: &str) -> BTreeSet<String> {
    steps(database).iter().map(|step| step.file_name().unwrap().to_string_lossy().into_owned()).collect()
}

/// The statements of a step, without comments. Function bodies between `$$` are part of their statement.
fn statements(sql: &str) -> Vec<String> {
    let (mut found, mut current) = (Vec::new(), String::new());
    let (mut quote, mut rest): (Option<&str>, &str) = (None, sql);
    while let Some(sign) = rest.chars().next() {
        let mut length = sign.len_utf8();
        match quote {
            Some(end) if rest.starts_with(end) => {
                length = end.len();
                quote = None;
            }
            Some(_) => (),
            None if rest.starts_with("--") => {
                rest = rest.find('\n').map_or("", |end| &rest[end..]);
                continue;
            }
            None if rest.starts_with("/*") => {
                rest = rest.find("*/").map_or("", |end| &rest[end + 2..]);
                continue;
            }
            None if sign == ';' => {
                found.push(std::mem::take(&mut current));
                rest = &rest[1..];
                continue;
            }
            None => {
                quote = ["$$", "'", "\""].into_iter().find(|quote| rest.starts_with(quote));
                length = quote.map_or(length, str::len);
            }
        }
        current.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    found.push(current);
    found.retain(|statement| !statement.trim().is_empty());
    found
}

fn is_concurrent(statement: &str) -> bool {
    statement.to_uppercase().split_whitespace().any(|word| word == "CONCURRENTLY")
}

/// Whether it is a block that commits what it has done so far.
fn commits(statement: &str) -> bool {
    statement.to_uppercase().split_whitespace().any(|word| word == "COMMIT;")
}

/// Whether diesel wraps the step in a transaction: it does unless `metadata.toml` says otherwise.
fn runs_in_a_transaction(step: &std::path::Path) -> bool {
    let metadata = step.join("metadata.toml");
    !metadata.is_file() || table(&metadata).get("run_in_transaction").and_then(toml::Value::as_bool) != Some(false)
}

#[test]
fn every_database_has_the_same_steps() {
    let [one, other] = DATABASES.map(names);
    let problems: Vec<String> = one
        .symmetric_difference(&other)
        .map(|name| {
            format!("{name} is a step of {} only", if one.contains(name) { DATABASES[0] } else { DATABASES[1] })
        })
        .collect();
    assert_none(&problems, "give the step the same name for every database, also where one of them has less to do");
}

#[test]
fn every_step_goes_both_ways_and_says_what_it_is_for() {
    let mut problems = Vec::new();
    for step in DATABASES.iter().flat_map(|database| steps(database)) {
        for direction in ["up.sql", "down.sql"] {
            let path = step.join(direction);
            if !path.is_file() || statements(&read(&path)).is_empty() {
                problems.push(format!("{} has no statement", relative(&path)));
            } else if direction == "up.sql" && !read(&path).starts_with("-- ") {
                problems.push(format!("{} does not begin with a comment", relative(&path)));
            }
        }
    }
    assert_none(&problems, "write what the step makes and why at the top of up.sql, and the way back in down.sql");
}

#[test]
fn an_index_that_is_built_beside_the_traffic_is_alone_in_its_step() {
    let mut problems = Vec::new();
    for step in steps("postgres") {
        let texts: Vec<PathBuf> = files(&relative(&step), "sql");
        let needs_none = |text: &String| is_concurrent(text) || commits(text);
        let stands_alone = texts.iter().any(|path| statements(&read(path)).iter().any(needs_none));
        if stands_alone == runs_in_a_transaction(&step) {
            problems.push(format!(
                "{} {} a transaction and {} CONCURRENTLY or COMMIT",
                relative(&step),
                if runs_in_a_transaction(&step) { "runs in" } else { "runs without" },
                if stands_alone { "has" } else { "does without" },
            ));
        }
        for path in texts.iter().filter(|_| stands_alone) {
            let count = statements(&read(path)).len();
            if count != 1 {
                problems.push(format!("{} has {count} statements", relative(path)));
            }
        }
    }
    assert_none(
        &problems,
        "CONCURRENTLY and COMMIT cannot run in a transaction, and several statements without one can stop half-way: one \
         statement a file, and a metadata.toml with `run_in_transaction = false`; everything else in a step with a \
         transaction",
    );
}

#[test]
fn statements_are_told_from_comments_texts_and_bodies() {
    let count = |sql: &str| statements(sql).len();
    assert_eq!(count("-- a; b\nSELECT 1;\n/* c; */ SELECT ';', \";\" ; "), 2);
    assert_eq!(count("CREATE FUNCTION f() AS $$ BEGIN; END; $$ LANGUAGE sql;\nSELECT 'it''s;'"), 2);
    assert_eq!(count("-- nothing"), 0);
    assert!(!statements("-- CONCURRENTLY\nCREATE INDEX i ON t (a);").iter().any(|text| is_concurrent(text)));
    assert!(is_concurrent("create index concurrently i ON t (a)"));
}

/// Whether the statement leaves the tables and rows of the steps before it as they are: an older node cannot notice it.
fn only_adds(statement: &str) -> bool {
    let words: Vec<String> = statement.split_whitespace().take(3).map(str::to_uppercase).collect();
    let begins = |wanted: &[&str]| words.iter().zip(wanted).filter(|(one, other)| one == other).count() == wanted.len();
    [
        &["CREATE", "TABLE"][..],
        &["CREATE", "UNLOGGED", "TABLE"],
        &["CREATE", "INDEX"],
        &["CREATE", "UNIQUE", "INDEX"],
        &["SELECT"],
    ]
    .into_iter()
    .any(begins)
}

#[test]
fn a_step_that_fills_or_alters_says_what_may_run_beside_it() {
    const SAYS: [&str; 3] = [
        "Beside running nodes: safe",
        "Beside running nodes: stop them first, because",
        "Beside running nodes: no other process uses the file",
    ];
    let mut problems = Vec::new();
    for path in DATABASES.iter().flat_map(|database| steps(database)).map(|step| step.join("up.sql")) {
        let text = read(&path);
        let comment: String = text.lines().take_while(|line| line.starts_with("--")).collect::<Vec<_>>().join("\n");
        if !statements(&text).iter().all(|statement| only_adds(statement))
            && !SAYS.iter().any(|says| comment.contains(says))
        {
            problems.push(format!("{} does not say what may run beside it", relative(&path)));
        }
    }
    assert_none(
        &problems,
        "in a rolling upgrade nodes of the version before run beside a step: say `Beside running nodes: safe. …` or \
         `Beside running nodes: stop them first, because …` in the comment at the top (migrations/README.md)",
    );
}

#[test]
fn statements_that_only_add_are_distinguished_from_those_that_change() {
    for adds in ["CREATE TABLE t (a INT)", " create unique index i ON t (a)", "SELECT 1"] {
        assert!(only_adds(adds), "{adds}");
    }
    for changes in
        ["INSERT INTO t SELECT 1", "ALTER TABLE t ADD COLUMN b INT", "UPDATE t SET a = 1", "CREATE FUNCTION f()"]
    {
        assert!(!only_adds(changes), "{changes}");
    }
}
