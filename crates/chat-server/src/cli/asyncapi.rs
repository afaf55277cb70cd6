//! `asyncapi`: the description of the socket for tools.

use std::io::Write;

/// Prints the AsyncAPI document as JSON, for clients that reach the service at `public_url`.
///
/// # Errors
/// The output cannot be written.
pub(super) fn run(public_url: Option<&str>, out: &mut dyn Write) -> anyhow::Result<()> {
    Ok(writeln!(out, "{}", chat_http::asyncapi_json(public_url).trim_end())?)
}
