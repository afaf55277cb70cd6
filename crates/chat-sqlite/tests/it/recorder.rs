//! Remembers every statement that diesel runs, per database file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use diesel::connection::{Instrumentation, InstrumentationEvent, set_default_instrumentation};

static STATEMENTS: Mutex<BTreeMap<String, BTreeSet<String>>> = Mutex::new(BTreeMap::new());

#[derive(Default)]
struct Recorder {
    database: String,
}

impl Instrumentation for Recorder {
    fn on_connection_event(&mut self, event: InstrumentationEvent<'_>) {
        match event {
            InstrumentationEvent::StartEstablishConnection { url, .. } => file_of(url).clone_into(&mut self.database),
            InstrumentationEvent::StartQuery { query, .. } => {
                let text = query.to_string();
                let statement = text.split(" -- binds:").next().unwrap_or_default().to_owned();
                let mut all = STATEMENTS.lock().unwrap_or_else(PoisonError::into_inner);
                all.entry(self.database.clone()).or_default().insert(statement);
            }
            _ => {}
        }
    }
}

fn file_of(url: &str) -> &str {
    url.split('?').next().unwrap_or_default()
}

/// Records on every connection that is made from now on.
pub(crate) fn install() {
    set_default_instrumentation(|| Some(Box::new(Recorder::default()))).unwrap();
}

/// The statements about chat tables that were run on the database in this directory so far.
pub(crate) fn statements(directory: &Path) -> BTreeSet<String> {
    let directory = format!("file:{}/", directory.to_str().unwrap());
    let all = STATEMENTS.lock().unwrap_or_else(PoisonError::into_inner);
    let here = all.iter().filter(|(database, _)| database.starts_with(&directory));
    let verbs = ["SELECT", "INSERT", "UPDATE", "DELETE"];
    let reads_or_writes = |statement: &String| {
        statement.contains("chat_") && verbs.iter().any(|verb| statement.trim_start().starts_with(verb))
    };
    here.flat_map(|(_, statements)| statements.clone()).filter(reads_or_writes).collect()
}
