//! A database for one test on a server that many tests share.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::{env, thread};

use crate::error::Error;
use crate::postgres::PrivatePostgres;
use crate::postgres::programs::find_programs;
use crate::postgres::psql::psql;

/// Names the server that all tests share: an administrator's `postgres://…`. `cargo xtask test` sets it.
pub const URL_VARIABLE: &str = "CHAT_TEST_POSTGRES_URL";

/// The templates of this process by their callers' names. Each is made once; a caller that needs one which is being made
/// waits for that one only.
static TEMPLATES: Mutex<Option<HashMap<String, Arc<OnceLock<String>>>>> = Mutex::new(None);

/// The databases of this process that no test uses at present, by the template of which they are copies.
static IDLE: Mutex<Option<HashMap<String, Vec<TestDatabase>>>> = Mutex::new(None);

/// What a test finds in a database that an earlier test had.
#[derive(Clone, Copy, Debug)]
pub enum KeepRows<'a> {
    /// All, for tests that only look.
    All,
    /// Those of these tables. All others are emptied.
    Of(&'a [&'a str]),
}

/// The database of one test. It is dropped with the value, whatever is connected to it then, unless the next test may
/// have the database.
///
/// Its functions panic when something fails, because it is the test that failed.
#[derive(Debug)]
pub struct TestDatabase {
    programs: PathBuf,
    admin_url: String,
    url: String,
    name: String,
    /// The template of which it is a copy, when the next test may have it.
    reused_as: Option<String>,
}

impl TestDatabase {
    /// An empty database on the shared server.
    ///
    /// # Panics
    /// When there is no such server; the message says how to start one.
    #[track_caller]
    pub fn empty() -> Self {
        let (programs, admin_url) = shared_server();
        must(Self::create(&programs, &admin_url, "test", None))
    }

    /// A copy of the template `name` on the shared server.
    ///
    /// The first caller in this process makes the template: `prepare` gets the address of an empty database and fills
    /// it, such as by running migrations. It must leave no connection open, because a database in use cannot be copied.
    /// Later callers take a copy, which takes about 0.1 s.
    ///
    /// # Panics
    /// When there is no such server, or when `prepare` panics; the next caller then tries again.
    #[track_caller]
    pub fn from_template(name: &str, prepare: impl FnOnce(&str)) -> Self {
        let (programs, admin_url) = shared_server();
        let cell = {
            let mut templates = TEMPLATES.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(templates.get_or_insert_default().entry(name.to_owned()).or_default())
        };
        let template = cell.get_or_init(|| {
            let made = must(Self::create(&programs, &admin_url, "template", None));
            prepare(&made.url);
            // Kept: nothing runs when the process ends. It goes with the server.
            made.keep()
        });
        must(Self::create(&programs, &admin_url, "test", Some(template)))
    }

    /// As [`Self::from_template`], or a database that an earlier test of this process had in the same way, with the rows
    /// that `keep` names. This is what many small tests want, since a copy takes several times as long.
    ///
    /// The caller has it alone until the value is dropped; connections that are still open are cut before the next one gets
    /// it. A test that changes the schema, or the rows of what is kept, needs a database of its own. The database of a
    /// test that panics is dropped, not passed on.
    ///
    /// # Panics
    /// As [`Self::from_template`].
    #[track_caller]
    pub fn reused(name: &str, keep: KeepRows<'_>, prepare: impl FnOnce(&str)) -> Self {
        let idle = {
            let mut idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner);
            idle.get_or_insert_default().get_mut(name).and_then(Vec::pop)
        };
        let Some(database) = idle else {
            let mut made = Self::from_template(name, prepare);
            made.reused_as = Some(name.to_owned());
            return made;
        };
        let empty = match keep {
            KeepRows::All => String::new(),
            KeepRows::Of(tables) => {
                let kept: Vec<String> = tables.iter().map(|table| format!("'{table}'")).collect();
                // `\gexec` runs the statement that this one returns.
                format!(
                    "SELECT 'TRUNCATE ' || string_agg(oid::regclass::text, ', ') FROM pg_class
                     WHERE relkind IN ('r', 'p') AND relnamespace = current_schema::regnamespace
                           AND relname <> ALL (ARRAY[{}]::text[]) \\gexec\n",
                    kept.join(", ")
                )
            }
        };
        database.sql(&format!(
            "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid();
             {empty}"
        ));
        database
    }

    /// A copy of this database on the same server, as it is now. Nothing may be connected to this one.
    ///
    /// # Panics
    /// When the server does not make it.
    #[track_caller]
    #[must_use]
    pub fn copy(&self) -> Self {
        must(Self::create(&self.programs, &self.admin_url, "copy", Some(&self.name)))
    }

    /// An empty database on a server of the test's own.
    ///
    /// # Panics
    /// When the server does not make it.
    #[track_caller]
    pub fn on(server: &PrivatePostgres) -> Self {
        must(Self::create(server.programs(), &server.admin_url(), "test", None))
    }

    /// Where to connect to it, as an administrator.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its name on the server.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs statements and returns the rows: a row a line, `|` between columns.
    ///
    /// Each statement is a transaction of its own unless the text contains `BEGIN`; the first error ends it.
    ///
    /// # Panics
    /// When a statement fails.
    #[track_caller]
    pub fn sql(&self, sql: &str) -> String {
        must(psql(&self.programs, &self.url, sql))
    }

    fn create(programs: &Path, admin_url: &str, prefix: &str, template: Option<&str>) -> Result<Self, Error> {
        let random = getrandom::u64().map_err(|error| Error::io("choose a name")(std::io::Error::other(error)))?;
        let name = format!("{prefix}_{random:016x}");
        let template = template.map(|template| format!(" TEMPLATE {template}")).unwrap_or_default();
        psql(programs, admin_url, &format!("CREATE DATABASE {name}{template}"))?;
        let url = with_database(admin_url, &name);
        Ok(Self { programs: programs.to_owned(), admin_url: admin_url.to_owned(), url, name, reused_as: None })
    }

    /// Leaves the database on the server.
    fn keep(mut self) -> String {
        std::mem::take(&mut self.name)
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        if let Some(template) = self.reused_as.take()
            && !thread::panicking()
        {
            let next = Self {
                programs: std::mem::take(&mut self.programs),
                admin_url: std::mem::take(&mut self.admin_url),
                url: std::mem::take(&mut self.url),
                name: std::mem::take(&mut self.name),
                reused_as: Some(template.clone()),
            };
            let mut idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner);
            idle.get_or_insert_default().entry(template).or_default().push(next);
        } else if !self.name.is_empty() {
            // A test may have stopped its server; then the database goes with the server's directory.
            let drop = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
            let _best_effort = psql(&self.programs, &self.admin_url, &drop);
        }
    }
}

#[track_caller]
#[expect(clippy::panic, reason = "for tests: the message says what to do")]
fn shared_server() -> (PathBuf, String) {
    let Ok(url) = env::var(URL_VARIABLE) else {
        panic!(
            "this test needs PostgreSQL: run it with `cargo xtask test`, which starts a server, or name an \
             administrator's address in {URL_VARIABLE}"
        );
    };
    (must(find_programs()), url)
}

#[track_caller]
#[expect(clippy::panic, reason = "for tests: what fails here is the test")]
fn must<T>(result: Result<T, Error>) -> T {
    result.unwrap_or_else(|error| panic!("{error}"))
}

/// The same address with another database.
fn with_database(url: &str, database: &str) -> String {
    let (address, options) = url.split_once('?').map_or((url, None), |(address, options)| (address, Some(options)));
    let authority_at = address.find("://").map_or(0, |at| at + 3);
    let end = address.rfind('/').filter(|at| *at >= authority_at).unwrap_or(address.len());
    let options = options.map(|options| format!("?{options}")).unwrap_or_default();
    format!("{}/{database}{options}", address.get(..end).unwrap_or(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_database_of_an_address_is_replaced() {
        for (url, wanted) in [
            ("postgres://postgres@127.0.0.1:5432/postgres", "postgres://postgres@127.0.0.1:5432/x"),
            ("postgres://127.0.0.1", "postgres://127.0.0.1/x"),
            ("postgres:///postgres?host=/run/pg", "postgres:///x?host=/run/pg"),
        ] {
            assert_eq!(with_database(url, "x"), wanted);
        }
    }
}
