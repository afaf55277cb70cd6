//! Remembers every statement that diesel runs, per database.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use diesel::connection::{Instrumentation, InstrumentationEvent, set_default_instrumentation};

/// By database and text, how often each was run.
static STATEMENTS: Mutex<BTreeMap<String, BTreeMap<String, usize>>> = Mutex::new(BTreeMap::new());

#[derive(Default)]
struct Recorder {
    database: String,
}

impl Instrumentation for Recorder {
    fn on_connection_event(&mut self, event: InstrumentationEvent<'_>) {
        match event {
            InstrumentationEvent::StartEstablishConnection { url, .. } => name_of(url).clone_into(&mut self.database),
            InstrumentationEvent::StartQuery { query, .. } => {
                let text = query.to_string();
                let statement = text.split(" -- binds:").next().unwrap_or_default().trim().to_owned();
                let mut all = STATEMENTS.lock().unwrap_or_else(PoisonError::into_inner);
                *all.entry(self.database.clone()).or_default().entry(statement).or_default() += 1;
            }
            _ => {}
        }
    }
}

/// The name of the database in a URL.
fn name_of(url: &str) -> &str {
    let place = url.split('?').next().unwrap_or_default();
    place.rsplit('/').next().unwrap_or_default()
}

/// Records on every connection that is made from now on.
pub(crate) fn install() {
    set_default_instrumentation(|| Some(Box::new(Recorder::default()))).unwrap();
}

/// The statements about chat tables that were run on the database of this name so far.
pub(crate) fn statements(database: &str) -> BTreeSet<String> {
    let all = STATEMENTS.lock().unwrap_or_else(PoisonError::into_inner);
    let verbs = ["SELECT", "INSERT", "UPDATE", "DELETE", "WITH"];
    // A union of queries in parentheses begins with one.
    let begins = |statement: &str, verb| statement.trim_start_matches('(').starts_with(verb);
    let reads_or_writes =
        |statement: &String| statement.contains("chat_") && verbs.iter().any(|verb| begins(statement, *verb));
    all.get(database).cloned().unwrap_or_default().into_keys().filter(reads_or_writes).collect()
}

/// How many statements with `part` in their text were run on the database of this name so far.
pub(crate) fn times(database: &str, part: &str) -> usize {
    let all = STATEMENTS.lock().unwrap_or_else(PoisonError::into_inner);
    let of_database = all.get(database).into_iter().flatten();
    of_database.filter(|(statement, _)| statement.contains(part)).map(|(_, times)| times).sum()
}
