//! Files and pages that another crate responds with. They are mounted in `mounting`.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse};

/// Responds to `GET` and `HEAD`, without waiting for anything. The second argument is the origin as which the client reaches
/// this server, where it is known. A response with 404 and no body becomes that of an unknown address. The query is not
/// looked at: pages add one to the addresses of scripts so that browsers load them again.
pub type MountHandler = Arc<dyn Fn(&HttpRequest, Option<&str>) -> HttpResponse + Send + Sync>;

/// An address and what responds there.
#[derive(Clone)]
pub struct Mount {
    /// The path, with parameters in braces. Metrics and the access log name it.
    pub path: &'static str,
    /// Its responses.
    pub handler: MountHandler,
}

/// What browsers get at `/`.
#[derive(Clone)]
pub enum HomePage {
    /// They are sent to this path, relative to the server's address.
    At(&'static str),
    /// This page.
    Page(MountHandler),
}

/// What another crate responds with.
#[derive(Clone, Default)]
pub struct Mounts {
    /// The addresses besides those of the API.
    pub routes: Vec<Mount>,
    /// What browsers get at `/` instead of being sent to the documentation.
    pub home: Option<HomePage>,
}
