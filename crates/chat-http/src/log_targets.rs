//! Log events of the libraries under the HTTP server that say what a client did.
//!
//! They are WARN or ERROR there, one for each request, so that one client could fill the log with
//! 14,000 lines a second. What clients do wrong is counted here (`chat_http_connections_ended_total`, `chat_http_requests_total`), and
//! logged at DEBUG. Events of these libraries that only this process can cause, such as a worker that dies, are not among
//! them.

use tracing::{Level, Metadata};

/// The modules whose warnings and errors are about what came over the network.
const MODULES: [&str; 5] = [
    // A request that cannot be parsed, a connection that breaks, a body in chunks that goes on after its end; and the
    // body of a response that fails, which `download_attachment` has logged by then.
    "actix_http::h1::dispatcher",
    // A head that is too large.
    "actix_http::h1::decoder",
    // Sockets are read by `chat_websocket`, but their handshakes by this.
    "actix_http::ws",
    // A form whose boundary is not where it should be.
    "actix_multipart",
    // A connection that could not be accepted, at the limit of open files: connections and sockets are kept below it, but
    // other processes, and files that are opened for a moment, count too. `actix_server::server` logs a worker that dies.
    "actix_server::accept",
];

/// Whether a log event says what a client did in the words of a fault of this process. The set-up of the log leaves such
/// events out.
pub fn is_caused_by_clients(event: &Metadata<'_>) -> bool {
    // A more verbose level is the greater one.
    *event.level() <= Level::WARN && MODULES.iter().any(|module| is_within(event.target(), module))
}

fn is_within(target: &str, module: &str) -> bool {
    target.strip_prefix(module).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_is_within_itself_and_its_parents_alone() {
        assert!(is_within("actix_multipart", "actix_multipart"));
        assert!(is_within("actix_multipart::field", "actix_multipart"));
        assert!(!is_within("actix_multipart_derive", "actix_multipart"));
        assert!(!is_within("actix_http::h1::service", "actix_http::h1::dispatcher"));
    }
}
