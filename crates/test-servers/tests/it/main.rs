//! Private servers and the databases on them, with the real programs.
#![expect(clippy::unwrap_used, reason = "tests")]

mod killed_process;
mod nginx;

mod postgres {
    //! PostgreSQL's servers and databases.
    mod database;
    mod server;
}

mod redis {
    //! Redis's servers and clusters.
    mod cluster;
    mod server;
}
